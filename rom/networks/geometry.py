"""What a network that acts on a field is told of it: how many values there are at a point, and where the points lie."""

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
    """The points of a field.

    channels: number of values at each point. shape: points along each axis of the grid; (n_nodes,) of a mesh.
    axes: names of the axes, one for each of `shape`.
    positions (n_points, k): where the points lie, in the order of the flat grid; None where the data do not say.
    periods (k,): the period along each direction, None where there is none.
    state_order (n,): which component of the flat state each value of the field (channels, *shape) is; None for the same order.
    """

    channels: int
    shape: tuple[int, ...]
    axes: tuple[str, ...]
    positions: np.ndarray | None = None
    periods: tuple[float | None, ...] = ()
    state_order: np.ndarray | None = None

    @property
    def n_points(self) -> int:
        return int(np.prod(self.shape, dtype=int))

    @property
    def order(self) -> np.ndarray:
        """`state_order`, written out."""
        return np.arange(self.channels * self.n_points) if self.state_order is None else self.state_order


def geometry_of(layout: Layout) -> Geometry:
    """The field that a state is: over all dimensions without text labels, with the rest as channels.

    Variables of one state are further channels, and need the same dimensions. Raises `RomValueError` where they differ, or where
    a state has no such dimension.
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
    """Positions (n_points, k) and periods (k,) by the numeric coordinates of the axes; None where one has none.

    Of a single axis without a coordinate of its own name, or with one that only counts, such as the nodes of a mesh, the other
    coordinates along it (x, y) tell the positions. Raises `RomValueError` for a period that is no length.
    """
    numeric = {name: c for name, c in layout.coords.items() if not is_text(c)}

    def period_of(name: str) -> float | None:
        return checked_period(f"network: the coordinate {name!r}", numeric[name]["attrs"].get("period"))

    own = [c if (c := numeric.get(axis)) is not None and tuple(c["dims"]) == (axis,) else None for axis in axes]
    if len(axes) == 1 and (own[0] is None or counts(own[0])):
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


def counts(coordinate: dict[str, Any]) -> bool:
    """Whether a coordinate of a layout is 0, 1, 2, ..., and says nothing of space."""
    return np.array_equal(coordinate["data"], np.arange(len(coordinate["data"])))


def is_text(coordinate: dict[str, Any] | None) -> bool:
    """Whether a coordinate of a layout holds labels and not numbers."""
    return coordinate is not None and np.dtype(coordinate.get("dtype", "float64")).kind not in "iuf"
