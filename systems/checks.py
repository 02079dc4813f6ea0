"""What public functions refuse of their arguments: numbers, times, states, parameters."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from scipy.integrate import OdeSolver

from systems.errors import SystemsTypeError, SystemsValueError, nearest

if TYPE_CHECKING:
    from systems.system import System

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


def check_states(states: Any, system: System, name: str, leading: str) -> np.ndarray:
    """States (n, *system.shape), float64 and finite; one state alone counts as n = 1."""
    if isinstance(states, xr.DataArray) and set(system.dims) <= set(states.dims):
        states = states.transpose(..., *system.dims)
    states = as_numbers(states, name)
    if states.shape == system.shape:
        states = states[None]
    if states.ndim != len(system.shape) + 1 or states.shape[1:] != system.shape:
        expected = ", ".join([leading, *map(str, system.shape)])
        raise SystemsValueError(f"{name} must have shape ({expected}) for {system._called}, got {states.shape}")
    if len(states) == 0:
        raise SystemsValueError(f"{name} is empty: it has shape {states.shape}")
    check_finite(states, name)
    return states


def check_parameters(system: System, parameters: Any, n: int, seed: int) -> np.ndarray | None:
    """Parameters (n, p), float64, or None where the defaults are meant."""
    if parameters is None:
        return system.sample_parameters(n, seed) if system.samples_parameters else None
    names = [p.name for p in system.parameters]
    if not names:
        raise SystemsValueError(f"{system._called} has no parameters; leave parameters out")
    if isinstance(parameters, str):
        if parameters != "sample":
            raise SystemsValueError(f"parameters must be a mapping, an array or 'sample', got {parameters!r}")
        return system.sample_parameters(n, seed)
    if isinstance(parameters, Mapping):
        for key in parameters:
            if key not in names:
                raise SystemsValueError(f"{system._called} has no parameter {key!r}; {nearest(key, names)}")
        columns = [as_numbers(parameters.get(p.name, p.default), f"parameters[{p.name!r}]") for p in system.parameters]
        for name, column in zip(names, columns, strict=True):
            if column.shape not in ((), (n,)):
                raise SystemsValueError(
                    f"parameters[{name!r}] must be a number or have shape ({n},), got {column.shape}"
                )
        values = np.stack([np.broadcast_to(column, n) for column in columns], axis=1)
    else:
        values = as_numbers(parameters, "parameters")
        if values.shape != (n, len(names)):
            raise SystemsValueError(
                f"parameters must have shape ({n}, {len(names)}) for {', '.join(names)}, got {values.shape}"
            )
    check_finite(values, "parameters")
    return values
