"""States of any kind that users pass, checked and flattened to tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from rom.data.layout import Layout, plain_labels
from rom.data.same_layout import require_same_grids, require_same_units
from rom.utils.arrays import numeric
from rom.utils.errors import RomTypeError, RomValueError, nearest

__all__ = [
    "ArrayLike",
    "StatesLike",
    "as_tensor",
    "first_field",
    "leading_dims_of",
    "require_same_labels",
    "states_of",
    "with_last_dims",
]

ArrayLike = np.ndarray | Tensor | xr.DataArray | Sequence[Any]
"""Numbers of any kind: a NumPy array, a torch tensor, a DataArray, or nested lists."""

StatesLike = ArrayLike | xr.Dataset | Mapping[Any, Any]
"""States ``(..., *shape)``: an array, or of a model of fields a Dataset or a mapping with one array for each field."""


def as_tensor(name: str, values: Any, like: Tensor) -> Tensor:
    """Return `values` on the device and in the dtype of `like`.

    Parameters
    ----------
    name : str
        Name of the argument in error messages.
    values : ArrayLike
        Real numbers. Torch tensors keep their gradients.
    like : torch.Tensor
        Has the device and the dtype of the result.

    Returns
    -------
    torch.Tensor
        Shape of `values`.

    Raises
    ------
    RomTypeError
        If `values` are not real numbers, or an integer tensor.
    """
    target = {"device": like.device, "dtype": like.dtype}
    if isinstance(values, Tensor):
        if not values.dtype.is_floating_point:
            raise RomTypeError(f"{name} must be a floating-point tensor, got {values.dtype}")
        return values.to(**target)
    # A copy in a type that torch knows: its own conversion fails on foreign byte orders, and warns of read-only arrays.
    return torch.from_numpy(np.array(numeric(name, values), dtype=np.float64, order="C")).to(**target)


def with_last_dims(name: str, array: xr.DataArray, dims: tuple[str, ...]) -> xr.DataArray:
    """Return `array` with the dimensions `dims` last, in their order."""
    missing = [dim for dim in dims if dim not in array.dims]
    if missing:
        raise RomValueError(f"{name} has dimensions {array.dims}, but this model needs {missing[0]!r}")
    return array.transpose(..., *dims)


def states_of(name: str, x: StatesLike, layout: Layout, like: Tensor, units: bool = True) -> Tensor:
    """Return flat states.

    Parameters
    ----------
    name : str
        Name of the argument in error messages.
    x : StatesLike
        States ``(*lead, *shape)``, or the fields of a state in a Dataset or a mapping.
    layout : Layout
        Labels of a state of the model, with which those of `x` are compared.
    like : torch.Tensor
        Has the device and the dtype of the result.
    units : bool
        Whether the units of the values are compared too.

    Returns
    -------
    torch.Tensor
        Shape ``(*lead, n)``.

    Raises
    ------
    RomTypeError
        If `x` does not hold real numbers.
    RomValueError
        If dimensions, shape, grid or units differ from those of the layout.
    """
    if layout.fields and isinstance(x, xr.Dataset | Mapping):
        return states_of_fields(name, x, layout, like, units)
    if isinstance(x, xr.DataArray):
        x = with_last_dims(name, x, layout.dims)
        if x.shape[-len(layout.shape) :] == layout.shape:  # otherwise the shape is what is wrong
            require_same_labels(name, x, layout.parts[0].name, layout, units and not layout.fields)
    return flattened(name, as_tensor(name, x, like), layout.shape)


def states_of_fields(name: str, x: Mapping[Any, Any], layout: Layout, like: Tensor, units: bool) -> Tensor:
    """Return flat states (*lead, n) of the fields in `x`, with the leading dimensions in the order of the first field."""
    missing = [one.name for one in layout.fields if one.name not in x]
    if missing:
        raise RomValueError(f"{name} has no field {missing[0]!r}; {nearest(missing[0], map(str, x))}")
    flat: list[Tensor] = []
    first_lead = other_dims(x[layout.fields[0].name], layout.fields[0].dims)
    for one in layout.fields:
        values, own_name = x[one.name], f"{name}[{one.name!r}]"
        if isinstance(values, xr.DataArray):
            lead = other_dims(values, one.dims)
            lead = first_lead if set(first_lead) == set(lead) else lead
            values = with_last_dims(own_name, values, (*lead, *one.dims))
            if values.shape[len(values.dims) - len(one.shape) :] == one.shape:
                require_same_labels(own_name, values, one.name, layout, units)
        flat.append(flattened(own_name, as_tensor(own_name, values, like), one.shape))
        if flat[-1].shape[:-1] != flat[0].shape[:-1]:
            raise RomValueError(
                f"{own_name} is a set of {tuple(flat[-1].shape[:-1])} states, but {name}[{layout.fields[0].name!r}] one of "
                f"{tuple(flat[0].shape[:-1])}; all fields need the same leading dimensions"
            )
    return torch.cat(flat, dim=-1)


def other_dims(values: Any, dims: Sequence[str]) -> tuple[str, ...]:
    """Return the dimensions of a DataArray that are not in `dims`; none for arrays of other kinds."""
    return tuple(str(d) for d in values.dims if d not in dims) if isinstance(values, xr.DataArray) else ()


def first_field(x: StatesLike, layout: Layout) -> tuple[Any, tuple[str, ...]]:
    """Return the array that decides kind and leading dimensions of states, and the dimensions of a state in it.

    It is `x` itself, or the first of its fields.
    """
    if layout.fields and isinstance(x, xr.Dataset | Mapping):
        return x[layout.fields[0].name], layout.fields[0].dims
    return x, layout.dims


def leading_dims_of(x: StatesLike, layout: Layout) -> tuple[str, ...]:
    """Return the dimensions of labelled states that do not belong to a state; none for arrays."""
    return other_dims(*first_field(x, layout))


def require_same_labels(name: str, x: xr.DataArray, part: str, layout: Layout, units: bool) -> None:
    """Raise `RomValueError` unless coordinates, and with `units` also the values, agree with the layout.

    `part` is the name of the field of the layout that `x` holds.
    """
    attrs = {str(key): c.attrs for key, c in x.coords.items()} | ({part: x.attrs} if units else {})
    require_same_units(name, attrs, layout, "this model")
    known = {str(key): c for key, c in x.coords.items() if c.dims and str(key) in layout.coords}
    coords = {key: plain_labels(c.values)["data"] for key, c in known.items()}
    require_same_grids(name, coords, layout, "this model")


def flattened(name: str, values: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return `values` (*lead, *shape) with the axes of `shape` as one."""
    k = len(shape)
    if values.ndim < k or tuple(values.shape[values.ndim - k :]) != shape:
        raise RomValueError(f"{name} has shape {tuple(values.shape)}; a state of this model has shape {shape}")
    return values.reshape(*values.shape[: values.ndim - k], int(np.prod(shape, dtype=int)))
