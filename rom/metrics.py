"""How wrong a model is: errors by time and by horizon, beside those of its closed-form model."""

from __future__ import annotations

import copy
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

import systems
from rom.architecture import closed_form_config
from rom.data import Trajectories, as_trajectories
from rom.errors import RomValueError
from rom.layout import Layout, plain_names, require_same_layout
from rom.model import ReducedOrderModel

__all__ = ["closed_form_of", "evaluate"]


def evaluate(model: ReducedOrderModel, trajectories: Any) -> xr.Dataset:
    """Errors of forecasts from the first state of each of `trajectories`, given as to `rom.fit`, all with equal times.

    Returns a Dataset over `rom` ("fitted", and "closed_form": POD, quadratic manifold and operator inference with the
    same latent dimension and data) with
        mse (rom, time): mean square error over trajectories and components at each time;
        cumulative_mse (rom, horizon): its mean over all times up to the horizon, a time since the start;
        relative_error (rom, time): root of the summed square errors over that of the summed square states;
        trajectory_mse (rom, trajectory): mean square error over all times of one trajectory;
        trajectory_relative_error (rom, trajectory): the relative error over all times of one trajectory;
        valid (rom, time): share of the trajectories whose forecast is flagged valid.
    A forecast that breaks off is NaN from there, and so are the errors that count it; a warning says how many do.
    Raises `RomValueError` or `RomTypeError` for data that do not fit the model.
    """
    groups, layout = as_trajectories(trajectories)
    if not model.parameters or layout.parameters == plain_names(len(model.parameters)):
        layout = replace(layout, parameters=model.parameters)  # superfluous ones are ignored, nameless ones named
    if layout.inputs == plain_names(len(model.inputs), "u"):
        layout = replace(layout, inputs=model.inputs)
    require_same_layout("trajectories", layout, model._layout)
    if len(groups) != 1:
        raise RomValueError("trajectories have different times: evaluate each set of equal times by itself")
    group = groups[0]
    parameters = group.parameters if model.parameters else None
    methods = {"fitted": model, "closed_form": closed_form_of(model)}
    squares, valids, power = [], [], []
    for method in methods.values():
        square, power, valid = [], [], []
        for chosen, states in group.blocks():
            mu = None if parameters is None else parameters[chosen]
            inputs = signals_of(group, chosen, layout) if model.inputs else None
            initial = states.reshape(len(states), len(group.times), *layout.shape)[:, 0]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # of single forecasts: they are counted below
                forecast = method.forecast(initial, group.times, mu, inputs=inputs)
            values = forecast["state"].values.reshape(states.shape)
            square.append(((values - states) ** 2).mean(axis=2))
            power.append((states**2).mean(axis=2))
            valid.append(forecast["valid"].values)
        squares.append(np.concatenate(square))
        valids.append(np.concatenate(valid))
    norms = np.concatenate(power)  # (trajectory, time)
    square, valid = np.stack(squares), np.stack(valids)  # (rom, trajectory, time)
    for name, errors in zip(methods, square, strict=True):
        broken = int((~np.isfinite(errors[:, -1])).sum())
        if broken:
            warnings.warn(
                f"{broken} of {len(group)} forecasts of the {name} model break off: errors over all trajectories are NaN from "
                "there on; see `trajectory_mse` for the others, and `valid`",
                RuntimeWarning,
                stacklevel=2,
            )
    mse = square.mean(axis=1)
    tiny = np.finfo(float).tiny
    return xr.Dataset(
        {
            "mse": (("rom", "time"), mse),
            "cumulative_mse": (("rom", "horizon"), np.cumsum(mse, axis=1) / np.arange(1, mse.shape[1] + 1)),
            "relative_error": (("rom", "time"), np.sqrt(mse / np.maximum(norms.mean(axis=0), tiny))),
            "trajectory_mse": (("rom", "trajectory"), square.mean(axis=2)),
            "trajectory_relative_error": (
                ("rom", "trajectory"),
                np.sqrt(square.mean(axis=2) / np.maximum(norms.mean(axis=1), tiny)),
            ),
            "valid": (("rom", "time"), valid.mean(axis=1)),
        },
        coords={
            "rom": list(methods),
            "time": group.times,
            "horizon": group.times - group.times[0],
            "trajectory": trajectory_labels(trajectories, len(group)),
        },
    )


def signals_of(group: Trajectories, chosen: slice, layout: Layout) -> xr.DataArray:
    """The inputs of some trajectories."""
    return systems.Signals(layout.inputs, group.times, group.inputs[chosen], layout.held_inputs).labelled()


def trajectory_labels(trajectories: Any, count: int) -> np.ndarray:
    """The coordinate of a Dataset's trajectories, or else their positions."""
    if isinstance(trajectories, xr.Dataset) and "trajectory" in trajectories.coords:
        return trajectories["trajectory"].values
    return np.arange(count)


def closed_form_of(model: ReducedOrderModel) -> ReducedOrderModel:
    """The closed-form model that the training of `model` started from, as a model of its own."""
    state = copy.deepcopy(model._state)
    state.networks, state.region = copy.deepcopy(state.closed_form), copy.deepcopy(state.closed_form_region)
    history = model.history.copy()
    history.attrs["validation_error"] = history.attrs["closed_form_validation_error"]
    return ReducedOrderModel(state, model._layout, closed_form_config(model.config), history)
