"""The start of an autoencoder alone, in closed form: POD and a quadratic manifold."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from rom.config import FitConfig
from rom.models.build import scale_correction
from rom.networks.encoder_decoder import EncoderDecoder
from rom.networks.mlp import MLP
from rom.networks.quadratic import n_products, packed
from rom.reduction.operator_inference import (
    RIDGES,
    Manifold,
    distinct_coefficients,
    distinct_products,
    quadratic_manifold,
)
from rom.reduction.pod import MAX_SNAPSHOTS
from rom.training.objectives import variance_of
from rom.utils.random import generator_of

__all__ = [
    "Start",
    "closed_form",
    "init_from_closed_form",
    "pod_sample",
    "set_correction_gain",
    "use_common_input_scale",
    "without_many_products",
]

log = logging.getLogger("rom")

MOST_PRODUCTS = 2112  # of latent coordinates, those of 64: their regression takes some seconds

MANY_SAMPLES, MANY_FOR_A_PRODUCT = 16384, 8  # for that regression: of more, some are drawn

ROWS = 4096  # whose products are held at a time


@dataclass(frozen=True)
class Start:
    """POD and quadratic manifold in closed form, and the share of the variance that they lose on validating samples."""

    manifold: Manifold
    error: float


def pod_sample(samples: np.ndarray, seed: int) -> np.ndarray:
    """Samples (N, n) for the POD: all where the smaller side is short, or else some of them."""
    if min(samples.shape) <= MAX_SNAPSHOTS:
        return samples
    return samples[np.random.default_rng([seed, 5]).permutation(len(samples))[:MAX_SNAPSHOTS]]


def without_many_products(config: FitConfig, latent_dim: int) -> FitConfig:
    """`config` without a quadratic path that would take longer to fit than all else."""
    if not config.quadratic_decoder or n_products(latent_dim) <= MOST_PRODUCTS:
        return config
    log.info(
        "no quadratic path in the decoder: %d latent coordinates have %d products", latent_dim, n_products(latent_dim)
    )
    return replace(config, quadratic_decoder=False)


def closed_form(training: Tensor, validating: Tensor, latent_dim: int, config: FitConfig, seed: int) -> Start:
    """The quadratic manifold, or POD alone, whose ridge loses least of the validating samples (N, r).

    Regressed on no more samples than tell the coefficients well.
    """
    d = min(latent_dim, training.shape[1])
    most = max(MANY_SAMPLES, MANY_FOR_A_PRODUCT * n_products(d))
    samples = training.numpy()
    if config.quadratic_decoder and len(samples) > most:  # a constant costs nothing, and PCA is exact
        samples = samples[np.random.default_rng([seed, 6]).permutation(len(samples))[:most]]
    solve = quadratic_manifold(samples, d, config.quadratic_decoder, ROWS)
    w = validating.numpy()
    z = w[:, :d]
    products = distinct_products(z) if config.quadratic_decoder else None
    variance = variance_of(training)

    def error(manifold: Manifold) -> float:
        decoded = manifold.offset + z @ manifold.linear.T
        if products is not None:
            decoded += products @ distinct_coefficients(manifold.quadratic, d).T
        return float(((decoded - w) ** 2).mean()) / variance

    ridges = RIDGES if config.quadratic_decoder else RIDGES[:1]  # a constant needs no ridge
    best = min((solve(ridge) for ridge in ridges), key=error)
    return Start(best, error(best))


def set_correction_gain(networks: EncoderDecoder, correction: float) -> None:
    """Tell networks whose corrections are nothing yet how large these will be."""
    for part in (networks.encoder, networks.decoder):
        if part.correction is not None:
            part.correction.gain.fill_(correction)


@torch.no_grad()
def init_from_closed_form(networks: EncoderDecoder, manifold: Manifold, samples: Tensor, seed: int) -> None:
    """Make the networks equal to the closed form, with latent coordinates of unit spread; corrections begin at nothing.

    Latent coordinates beyond those of the POD, of an over-complete autoencoder, are random mixtures of these, which the decoder
    has yet to learn to use.
    """
    encoder, decoder = networks.encoder, networks.decoder
    d, known = encoder.linear.out_features, manifold.linear.shape[1]
    spread = samples[:, :known].std(dim=0).clamp(min=1e-30)
    encode, decode = samples.new_zeros(d, samples.shape[1]), samples.new_zeros(samples.shape[1], d)
    encode[:known, :known] = torch.diag(1.0 / spread)
    decode[:, :known] = torch.from_numpy(manifold.linear) * spread
    if d > known:
        mixtures = torch.randn(d - known, known, generator=generator_of(seed), dtype=samples.dtype)
        encode[known:, :known] = mixtures / mixtures.norm(dim=1, keepdim=True) / spread
    encoder.linear.weight.copy_(encode)
    decoder.linear.weight.copy_(decode)
    decoder.linear.bias.copy_(torch.from_numpy(manifold.offset))
    if decoder.quadratic is not None:
        scaled = manifold.quadratic.reshape(-1, known, known) * (spread[:, None] * spread).numpy()
        products = np.zeros((len(scaled), d, d))
        products[:, :known, :known] = scaled
        decoder.quadratic.weight.copy_(torch.from_numpy(packed(products.reshape(len(scaled), -1), d)))
    scale_correction(encoder.correction, samples, 1.0)
    scale_correction(decoder.correction, samples @ encode.T, 1.0)
    if isinstance(encoder.correction, MLP):
        use_common_input_scale(encoder.correction, samples)


def use_common_input_scale(network: MLP, samples: Tensor) -> None:
    """Let a network see all POD coordinates of samples (N, r) in one unit.

    Each in its own unit, as states of known dynamics are seen, would make the small ones as large as the others; of measured
    samples these are mostly noise.
    """
    network.normalise_to(samples, floor=1.0)
