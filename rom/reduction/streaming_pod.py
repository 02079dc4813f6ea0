"""Proper orthogonal decomposition of more snapshots than memory holds, in one pass.

The snapshots seen so far are kept as their mean and a factor F (k, n) of few rows, the square root of their scatter:
F^T F = sum (x - mean)(x - mean)^T, up to what was cut off. New ones are written below F; when there are as many of them
as F has rows, the small Gram matrix of both is diagonalised and what carries no energy is cut off: the incremental
singular value decomposition (Baker, Gallivan & Van Dooren 2012, Linear Algebra Appl. 436), with the mean carried along
as by Chan, Golub & LeVeque (1983, Am. Stat. 37). The energy cut off is counted, and stays below a hundredth of the
tolerance unless there are more directions than may be kept. On data whose energy decays slowly this loses less than a
randomised range finder (Halko, Martinsson & Tropp 2011, SIAM Rev. 53) or a random sample of snapshots that take the
same memory, and it needs one pass: tests/rom/test_pod.py compares them.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import scipy.linalg

from rom.reduction.pod import ROUNDING, Projection, truncated

__all__ = ["Scatter", "streamed_projection"]

MARGIN = 1e-2  # of the tolerance that may be cut off on the way
BLOCK_BYTES = 64 * 2**20  # of new snapshots at a time, in float64
SPARE = 64  # directions kept beyond the largest rank, for what becomes important later
MOST_ROWS = 512  # added at a time, where F has fewer rows: the eigenproblem grows with their cube
SHORT = 1024  # states with no more numbers than this have an eigenproblem of their own size: a block is added at a time


class Scatter:
    """Mean (n,), energy and factor F (k, n) of the snapshots that were added.

    `energy` is the exact sum of the squares of x - mean; F holds all but `cut` of it, in at most `most` rows. `cut` is at
    most `tolerance * energy` as long as `most` rows are enough. Memory: 3 k rows of n numbers, or 2 k and a block
    where these are more.
    """

    def __init__(self, n_states: int, tolerance: float, most: int, block_bytes: int = BLOCK_BYTES):
        self.tolerance, self.most, self.block_bytes = tolerance, most, block_bytes
        self.count, self.energy, self.cut = 0, 0.0, 0.0
        self.mean = np.zeros(n_states)
        self._rank, self._filled = 0, 0  # rows of F, and of these and new ones
        self._rows = np.empty((self._wanted(), n_states))

    def _wanted(self) -> int:
        """Rows of F and of what is added to it at a time."""
        at_a_time = self.block_bytes // self.mean.nbytes
        if len(self.mean) > SHORT:
            at_a_time = min(at_a_time, MOST_ROWS)
        return self._rank + max(at_a_time, self._rank, 2)

    def add(self, states: np.ndarray) -> None:
        """Add `states` (m, n)."""
        while len(states):
            if self._filled + 2 > len(self._rows):
                self.compress()
            some = states[: len(self._rows) - self._filled - 1]  # one more row is that of the mean
            self._append(some)
            states = states[len(some) :]

    def _append(self, states: np.ndarray) -> None:
        mean, m = states.mean(axis=0), len(states)
        new = self._rows[self._filled : self._filled + m + 1]
        np.subtract(states, mean, out=new[:m])
        shift = mean - self.mean
        total = self.count + m
        np.multiply(shift, np.sqrt(self.count * m / total), out=new[m])
        self.mean += shift * (m / total)
        self.count = total
        self.energy += float(np.vdot(new, new))
        self._filled += m + 1

    def compress(self) -> np.ndarray:
        """Make the rows orthogonal, the longest first, and cut off what need not be kept. Returns their squares (k,)."""
        rows = self._rows[: self._filled]
        few = len(rows) <= len(self.mean)
        squares, vectors = np.linalg.eigh(rows @ rows.T if few else rows.T @ rows)
        squares, vectors = np.clip(squares[::-1], 0.0, None), vectors[:, ::-1]
        allowed = self.tolerance * self.energy - self.cut
        tails = np.concatenate([np.cumsum(squares[::-1])[::-1], [0.0]])  # energy from the k-th row on
        needed = int(np.argmax(tails <= max(allowed, 0.0)))
        spanned = int((squares > ROUNDING * squares[0]).sum())
        self._rank = self._filled = max(1, min(needed, spanned, self.most))
        self.cut += float(tails[self._rank])
        kept = vectors[:, : self._rank].T
        kept = kept @ rows if few else np.sqrt(squares[: self._rank, None]) * kept
        if self._wanted() != len(self._rows):
            del rows
            self._rows = np.empty((0, 0))  # before there is another of its size
            self._rows = np.empty((self._wanted(), len(self.mean)))
        self._rows[: self._rank] = kept
        return squares[: self._rank]

    def principal(self) -> tuple[np.ndarray, np.ndarray]:
        """Variances (k,), decreasing, and orthonormal directions (n, k). The scatter can take no more states then."""
        squares = self.compress()
        rows, self._rows = self._rows[: self._rank], np.empty((0, 0))
        # Orthogonal up to rounding, which is much for the short ones. In place: rows.T is in Fortran's order.
        directions = scipy.linalg.qr(rows.T, overwrite_a=True, mode="economic", check_finite=False)[0]
        return squares / self.count, np.asarray(directions)


def streamed_projection(
    blocks: Iterable[np.ndarray],
    n_states: int,
    tolerance: float,
    min_rank: int,
    max_rank: int,
    block_bytes: int = BLOCK_BYTES,
) -> tuple[Projection, np.ndarray]:
    """POD of `blocks` of snapshots (m, n) that need not be in memory together: `fit_projection` in one pass.

    Returns the projection, and the standard deviations (r,) of the coordinates. Its `lost_energy` is that of all
    snapshots, or at most a hundredth of `tolerance` more; where more than `max_rank` directions carry energy it is an upper
    bound. Memory as in `Scatter`, with at most `max_rank` + 64 rows.
    """
    scatter = Scatter(n_states, MARGIN * tolerance, min(n_states, max(min_rank, max_rank) + SPARE), block_bytes)
    for block in blocks:
        scatter.add(block)
    variance, directions = scatter.principal()
    projection = truncated(
        scatter.mean, variance, directions, scatter.energy / scatter.count, scatter.count, tolerance, min_rank, max_rank
    )
    along = projection.basis.numpy().T @ directions  # the identity, unless the basis is
    return projection, np.sqrt(np.square(along) @ variance)
