"""collocate(): states, and the known f at them."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from systems.checks import check_count, check_parameters, check_seed, check_states, deadline_in
from systems.errors import EvaluationError, IntegrationWarning, SystemsTypeError, SystemsValueError
from systems.provenance import package_version
from systems.sampling import NearTrajectories, Sampler
from systems.system import System

# f is evaluated this many numbers at a time: enough to amortise calls, few enough to stay in a core's cache.
NUMBERS_PER_BLOCK = 2**18


def collocate(
    system: System, n: int, *, near: xr.Dataset | Sequence[xr.Dataset] | None = None,
    sampler: Sampler | None = None, parameters: Any = None, seed: int = 0, max_seconds: float | None = None,
) -> xr.Dataset:  # fmt: skip
    """Evaluate f at n states: the collocation pairs of a reduced-order model.

    system: whose f. n: how many points.
    sampler: where the states come from, called as sampler(n, seed); by default the system's own.
    near: Dataset of trajectories, or a list of them: states on and near them (`NearTrajectories` with its
    defaults) take the place of the system's sampler. Only one of `near` and `sampler` can be given.
    parameters: as in `simulate`, per point. seed: of states and parameters.
    max_seconds: after so much wall clock no further f is evaluated; the points so far are returned, with a warning.

    Returns a Dataset: `state` and `time_derivative` (point, *system.dims), float64; `parameters` (point,
    parameter) if given.

    Raises EvaluationError if f fails, or is not finite at a point, which is named; SystemsValueError and
    SystemsTypeError for arguments that cannot be used.
    """
    if not isinstance(system, System):
        raise SystemsTypeError(f"system must be a systems.System, got {system!r}; from_rhs makes one of a function")
    n, seed, deadline = check_count(n), check_seed(seed), deadline_in(max_seconds)
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
    states = check_states(sampler(n, seed), system, "states of the sampler", str(n))
    if len(states) != n:
        raise SystemsValueError(f"the sampler returned {len(states)} states, {n} were asked for")
    mu = check_parameters(system, parameters, n, seed)
    f = _evaluate(system, states, mu, deadline)
    if len(f) < n:
        warnings.warn(
            f"max_seconds is over: f was evaluated at {len(f)} of {n} points", IntegrationWarning, stacklevel=2
        )
        states, mu = states[: len(f)], None if mu is None else mu[: len(f)]
    data: dict[str, Any] = {
        "state": (("point", *system.dims), states),
        "time_derivative": (("point", *system.dims), f),
    }
    coords = dict(system._labelled_coords())
    if mu is not None:
        data["parameters"] = (("point", "parameter"), mu)
        coords["parameter"] = [p.name for p in system.parameters]
    provenance = {
        "kind": "collocation",
        **system._describe(),
        "made_by": f"latentrom {package_version()}",
        "n": n,
        "seed": seed,
        "sampler": "NearTrajectories" if near is not None else type(sampler).__name__,
    }
    return xr.Dataset(data, coords, attrs={"provenance": json.dumps(provenance, sort_keys=True)})


def _evaluate(system: System, states: np.ndarray, mu: np.ndarray | None, deadline: float | None) -> np.ndarray:
    """f at the states, or at the first of them that could be done before the deadline; at least at one."""
    values = np.empty_like(states)
    largest = max(1, NUMBERS_PER_BLOCK // system.n_states)
    # Blocks grow from one state on where time is short: nothing is known of the price of f before.
    start, size = 0, largest if deadline is None else 1
    while start < len(states) and (start == 0 or deadline is None or time.time() < deadline):
        block = slice(start, start + size)
        with np.errstate(all="ignore"):
            f = system.rhs(states[block], None if mu is None else mu[block])
        if not np.isfinite(f).all():
            at = tuple(int(i) for i in np.argwhere(~np.isfinite(f))[0])
            raise EvaluationError(
                f"f of {system._called} is not finite at point {start + at[0]}: f{list(at[1:])} is {f[at]}. "
                "Keep the sampler within the region where f is defined"
            )
        values[block] = f
        start, size = start + len(f), min(2 * size, largest)
    return values[:start]
