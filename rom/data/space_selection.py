"""Which function space the data of a fit have in common: as wide as their positions, as fine as the coarsest of them allow.

A coordinate whose attribute `period` is a length repeats after it; the domain reaches over the attribute `valid_range`,
(low, high), as the CF conventions call it, where positions alone would leave its ends out.
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


def select_space(
    arrays: Sequence[tuple[str, xr.DataArray, tuple[str, ...]]], settings: Coordinate, few: float = 0.0
) -> FunctionSpace:
    """The function space of all fields of a fit: named arrays with their leading dimensions.

    The axes are those of the first; periods, where one array tells them, hold for all. A share of `few` of the arrays may leave
    coefficients undetermined. Raises `RomValueError` where arrays do
    not agree on them, and as `space_of`.
    """
    axes = axes_of(*arrays[0])
    periods: dict[str, float | None] = dict.fromkeys(axes)
    ranges: dict[str, tuple[float, float] | None] = dict.fromkeys(axes)
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
            if not np.isfinite(array[axis].values).all():
                raise RomValueError(
                    f"{name}[{axis!r}] is not finite at some positions; where samples have unequal numbers of points, pass a list of them "
                    f"without the missing ones, [one.dropna({str(array[axis].dims[-1])!r}) for one in data]"
                )
        for axis in axes:
            period = checked_period(f"{name}[{axis!r}]", array[axis].attrs.get("period"))
            known = periods[axis]
            if known is not None and period is not None and not np.isclose(known, period, rtol=1e-6):
                raise RomValueError(f"{name}: {axis!r} has the period {period:g}, but {known:g} in other data")
            periods[axis] = period if known is None else known
            told = [checked_range(f"{name}[{axis!r}]", array[axis].attrs.get("valid_range")), ranges[axis]]
            ends = np.array([one for one in told if one is not None])
            ranges[axis] = (float(ends.min()), float(ends.max())) if len(ends) else None
    return space_of(
        axes,
        positions,
        [periods[axis] for axis in axes],
        settings.n_functions,
        settings.degree,
        [ranges[axis] for axis in axes],
        few,
    )


def checked_range(name: str, limits: Any) -> tuple[float, float] | None:
    """The attribute `valid_range` of a coordinate; a `RomValueError` for one that is not two numbers, the lower first."""
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
    ranges: Sequence[tuple[float, float] | None] | None = None,
    few: float = 0.0,
) -> FunctionSpace:
    """The space on the box around all `sets` of positions and `ranges`, with as many functions as the coarsest set determines.

    A set is a grid, or points (..., P, k), which may move along the leading axes. `periods` are those of the axes `names`, None
    of a bounded one. `n_functions`, for all axes or each of them, is used as it is; without it there are three for four points
    of the coarsest grid, down to one for two where gaps ask for that, as of the fewest scattered points; a share of `few` of the
    sets are left out of account.
    Raises `RomValueError` where there are too few positions, `RomTypeError` for an `n_functions` of another length.
    """
    bounds = []
    for k, (name, period) in enumerate(zip(names, periods, strict=True)):
        columns = [one[k] if isinstance(one, tuple) else one[..., k] for one in sets]
        low, high = float(min(c.min() for c in columns)), float(max(c.max() for c in columns))
        wide = None if ranges is None or period is not None else ranges[k]
        if wide is not None:
            low, high = min(low, wide[0]), max(high, wide[1])
        bounds.append((name, low, high if period is None else low + period, period is not None))

    def space(counts: Sequence[int]) -> FunctionSpace:
        made = (
            Axis(name, low, high, int(n), periodic)
            for (name, low, high, periodic), n in zip(bounds, counts, strict=True)
        )
        return FunctionSpace(tuple(made), degree)

    if n_functions is None:
        return finest(space, names, sets, degree, few)
    counts = list(n_functions) if isinstance(n_functions, Sequence) else [n_functions] * len(names)
    if len(counts) != len(names):
        raise RomTypeError(f"n_functions has {len(counts)} entries, but the data have the axes {', '.join(names)}")
    return space(counts)


def finest(
    space: Callable[[Sequence[int]], FunctionSpace],
    names: Sequence[str],
    sets: Sequence[Positions],
    degree: int,
    few: float,
) -> FunctionSpace:
    """The space with as many functions along the axes `names` as all but `few` of the sets of positions determine."""
    counts, fewest = (
        [functions(k, len(names), sets, share, few) for k in range(len(names))] for share in (SHARE, SHARE_SCATTERED)
    )
    grids = [one for one in sets if isinstance(one, tuple)]
    while True:
        small = [name for name, n in zip(names, counts, strict=True) if n < degree + 1]
        if small:
            raise RomValueError(
                f"there are too few positions along {small[0]!r} for splines of degree {degree}, which need {least_points(degree)} along "
                f"an axis of a grid, or {2 * (degree + 1) ** len(names)} scattered points; choose a lower degree, "
                "rom.Coordinate(degree=...), leave the coarsest data out, or correct a valid_range that reaches beyond them"
            )
        chosen = space(counts)
        if not grids:
            return chosen
        poor = np.mean([chosen.poorly_determined(grid) for grid in grids], axis=0) > few
        too_wide = np.mean([chosen.undetermined(grid) for grid in grids], axis=0) > few if any(poor) else poor
        # Smoothness fills gaps, so there may be as many functions as of scattered points, unless they are too wide for it.
        fewer = [
            min(n, max(int(0.9 * n), degree + 1, 0 if wide else least)) if bad else n
            for n, least, bad, wide in zip(counts, fewest, poor, too_wide, strict=True)
        ]
        if fewer == counts:
            return chosen
        counts = fewer


def functions(k: int, n_axes: int, sets: Sequence[Positions], share: float, few: float) -> int:
    """How many functions the k-th axis has for a `share` of the points of grids, by the numbers of points in all but `few` sets."""
    counts = [
        int(share * len(one[k])) if isinstance(one, tuple) else int((SHARE_SCATTERED * one.shape[-2]) ** (1 / n_axes))
        for one in sets
    ]
    return sorted(counts)[int(few * len(counts))]


def least_points(degree: int) -> int:
    """Of a grid along one axis: as many as have a function each of the fewest."""
    return -int(-(degree + 1) // SHARE)
