"""What settings are made of: dataclasses that travel as JSON and refuse unknown keys, and checks of their values."""

from __future__ import annotations

import math
import operator
import reprlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr

from rom.utils.errors import RomTypeError, RomValueError, nearest

__all__ = [
    "checked_times",
    "describe",
    "numeric",
    "plain",
    "require_choice",
    "require_finite",
    "require_flag",
    "require_integer",
    "require_names",
    "require_number",
    "require_numeric_times",
    "require_real",
    "require_widths",
    "shortened",
]


def require_integer(name: str, value: Any, low: int) -> int:
    """`value` if it is an integer >= `low`; otherwise a typed error that names it."""
    try:
        integer = operator.index(value)
    except TypeError:
        integer = None
    if integer is None or isinstance(value, bool):
        raise RomTypeError(f"{name} must be an integer, got {shortened(value)}")
    if integer < low:
        raise RomValueError(f"{name} must be at least {low}, got {value!r}")
    return integer


def shortened(value: Any) -> str:
    """A value on one line, arrays by their shape."""
    if type(value).__module__.startswith("xarray"):
        return f"{type(value).__name__} of sizes {dict(value.sizes)}"
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{type(value).__name__} of shape {tuple(value.shape)}"
    if isinstance(value, tuple | list):
        inner = ", ".join(map(shortened, value[:4])) + (", ..." if len(value) > 4 else "")
        return f"({inner})" if isinstance(value, tuple) else f"[{inner}]"
    return reprlib.repr(value)


def require_number(name: str, value: Any, low: float, high: float = math.inf, exclusive: bool = False) -> float:
    """`value` if it is a finite real number in [low, high] (above `low` where `exclusive`); otherwise a typed error."""
    if isinstance(value, bool | str | complex) or not hasattr(value, "__float__") or getattr(value, "ndim", 0):
        raise RomTypeError(f"{name} must be a number, got {shortened(value)}")
    if not math.isfinite(value) or value > high or value < low or (exclusive and value == low):
        limits = f"{'above' if exclusive else 'at least'} {low:g}" + (
            f" and at most {high:g}" if high < math.inf else ""
        )
        raise RomValueError(f"{name} must be finite, {limits}, got {value!r}")
    return float(value)


def require_choice(name: str, value: Any, valid: Any) -> None:
    """A typed error unless `value` is one of the words `valid`."""
    if value not in valid:
        raise RomValueError(f"{name}: unknown {value!r}; {nearest(value, valid)}")


def require_flag(name: str, value: Any) -> None:
    """A typed error unless `value` is True or False."""
    if not isinstance(value, bool):
        raise RomTypeError(f"{name} must be True or False, got {value!r}")


def require_widths(name: str, widths: Any) -> None:
    """A typed error unless `widths` is a tuple of integers >= 1."""
    if not isinstance(widths, tuple):
        raise RomTypeError(f"{name} must be a tuple of layer widths, got {widths!r}")
    for k, width in enumerate(widths):
        require_integer(f"{name}[{k}]", width, low=1)


def require_names(name: str, names: Any) -> None:
    """A typed error unless `names` is a tuple of different strings."""
    if not isinstance(names, tuple) or not all(isinstance(word, str) for word in names):
        raise RomTypeError(f"{name} must be a tuple of names, got {names!r}")
    if len(set(names)) < len(names):
        raise RomValueError(f"{name} must not name anything twice, got {names!r}")


DATES_OF_ARRAY = "times = (times - times[0]) / np.timedelta64(1, 's')"


def plain(array: Any) -> np.ndarray:
    """A NumPy array of a NumPy, torch or xarray object, or of nested lists; torch tensors are detached and copied."""
    if isinstance(array, torch.Tensor):
        array = array.detach().cpu()
        return (array.float() if array.dtype == torch.bfloat16 else array).numpy()  # NumPy has no bfloat16
    return np.asarray(array)


def numeric(name: str, array: Any) -> np.ndarray:
    """`array` in NumPy, as real numbers. Raises `RomTypeError` for complex, object, text or boolean arrays."""
    if isinstance(array, xr.Dataset):
        variable = "state" if "state" in array else next(map(str, array.data_vars), "state")
        raise RomTypeError(f"{name} is a Dataset; pass one variable of it, as dataset[{variable!r}]")
    try:
        values = plain(array)
    except ValueError as error:
        raise RomTypeError(f"{name} is not a rectangular array; pass a list of arrays when lengths differ") from error
    require_real(name, values.dtype)
    return values


def require_real(name: str, dtype: np.dtype) -> None:
    if dtype.kind not in "iuf":
        remedy = "make real and imaginary parts components" if dtype.kind == "c" else "convert it to float64 first"
        raise RomTypeError(f"{name} must hold real numbers, got dtype {dtype}; {remedy}")


def require_finite(name: str, values: np.ndarray, labels: Sequence[str], offset: Sequence[int] = (0, 0)) -> None:
    """A `RomValueError` that names the first NaN or infinity; `labels` name the leading axes, the rest is the component."""
    finite = np.isfinite(values)
    if finite.all():
        return
    index = np.unravel_index(int(np.argmin(finite.ravel())), values.shape)
    place = ", ".join(f"{label} {int(i) + first}" for label, i, first in zip(labels, index, offset, strict=False))
    component = tuple(int(i) for i in index[len(labels) :])
    where = ", ".join(filter(None, [place, f"component {component}" if component else ""]))
    raise RomValueError(f"{name} is {values[index]} at {where}; remove or repair it")


def require_numeric_times(name: str, dtype: Any, remedy: str = DATES_OF_ARRAY) -> None:
    """A `RomTypeError` for dates and durations, with the line of code that makes seconds of them."""
    if isinstance(dtype, np.dtype) and dtype.kind in "mM":
        raise RomTypeError(f"{name} must hold numbers, got {dtype}; make seconds since the start of it:\n    {remedy}")


def checked_times(name: str, times: Any) -> np.ndarray:
    """Times (T,) in float64. Raises `RomValueError` unless there are at least two, finite and strictly increasing."""
    require_numeric_times(name, getattr(times, "dtype", None))
    values = numeric(name, times).astype(np.float64)
    if values.ndim != 1:
        raise RomValueError(f"{name} must have one axis (time,), got shape {values.shape}")
    if len(values) < 2:
        raise RomValueError(f"{name} has length {len(values)}; a trajectory needs at least 2 times")
    require_finite(name, values, ("index",))
    steps = np.diff(values)
    if (steps <= 0).any():
        k = int(np.argmax(steps <= 0))
        kind = "repeats" if steps[k] == 0 else "decreases"
        raise RomValueError(
            f"{name} {kind} at index {k + 1} ({values[k]:g} then {values[k + 1]:g}); times must increase strictly"
        )
    return values


def describe(value: Any) -> str:
    if isinstance(value, tuple | list):
        return f"{type(value).__name__} of length {len(value)}"
    return type(value).__name__
