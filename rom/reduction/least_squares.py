"""From values at positions to coefficients: least squares, and where positions leave gaps, with a penalty on roughness.

Sources: de Boor 2001, A Practical Guide to Splines (least squares at well-placed points); Wahba 1990, Spline Models for
Observational Data, ch. 1 (smoothing).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = [
    "GOOD_CONDITION",
    "along_axes",
    "condition",
    "kronecker",
    "largest_gain",
    "least_squares",
    "smooth_least_squares",
]

GOOD_CONDITION = (
    10.0  # of least squares: beyond it errors of values are amplified more than tenfold in some coefficients
)

WORST_CONDITION = 1e3  # of the same with the penalty: beyond it neither values nor smoothness tell some function
DAMPING = 0.1  # of the roughest function, where positions leave gaps; of one with half its wave number 64 times less


def kronecker(factors: Sequence[np.ndarray]) -> np.ndarray:
    """The Kronecker product of matrices."""
    product = np.ones((1, 1))
    for factor in factors:
        product = np.kron(product, factor)
    return product


def along_axes(matrices: Sequence[Any], arrays: Any) -> Any:
    """Matrices (m_i, n_i) applied along the axes of `arrays` (..., n_1 ... n_k), which are flat: (..., m_1 ... m_k).

    What their Kronecker product would give, without forming it. NumPy arrays or torch tensors.
    """
    left, right = arrays.shape[:-1], math.prod(matrix.shape[1] for matrix in matrices)
    done = 1
    for matrix in matrices:
        m, n = matrix.shape
        right //= n
        arrays = matrix @ arrays.reshape((math.prod(left) * done, n, right))
        done *= m
    return arrays.reshape((*left, done))


def condition(factor: np.ndarray) -> float:
    """The condition of the least squares with the matrix `factor` (P, n); infinite with fewer points than functions."""
    if factor.shape[0] < factor.shape[1]:
        return math.inf
    squares = np.linalg.eigvalsh(factor.T @ factor)
    return math.sqrt(squares[-1] / squares[0]) if squares[0] > 0 else math.inf


def smooth_least_squares(factor: np.ndarray, roughness: np.ndarray) -> np.ndarray | None:
    """The map (n, P) from values to coefficients, with a penalty on `roughness` (n, n) where positions leave gaps.

    None of fewer positions than functions, of gaps too wide to be filled, and of points along few lines: a slope across a line of
    them is as smooth as any other.
    """
    if factor.shape[0] < factor.shape[1]:
        return None
    inverse = least_squares(factor)
    if inverse is not None:
        return inverse
    squares = factor.T @ factor
    squares, rotation = np.linalg.eigh(squares + DAMPING * np.trace(squares) / len(squares) * roughness)
    if squares[0] * WORST_CONDITION**2 < squares[-1]:
        return None
    return rotation / squares @ (rotation.T @ factor.T)


def least_squares(factor: np.ndarray) -> np.ndarray | None:
    """The pseudo-inverse (n, P) of a matrix (P, n), None where its condition is larger than `GOOD_CONDITION`.

    By the normal equations, which at that condition keep fourteen digits, and cost a third of a singular value decomposition.
    """
    if factor.shape[0] < factor.shape[1]:
        return None
    squares, rotation = np.linalg.eigh(factor.T @ factor)
    if squares[0] * GOOD_CONDITION**2 < squares[-1]:
        return None
    return rotation / squares @ (rotation.T @ factor.T)


def largest_gain(inverse: np.ndarray) -> float:
    """The norm of a map (n, P): the largest coefficients that values of unit length give."""
    return math.sqrt(float(np.linalg.eigvalsh(inverse @ inverse.T)[-1]))
