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

SMALLEST_PIVOT = 1e-14  # of the largest: a mass matrix below it is singular to rounding


@dataclass(frozen=True, eq=False)
class Mass:
    """M of M dx/dt = f: a matrix (n, n), dense or sparse, or a function from one state to one.

    A constant matrix is factorised once, when it is first needed; the factors are not pickled.
    """

    matrix: Any

    @classmethod
    def checked(cls, matrix: Any, n: int) -> Mass:
        """For states of n numbers. Raises SystemsTypeError and SystemsValueError, for a singular matrix too."""
        if callable(matrix) and not hasattr(matrix, "shape"):
            return cls(matrix)
        mass = cls(_as_matrix(matrix, n))
        _ = mass._factors
        return mass

    def solve(self, x: np.ndarray, f: np.ndarray) -> np.ndarray:
        """dx/dt (N, *shape) for states x and values f (N, *shape)."""
        flat = f.reshape(len(f), -1)
        if callable(self.matrix):
            rates = np.stack([_factorised(self._at(state))(row) for state, row in zip(x, flat, strict=True)])
        else:
            rates = self._factors(flat.T).T
        return rates.reshape(f.shape)

    def _at(self, state: np.ndarray) -> Any:
        try:
            return _as_matrix(self.matrix(state.copy()), state.size)
        except SystemsValueError as error:
            raise EvaluationError(str(error)) from error
        except Exception as error:
            raise EvaluationError(f"mass failed on a state: {type(error).__name__}: {error}") from error

    @cached_property
    def _factors(self) -> Callable[[np.ndarray], np.ndarray]:
        return _factorised(self.matrix)

    def __getstate__(self):
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}


def _as_matrix(matrix: Any, n: int) -> Any:
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
    """The function from right-hand sides (n,) or (n, N) to solutions. Raises SystemsValueError for a singular matrix."""
    singular = (
        "mass is singular: some equations hold no time derivative. Eliminate these algebraic unknowns, and give f for the "
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
            warnings.simplefilter("ignore", scipy.linalg.LinAlgWarning)  # of a pivot that is zero: found below
            lu, order = scipy.linalg.lu_factor(matrix, check_finite=False)
        pivots = np.abs(lu.diagonal())

        def solve(b):
            return scipy.linalg.lu_solve((lu, order), b, check_finite=False)

    if not pivots.min() > SMALLEST_PIVOT * pivots.max():
        raise SystemsValueError(singular)
    return solve
