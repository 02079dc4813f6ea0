"""Whether the system, the trajectories and the collocation points speak of the same autonomous dynamics."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from scipy.interpolate import make_interp_spline

import systems
from rom.data import Collocation, Layout, Trajectories
from rom.errors import RomValueError

__all__ = ["require_autonomous", "warn_of_other_rates"]

log = logging.getLogger("rom")

LOOKED_AT = 8  # trajectories, and points
SNAPSHOTS = 12  # of a trajectory, in a row
MIDDLE = slice(5, 6)  # of these: away from the ends of a spline; few, for f may be dear
AGREEMENT = 1e-2  # of splines of degrees 5 and 3, relative, from which they are believed
DIFFERENCE = 0.1  # between f and the data, relative, that is worth a warning


def require_autonomous(system: systems.System, pairs: Collocation, layout: Layout) -> int:
    """A `RomValueError` for a system whose f depends on time: h(z; mu) could not follow it. Returns the values of f used."""
    x = pairs.states[:1].reshape(1, *layout.shape)
    mu = pairs.parameters[:1] if pairs.parameters.shape[1] else None
    if not np.allclose(system.rhs(x, mu, 0.0), system.rhs(x, mu, 1.2345 * system.time_scale), rtol=1e-9, atol=0.0):
        raise RomValueError(
            f"system: f of {system.name} depends on time, and models are autonomous; make time a component of the state"
        )
    return 2


def warn_of_other_rates(
    system: systems.System, data: Sequence[Trajectories] | Collocation, layout: Layout, seed: int
) -> int:
    """Say so where given data change in time otherwise than f says: other units, parameters, or order of components.

    Of trajectories, splines through some snapshots know the derivative where two degrees agree. Returns the values of f used.
    """
    rng = np.random.default_rng([seed, 10])
    if isinstance(data, Collocation):
        name, samples = "collocation", [data.select(rng.permutation(len(data))[:LOOKED_AT])]
    else:
        name, samples = "trajectories", along(data, rng)
    differences, used = [], 0
    for sample in samples:
        mu = sample.parameters if sample.parameters.shape[1] else None
        rates = system.rhs(sample.states.reshape(-1, *layout.shape), mu).reshape(len(sample), -1)
        used += len(sample)
        size = max(np.linalg.norm(rates), np.linalg.norm(sample.time_derivatives))
        differences.append(np.linalg.norm(rates - sample.time_derivatives) / size if size > 0.0 else 0.0)
    if differences and np.median(differences) > DIFFERENCE:
        log.warning(
            "%s: time derivatives differ from f of %s by %.0f %%; check that units of time, parameters and the order of "
            "components are the same", name, system.name, 100 * np.median(differences)
        )  # fmt: skip
    return used


def along(groups: Sequence[Trajectories], rng: np.random.Generator) -> list[Collocation]:
    """Some states in the middle of some trajectories, with the derivatives of a spline, where it can be trusted."""
    places = [(group, i) for group in groups if len(group.times) >= SNAPSHOTS for i in range(len(group))]
    samples = []
    for k in rng.permutation(len(places))[:LOOKED_AT]:
        group, i = places[k]
        start = int(rng.integers(len(group.times) - SNAPSHOTS + 1))
        row = slice(start, start + SNAPSHOTS)
        times, states = group.times[row], np.asarray(group.states[i : i + 1, row], dtype=np.float64)[0]
        fine, coarse = (make_interp_spline(times, states, k=degree).derivative()(times[MIDDLE]) for degree in (5, 3))
        if np.linalg.norm(fine - coarse) <= AGREEMENT * np.linalg.norm(fine):
            parameters = np.repeat(group.parameters[i : i + 1], len(fine), axis=0)
            samples.append(Collocation(states[MIDDLE], fine, parameters))
    return samples
