"""The function space that the data of a fit have in common.

It is as wide as their positions, and as fine as the coarsest of them allow. A coordinate whose attribute `period` is a length
repeats after it. The domain covers the attribute `valid_range`, (low, high), of the CF conventions, where positions alone would
leave its ends out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import xarray as xr

from rom.data.positions import NUMBERS, axes_of, checked_period, place_of
from rom.reduction.spline_axis import Axis
from rom.reduction.spline_space import Coordinate, FunctionSpace, Positions
from rom.utils.errors import RomTypeError, RomValueError

__all__ = ["select_space", "space_of"]

SHARE = 0.75  # functions for each point of a grid
SHARE_SCATTERED = 0.5  # the same of scattered points, of which some lie close together
STEP_DOWN = 0.9  # factor on the number of functions along an axis with gaps, until the grids determine them

Limits = tuple[float, float] | None


def select_space(
    arrays: Sequence[tuple[str, xr.DataArray, tuple[str, ...]]], settings: Coordinate, may_fail: float = 0.0
) -> FunctionSpace:
    """Select the function space of all fields of a fit.

    Parameters
    ----------
    arrays : sequence of (str, xarray.DataArray, tuple of str)
        Name, values and leading dimensions of each array. The first decides the order of the axes. A period that one array
        states holds for all.
    settings : Coordinate
        Degree, and number of functions if it is prescribed.
    may_fail : float
        Share of the arrays whose positions need not determine the coefficients.

    Returns
    -------
    FunctionSpace
        On the box around all positions.

    Raises
    ------
    RomTypeError
        If the settings do not fit the number of axes.
    RomValueError
        If arrays lie on different axes, their periods differ, positions are not finite, or there are too few of them.
    """
    axes = axes_of(*arrays[0])
    periods: dict[str, float | None] = dict.fromkeys(axes)
    ranges: dict[str, Limits] = dict.fromkeys(axes)
    positions: list[Positions] = []
    for name, array, leading in arrays:
        own = axes_of(name, array, leading)
        if set(own) != set(axes):
            raise RomValueError(
                f"{name} lies on the axes {', '.join(own)}, but {arrays[0][0]} on {', '.join(axes)}; rename its coordinates, or "
                "drop those that are no positions: dataset.drop_vars(...)"
            )
        positions.append(place_of(name, array, axes, leading).positions)
        for axis in axes:
            require_finite_positions(name, array, axis)
        for axis in axes:
            periods[axis] = joined_period(name, array, axis, periods[axis])
            ranges[axis] = joined_range(name, array, axis, ranges[axis])
    return space_of(
        axes, positions, list(periods.values()), settings.n_functions, settings.degree, list(ranges.values()), may_fail
    )


def require_finite_positions(name: str, array: xr.DataArray, axis: str) -> None:
    """Raise `RomValueError` if a coordinate has values that are not finite."""
    if not np.isfinite(array[axis].values).all():
        raise RomValueError(
            f"{name}[{axis!r}] is not finite at some positions; where samples have unequal numbers of points, pass a list of them "
            f"without the missing ones, [one.dropna({str(array[axis].dims[-1])!r}) for one in data]"
        )


def joined_period(name: str, array: xr.DataArray, axis: str, known: float | None) -> float | None:
    """Return the period of an axis that this array or earlier ones state. Raise `RomValueError` if they differ."""
    period = checked_period(f"{name}[{axis!r}]", array[axis].attrs.get("period"))
    if known is not None and period is not None and not np.isclose(known, period, rtol=1e-6):
        raise RomValueError(f"{name}: {axis!r} has the period {period:g}, but {known:g} in other data")
    return period if known is None else known


def joined_range(name: str, array: xr.DataArray, axis: str, known: Limits) -> Limits:
    """Return the range of an axis that covers those that this array and earlier ones state."""
    stated = [checked_range(f"{name}[{axis!r}]", array[axis].attrs.get("valid_range")), known]
    ends = np.array([one for one in stated if one is not None])
    return (float(ends.min()), float(ends.max())) if len(ends) else None


def checked_range(name: str, limits: Any) -> Limits:
    """Return the attribute `valid_range` of a coordinate. Raise `RomValueError` unless it is two increasing numbers."""
    if limits is None:
        return None
    values = np.asarray(limits)
    if values.shape != (2,) or values.dtype.kind not in NUMBERS or not -np.inf < values[0] < values[1] < np.inf:
        raise RomValueError(f"{name}.attrs['valid_range'] must be two numbers, (low, high), got {limits!r}")
    return float(values[0]), float(values[1])


def space_of(
    names: Sequence[str],
    sets: Sequence[Positions],
    periods: Sequence[float | None],
    n_functions: int | Sequence[int] | None,
    degree: int,
    ranges: Sequence[Limits] | None = None,
    may_fail: float = 0.0,
) -> FunctionSpace:
    """Return the space on the box around all positions, with as many functions as the coarsest set of them determines.

    Parameters
    ----------
    names : sequence of str
        Names of the k axes.
    sets : sequence of Positions
        Grids, or points ``(..., P, k)``, which may move along the leading axes.
    periods : sequence of float or None
        Periods of the axes; None for a bounded one.
    n_functions : int, sequence of int or None
        Number of functions, for all axes or each of them. By default three for four points of the coarsest grid, down to one for
        two where gaps ask for that, as for the fewest scattered points.
    degree : int
        Degree of the splines.
    ranges : sequence of (float, float) or None, optional
        Limits of the axes that the box must include.
    may_fail : float
        Share of the sets that need not determine the coefficients.

    Returns
    -------
    FunctionSpace
        The space.

    Raises
    ------
    RomTypeError
        If `n_functions` has another length than `names`.
    RomValueError
        If there are too few positions.
    """
    bounds = [bounds_of(k, sets, period, None if ranges is None else ranges[k]) for k, period in enumerate(periods)]

    def space(counts: Sequence[int]) -> FunctionSpace:
        axes = (
            Axis(name, low, high, int(n), period is not None)
            for name, (low, high), period, n in zip(names, bounds, periods, counts, strict=True)
        )
        return FunctionSpace(tuple(axes), degree)

    if n_functions is None:
        return finest_space(space, names, sets, degree, may_fail)
    counts = list(n_functions) if isinstance(n_functions, Sequence) else [n_functions] * len(names)
    if len(counts) != len(names):
        raise RomTypeError(f"n_functions has {len(counts)} entries, but the data have the axes {', '.join(names)}")
    return space(counts)


def bounds_of(k: int, sets: Sequence[Positions], period: float | None, limits: Limits) -> tuple[float, float]:
    """Return the ends of the k-th axis: around all positions and `limits`, or one period from the least position."""
    columns = [one[k] if isinstance(one, tuple) else one[..., k] for one in sets]
    low, high = float(min(c.min() for c in columns)), float(max(c.max() for c in columns))
    if period is not None:
        return low, low + period
    return (low, high) if limits is None else (min(low, limits[0]), max(high, limits[1]))


def finest_space(
    space: Callable[[Sequence[int]], FunctionSpace],
    names: Sequence[str],
    sets: Sequence[Positions],
    degree: int,
    may_fail: float,
) -> FunctionSpace:
    """Return the space with as many functions along the axes as all but a share `may_fail` of the sets determine.

    `space` makes one of the numbers of functions along the axes `names`.
    """
    counts, fewest = (
        [count_of_functions(k, len(names), sets, share, may_fail) for k in range(len(names))]
        for share in (SHARE, SHARE_SCATTERED)
    )
    grids = [one for one in sets if isinstance(one, tuple)]
    while True:
        small = [name for name, n in zip(names, counts, strict=True) if n < degree + 1]
        if small:
            raise RomValueError(
                f"there are too few positions along {small[0]!r} for splines of degree {degree}, which need {fewest_points(degree)} along "
                f"an axis of a grid, or {2 * (degree + 1) ** len(names)} scattered points; choose a lower degree, "
                "rom.Coordinate(degree=...), leave the coarsest data out, or correct a valid_range that reaches beyond them"
            )
        chosen = space(counts)
        if not grids:
            return chosen
        poor = np.mean([chosen.poorly_determined(grid) for grid in grids], axis=0) > may_fail
        too_wide = np.mean([chosen.undetermined(grid) for grid in grids], axis=0) > may_fail if any(poor) else poor
        # Smoothness fills gaps, so there may be as many functions as of scattered points, unless they are too wide for it.
        fewer = [
            min(n, max(int(STEP_DOWN * n), degree + 1, 0 if wide else least)) if bad else n
            for n, least, bad, wide in zip(counts, fewest, poor, too_wide, strict=True)
        ]
        if fewer == counts:
            return chosen
        counts = fewer


def count_of_functions(k: int, n_axes: int, sets: Sequence[Positions], share: float, may_fail: float) -> int:
    """Return the number of functions along the k-th axis, by the numbers of points in all but some of the sets.

    It is a `share` of the points of grids.
    """
    counts = [
        int(share * len(one[k])) if isinstance(one, tuple) else int((SHARE_SCATTERED * one.shape[-2]) ** (1 / n_axes))
        for one in sets
    ]
    return sorted(counts)[int(may_fail * len(counts))]


def fewest_points(degree: int) -> int:
    """Return the least number of points of a grid along an axis."""
    return -int(-(degree + 1) // SHARE)
