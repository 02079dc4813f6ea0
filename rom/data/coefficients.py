"""Spline coefficients of labelled values, and how much of the values they hold."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from rom.data.positions import place_of
from rom.reduction.spline_space import FUNCTION, FunctionSpace, Projected
from rom.utils.arrays import numeric, require_finite
from rom.utils.errors import RomValueError, prefix_errors

__all__ = ["ProjectionErrors", "SplineCoefficients", "coefficients_of", "warn_of_loss"]

log = logging.getLogger("rom")

MUCH_LOST = 0.01  # share of the variance of the values that the space may lose without a warning


@dataclass(frozen=True)
class ProjectionErrors:
    """Running sums over values that were projected onto a function space.

    Attributes
    ----------
    count : int
        Number of values.
    mean : float
        Mean of the values.
    deviations : float
        Sum of squared deviations of the values from their mean.
    left : float
        Sum of squared differences between the values and their projection.
    errors : float
        Sum of the estimated error variances of the values.
    """

    count: int = 0
    mean: float = 0.0
    deviations: float = 0.0
    left: float = 0.0
    errors: float = 0.0

    @classmethod
    def of(cls, values: np.ndarray, projected: Projected) -> ProjectionErrors:
        """Return the sums over values (..., P) at one set of positions."""
        mean = float(values.mean()) if values.size else 0.0
        left, errors = np.square(projected.left).sum(), projected.variance.sum() * values.shape[-1]
        return cls(values.size, mean, float(np.square(values - mean).sum()), float(left), float(errors))

    def __add__(self, other: ProjectionErrors) -> ProjectionErrors:
        """Return the sums over the values of both (Chan, Golub & LeVeque 1983 for the deviations)."""
        count = max(self.count + other.count, 1)
        difference = other.mean - self.mean
        return ProjectionErrors(
            count,
            self.mean + difference * other.count / count,
            self.deviations + other.deviations + difference**2 * self.count * other.count / count,
            self.left + other.left,
            self.errors + other.errors,
        )

    @property
    def misfit(self) -> float:
        """Estimated variance of the errors of the values."""
        return self.errors / max(self.count, 1)

    @property
    def lost(self) -> float:
        """Share of the variance of the values that the space does not hold."""
        return self.left / max(self.deviations, 1e-300)


@dataclass(frozen=True)
class SplineCoefficients:
    """The coefficients of one labelled array.

    Attributes
    ----------
    values : xarray.Variable
        Coefficients (*leading, *components, function). NaN where the positions do not determine them.
    errors : ProjectionErrors
        Sums over the values whose coefficients are determined.
    amplification : xarray.Variable
        `Projected.amplification` along the leading dimensions along which points move. Infinite where the
        coefficients are not determined.
    """

    values: xr.Variable
    errors: ProjectionErrors
    amplification: xr.Variable


def coefficients_of(
    name: str,
    array: xr.DataArray,
    space: FunctionSpace,
    leading: Sequence[str],
    max_amplification: float | None = None,
) -> SplineCoefficients:
    """Project the values of a labelled array onto a function space.

    Parameters
    ----------
    name : str
        Name of the array in error messages.
    array : xarray.DataArray
        Values with coordinates along the axes of `space`.
    space : FunctionSpace
        The space of splines.
    leading : sequence of str
        Dimensions that are not part of a state. Points may move along them; those along which they do come first
        in the result.
    max_amplification : float, optional
        Coefficients become NaN where the positions amplify errors by more, or do not determine the coefficients.
        Without it, undetermined coefficients are an error.

    Returns
    -------
    SplineCoefficients
        Coefficients, error sums and error amplification.

    Raises
    ------
    RomValueError
        If values are not finite, or the positions do not determine the coefficients and `max_amplification` is None.
    """
    place = place_of(name, array, space.names, leading)
    lead = [*place.moving, *(dim for dim in leading if dim in array.dims and dim not in place.moving)]
    others = [str(dim) for dim in array.dims if dim not in lead and dim not in place.dims]
    array = array.transpose(*lead, *others, *place.dims)
    values = numeric(name, array).astype(np.float64)
    values = values.reshape(*values.shape[: len(lead) + len(others)], place.size)
    require_finite(name, values, [f"{dim} index" for dim in lead])
    sizes = values.shape[: len(place.moving)]
    coefficients = np.full((*values.shape[:-1], space.n_functions), np.nan)
    amplification = np.full(sizes, np.inf)
    errors = ProjectionErrors()
    for moment in np.ndindex(sizes):
        try:
            with prefix_errors(name):
                projected = space.fitted(values[moment], place.positions_at(place.moving, moment))
        except RomValueError:
            if max_amplification is None:
                raise
            continue
        if max_amplification is None or projected.amplification <= max_amplification:
            coefficients[moment], amplification[moment] = projected.coefficients, projected.amplification
            errors = errors + ProjectionErrors.of(values[moment], projected)
    return SplineCoefficients(
        xr.Variable((*lead, *others, FUNCTION), coefficients, array.attrs),
        errors,
        xr.Variable(place.moving, amplification),
    )


def warn_of_loss(lost: float, space: FunctionSpace) -> None:
    """Log a warning if the space loses much of the variance of the values.

    Parameters
    ----------
    lost : float
        Share of the variance of the values that the space does not hold.
    space : FunctionSpace
        The space of splines.
    """
    if lost > MUCH_LOST:
        log.warning(
            "a function space of %s splines leaves %.1f %% of the variance of the values (for scattered points, estimated by leaving "
            "out each of them in turn, noise included); use more splines along each axis for grids, fewer for few or noisy points, "
            "rom.Coordinate(n_functions=...), or leave the coarsest data out",
            " x ".join(str(axis.n) for axis in space.axes),
            100 * min(lost, 1.0),
        )
