"""Finite-dimensional spaces of continuous functions: what fields on differing grids, or at points, have in common.

A field u on a box is held as u(x) = sum_k c_k phi_k(x), with tensor products of B-splines that are orthonormal in L2. So the
coefficients c of one field are the same whichever positions its values come from, sums of their squares are integrals of u^2,
the POD of coefficients is the POD in L2 of the domain, and a field can be asked at any position. Time derivatives are mapped
like values, for the map is linear.

Sources: de Boor 2001, A Practical Guide to Splines (B-splines, least squares at well-placed points); Everson & Sirovich 1995,
J. Opt. Soc. Am. A 12, 1657 (estimates from few values, in rom/data/at_positions.py).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import cached_property, reduce
from typing import Any

import numpy as np
from scipy.interpolate import BSpline

from rom.reduction.least_squares import (
    GOOD_CONDITION,
    along_axes,
    condition,
    kronecker,
    largest_gain,
    least_squares,
    smooth_least_squares,
)
from rom.utils.checks import require_integer
from rom.utils.errors import RomValueError
from rom.utils.json_dataclass import JsonSettings

__all__ = ["FUNCTION", "Axis", "Coordinate", "FunctionSpace", "Positions", "Projected"]

FUNCTION = "function"  # the dimension of coefficients
OUTSIDE = 1e-6  # of the length of an axis, by which a position may lie outside: rounding to float32
MOST_DERIVATIVES = 3
LEAST_FREEDOM = 1e-6  # of a value, or of all: with less, they decide about some function alone

Positions = np.ndarray | tuple[np.ndarray, ...]

"""Points (P, k), or the k coordinates (P_1,), ..., (P_k,) of a grid: P = P_1 ... P_k positions, the last running fastest."""


@dataclass(frozen=True)
class Coordinate(JsonSettings):
    """One model for data on differing, moving or scattered positions: x = psi(z, position), as `FitConfig(space=Coordinate())`.

    The data need positions, as coordinates of Datasets, or of DataArrays for an autoencoder: of a grid, (trajectory, time, y, x)
    with y(y) and x(x); of points, (trajectory, time, point) with x(point) and y(point), or x(trajectory, time, point) where they
    move. A coordinate with the attribute `period` repeats; with `valid_range`, (low, high), the domain reaches so far. Fields
    become coefficients in a space of splines on the box around all positions, and everything behind acts on these; what is
    decoded are functions that can be asked anywhere in the box.

    n_functions: splines along each axis, one number for all axes or one for each; by default three for four points of the coarsest grid,
        fewer where it is uneven, or in all half as many as the fewest scattered points, which in a plane must be 72 or more for
        splines of degree 5. Fewer average more of the noise of values.
    degree: of the splines.
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
class Axis:
    """One axis of a domain: [low, high], or [low, high) and its repetitions where it is `periodic`, with `n` splines on it.

    Raises `RomValueError` for an interval that is empty or not finite.
    """

    name: str
    low: float
    high: float
    n: int
    periodic: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise RomValueError(
                f"the axis {self.name!r} must have low < high, both finite, got {self.low} and {self.high}"
            )

    @property
    def length(self) -> float:
        """high - low, the period of a periodic axis."""
        return self.high - self.low

    def inside(self, x: np.ndarray) -> np.ndarray:
        """Coordinates `x` (...) within [low, high]: periodic ones wrapped, others as they are.

        Raises `RomValueError` for the first that is not finite, or outside by more than rounding.
        """
        wrapped = self.low + np.mod(x - self.low, self.length) if self.periodic else x
        clipped = np.clip(wrapped, self.low, self.high)
        outside = ~(np.abs(wrapped - clipped) <= OUTSIDE * self.length)  # also where it is NaN
        if outside.any():
            index = tuple(map(int, np.argwhere(outside)[0]))
            where = str(index[0]) if len(index) == 1 else str(index)
            raise RomValueError(
                f"position {where} has {self.name} = {x[index]:g}, outside of the domain [{self.low:g}, {self.high:g}]; leave it "
                f"out, or say so in the data: dataset[{self.name!r}].attrs['valid_range'] = (low, high), or, if fields repeat, "
                f"dataset[{self.name!r}].attrs['period'] = length"
            )
        return clipped

    def breaks(self, degree: int) -> np.ndarray:
        """Where the polynomials meet that the splines consist of, both ends included.

        Equally far apart, but for those next to the ends of a bounded axis, which are left out ("not a knot"): splines
        with knots there would be more than the points nearby determine.
        """
        if self.periodic:
            return np.linspace(self.low, self.high, self.n + 1)
        even = np.linspace(self.low, self.high, self.n)
        left_out = np.r_[1 : 1 + degree // 2, self.n - 1 - (degree - 1) // 2 : self.n - 1] if degree > 1 else []
        return np.delete(even, left_out)

    def splines(self, x: np.ndarray, degree: int, derivative: int = 0) -> np.ndarray:
        """The values (P, n) of the B-splines, or of their derivatives, at coordinates (P,) within the axis."""
        breaks = self.breaks(degree)
        if not self.periodic:  # as many knots at both ends as let the splines take any value there
            knots = np.concatenate([np.full(degree, self.low), breaks, np.full(degree, self.high)])
            return splines_of(knots, x, degree, derivative)
        # The spline that leaves at one end comes in at the other.
        knots = np.concatenate([breaks[-degree - 1 : -1] - self.length, breaks, breaks[1 : degree + 1] + self.length])
        unfolded = splines_of(knots, x, degree, derivative)
        folded = unfolded[:, : self.n].copy()
        folded[:, :degree] += unfolded[:, self.n :]
        return folded

    def mixing(self, degree: int) -> np.ndarray:
        """The symmetric matrix (n, n) that makes the splines orthonormal in L2: the inverse root of their Gram matrix."""
        squares, rotation = np.linalg.eigh(self.products(degree, 0))
        return rotation / np.sqrt(squares) @ rotation.T

    def products(self, degree: int, derivative: int) -> np.ndarray:
        """Integrals (n, n) of the products of the B-splines, or of their derivatives."""
        breaks = self.breaks(degree)
        nodes, weights = np.polynomial.legendre.leggauss(degree + 1)  # exact for products of two splines
        half = 0.5 * np.diff(breaks)[:, None]
        x = 0.5 * (breaks[1:] + breaks[:-1])[:, None] + half * nodes
        values = self.splines(np.clip(x.ravel(), self.low, self.high), degree, derivative)
        return values.T @ ((half * weights).reshape(-1, 1) * values)


@dataclass(frozen=True)
class Projected:
    """Coefficients (..., M) of values (..., P), and what they leave of these.

    left: (..., P); of points, and on grids with gaps, what is left of each by the coefficients of all others: these may follow the
    points and nothing between them (leave-one-out, by the leverage of each; Allen 1974, Technometrics 16, 125).
    variance: (...), of errors of the values, by their squares over the degrees of freedom that are left (Wahba 1990, ch. 4.7).
    amplification: of errors of values where positions leave gaps; about 1 where they leave none.
    """

    coefficients: np.ndarray
    left: np.ndarray
    variance: np.ndarray
    amplification: float


@dataclass(frozen=True)
class FunctionSpace:
    """Tensor products of splines of one `degree` on a box, orthonormal in L2: M = n_1 ... n_k continuous functions.

    The error of the best approximation of a smooth field falls with the power degree + 1 of the distance of the knots. The
    last axis runs fastest among the functions.
    Raises `RomValueError` for an axis with fewer functions than degree + 1, or without axes.
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
        """M."""
        return math.prod(axis.n for axis in self.axes)

    @property
    def volume(self) -> float:
        """Of the domain: the mean square of a field over it is that of its coefficients, summed, over this."""
        return math.prod(axis.length for axis in self.axes)

    def basis(self, positions: Positions) -> np.ndarray:
        """The values (P, M) of all functions at `positions`. Raises `RomValueError` for one outside of the domain."""
        factors = self._factors(positions)
        if isinstance(positions, tuple):
            return kronecker(factors)
        together = factors[0]
        for factor in factors[1:]:
            together = (together[:, :, None] * factor[:, None, :]).reshape(len(factor), -1)
        return together

    def values(self, coefficients: np.ndarray, positions: Positions) -> np.ndarray:
        """The values (..., P) at `positions` of fields with coefficients (..., M). Raises `RomValueError` as `basis` does."""
        if isinstance(positions, tuple):
            return along_axes(self._factors(positions), coefficients)
        return coefficients @ self.basis(positions).T

    def coefficients(self, values: np.ndarray, positions: Positions) -> np.ndarray:
        """The coefficients (..., M) of the functions that come closest, in least squares, to values (..., P) at `positions`.

        Exact, but for rounding, where the values are those of a function of the space, unless positions leave gaps
        (`inverses`). Raises `RomValueError` for positions outside of the domain, or that do not tell the functions apart: too few,
        or with gaps that are too wide.
        """
        return along_axes(self.inverses(positions), values)

    def fitted(self, values: np.ndarray, positions: Positions) -> Projected:
        """`coefficients` of values (..., P), what these leave of them, and what that says of the errors of the values."""
        factors, inverses = self._maps(positions)
        found = along_axes(inverses, values)
        left, count = values - self.values(found, positions), values.shape[-1]
        along = [np.einsum("pm,mp->p", *pair) for pair in zip(factors, inverses, strict=True)]
        leverage = reduce(np.multiply.outer, along).ravel()
        freedom = count - leverage.sum()
        variance = np.square(left).sum(axis=-1) / (freedom if freedom > LEAST_FREEDOM * count else count)
        gaps = any(condition(factor) > GOOD_CONDITION for factor in factors)
        amplification = math.prod(map(largest_gain, inverses)) * math.sqrt(count / self.volume) if gaps else 1.0
        if gaps or not isinstance(positions, tuple):
            alone = 1.0 - leverage < LEAST_FREEDOM  # of these the others tell nothing but the mean
            about_mean = values - values.mean(axis=-1, keepdims=True)
            left = np.where(alone, about_mean, left / np.where(alone, 1.0, 1.0 - leverage))
        return Projected(found, left, variance, amplification)

    def inverses(self, positions: Positions) -> list[np.ndarray]:
        """The least-squares maps from values to coefficients: (n_i, P_i) along each axis of a grid, or one (M, P) of points.

        Where positions leave gaps, in which functions could take any value, roughness is penalised (smoothing splines; Wahba 1990,
        Spline Models for Observational Data, ch. 1). Raises as `coefficients` does, which applies them.
        """
        return self._maps(positions)[1]

    def _maps(self, positions: Positions) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """The functions at the positions, (P_i, n_i) along each axis or (P, M), and `inverses`."""
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
        """Of each axis, whether gaps of a grid let least squares alone amplify errors of values tenfold."""
        return [condition(factor) > GOOD_CONDITION for factor in self._factors(grid)]

    def undetermined(self, grid: tuple[np.ndarray, ...]) -> list[bool]:
        """Of each axis, whether a grid is refused: its gaps are too wide to be filled."""
        factors = zip(self._factors(grid), self._roughness, strict=True)
        return [smooth_least_squares(factor, roughness) is None for factor, roughness in factors]

    def inverses_if_well_determined(self, positions: Positions) -> list[np.ndarray] | None:
        """The same, None where errors of the values could grow tenfold in the coefficients, or these are not determined.

        Raises `RomValueError` for positions outside.
        """
        factors = self._factors(positions) if isinstance(positions, tuple) else [self.basis(positions)]
        made = [least_squares(factor) for factor in factors]
        found = [inverse for inverse in made if inverse is not None]
        return found if len(found) == len(made) else None

    @cached_property
    def _roughness(self) -> list[np.ndarray]:
        """Integrals (n_i, n_i) of products of third derivatives along each axis, in shares of the roughest function's."""
        derivative = min(MOST_DERIVATIVES, self.degree)
        along = [
            mixing @ axis.products(self.degree, derivative) @ mixing
            for axis, mixing in zip(self.axes, self._mixing, strict=True)
        ]
        return [matrix / np.linalg.eigvalsh(matrix)[-1] for matrix in along]

    @cached_property
    def _roughness_of_all(self) -> np.ndarray:
        """The mean (M, M) of those along the axes: an axis may be in other units than the next."""
        along = [
            kronecker([roughness if i == k else np.eye(axis.n) for i, axis in enumerate(self.axes)])
            for k, roughness in enumerate(self._roughness)
        ]
        return np.mean(along, axis=0)

    def to_dict(self) -> dict[str, Any]:
        """A dictionary of JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> FunctionSpace:
        """The inverse of `to_dict`."""
        return cls(tuple(Axis(**axis) for axis in document["axes"]), document["degree"])

    @cached_property
    def _mixing(self) -> tuple[np.ndarray, ...]:
        return tuple(axis.mixing(self.degree) for axis in self.axes)

    def _factors(self, positions: Positions) -> list[np.ndarray]:
        """The orthonormal functions (P_i, n_i) of each axis at its coordinates."""
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


def splines_of(knots: np.ndarray, x: np.ndarray, degree: int, derivative: int) -> np.ndarray:
    """The values (P, K) at coordinates x (P,) of all B-splines on `knots`, or of their derivatives."""
    if derivative == 0:
        return BSpline.design_matrix(x, knots, degree).toarray()
    return BSpline(knots, np.eye(len(knots) - degree - 1), degree)(x, nu=derivative)
