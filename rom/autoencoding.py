"""rom.fit_autoencoder: an encoder and a decoder alone, from data to a model that knows how well it reconstructs."""

from __future__ import annotations

import logging
import math
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from rom.architecture import EncoderDecoder, add_posterior, build_encoder_decoder
from rom.arguments import checked_device
from rom.autoencoder import Autoencoder, AutoencoderState
from rom.clock import Clock
from rom.config import FitConfig, LossWeights
from rom.errors import RomTypeError, RomValueError
from rom.field_correction import attach
from rom.layout import Layout
from rom.losses import mean_square
from rom.own_modules import own_modules
from rom.pod import projection_of
from rom.projection import Projection
from rom.quadratic import packed
from rom.regularisation import regularisation
from rom.samples import Samples, as_samples
from rom.settings import require_integer, require_number
from rom.training import Plan, train
from rom.training_record import Progress, Training
from rom.validation import Validation
from rom.warm_start import RIDGES, quadratic_manifold

__all__ = ["fit_autoencoder"]

log = logging.getLogger("rom")

FINISH_SECONDS = 0.5  # kept back from `max_seconds` for what follows the training
LARGE_CORRECTION = 0.25  # of the spread of the states: from here on training takes the whole learning rate


def fit_autoencoder(
    data: Any,
    latent_dim: int,
    *,
    sample_dims: Sequence[str] | None = None,
    weights: LossWeights = LossWeights(),  # noqa: B008 - frozen
    config: FitConfig = FitConfig(),  # noqa: B008 - frozen
    modules: tuple[nn.Module, nn.Module] | None = None,
    seed: int = 0,
    device: str | torch.device = "auto",
    max_seconds: float | None = None,
    checkpoint: str | os.PathLike | None = None,
    callbacks: Sequence[Callable[[Progress], Any]] = (),
    verbose: bool | None = None,
) -> Autoencoder:
    """Fit an encoder z = phi(x) and a decoder x = psi(z) to data, without dynamics.

    data: samples (N, *shape), NumPy or torch, or a DataArray whose `sample_dims` tell samples apart; by default those of
        `sample`, `trajectory`, `time` and `point` that it has, or else its first. They are taken into memory.
    latent_dim: d. More than a sample has components (an over-complete autoencoder) only with a weight for `sparse` or
        `sparse_kl`.
    weights: `reconstruction`, and the regularisers; those of rollouts and physics play no role.
    config: the networks and the training, as for `rom.fit`; `collocation_batch` samples make a batch. With hidden=() and
        quadratic_decoder=False this is principal component analysis, in closed form.
    modules, seed, device, max_seconds, checkpoint, callbacks, verbose: as for `rom.fit`.

    A tenth of the samples validates, and another tenth calibrates `anomaly_score`: whole trajectories where there are enough
    of them. Training starts from POD and a quadratic manifold, in closed form; what is kept is the state with the least weighted
    sum of losses on the samples that validate.

    Raises `RomValueError` or `RomTypeError` for arguments and data that cannot be used.
    """
    clock = Clock(max_seconds)
    path = checked(latent_dim, weights, config, seed, max_seconds, checkpoint, callbacks)
    target = checked_device(device)
    samples = as_samples(data, sample_dims, seed)
    require_sparse(latent_dim, samples.layout.n_states, weights)

    projection = projection_of(samples.layout, samples.training, config, latent_dim)
    d = dimension(latent_dim, projection.rank, weights)
    training, validating = (projection.project(torch.from_numpy(x)) for x in (samples.training, samples.validating))
    start = closed_form(training, validating, d, config)
    networks = EncoderDecoder(
        *build_encoder_decoder(
            config, projection.rank, d, generator_of(seed), samples.layout, own_modules(modules, samples.layout, d)
        )
    ).to(getattr(torch, config.dtype))
    attach(networks, projection.basis)
    start_from(networks, start, training, seed)
    if weights.variational > 0.0:
        add_posterior(networks, config, training, seed)
    networks.to(target)

    kind = {"device": target, "dtype": getattr(torch, config.dtype)}
    objective = AutoencoderObjective(training.to(**kind), validating.to(**kind), weights, config, seed)
    linear = modules is None and config.network is None and not config.hidden and not config.quadratic_decoder
    plan = Plan(
        objective,
        weights,
        config,
        proportion=min(1.0, start.correction / LARGE_CORRECTION),
        seed=seed,
        checkpoint=path,
        fingerprint="" if path is None else fingerprint(training, weights, config, d, seed),
        callbacks=tuple(callbacks),
        verbose=sys.stderr.isatty() if verbose is None else verbose,
    )
    done = train(networks, replace(plan, seconds=training_seconds(clock, linear and not weights.regularised)))
    return assemble(samples, projection, networks, start, done, objective, plan, clock)
