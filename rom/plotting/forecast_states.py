"""The states of a forecast and of its truth, brought to one form that can be drawn and compared."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import xarray as xr

from rom.plotting.labels import component_label
from rom.utils.errors import RomTypeError, RomValueError

__all__ = ["forecast_states", "relative_errors", "state_variables", "truth_states"]

LEADING = ("trajectory", "time")
SAME_TIME = 1e-9  # largest relative difference between equal times

Labelled = TypeVar("Labelled", xr.DataArray, xr.Dataset)


def forecast_states(forecast: Any) -> tuple[xr.DataArray, xr.DataArray]:
    """Return the states and flags of a forecast of one trajectory or many.

    Parameters
    ----------
    forecast : Dataset
        What `model.forecast` returned.

    Returns
    -------
    states : DataArray, (trajectory, time, *dims)
        The variable `state`, or all fields side by side along the dimension `component`.
    valid : DataArray of bool, (trajectory, time)

    Raises
    ------
    RomTypeError
        If `forecast` is not a forecast.
    RomValueError
        If it contains a single time.
    """
    if not isinstance(forecast, xr.Dataset) or "valid" not in forecast.data_vars or len(forecast.data_vars) < 2:
        raise RomTypeError("forecast must be what model.forecast returned: a Dataset of `state` or fields, and `valid`")
    if "trajectory" not in forecast["valid"].dims:
        forecast = with_trajectory(forecast)
    if forecast.sizes["time"] < 2:
        raise RomValueError("forecast has a single time and cannot be drawn against time; forecast at least 2 times")
    return side_by_side(forecast, state_variables(forecast)), forecast["valid"].transpose(*LEADING)


def truth_states(truth: Any, states: xr.DataArray, names: list[str]) -> xr.DataArray:
    """Return the truth in the form of the states of a forecast.

    Parameters
    ----------
    truth : DataArray or Dataset
        States, a Dataset with the variable `state`, or one with the fields `names`; of one trajectory or many.
    states : DataArray, (trajectory, time, *dims)
        States of the forecast.
    names : list of str
        Variables of the forecast.

    Returns
    -------
    DataArray
        With the dimensions of `states`, in the same order.

    Raises
    ------
    RomTypeError
        If `truth` does not contain states.
    RomValueError
        If dimensions, their sizes or times differ from those of the forecast.
    """
    if isinstance(truth, xr.Dataset) and "state" in truth:
        truth = truth["state"]
    if isinstance(truth, xr.Dataset) and set(names) <= set(truth.data_vars):
        truth = side_by_side(truth if "trajectory" in truth.dims else with_trajectory(truth), names)
    if not isinstance(truth, xr.DataArray):
        raise RomTypeError(
            f"truth must be a DataArray or a Dataset with {', '.join(map(repr, names))}, got {type(truth).__name__}"
        )
    if "trajectory" not in truth.dims:
        truth = with_trajectory(truth)
    if set(truth.dims) != set(states.dims):
        raise RomValueError(f"truth has dimensions {truth.dims}, the forecast {states.dims}; they must be the same")
    truth = truth.transpose(*states.dims)
    for dim in states.dims:
        if truth.sizes[dim] != states.sizes[dim]:
            raise RomValueError(f"truth has {truth.sizes[dim]} along {dim!r}, forecast {states.sizes[dim]}")
    if "time" in truth.coords and not np.allclose(truth["time"], states["time"], rtol=SAME_TIME, atol=0.0):
        raise RomValueError("truth and forecast are at different times; forecast at truth['time'].values")
    return truth


def relative_errors(truth: xr.DataArray, forecast: xr.DataArray) -> np.ndarray:
    """Return |forecast - truth| over |truth|, in the Euclidean norm over components, with shape (trajectory, time)."""
    return norms(forecast.values - truth.values) / np.maximum(norms(truth.values), np.finfo(float).tiny)


def state_variables(forecast: xr.Dataset) -> list[str]:
    """Return the names of the variables of a state: `state`, or those of its fields."""
    return ["state"] if "state" in forecast else [str(name) for name in forecast.data_vars if name != "valid"]


def with_trajectory(data: Labelled) -> Labelled:
    """Return `data` of one trajectory with the leading dimension `trajectory`."""
    return data.drop_vars("trajectory", errors="ignore").expand_dims("trajectory")


def side_by_side(dataset: xr.Dataset, names: list[str]) -> xr.DataArray:
    """Return one variable (trajectory, time, *dims) as it is, several as one array (trajectory, time, component)."""
    variables = [dataset[name].transpose(*LEADING, ...) for name in names]
    if len(variables) == 1 and variables[0].ndim > 2:
        return variables[0]
    labels = [
        f"{variable.name} {component_label(variable[0], k)}".strip()
        for variable in variables
        for k in range(int(np.prod(variable.shape[2:])))
    ]
    flat = np.concatenate([variable.values.reshape(*variable.shape[:2], -1) for variable in variables], axis=2)
    coords = {"component": labels} | ({"time": dataset["time"]} if "time" in dataset.coords else {})
    return xr.DataArray(flat, coords, (*LEADING, "component"), "state")


def norms(states: np.ndarray) -> np.ndarray:
    """Return Euclidean norms (trajectory, time) of states (trajectory, time, *shape)."""
    return np.linalg.norm(states.reshape(*states.shape[:2], -1).astype(float), axis=-1)
