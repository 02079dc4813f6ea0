"""Mass matrices: dx/dt from M dx/dt = f."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse
import scipy.sparse.linalg

from systems.errors import EvaluationError, SystemsTypeError, SystemsValueError

__all__ = ["Mass"]

# Smallest pivot, as a fraction of the largest, of a matrix that is not singular to rounding.
SMALLEST_PIVOT = 1e-14


@dataclass(frozen=True, eq=False)
class Mass:
    """The matrix M of M dx/dt = f.

    A constant matrix is factorised once, when it is first needed. The factors are not pickled.

    Attributes
    ----------
    matrix : numpy.ndarray, sparse matrix or callable
        The matrix (n, n), or a function from one state to it.
    """

    matrix: Any

    @classmethod
    def checked(cls, matrix: Any, n: int) -> Mass:
        """Return the mass matrix of states with n entries.

        Raises
        ------
        SystemsTypeError, SystemsValueError
            If it is not a matrix of that size, not finite, or singular.
        """
        if callable(matrix) and not hasattr(matrix, "shape"):
            return cls(matrix)
        mass = cls(_as_matrix(matrix, n))
        _ = mass._factors
        return mass

    def solve(self, x: np.ndarray, f: np.ndarray) -> np.ndarray:
        """Return dx/dt ``(N, *shape)`` for states x and values f ``(N, *shape)``."""
        flat = f.reshape(len(f), -1)
        if callable(self.matrix):
            rates = np.stack([_factorised(self._at(state))(row) for state, row in zip(x, flat, strict=True)])
        else:
            rates = self._factors(flat.T).T
        return rates.reshape(f.shape)

    def _at(self, state: np.ndarray) -> Any:
        """Return the matrix at a state."""
        try:
            return _as_matrix(self.matrix(state.copy()), state.size)
        except SystemsValueError as error:
            raise EvaluationError(str(error)) from error
        except Exception as error:
            raise EvaluationError(f"mass failed on a state: {type(error).__name__}: {error}") from error

    @cached_property
    def _factors(self) -> Callable[[np.ndarray], np.ndarray]:
        """The function that solves with a constant matrix."""
        return _factorised(self.matrix)

    def __getstate__(self):
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}


def _as_matrix(matrix: Any, n: int) -> Any:
    """Return a finite matrix (n, n), dense or sparse in columns."""
    if scipy.sparse.issparse(matrix):
        matrix = scipy.sparse.csc_array(matrix, dtype=float)
        entries = matrix.data
    else:
        try:
            matrix = entries = np.asarray(matrix, dtype=float)
        except (TypeError, ValueError) as error:
            raise SystemsTypeError(
                f"mass must be an array, a SciPy sparse matrix or a function of a state, got {type(matrix).__name__}"
            ) from error
    if matrix.shape != (n, n):
        raise SystemsValueError(f"mass must have shape ({n}, {n}) for states of {n} numbers, got {matrix.shape}")
    if not np.isfinite(entries).all():
        raise SystemsValueError("mass must be finite")
    return matrix


def _factorised(matrix: Any) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function from right-hand sides (n,) or (n, N) to solutions.

    Raise SystemsValueError for a singular matrix.
    """
    singular = (
        "mass is singular: some equations have no time derivative. Eliminate these algebraic unknowns, and give f for the "
        "others"
    )
    if scipy.sparse.issparse(matrix):
        try:
            factors = scipy.sparse.linalg.splu(matrix)
        except RuntimeError as error:
            raise SystemsValueError(singular) from error
        pivots, solve = np.abs(factors.U.diagonal()), factors.solve
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", scipy.linalg.LinAlgWarning)  # a zero pivot is found below
            lu, order = scipy.linalg.lu_factor(matrix, check_finite=False)
        pivots = np.abs(lu.diagonal())

        def solve(b):
            return scipy.linalg.lu_solve((lu, order), b, check_finite=False)

    if not pivots.min() > SMALLEST_PIVOT * pivots.max():
        raise SystemsValueError(singular)
    return solve
