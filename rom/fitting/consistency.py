"""Comparison of given data with the right-hand side of the system."""

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

COMPARED_STATES = 8  # few, because f can be expensive

# A spline goes through so many equally spaced snapshots of a trajectory, and is differentiated at the one with this
# index, away from its ends. At first it covers this share of the trajectory.
SPLINE_SNAPSHOTS = 12
MIDDLE = 5
FIRST_SPAN = 0.1

# A trajectory has settled where it moves less than this share of its distance from the start. Only errors of its solver
# would be compared there.
SETTLED_SHARE = 1e-2

# Median relative difference between f and the time derivatives of the data, from which a warning is logged.
MAX_DIFFERENCE = 0.3


def warn_if_rhs_disagrees(
    system: systems.System, data: Sequence[Trajectories] | Collocation, layout: Layout, seed: int, clock: TimeBudget
) -> int:
    """Log a warning if the time derivatives of given data differ from f.

    The usual causes are other units, other parameters or another order of components.

    Parameters
    ----------
    system : systems.System
        Its right-hand side f is evaluated at a few states.
    data : sequence of Trajectories, or Collocation
        Along trajectories, time derivatives are those of splines where these can be trusted.
    layout : Layout
        Labels of a state.
    seed : int
        Seed of the choice of states.
    clock : TimeBudget
        Limits the time for evaluations of f; one is always made.

    Returns
    -------
    int
        Number of evaluations of f.
    """
    rng = random_stream(seed, FitStream.RHS_CHECK_STATES)
    if isinstance(data, Collocation):
        name, pairs = "collocation", data.select(rng.permutation(len(data))[:COMPARED_STATES])
    else:
        name, pairs = "trajectories", pairs_along(data, rng)
    started, limit = clock.elapsed, clock.for_consistency_check()
    differences: list[float] = []
    for k in range(len(pairs)):
        if differences and limit is not None and clock.elapsed - started > limit:
            break
        mu = parameters_for(system, layout, pairs.parameters[k : k + 1], pairs.inputs[k : k + 1])
        rates = system.rhs(pairs.states[k].reshape(1, *layout.shape), mu, pairs.times[k]).ravel()
        differences.append(relative_difference(rates, pairs.time_derivatives[k]))
    if differences and np.median(differences) > MAX_DIFFERENCE:
        log.warning(
            "%s: time derivatives differ from f of %s by %.0f %%; check that units of time, parameters and the order of "
            "components are the same, that snapshots are closer than a period of what oscillates, and that the data were made "
            "with small steps or tolerances",
            name, system.name, 100 * np.median(differences),
        )  # fmt: skip
    return len(differences)


def relative_difference(rates: np.ndarray, given: np.ndarray) -> float:
    """Return |rates - given| relative to the larger of both.

    It is 1 if `rates` are not finite.
    """
    if not np.isfinite(rates).all():
        return 1.0
    size = max(np.linalg.norm(rates), np.linalg.norm(given), np.finfo(float).tiny)
    return float(np.linalg.norm(rates - given) / size)


def pairs_along(groups: Sequence[Trajectories], rng: np.random.Generator) -> Collocation:
    """Return one moving state of each of some trajectories.

    Their time derivatives are those of splines that can be trusted.
    """
    places = [(group, i) for group in groups if len(group.times) >= SPLINE_SNAPSHOTS for i in range(len(group))]
    rows = []
    for k in rng.permutation(len(places))[:COMPARED_STATES]:
        group, i = places[k]
        found = moving_state(group, i, rng)
        if found is not None:
            state, derivative, at = found
            rows.append((state, derivative, group.parameters[i], group.inputs[i, at], group.times[at]))
    columns = zip(*rows, strict=True) if rows else [()] * 5
    return Collocation(*(np.array(column) for column in columns))


def moving_state(group: Trajectories, i: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, int] | None:
    """Return a state of the i-th trajectory with its time derivative.

    Its time is random. Splines through distant snapshots are tried before those through closer ones, because states
    hardly move between neighbouring snapshots of a finely sampled trajectory.

    Returns
    -------
    tuple or None
        State ``(n,)``, time derivative ``(n,)`` and index. None if the state has settled, or no spline can be trusted.
    """
    stride = max(1, int(FIRST_SPAN * len(group.times)) // (SPLINE_SNAPSHOTS - 1))
    where = rng.random()
    while stride:
        start = int(where * (len(group.times) - (SPLINE_SNAPSHOTS - 1) * stride))
        rows = slice(start, start + (SPLINE_SNAPSHOTS - 1) * stride + 1, stride)
        first, window = (snapshots(group.states, i, chosen) for chosen in (slice(0, 1), rows))
        from_start, moved = (np.linalg.norm(part - window.mean(axis=0), axis=1).max() for part in (first, window))
        rates, trusted = trusted_derivatives(group.times[rows], window)
        if trusted[MIDDLE]:
            moves = moved > SETTLED_SHARE * from_start
            return (window[MIDDLE], rates[MIDDLE], start + MIDDLE * stride) if moves else None
        stride //= 2
    return None
