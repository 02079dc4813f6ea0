"""Latent states as points: those of data, the coordinates that matter, and the region they lie in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.spatial import ConvexHull, QhullError

from rom.models.autoencoder import Autoencoder
from rom.models.latent_quality import as_array, flat_decoder, of_trajectories, units_of
from rom.models.reduced_order_model import ReducedOrderModel
from rom.utils.errors import RomValueError

__all__ = [
    "DENSE",
    "Model",
    "cloud_of",
    "decoded_flat",
    "drawn",
    "encoded",
    "hull_of",
    "important",
    "largest",
    "mesh_of",
    "plane_of",
    "region_of",
    "require_enough",
    "symbol",
]

Model = ReducedOrderModel | Autoencoder

FEWEST_STATES = 3
MOST_POINTS = 5000  # that are drawn of a cloud
MOST_DECODED = 500  # latent states, to tell which coordinates matter
MARGIN = 0.05  # of the width of the data, around them
DENSE = 121  # points along a line of a manifold, and of a vector field
MESH = 13  # lines of a surface in each direction


def cloud_of(model: Model, states: Any) -> np.ndarray:
    """Latent states (N, d) of states with any leading axes."""
    values = encoded(model, states)
    return values.reshape(-1, values.shape[-1])


def encoded(model: Model, states: Any) -> np.ndarray:
    """Latent states (..., d) in float64."""
    return as_array(model.encode(of_trajectories(states))).astype(np.float64)


def require_enough(cloud: np.ndarray) -> np.ndarray:
    if len(cloud) < FEWEST_STATES:
        raise RomValueError(f"{len(cloud)} states are too few for a picture; pass at least {FEWEST_STATES}")
    if not np.isfinite(cloud).all():
        first = int(np.argmin(np.isfinite(cloud).all(axis=1)))
        raise RomValueError(f"latent state {first} is not finite; leave such states out")
    return cloud


def drawn(count: int) -> np.ndarray:
    """Positions of the states that are drawn, at random where there are too many, in random order: none hides the others."""
    return np.random.default_rng(0).permutation(count)[:MOST_POINTS]


def symbol(k: int) -> str:
    return f"$z_{{{k}}}$"


def largest(cloud: np.ndarray, count: int) -> list[int]:
    """The coordinates of largest variance, in their own order."""
    return sorted(np.argsort(-cloud.var(axis=0), kind="stable")[:count].tolist())


def important(model: Model, cloud: np.ndarray) -> list[int]:
    """The two coordinates without which decoded states change most, in their own order."""
    if cloud.shape[1] != model.latent_dim:
        raise RomValueError(f"latent has {cloud.shape[1]} coordinates, those of the model are {model.latent_dim}")
    some = cloud[drawn(len(cloud))[:MOST_DECODED]]
    states = decoded_flat(model, some)
    unit = units_of(states, model._layout.field_groups)
    changes = []
    for k in range(cloud.shape[1]):
        without = some.copy()
        without[:, k] = cloud[:, k].mean()
        changes.append(float(np.square((decoded_flat(model, without) - states) / unit).sum()))
    return sorted(np.argsort(-np.array(changes), kind="stable")[:2].tolist())


def plane_of(cloud: np.ndarray, axes: Any) -> tuple[int, int]:
    """The two coordinates that span a picture."""
    d = cloud.shape[1]
    if axes is None:
        i, j = largest(cloud, 2)
        return i, j
    chosen = np.asarray(axes)
    if chosen.shape != (2,) or chosen.dtype.kind not in "iu" or chosen[0] == chosen[1]:
        raise RomValueError(f"axes must be two different latent coordinates, as (0, 1), got {axes!r}")
    if chosen.min() < 0 or chosen.max() >= d:
        raise RomValueError(f"axes is {axes!r}; this latent space has coordinates 0 to {d - 1}")
    return int(chosen[0]), int(chosen[1])


def decoded_flat(model: Model, latent: np.ndarray) -> np.ndarray:
    """Flat states (N, n); of a model in a function space, coefficients."""
    return as_array(flat_decoder(model)(torch.from_numpy(latent)))


def hull_of(plane: np.ndarray) -> np.ndarray:
    """The corners of the convex hull of points (N, 2), a little widened: (K, 2)."""
    try:
        corners = plane[ConvexHull(plane / positive_width(plane)).vertices]
    except QhullError:  # on a line
        low, high = plane.min(axis=0), plane.max(axis=0)
        corners = np.array([[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]])
        corners = corners + MARGIN * positive_width(plane) * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    centre = corners.mean(axis=0)
    return centre + (1.0 + MARGIN) * (corners - centre)


def positive_width(plane: np.ndarray) -> np.ndarray:
    width = np.ptp(plane, axis=0)
    return np.where(width > 0, width, max(float(width.max()), 1e-300) if width.any() else 1.0)


def region_of(plane: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Whether points (K, 2) lie in the hull of the data (N, 2)."""
    corners = hull_of(plane)
    following = np.roll(corners, -1, axis=0) - corners

    def contains(points: np.ndarray) -> np.ndarray:
        offset = points[:, None] - corners
        cross = following[:, 0] * offset[..., 1] - following[:, 1] * offset[..., 0]
        return np.asarray((cross >= 0).all(axis=1))

    return contains


def mesh_of(latent: np.ndarray) -> list[np.ndarray]:
    """Lines (K, d) in the latent space over the region of the data (N, d): one of a single coordinate, else a mesh."""
    centre = latent.mean(axis=0)
    if latent.shape[1] == 1:
        return [np.linspace(latent.min(), latent.max(), DENSE)[:, None]]
    i, j = largest(latent, 2)
    plane = latent[:, [i, j]]
    inside = region_of(plane)
    low, high = plane.min(axis=0), plane.max(axis=0)
    lines: list[np.ndarray] = []
    for along, other in ((0, 1), (1, 0)):
        for level in np.linspace(low[other], high[other], MESH):
            points = np.empty((DENSE, 2))
            points[:, along], points[:, other] = np.linspace(low[along], high[along], DENSE), level
            kept = points[inside(points)]  # one piece: the region is convex
            if len(kept) > 1:
                line = np.repeat(centre[None], len(kept), axis=0)
                line[:, [i, j]] = kept
                lines.append(line)
    return lines
