"""Arguments of the methods of a model, of any kind that users have: checked, and turned into tensors and signals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

import systems
from rom.data.layout import Layout
from rom.data.same_layout import require_same_units
from rom.data.state_codec import FlatStates
from rom.data.states import ArrayLike, StatesLike, as_tensor, first_field, with_last_dims
from rom.utils.arrays import numeric, require_finite, require_numeric_times
from rom.utils.errors import RomValueError, nearest

__all__ = [
    "forecast_times",
    "initial_states",
    "input_signals",
    "input_values",
    "latent_states",
    "parameter_values",
]


def latent_states(z: ArrayLike, latent_dim: int, like: Tensor) -> Tensor:
    """Return latent states (..., d) on the device and in the dtype of `like`. Raise `RomValueError` for another last axis."""
    values = as_tensor("z", with_last_dims("z", z, ("latent",)) if isinstance(z, xr.DataArray) else z, like)
    if values.ndim < 1 or values.shape[-1] != latent_dim:
        raise RomValueError(f"z has shape {tuple(values.shape)}; its last axis must have length {latent_dim}")
    return values


def initial_states(x0: StatesLike, given: FlatStates, layout: Layout) -> tuple[Tensor, Any]:
    """Return the initial states of a forecast.

    Parameters
    ----------
    x0 : StatesLike
        What the caller passed.
    given : FlatStates
        Its flat states ``(n,)`` or ``(trajectory, n)``.
    layout : Layout
        Labels of a state.

    Returns
    -------
    states : torch.Tensor
        Flat states ``(trajectory, n)``, detached.
    trajectory : array or None
        The coordinate of the dimension `trajectory`. None for one state.

    Raises
    ------
    RomValueError
        If there are more leading dimensions, no states, or values that are not finite.
    """
    states = given.flat.detach()
    labelled, _ = first_field(x0, layout)
    if states.ndim > 2:
        raise RomValueError(
            f"x0 has shape {tuple(np.shape(labelled))}; pass one state {layout.shape} or many (trajectory, *{layout.shape})"
        )
    require_finite("x0", states.cpu().numpy(), ("trajectory",) if states.ndim == 2 else ())
    if states.ndim == 1:
        return states[None], None
    if len(states) == 0:
        raise RomValueError("x0 is empty; pass at least one state")
    if given.lead and given.lead[0] in labelled.coords:
        return states, ("trajectory", labelled[given.lead[0]].values)
    return states, np.arange(len(states))


def parameter_values(mu: Any, names: tuple[str, ...], leading: tuple[int, ...], like: Tensor) -> Tensor:
    """Read the parameters of a model.

    Parameters
    ----------
    mu : array, mapping or None
        Parameters ``(p,)`` or ``(*leading, p)``, or a mapping from names.
    names : tuple of str
        Names of the parameters; empty for a model without parameters.
    leading : tuple of int
        Leading shape of the states.
    like : torch.Tensor
        Has the device and the dtype of the result.

    Returns
    -------
    torch.Tensor
        Shape ``(*leading, p)``.

    Raises
    ------
    RomTypeError
        If parameters are not real numbers.
    RomValueError
        If parameters are missing, unknown, not finite or of another shape.
    """
    if not names:
        if mu is not None:
            raise RomValueError("mu was given, but this model was fitted at fixed parameters; leave it out")
        return like.new_zeros(*leading, 0)
    if mu is None:
        raise RomValueError(
            f"mu is missing: this model depends on the parameters {', '.join(names)}; pass mu={{{names[0]!r}: ...}}"
        )
    values = rows_of("mu", "has", stacked_by_name("mu", "parameter", mu, names, like), names, leading, like)
    return values.expand(*leading, len(names))


def stacked_by_name(argument: str, what: str, given: Any, names: tuple[str, ...], like: Tensor) -> Any:
    """Return the values of a mapping from all `names` side by side, (..., m); anything else unchanged.

    `argument` and `what` name the argument and its entries in error messages.
    """
    if not isinstance(given, Mapping):
        return given
    for name in given:
        if name not in names:
            raise RomValueError(f"{argument}: unknown {what} {name!r}; {nearest(name, names)}")
    absent = [name for name in names if name not in given]
    if absent:
        raise RomValueError(f"{argument}: {what} {absent[0]!r} is missing; needed are {', '.join(names)}")
    columns = [as_tensor(f"{argument}[{name!r}]", given[name], like) for name in names]
    return torch.stack(torch.broadcast_tensors(*columns), dim=-1)


def rows_of(name: str, verb: str, given: Any, names: tuple[str, ...], leading: tuple[int, ...], like: Tensor) -> Tensor:
    """Return numbers (m,) or (*leading, m), one column for each of `names`. Raise `RomValueError` unless they are finite.

    `verb` makes the error message: "mu has", "inputs have".
    """
    values = as_tensor(name, given, like)
    if tuple(values.shape) not in ((len(names),), (*leading, len(names))):
        raise RomValueError(
            f"{name} {verb} shape {tuple(values.shape)}; expected ({len(names)},) or {(*leading, len(names))} for {', '.join(names)}"
        )
    require_finite(name, values.detach().cpu().numpy(), ("row",) * (values.ndim - 1))
    return values


def require_inputs(inputs: Any, names: tuple[str, ...], remedy: str = "") -> None:
    """Raise `RomValueError` if inputs are given to a model without any, or missing for one with these `names`."""
    if inputs is not None and not names:
        raise RomValueError("inputs were given, but this model was fitted without; leave them out")
    if inputs is None and names:
        raise RomValueError(f"inputs are missing: this model is driven by {', '.join(names)}{remedy}")


def input_signals(inputs: Any, layout: Layout, times: np.ndarray, n: int, longest: float) -> systems.Signals | None:
    """Read the inputs of forecasts.

    Parameters
    ----------
    inputs : mapping, DataArray or None
        Values at the times, or functions of a time, by name; or a DataArray as `systems.signals` makes it.
    layout : Layout
        Names of the inputs, and what lies between their times.
    times : numpy.ndarray
        Times of the forecasts, ``(time,)``.
    n : int
        Number of forecasts.
    longest : float
        The longest step of the forecast. Functions are sampled at the times, and at least twice in it.

    Returns
    -------
    systems.Signals or None
        None for a model without inputs, and for a single time.

    Raises
    ------
    RomValueError
        If inputs are missing, or the model has none.
    systems.SystemsError
        If they are no signals, are not those of the model, or are shorter than the times.
    """
    require_inputs(inputs, layout.inputs, "; pass a mapping from names to values at t, or what systems.signals makes")
    if not layout.inputs or len(times) == 1:
        return None
    if isinstance(inputs, Mapping) and not isinstance(inputs, xr.Dataset):
        between = "previous" if layout.held_inputs else "linear"
        given = systems.signals(times, {name: 0.0 if callable(u) else u for name, u in inputs.items()}, between)
        functions = {name: u for name, u in inputs.items() if callable(u)}
        if functions:
            finer = np.linspace(times[0], times[-1], 2 + int(2 * (times[-1] - times[0]) / longest))
            grid = np.union1d(times, finer)
            others = systems.as_signals(given, len(given), times)
            values = dict(zip(others.names, np.moveaxis(others.at(grid), -1, 0), strict=True))
            given = systems.signals(grid, values | functions, between)
        inputs = given
    return systems.as_signals(inputs, n, times, layout.inputs)


def input_values(inputs: Any, names: tuple[str, ...], leading: tuple[int, ...], like: Tensor) -> Tensor:
    """Return inputs (*leading, m) at single states, from (m,), (*leading, m) or a mapping from names.

    Parameters
    ----------
    inputs : array, mapping or None
        Inputs. Tensors keep their gradients.
    names : tuple of str
        Names of the inputs; empty for a model without.
    leading : tuple of int
        Leading shape of the states.
    like : torch.Tensor
        Has the device and the dtype of the result.

    Returns
    -------
    torch.Tensor
        Shape ``(*leading, m)``.

    Raises
    ------
    RomTypeError
        If inputs are not real numbers.
    RomValueError
        If inputs are missing, unknown, not finite or of another shape.
    """
    require_inputs(inputs, names)
    if not names:
        return like.new_zeros(*leading, 0)
    given = stacked_by_name("inputs", "input", inputs, names, like)
    return rows_of("inputs", "have", given, names, leading, like).expand(*leading, len(names))


def forecast_times(t: ArrayLike, x0: StatesLike, layout: Layout) -> np.ndarray:
    """Read the times of a forecast.

    Parameters
    ----------
    t : ArrayLike
        Times ``(time,)``.
    x0 : StatesLike
        Initial states. Labelled ones may have a time of their own.
    layout : Layout
        Has the unit of time of the model.

    Returns
    -------
    numpy.ndarray
        Shape ``(time,)``, float64.

    Raises
    ------
    RomTypeError
        If times are dates.
    RomValueError
        Unless times are finite, strictly increasing, not before the time of x0, and in the unit of time of the model.
    """
    require_numeric_times("t", getattr(t, "dtype", None), "t = (t - t[0]) / np.timedelta64(1, 's')")
    if isinstance(t, xr.DataArray):
        require_same_units("t", {"time": t.attrs}, layout, "this model")
    times = numeric("t", t).astype(np.float64)
    if times.ndim == 0:
        raise RomValueError(
            f"t must have shape (time,) and start at the time of x0: for one later state, pass [t0, {times:g}]"
        )
    if times.ndim != 1 or len(times) == 0:
        raise RomValueError(f"t must have shape (time,) with at least one time, got {times.shape}")
    require_finite("t", times, ("index",))
    steps = np.diff(times)
    if (steps <= 0).any():
        k = int(np.argmax(steps <= 0))
        raise RomValueError(f"t must increase strictly, but t[{k}] = {times[k]:g} and t[{k + 1}] = {times[k + 1]:g}")
    labelled, _ = first_field(x0, layout)
    if isinstance(labelled, xr.DataArray) and "time" in labelled.coords and labelled.coords["time"].ndim == 0:
        require_numeric_times("the time of x0", labelled.coords["time"].dtype, "x0 = x0.drop_vars('time')")
        require_same_units("x0", {"time": labelled.coords["time"].attrs}, layout, "this model")
        start = float(labelled.coords["time"])
        if times[0] < start:
            raise RomValueError(f"t[0] = {times[0]:g} lies before the time of x0, {start:g}; start t there")
    return times
