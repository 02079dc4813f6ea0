"""Which regularisers a training asks for, evaluated on one batch."""

from __future__ import annotations

import torch
from torch import Tensor

from rom.architecture import EncoderDecoder
from rom.config import FitConfig, LossWeights
from rom.losses import mean_square
from rom.regularisers import (
    beta_factor,
    contractive,
    denoising,
    kl_to_standard_normal,
    reparametrised,
    smoothness,
    sparse_kl,
    sparse_l1,
)

__all__ = ["regularisation"]

EXACT_UP_TO = 4  # latent states, for which the Frobenius norm costs no more than a few vector-Jacobian products
FIRST_LOG_VARIANCE = -4.0  # of the Gaussian encoder: a standard deviation of about an eighth of the prior's


def regularisation(
    networks: EncoderDecoder,
    w: Tensor,
    weights: LossWeights,
    config: FitConfig,
    spread: float,
    n_states: int,
    generator: torch.Generator,
    progress: float,
    reconstruction: str = "reconstruction",
) -> dict[str, Tensor]:
    """The unweighted regularisers with positive weight at POD coordinates w (B, r); {} where there is none.

    Of a variational autoencoder the loss called `reconstruction` is among them: of samples of the latent state, not of means.
    """
    encoder, decoder = networks.encoder, networks.decoder
    losses: dict[str, Tensor] = {}
    if weights.denoising > 0.0:
        noise = config.noise * component_spread(spread, w.shape[-1], n_states) * normal_like(w, generator)
        losses["denoising"] = denoising(encoder, decoder, w, noise, spread)
    latent = encoder(w) if weights.of_latent_states else w
    if weights.contractive > 0.0:
        signs = None if latent.shape[-1] <= EXACT_UP_TO else normal_like(w, generator).sign()
        losses["contractive"] = contractive(encoder, w, spread, signs)
    if weights.sparse > 0.0:
        losses["sparse"] = sparse_l1(latent)
    if weights.sparse_kl > 0.0:
        losses["sparse_kl"] = sparse_kl(latent, config.active_share)
    if weights.smoothness > 0.0:
        losses["smoothness"] = smoothness(decoder, latent, normal_like(latent, generator), spread)
    if weights.variational > 0.0:
        assert networks.posterior is not None
        log_variance = FIRST_LOG_VARIANCE + networks.posterior(w)
        sample = reparametrised(latent, log_variance, normal_like(latent, generator))
        losses[reconstruction] = mean_square(decoder(sample) - w) / spread
        losses["variational"] = beta_factor(progress, config.warm_up) * kl_to_standard_normal(latent, log_variance)
    return losses


def component_spread(spread: float, rank: int, n_states: int) -> float:
    """Root mean square spread of a component of the state, in units of POD coordinates, whose mean variance is `spread`.

    The r coordinates hold the variance of all n components; and noise that is alike in these is alike in every coordinate.
    """
    return (spread * rank / n_states) ** 0.5


def normal_like(values: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal numbers, drawn on the CPU."""
    return torch.randn(values.shape, generator=generator).to(values)
