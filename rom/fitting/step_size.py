"""The Runge-Kutta step of the latent dynamics."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rom.dynamics.runge_kutta import no_forcing, rk4_rollout
from rom.fitting.prepare import Prepared
from rom.networks.encoder_decoder import Networks
from rom.networks.jvp import push_forward
from rom.training.batches import Rollouts
from rom.utils.random import FitStream, random_stream

__all__ = ["MAX_STEPS_OF_FAILED_FIT", "StepSize", "choose_step_size"]

# Largest |dt lambda| accepted. The classical Runge-Kutta method is stable up to 2.78 on the negative real axis and up
# to 2.82 on the imaginary axis (Hairer & Wanner 1996, Solving Ordinary Differential Equations II, sec. IV.2).
STABILITY_LIMIT = 2.5

# Largest accepted change of z when the step is halved, in shares of the spread of z, and the quantile of training
# states at which it is read. The closed-form model may be far off at a few states, where it is of no use anyway.
STEP_TOLERANCE = 1e-4
STEP_QUANTILE = 0.98

MAX_SUBSTEPS = 32  # of an interval between snapshots
MAX_STRIDE = 64  # intervals between snapshots in one step
MIN_INTERVALS_PER_WINDOW = 2  # of the longest stride, in the shortest trajectory

# Steps per interval in the forecasts of a fit that failed, whose dynamics can be arbitrarily fast.
MAX_STEPS_OF_FAILED_FIT = 1000

DEFAULT_INTERVAL = 0.1  # in natural times, where there are no trajectories
STEP_SAMPLE = 512  # states at which the accuracy is measured
EIGENVALUE_SAMPLE = 32  # states at which eigenvalues are computed
TINY = 1e-30  # keeps divisors positive


@dataclass(frozen=True)
class StepSize:
    """Runge-Kutta steps relative to the intervals between snapshots.

    At most one of `substeps` and `stride` exceeds 1.

    Attributes
    ----------
    substeps : int
        Steps per interval.
    stride : int
        Intervals per step.
    max_step : float
        Longest step, in scaled time.
    """

    substeps: int
    stride: int
    max_step: float


@torch.no_grad()
def choose_step_size(
    networks: Networks, prepared: Prepared, seed: int, max_steps_per_interval: float = math.inf
) -> StepSize:
    """Return the longest step that is accurate and stable at training states.

    Steps are tried by factors of two. A step is accurate if halving it changes little after one interval. Stability is
    required as well, because fast modes that have died out in the training states do not show in the accuracy, but
    would blow up in a forecast.

    Parameters
    ----------
    networks : Networks
        With parameters in float64, on the CPU.
    prepared : Prepared
        Training states, parameters and intervals.
    seed : int
        Seed of the sample of states.
    max_steps_per_interval : float
        Bound on the number of steps that stability can ask for.

    Returns
    -------
    StepSize
    """
    states, parameters = sample_states(prepared, seed)
    latent = networks.encoder(states)
    h = networks.latent_dynamics.as_function(parameters)
    stable = STABILITY_LIMIT / max(fastest_rate(networks, latent[:EIGENVALUE_SAMPLE], parameters), TINY)
    interval, max_stride = longest_interval(prepared.training), longest_stride(prepared.training)

    def acceptable(duration: float, steps: int) -> bool:
        return duration / steps <= stable and step_error(h, latent, duration, steps) <= STEP_TOLERANCE

    substeps, stride = 1, 1
    while substeps < MAX_SUBSTEPS and not acceptable(interval, substeps):
        substeps *= 2
    while substeps == 1 and 2 * stride <= max_stride and acceptable(2 * stride * interval, 1):
        stride *= 2
    max_step = min(interval * stride / substeps, max(stable, interval / max_steps_per_interval))
    return StepSize(substeps, stride, max_step)


def longest_interval(training: Sequence[Rollouts]) -> float:
    """Return the longest interval between snapshots, in scaled time."""
    return max((float(group.intervals.max()) for group in training), default=DEFAULT_INTERVAL)


def longest_stride(training: Sequence[Rollouts]) -> int:
    """Return the largest number of intervals that one step may cover.

    It is 1 with inputs, because these can change at each snapshot.
    """
    if any(group.is_driven for group in training):
        return 1
    shortest = min((len(group.intervals) for group in training), default=1)
    return min(MAX_STRIDE, shortest // MIN_INTERVALS_PER_WINDOW)


def step_error(h: Callable[..., Tensor], latent: Tensor, duration: float, steps: int) -> float:
    """Return the change of z when the number of steps is doubled.

    It is a high quantile over latent states.

    Parameters
    ----------
    h : callable
        Latent dynamics, ``(N, d)`` to ``(N, d)``.
    latent : torch.Tensor
        Latent states to start from, ``(N, d)``.
    duration : float
        In scaled time.
    steps : int
        Number of Runge-Kutta steps.

    Returns
    -------
    float
        In shares of the spread of `latent`; infinity if the rollouts are not finite.
    """
    interval = torch.tensor([duration], dtype=latent.dtype)
    fine, coarse = (rk4_rollout(h, latent, interval, no_forcing(interval), n)[-1] for n in (2 * steps, steps))
    spread = latent.std(dim=0).norm().clamp(min=TINY)
    change = (fine - coarse).norm(dim=1) / spread
    return float(torch.nan_to_num(change, nan=torch.inf).quantile(STEP_QUANTILE))


def fastest_rate(networks: Networks, latent: Tensor, parameters: Tensor) -> float:
    """Return the largest |lambda| of dh/dz, as a root mean square over states.

    The latent states have the shape ``(N, d)``.
    """
    h = networks.latent_dynamics.as_function(parameters[: len(latent)])
    directions = torch.eye(latent.shape[1], dtype=latent.dtype)
    columns = [push_forward(h, latent, direction.expand_as(latent))[1] for direction in directions]
    jacobians = torch.nan_to_num(torch.stack(columns, dim=-1))  # (N, d, d)
    return float(torch.linalg.eigvals(jacobians).abs().amax(dim=1).square().mean().sqrt())


def sample_states(prepared: Prepared, seed: int) -> tuple[Tensor, Tensor]:
    """Return random training states with their parameters and forcing.

    The shapes are ``(N, r)`` and ``(N, p + q)``.
    """
    states, parameters = prepared.states_and_parameters()
    chosen = random_stream(seed, FitStream.STEP_SIZE_STATES).permutation(len(states))[:STEP_SAMPLE]
    return states[chosen], parameters[chosen]
