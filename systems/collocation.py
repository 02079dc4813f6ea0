"""Collocation: states, and the values of f at them, as a labelled Dataset."""

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
from systems.flow_sampling import NearTrajectories
from systems.io.provenance import package_version
from systems.sampling import Sampler, child_seed
from systems.system import System

__all__ = ["collocate"]

# Numbers of the states at which f is evaluated together: enough to amortise calls, few enough for a core's cache.
NUMBERS_PER_BLOCK = 2**18
# Points that share a time, if f depends on time.
POINTS_PER_TIME = 32
# Times at which f is compared to find out whether it depends on time.
PROBES = 8
# The golden ratio: its multiples fill an interval evenly, however many there are.
GOLDEN = 0.5 * (5**0.5 - 1.0)


def collocate(
    system: System, n: int, *, near: xr.Dataset | Sequence[xr.Dataset] | None = None,
    sampler: Sampler | None = None, parameters: Any = None, times: Any = None, seed: int = 0,
    max_seconds: float | None = None,
) -> xr.Dataset:  # fmt: skip
    """Evaluate f at n states: the collocation pairs of a reduced-order model.

    Parameters
    ----------
    system : System
        The system whose f is evaluated.
    n : int
        The number of points.
    near : xarray.Dataset or list of xarray.Dataset, optional
        Trajectories: the states lie on them and near them, as by `NearTrajectories`. Not together with `sampler`.
        Their parameters are not taken over: give `parameters` too, for instance "sample".
    sampler : callable, optional
        Where the states come from, called as ``sampler(n, seed)``. By default ``system.sampler``.
    parameters : mapping, array_like or "sample", optional
        As in `simulate`, for each point. Inputs that are not among them are drawn from their ranges.
    times : array_like, optional
        Times (point,) at which f is evaluated if it depends on time. Equal times that follow each other are evaluated
        together. By default they are spread evenly over a period, over the times of `near`, or over the default times
        of the system.
    seed : int, default 0
        The seed of states, parameters and times.
    max_seconds : float, optional
        The wall clock time after which no further f is evaluated. The points so far are returned, with a warning.

    Returns
    -------
    xarray.Dataset
        ``state`` and ``time_derivative`` with dimensions ``(point, *system.dims)`` in float64; ``parameters``
        (point, parameter) if given or sampled; ``inputs`` (point, input) if the system has some; the coordinate
        ``time`` (point) if f depends on time.

    Raises
    ------
    EvaluationError
        If f fails, or is not finite at a point; the message names the point.
    SystemsTypeError, SystemsValueError
        If an argument cannot be used.

    See Also
    --------
    simulate : Trajectories.

    Examples
    --------
    >>> import numpy as np
    >>> import systems
    >>> pairs = systems.collocate(systems.Lorenz(), 100, seed=1)
    >>> pairs["state"].shape, pairs["time_derivative"].shape
    ((100, 3), (100, 3))
    >>> box = systems.Box(low=(-1.0, -1.0, 0.0), high=(1.0, 1.0, 2.0))
    >>> np.abs(systems.collocate(systems.Lorenz(), 100, sampler=box)["state"][:, 0]).max().item() <= 1.0
    True
    """
    if not isinstance(system, System):
        raise SystemsTypeError(f"system must be a systems.System, got {system!r}; from_rhs makes one from a function")
    n, seed, deadline = require_integer("n", n, low=1), require_seed(seed), deadline_after(max_seconds)
    sampler = _sampler(system, near, sampler)
    states = checked_states("states of the sampler", sampler(n, seed), system, str(n))
    if len(states) != n:
        raise SystemsValueError(f"the sampler returned {len(states)} states instead of {n}")
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
    provenance = {
        "kind": "collocation",
        **system._describe(),
        "made_by": f"latentrom {package_version()}",
        "n": n,
        "seed": seed,
        "sampler": "NearTrajectories" if near is not None else type(sampler).__name__,
    }
    return _labelled(system, states, f, mu, everything, times, provenance)


def _sampler(system: System, near: Any, sampler: Any) -> Sampler:
    """Return the sampler of states that the arguments of `collocate` mean."""
    if near is not None and sampler is not None:
        raise SystemsValueError("give either near or sampler; for both, sampler=Mixture((..., NearTrajectories(near)))")
    if near is not None:
        return NearTrajectories(near)
    chosen: Sampler | None = system.sampler if sampler is None else sampler
    if chosen is None:
        raise SystemsValueError(
            f"{system._called} has no sampler of states: give near=trajectories or sampler=..., "
            "for instance systems.Box(low, high)"
        )
    if not callable(chosen):
        raise SystemsTypeError(f"sampler must be callable as sampler(n, seed), got {chosen!r}")
    return chosen


def _labelled(
    system: System,
    states: np.ndarray,
    f: np.ndarray,
    mu: np.ndarray | None,
    everything: np.ndarray | None,
    times: np.ndarray | None,
    provenance: dict[str, Any],
) -> xr.Dataset:
    """Return the Dataset of the points at which f was evaluated.

    Parameters
    ----------
    system : System
        The system.
    states, f : numpy.ndarray
        States ``(n, *shape)``, and f at the first of them.
    mu, everything : numpy.ndarray or None
        Parameters (n, p) as they were given, and with sampled inputs.
    times : numpy.ndarray or None
        Times (n,), if f depends on time.
    provenance : dict
        The provenance of the data.
    """
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
    return xr.Dataset(data, coords, attrs={"provenance": json.dumps(provenance, sort_keys=True)})


def _with_sampled_inputs(system: System, mu: np.ndarray | None, given: Any, n: int, seed: int) -> np.ndarray | None:
    """Return parameters (n, p), with inputs that are not `given` drawn randomly."""
    drawn = [] if given is not None and not isinstance(given, Mapping) else set(system.inputs) - set(given or ())
    if not drawn:
        return mu
    start = system.parameter_values() if mu is None else mu
    rows = np.array(np.broadcast_to(start, (n, len(system.parameters))))
    columns = [p.name in drawn for p in system.parameters]
    rows[:, columns] = system.sample_parameters(n, seed)[:, columns]
    return rows


def _span(system: System, near: Any) -> tuple[float, float]:
    """Return start and length of the interval of times.

    It is a period, the times of `near`, or the default times.
    """
    if system.period is not None:
        return 0.0, system.period
    sets = [] if near is None else [near] if isinstance(near, xr.Dataset) else list(near)
    known = np.concatenate([one["time"].values for one in sets]) if sets else system.default_times
    return float(np.min(known)), float(np.ptp(known))


def _times(first: float, span: float, given: Any, n: int, seed: int) -> np.ndarray:
    """Return times (n,) of the points.

    By default `POINTS_PER_TIME` points in a row share a time, and the i-th time depends on (seed, i) alone.
    """
    if given is not None:
        times = numeric("times", given)
        if times.shape != (n,):
            raise SystemsValueError(f"times must have shape ({n},), one for each point, got {times.shape}")
        require_finite("times", times)
        return times
    offset = np.random.default_rng(child_seed(seed, 9)).random()
    return first + span * ((offset + GOLDEN * (np.arange(n) // POINTS_PER_TIME)) % 1.0)


def _evaluate(
    system: System, states: np.ndarray, mu: np.ndarray | None, times: np.ndarray | None, deadline: float | None
) -> np.ndarray:
    """Return f at the states, or at those done before the deadline, at least one."""
    values = np.empty_like(states)
    largest = max(1, NUMBERS_PER_BLOCK // system.n_states)
    # With a deadline, blocks grow from one state on: the cost of f is not known in advance.
    start, size = 0, largest if deadline is None else 1
    while start < len(states) and (start == 0 or deadline is None or time.time() < deadline):
        block = slice(start, start + size)
        if times is not None:  # f takes one time per call
            block = slice(start, start + min(size, int(np.argmin(np.append(times[block], np.nan) == times[start]))))
        with np.errstate(all="ignore"):
            now = 0.0 if times is None else times[start]
            f = system.rhs(states[block], None if mu is None else mu[block], now)
        if not np.isfinite(f).all():
            at = tuple(int(i) for i in np.argwhere(~np.isfinite(f))[0])
            raise EvaluationError(
                f"f of {system._called} is not finite at point {start + at[0]}: f{list(at[1:])} is {f[at]}. "
                "Restrict the sampler to states where f is defined"
            )
        values[block] = f
        start, size = start + len(f), min(2 * size, largest)
    return values[:start]
