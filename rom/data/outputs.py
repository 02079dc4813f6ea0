"""Labels put back on results: dimensions, coordinates and attributes of a `Layout`, and the kind of what was given."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from torch import Tensor

from rom.data.fields import Field, unstacked
from rom.data.layout import Layout
from rom.data.states import first_field

__all__ = ["all_cells", "as_type_of", "cells_as_type_of", "labelled", "positions_of"]


def all_cells(layout: Layout) -> xr.Dataset:
    """The components of a state: their positions when flat, labelled. Making the labels takes longer than a short forecast."""
    return variables_of(np.arange(layout.n_states), layout, (), layout.labels())


def positions_of(cells: xr.Dataset) -> np.ndarray:
    """The positions in the flat state that the variables of `cells` hold, one after the other."""
    return np.concatenate([variable.values.ravel() for variable in cells.data_vars.values()])


def labelled(
    states: np.ndarray, valid: np.ndarray, times: np.ndarray, trajectory: Any, cells: xr.Dataset, layout: Layout
) -> xr.Dataset:
    """Forecasts (trajectory, time, m) of some `cells`, and their flags `valid` (trajectory, time).

    trajectory: its coordinate, None for one state, whose forecast has no such dimension.
    """
    lead, coords = ("trajectory",), {"trajectory": trajectory}
    if trajectory is None:
        states, valid, lead, coords = states[0], valid[0], (), {}
    chosen = [
        Field(str(n), tuple(map(str, c.dims)), c.shape, c.attrs)
        for n, c in cells.variables.items()
        if n in cells.data_vars
    ]
    values = unstacked(states, chosen)
    return xr.Dataset(
        {one.name: ((*lead, "time", *one.dims), values[one.name], one.attrs) for one in chosen}
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
    """`result` (..., k) with its last axis as `shape`, in the kind of `given`, whose dimensions `replaced` became `dims`."""
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
    """Values (..., m) of `cells` in the kind of the latent states `given`: arrays keep the shape of a single variable."""
    variables = list(cells.data_vars.values())
    if not isinstance(given, xr.DataArray):
        if len(variables) == 1:
            result = result.reshape(*result.shape[:-1], *variables[0].shape)
        return result.to(given) if isinstance(given, Tensor) else result.detach().cpu().numpy()
    lead = tuple(str(d) for d in given.dims if d != "latent")
    coords = {n: c for n, c in given.coords.items() if set(c.dims) <= set(lead)}
    fields = [Field(str(n), tuple(map(str, c.dims)), c.shape, c.attrs) for n, c in cells.data_vars.items()]
    values = unstacked(result.detach().cpu().numpy(), fields)
    made = xr.Dataset({one.name: ((*lead, *one.dims), values[one.name], one.attrs) for one in fields}, coords)
    made = made.assign_coords({n: c.variable for n, c in cells.coords.items()})
    return made if as_dataset else made[fields[0].name]


def variables_of(states: np.ndarray, layout: Layout, lead: tuple[str, ...], coords: dict[Any, Any]) -> xr.Dataset:
    """Flat states (*lead, n) as the variables that they consist of."""
    values = unstacked(states, layout.parts)
    return xr.Dataset({one.name: ((*lead, *one.dims), values[one.name], one.attrs) for one in layout.parts}, coords)
