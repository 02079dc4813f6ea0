"""Geometry of fields, for networks that act on them: values at a point, and positions of the points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rom.data.fields import slices_of
from rom.data.layout import Layout
from rom.data.positions import checked_period
from rom.utils.errors import RomValueError

__all__ = ["Geometry", "geometry_of"]


@dataclass(frozen=True)
class Geometry:
    """Points of a field.

    Attributes
    ----------
    channels : int
        Number of values at each point.
    shape : tuple of int
        Number of points along each axis of a grid; (n_nodes,) for a mesh.
    axes : tuple of str
        Names of the axes.
    positions : numpy.ndarray, shape (n_points, k), or None
        Positions of the points, in the order of the flat grid; None if the data have none.
    periods : tuple of float or None
        Period along each of the k directions, or None.
    state_order : numpy.ndarray of int, shape (n,), or None
        Component of the flat state for each value of the field (channels, *shape); None for the same order.
    """

    channels: int
    shape: tuple[int, ...]
    axes: tuple[str, ...]
    positions: np.ndarray | None = None
    periods: tuple[float | None, ...] = ()
    state_order: np.ndarray | None = None

    @property
    def n_points(self) -> int:
        """Number of points."""
        return int(np.prod(self.shape, dtype=int))

    @property
    def order(self) -> np.ndarray:
        """The array `state_order`, also if it is None."""
        return np.arange(self.channels * self.n_points) if self.state_order is None else self.state_order


def geometry_of(layout: Layout) -> Geometry:
    """Return the geometry of states: all dimensions without text labels are axes, the others are channels.

    The variables of a state are further channels.

    Raises
    ------
    RomValueError
        If variables differ in their dimensions, or if a state has no dimension without text labels.
    """
    parts = layout.parts
    first = parts[0]
    for part in parts[1:]:
        if (part.dims, part.shape) != (first.dims, first.shape):
            raise RomValueError(
                f"network: {part.name!r} lies on {part.dims} {part.shape} and {first.name!r} on {first.dims} {first.shape}; a "
                "network on fields needs all of them at the same points: interpolate them, or use the default network"
            )
    axes = [dim for dim in first.dims if not is_text(layout.coords.get(dim))]
    if not axes:
        raise RomValueError(f"network: a state has no dimension of space among {first.dims}; use the default network")
    within = [k for k, dim in enumerate(first.dims) if dim not in axes]
    along = [first.dims.index(axis) for axis in axes]
    shape = tuple(first.shape[k] for k in along)
    order = np.concatenate(
        [
            np.arange(where.start, where.stop).reshape(first.shape).transpose(*within, *along).reshape(-1, *shape)
            for where in slices_of(parts)
        ]
    )
    positions, periods = positions_of(layout, tuple(axes), shape)
    return Geometry(len(order), shape, tuple(axes), positions, periods, order.ravel())


def positions_of(
    layout: Layout, axes: tuple[str, ...], shape: tuple[int, ...]
) -> tuple[np.ndarray | None, tuple[float | None, ...]]:
    """Return positions (n_points, k) and periods (k,) by the numeric coordinates of the axes.

    A single axis, such as the nodes of a mesh, may have no coordinate of its own name, or one that only numbers its points.
    Then the other coordinates along it, such as x and y, are the positions. Positions are None if an axis has no coordinate.

    Raises
    ------
    RomValueError
        If a period is not a positive number.
    """
    numeric = {name: c for name, c in layout.coords.items() if not is_text(c)}

    def period_of(name: str) -> float | None:
        return checked_period(f"network: the coordinate {name!r}", numeric[name]["attrs"].get("period"))

    own = [c if (c := numeric.get(axis)) is not None and tuple(c["dims"]) == (axis,) else None for axis in axes]
    if len(axes) == 1 and (own[0] is None or is_numbering(own[0])):
        along = [name for name, c in numeric.items() if tuple(c["dims"]) == axes and name != axes[0]]
        if along:
            values = np.stack([np.asarray(numeric[name]["data"], dtype=float) for name in along], axis=1)
            return values, tuple(map(period_of, along))
    periods = tuple(None if c is None else period_of(axis) for axis, c in zip(axes, own, strict=True))
    known = [np.asarray(c["data"], dtype=float) for c in own if c is not None]
    if len(known) < len(axes):
        return None, periods
    values = np.stack(np.meshgrid(*known, indexing="ij"), axis=-1).reshape(int(np.prod(shape)), len(axes))
    return values, periods


def is_numbering(coordinate: dict[str, Any]) -> bool:
    """Return whether a coordinate of a layout is 0, 1, 2, ..., and therefore no position in space."""
    return np.array_equal(coordinate["data"], np.arange(len(coordinate["data"])))


def is_text(coordinate: dict[str, Any] | None) -> bool:
    """Return whether a coordinate of a layout holds labels and not numbers."""
    return coordinate is not None and np.dtype(coordinate.get("dtype", "float64")).kind not in "iuf"
