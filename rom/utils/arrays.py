"""Checks of arrays: real numbers, finite values, increasing times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr

from rom.utils.errors import RomTypeError, RomValueError

__all__ = ["checked_times", "numeric", "require_finite", "require_numeric_times", "require_real", "to_numpy"]

REMEDY_FOR_DATES = "times = (times - times[0]) / np.timedelta64(1, 's')"  # for arrays of dates


def to_numpy(array: Any) -> np.ndarray:
    """Return a NumPy array of a NumPy, torch or xarray object, or of nested lists.

    Tensors are detached and copied to the CPU.
    """
    if isinstance(array, torch.Tensor):
        array = array.detach().cpu()
        return (array.float() if array.dtype == torch.bfloat16 else array).numpy()  # NumPy has no bfloat16
    return np.asarray(array)


def numeric(name: str, array: Any) -> np.ndarray:
    """Return an array in NumPy, of real numbers.

    Parameters
    ----------
    name : str
        Name of the argument, for the error message.
    array : object
        A NumPy, torch or xarray object, or nested lists.

    Raises
    ------
    RomTypeError
        If the array is complex, of objects, text or True and False, if its rows have different lengths, or if it is a
        Dataset.
    """
    if isinstance(array, xr.Dataset):
        variable = "state" if "state" in array else next(map(str, array.data_vars), "state")
        raise RomTypeError(f"{name} is a Dataset; pass one variable of it, as dataset[{variable!r}]")
    try:
        values = to_numpy(array)
    except ValueError as error:
        raise RomTypeError(f"{name} is not a rectangular array; pass a list of arrays when lengths differ") from error
    require_real(name, values.dtype)
    return values


def require_real(name: str, dtype: np.dtype[Any]) -> None:
    """Raise a `RomTypeError` with a remedy unless the type is one of real numbers."""
    if dtype.kind not in "iuf":
        remedy = "make real and imaginary parts components" if dtype.kind == "c" else "convert it to float64 first"
        raise RomTypeError(f"{name} must hold real numbers, got dtype {dtype}; {remedy}")


def require_finite(name: str, values: np.ndarray, labels: Sequence[str], offset: Sequence[int] = (0, 0)) -> None:
    """Raise an error that names the place of the first NaN or infinity, if there is one.

    Parameters
    ----------
    name : str
        Name of the argument, for the error message.
    values : numpy.ndarray
        The values to check.
    labels : sequence of str
        Names of the leading axes. The other axes are components of a state.
    offset : sequence of int
        Index of the first entry along each leading axis, where `values` are part of a larger array.

    Raises
    ------
    RomValueError
        If a value is not finite.
    """
    finite = np.isfinite(values)
    if finite.all():
        return
    index = np.unravel_index(int(np.argmin(finite.ravel())), values.shape)
    place = ", ".join(f"{label} {int(i) + first}" for label, i, first in zip(labels, index, offset, strict=False))
    component = tuple(int(i) for i in index[len(labels) :])
    where = ", ".join(filter(None, [place, f"component {component}" if component else ""]))
    raise RomValueError(f"{name} is {values[index]} at {where}; remove or repair it")


def require_numeric_times(name: str, dtype: Any, remedy: str = REMEDY_FOR_DATES) -> None:
    """Raise a `RomTypeError` for dates and durations, with a line of code that turns them into seconds."""
    if isinstance(dtype, np.dtype) and dtype.kind in "mM":
        raise RomTypeError(f"{name} must hold numbers, got {dtype}; make seconds since the start of it:\n    {remedy}")


def checked_times(name: str, times: Any) -> np.ndarray:
    """Return times in float64, of shape ``(time,)``.

    Parameters
    ----------
    name : str
        Name of the argument, for the error message.
    times : object
        At least two finite times in increasing order.

    Raises
    ------
    RomTypeError
        If the times are dates, or no real numbers.
    RomValueError
        If there are fewer than two times, if one is not finite, or if they do not increase strictly.
    """
    require_numeric_times(name, getattr(times, "dtype", None))
    values = numeric(name, times).astype(np.float64)
    if values.ndim != 1:
        raise RomValueError(
            f"{name} must have one axis (time,), got shape {values.shape}; the order is (times, states)"
        )
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
