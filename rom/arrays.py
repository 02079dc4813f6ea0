"""Arrays of any kind at the door: brought to NumPy, and refused with their name, the place and the remedy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr

from rom.errors import RomTypeError, RomValueError

__all__ = ["checked_times", "describe", "numeric", "plain", "require_finite", "require_numeric_times", "require_real"]

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
