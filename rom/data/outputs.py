"""Labels put back on results: dimensions, coordinates and attributes of a `Layout`, and the kind of what was given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from torch import Tensor

from rom.data.fields import Field, unstacked
from rom.data.layout import Layout
from rom.data.states import first_field
from rom.utils.errors import RomTypeError, RomValueError, nearest

__all__ = ["all_cells", "as_type_of", "cells_as_type_of", "indices_of", "labelled_forecast", "select_cells"]


def all_cells(layout: Layout) -> xr.Dataset:
    """Return the components of a state with labels; values are their indices in the flat state.

    Keep the result: making the labels takes longer than a short forecast.
    """
    return variables_of(np.arange(layout.n_states), layout, (), layout.labels())


def indices_of(cells: xr.Dataset) -> np.ndarray:
    """Return the indices in the flat state that the variables of `cells` hold, one after the other."""
    return np.concatenate([variable.values.ravel() for variable in cells.data_vars.values()])


def select_cells(points: Any, cells: xr.Dataset) -> xr.Dataset:
    """Return the part of `cells` at the given indices.

    Parameters
    ----------
    points : mapping of str to int, sequence of int or slice
        Indices by dimension, as for `xarray.Dataset.isel`.
    cells : xarray.Dataset
        All cells of a state.

    Returns
    -------
    xarray.Dataset
        The selected cells.

    Raises
    ------
    RomTypeError
        If `points` is not a mapping, or indices are not whole numbers.
    RomValueError
        If a dimension is unknown, or indices are missing or out of range.
    """
    dims = list(map(str, cells.sizes))
    if not isinstance(points, Mapping):
        raise RomTypeError(
            f"points must map dimensions to positions, as {{{(dims or ['x'])[0]!r}: [0]}}, got {points!r}"
        )
    for dim in points:
        if dim not in dims:
            raise RomValueError(f"points: unknown dimension {dim!r}; {nearest(dim, dims)}")
    return cells.isel({dim: indices_along(dim, chosen, cells.sizes[dim]) for dim, chosen in points.items()})


def indices_along(dim: str, chosen: Any, size: int) -> np.ndarray:
    """Return indices, () or (k,), along a dimension of length `size`; `chosen` is a slice or whole numbers."""
    message = f"points[{dim!r}] must be a whole number, a list of them or a slice, as for isel, got {chosen!r}"
    try:
        indices = np.arange(size)[chosen] if isinstance(chosen, slice) else np.asarray(chosen)
    except (TypeError, ValueError) as error:
        raise RomTypeError(message) from error
    if indices.size == 0:
        raise RomValueError(f"points[{dim!r}] chooses nothing; leave {dim!r} out to decode all of its {size} positions")
    if indices.dtype.kind not in "iu" or indices.ndim > 1:
        raise RomTypeError(message)
    outside = indices[(indices < -size) | (indices >= size)]
    if outside.size:
        raise RomValueError(f"points[{dim!r}] asks for position {outside[0]}; {dim!r} has positions 0 to {size - 1}")
    return indices


def labelled_forecast(
    states: np.ndarray, valid: np.ndarray, times: np.ndarray, trajectory: Any, cells: xr.Dataset, layout: Layout
) -> xr.Dataset:
    """Return a forecast as a Dataset.

    Parameters
    ----------
    states : numpy.ndarray
        Values of the cells, ``(trajectory, time, m)``.
    valid : numpy.ndarray
        Flags, ``(trajectory, time)``.
    times : numpy.ndarray
        Shape ``(time,)``.
    trajectory : array or None
        The coordinate of the trajectories. None for one state, whose forecast has no dimension `trajectory`.
    cells : xarray.Dataset
        The decoded cells with their labels.
    layout : Layout
        Labels of a state and of the time.

    Returns
    -------
    xarray.Dataset
        `state`, or the fields of a state, and `valid`.
    """
    lead, coords = ("trajectory",), {"trajectory": trajectory}
    if trajectory is None:
        states, valid, lead, coords = states[0], valid[0], (), {}
    fields = fields_of(cells)
    values = unstacked(states, fields)
    return xr.Dataset(
        {one.name: ((*lead, "time", *one.dims), values[one.name], one.attrs) for one in fields}
        | {"valid": ((*lead, "time"), valid)},
        coords=coords
        | {"time": ("time", times, layout.time_attrs)}
        | {name: c.variable.copy() for name, c in cells.coords.items()},
    )


def as_type_of(
    given: Any,
    result: Tensor,
    layout: Layout,
    dims: tuple[str, ...],
    shape: tuple[int, ...],
    replaced: tuple[str, ...],
) -> Any:
    """Return a result in the kind of what was given.

    Parameters
    ----------
    given : StatesLike
        What a method was given: NumPy array, torch tensor, DataArray, or fields.
    result : torch.Tensor
        Shape ``(*lead, k)``.
    layout : Layout
        Labels of a state.
    dims, shape : tuple
        Dimensions and shape of the last axis of `result`.
    replaced : tuple of str
        The dimensions of `given` in whose place `dims` come.

    Returns
    -------
    array, tensor, DataArray or Dataset
        Shape ``(*lead, *shape)``. A Dataset for states of a model of fields.
    """
    given, own = first_field(given, layout)
    replaced = own if replaced == layout.dims else replaced
    result = result.reshape((*result.shape[:-1], *shape))
    if isinstance(given, Tensor):
        return result.to(dtype=given.dtype, device=given.device)
    values = result.detach().cpu().numpy()
    if not isinstance(given, xr.DataArray):
        return values
    lead = tuple(str(d) for d in given.dims if d not in replaced)
    coords = {name: c for name, c in given.coords.items() if set(c.dims) <= set(lead)}
    if dims == layout.dims:
        coords |= layout.labels()
        if layout.fields:
            return variables_of(values, layout, lead, coords)
    return xr.DataArray(values, dims=(*lead, *dims), coords=coords)


def cells_as_type_of(given: Any, result: Tensor, cells: xr.Dataset, as_dataset: bool) -> Any:
    """Return values of cells in the kind of the latent states that they were decoded from.

    Parameters
    ----------
    given : ArrayLike
        Latent states ``(*lead, d)``.
    result : torch.Tensor
        Values ``(*lead, m)``.
    cells : xarray.Dataset
        The decoded cells with their labels.
    as_dataset : bool
        Whether labelled values are a Dataset of fields.

    Returns
    -------
    array, tensor, DataArray or Dataset
        Arrays have the shape ``(*lead, *shape)`` of a single variable, or ``(*lead, m)`` for several.
    """
    fields = fields_of(cells)
    if not isinstance(given, xr.DataArray):
        if len(fields) == 1:
            result = result.reshape(*result.shape[:-1], *fields[0].shape)
        return result.to(given) if isinstance(given, Tensor) else result.detach().cpu().numpy()
    lead = tuple(str(d) for d in given.dims if d != "latent")
    coords = {n: c for n, c in given.coords.items() if set(c.dims) <= set(lead)}
    values = unstacked(result.detach().cpu().numpy(), fields)
    made = xr.Dataset({one.name: ((*lead, *one.dims), values[one.name], one.attrs) for one in fields}, coords)
    made = made.assign_coords({n: c.variable for n, c in cells.coords.items()})
    return made if as_dataset else made[fields[0].name]


def fields_of(cells: xr.Dataset) -> list[Field]:
    """Return the variables of `cells` as fields."""
    return [
        Field(str(n), tuple(map(str, c.dims)), c.shape, c.attrs)
        for n, c in cells.variables.items()
        if n in cells.data_vars
    ]


def variables_of(states: np.ndarray, layout: Layout, lead: tuple[str, ...], coords: dict[Any, Any]) -> xr.Dataset:
    """Return flat states (*lead, n) as the variables that they consist of."""
    values = unstacked(states, layout.parts)
    return xr.Dataset({one.name: ((*lead, *one.dims), values[one.name], one.attrs) for one in layout.parts}, coords)
