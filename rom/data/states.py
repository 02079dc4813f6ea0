"""States of any kind that users pass, checked and flattened to tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from rom.data.fields import Field
from rom.data.layout import Layout, plain_labels, require_same_grids, require_same_units
from rom.utils.checks import numeric
from rom.utils.errors import RomTypeError, RomValueError, nearest

__all__ = ["as_tensor", "first_field", "ordered", "require_same_labels", "states_of"]


def as_tensor(name: str, values: Any, like: Tensor) -> Tensor:
    """`values` on the device and in the dtype of `as_type_of`; torch tensors keep their gradients."""
    target = {"device": like.device, "dtype": like.dtype}
    if isinstance(values, Tensor):
        if not values.dtype.is_floating_point:
            raise RomTypeError(f"{name} must be a floating-point tensor, got {values.dtype}")
        return values.to(**target)
    # A copy in a type that torch knows: its own conversion fails on foreign byte orders, and warns of read-only arrays.
    return torch.from_numpy(np.array(numeric(name, values), dtype=np.float64, order="C")).to(**target)


def ordered(name: str, array: xr.DataArray, dims: tuple[str, ...]) -> xr.DataArray:
    """`array` with `dims` last, in their order."""
    missing = [dim for dim in dims if dim not in array.dims]
    if missing:
        raise RomValueError(f"{name} has dimensions {array.dims}, but this model needs {missing[0]!r}")
    return array.transpose(..., *dims)


def states_of(name: str, x: Any, layout: Layout, like: Tensor, units: bool = True) -> Tensor:
    """Flat states (..., n) of `x`: (..., *shape), or the fields (..., *their shapes) in a Dataset or a mapping.

    Labels are compared with those of the model, `units` of the values too.
    """
    if layout.fields and isinstance(x, xr.Dataset | Mapping):
        return states_of_fields(name, x, layout, like, units)
    if isinstance(x, xr.DataArray):
        x = ordered(name, x, layout.dims)
        if x.shape[-len(layout.shape) :] == layout.shape:  # otherwise that is what is wrong
            require_same_labels(name, x, layout.parts[0].name, layout, units and not layout.fields)
    return shaped(name, as_tensor(name, x, like), layout.shape)


def states_of_fields(name: str, x: Mapping[Any, Any], layout: Layout, like: Tensor, units: bool) -> Tensor:
    """The same of the fields of a state, whose leading dimensions are those of the first."""
    missing = [one.name for one in layout.fields if one.name not in x]
    if missing:
        raise RomValueError(f"{name} has no field {missing[0]!r}; {nearest(missing[0], map(str, x))}")
    flat: list[Tensor] = []
    first = leading_of(x[layout.fields[0].name], layout.fields[0])
    for one in layout.fields:
        values, place = x[one.name], f"{name}[{one.name!r}]"
        if isinstance(values, xr.DataArray):
            lead = leading_of(values, one)
            values = ordered(place, values, (*(first if set(first) == set(lead) else lead), *one.dims))
            if values.shape[len(values.dims) - len(one.shape) :] == one.shape:
                require_same_labels(place, values, one.name, layout, units)
        flat.append(shaped(place, as_tensor(place, values, like), one.shape))
        if flat[-1].shape[:-1] != flat[0].shape[:-1]:
            raise RomValueError(
                f"{place} is a set of {tuple(flat[-1].shape[:-1])} states, but {name}[{layout.fields[0].name!r}] one of "
                f"{tuple(flat[0].shape[:-1])}; all fields need the same leading dimensions"
            )
    return torch.cat(flat, dim=-1)


def leading_of(values: Any, one: Field) -> tuple[str, ...]:
    """The dimensions of a labelled field that are not its own."""
    return tuple(str(d) for d in values.dims if d not in one.dims) if isinstance(values, xr.DataArray) else ()


def first_field(x: Any, layout: Layout) -> tuple[Any, tuple[str, ...]]:
    """What tells kind and leading dimensions of states: `x`, or the first of its fields; and the dimensions of a state there."""
    if layout.fields and isinstance(x, xr.Dataset | Mapping):
        return x[layout.fields[0].name], layout.fields[0].dims
    return x, layout.dims


def require_same_labels(name: str, x: xr.DataArray, part: str, layout: Layout, units: bool) -> None:
    attrs = {str(key): c.attrs for key, c in x.coords.items()} | ({part: x.attrs} if units else {})
    require_same_units(name, attrs, layout, "this model")
    known = {str(key): c for key, c in x.coords.items() if c.dims and str(key) in layout.coords}
    coords = {key: plain_labels(c.values)["data"] for key, c in known.items()}
    require_same_grids(name, coords, layout, "this model")


def shaped(name: str, values: Tensor, shape: tuple[int, ...]) -> Tensor:
    """`values` (..., *shape) with the last axes as one."""
    k = len(shape)
    if values.ndim < k or tuple(values.shape[values.ndim - k :]) != shape:
        raise RomValueError(f"{name} has shape {tuple(values.shape)}; a state of this model has shape {shape}")
    return values.reshape(*values.shape[: values.ndim - k], int(np.prod(shape, dtype=int)))
