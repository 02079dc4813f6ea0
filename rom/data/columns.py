"""Variables, parameters and inputs of the data that users pass, as plain arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from rom.utils.arrays import numeric, require_finite
from rom.utils.errors import RomValueError, nearest

__all__ = ["as_inputs", "as_parameters", "inputs_of_dataset", "parameters_of_dataset", "require_variable"]


def require_variable(name: str, dataset: xr.Dataset, variable: str, leading: tuple[str, ...]) -> xr.DataArray:
    """Return a variable of a Dataset with the dimensions `leading` first.

    Raises
    ------
    RomValueError
        If there is no such variable, or it lacks one of these dimensions.
    """
    if variable not in dataset:
        raise RomValueError(f"{name} has no variable {variable!r}; {nearest(variable, map(str, dataset.data_vars))}")
    array = dataset[variable]
    for dim in leading:
        if dim not in array.dims:
            raise RomValueError(
                f"{name}[{variable!r}] has dimensions {array.dims}, but needs {dim!r}; rename the one that it is, as in "
                f".rename(t={dim!r}), or add it with expand_dims({dim!r})"
            )
    return array.transpose(*leading, ...)


def parameters_of_dataset(name: str, dataset: xr.Dataset, leading: str) -> np.ndarray:
    """Return the parameters (N, p) of a Dataset along the dimension `leading`; p = 0 if it has none."""
    count = dataset.sizes[leading]
    if "parameters" not in dataset:
        return np.zeros((count, 0))
    array = dataset["parameters"]
    if set(array.dims) != {leading, "parameter"}:
        raise RomValueError(f"{name}['parameters'] has dimensions {array.dims}, but needs ({leading!r}, 'parameter')")
    return as_parameters(name, array.transpose(leading, "parameter"), count)


def as_parameters(name: str, parameters: Any, count: int) -> np.ndarray:
    """Return parameters (count, p) in float64; p = 0 for None.

    Raises
    ------
    RomTypeError
        If they are not real numbers.
    RomValueError
        If they have another shape, or are not finite.
    """
    if parameters is None:
        return np.zeros((count, 0))
    values = numeric(f"{name}: parameters", parameters).astype(np.float64)
    if values.ndim != 2 or len(values) != count:
        raise RomValueError(f"{name}: parameters must have shape ({count}, p), one row each, got {values.shape}")
    require_finite(f"{name}: parameters", values, ("row",))
    return values


def inputs_of_dataset(name: str, dataset: xr.Dataset, leading: tuple[str, ...]) -> np.ndarray:
    """Return the inputs (*leading, m) of a Dataset in float64; m = 0 if it has none."""
    count = tuple(dataset.sizes[dim] for dim in leading)
    if "inputs" not in dataset:
        return np.zeros((*count, 0))
    array = dataset["inputs"]
    if set(array.dims) != {*leading, "input"}:
        raise RomValueError(f"{name}['inputs'] has dimensions {array.dims}, but needs {(*leading, 'input')}")
    return as_inputs(f"{name}: inputs", array.transpose(*leading, "input"), count)


def as_inputs(name: str, inputs: Any, count: tuple[int, ...]) -> np.ndarray:
    """Return inputs (*count, m) in float64; m = 0 for None.

    Raises
    ------
    RomTypeError
        If they are not real numbers.
    RomValueError
        If they have another shape, or are not finite.
    """
    if inputs is None:
        return np.zeros((*count, 0))
    values = numeric(name, inputs).astype(np.float64)
    if values.ndim != len(count) + 1 or values.shape[:-1] != count:
        raise RomValueError(f"{name} must have shape ({', '.join(map(str, count))}, m), got {values.shape}")
    require_finite(name, values, ("trajectory", "time index") if len(count) > 1 else ("row",))
    return values
