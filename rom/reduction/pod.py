"""Centring, scaling and proper orthogonal decomposition (POD) of states.

States are mapped to r POD coordinates w = V^T ((x - mean) / unit) / scale, and time derivatives to V^T ((dx/dt) / unit)
/ scale, without the mean. The unit of a component is 1, or the spread of its field, so that pascals do not outweigh
kelvins. All networks act on r numbers instead of n, so that the cost of a training step does not grow with n.

References
----------
P. Benner, S. Gugercin, K. Willcox, "A survey of projection-based model reduction methods for parametric dynamical
systems", SIAM Rev. 57 (2015) 483-531.
"""

from __future__ import annotations

import logging

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["Projection", "fit_projection", "truncated"]

log = logging.getLogger("rom")

# Directions with less than this share of the largest variance are rounding errors of the Gram matrix.
ROUNDING = 1e-15

# Snapshots that the basis is computed from. They suffice for any rank used here, and bound memory and time.
MAX_SNAPSHOTS = 4096


class Projection(nn.Module):
    """The affine map between flat states and POD coordinates.

    States x have the shape ``(..., n)``, POD coordinates w ``(..., r)``.

    Attributes
    ----------
    mean : torch.Tensor
        Mean of the snapshots, ``(n,)``.
    unit : torch.Tensor
        Unit of each component, ``(n,)``.
    basis : torch.Tensor
        V, with orthonormal columns, ``(n, r)``.
    scale : torch.Tensor
        Standard deviation of the snapshots along the first column, ``()``.
    lost_energy : float
        Share of the variance of the snapshots, in these units, that V does not span.
    """

    mean: Tensor
    basis: Tensor
    scale: Tensor
    unit: Tensor

    def __init__(
        self, mean: Tensor, basis: Tensor, scale: Tensor, lost_energy: float = 0.0, unit: Tensor | None = None
    ):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("unit", torch.ones_like(mean) if unit is None else unit)
        self.register_buffer("basis", basis)
        self.register_buffer("scale", scale)
        self.lost_energy = lost_energy

    @staticmethod
    def empty(n_states: int, rank: int) -> Projection:
        """Return a projection of the right shapes, to be filled from a file."""
        return Projection(torch.zeros(n_states), torch.zeros(n_states, rank), torch.zeros(()))

    @property
    def rank(self) -> int:
        """Number r of POD coordinates."""
        return self.basis.shape[1]

    def project(self, states: Tensor) -> Tensor:
        """Return w = V^T ((x - mean) / unit) / scale, ``(..., n)`` to ``(..., r)``."""
        return (states - self.mean) / self.unit @ self.basis / self.scale

    def project_derivative(self, time_derivatives: Tensor) -> Tensor:
        """Return dw/dt = V^T ((dx/dt) / unit) / scale, ``(..., n)`` to ``(..., r)``."""
        return time_derivatives / self.unit @ self.basis / self.scale

    def lift(self, coordinates: Tensor) -> Tensor:
        """Return x = mean + unit scale V w, ``(..., r)`` to ``(..., n)``."""
        return self.mean + self.unit * (self.scale * (coordinates @ self.basis.T))

    def share_kept(self, time_derivatives: Tensor) -> tuple[float, float]:
        """Return the sum of squares of derivatives in the span of V, and of all.

        The derivatives ``(m, n)`` are taken in units of their components.
        """
        kept = torch.linalg.vector_norm(self.project_derivative(time_derivatives)) * self.scale
        return float(kept) ** 2, float(torch.linalg.vector_norm(time_derivatives / self.unit)) ** 2

    def of_units(self, unit: np.ndarray) -> Projection:
        """Return the projection of states x, where this one is that of x / `unit`.

        `unit` has the shape ``(n,)``.
        """
        own = torch.from_numpy(unit)
        return Projection(self.mean * own, self.basis, self.scale, self.lost_energy, unit=own)


def fit_projection(snapshots: np.ndarray, tolerance: float, min_rank: int, max_rank: int) -> Projection:
    """Compute the POD of snapshots with the smallest sufficient rank.

    It is computed in float64 from the smaller of the two Gram matrices. If all n coordinates are asked for, the basis
    is the identity, because a rotation would only cost time. If there are fewer latent states than n, it is a rotation
    even at rank n: the encoder starts from the first d coordinates, which must hold the most energy.

    Parameters
    ----------
    snapshots : numpy.ndarray
        ``(N, n)``.
    tolerance : float
        Share of the variance that may be lost.
    min_rank, max_rank : int
        Bounds of the rank. `min_rank` is the latent dimension. The rank never exceeds min(N, n) or the number of
        dimensions that the data span.

    Returns
    -------
    Projection
    """
    snapshots = np.asarray(snapshots, dtype=np.float64)
    mean = snapshots.mean(axis=0)
    centred = snapshots - mean
    variance, basis = principal_directions(centred, max(min_rank, max_rank))
    return truncated(mean, variance, basis, float(variance.sum()), len(centred), tolerance, min_rank, max_rank)


def truncated(
    mean: np.ndarray,
    variance: np.ndarray,
    basis: np.ndarray,
    total: float,
    n_snapshots: int,
    tolerance: float,
    min_rank: int,
    max_rank: int,
) -> Projection:
    """Return the projection onto the first of the principal directions.

    The rank follows the rules of `fit_projection`.

    Parameters
    ----------
    mean : numpy.ndarray
        Mean of the snapshots, ``(n,)``.
    variance : numpy.ndarray
        Variance along each direction, ``(k,)``, decreasing.
    basis : numpy.ndarray
        Principal directions, ``(n, k)``.
    total : float
        Variance of the snapshots.
    n_snapshots : int
        Number of snapshots.
    tolerance, min_rank, max_rank
        As in `fit_projection`.
    """
    n_states = len(mean)
    total = max(total, np.finfo(float).tiny)
    lost = 1.0 - np.cumsum(variance) / total
    spanned = max(1, int((variance > ROUNDING * variance[0]).sum()))
    rank = int(np.searchsorted(-lost, -tolerance)) + 1
    rank = min(max(rank, min_rank), max_rank, n_snapshots, n_states, spanned)
    if rank > int(np.searchsorted(-lost, -tolerance)) + 1:
        log.info("POD rank raised to %d, the latent dimension", rank)
    scale = np.sqrt(max(variance[0], np.finfo(float).tiny)) if variance[0] > 0 else 1.0
    lost_energy = max(float(lost[rank - 1]), 0.0) if rank < n_states else 0.0
    basis = np.eye(n_states) if min_rank >= rank == n_states else basis[:, :rank]
    return Projection(*(torch.tensor(a) for a in (mean, basis, scale)), lost_energy=lost_energy)


def principal_directions(centred: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the principal directions of centred snapshots.

    Parameters
    ----------
    centred : numpy.ndarray
        ``(N, n)``.
    most : int
        Number of directions that are needed. Further ones are left out if n > N, because making thousands of them
        orthogonal would take most of the time.

    Returns
    -------
    variance : numpy.ndarray
        Variances along all directions, decreasing.
    directions : numpy.ndarray
        Orthonormal, ``(n, k)`` with k at least min(`most`, N, n).
    """
    n_snapshots, n_states = centred.shape
    if n_states <= n_snapshots:
        variance, directions = np.linalg.eigh(centred.T @ centred / n_snapshots)
        return np.clip(variance[::-1], 0.0, None), directions[:, ::-1].copy()
    variance, weights = np.linalg.eigh(centred @ centred.T / n_snapshots)
    directions, _ = np.linalg.qr(centred.T @ weights[:, ::-1][:, :most])
    return np.clip(variance[::-1], 0.0, None), directions
