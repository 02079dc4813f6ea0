"""B-splines on one axis of a domain, bounded or periodic.

References
----------
C. de Boor, A Practical Guide to Splines, Springer 2001.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import BSpline

from rom.utils.errors import RomValueError

__all__ = ["Axis"]

# Share of the length of an axis by which a position may lie outside: rounding to float32.
ROUNDING = 1e-6


@dataclass(frozen=True)
class Axis:
    """One axis of a domain with B-splines on it.

    Attributes
    ----------
    name : str
        Name of the coordinate.
    low, high : float
        Ends of the interval.
    n : int
        Number of splines.
    periodic : bool
        Whether everything repeats with the period high - low.

    Raises
    ------
    RomValueError
        If the interval is empty or not finite.
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
        """Length of the interval, which is the period of a periodic axis."""
        return self.high - self.low

    def inside(self, x: np.ndarray) -> np.ndarray:
        """Return coordinates within [low, high], wrapped if the axis is periodic.

        They can have any shape.

        Raises
        ------
        RomValueError
            For the first coordinate that is not finite, or outside by more than rounding.
        """
        wrapped = self.low + np.mod(x - self.low, self.length) if self.periodic else x
        clipped = np.clip(wrapped, self.low, self.high)
        outside = ~(np.abs(wrapped - clipped) <= ROUNDING * self.length)  # also where it is NaN
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
        """Return the positions where polynomials meet, both ends included.

        They are equally spaced, but those next to the ends of a bounded axis are left out ("not a knot"; de Boor 2001,
        ch. IV). With knots there, points nearby would not determine all splines.
        """
        if self.periodic:
            return np.linspace(self.low, self.high, self.n + 1)
        even = np.linspace(self.low, self.high, self.n)
        left_out = np.r_[1 : 1 + degree // 2, self.n - 1 - (degree - 1) // 2 : self.n - 1] if degree > 1 else []
        return np.delete(even, left_out)

    def splines(self, x: np.ndarray, degree: int, derivative: int = 0) -> np.ndarray:
        """Evaluate the B-splines or their derivatives.

        Parameters
        ----------
        x : numpy.ndarray
            Coordinates within the axis, ``(P,)``.
        degree : int
            Degree of the splines.
        derivative : int
            Order of the derivative; 0 for the values.

        Returns
        -------
        numpy.ndarray
            ``(P, n)``.
        """
        breaks = self.breaks(degree)
        if not self.periodic:  # repeated knots at both ends, so that the splines can take any value there
            knots = np.concatenate([np.full(degree, self.low), breaks, np.full(degree, self.high)])
            return evaluate_splines(knots, x, degree, derivative)
        # A spline that reaches over one end continues at the other.
        knots = np.concatenate([breaks[-degree - 1 : -1] - self.length, breaks, breaks[1 : degree + 1] + self.length])
        unfolded = evaluate_splines(knots, x, degree, derivative)
        folded = unfolded[:, : self.n].copy()
        folded[:, :degree] += unfolded[:, self.n :]
        return folded

    def mixing(self, degree: int) -> np.ndarray:
        """Return the matrix that makes the splines orthonormal in L2.

        It has the shape ``(n, n)``, and is the symmetric inverse root of the Gram matrix.
        """
        squares, rotation = np.linalg.eigh(self.inner_products(degree, 0))
        return rotation / np.sqrt(squares) @ rotation.T

    def inner_products(self, degree: int, derivative: int) -> np.ndarray:
        """Return the L2 inner products of the splines, or of their derivatives.

        The shape is ``(n, n)``.
        """
        breaks = self.breaks(degree)
        nodes, weights = np.polynomial.legendre.leggauss(degree + 1)  # exact for products of two splines
        half = 0.5 * np.diff(breaks)[:, None]
        x = 0.5 * (breaks[1:] + breaks[:-1])[:, None] + half * nodes
        values = self.splines(np.clip(x.ravel(), self.low, self.high), degree, derivative)
        return values.T @ ((half * weights).reshape(-1, 1) * values)


def evaluate_splines(knots: np.ndarray, x: np.ndarray, degree: int, derivative: int) -> np.ndarray:
    """Return values or derivatives of all B-splines on `knots`.

    The coordinates have shape ``(P,)``, the result ``(P, K)``.
    """
    if derivative == 0:
        return BSpline.design_matrix(x, knots, degree).toarray()
    return BSpline(knots, np.eye(len(knots) - degree - 1), degree)(x, nu=derivative)
