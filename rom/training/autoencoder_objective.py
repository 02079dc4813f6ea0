"""The objective of an autoencoder without dynamics: reconstruction and regularisers."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from rom.config import FitConfig, LossWeights
from rom.networks.encoder_decoder import EncoderDecoder
from rom.training.losses import bounded, mean_square
from rom.training.objective import Objective
from rom.training.regularisers import Regularisation
from rom.training.score import AutoencoderScore
from rom.utils.random import torch_generator

__all__ = ["AutoencoderObjective", "variance_of"]


class AutoencoderObjective(Objective):
    """Reconstruction and regularisers on batches of samples.

    Parameters
    ----------
    training, validating : Tensor
        POD coordinates ``(sample, r)``.
    weights : LossWeights
        Weights of the losses.
    config : FitConfig
        Size of a batch, and settings of regularisers.
    n_states : int
        Number of components of a sample.
    seed : int
        Seed of the noise of the validation, which is the same each time.
    """

    validated_on = "held-out samples"
    advice = "More latent coordinates, more samples, or smaller weights of regularisers may help"

    def __init__(
        self, training: Tensor, validating: Tensor, weights: LossWeights, config: FitConfig, n_states: int, seed: int
    ) -> None:
        self.training = training
        self.validating = validating
        self.weights = weights
        self.batch_size = config.collocation_batch
        self.seed = seed
        self.variance = variance_of(training)
        self.regularisation = Regularisation(weights, config, self.variance, n_states)

    def losses(self, networks: EncoderDecoder, generator: torch.Generator, progress: float) -> dict[str, Tensor]:
        """Compute the unweighted losses of one batch."""
        batch = self.training
        if len(batch) > self.batch_size:
            rows = torch.randint(len(batch), (self.batch_size,), generator=generator)
            batch = batch.index_select(0, rows.to(batch.device))
        return self.losses_at(networks, batch, generator, progress)

    def losses_at(
        self, networks: EncoderDecoder, w: Tensor, generator: torch.Generator, progress: float
    ) -> dict[str, Tensor]:
        """Compute the unweighted losses at POD coordinates ``(sample, r)``."""
        regularisers = self.regularisation.losses(networks, w, generator, progress)
        if "reconstruction" in regularisers:  # that of a Gaussian encoder
            return regularisers
        return {"reconstruction": self.reconstruction(networks, w)} | regularisers

    def reconstruction(self, networks: EncoderDecoder, w: Tensor) -> Tensor:
        """Compute ``|psi(phi(w)) - w|^2`` as a share of the variance."""
        return mean_square(networks.decoder(networks.encoder(w)) - w) / self.variance

    @torch.no_grad()
    def validate(self, networks: EncoderDecoder) -> AutoencoderScore:
        """Return the weighted sum of the losses, and the reconstruction error, on the validation samples.

        The batches are as large as in training: some regularisers depend on the spread within a batch. The noise is the
        same each time. A loss that is not finite counts as a large one.
        """
        generator = torch_generator(self.seed)
        error = reconstruction = 0.0
        for batch in self.validation_batches():
            losses = self.losses_at(networks, batch, generator, progress=1.0)
            share = len(batch) / len(self.validating)
            error += share * sum(self.weights.of(name) * float(bounded(loss)) for name, loss in losses.items())
            reconstruction += share * float(bounded(self.reconstruction(networks, batch)))
        return AutoencoderScore(error, reconstruction)

    def validation_batches(self) -> tuple[Tensor, ...]:
        """Return the validation samples in parts of similar size, none larger than a batch of the training."""
        return self.validating.tensor_split(-(-len(self.validating) // self.batch_size))


def variance_of(coordinates: Tensor) -> float:
    """Return the mean variance of a coordinate of ``(sample, r)``."""
    return max(float(coordinates.double().var(dim=0, unbiased=False).mean()), float(np.finfo(np.float32).tiny))
