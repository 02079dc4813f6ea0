"""Choices made with closed-form models on held-out data: the ridge, the latent dimension, the Runge-Kutta step."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from rom.architecture import Networks, closed_form_networks
from rom.clock import Clock
from rom.config import FitConfig
from rom.integrators import rk4_rollout
from rom.preparation import Prepared
from rom.validation import validation_error
from rom.warm_start import ClosedForm, closed_form_models

__all__ = ["Selection", "select_closed_form", "select_latent_dim"]

log = logging.getLogger("rom")

CANDIDATE_DIMENSIONS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32)
GOOD_ENOUGH = 1e-3  # share of the variance below which more latent states are not worth their price
CLOSE_TO_BEST = 1.2  # a smaller model within this factor of the best one is preferred
STEP_TOLERANCE = 1e-4  # error of one interval by Runge-Kutta, in shares of the spread of z
MAX_SUBSTEPS = 32
DEFAULT_INTERVAL = 0.1  # in units of the natural time, where no trajectory gives an interval
SAMPLE = 512


@dataclass(frozen=True)
class Selection:
    """A closed-form model, its validation error in shares of the variance, Runge-Kutta steps per interval, and the longest."""

    closed_form: ClosedForm
    error: float
    substeps: int
    max_step: float


def select_latent_dim(
    prepared: Prepared, config: FitConfig, seed: int, clock: Clock
) -> tuple[Selection, dict[int, float]]:
    """The smallest model that is good enough or close to the best, and the curve of error against dimension.

    Once half of the time is over, no further dimension is tried.
    """
    selections: dict[int, Selection] = {}
    for d in CANDIDATE_DIMENSIONS:
        out_of_time = clock.remaining is not None and clock.elapsed > clock.remaining
        if d > prepared.projection.rank or (selections and out_of_time):
            break
        selections[d] = select_closed_form(prepared, config, d, seed)
    curve = {d: selection.error for d, selection in selections.items()}
    bound = max(GOOD_ENOUGH, CLOSE_TO_BEST * min(curve.values()))
    chosen = next(d for d in curve if curve[d] <= bound)
    log.info("latent dimension %d of %s", chosen, {d: f"{error:.1e}" for d, error in curve.items()})
    return selections[chosen], curve


def select_closed_form(prepared: Prepared, config: FitConfig, latent_dim: int, seed: int) -> Selection:
    """The closed-form model with `latent_dim` latent states whose ridge gives the lowest validation error."""
    states, derivatives, parameters = prepared.rates()
    models = closed_form_models(
        prepared.states().numpy(),
        (states.numpy(), derivatives.numpy(), parameters.numpy()),
        latent_dim,
        linear="linear" in config.latent_terms,
        quadratic="quadratic" in config.latent_terms,
        quadratic_decoder=config.quadratic_decoder,
    )
    best: Selection | None = None
    double = replace(config, dtype="float64")
    for model in models:
        networks = closed_form_networks(double, model)
        substeps, max_step = runge_kutta_step(networks, prepared, seed)
        error = validation_error(networks, prepared.held_out, prepared.spreads, substeps)
        if best is None or error < best.error:
            best = Selection(model, error, substeps, max_step)
    assert best is not None
    return best


@torch.no_grad()
def runge_kutta_step(networks: Networks, prepared: Prepared, seed: int) -> tuple[int, float]:
    """Steps per interval after which halving them changes little, and the length of the longest of these steps."""
    states, parameters = sample(prepared, seed)
    latent = networks.encoder(states)
    spread = latent.std(dim=0).norm().clamp(min=1e-30)
    intervals = [float(group.intervals.max()) for group in prepared.training]
    interval = max(intervals) if intervals else DEFAULT_INTERVAL

    def after_interval(substeps: int) -> Tensor:
        def rhs(z: Tensor) -> Tensor:
            return networks.latent_dynamics(z, parameters)

        return rk4_rollout(rhs, latent, torch.tensor([interval], dtype=latent.dtype), substeps)[-1]

    substeps, coarse = 1, after_interval(1)
    while substeps < MAX_SUBSTEPS:
        fine = after_interval(2 * substeps)
        change = (fine - coarse).norm(dim=1) / spread
        # A high quantile: the closed-form model may be wild at a few states where it is of no use anyway.
        if float(torch.nan_to_num(change, nan=torch.inf).quantile(0.98)) <= STEP_TOLERANCE:
            break
        substeps, coarse = 2 * substeps, fine
    return substeps, interval / substeps


def sample(prepared: Prepared, seed: int) -> tuple[Tensor, Tensor | None]:
    """Some training states (N, r) with their parameters (N, p)."""
    states, parameters = prepared.with_parameters()
    chosen = np.random.default_rng([seed, 3]).permutation(len(states))[:SAMPLE]
    return states[chosen], None if parameters is None else parameters[chosen]
