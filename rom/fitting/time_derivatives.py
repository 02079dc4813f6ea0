"""Time derivatives along trajectories whose f nobody was asked for: of splines through snapshots, or their quotients."""

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
    "FEWEST_SNAPSHOTS",
    "derivatives_along",
    "quotients",
    "smooth_states",
    "spline_derivatives",
    "trusted_derivatives",
]

log = logging.getLogger("rom")

ALIKE = 10.0  # ratio of the speeds along trajectories and at points nearby, beyond which splines are not believed

FEW, MANY = 256, 4096  # states and points between which neighbours are looked for


def smooth_states(
    training: Sequence[Rollouts], collocation: CollocationTable, rng: np.random.Generator
) -> CollocationTable | None:
    """States of the trajectories with derivatives of a spline, where these can be trusted; at most as many as points.

    What moves far more slowly or faster than the points nearby say is left out: snapshots that are nearly a period of an
    oscillation apart make a smooth trajectory that is not there.
    """
    parts = []
    for group in training:
        if len(group.intervals) + 1 < FEWEST_SNAPSHOTS or group.is_driven:  # whose bends no spline follows
            continue
        derivatives, agree = map(torch.from_numpy, trusted_derivatives(times_of(group), group.coordinates.numpy()))
        if agree.double().mean() < 0.5:  # of noisy states some agree by chance
            continue
        ratio = speed_over_nearest(group.coordinates[agree], derivatives[agree], collocation)
        if not 1 / ALIKE <= ratio <= ALIKE:
            log.info("no spline through trajectories, which would be %.2g times as fast as the points nearby", ratio)
            continue
        columns = (group.coordinates, derivatives, group.parameters_at_snapshots())
        parts.append(CollocationTable(*(column[agree] for column in columns)))
    if not parts:
        return None
    table = functools.reduce(CollocationTable.joined, parts)
    return table.select(torch.from_numpy(rng.permutation(len(table))[: len(collocation)]))


def speed_over_nearest(states: Tensor, derivatives: Tensor, points: CollocationTable) -> float:
    """The speed of some states (N, r), over that of the collocation points nearest to them."""
    rng = np.random.default_rng(0)
    few, many = (torch.from_numpy(rng.permutation(len(x))[:n]) for x, n in ((states, FEW), (points.coordinates, MANY)))
    nearest = many[torch.cdist(states[few], points.coordinates[many]).argmin(dim=1)]
    speed, there = derivatives[few].square().mean().sqrt(), points.derivatives[nearest].square().mean().sqrt()
    return float(speed / there.clamp(min=1e-30))


def derivatives_along(group: Rollouts) -> Tensor:
    """Time derivatives (T, N, r) along trajectories, by a spline."""
    return torch.from_numpy(spline_derivatives(times_of(group), group.coordinates.numpy()))


def quotients(group: Rollouts) -> tuple[Tensor, Tensor, Tensor]:
    """States (M, r) in the middle of intervals, difference quotients (M, r) and parameters (M, p + q) there.

    Of second order however inputs bend or jump at the snapshots, through which a spline would mix what lies on both sides.
    """
    x = group.coordinates
    middle, change = 0.5 * (x[1:] + x[:-1]), (x[1:] - x[:-1]) / group.intervals[:, None, None]
    parameters = torch.cat([group.parameters.expand(len(middle), -1, -1), group.forcing[:, 1]], dim=-1)
    return middle.flatten(0, 1), change.flatten(0, 1), parameters.flatten(0, 1)


def times_of(group: Rollouts) -> np.ndarray:
    return np.concatenate([[0.0], np.cumsum(group.intervals.numpy())])


DEGREES = (5, 3)  # of splines whose derivatives are compared
FEWEST_SNAPSHOTS = max(DEGREES) + 1
AGREEMENT = 1e-2  # of these two, in shares of the root mean square, from which they are believed


def spline_derivatives(times: np.ndarray, states: np.ndarray, degree: int = 5) -> np.ndarray:
    """Time derivatives of states (T, ..., r) at `times` (T,), by a spline of the highest odd degree up to `degree`."""
    degree = min(degree, len(times) - 1)
    spline = make_interp_spline(times, states, k=degree - (degree % 2 == 0), axis=0)
    return np.ascontiguousarray(spline.derivative()(times))


def trusted_derivatives(times: np.ndarray, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Time derivatives (T, ..., r), and where (T, ...) splines of two degrees agree about them.

    Noise, and snapshots that are too far apart, are told by their disagreement; not those that follow each other at
    nearly a whole period of an oscillation.
    """
    fine, coarse = (spline_derivatives(times, states, degree) for degree in DEGREES)
    return fine, np.square(fine - coarse).mean(axis=-1) <= AGREEMENT**2 * np.square(fine).mean()
