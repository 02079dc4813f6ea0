"""The objective of pretraining: encoder and decoder learn given latent coordinates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from rom.networks.encoder_decoder import EncoderDecoder
from rom.training.losses import mean_square
from rom.training.objective import Objective
from rom.training.score import Score

__all__ = ["IsomapObjective"]


@dataclass(frozen=True)
class IsomapObjective(Objective):
    """Regression of latent coordinates on samples, and of samples on latent coordinates.

    Attributes
    ----------
    samples : Tensor
        POD coordinates ``(sample, r)``.
    latent : Tensor
        Their latent coordinates ``(sample, d)``.
    variance : float
        Mean variance of a POD coordinate.
    batch_size : int
        Number of samples of a batch.
    validation : callable
        Validation of the training that follows, from networks to their score.
    """

    samples: Tensor
    latent: Tensor
    variance: float
    batch_size: int
    validation: Callable[[EncoderDecoder], Score]

    validated_on = "held-out samples"
    advice = "The training that follows may help"

    def losses(self, networks: EncoderDecoder, generator: torch.Generator, progress: float) -> dict[str, Tensor]:  # noqa: ARG002
        """Compute the sum of both regression losses on one batch, under the name of the reconstruction."""
        w, z = self.samples, self.latent
        if len(w) > self.batch_size:
            rows = torch.randint(len(w), (self.batch_size,), generator=generator).to(w.device)
            w, z = w.index_select(0, rows), z.index_select(0, rows)
        encoded, decoded = networks.encoder(w), networks.decoder(z)
        return {"reconstruction": mean_square(encoded - z) + mean_square(decoded - w) / self.variance}

    def validate(self, networks: EncoderDecoder) -> Score:
        """Return the score of the training that follows."""
        return self.validation(networks)
