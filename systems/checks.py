"""Checks of arguments, whose errors name argument, value and remedy.

The functions have the names of those in `rom.utils.checks` and `rom.utils.arrays`: `require_...` raises an error unless
the value can be used, `checked_...` and `numeric` also return the value in the form in which it is used.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import xarray as xr
from scipy.integrate import OdeSolver

from systems.errors import SystemsTypeError, SystemsValueError, nearest

__all__ = [
    "checked_dims",
    "checked_times",
    "deadline_after",
    "numeric",
    "require_choice",
    "require_finite",
    "require_flag",
    "require_integer",
    "require_method",
    "require_number",
    "require_numbers",
    "require_seed",
]

# The solvers of `scipy.integrate.solve_ivp`.
METHODS = ("RK23", "RK45", "DOP853", "Radau", "BDF", "LSODA")
# Dimensions that Datasets add to those of a state.
RESERVED_DIMS = ("trajectory", "time", "point", "parameter", "input")


def require_integer(name: str, value: Any, low: int) -> int:
    """Return `value` as an int; raise an error unless it is an integer >= `low`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise SystemsTypeError(f"{name} must be an integer, got {value!r}")
    if value < low:
        raise SystemsValueError(f"{name} must be at least {low}, got {value}")
    return int(value)


def require_number(
    name: str, value: Any, low: float = -math.inf, high: float = math.inf, exclusive: bool = False
) -> float:
    """Return `value` as a float; require it finite and in [low, high].

    If `exclusive`, it must be above `low`.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise SystemsTypeError(f"{name} must be a number, got {value!r}")
    if not math.isfinite(value):
        raise SystemsValueError(f"{name} must be finite, got {value}")
    if value < low or value > high or (exclusive and value == low):
        raise SystemsValueError(f"{name} must be {_interval(low, high, exclusive)}, got {value}")
    return float(value)


def _interval(low: float, high: float, exclusive: bool) -> str:
    """Return the allowed range in words."""
    if high < math.inf:
        return f"between {low:g} and {high:g}"
    if exclusive:
        return "positive" if low == 0 else f"above {low:g}"
    return f"at least {low:g}"


def require_numbers(owner: Any, *fields: str, low: float = -math.inf, exclusive: bool = False) -> None:
    """Apply `require_number` to the named fields of `owner`."""
    for name in fields:
        require_number(name, getattr(owner, name), low, exclusive=exclusive)


def require_seed(seed: Any) -> int:
    """Return `seed` as an int; raise an error unless it is an integer >= 0."""
    return require_integer("seed", seed, low=0)


def require_flag(name: str, value: Any, optional: bool = False) -> None:
    """Raise an error unless `value` is True or False (or None if `optional`)."""
    if not isinstance(value, bool) and not (optional and value is None):
        raise SystemsTypeError(
            f"{name} must be {'True, False or None' if optional else 'True or False'}, got {value!r}"
        )


def require_choice(name: str, value: Any, valid: Sequence[str]) -> None:
    """Raise an error unless `value` is one of the words `valid`."""
    if value not in valid:
        raise SystemsValueError(f"unknown {name} {value!r}; {nearest(value, valid)}")


def require_method(method: Any) -> Any:
    """Return `method`; require None, a solver of SciPy's solve_ivp, or its name."""
    if method is None or (isinstance(method, type) and issubclass(method, OdeSolver)):
        return method
    if not isinstance(method, str):
        raise SystemsTypeError(f"method must be a name, a scipy.integrate.OdeSolver class or None, got {method!r}")
    require_choice("method", method, METHODS)
    return method


def numeric(name: str, value: Any) -> np.ndarray:
    """Return real numbers as float64; refuse text, objects and complex numbers."""
    try:
        array = np.asarray(value.values if isinstance(value, xr.DataArray) else value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise SystemsTypeError(f"{name} must be an array of numbers: {error}") from error
    if array.dtype.kind not in "fiu":
        raise SystemsTypeError(f"{name} must hold real numbers, got {array.dtype}")
    return array.astype(float)


def require_finite(name: str, values: np.ndarray) -> None:
    """Raise an error that names the first entry that is not finite."""
    if not np.isfinite(values).all():
        at = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
        raise SystemsValueError(f"{name} must be finite, but {name}{list(at)} is {values[at]}")


def checked_times(name: str, times: Any) -> np.ndarray:
    """Return at least two times (time,) in float64; require a strict increase."""
    times = numeric(name, times)
    if times.ndim != 1 or times.size == 0:
        raise SystemsValueError(
            f"{name} must be a 1-D array of times, got shape {times.shape}; name arguments that are in another order"
        )
    require_finite(name, times)
    steps = np.flatnonzero(np.diff(times) <= 0)
    if steps.size:
        i = int(steps[0])
        raise SystemsValueError(
            f"{name} must be strictly increasing, but {name}[{i}] = {times[i]:g} is followed by "
            f"{name}[{i + 1}] = {times[i + 1]:g}; use numpy.unique to sort times and drop repeated ones"
        )
    if times.size == 1:
        raise SystemsValueError(
            f"{name} must have at least two times, the first that of the initial states, got {times}"
        )
    return times


def checked_dims(dims: Sequence[str], shape: Sequence[int]) -> tuple[str, ...]:
    """Return dimension names; require as many as in `shape`, all different."""
    if not isinstance(dims, str | Iterable):
        raise SystemsTypeError(f"dims must be a tuple of names, such as ('y', 'x'), got {dims!r}")
    dims = (dims,) if isinstance(dims, str) else tuple(dims)
    if len(dims) != len(shape):
        raise SystemsValueError(f"a state of shape {tuple(shape)} needs {len(shape)} dims, got {dims}")
    for dim in dims:
        if not isinstance(dim, str) or not dim:
            raise SystemsTypeError(f"dims must be names, got {dim!r}")
        if dim in RESERVED_DIMS:
            raise SystemsValueError(f"the name {dim!r} in dims is taken by the data's own dimensions; choose another")
    if len(set(dims)) != len(dims):
        raise SystemsValueError(f"dims must differ from each other, got {dims}")
    return dims


def deadline_after(max_seconds: Any) -> float | None:
    """Return the clock `time.time` in `max_seconds` from now; None without a limit."""
    if max_seconds is None:
        return None
    if isinstance(max_seconds, bool) or not isinstance(max_seconds, int | float) or not max_seconds > 0:
        raise SystemsValueError(f"max_seconds must be a positive number or None, got {max_seconds!r}")
    return time.time() + max_seconds
