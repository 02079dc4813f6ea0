"""collocate(): states, and the known f at them."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from systems.arguments import checked_parameters, checked_states
from systems.checks import deadline_after, numeric, require_finite, require_integer, require_seed
from systems.errors import EvaluationError, IntegrationWarning, SystemsTypeError, SystemsValueError
from systems.io.provenance import package_version
from systems.sampling import NearTrajectories, Sampler, child_seed
from systems.system import System

# f is evaluated this many numbers at a time: enough to amortise calls, few enough to stay in a core's cache.
NUMBERS_PER_BLOCK = 2**18
POINTS_PER_TIME = 32  # that share a time, of an f that depends on it
PROBES = 8  # times by which it is told whether f depends on time
GOLDEN = 0.5 * (5**0.5 - 1.0)


def collocate(
    system: System, n: int, *, near: xr.Dataset | Sequence[xr.Dataset] | None = None,
    sampler: Sampler | None = None, parameters: Any = None, times: Any = None, seed: int = 0,
    max_seconds: float | None = None,
) -> xr.Dataset:  # fmt: skip
    """Evaluate f at n states: the collocation pairs of a reduced-order model.

    system: whose f. n: how many points.
    sampler: where the states come from, called as sampler(n, seed); by default the system's own.
    near: Dataset of trajectories, or a list of them: states on and near them (`NearTrajectories` with its
    defaults) take the place of the system's sampler. Only one of `near` and `sampler` can be given.
    parameters: as in `simulate`, per point; inputs among them are drawn from their ranges unless given.
    times: (point,), at which f is evaluated where it depends on time; f takes those that are equal and follow each other
    together. By default they are spread evenly over a period, or over the default times of the system, or those of
    `near`.
    seed: of states, parameters and times.
    max_seconds: after so much wall clock no further f is evaluated; the points so far are returned, with a warning.

    Returns a Dataset: `state` and `time_derivative` (point, *system.dims), float64; `parameters` (point,
    parameter) if given; `inputs` (point, input) of a system that has some; the coordinate `time` (point) where f
    depends on time.

    Raises EvaluationError if f fails, or is not finite at a point, which is named; SystemsValueError and
    SystemsTypeError for arguments that cannot be used.
    """
    if not isinstance(system, System):
        raise SystemsTypeError(f"system must be a systems.System, got {system!r}; from_rhs makes one of a function")
    n, seed, deadline = require_integer("n", n, low=1), require_seed(seed), deadline_after(max_seconds)
    if near is not None and sampler is not None:
        raise SystemsValueError("give either near or sampler; for both, sampler=Mixture((..., NearTrajectories(near)))")
    if near is not None:
        sampler = NearTrajectories(near)
    elif sampler is None:
        sampler = system.sampler
    if sampler is None:
        raise SystemsValueError(
            f"{system._called} has no sampler of states: give near=trajectories or sampler=..., "
            "for instance systems.Box(low, high)"
        )
    if not callable(sampler):
        raise SystemsTypeError(f"sampler must be callable as sampler(n, seed), got {sampler!r}")
    states = checked_states("states of the sampler", sampler(n, seed), system, str(n))
    if len(states) != n:
        raise SystemsValueError(f"the sampler returned {len(states)} states, {n} were asked for")
    mu = checked_parameters(system, parameters, n, seed)
    everything = _with_sampled_inputs(system, mu, parameters, n, seed)
    first, span = _span(system, near)
    probes = first + span * ((GOLDEN * np.arange(PROBES)) % 1.0)
    depends = system.depends_on_time(states[:2], probes)
    times = _times(first, span, times, n, seed) if depends else None
    f = _evaluate(system, states, everything, times, deadline)
    if len(f) < n:
        warnings.warn(
            f"max_seconds is over: f was evaluated at {len(f)} of {n} points", IntegrationWarning, stacklevel=2
        )
    kept = slice(len(f))
    data: dict[str, Any] = {
        "state": (("point", *system.dims), states[kept]),
        "time_derivative": (("point", *system.dims), f),
    }
    coords = dict(system._labelled_coords())
    constant = {k: p.name for k, p in enumerate(system.parameters) if p.name not in system.inputs}
    if mu is not None and constant:
        data["parameters"] = (("point", "parameter"), mu[kept, list(constant)])
        coords["parameter"] = list(constant.values())
    if everything is not None and system.inputs:
        driven = [k for k in range(len(system.parameters)) if k not in constant]
        data["inputs"] = (("point", "input"), everything[kept, driven])
        coords["input"] = [system.parameters[k].name for k in driven]
    if times is not None:
        coords["time"] = ("point", times[kept])
    provenance = {
        "kind": "collocation",
        **system._describe(),
        "made_by": f"latentrom {package_version()}",
        "n": n,
        "seed": seed,
        "sampler": "NearTrajectories" if near is not None else type(sampler).__name__,
    }
    return xr.Dataset(data, coords, attrs={"provenance": json.dumps(provenance, sort_keys=True)})


def _with_sampled_inputs(system: System, mu: np.ndarray | None, given: Any, n: int, seed: int) -> np.ndarray | None:
    """Parameters (n, p) with those inputs from their ranges that are not among the `given` parameters."""
    drawn = [] if given is not None and not isinstance(given, Mapping) else set(system.inputs) - set(given or ())
    if not drawn:
        return mu
    start = system.parameter_values() if mu is None else mu
    rows = np.array(np.broadcast_to(start, (n, len(system.parameters))))
    columns = [p.name in drawn for p in system.parameters]
    rows[:, columns] = system.sample_parameters(n, seed)[:, columns]
    return rows


def _span(system: System, near: Any) -> tuple[float, float]:
    """Where times of points lie, and how far they reach: a period, the times of `near`, or the system's default times."""
    if system.period is not None:
        return 0.0, system.period
    sets = [] if near is None else [near] if isinstance(near, xr.Dataset) else list(near)
    known = np.concatenate([one["time"].values for one in sets]) if sets else system.default_times
    return float(np.min(known)), float(np.ptp(known))


def _times(first: float, span: float, given: Any, n: int, seed: int) -> np.ndarray:
    """Times (n,) of the points: by default the same for some in a row, and the i-th depends on (seed, i) alone."""
    if given is not None:
        times = numeric("times", given)
        if times.shape != (n,):
            raise SystemsValueError(f"times must have shape ({n},), one for each point, got {times.shape}")
        require_finite("times", times)
        return times
    offset = np.random.default_rng(child_seed(seed, 9)).random()
    # Multiples of the golden ratio fill an interval evenly, however many there are.
    return first + span * ((offset + GOLDEN * (np.arange(n) // POINTS_PER_TIME)) % 1.0)


def _evaluate(
    system: System, states: np.ndarray, mu: np.ndarray | None, times: np.ndarray | None, deadline: float | None
) -> np.ndarray:
    """f at the states, or at the first of them that could be done before the deadline; at least at one."""
    values = np.empty_like(states)
    largest = max(1, NUMBERS_PER_BLOCK // system.n_states)
    # Blocks grow from one state on where time is short: nothing is known of the price of f before.
    start, size = 0, largest if deadline is None else 1
    while start < len(states) and (start == 0 or deadline is None or time.time() < deadline):
        block = slice(start, start + size)
        if times is not None:  # f takes one time at once
            block = slice(start, start + min(size, int(np.argmin(np.append(times[block], np.nan) == times[start]))))
        with np.errstate(all="ignore"):
            now = 0.0 if times is None else times[start]
            f = system.rhs(states[block], None if mu is None else mu[block], now)
        if not np.isfinite(f).all():
            at = tuple(int(i) for i in np.argwhere(~np.isfinite(f))[0])
            raise EvaluationError(
                f"f of {system._called} is not finite at point {start + at[0]}: f{list(at[1:])} is {f[at]}. "
                "Keep the sampler within the region where f is defined"
            )
        values[block] = f
        start, size = start + len(f), min(2 * size, largest)
    return values[:start]
