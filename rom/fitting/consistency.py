"""Whether the system, the trajectories and the collocation points speak of the same dynamics."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

import systems
from rom.data.layout import Layout
from rom.data.lazy import snapshots
from rom.data.trajectories import Collocation, Trajectories
from rom.fitting.evaluate_rhs import parameters_for
from rom.fitting.time_derivatives import trusted_derivatives
from rom.utils.random import FitStream, random_stream
from rom.utils.time_budget import TimeBudget

__all__ = ["warn_if_rhs_disagrees"]

log = logging.getLogger("rom")

LOOKED_AT = 8  # states; f may be dear
SNAPSHOTS = 12  # of a trajectory, in a row, through which a spline is put
MIDDLE = 5  # of these: away from the ends of the spline
REACH = 0.1  # of a trajectory's snapshots, at first, through which that spline reaches
STILL = 1e-2  # share of its way from the start: what moves less has settled, and the errors of its solver remain
DIFFERENCE = 0.3  # between f and the data, relative, that is worth a warning


def warn_if_rhs_disagrees(
    system: systems.System, data: Sequence[Trajectories] | Collocation, layout: Layout, seed: int, clock: TimeBudget
) -> int:
    """Say so where given data change in time otherwise than f says: other units, parameters, or order of components.

    Returns the values of f used.
    """
    rng = random_stream(seed, FitStream.RHS_CHECK_STATES)
    if isinstance(data, Collocation):
        name, pairs = "collocation", data.select(rng.permutation(len(data))[:LOOKED_AT])
    else:
        name, pairs = "trajectories", along(data, rng)
    started, limit = clock.elapsed, clock.for_consistency_check()
    differences: list[float] = []
    for k in range(len(pairs)):
        if differences and limit is not None and clock.elapsed - started > limit:
            break
        mu = parameters_for(system, layout, pairs.parameters[k : k + 1], pairs.inputs[k : k + 1])
        rates = system.rhs(pairs.states[k].reshape(1, *layout.shape), mu, pairs.times[k]).ravel()
        given = pairs.time_derivatives[k]
        size = max(np.linalg.norm(rates), np.linalg.norm(given), np.finfo(float).tiny)
        differences.append(float(np.linalg.norm(rates - given) / size) if np.isfinite(rates).all() else 1.0)
    if differences and np.median(differences) > DIFFERENCE:
        log.warning(
            "%s: time derivatives differ from f of %s by %.0f %%; check that units of time, parameters and the order of "
            "components are the same, that snapshots are closer than a period of what oscillates, and that the data were made "
            "with small steps or tolerances",
            name, system.name, 100 * np.median(differences),
        )  # fmt: skip
    return len(differences)


def along(groups: Sequence[Trajectories], rng: np.random.Generator) -> Collocation:
    """Single states of some trajectories that move, with the derivatives of splines, where these can be trusted."""
    places = [(group, i) for group in groups if len(group.times) >= SNAPSHOTS for i in range(len(group))]
    rows = []
    for k in rng.permutation(len(places))[:LOOKED_AT]:
        group, i = places[k]
        found = moving_state(group, i, rng)
        if found is not None:
            state, derivative, at = found
            rows.append((state, derivative, group.parameters[i], group.inputs[i, at], group.times[at]))
    columns = zip(*rows, strict=True) if rows else [()] * 5
    return Collocation(*(np.array(column) for column in columns))


def moving_state(group: Trajectories, i: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, int] | None:
    """A state somewhere on the i-th trajectory, its derivative and index; None where it rests, or no spline can be trusted.

    The spline starts with distant snapshots and goes on to closer ones: between two neighbours of a fine record hardly
    anything moves.
    """
    stride = max(1, int(REACH * len(group.times)) // (SNAPSHOTS - 1))
    where = rng.random()
    while stride:
        start = int(where * (len(group.times) - (SNAPSHOTS - 1) * stride))
        row = slice(start, start + (SNAPSHOTS - 1) * stride + 1, stride)
        first, window = (snapshots(group.states, i, at) for at in (slice(0, 1), row))
        way, moved = (np.linalg.norm(part - window.mean(axis=0), axis=1).max() for part in (first, window))
        rates, trusted = trusted_derivatives(group.times[row], window)
        if trusted[MIDDLE]:
            return (window[MIDDLE], rates[MIDDLE], start + MIDDLE * stride) if moved > STILL * way else None
        stride //= 2
    return None
