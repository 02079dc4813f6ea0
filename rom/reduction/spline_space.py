"""Spaces of spline functions, for fields on any grid or at scattered points.

A field u on a box is u(x) = sum_k c_k phi_k(x), with tensor products of B-splines that are orthonormal in L2. The
coefficients c of a field do not depend on the positions at which its values are known. Sums of their squares are
integrals of u^2, the POD of coefficients is the POD in L2 of the domain, and a field can be evaluated at any position.
The map from values to coefficients is linear, so that it maps time derivatives as well.

References
----------
- C. de Boor, A Practical Guide to Splines, Springer 2001 (B-splines, least squares at well-placed points).
- G. Wahba, Spline Models for Observational Data, SIAM 1990 (smoothing, ch. 1; variance of errors, ch. 4.7).
- D. M. Allen, "The relationship between variable selection and data augmentation and a method for prediction",
  Technometrics 16 (1974) 125-127 (leave-one-out residuals).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import cached_property, reduce
from typing import Any

import numpy as np

from rom.reduction.least_squares import (
    GOOD_CONDITION,
    along_axes,
    condition,
    kronecker,
    largest_gain,
    least_squares,
    smooth_least_squares,
)
from rom.reduction.spline_axis import Axis
from rom.utils.checks import require_integer
from rom.utils.errors import RomValueError
from rom.utils.json_dataclass import JsonSettings

__all__ = ["FUNCTION", "Coordinate", "FunctionSpace", "Positions", "Projected"]

FUNCTION = "function"  # name of the dimension of coefficients

# Order of the derivative whose square, integrated, is the roughness; less for splines of a lower degree.
ROUGHNESS_DERIVATIVE = 3

# Share of a value, or of all values, that is left by the functions. With less, the values determine some function
# alone.
MIN_FREEDOM = 1e-6

# Points (P, k), or the k coordinates (P_1,), ..., (P_k,) of a grid with P = P_1 P_2 ... P_k positions, the last running
# fastest.
Positions = np.ndarray | tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Coordinate(JsonSettings):
    """Setting of `FitConfig.space` for data at differing or moving positions.

    Fields become coefficients in a space of splines on the box around all positions. One model serves all positions:
    decoded fields are functions x = psi(z, position) that can be evaluated anywhere in the box.

    The data need positions, as coordinates of Datasets, or of DataArrays for an autoencoder:

    - on grids, fields (trajectory, time, y, x) with coordinates y(y) and x(x);
    - at points, fields (trajectory, time, point) with x(point) and y(point), or x(trajectory, time, point) if points
      move.

    A coordinate with the attribute `period` is periodic. With the attribute `valid_range`, (low, high), the domain
    extends that far.

    Parameters
    ----------
    n_functions : int or tuple of int, optional
        Number of splines along each axis, at least `degree` + 1: one number for all axes, or one for each. Fewer
        functions average more of the noise of the values. By default three for every four points of the coarsest grid,
        and fewer if the grid is uneven. For scattered points, half as many functions in total as the fewest points, of
        which splines of degree 5 in a plane need at least 72.
    degree : int
        Degree of the splines, at least 1.

    Raises
    ------
    RomTypeError, RomValueError
        If a number is not an integer, or too small.

    References
    ----------
    C. de Boor, A Practical Guide to Splines, Springer 2001.

    Examples
    --------
    >>> import rom
    >>> config = rom.FitConfig(space=rom.Coordinate(n_functions=(24, 12)))
    >>> config.space.degree
    5
    """

    n_functions: int | tuple[int, ...] | None = None
    degree: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        degree = require_integer("Coordinate.degree", self.degree, low=1)
        counts = () if self.n_functions is None else self.n_functions
        for count in counts if isinstance(counts, tuple) else (counts,):
            require_integer("Coordinate.n_functions", count, low=degree + 1)


@dataclass(frozen=True)
class Projected:
    """Coefficients of values at positions, with residuals.

    Attributes
    ----------
    coefficients : numpy.ndarray
        ``(..., M)``.
    left : numpy.ndarray
        Residuals of the values, ``(..., P)``. At points, and on grids with gaps, the residual of each value is that of
        a fit to all others (Allen 1974), because a fit can follow the points and be wrong between them.
    variance : numpy.ndarray
        Variance of the errors of the values, ``(...)``: squared residuals over the remaining degrees of freedom (Wahba
        1990, ch. 4.7).
    amplification : float
        Factor by which errors of the values grow in the field where positions leave gaps; 1 without gaps.
    """

    coefficients: np.ndarray
    left: np.ndarray
    variance: np.ndarray
    amplification: float


@dataclass(frozen=True)
class FunctionSpace:
    """Tensor products of splines on a box, orthonormal in L2.

    There are M = n_1 n_2 ... n_k of them, all continuous. The last axis runs fastest among the functions. The error of
    the best approximation of a smooth field falls with the distance of the knots to the power degree + 1.

    Attributes
    ----------
    axes : tuple of Axis
        Axes of the box.
    degree : int
        Degree of the splines.

    Raises
    ------
    RomValueError
        If there are no axes, or an axis has fewer functions than degree + 1.
    """

    axes: tuple[Axis, ...]
    degree: int = 5

    def __post_init__(self) -> None:
        if not self.axes:
            raise RomValueError("a function space needs at least one axis")
        for axis in self.axes:
            if axis.n < self.degree + 1:
                raise RomValueError(
                    f"the axis {axis.name!r} has {axis.n} functions, but splines of degree {self.degree} need at least "
                    f"{self.degree + 1}; choose more, or a lower degree"
                )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the axes."""
        return tuple(axis.name for axis in self.axes)

    @property
    def n_functions(self) -> int:
        """Number of functions, M."""
        return math.prod(axis.n for axis in self.axes)

    @property
    def volume(self) -> float:
        """Volume of the box.

        The mean square of a field is the sum of its squared coefficients divided by the volume.
        """
        return math.prod(axis.length for axis in self.axes)

    def basis(self, positions: Positions) -> np.ndarray:
        """Return the values ``(P, M)`` of all functions.

        A position outside the domain raises `RomValueError`.
        """
        factors = self._factors(positions)
        if isinstance(positions, tuple):
            return kronecker(factors)
        products = factors[0]
        for factor in factors[1:]:
            products = (products[:, :, None] * factor[:, None, :]).reshape(len(factor), -1)
        return products

    def values(self, coefficients: np.ndarray, positions: Positions) -> np.ndarray:
        """Return the values of fields at positions; raise as `basis` does.

        The shapes are ``(..., M)`` for the coefficients and ``(..., P)`` for the values.
        """
        if isinstance(positions, tuple):
            return along_axes(self._factors(positions), coefficients)
        return coefficients @ self.basis(positions).T

    def coefficients(self, values: np.ndarray, positions: Positions) -> np.ndarray:
        """Return the coefficients of the functions closest in least squares.

        The shapes are ``(..., P)`` for the values and ``(..., M)`` for the coefficients. Without gaps between
        positions, the coefficients of a function in the space are recovered up to rounding.

        Raises
        ------
        RomValueError
            For positions outside the domain, for too few positions, and for gaps that are too wide.
        """
        return along_axes(self.inverses(positions), values)

    def fitted(self, values: np.ndarray, positions: Positions) -> Projected:
        """Return coefficients of values ``(..., P)``, with residuals and errors."""
        factors, inverses = self._maps(positions)
        found = along_axes(inverses, values)
        left, count = values - self.values(found, positions), values.shape[-1]
        along = [np.einsum("pm,mp->p", *pair) for pair in zip(factors, inverses, strict=True)]
        leverage = reduce(np.multiply.outer, along).ravel()
        freedom = count - leverage.sum()
        variance = np.square(left).sum(axis=-1) / (freedom if freedom > MIN_FREEDOM * count else count)
        gaps = any(condition(factor) > GOOD_CONDITION for factor in factors)
        amplification = math.prod(map(largest_gain, inverses)) * math.sqrt(count / self.volume) if gaps else 1.0
        if gaps or not isinstance(positions, tuple):
            alone = 1.0 - leverage < MIN_FREEDOM  # the other values say nothing about these but the mean
            about_mean = values - values.mean(axis=-1, keepdims=True)
            left = np.where(alone, about_mean, left / np.where(alone, 1.0, 1.0 - leverage))
        return Projected(found, left, variance, amplification)

    def inverses(self, positions: Positions) -> list[np.ndarray]:
        """Return the least-squares maps from values to coefficients.

        If positions leave gaps, in which functions could take any value, roughness is penalised (smoothing splines;
        Wahba 1990, ch. 1).

        Returns
        -------
        list of numpy.ndarray
            ``(n_i, P_i)`` for each axis of a grid, or one map ``(M, P)`` for points.

        Raises
        ------
        RomValueError
            As `coefficients`.
        """
        return self._maps(positions)[1]

    def _maps(self, positions: Positions) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return the values of the functions, and the maps of `inverses`.

        The values have the shape ``(P_i, n_i)`` along each axis of a grid, or ``(P, M)`` at points.
        """
        if isinstance(positions, tuple):
            factors, roughness, names = self._factors(positions), self._roughness, list(self.names)
        else:
            factors, roughness, names = [self.basis(positions)], [self._roughness_of_all], [", ".join(self.names)]
        made = [smooth_least_squares(*one) for one in zip(factors, roughness, strict=True)]
        for factor, inverse, name in zip(factors, made, names, strict=True):
            if inverse is None:
                n_positions, count = factor.shape
                raise RomValueError(
                    f"{n_positions} positions along {name} "
                    + ("are fewer than" if n_positions < count else "leave gaps that are too wide for")
                    + f" the {count} functions there; choose fewer functions, rom.Coordinate(n_functions=...), or more positions"
                    + (", which must not lie along a line" if len(self.axes) > len(factors) else "")
                )
        return factors, [inverse for inverse in made if inverse is not None]

    def poorly_determined(self, grid: tuple[np.ndarray, ...]) -> list[bool]:
        """Return for each axis whether least squares need a penalty.

        Without it they would amplify errors of values tenfold.
        """
        return [condition(factor) > GOOD_CONDITION for factor in self._factors(grid)]

    def undetermined(self, grid: tuple[np.ndarray, ...]) -> list[bool]:
        """Return for each axis whether a grid is refused because its gaps are too wide."""
        factors = zip(self._factors(grid), self._roughness, strict=True)
        return [smooth_least_squares(factor, roughness) is None for factor, roughness in factors]

    def inverses_if_well_determined(self, positions: Positions) -> list[np.ndarray] | None:
        """Return `inverses` without a penalty, or None if one is needed.

        Raises
        ------
        RomValueError
            For positions outside the domain.
        """
        factors = self._factors(positions) if isinstance(positions, tuple) else [self.basis(positions)]
        made = [least_squares(factor) for factor in factors]
        found = [inverse for inverse in made if inverse is not None]
        return found if len(found) == len(made) else None

    @cached_property
    def _roughness(self) -> list[np.ndarray]:
        """Roughness along each axis, relative to that of the roughest function.

        The shapes are ``(n_i, n_i)``.
        """
        derivative = min(ROUGHNESS_DERIVATIVE, self.degree)
        along = [
            mixing @ axis.inner_products(self.degree, derivative) @ mixing
            for axis, mixing in zip(self.axes, self._mixing, strict=True)
        ]
        return [matrix / np.linalg.eigvalsh(matrix)[-1] for matrix in along]

    @cached_property
    def _roughness_of_all(self) -> np.ndarray:
        """Roughness ``(M, M)``, the mean over the axes.

        It is relative, because axes can have different units.
        """
        along = [
            kronecker([roughness if i == k else np.eye(axis.n) for i, axis in enumerate(self.axes)])
            for k, roughness in enumerate(self._roughness)
        ]
        return np.mean(along, axis=0)

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary of JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> FunctionSpace:
        """Return the space of a dictionary from `to_dict`."""
        return cls(tuple(Axis(**axis) for axis in document["axes"]), document["degree"])

    @cached_property
    def _mixing(self) -> tuple[np.ndarray, ...]:
        """Matrix ``(n_i, n_i)`` that makes the splines of each axis orthonormal."""
        return tuple(axis.mixing(self.degree) for axis in self.axes)

    def _factors(self, positions: Positions) -> list[np.ndarray]:
        """Return the orthonormal functions ``(P_i, n_i)`` of each axis at its coordinates."""
        k = len(self.axes)
        columns = positions if isinstance(positions, tuple) else np.moveaxis(np.atleast_2d(positions), -1, 0)
        if len(columns) != k:
            raise RomValueError(
                f"positions have {len(columns)} coordinates, but the domain has {k}: {', '.join(self.names)}"
            )
        return [
            axis.splines(axis.inside(np.asarray(column, dtype=np.float64)), self.degree) @ mixing
            for axis, column, mixing in zip(self.axes, columns, self._mixing, strict=True)
        ]
