"""Inputs u(t): parameters that change in time.

They are known at some times and interpolated between them.

Inputs are data like states: one labelled array (trajectory, time, input), which `simulate` takes and stores, `rom.fit`
learns from, and forecasts take again. A function of time is replaced by its values at some times, with one rule for the
times in between. These times differ. `simulate` takes inputs at its own times t, and warns if an array changes between
them. Training knows inputs at the times of the snapshots, which are the same. A forecast takes an array at the array's own
times, and a function at more times than those of the forecast. All of them mean the same function of time if t resolves the
changes of the inputs.
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

__all__ = ["Signals", "as_signals", "random_signals", "signals"]

# Rules between the times; the second one holds values.
INTERPOLATIONS = ("linear", "previous")
# Times this close before a knot, as a fraction of the shortest distance of knots, count as the knot.
SNAP = 1e-3


@dataclass(frozen=True)
class Signals:
    """Inputs u(t) of some trajectories.

    Attributes
    ----------
    names : tuple of str
        The names of the m inputs.
    times : numpy.ndarray
        Times (K,), strictly increasing.
    values : numpy.ndarray
        Values (n, K, m) at the times.
    held : bool
        Whether a value is held until the next time. Otherwise inputs change linearly.

    Examples
    --------
    >>> import numpy as np
    >>> import systems
    >>> ramp = systems.Signals(("force",), np.array([0.0, 2.0]), np.array([[[0.0], [1.0]]]), held=False)
    >>> ramp.at(0.5)
    array([[0.25]])
    >>> len(ramp)
    1
    """

    names: tuple[str, ...]
    times: np.ndarray
    values: np.ndarray
    held: bool

    def __len__(self) -> int:
        """Return the number of trajectories."""
        return len(self.values)

    def at(self, t: Any) -> np.ndarray:
        """Return u at some times.

        Before the first and after the last known time it is the value there.

        Parameters
        ----------
        t : float or array_like
            A time, or times (T,).

        Returns
        -------
        numpy.ndarray
            Values (n, m) at a time, or (n, T, m) at times.

        Examples
        --------
        >>> import numpy as np
        >>> import systems
        >>> steps = systems.Signals(("force",), np.array([0.0, 1.0]), np.array([[[0.0], [1.0]]]), held=True)
        >>> steps.at([0.5, 1.5])[0, :, 0]
        array([0., 1.])
        """
        if self.held:
            # A time just before a knot is meant to be the knot, and differs by rounding.
            t = np.asarray(t) + (SNAP * np.diff(self.times).min() if len(self.times) > 1 else 0.0)
        k = np.clip(np.searchsorted(self.times, t, side="right") - 1, 0, len(self.times) - 1)
        if self.held:
            return self.values[:, k]
        k = np.minimum(k, len(self.times) - 2)
        share = np.clip((t - self.times[k]) / (self.times[k + 1] - self.times[k]), 0.0, 1.0)[..., None]
        return (1.0 - share) * self.values[:, k] + share * self.values[:, k + 1]

    def description(self) -> list[str]:
        """Return what identifies the inputs in the provenance of data.

        Returns
        -------
        list of str
            Names, rule between the times, and a digest of the values.

        Examples
        --------
        >>> import numpy as np
        >>> import systems
        >>> systems.Signals(("force",), np.array([0.0, 1.0]), np.zeros((1, 2, 1)), held=False).description()[:2]
        ['force', 'linear']
        """
        return [*self.names, INTERPOLATIONS[self.held], fingerprint(self.values)]

    def select(self, rows: slice | list[int]) -> Signals:
        """Return the inputs of some trajectories.

        Parameters
        ----------
        rows : slice or list of int
            The trajectories.

        Returns
        -------
        Signals
            Their inputs.

        Examples
        --------
        >>> import numpy as np
        >>> import systems
        >>> len(systems.Signals(("force",), np.array([0.0, 1.0]), np.zeros((5, 2, 1)), held=False).select([0, 3]))
        2
        """
        return Signals(self.names, self.times, self.values[rows], self.held)

    def labelled(self) -> xr.DataArray:
        """Return the inputs as one labelled array.

        Returns
        -------
        xarray.DataArray
            Values (trajectory, time, input). The attribute ``interpolation`` is "linear" or "previous".

        Examples
        --------
        >>> import numpy as np
        >>> import systems
        >>> systems.Signals(("force",), np.array([0.0, 1.0]), np.zeros((5, 2, 1)), held=False).labelled().dims
        ('trajectory', 'time', 'input')
        """
        return xr.DataArray(
            self.values, dims=("trajectory", "time", "input"), name="inputs",
            coords={"trajectory": np.arange(len(self)), "time": self.times, "input": list(self.names)},
            attrs={"interpolation": INTERPOLATIONS[self.held]},
        )  # fmt: skip


def signals(t: Any, values: Mapping[str, Any], interpolation: str = "linear") -> xr.DataArray:
    """Make one labelled array of inputs u(t) from values or functions of time.

    Parameters
    ----------
    t : array_like
        Times (time,), strictly increasing, at which the inputs are known.
    values : mapping
        For each input its values (time,) or (trajectory, time), a number, or a function of one time. A function is replaced
        by its values at `t`, so `t` must resolve its changes.
    interpolation : {"linear", "previous"}, default "linear"
        The rule between the times: linear, or held until the next time.

    Returns
    -------
    xarray.DataArray
        Inputs (trajectory, time, input). If no values have several trajectories there is one, which drives any number of
        trajectories.

    Raises
    ------
    SystemsTypeError, SystemsValueError
        If an argument cannot be used.

    Examples
    --------
    >>> import numpy as np
    >>> import systems
    >>> t = np.linspace(0.0, 5.0, 51)
    >>> u = systems.signals(t, {"torque": np.sin, "damping": 0.1})
    >>> u.shape, u.attrs["interpolation"]
    ((1, 51, 2), 'linear')
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
    """Return values (n, time) of one input."""
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
    """Return Signals of n trajectories from t[0] to t[-1].

    Parameters
    ----------
    inputs : mapping or xarray.DataArray
        A mapping as for `signals`, at the times `t`; or an array (time, input) or (trajectory, time, input) with times of
        its own.
    n : int
        The number of trajectories.
    t : array_like
        Times (time,), strictly increasing.
    names : sequence of str, optional
        The inputs that are needed, in this order. By default those that are given.

    Returns
    -------
    Signals
        The inputs of n trajectories.

    Raises
    ------
    SystemsTypeError
        If `inputs` is of the wrong type.
    SystemsValueError
        If the inputs are shorter than `t`, belong to another number of trajectories, or are not those that are needed.

    Examples
    --------
    >>> import numpy as np
    >>> import systems
    >>> u = systems.as_signals({"torque": np.sin}, n=3, t=np.linspace(0.0, 5.0, 51))
    >>> u.names, u.values.shape
    (('torque',), (3, 51, 1))
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
            f"{name} belong to {len(values)} trajectories, but there are {n}; to start one state under several inputs, "
            "repeat it, as by numpy.broadcast_to"
        )
    given = tuple(map(str, inputs["input"].values))
    order = range(len(given)) if names is None else _order(given, names)
    values = np.broadcast_to(values[..., list(order)], (n, *values.shape[1:]))
    return Signals(tuple(given[k] for k in order), times, values, held)


def _order(given: Sequence[str], names: Sequence[str]) -> list[int]:
    """Return the index of each of `names` among those given; require the same names."""
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
    """Return n signals within bounds: random levels that change at random times.

    Parameters
    ----------
    names : tuple of str
        The names of the m inputs.
    low, high : array_like
        Bounds (m,).
    n : int
        The number of trajectories.
    t : numpy.ndarray
        Times (time,).
    dwell : float
        The mean time between changes.
    seed : int
        The seed. The i-th signal depends on (seed, i) and `t` alone.

    Returns
    -------
    Signals
        Those of even trajectories change linearly from level to level, those of odd ones jump.
    """
    low, high = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
    values = np.empty((n, len(t), len(names)))
    span = float(t[-1] - t[0])
    # More levels than almost any signal needs; each trajectory has a generator of its own.
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
