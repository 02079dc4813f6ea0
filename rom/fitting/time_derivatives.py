"""Time derivatives estimated from snapshots, where f is not evaluated."""

from __future__ import annotations

import functools
import logging
from collections.abc import Sequence

import numpy as np
import torch
from scipy.interpolate import make_interp_spline
from torch import Tensor

from rom.training.batches import CollocationTable, Rollouts

__all__ = [
    "MIN_SNAPSHOTS",
    "derivatives_along",
    "difference_quotients",
    "smooth_states",
    "spline_derivatives",
    "trusted_derivatives",
]

log = logging.getLogger("rom")

# Derivatives of splines of two degrees are trusted where they differ by at most this share of their root mean square.
SPLINE_DEGREES = (5, 3)
AGREEMENT = 1e-2

MIN_SNAPSHOTS = max(SPLINE_DEGREES) + 1  # of a trajectory, for both splines

# Share of the states of a trajectory that must be trusted. Among noisy states, some agree by chance.
MIN_TRUSTED_SHARE = 0.5

# Splines are not used if speeds along trajectories and at collocation points nearby differ by more than this factor.
# The speeds are compared at so many states and points.
MAX_SPEED_RATIO = 10.0
COMPARED_STATES = 256
COMPARED_POINTS = 4096


def smooth_states(
    training: Sequence[Rollouts], collocation: CollocationTable, rng: np.random.Generator
) -> CollocationTable | None:
    """Return states of trajectories with trusted derivatives of splines.

    Trajectories that are much slower or faster than collocation points nearby are left out. If snapshots are nearly a
    period of an oscillation apart, they lie on a smooth curve that is not the trajectory.

    Parameters
    ----------
    training : sequence of Rollouts
        Trajectories. Those with inputs are left out, because splines cannot follow inputs with jumps or kinks.
    collocation : CollocationTable
        Collocation points to compare with.
    rng : numpy.random.Generator
        Chooses at most as many states as there are collocation points.

    Returns
    -------
    CollocationTable or None
        None if no spline can be trusted.
    """
    parts = []
    for group in training:
        if len(group.intervals) + 1 < MIN_SNAPSHOTS or group.is_driven:
            continue
        derivatives, trusted = map(torch.from_numpy, trusted_derivatives(times_of(group), group.coordinates.numpy()))
        if trusted.double().mean() < MIN_TRUSTED_SHARE:
            continue
        ratio = speed_over_nearest(group.coordinates[trusted], derivatives[trusted], collocation)
        if not 1 / MAX_SPEED_RATIO <= ratio <= MAX_SPEED_RATIO:
            log.info("splines through trajectories are not used: they are %.2g times as fast as points nearby", ratio)
            continue
        columns = (group.coordinates, derivatives, group.parameters_at_snapshots())
        parts.append(CollocationTable(*(column[trusted] for column in columns)))
    if not parts:
        return None
    table = functools.reduce(CollocationTable.joined, parts)
    return table.select(torch.from_numpy(rng.permutation(len(table))[: len(collocation)]))


def speed_over_nearest(states: Tensor, derivatives: Tensor, points: CollocationTable) -> float:
    """Return the speed of states relative to that of the nearest points.

    Speeds are root mean squares over some of the states ``(N, r)``.
    """
    rng = np.random.default_rng(0)
    chosen_states = torch.from_numpy(rng.permutation(len(states))[:COMPARED_STATES])
    chosen_points = torch.from_numpy(rng.permutation(len(points.coordinates))[:COMPARED_POINTS])
    distances = torch.cdist(states[chosen_states], points.coordinates[chosen_points])
    nearest = chosen_points[distances.argmin(dim=1)]
    speed = derivatives[chosen_states].square().mean().sqrt()
    speed_nearby = points.derivatives[nearest].square().mean().sqrt()
    return float(speed / speed_nearby.clamp(min=1e-30))


def derivatives_along(group: Rollouts) -> Tensor:
    """Return time derivatives ``(T, N, r)`` along trajectories, from splines."""
    return torch.from_numpy(spline_derivatives(times_of(group), group.coordinates.numpy()))


def difference_quotients(group: Rollouts) -> tuple[Tensor, Tensor, Tensor]:
    """Return central differences in the middle of all intervals.

    They are meant for trajectories with inputs. They are accurate to second order even if inputs have jumps or kinks at
    the snapshots, where a spline would mix both sides.

    Parameters
    ----------
    group : Rollouts
        N trajectories with T - 1 intervals; M = (T - 1) N.

    Returns
    -------
    states, derivatives : torch.Tensor
        ``(M, r)``.
    parameters : torch.Tensor
        Parameters and forcing in the middle of the intervals, ``(M, p + q)``.
    """
    x = group.coordinates
    middle, change = 0.5 * (x[1:] + x[:-1]), (x[1:] - x[:-1]) / group.intervals[:, None, None]
    parameters = torch.cat([group.parameters.expand(len(middle), -1, -1), group.forcing[:, 1]], dim=-1)
    return middle.flatten(0, 1), change.flatten(0, 1), parameters.flatten(0, 1)


def times_of(group: Rollouts) -> np.ndarray:
    """Return the times of the snapshots ``(T,)``, from 0."""
    return np.concatenate([[0.0], np.cumsum(group.intervals.numpy())])


def spline_derivatives(times: np.ndarray, states: np.ndarray, degree: int = 5) -> np.ndarray:
    """Differentiate an interpolating spline of the highest possible odd degree.

    Parameters
    ----------
    times : numpy.ndarray
        ``(T,)``.
    states : numpy.ndarray
        ``(T, ..., r)``.
    degree : int
        Highest degree; lower if there are few times.

    Returns
    -------
    numpy.ndarray
        Time derivatives at `times`, ``(T, ..., r)``.
    """
    degree = min(degree, len(times) - 1)
    spline = make_interp_spline(times, states, k=degree - (degree % 2 == 0), axis=0)
    return np.ascontiguousarray(spline.derivative()(times))


def trusted_derivatives(times: np.ndarray, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Differentiate splines of two degrees and compare them.

    They disagree if states are noisy or snapshots too far apart. They may agree although they are wrong if snapshots
    are nearly a whole period of an oscillation apart.

    Parameters
    ----------
    times : numpy.ndarray
        ``(T,)``, at least `MIN_SNAPSHOTS`.
    states : numpy.ndarray
        ``(T, ..., r)``.

    Returns
    -------
    derivatives : numpy.ndarray
        Time derivatives, ``(T, ..., r)``.
    trusted : numpy.ndarray
        Where the splines agree, ``(T, ...)``.
    """
    fine, coarse = (spline_derivatives(times, states, degree) for degree in SPLINE_DEGREES)
    return fine, np.square(fine - coarse).mean(axis=-1) <= AGREEMENT**2 * np.square(fine).mean()
