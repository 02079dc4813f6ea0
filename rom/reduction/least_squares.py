"""Least squares from values at positions to coefficients.

If positions leave gaps, roughness is penalised.

References
----------
- C. de Boor, A Practical Guide to Splines, Springer 2001 (least squares at well-placed points).
- G. Wahba, Spline Models for Observational Data, SIAM 1990, ch. 1 (smoothing).
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

# Condition number up to which least squares need no penalty. Beyond it, some coefficients amplify errors of the values
# more than tenfold.
GOOD_CONDITION = 10.0

# Condition number with the penalty, beyond which neither values nor smoothness determine some function.
WORST_CONDITION = 1e3

# Weight of the penalty on the roughest function, relative to the mean eigenvalue. A function of half its wave number is
# damped 64 times less, because roughness is a sum of squares of third derivatives.
DAMPING = 0.1


def kronecker(factors: Sequence[np.ndarray]) -> np.ndarray:
    """Return the Kronecker product of matrices."""
    product = np.ones((1, 1))
    for factor in factors:
        product = np.kron(product, factor)
    return product


def along_axes(matrices: Sequence[Any], arrays: Any) -> Any:
    """Apply a matrix along each axis of flattened arrays.

    The result is that of the Kronecker product of the matrices, which is not formed.

    Parameters
    ----------
    matrices : sequence of array
        ``(m_i, n_i)`` for each axis, NumPy arrays or torch tensors.
    arrays : array
        ``(..., n_1 n_2 ... n_k)``, of the same library.

    Returns
    -------
    array
        ``(..., m_1 m_2 ... m_k)``.
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
    """Return the condition number of a matrix ``(P, n)``.

    It is infinite if there are fewer rows than columns.
    """
    if factor.shape[0] < factor.shape[1]:
        return math.inf
    squares = np.linalg.eigvalsh(factor.T @ factor)
    return math.sqrt(squares[-1] / squares[0]) if squares[0] > 0 else math.inf


def smooth_least_squares(factor: np.ndarray, roughness: np.ndarray) -> np.ndarray | None:
    """Return the map from values to coefficients, smoothed over gaps.

    Parameters
    ----------
    factor : numpy.ndarray
        Values of n functions at P positions, ``(P, n)``.
    roughness : numpy.ndarray
        Quadratic form of the roughness, ``(n, n)``.

    Returns
    -------
    numpy.ndarray or None
        ``(n, P)``. None if there are fewer positions than functions, if gaps are too wide to be filled, or if points
        lie along few lines, where the slope across the lines is not determined.
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
    """Return the pseudo-inverse ``(n, P)`` of a well-conditioned matrix ``(P, n)``.

    The result is None if the condition number exceeds `GOOD_CONDITION`. The normal equations are accurate to fourteen
    digits up to that condition number, and cost a third of a singular value decomposition.
    """
    if factor.shape[0] < factor.shape[1]:
        return None
    squares, rotation = np.linalg.eigh(factor.T @ factor)
    if squares[0] * GOOD_CONDITION**2 < squares[-1]:
        return None
    return rotation / squares @ (rotation.T @ factor.T)


def largest_gain(inverse: np.ndarray) -> float:
    """Return the spectral norm of a matrix ``(n, P)``."""
    return math.sqrt(float(np.linalg.eigvalsh(inverse @ inverse.T)[-1]))
