"""Inputs u(t): parameters that change in time, known at some times and interpolated between them.

What a system was driven by is data like its states: one labelled array (trajectory, time, input), which `simulate` takes
and stores, `rom.fit` learns from and forecasts take again. A function of time is replaced by its values at some times, with
one rule for what lies between. The times differ: `simulate` takes inputs at its own times t, and warns where an array
changes between them; training knows them at the times of the snapshots, which are these; a forecast takes an array at
the array's own times, and a function at more times than it is asked for. So all mean the same function of time where t is as
fine as the inputs change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from systems.checks import checked_times, numeric, require_finite
from systems.errors import SystemsTypeError, SystemsValueError, nearest
from systems.io.provenance import fingerprint

INTERPOLATIONS = ("linear", "previous")
SNAP = 1e-3  # of the shortest distance of knots


@dataclass(frozen=True)
class Signals:
    """u(t) of some trajectories: `values` (n, K, m) at `times` (K,), linear in between, or held until the next of them."""

    names: tuple[str, ...]
    times: np.ndarray
    values: np.ndarray
    held: bool

    def __len__(self) -> int:
        return len(self.values)

    def at(self, t: Any) -> np.ndarray:
        """u (n, m) at a time, or (n, T, m) at times (T,); beyond the ends the values there."""
        if self.held:
            # A time that rounding has put just before a knot is at the knot.
            t = np.asarray(t) + (SNAP * np.diff(self.times).min() if len(self.times) > 1 else 0.0)
        k = np.clip(np.searchsorted(self.times, t, side="right") - 1, 0, len(self.times) - 1)
        if self.held:
            return self.values[:, k]
        k = np.minimum(k, len(self.times) - 2)
        share = np.clip((t - self.times[k]) / (self.times[k + 1] - self.times[k]), 0.0, 1.0)[..., None]
        return (1.0 - share) * self.values[:, k] + share * self.values[:, k + 1]

    def description(self) -> list[str]:
        """What tells them from others, in the provenance of data."""
        return [*self.names, INTERPOLATIONS[self.held], fingerprint(self.values)]

    def select(self, rows: slice | list[int]) -> Signals:
        """Those of some trajectories."""
        return Signals(self.names, self.times, self.values[rows], self.held)

    def labelled(self) -> xr.DataArray:
        """(trajectory, time, input), with the rule between the times as the attribute `interpolation`."""
        return xr.DataArray(
            self.values, dims=("trajectory", "time", "input"), name="inputs",
            coords={"trajectory": np.arange(len(self)), "time": self.times, "input": list(self.names)},
            attrs={"interpolation": INTERPOLATIONS[self.held]},
        )  # fmt: skip


def signals(t: Any, values: Mapping[str, Any], interpolation: str = "linear") -> xr.DataArray:
    """Inputs u(t) as one labelled array, from their values, or from functions of time.

    t: times (time,), strictly increasing, at which inputs are known.
    values: for each input its values (time,) or (trajectory, time), a number, or a function of a time; a function is
    replaced by its values at `t`, so let `t` be as fine as it changes.
    interpolation: what lies between the times: "linear", or "previous" for inputs that are held until the next time.

    Returns a DataArray (trajectory, time, input), with one trajectory where no values had several: it drives any number
    of them. Raises SystemsTypeError, SystemsValueError.
    """
    t = checked_times("t", t)
    if interpolation not in INTERPOLATIONS:
        raise SystemsValueError(f"interpolation must be 'linear' or 'previous', got {interpolation!r}")
    if not isinstance(values, Mapping) or not values:
        raise SystemsTypeError(f"values must map names of inputs to their values, got {values!r}")
    columns = {str(name): _column(value, t, f"values[{name!r}]") for name, value in values.items()}
    counts = {len(column) for column in columns.values()} - {1}
    if len(counts) > 1:
        shapes = {name: column.shape for name, column in columns.items()}
        raise SystemsValueError(f"values must belong to the same number of trajectories, got {shapes}")
    n = counts.pop() if counts else 1
    stacked = np.stack([np.broadcast_to(column, (n, len(t))) for column in columns.values()], axis=-1)
    return Signals(tuple(columns), t, stacked, interpolation == "previous").labelled()


def _column(value: Any, t: np.ndarray, name: str) -> np.ndarray:
    """Values (n, time) of one input."""
    if isinstance(value, Callable):
        value = [value(float(time)) for time in t]
    column = numeric(name, value)
    if column.ndim == 0:
        column = np.full(len(t), float(column))
    if column.ndim > 2 or column.shape[-1] != len(t) or 0 in column.shape:
        raise SystemsValueError(
            f"{name} must have shape ({len(t)},), or (trajectory, {len(t)}), as t has {len(t)} times; got {column.shape}"
        )
    require_finite(name, column)
    return np.atleast_2d(column)


def as_signals(inputs: Any, n: int, t: Any, names: Sequence[str] | None = None) -> Signals:
    """Signals of n trajectories from t[0] to t[-1], from a mapping (as by `signals`, at the times t) or a DataArray.

    A DataArray has dimensions (time, input) or (trajectory, time, input), and times of its own.
    names: the inputs that are needed, in this order; by default those that are given.

    Raises SystemsTypeError; SystemsValueError for inputs that are shorter than t, belong to another number of
    trajectories, or are not those that are needed.
    """
    t, name = checked_times("t", t), "inputs"
    if isinstance(inputs, Mapping) and not isinstance(inputs, xr.Dataset | xr.DataArray):
        inputs = signals(t, inputs)
    if not isinstance(inputs, xr.DataArray):
        raise SystemsTypeError(
            f"{name} must map names to values at t, or be a DataArray as systems.signals makes it, got {type(inputs).__name__}"
        )
    missing = [dim for dim in ("time", "input") if dim not in inputs.dims or dim not in inputs.coords]
    if missing:
        raise SystemsValueError(
            f"{name} has no coordinate {missing[0]!r}, only {list(inputs.coords)}; use systems.signals"
        )
    if "trajectory" not in inputs.dims:
        inputs = inputs.expand_dims("trajectory")
    times = checked_times(f"{name}['time']", inputs["time"])
    values = numeric(name, inputs.transpose("trajectory", "time", "input"))
    require_finite(name, values)
    slack = 1e-9 * max(abs(t[0]), abs(t[-1]))
    held = inputs.attrs.get("interpolation") == "previous"
    end = times[-1] + (times[-1] - times[-2] if held else 0.0)
    if times[0] > t[0] + slack or end < t[-1] - slack:
        raise SystemsValueError(
            f"{name} are known from t = {times[0]:g} to {end:g}, but t goes from {t[0]:g} to {t[-1]:g}; make them longer"
        )
    if len(values) not in (1, n):
        raise SystemsValueError(
            f"{name} belong to {len(values)} trajectories, but there are {n}; a state that is to go on under several is "
            "repeated, as by numpy.broadcast_to"
        )
    given = tuple(map(str, inputs["input"].values))
    order = range(len(given)) if names is None else _order(given, names)
    values = np.broadcast_to(values[..., list(order)], (n, *values.shape[1:]))
    return Signals(tuple(given[k] for k in order), times, values, held)


def _order(given: Sequence[str], names: Sequence[str]) -> list[int]:
    """Where each of `names` is among those given; an error unless both are the same."""
    for name in given:
        if name not in names:
            raise SystemsValueError(f"inputs: there is no input {name!r}; {nearest(name, names)}")
    absent = [name for name in names if name not in given]
    if absent:
        raise SystemsValueError(f"inputs: {absent[0]!r} is missing; needed are {', '.join(names)}")
    return [given.index(name) for name in names]


def random_signals(
    names: tuple[str, ...], low: Any, high: Any, n: int, t: np.ndarray, dwell: float, seed: int
) -> Signals:
    """n signals within the bounds low, high (m,): random levels at random times, `dwell` apart on average.

    Even ones go from level to level in straight lines, odd ones jump. The i-th depends on (seed, i) and t alone.
    """
    low, high = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
    values = np.empty((n, len(t), len(names)))
    span = float(t[-1] - t[0])
    # As many levels as hardly any signal needs: each trajectory has a generator of its own.
    n_levels = int(np.ceil(span / dwell + 6 * np.sqrt(span / dwell))) + 8
    for i in range(n):
        rng = np.random.default_rng([seed, 11, i])
        for j in range(len(names)):
            knots = t[0] + dwell * np.concatenate([[0.0], np.cumsum(rng.exponential(size=n_levels))])
            levels = low[j] + (high[j] - low[j]) * rng.random(n_levels + 1)
            if i % 2:
                values[i, :, j] = levels[np.searchsorted(knots, t, side="right") - 1]
            else:
                values[i, :, j] = np.interp(t, knots, levels)
    return Signals(tuple(names), t, values, held=False)
