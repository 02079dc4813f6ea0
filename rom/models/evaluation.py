"""How wrong a model is: errors by time and by horizon, beside those of its closed-form model."""

from __future__ import annotations

import copy
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

import systems
from rom.data.fields import stacked
from rom.data.layout import Layout, plain_names, require_same_layout
from rom.data.readers import GridReader, SplineReader
from rom.data.trajectories import Trajectories
from rom.models.build import closed_form_config
from rom.models.input_scaling import forcing_over_time, scaled_parameters
from rom.models.reduced_order_model import ReducedOrderModel
from rom.utils.errors import RomValueError

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
    Trajectories larger than memory pass by once, in blocks as in `rom.fit`.
    Of a model in a function space, sums over components are integrals over the domain, by the coefficients of what was given.
    A forecast that breaks off is NaN from there, and so are the errors that count it; a warning says how many do.
    Raises `RomValueError` or `RomTypeError` for data that do not fit the model.
    """
    space = model._layout.space
    reader = GridReader() if space is None else SplineReader(space)
    groups, layout = reader.read_trajectories(trajectories)
    if not model.parameters or layout.parameters == plain_names(len(model.parameters)):
        layout = replace(layout, parameters=model.parameters)  # superfluous ones are ignored, nameless ones named
    if layout.inputs == plain_names(len(model.inputs), "u"):  # arrays do not say what lies between their times either
        layout = replace(layout, inputs=model.inputs, held_inputs=model._layout.held_inputs)
    require_same_layout("trajectories", layout, model._layout)
    if len(groups) != 1:
        raise RomValueError("trajectories have different times: evaluate each set of equal times by itself")
    group = groups[0]
    parameters = group.parameters if model.parameters else None
    methods = {"fitted": model, "closed_form": closed_form_of(model)}
    square = np.empty((len(methods), len(group), len(group.times)))  # (rom, trajectory, time)
    valid, norms = np.empty(square.shape, dtype=bool), np.empty(square.shape[1:])
    pieces = {name: PiecewiseForecast(method, group, layout) for name, method in methods.items()}
    for chosen, within, states in group.blocks():
        norms[chosen, within] = (states**2).mean(axis=2)
        for k, (name, method) in enumerate(methods.items()):
            if states.shape[1] == len(group.times):
                mu = None if parameters is None else parameters[chosen]
                inputs = signals_of(group, chosen, layout).labelled() if model.inputs else None
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", RuntimeWarning)  # of single forecasts: they are counted below
                    initial: Any = states[:, 0].reshape(-1, *layout.shape)
                    if space is not None:  # which takes coefficients by the name of their dimension alone
                        initial = coefficients_of(states[:, 0], layout)
                    forecast = method.forecast(initial, group.times, mu, inputs=inputs)
                values = stacked(forecast, model._layout.parts, ("trajectory", "time"))
                flags = forecast["valid"].values
            else:
                values, flags = pieces[name].at(chosen, within, states, parameters)
            square[k, chosen, within] = ((values - states) ** 2).mean(axis=2)
            valid[k, chosen, within] = flags
    for name, errors in zip(methods, square, strict=True):
        broken = int((~np.isfinite(errors[:, -1])).sum())
        if broken:
            warnings.warn(
                f"{broken} of {len(group)} forecasts of the {name} model break off: errors over all trajectories are NaN from "
                "there on; see `trajectory_mse` for the others, and `valid`",
                RuntimeWarning,
                stacklevel=2,
            )
    if space is not None:  # from sums over coefficients, which are integrals, to means over the domain
        square *= space.n_functions / space.volume
        norms *= space.n_functions / space.volume
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


def coefficients_of(states: np.ndarray, layout: Layout) -> xr.DataArray | xr.Dataset:
    """States (trajectory, n) of a model in a function space, labelled as its coefficients."""
    parts = {
        one.name: xr.DataArray(states[:, where].reshape(-1, *one.shape), dims=("trajectory", *one.dims))
        for one, where in zip(layout.parts, layout.field_slices, strict=True)
    }
    return xr.Dataset(parts) if layout.fields else next(iter(parts.values()))


def signals_of(group: Trajectories, chosen: slice, layout: Layout) -> systems.Signals:
    """The inputs of some trajectories."""
    return systems.Signals(layout.inputs, group.times, group.inputs[chosen], layout.held_inputs)


class PiecewiseForecast:
    """What `model.forecast` says of the trajectories of a `group`, of pieces of them: those that no memory holds whole."""

    def __init__(self, model: ReducedOrderModel, group: Trajectories, layout: Layout):
        self.model, self.group, self.layout = model, group, layout
        # By trajectory: latent states (1, T, d), and whether they are inside (1, T).
        self.latent: dict[int, tuple[Tensor, np.ndarray]] = {}
        self.finite = np.ones(len(group), dtype=bool)  # up to the last piece

    @torch.inference_mode()
    def at(
        self, chosen: slice, within: slice, states: np.ndarray, parameters: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Forecasts (B, K, n) and flags (B, K) of a block of `states`; the first pieces must come first."""
        model, values, flags = self.model, np.empty(states.shape), np.empty(states.shape[:2], dtype=bool)
        for row, k in enumerate(range(chosen.start, chosen.stop)):
            if within.start == 0:
                mu = None if parameters is None else scaled_parameters(parameters[k : k + 1], (1,), model._units)
                times = self.group.times / float(model._state.time_scale)
                z0 = model._state.encode(torch.as_tensor(states[row, :1]).to(model._kind))
                signals = signals_of(self.group, slice(k, k + 1), self.layout) if model.inputs else None
                latent, inside = model._roll_out(z0, times, mu, forcing_over_time(signals, 1, model._units), "rk4")
                self.latent[k] = latent.transpose(0, 1), inside.T.cpu().numpy()
            latent, inside = self.latent[k]
            decoded, finite = model._decoded(latent[:, within], *model._lifting())
            finite &= self.finite[k]
            decoded[~finite] = np.nan
            values[row], flags[row] = decoded[0], (inside[:, within] & finite)[0]
            self.finite[k] = finite[0, -1]
            if within.stop == len(self.group.times):
                del self.latent[k]
        return values, flags


def trajectory_labels(trajectories: Any, count: int) -> np.ndarray:
    """The coordinate of a Dataset's trajectories, or else their positions."""
    if isinstance(trajectories, xr.Dataset) and "trajectory" in trajectories.coords:
        return np.atleast_1d(trajectories["trajectory"].values)
    return np.arange(count)


def closed_form_of(model: ReducedOrderModel) -> ReducedOrderModel:
    """The closed-form model that the training of `model` started from, as a model of its own."""
    state = copy.deepcopy(model._state)
    state.networks, state.region = copy.deepcopy(state.closed_form), copy.deepcopy(state.closed_form_region)
    history = model.history.copy()
    history.attrs["validation_error"] = history.attrs["closed_form_validation_error"]
    return ReducedOrderModel(state, model._layout, closed_form_config(model.config), history)
