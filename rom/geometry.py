"""What a network that acts on a field is told of it: how many values there are at a point, and where the points lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Geometry"]


@dataclass(frozen=True)
class Geometry:
    """The points of a field.

    channels: number of values at each point. shape: points along each axis of the grid; (n_nodes,) of a mesh.
    axes: names of the axes, one for each of `shape`.
    positions (n_points, k): where the points lie, in the order of the flat field; None where the data do not say.
    periods (k,): the period along each direction, None where there is none.
    """

    channels: int
    shape: tuple[int, ...]
    axes: tuple[str, ...]
    positions: np.ndarray | None = None
    periods: tuple[float | None, ...] = ()

    @property
    def n_points(self) -> int:
        return int(np.prod(self.shape, dtype=int))
