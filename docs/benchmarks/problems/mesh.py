"""Heat from a hot spot on a disc with a cold hole, by linear finite elements on a mesh of triangles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse
import xarray as xr
from scipy.spatial import Delaunay

import systems

HOLE, HOLE_RADIUS = np.array([0.25, 0.1]), 0.25  # in a disc of radius one around the origin
DIFFUSIVITY = 0.05
WIDTH = 0.12  # of a hot spot
TIMES = np.linspace(0.0, 2.0, 41)


@dataclass(frozen=True)
class Mesh:
    """Positions (n, 2) of nodes, triangles (m, 3) of node numbers, and whether a node is on the hole's rim (n,)."""

    positions: np.ndarray
    triangles: np.ndarray
    cooled: np.ndarray


def disc_with_hole(spacing: float) -> Mesh:
    """Return a mesh with nodes about `spacing` apart.

    Rings of nodes lie along both rims, and rows of equilateral triangles between them.
    """
    rows = np.arange(-1.0, 1.0, spacing * np.sqrt(0.75))
    lattice = np.array(
        [(x + 0.5 * spacing * (k % 2), y) for k, y in enumerate(rows) for x in np.arange(-1.0, 1.0, spacing)]
    )
    inside = np.linalg.norm(lattice, axis=1) < 1.0 - 0.6 * spacing
    outside = np.linalg.norm(lattice - HOLE, axis=1) > HOLE_RADIUS + 0.6 * spacing
    rim, hole = ring(1.0, spacing), HOLE + ring(HOLE_RADIUS, spacing)
    positions = np.concatenate([lattice[inside & outside], rim, hole])
    triangles = Delaunay(positions).simplices
    middle = positions[triangles].mean(axis=1)
    triangles = triangles[np.linalg.norm(middle - HOLE, axis=1) > HOLE_RADIUS]
    cooled = np.arange(len(positions)) >= len(positions) - len(hole)
    return Mesh(positions, triangles, cooled)


def ring(radius: float, spacing: float) -> np.ndarray:
    """Return evenly spaced points (k, 2) on a circle."""
    count = round(2 * np.pi * radius / spacing)
    angle = 2 * np.pi * np.arange(count) / count
    return radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def rates_matrix(mesh: Mesh) -> sparse.csr_array:
    """Return the matrix A of u' = A u by linear elements with lumped mass.

    The outer rim insulates; nodes of the hole stay at zero.
    """
    corners = mesh.positions[mesh.triangles]  # (m, 3, 2)
    opposite = np.roll(corners, -1, axis=1) - np.roll(corners, 1, axis=1)  # the edge opposite of each corner
    area = 0.5 * np.abs(np.linalg.det(corners[:, 1:] - corners[:, :1]))
    local = np.einsum("mik,mjk->mij", opposite, opposite) / (4 * area)[:, None, None]
    i = np.broadcast_to(mesh.triangles[:, :, None], local.shape)
    j = np.broadcast_to(mesh.triangles[:, None, :], local.shape)
    n = len(mesh.positions)
    stiffness = sparse.coo_array((local.ravel(), (i.ravel(), j.ravel())), shape=(n, n)).tocsr()
    mass = np.bincount(mesh.triangles.ravel(), weights=np.repeat(area / 3, 3), minlength=n)
    free = np.where(mesh.cooled, 0.0, 1.0)
    return (-DIFFUSIVITY * sparse.diags_array(free / mass) @ stiffness @ sparse.diags_array(free)).tocsr()


def hot_spots(mesh: Mesh, n: int, seed: int) -> np.ndarray:
    """Return temperatures (n, nodes) with one hot spot each, anywhere but near the rims."""
    rng, centres = np.random.default_rng(seed), np.empty((n, 2))
    for k in range(n):  # the i-th depends on (seed, i) alone
        while True:
            centre = rng.uniform(-0.85, 0.85, 2)
            if np.linalg.norm(centre) < 0.85 and np.linalg.norm(centre - HOLE) > HOLE_RADIUS + 0.15:
                break
        centres[k] = centre
    square = np.square(mesh.positions - centres[:, None]).sum(axis=2)
    return np.where(mesh.cooled, 0.0, np.exp(-square / (2 * WIDTH**2)))


def system(mesh: Mesh) -> systems.System:
    """Return the heat equation on a mesh as a system."""
    matrix = rates_matrix(mesh)

    def rates(x: np.ndarray) -> np.ndarray:
        return (matrix @ x.T).T

    return systems.from_rhs(
        rates, len(mesh.positions), dims=("node",), batched=True, sampler=lambda n, seed: hot_spots(mesh, n, seed)
    )


def placed(data: xr.Dataset, mesh: Mesh) -> xr.Dataset:
    """Return the Dataset with the positions of the nodes as coordinates x(node) and y(node)."""
    return data.assign_coords({name: ("node", mesh.positions[:, k]) for k, name in enumerate("xy")})
