"""What public functions refuse of their arguments: numbers, times, methods."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import xarray as xr
from scipy.integrate import OdeSolver

from systems.errors import SystemsTypeError, SystemsValueError, nearest

METHODS = ("RK23", "RK45", "DOP853", "Radau", "BDF", "LSODA")


def check_count(n: Any, name: str = "n", smallest: int = 1) -> int:
    """n as an int, or an error that names the argument."""
    if isinstance(n, bool) or not isinstance(n, int | np.integer):
        raise SystemsTypeError(f"{name} must be an integer, got {n!r}")
    if n < smallest:
        raise SystemsValueError(f"{name} must be at least {smallest}, got {n}")
    return int(n)


def check_number(value: Any, name: str) -> float:
    """value as a finite float, or an error that names the argument."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise SystemsTypeError(f"{name} must be a number, got {value!r}")
    if not math.isfinite(value):
        raise SystemsValueError(f"{name} must be finite, got {value}")
    return float(value)


def check_numbers(owner: Any, *fields: str) -> None:
    """That the named fields are finite numbers."""
    for name in fields:
        check_number(getattr(owner, name), name)


def check_positive(owner: Any, *fields: str) -> None:
    """That the named fields are finite numbers above zero."""
    for name in fields:
        if not check_number(getattr(owner, name), name) > 0:
            raise SystemsValueError(f"{name} must be positive, got {getattr(owner, name)}")


def check_seed(seed: Any) -> int:
    """seed as an int, or an error."""
    return check_count(seed, "seed", smallest=0)


def check_times(t: Any, name: str = "t") -> np.ndarray:
    """Times (time,), at least two, float64, finite and strictly increasing, or an error that names the entry."""
    t = as_numbers(t, name)
    if t.ndim != 1 or t.size == 0:
        raise SystemsValueError(f"{name} must be a 1-D array of times, got shape {t.shape}")
    check_finite(t, name)
    steps = np.flatnonzero(np.diff(t) <= 0)
    if steps.size:
        i = int(steps[0])
        raise SystemsValueError(
            f"{name} must be strictly increasing, but {name}[{i}] = {t[i]:g} is followed by {name}[{i + 1}] = {t[i + 1]:g}; "
            "use numpy.unique to sort times and drop repeated ones"
        )
    if t.size == 1:
        raise SystemsValueError(f"{name} must have at least two times, the first that of the initial states, got {t}")
    return t


def deadline_in(max_seconds: Any) -> float | None:
    """The wall clock (`time.time`) in `max_seconds` from now; None without a limit."""
    if max_seconds is None:
        return None
    if isinstance(max_seconds, bool) or not isinstance(max_seconds, int | float) or not max_seconds > 0:
        raise SystemsValueError(f"max_seconds must be a positive number or None, got {max_seconds!r}")
    return time.time() + max_seconds


def check_method(method: Any) -> Any:
    """A solver of `scipy.integrate.solve_ivp`: its name, a class, or None."""
    if method is None or (isinstance(method, type) and issubclass(method, OdeSolver)):
        return method
    if not isinstance(method, str):
        raise SystemsTypeError(f"method must be a name, a scipy.integrate.OdeSolver class or None, got {method!r}")
    if method not in METHODS:
        raise SystemsValueError(f"unknown method {method!r}; {nearest(method, METHODS)}")
    return method


def check_tolerance(value: Any, name: str, smallest: float) -> None:
    """A tolerance must be a finite number above what rounding allows."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise SystemsTypeError(f"{name} must be a number, got {value!r}")
    if not (np.isfinite(value) and value >= smallest):
        raise SystemsValueError(f"{name} must be finite and at least {smallest:g}, got {value}")


def as_numbers(value: Any, name: str) -> np.ndarray:
    """Real numbers as a float64 NumPy array; an error for text, objects and complex numbers."""
    try:
        array = np.asarray(getattr(value, "values", value) if isinstance(value, xr.DataArray) else value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise SystemsTypeError(f"{name} must be an array of numbers: {error}") from error
    if array.dtype.kind not in "fiu":
        raise SystemsTypeError(f"{name} must hold real numbers, got {array.dtype}")
    return array.astype(float)


def check_finite(array: np.ndarray, name: str) -> None:
    """An error that names the first entry that is not finite."""
    if not np.isfinite(array).all():
        at = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise SystemsValueError(f"{name} must be finite, but {name}{list(at)} is {array[at]}")
