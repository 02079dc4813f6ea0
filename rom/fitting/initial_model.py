"""Choices made with closed-form models on held-out data: the ridge, the latent dimension, the Runge-Kutta step."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from rom.config import FitConfig, LossWeights
from rom.dynamics.runge_kutta import rk4_rollout
from rom.fitting.arguments import clip_to_rank
from rom.fitting.prepare import Prepared
from rom.models.build import closed_form_networks
from rom.networks.encoder_decoder import Networks
from rom.networks.jvp import push_forward
from rom.reduction.closed_form import ClosedForm, closed_form_models, pad_latent_dim
from rom.training.validation import into_segments, validate
from rom.utils.errors import RomValueError
from rom.utils.time_budget import TimeBudget

__all__ = ["Selection", "choose", "require_affordable", "select_closed_form", "select_latent_dim"]

log = logging.getLogger("rom")

CANDIDATE_DIMENSIONS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32)
GOOD_ENOUGH = 1e-3  # share of the variance below which more latent states are not worth their price
CLOSE_TO_BEST = 1.2  # a smaller model within this factor of the best one is preferred
HOPELESS = 1.0  # share of the variance from which a closed form is no better than a constant
USELESS = 0.1  # share of the variance above which no closed form forecasts well enough to judge dimensions by
RESOLVED = 1e-2  # share of the variance that the decoder may then lose
STABLE = 2.5  # the classical Runge-Kutta method: |dt lambda| up to 2.78 on the negative axis, 2.82 on the imaginary one
STEP_TOLERANCE = 1e-4  # error of one interval by Runge-Kutta, in shares of the spread of z
MAX_SUBSTEPS = 32
MAX_STRIDE = 64
MOST_STEPS = 1000  # of an interval, in a forecast by a fit that failed: its dynamics may be as fast as they like
FEWEST_INTERVALS = 2  # of a window, at the longest stride
DEFAULT_INTERVAL = 0.1  # in units of the natural time, where no trajectory gives an interval
SAMPLE = 512
FEW = 32  # states at which eigenvalues are looked at
FEATURE_ROWS = 8192  # of large sets, whose features are formed some at a time
MOST_OVER_COMPLETE = 128  # latent states, where they are more than the data span
MOST_EXTENDED = 32  # POD coordinates that an over-complete latent space begins with
MANY = 4096  # at most, at which a decoder is judged


@dataclass(frozen=True)
class Selection:
    """A closed-form model, its errors in shares of the variance, and the Runge-Kutta step that its dynamics allow.

    `error` is that of validation, `reconstruction` that of encoding and decoding alone. `max_step` is the longest step: one
    of so many `substeps` of an interval between snapshots, or else `stride` whole intervals.
    """

    closed_form: ClosedForm
    error: float
    reconstruction: float
    substeps: int
    stride: int
    max_step: float


def choose(
    prepared: Prepared, config: FitConfig, dimension: int | None, weights: LossWeights, seed: int, clock: TimeBudget
) -> tuple[Selection, dict[int, float]]:
    """The closed-form model to start from, and the curve of its error against the dimensions that were tried."""
    if dimension is None:
        return select_latent_dim(prepared, config, seed, clock)
    rank = prepared.projection.rank
    d = clip_to_rank(dimension, rank, weights)
    require_affordable(d, rank)
    known = d if d <= rank else min(rank, MOST_EXTENDED)
    selection = select_closed_form(prepared, config, known, seed, clock)
    if d > known:
        mixtures = np.random.default_rng([seed, 8]).standard_normal((d - known, known))
        selection = replace(selection, closed_form=pad_latent_dim(selection.closed_form, mixtures))
    return selection, {d: selection.error}


def require_affordable(dimension: int | None, span: int) -> None:
    """Refuse many more latent states than data span: what is quadratic in the latent dynamics grows with their cube."""
    if dimension is not None and span < dimension > MOST_OVER_COMPLETE:
        raise RomValueError(
            f"latent_dim is {dimension}, of data that span {span} dimensions; with dynamics, whose quadratic terms grow with its "
            f"cube, take at most {MOST_OVER_COMPLETE}, or rom.fit_autoencoder alone"
        )


def select_latent_dim(
    prepared: Prepared, config: FitConfig, seed: int, clock: TimeBudget
) -> tuple[Selection, dict[int, float]]:
    """The smallest model that is good enough or close to the best, and the curve of error against dimension.

    Where no closed form can forecast, errors of forecasts say nothing of how many latent states the data need: there the
    smallest dimension whose manifold holds the states is taken, and training is left to find the dynamics. Once half of
    the time is over, no further dimension is tried.
    """
    selections: dict[int, Selection] = {}
    for d in CANDIDATE_DIMENSIONS:
        if d > prepared.projection.rank:
            break
        if selections and clock.selection_is_over:
            log.warning("half of max_seconds is over: latent dimensions above %d were not tried", max(selections))
            break
        selections[d] = select_closed_form(prepared, config, d, seed, clock)
    curve = {d: selection.error for d, selection in selections.items()}
    judged, good = curve, GOOD_ENOUGH
    if min(curve.values()) > USELESS:
        log.warning(
            "no closed-form model forecasts the held-out data; the latent dimension follows from reconstruction"
        )
        judged, good = {d: selection.reconstruction for d, selection in selections.items()}, RESOLVED
    bound = max(good, CLOSE_TO_BEST * min(judged.values()))
    chosen = next(d for d in judged if judged[d] <= bound)
    log.info("latent dimension %d of %s", chosen, {d: f"{error:.1e}" for d, error in curve.items()})
    return selections[chosen], curve


def select_closed_form(
    prepared: Prepared, config: FitConfig, latent_dim: int, seed: int, clock: TimeBudget
) -> Selection:
    """The closed-form model with `latent_dim` latent states whose ridge gives the lowest validation error.

    Where quadratic dynamics forecast worse than a constant, since they blow up, linear ones compete.
    """
    linear, quadratic = ("linear" in config.latent_terms, "quadratic" in config.latent_terms)
    best = best_ridge(prepared, config, latent_dim, seed, clock, linear=linear, quadratic=quadratic)
    if linear and quadratic and best.error >= HOPELESS:
        other = best_ridge(prepared, config, latent_dim, seed, clock, linear=True, quadratic=False)
        best = min(best, other, key=lambda selection: selection.error)
    return best


def best_ridge(
    prepared: Prepared,
    config: FitConfig,
    latent_dim: int,
    seed: int,
    clock: TimeBudget,
    *,
    linear: bool,
    quadratic: bool,
) -> Selection:
    """The best of one family of dynamics.

    The strongest ridge comes first, and is kept where none forecasts. Once half of the time is over, others are tried for
    a second at most.
    """
    states, derivatives, parameters = prepared.rates()
    models = closed_form_models(
        prepared.states().numpy(),
        (states.numpy(), derivatives.numpy(), parameters.numpy()),
        latent_dim,
        linear=linear,
        quadratic=quadratic,
        quadratic_decoder=config.quadratic_decoder,
        rows=FEATURE_ROWS if prepared.large else None,
    )
    best: Selection | None = None
    double = replace(config, dtype="float64")
    first_done = math.inf
    for model in reversed(models):
        if clock.ridge_search_is_over(first_done):
            break
        networks = closed_form_networks(double, model)
        substeps, stride, max_step = runge_kutta_step(networks, prepared, seed)
        error = validate(networks, into_segments(prepared.held_out), prepared.spreads, substeps).error
        if best is None or error < best.error:
            if error > USELESS and stride > 1:  # a poor model of the dynamics does not know how long steps may be
                stride, max_step = 1, max_step / stride
            best = Selection(model, error, reconstruction_error(networks, prepared), substeps, stride, max_step)
        first_done = min(first_done, clock.elapsed)  # the first one pays for imports
    assert best is not None
    return best


@torch.no_grad()
def reconstruction_error(networks: Networks, prepared: Prepared) -> float:
    """Mean square of psi(phi(w)) - w over training states, in shares of their variance."""
    states = prepared.states()
    some = np.random.default_rng(0).permutation(len(states))[:MANY]  # of all trajectories: a stride may miss some
    states = states[torch.from_numpy(some)]
    return float((networks.decoder(networks.encoder(states)) - states).square().mean()) / prepared.spreads.coordinates


@torch.no_grad()
def runge_kutta_step(
    networks: Networks, prepared: Prepared, seed: int, most_steps: float = math.inf
) -> tuple[int, int, float]:
    """Steps per interval, or intervals per step, after which halving the step changes little; and that step.

    It is stable as well: what hardly moves along the training states, and would be fast, must not blow up in a forecast.
    Only `most_steps` of an interval come first.
    """
    states, parameters = sample(prepared, seed)
    latent = networks.encoder(states)
    longest_stable = STABLE / max(fastest_rate(networks, latent[:FEW], parameters), 1e-30)
    spread = latent.std(dim=0).norm().clamp(min=1e-30)
    intervals = [float(group.intervals.max()) for group in prepared.training]
    interval = max(intervals) if intervals else DEFAULT_INTERVAL
    longest = min((len(group.intervals) for group in prepared.training), default=1) // FEWEST_INTERVALS
    if any(group.forcing is not None for group in prepared.training):
        longest = 1  # what drives them may change with every snapshot

    def after(duration: float, steps: int) -> Tensor:
        rates = networks.latent_dynamics.merged(parameters)
        return rk4_rollout(rates, latent, torch.tensor([duration], dtype=latent.dtype), steps)[-1]

    def accurate(duration: float, steps: int) -> bool:
        if duration / steps > longest_stable:
            return False
        change = (after(duration, 2 * steps) - after(duration, steps)).norm(dim=1) / spread
        # A high quantile: the closed-form model may be wild at a few states where it is of no use anyway.
        return float(torch.nan_to_num(change, nan=torch.inf).quantile(0.98)) <= STEP_TOLERANCE

    substeps, stride = 1, 1
    while substeps < MAX_SUBSTEPS and not accurate(interval, substeps):
        substeps *= 2
    while substeps == 1 and 2 * stride <= min(MAX_STRIDE, longest) and accurate(2 * stride * interval, 1):
        stride *= 2
    return substeps, stride, min(interval * stride / substeps, max(longest_stable, interval / most_steps))


def fastest_rate(networks: Networks, latent: Tensor, parameters: Tensor | None) -> float:
    """The largest modulus of an eigenvalue of dh/dz at latent states (N, d): the root mean square over the states."""
    rates = networks.latent_dynamics.merged(None if parameters is None else parameters[: len(latent)])
    directions = torch.eye(latent.shape[1], dtype=latent.dtype)
    columns = [push_forward(rates, latent, direction.expand_as(latent))[1] for direction in directions]
    jacobians = torch.nan_to_num(torch.stack(columns, dim=-1))  # (N, d, d)
    return float(torch.linalg.eigvals(jacobians).abs().amax(dim=1).square().mean().sqrt())


def sample(prepared: Prepared, seed: int) -> tuple[Tensor, Tensor | None]:
    """Some training states (N, r) with their parameters (N, p)."""
    states, parameters = prepared.with_parameters()
    chosen = np.random.default_rng([seed, 3]).permutation(len(states))[:SAMPLE]
    return states[chosen], None if parameters is None else parameters[chosen]
