"""The choice of the ridge of a closed-form model by its error on held-out data.

References
----------
S. A. McQuarrie, C. Huang, K. Willcox, "Data-driven reduced-order models via regularised operator inference for a
single-injector combustion process", J. R. Soc. N. Z. 51 (2021) 194-211.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch

from rom.fitting.prepare import Prepared
from rom.fitting.step_size import StepSize, choose_step_size
from rom.models.closed_form import closed_form_networks
from rom.networks.encoder_decoder import Networks
from rom.reduction.closed_form import ClosedForm, closed_form_models
from rom.reduction.polynomial_regression import RIDGES
from rom.training.run import FitRun
from rom.training.validation import into_segments, validate

__all__ = ["UNRELIABLE_ERROR", "ClosedFormCandidate", "select_closed_form"]

# Errors are in shares of the variance of the states.
ERROR_OF_A_CONSTANT = 1.0
UNRELIABLE_ERROR = 0.1  # above it, a closed form says little about the dynamics

ROWS_OF_LARGE_DATA = 8192  # states whose products are held in memory at a time
RECONSTRUCTION_SAMPLE = 4096  # states at which the reconstruction error is measured


@dataclass(frozen=True)
class ClosedFormCandidate:
    """A closed-form model with its errors on the data.

    Attributes
    ----------
    closed_form : ClosedForm
    error : float
        Validation error, in shares of the variance of the states.
    reconstruction_error : float
        Mean square error of encoding and decoding training states, in the same unit.
    step : StepSize
        Runge-Kutta step that its dynamics allow.
    """

    closed_form: ClosedForm
    error: float
    reconstruction_error: float
    step: StepSize


def select_closed_form(prepared: Prepared, latent_dim: int, run: FitRun) -> ClosedFormCandidate:
    """Return the closed-form model with the lowest validation error.

    The latent dimension is given. If quadratic dynamics forecast worse than a constant, as they do when they blow up,
    linear ones are tried as well.

    Parameters
    ----------
    prepared : Prepared
        Training and held-out data.
    latent_dim : int
        Latent dimension, at most the POD rank.
    run : FitRun
        Settings; `run.config.latent_terms` says which terms the dynamics have.
    """
    linear, quadratic = (term in run.config.latent_terms for term in ("linear", "quadratic"))
    best = search_ridge(prepared, latent_dim, run, linear=linear, quadratic=quadratic)
    if linear and quadratic and best.error >= ERROR_OF_A_CONSTANT:
        other = search_ridge(prepared, latent_dim, run, linear=True, quadratic=False)
        best = min(best, other, key=lambda candidate: candidate.error)
    return best


def search_ridge(
    prepared: Prepared, latent_dim: int, run: FitRun, *, linear: bool, quadratic: bool
) -> ClosedFormCandidate:
    """Return the best of one family of dynamics.

    The strongest ridge is tried first, and is kept if none forecasts. The time budget can end the search.
    """
    states, derivatives, parameters = prepared.rates()
    models = closed_form_models(
        prepared.states().numpy(),
        (states.numpy(), derivatives.numpy(), parameters.numpy()),
        latent_dim,
        linear=linear,
        quadratic=quadratic,
        quadratic_decoder=run.config.quadratic_decoder,
        ridges=sorted(RIDGES, reverse=True),
        rows=ROWS_OF_LARGE_DATA if prepared.large else None,
    )
    best: ClosedFormCandidate | None = None
    first_done = math.inf
    for model in models:
        if run.budget.ridge_search_is_over(first_done):
            break
        candidate = validated(model, prepared, run)
        if best is None or candidate.error < best.error:
            best = candidate
        first_done = min(first_done, run.budget.elapsed)
    assert best is not None
    return best


def validated(model: ClosedForm, prepared: Prepared, run: FitRun) -> ClosedFormCandidate:
    """Measure the errors of a closed-form model."""
    networks = closed_form_networks(replace(run.config, dtype="float64"), model)
    step = choose_step_size(networks, prepared, run.seed)
    error = validate(networks, into_segments(prepared.held_out), prepared.loss_scales, step.substeps).error
    if error > UNRELIABLE_ERROR and step.stride > 1:  # then the dynamics do not tell how long steps may be either
        step = StepSize(step.substeps, 1, step.max_step / step.stride)
    return ClosedFormCandidate(model, error, reconstruction_error(networks, prepared), step)


@torch.no_grad()
def reconstruction_error(networks: Networks, prepared: Prepared) -> float:
    """Return the mean square of psi(phi(w)) - w over training states.

    It is in shares of their variance.
    """
    states = prepared.states()
    # A random sample: states at equal distances could miss some trajectories.
    chosen = np.random.default_rng(0).permutation(len(states))[:RECONSTRUCTION_SAMPLE]
    states = states[torch.from_numpy(chosen)]
    return (
        float((networks.decoder(networks.encoder(states)) - states).square().mean()) / prepared.loss_scales.coordinates
    )
