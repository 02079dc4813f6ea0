"""Where the training of an autoencoder starts, in closed form."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from rom.config import FitConfig
from rom.networks.encoder_decoder import EncoderDecoder
from rom.networks.mlp import MLP
from rom.networks.quadratic import n_products
from rom.reduction.closed_form import ClosedForm, pad_latent_dim, scale_latent
from rom.reduction.polynomial_regression import RIDGES
from rom.reduction.quadratic_manifold import fit_quadratic_manifold
from rom.training.autoencoder_objective import variance_of
from rom.utils.random import AutoencoderStream, random_stream, torch_generator

__all__ = [
    "AutoencoderStart",
    "choose_autoencoder_start",
    "drop_costly_quadratic_path",
    "set_correction_gain",
    "use_common_input_scale",
]

log = logging.getLogger("rom")

# Products of latent coordinates up to which a quadratic decoder is fitted: those of 64, whose regression takes seconds.
MAX_PRODUCTS = 2112

# Samples of that regression: at least so many, and so many for each product. Further ones are left out.
MIN_REGRESSION_SAMPLES = 16384
SAMPLES_PER_PRODUCT = 8

# Samples whose products are held in memory at a time.
ROWS = 4096

# Smallest spread of a POD coordinate by which a latent coordinate is divided.
MIN_SPREAD = 1e-30


@dataclass(frozen=True)
class AutoencoderStart:
    """A closed-form autoencoder and its validation error.

    Attributes
    ----------
    closed_form : ClosedForm
        Its latent coordinates have unit spread over the training samples.
    error : float
        Mean square error on the validating samples, in shares of the variance of the training samples.
    """

    closed_form: ClosedForm
    error: float


def drop_costly_quadratic_path(config: FitConfig, latent_dim: int) -> FitConfig:
    """Return `config` without a quadratic decoder that is costly to fit.

    It is dropped if it would take longer than everything else.
    """
    if not config.quadratic_decoder or n_products(latent_dim) <= MAX_PRODUCTS:
        return config
    log.info(
        "no quadratic path in the decoder: %d latent coordinates have %d products", latent_dim, n_products(latent_dim)
    )
    return replace(config, quadratic_decoder=False)


def choose_autoencoder_start(
    training: Tensor, validating: Tensor, latent_dim: int, config: FitConfig, seed: int
) -> AutoencoderStart:
    """Return the closed-form autoencoder with the lowest validation error.

    It is POD with a quadratic manifold, or POD alone. The ridge is chosen.

    Parameters
    ----------
    training, validating : torch.Tensor
        POD coordinates of samples, ``(N, r)``.
    latent_dim : int
        Latent dimension d. If it is larger than r, the latent coordinates beyond r are random linear combinations of
        the others, which the decoder does not use yet.
    config : FitConfig
        Says whether the decoder is quadratic.
    seed : int
        Seed of the samples for the regression and of the linear combinations.
    """
    rank = training.shape[1]
    d = min(latent_dim, rank)
    samples = regression_samples(training.numpy(), d, config, seed)
    manifold_at = fit_quadratic_manifold(samples, d, config.quadratic_decoder, ROWS)
    ridges = RIDGES if config.quadratic_decoder else RIDGES[:1]  # a constant needs no ridge
    candidates = [ClosedForm(np.eye(d, rank), manifold_at(ridge), None, ridge) for ridge in ridges]
    variance, w = variance_of(training), validating.numpy()
    errors = [float(((model.manifold.decode(w[:, :d]) - w) ** 2).mean()) / variance for model in candidates]
    best = min(range(len(errors)), key=errors.__getitem__)
    spread = training[:, :d].std(dim=0).clamp(min=MIN_SPREAD).numpy()
    closed_form = scale_latent(candidates[best], spread)
    if latent_dim > d:
        mixtures = torch.randn(latent_dim - d, d, generator=torch_generator(seed), dtype=training.dtype)
        closed_form = pad_latent_dim(closed_form, mixtures.numpy())
    return AutoencoderStart(closed_form, errors[best])


def regression_samples(samples: np.ndarray, latent_dim: int, config: FitConfig, seed: int) -> np.ndarray:
    """Return as many random samples as a quadratic manifold needs.

    The samples have the shape ``(N, r)``.
    """
    enough = max(MIN_REGRESSION_SAMPLES, SAMPLES_PER_PRODUCT * n_products(latent_dim))
    if not config.quadratic_decoder or len(samples) <= enough:  # POD alone costs nothing, and is exact with all samples
        return samples
    return samples[random_stream(seed, AutoencoderStream.MANIFOLD_SAMPLES).permutation(len(samples))[:enough]]


def set_correction_gain(networks: EncoderDecoder, gain: float) -> None:
    """Set the expected size of corrections that are still zero."""
    for part in (networks.encoder, networks.decoder):
        if part.correction is not None:
            part.correction.gain.fill_(gain)


def use_common_input_scale(networks: EncoderDecoder, samples: Tensor) -> None:
    """Divide all inputs of the encoder's perceptrons by the same number.

    With a divisor of its own for each coordinate, as for states of known dynamics, the small coordinates would look as
    large as the others. In measured samples these are mostly noise.

    Parameters
    ----------
    networks : EncoderDecoder
        Changed in place.
    samples : torch.Tensor
        POD coordinates of training samples, ``(N, r)``.
    """
    for network in (networks.encoder.correction, networks.posterior):
        if isinstance(network, MLP):
            network.normalise_to(samples, floor=1.0)
