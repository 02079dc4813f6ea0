"""POD of more snapshots than fit into memory, in one pass.

The snapshots seen so far are kept as their mean and a factor F of k rows of their scatter matrix: F^T F = sum (x -
mean)(x - mean)^T, up to the part that was cut off. New snapshots are appended to F. When there are as many of them as F
has rows, the Gram matrix of both is diagonalised, and directions without energy are cut off. This is the incremental
singular value decomposition of Baker et al., with the mean updated as by Chan et al. The energy that is cut off is
counted. It stays below a hundredth of the tolerance, unless there are more directions than may be kept.

If the energy decays slowly, this loses less than a randomised range finder (Halko et al.) or a random sample of
snapshots of the same memory, and it needs only one pass; ``tests/rom/reduction/test_streaming_pod.py`` compares them.

References
----------
- C. G. Baker, K. A. Gallivan, P. Van Dooren, "Low-rank incremental methods for computing dominant singular subspaces",
  Linear Algebra Appl. 436 (2012) 2866-2888.
- T. F. Chan, G. H. Golub, R. J. LeVeque, "Algorithms for computing the sample variance", Am. Stat. 37 (1983) 242-247.
- N. Halko, P.-G. Martinsson, J. A. Tropp, "Finding structure with randomness", SIAM Rev. 53 (2011) 217-288.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import scipy.linalg

from rom.reduction.pod import ROUNDING, Projection, truncated

__all__ = ["Scatter", "streamed_projection"]

CUT_SHARE = 1e-2  # of the tolerance, which may be cut off before the end
BLOCK_BYTES = 64 * 2**20  # of new snapshots that are appended at a time, in float64
SPARE_DIRECTIONS = 64  # kept beyond the largest rank, because they may become important later

# Rows appended at a time, unless F has more. The time of the eigenproblem grows with their cube. For states of at most
# `SHORT_STATE` numbers the eigenproblem has the size of a state, so that a whole block is appended.
MAX_NEW_ROWS = 512
SHORT_STATE = 1024


class Scatter:
    """Mean, energy and a factor of the scatter matrix of snapshots.

    The factor F has k rows of n numbers. Memory: 3 k rows of n numbers, or 2 k rows and a block if that is more.

    Parameters
    ----------
    n_states : int
        Numbers n of a state.
    tolerance : float
        Share of the energy that may be cut off as long as `most` rows suffice.
    most : int
        Largest number of rows k.
    block_bytes : int
        Size of the snapshots that are appended at a time.

    Attributes
    ----------
    count : int
        Number of snapshots.
    mean : numpy.ndarray
        ``(n,)``.
    energy : float
        Exact sum of the squares of x - mean.
    cut : float
        Part of the energy that F does not hold.
    """

    def __init__(self, n_states: int, tolerance: float, most: int, block_bytes: int = BLOCK_BYTES):
        self.tolerance, self.most, self.block_bytes = tolerance, most, block_bytes
        self.count, self.energy, self.cut = 0, 0.0, 0.0
        self.mean = np.zeros(n_states)
        self._rank, self._filled = 0, 0  # rows of F, and of these and new ones
        self._rows = np.empty((self._capacity(), n_states))

    def _capacity(self) -> int:
        """Return the number of rows of F and of the snapshots that are appended at a time."""
        at_a_time = self.block_bytes // self.mean.nbytes
        if len(self.mean) > SHORT_STATE:
            at_a_time = min(at_a_time, MAX_NEW_ROWS)
        return self._rank + max(at_a_time, self._rank, 2)

    def add(self, states: np.ndarray) -> None:
        """Add `states` of shape ``(m, n)``."""
        while len(states):
            if self._filled + 2 > len(self._rows):
                self.compress()
            block = states[: len(self._rows) - self._filled - 1]  # one row is left for the change of the mean
            self._append(block)
            states = states[len(block) :]

    def _append(self, states: np.ndarray) -> None:
        """Append states, and a row for the change of the mean (Chan et al. 1983).

        The states must fit into the free rows.
        """
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
        """Make the rows orthogonal and cut off those that need not be kept.

        Returns
        -------
        numpy.ndarray
            Squared lengths of the rows, ``(k,)``, decreasing.
        """
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
        if self._capacity() != len(self._rows):
            del rows
            self._rows = np.empty((0, 0))  # frees the memory before as much is allocated again
            self._rows = np.empty((self._capacity(), len(self.mean)))
        self._rows[: self._rank] = kept
        return squares[: self._rank]

    def principal(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the principal directions. No states can be added afterwards.

        Returns
        -------
        variance : numpy.ndarray
            ``(k,)``, decreasing.
        directions : numpy.ndarray
            Orthonormal, ``(n, k)``.
        """
        squares = self.compress()
        rows, self._rows = self._rows[: self._rank], np.empty((0, 0))
        # The rows are orthogonal only up to rounding, which matters for short ones. rows.T is in Fortran order: no
        # copy.
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
    """Compute the POD of snapshots that need not be in memory together, in one pass.

    Memory is that of `Scatter` with at most `max_rank` + 64 rows.

    Parameters
    ----------
    blocks : iterable of numpy.ndarray
        Snapshots, ``(m, n)`` each.
    n_states : int
        Numbers n of a state.
    tolerance, min_rank, max_rank
        As in `rom.reduction.pod.fit_projection`.
    block_bytes : int
        Size of the snapshots that are processed at a time.

    Returns
    -------
    projection : Projection
        Its `lost_energy` is that of all snapshots or at most a hundredth of `tolerance` more. If more than `max_rank`
        directions carry energy, it is an upper bound.
    deviations : numpy.ndarray
        Standard deviations of the coordinates, times the scale of the projection, ``(r,)``.
    """
    scatter = Scatter(
        n_states, CUT_SHARE * tolerance, min(n_states, max(min_rank, max_rank) + SPARE_DIRECTIONS), block_bytes
    )
    for block in blocks:
        scatter.add(block)
    variance, directions = scatter.principal()
    projection = truncated(
        scatter.mean, variance, directions, scatter.energy / scatter.count, scatter.count, tolerance, min_rank, max_rank
    )
    along = projection.basis.numpy().T @ directions  # the identity, unless the basis itself is the identity
    return projection, np.sqrt(np.square(along) @ variance)
