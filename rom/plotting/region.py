"""The region of a plane that data occupy: its convex hull, and lines through it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from rom.plotting.latent_states import largest_variance

__all__ = ["RESOLUTION", "convex_hull", "inside_hull", "mesh_lines"]

MARGIN = 0.05  # of the width of the data, by which the hull is widened
RESOLUTION = 121  # points along a line of a mesh, and along each side of a vector field
MESH_LINES = 13  # lines of a mesh in each direction
TINY = 1e-300


def convex_hull(points: np.ndarray) -> np.ndarray:
    """Return the corners of the convex hull of points in a plane, widened a little.

    Parameters
    ----------
    points : ndarray, (N, 2)
        Points may lie on a line; their hull is then a narrow rectangle.

    Returns
    -------
    ndarray, (K, 2)
        Corners in counterclockwise order.
    """
    width = positive_width(points)
    try:
        corners = points[ConvexHull(points / width).vertices]
    except QhullError:  # all points on a line
        low, high = points.min(axis=0), points.max(axis=0)
        corners = np.array([[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]])
        corners = corners + MARGIN * width * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    centre = corners.mean(axis=0)
    return centre + (1.0 + MARGIN) * (corners - centre)


def positive_width(points: np.ndarray) -> np.ndarray:
    """Return the extents (2,) of points (N, 2); a zero extent is replaced by the other one, or by 1."""
    width = np.ptp(points, axis=0)
    return np.where(width > 0, width, max(float(width.max()), TINY) if width.any() else 1.0)


def inside_hull(points: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function that tells which of some points (K, 2) lie in the hull of `points` (N, 2).

    It returns an array of bool (K,).
    """
    corners = convex_hull(points)
    edges = np.roll(corners, -1, axis=0) - corners

    def contains(others: np.ndarray) -> np.ndarray:
        offset = others[:, None] - corners
        cross = edges[:, 0] * offset[..., 1] - edges[:, 1] * offset[..., 0]
        return np.asarray((cross >= 0).all(axis=1))

    return contains


def mesh_lines(latent: np.ndarray) -> list[np.ndarray]:
    """Return lines through the region of latent states, along which one coordinate varies.

    Parameters
    ----------
    latent : ndarray, (N, d)

    Returns
    -------
    list of ndarray, (K, d) each
        One line if d is 1; otherwise a mesh over the two coordinates of largest variance, with the others at their
        means.
    """
    if latent.shape[1] == 1:
        return [np.linspace(latent.min(), latent.max(), RESOLUTION)[:, None]]
    centre = latent.mean(axis=0)
    i, j = largest_variance(latent, 2)
    plane = latent[:, [i, j]]
    inside = inside_hull(plane)
    low, high = plane.min(axis=0), plane.max(axis=0)
    lines: list[np.ndarray] = []
    for along, other in ((0, 1), (1, 0)):
        for level in np.linspace(low[other], high[other], MESH_LINES):
            points = np.empty((RESOLUTION, 2))
            points[:, along], points[:, other] = np.linspace(low[along], high[along], RESOLUTION), level
            kept = points[inside(points)]  # a single piece, because the region is convex
            if len(kept) > 1:
                line = np.repeat(centre[None], len(kept), axis=0)
                line[:, [i, j]] = kept
                lines.append(line)
    return lines
