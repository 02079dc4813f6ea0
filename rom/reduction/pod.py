"""Centring, scaling and proper orthogonal decomposition (POD) of states.

States are mapped to r POD coordinates w = V^T ((x - mean) / unit) / scale, derivatives to V^T ((dx/dt) / unit) / scale: a
shift must never touch a derivative. The unit of a component is 1, or the spread of the field that it belongs to, so that
pascals do not drown kelvins. All networks then act on r numbers instead of n, so that the cost of a training step does not
grow with n (Benner, Gugercin & Willcox 2015, SIAM Review 57, sec. 3).
"""

from __future__ import annotations

import logging

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["Projection", "fit_projection", "truncated"]

log = logging.getLogger("rom")

ROUNDING = 1e-15  # of a Gram matrix: directions with less of the variance are none of the data's
MAX_SNAPSHOTS = 4096  # enough for any rank used here; bounds the memory and the time of the eigenproblem


class Projection(nn.Module):
    """The affine map between flat states x (..., n) and POD coordinates w (..., r).

    Attributes: `mean` (n,), `unit` (n,) of each component, `basis` V (n, r) with orthonormal columns, `scale` (), and
    `lost_energy`, the share of the variance of the snapshots, in these units, that V does not hold.
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
        """One of the right shapes, to be filled from a file."""
        return Projection(torch.zeros(n_states), torch.zeros(n_states, rank), torch.zeros(()))

    @property
    def rank(self) -> int:
        return self.basis.shape[1]

    def project(self, states: Tensor) -> Tensor:
        """w = V^T ((x - mean) / unit) / scale: (..., n) to (..., r)."""
        return (states - self.mean) / self.unit @ self.basis / self.scale

    def project_derivative(self, time_derivatives: Tensor) -> Tensor:
        """dw/dt = V^T ((dx/dt) / unit) / scale: (..., n) to (..., r). Not shifted."""
        return time_derivatives / self.unit @ self.basis / self.scale

    def lift(self, coordinates: Tensor) -> Tensor:
        """x = mean + unit scale V w: (..., r) to (..., n)."""
        return self.mean + self.unit * (self.scale * (coordinates @ self.basis.T))

    def share_kept(self, time_derivatives: Tensor) -> tuple[float, float]:
        """Squares of derivatives (m, n) in the units of their components: those that V holds, and all."""
        kept = torch.linalg.vector_norm(self.project_derivative(time_derivatives)) * self.scale
        return float(kept) ** 2, float(torch.linalg.vector_norm(time_derivatives / self.unit)) ** 2

    def of_units(self, unit: np.ndarray) -> Projection:
        """That of states in other units (n,), where this one is that of x / unit."""
        own = torch.from_numpy(unit)
        return Projection(self.mean * own, self.basis, self.scale, self.lost_energy, unit=own)


def fit_projection(snapshots: np.ndarray, tolerance: float, min_rank: int, max_rank: int) -> Projection:
    """POD of `snapshots` (N, n): the smallest rank that loses at most `tolerance` of their variance.

    The rank is kept between `min_rank` and `max_rank`, and never exceeds min(N, n) or the directions that the data
    span. Where all n coordinates are asked for (`min_rank`, the latent dimension) the basis is the identity: a
    rotation would only cost time. With fewer latent states it is not, even at rank n: the encoder takes the first d
    coordinates, which must hold the most energy.
    Computed in float64 from the smaller of the two Gram matrices.
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
    """The projection onto the first of the directions `basis` (n, k), by the rules of `fit_projection`.

    `variance` (k,) is that along each of them, decreasing; `total` that of the `n_snapshots` snapshots, `mean` (n,) theirs.
    """
    n_states = len(mean)
    total = max(total, np.finfo(float).tiny)
    lost = 1.0 - np.cumsum(variance) / total
    spanned = max(1, int((variance > ROUNDING * variance[0]).sum()))
    rank = int(np.searchsorted(-lost, -tolerance)) + 1
    rank = min(max(rank, min_rank), max_rank, n_snapshots, n_states, spanned)
    if rank > int(np.searchsorted(-lost, -tolerance)) + 1:
        log.info("POD rank raised to %d, the latent dimension asked for", rank)
    scale = np.sqrt(max(variance[0], np.finfo(float).tiny)) if variance[0] > 0 else 1.0
    lost_energy = max(float(lost[rank - 1]), 0.0) if rank < n_states else 0.0
    basis = np.eye(n_states) if min_rank >= rank == n_states else basis[:, :rank]
    return Projection(*(torch.tensor(a) for a in (mean, basis, scale)), lost_energy=lost_energy)


def principal_directions(centred: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Variances, decreasing, and at least the first `most` orthonormal directions (n, k) of centred snapshots (N, n).

    Of thousands of snapshots a few hundred directions are kept; to make all of them orthogonal would take most of the time.
    """
    n_snapshots, n_states = centred.shape
    if n_states <= n_snapshots:
        variance, directions = np.linalg.eigh(centred.T @ centred / n_snapshots)
        return np.clip(variance[::-1], 0.0, None), directions[:, ::-1].copy()
    variance, weights = np.linalg.eigh(centred @ centred.T / n_snapshots)
    directions, _ = np.linalg.qr(centred.T @ weights[:, ::-1][:, :most])
    return np.clip(variance[::-1], 0.0, None), directions
