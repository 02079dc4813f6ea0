"""What labelled arrays say about themselves: positions, units, and the names of components.

States here are DataArrays (time, *dims) or (step, *dims), with one leading dimension.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

__all__ = [
    "MOST_COMPONENTS",
    "axis_label",
    "component_label",
    "has_positions",
    "is_field_1d",
    "is_field_2d",
    "is_increasing",
    "time_values",
]

MOST_COMPONENTS = 8  # up to here, values along a dimension are components with a line each, and not a field
FEWEST_CELLS = 4  # along each side of a field over two dimensions; with fewer, the values are components


def is_increasing(array: xr.DataArray, dim: str) -> bool:
    """Return whether `dim` has a coordinate of increasing numbers."""
    if dim not in array.coords or array[dim].dtype.kind not in "iuf":
        return False
    values = array[dim].values
    return bool((values[1:] > values[:-1]).all())


def has_positions(array: xr.DataArray, dim: str) -> bool:
    """Return whether the coordinate of `dim` holds positions: increasing real numbers, in contrast to a count."""
    return is_increasing(array, dim) and array[dim].dtype.kind == "f"


def is_field_1d(states: xr.DataArray) -> bool:
    """Return whether states are fields over one dimension."""
    dims = [str(dim) for dim in states.dims[1:]]
    return len(dims) == 1 and states.sizes[dims[0]] > MOST_COMPONENTS and has_positions(states, dims[0])


def is_field_2d(states: xr.DataArray) -> bool:
    """Return whether states are fields over two dimensions."""
    dims = [str(dim) for dim in states.dims[1:]]
    return len(dims) == 2 and all(states.sizes[dim] >= FEWEST_CELLS and has_positions(states, dim) for dim in dims)


def time_values(states: xr.DataArray) -> np.ndarray:
    """Return the times of states as real numbers, with shape (time,)."""
    return states["time"].values.astype(float)


def axis_label(name: str, array: xr.DataArray) -> str:
    """Return `name` with the units of `array`, or `name` alone if there are no units."""
    units = str(array.attrs.get("units", "1"))
    return name if units in ("", "1") else f"{name} [{units}]"


def component_label(states: xr.DataArray, index: int) -> str:
    """Return a name for one component of a state, made from the coordinates of its dimensions.

    Parameters
    ----------
    states : DataArray
        States with one leading dimension.
    index : int
        Position of the component in the flattened state.

    Returns
    -------
    str
        For example "x 0.25", "species 0, x 0.25", or the coordinate itself if it is text.
    """
    dims = [str(dim) for dim in states.dims[1:]]
    indices = np.unravel_index(index, states.shape[1:])
    values = [states[dim].values[i] if dim in states.coords else i for dim, i in zip(dims, indices, strict=True)]
    if len(dims) == 1 and isinstance(values[0], str):
        return str(values[0])
    words = [f"{value:.3g}" if isinstance(value, float) else str(value) for value in values]
    return ", ".join(f"{dim.replace('_', ' ')} {word}" for dim, word in zip(dims, words, strict=True))
