"""Where the values of a field lie, by its labels.

On a grid, each axis is a dimension with a numeric coordinate of its name: state (trajectory, time, y, x) with y(y) and x(x). At
points, one dimension has no such coordinate, and others lie along it: state (trajectory, time, point) with x(point) and y(point),
or x(trajectory, time, point) where points move. On a curvilinear grid they lie along several, x(j, i) and y(j, i). A coordinate
whose attribute `period` is a length repeats after it. Dimensions with text labels are components.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from rom.reduction.spline_space import FunctionSpace, Positions
from rom.utils.arrays import to_numpy
from rom.utils.errors import RomTypeError, RomValueError, nearest, prefix_errors

__all__ = ["MOVING", "NUMBERS", "Place", "axes_of", "checked_period", "place_asked_for", "place_of"]

MOVING = ("trajectory", "time")  # dimensions of data along which points may move
NUMBERS = "iuf"  # kinds of NumPy dtypes that positions may have


@dataclass(frozen=True)
class Place:
    """The positions of the values of one field.

    Attributes
    ----------
    dims : tuple of str
        Dimensions that hold the positions.
    shape : tuple of int
        Lengths of these.
    columns : tuple of numpy.ndarray
        Coordinates along each axis of the domain: ``(P_i,)`` for a grid, ``(*moving, P)`` for points.
    is_grid : bool
        Whether the positions are the grid that the columns span.
    moving : tuple of str
        Dimensions along which points change.
    labels : dict of str to xarray.Variable
        The coordinates as they came, for results.
    """

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    columns: tuple[np.ndarray, ...]
    is_grid: bool
    moving: tuple[str, ...]
    labels: dict[str, xr.Variable]

    @property
    def size(self) -> int:
        """Number P of positions."""
        return int(np.prod(self.shape, dtype=int))

    @property
    def positions(self) -> Positions:
        """The grid, or points (*moving, P, k)."""
        return self.columns if self.is_grid else np.stack(self.columns, axis=-1)

    def positions_at(self, lead: tuple[str, ...], moment: tuple[int, ...]) -> Positions:
        """Return the positions at one index `moment` along the dimensions `lead`, which include those of `moving`."""
        if not self.moving:
            return self.positions
        index = tuple(moment[lead.index(dim)] for dim in self.moving)
        return np.stack([column[index] for column in self.columns], axis=-1)


def axes_of(name: str, array: xr.DataArray, leading: Sequence[str]) -> tuple[str, ...]:
    """Return the axes of the domain on which values lie.

    Parameters
    ----------
    name : str
        Name of the array in error messages.
    array : xarray.DataArray
        Values with coordinates.
    leading : sequence of str
        Dimensions that do not belong to a state.

    Returns
    -------
    tuple of str
        Names of coordinates.

    Raises
    ------
    RomValueError
        If a dimension has no coordinate, or none has positions.
    """
    axes: list[str] = []
    for dim in map(str, array.dims):
        if dim in leading:
            continue
        others = [
            str(key)
            for key, c in array.coords.items()
            if dim in c.dims and key not in array.dims and c.dtype.kind in NUMBERS
        ]
        has_own = dim in array.coords
        if has_own and array[dim].dtype.kind in NUMBERS and not (others and is_count(array[dim].values)):
            axes.append(dim)
        elif others or not has_own:
            if not others:
                raise RomValueError(
                    f"{name} has no coordinate along {dim!r}, so the positions of its values are unknown; add it with "
                    f"assign_coords({dim}=...), or of scattered points assign_coords(x=({dim!r}, ...))"
                )
            axes += [other for other in others if other not in axes]
    if not axes:
        raise RomValueError(f"{name} has dimensions {array.dims}, and none of them has positions")
    return tuple(axes)


def is_count(values: np.ndarray) -> bool:
    """Return whether a coordinate merely numbers its points."""
    return np.array_equal(values, np.arange(len(values)))


def place_of(name: str, array: xr.DataArray, axes: Sequence[str], moving: Sequence[str] = MOVING) -> Place:
    """Return where the values of an array lie.

    Parameters
    ----------
    name : str
        Name of the array in error messages.
    array : xarray.DataArray
        Values with coordinates.
    axes : sequence of str
        Axes of the domain.
    moving : sequence of str
        Dimensions along which points may change.

    Returns
    -------
    Place
        A grid if each axis is a dimension of the array, or else points.

    Raises
    ------
    RomTypeError
        If a coordinate does not hold numbers.
    RomValueError
        If an axis has no coordinate, or no positions.
    """
    missing = [axis for axis in axes if axis not in array.coords]
    if missing:
        raise RomValueError(
            f"{name} has no coordinate {missing[0]!r}, so the positions of its values are unknown; add it with "
            f"assign_coords({missing[0]}=...)"
        )
    for axis in axes:
        require_numbers(f"{name}[{axis!r}]", array[axis])
        if any(array.sizes[dim] == 0 for dim in array[axis].dims if dim not in moving):
            raise RomValueError(f"{name}[{axis!r}] is empty; pass at least one position")
    variables = {axis: array[axis].variable for axis in axes}
    if all(axis in array.dims for axis in axes):
        columns = tuple(np.asarray(variables[axis].values, dtype=np.float64) for axis in axes)
        return Place(tuple(axes), tuple(map(len, columns)), columns, True, (), variables)
    return points_of(array, variables, moving)


def points_of(array: xr.DataArray, variables: dict[str, xr.Variable], moving: Sequence[str]) -> Place:
    """Return the scattered points whose coordinates are `variables`, along dimensions of an array."""
    along = [str(dim) for dim in array.dims if any(dim in v.dims for v in variables.values())]
    dims = tuple(dim for dim in along if dim not in moving)
    lead = tuple(dim for dim in along if dim in moving)
    sizes = tuple(array.sizes[dim] for dim in lead)
    shape = tuple(array.sizes[dim] for dim in dims)
    common = xr.broadcast(*(array[axis].drop_vars(list(array[axis].coords)) for axis in variables))
    like = xr.DataArray(np.empty((*sizes, *shape), dtype=bool), dims=(*lead, *dims))
    columns = tuple(
        np.asarray(one.broadcast_like(like).transpose(*lead, *dims).values, dtype=np.float64).reshape(
            *sizes, math.prod(shape)
        )
        for one in common
    )
    return Place(dims, shape, columns, False, lead, variables)


def require_numbers(name: str, values: Any) -> None:
    """Raise `RomTypeError` unless an array or a coordinate holds real numbers."""
    if values.dtype.kind not in NUMBERS:
        raise RomTypeError(f"{name} must hold numbers to be a position, got {values.dtype}")


def place_asked_for(at: Any, space: FunctionSpace) -> Place:
    """Return the positions that the argument `at` of a model asks for.

    Parameters
    ----------
    at : mapping of str to array
        Positions along each axis. Arrays ``(P_i,)`` span a grid, and numbers are axes of one point. DataArrays that share their
        dimensions are points along these, as in xarray's ``interp``.
    space : FunctionSpace
        The domain.

    Returns
    -------
    Place
        A grid, or points that do not move.

    Raises
    ------
    RomTypeError
        If `at` is not a mapping, or positions are not numbers.
    RomValueError
        If an axis is unknown or missing, or positions lie outside of the domain.
    """
    if not isinstance(at, Mapping | xr.Dataset):
        raise RomTypeError(f"at must map axes to positions, as {{{space.names[0]!r}: [0.5]}}, got {type(at).__name__}")
    for axis in at:
        if axis not in space.names:
            raise RomValueError(f"at: unknown axis {axis!r}; {nearest(str(axis), space.names)}")
    for axis in space.names:
        if axis not in at:
            raise RomValueError(
                f"at: positions along {axis!r} are missing; the model has the axes {', '.join(space.names)}"
            )
    columns = {axis: column_asked_for(axis, at[axis]) for axis in space.names}
    dims = list(dict.fromkeys(str(dim) for column in columns.values() for dim in column.dims))
    sizes = {str(dim): n for column in columns.values() for dim, n in column.sizes.items()}
    values = xr.DataArray(np.empty([sizes[dim] for dim in dims], dtype=bool), dims=dims)
    if all(column.dims == (axis,) for axis, column in columns.items()):
        dims = list(space.names)
    place = place_of("at", values.transpose(*dims).assign_coords(columns), space.names, moving=())
    for axis, column in zip(space.axes, place.columns, strict=True):
        with prefix_errors("at"):
            axis.inside(column)
    return place


def column_asked_for(axis: str, given: Any) -> xr.DataArray:
    """Return the positions along one axis that `at` asks for, without coordinates of their own."""
    if not isinstance(given, xr.DataArray):
        values = to_numpy(given)
        require_numbers(f"at[{axis!r}]", values)
        if values.ndim > 1:
            raise RomValueError(
                f"at[{axis!r}] has shape {values.shape}; pass one axis of a grid, or points as DataArrays with common dims"
            )
        given = xr.DataArray(values.reshape(-1), dims=axis)
    require_numbers(f"at[{axis!r}]", given)
    if given.size == 0:
        raise RomValueError(f"at[{axis!r}] is empty; pass at least one position")
    return given.drop_vars(list(given.coords))


def checked_period(name: str, period: Any) -> float | None:
    """Return the attribute `period` of a coordinate. Raise `RomValueError` if it is not a length."""
    if period is None:
        return None
    if not isinstance(period, int | float | np.number) or not 0 < float(period) < np.inf:
        raise RomValueError(f"{name}.attrs['period'] must be a positive number, got {period!r}")
    return float(period)
