"""What the training of an autoencoder alone minimises, and what tells how good it is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from rom.architecture import EncoderDecoder
from rom.batches import generator_of
from rom.config import FitConfig, LossWeights
from rom.losses import mean_square
from rom.regularisation import regularisation
from rom.validation import Validation, bounded

__all__ = ["AutoencoderObjective", "variance_of"]


class AutoencoderObjective:
    """Reconstruction and regularisers on batches of samples (N, r), in POD coordinates."""

    validated_on = "held-out samples"
    advice = "More latent coordinates, more samples, or smaller weights of regularisers may help"

    def __init__(
        self,
        training: Tensor,
        validating: Tensor,
        weights: LossWeights,
        config: FitConfig,
        n_states: int,
        seed: int,
    ):
        self.training = training
        self.validating = validating
        self.weights = weights
        self.config = config
        self.n_states = n_states
        self.seed = seed
        self.spread = variance_of(training)

    def losses(self, networks: EncoderDecoder, generator: torch.Generator, progress: float) -> dict[str, Tensor]:
        """The unweighted losses of one batch."""
        size = self.config.collocation_batch
        batch = self.training
        if len(batch) > size:
            rows = torch.randint(len(batch), (size,), generator=generator)
            batch = batch.index_select(0, rows.to(batch.device))
        return self.losses_at(networks, batch, generator, progress)

    def losses_at(
        self, networks: EncoderDecoder, w: Tensor, generator: torch.Generator, progress: float
    ) -> dict[str, Tensor]:
        regularisers = regularisation(
            networks, w, self.weights, self.config, self.spread, self.n_states, generator, progress
        )
        if "reconstruction" in regularisers:  # that of a Gaussian encoder
            return regularisers
        return {"reconstruction": self.reconstruction(networks, w)} | regularisers

    def reconstruction(self, networks: EncoderDecoder, w: Tensor) -> Tensor:
        """|psi(phi(w)) - w|^2 in shares of the variance."""
        return mean_square(networks.decoder(networks.encoder(w)) - w) / self.spread

    @torch.no_grad()
    def validate(self, networks: EncoderDecoder) -> Validation:
        """The weighted sum of the losses on the samples that validate, with the same noise whenever it is asked for.

        In batches as in training: they take no more memory, and some regularisers measure by the spread of a batch. A loss
        that is not finite, or beyond all use, counts as a large one.
        """
        generator = generator_of(self.seed)
        weights = self.weights.to_dict()
        total = share = 0.0
        for batch in self.batches():
            losses = self.losses_at(networks, batch, generator, progress=1.0)
            part = len(batch) / len(self.validating)
            total += part * sum(weights[name] * float(bounded(loss)) for name, loss in losses.items())
            share += part * float(bounded(self.reconstruction(networks, batch)))
        return Validation(error=total, typical=1.0, physics=total, median=math.sqrt(share))

    def batches(self) -> tuple[Tensor, ...]:
        """The samples that validate, in parts of about the same size, none larger than a batch of the training."""
        return self.validating.tensor_split(-(-len(self.validating) // self.config.collocation_batch))

    def window(self, progress: float) -> int:  # noqa: ARG002
        return 0

    def renew(self, renewed: list[int], progress: float, seconds: float | None) -> None:
        """Nothing is added to samples."""

    def resume(self, renewed: Sequence[int]) -> None:
        """Nothing was added."""


def variance_of(coordinates: Tensor) -> float:
    """The mean variance of a coordinate of (N, r)."""
    return max(float(coordinates.double().var(dim=0, unbiased=False).mean()), float(np.finfo(np.float32).tiny))
