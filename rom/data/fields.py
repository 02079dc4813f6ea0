"""States of several named variables, as other programs write them: pressure on cells, temperature on nodes.

Each is a field with dimensions of its own. Inside `rom` the fields of a state are one flat state (..., n), one after the other.
Forecasts come back as the variables they were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr

from rom.utils.errors import RomTypeError, RomValueError, nearest

__all__ = ["BESIDE_FIELDS", "Field", "field_names", "locate_component", "slices_of", "stacked", "unstacked"]

BESIDE_FIELDS = ("parameters", "inputs")  # variables of a Dataset that are no part of a state


@dataclass(frozen=True)
class Field:
    """One variable of a state.

    Attributes
    ----------
    name : str
        Name of the variable.
    dims : tuple of str
        Its own dimensions.
    shape : tuple of int
        Lengths of these; () for a number.
    attrs : dict
        Attributes: units, long_name.
    """

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    attrs: dict[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Number of components."""
        return int(np.prod(self.shape, dtype=int))


def slices_of(fields: Sequence[Field]) -> tuple[slice, ...]:
    """Return where each of the fields lies in the flat state."""
    ends = np.cumsum([0, *(one.size for one in fields)]).tolist()
    return tuple(slice(start, stop) for start, stop in pairwise(ends))


def locate_component(component: int, fields: Sequence[Field]) -> tuple[str, tuple[int, ...]]:
    """Return the name of the field that a component of the flat state belongs to, and its index there."""
    k, where = next((k, s) for k, s in enumerate(slices_of(fields)) if s.start <= component < s.stop)
    index = np.unravel_index(component - where.start, fields[k].shape) if fields[k].shape else ()
    return fields[k].name, tuple(int(i) for i in index)


def field_names(name: str, dataset: xr.Dataset, leading: tuple[str, ...]) -> list[str]:
    """Return the names of the variables of a state in a Dataset.

    Parameters
    ----------
    name : str
        Name of the Dataset in error messages.
    dataset : xarray.Dataset
        Trajectories or points.
    leading : tuple of str
        Dimensions that every field must have.

    Returns
    -------
    list of str
        ``["state"]``, or else all variables along ``leading[-1]``, in the order of the Dataset. What does not change along it
        (areas of cells, a mesh) is no part of a state, nor are bounds of coordinates.

    Raises
    ------
    RomTypeError
        If a variable does not hold real numbers.
    RomValueError
        If there is no such variable, or one lacks a dimension.
    """
    if "state" in dataset:
        return ["state"]
    along = leading[-1]
    others = {*BESIDE_FIELDS, *(c.attrs.get("bounds") for c in dataset.coords.values())}
    names = [str(n) for n, variable in dataset.data_vars.items() if along in variable.dims and n not in others]
    if not names:
        raise RomValueError(
            f"{name} has no variable 'state', nor fields ({', '.join(leading)}, ...) under names of their own; "
            f"{nearest('state', map(str, dataset.data_vars))}; rename dimensions with dataset.rename({{'t': {along!r}}})"
        )
    for one in names:
        dtype, missing = dataset[one].dtype, [dim for dim in leading if dim not in dataset[one].dims]
        if dtype.kind not in "iuf":
            raise RomTypeError(
                f"{name}[{one!r}] must hold real numbers, got dtype {dtype}; if it is no part of the state, leave it out: "
                f"dataset.drop_vars({one!r})"
            )
        if missing:
            raise RomValueError(
                f"{name}[{one!r}] has dimensions {dataset[one].dims}, but needs {missing[0]!r}; if it is no part of the state, "
                f"leave it out: dataset.drop_vars({one!r})"
            )
    if "valid" in names:
        raise RomValueError(
            f"{name}: a field cannot be called 'valid', as the flags of forecasts are; use dataset.rename"
        )
    return names


def stacked(dataset: Mapping[Any, Any], fields: Sequence[Field], leading: tuple[str, ...]) -> Any:
    """Join fields to flat states.

    Parameters
    ----------
    dataset : mapping of str to xarray.DataArray
        Holds the fields.
    fields : sequence of Field
        The fields of a state, in their order.
    leading : tuple of str
        Leading dimensions of the result.

    Returns
    -------
    numpy.ndarray or dask.array.Array
        Flat states ``(*leading, n)``. A dask array if one of the fields is lazy; its chunks along `leading` are those of the
        largest lazy field.
    """
    k = len(leading)
    arrays = [dataset[one.name].transpose(*leading, *one.dims) for one in fields]
    lazy = [array for array in arrays if array.chunks is not None]
    if lazy and len(arrays) > 1:
        chunks = dict(zip(leading, max(lazy, key=lambda array: array.size).chunks[:k], strict=True))
        arrays = [array.chunk(chunks) for array in arrays]
    flat = []
    for array, one in zip(arrays, fields, strict=True):
        # Whole in its own dimensions before these are joined: dask would cut times and trajectories instead.
        whole = array.chunk(dict.fromkeys(one.dims, -1)) if lazy and len(one.dims) > 1 else array
        flat.append(whole.data.reshape(*whole.shape[:k], one.size))
    if len(flat) == 1:
        return flat[0]
    if lazy:
        import dask.array

        return dask.array.concatenate(flat, axis=k)
    return np.concatenate(flat, axis=k)


def unstacked(states: Any, fields: Sequence[Field]) -> dict[str, Any]:
    """Return the fields (..., *shape) of flat states (..., n) by their names."""
    return {
        one.name: states[..., where].reshape((*states.shape[:-1], *one.shape))  # a tuple: it may be empty
        for one, where in zip(fields, slices_of(fields), strict=True)
    }
