"""How wrong a model is: errors by time and by horizon, beside those of its closed-form model."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

import systems
from rom.data.layout import Layout, plain_names
from rom.data.same_layout import require_same_layout
from rom.data.trajectories import Trajectories, TrajectoriesLike
from rom.models.closed_form import closed_form_config
from rom.models.reduced_order_model import ReducedOrderModel
from rom.utils.errors import RomTypeError, RomValueError

__all__ = ["closed_form_of", "evaluate"]

TINY = float(np.finfo(float).tiny)  # least divisor: relative errors of states that are zero


def evaluate(model: ReducedOrderModel, trajectories: TrajectoriesLike) -> xr.Dataset:
    """Compute errors of forecasts from the first state of each trajectory.

    Trajectories larger than memory are read once, in blocks as in `rom.fit`.

    Parameters
    ----------
    model : ReducedOrderModel
        The model.
    trajectories : Dataset, list of Datasets, or tuple of arrays
        As for `rom.fit`, all with equal times.

    Returns
    -------
    xarray.Dataset
        Over `rom` ("fitted", and "closed_form": POD, quadratic manifold and operator inference with the same latent dimension
        and data), with the variables

        - mse ``(rom, time)``: mean square error over trajectories and components at each time;
        - cumulative_mse ``(rom, horizon)``: its mean over all times up to the horizon, a time since the start;
        - relative_error ``(rom, time)``: root of the summed square errors over that of the summed square states;
        - trajectory_mse ``(rom, trajectory)``: mean square error over all times of one trajectory;
        - trajectory_relative_error ``(rom, trajectory)``: the relative error over all times of one trajectory;
        - valid ``(rom, time)``: share of the trajectories whose forecast is flagged valid.

        For a model in a function space, sums over components are integrals over the domain, by the coefficients of what was
        given. A forecast that becomes infinite or NaN is NaN from there on, and so are the errors that include it.

    Raises
    ------
    RomTypeError, RomValueError
        For data that do not fit the model.

    Warns
    -----
    RuntimeWarning
        If forecasts become infinite or NaN, with their number.

    Examples
    --------
    >>> import numpy as np
    >>> import rom
    >>> t = np.linspace(0.0, 3.0, 31)
    >>> runs = np.stack([np.exp(-t)[:, None] * [1.0 + k, 1.0, -k] for k in range(6)])
    >>> config = rom.FitConfig(hidden=(), latent_hidden=(), steps=1)
    >>> model = rom.fit(None, trajectories=(t, runs[:4]), latent_dim=2, config=config)
    >>> errors = rom.evaluate(model, (t, runs[4:]))
    >>> bool(errors["relative_error"].sel(rom="fitted").max() < 0.01)
    True
    """
    require_model(model, "evaluate(model, trajectories)")
    groups, layout = model.codec.reader().read_trajectories(trajectories)
    layout = with_names_of(model, layout)
    require_same_layout("trajectories", layout, model.codec.layout)
    if len(groups) != 1:
        raise RomValueError("trajectories have different times: evaluate each set of equal times by itself")
    group = groups[0]
    models = {"fitted": model, "closed_form": closed_form_of(model)}
    square, norms, valid = errors_of_forecasts(models, group, layout)
    for name, errors in zip(models, square, strict=True):
        broken = int((~np.isfinite(errors[:, -1])).sum())
        if broken:
            warnings.warn(
                f"{broken} of {len(group)} forecasts of the {name} model break off: errors over all trajectories are NaN from "
                "there on; see `trajectory_mse` for the others, and `valid`",
                RuntimeWarning,
                stacklevel=2,
            )
    square *= model.codec.mean_square_scale
    norms *= model.codec.mean_square_scale
    coords = {
        "rom": list(models),
        "time": group.times,
        "horizon": group.times - group.times[0],
        "trajectory": trajectory_labels(trajectories, len(group)),
    }
    return error_table(square, norms, valid, coords)


def with_names_of(model: ReducedOrderModel, layout: Layout) -> Layout:
    """Return the layout of trajectories with names of parameters and inputs from the model, where arrays have none.

    Parameters that the model does not have are ignored. Arrays do not say what lies between the times of inputs either.
    """
    if not model.parameters or layout.parameters == plain_names(len(model.parameters)):
        layout = replace(layout, parameters=model.parameters)
    if layout.inputs == plain_names(len(model.inputs), "u"):
        layout = replace(layout, inputs=model.inputs, held_inputs=model.codec.layout.held_inputs)
    return layout


def errors_of_forecasts(
    models: Mapping[str, ReducedOrderModel], group: Trajectories, layout: Layout
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute square errors of forecasts of a group of trajectories.

    Parameters
    ----------
    models : mapping of str to ReducedOrderModel
        Models with the same codec.
    group : Trajectories
        Flat states, in memory or lazy.
    layout : Layout
        Names of parameters and inputs.

    Returns
    -------
    square : numpy.ndarray
        Mean square error over components, ``(model, trajectory, time)``.
    norms : numpy.ndarray
        Mean square of the states, ``(trajectory, time)``.
    valid : numpy.ndarray
        Flags, ``(model, trajectory, time)``.
    """
    square = np.empty((len(models), len(group), len(group.times)))
    valid, norms = np.empty(square.shape, dtype=bool), np.empty(square.shape[1:])
    forecasts = [BlockwiseForecast(model, group, layout) for model in models.values()]
    for chosen, within, states in group.blocks():
        norms[chosen, within] = (states**2).mean(axis=2)
        for k, forecast in enumerate(forecasts):
            values, flags = forecast.at(chosen, within, states)
            square[k, chosen, within] = ((values - states) ** 2).mean(axis=2)
            valid[k, chosen, within] = flags
    return square, norms, valid


@dataclass(frozen=True)
class TrajectoryForecast:
    """The forecast of one trajectory in latent space.

    Attributes
    ----------
    latent : torch.Tensor
        Latent states ``(time, d)``.
    valid : numpy.ndarray
        Flags ``(time,)`` of latent states and inputs.
    finite : bool
        Whether all states that were decoded so far are finite.
    """

    latent: Tensor
    valid: np.ndarray
    finite: bool = True


class BlockwiseForecast:
    """Forecasts of a group of trajectories, decoded block by block.

    Latent states of a trajectory are kept from its first block to its last.

    Parameters
    ----------
    model : ReducedOrderModel
        The model.
    group : Trajectories
        The trajectories.
    layout : Layout
        Names of parameters and inputs of the trajectories.
    """

    def __init__(self, model: ReducedOrderModel, group: Trajectories, layout: Layout):
        self.model, self.group, self.layout = model, group, layout
        self.cells = model.codec.all_components()
        self.current: dict[int, TrajectoryForecast] = {}

    def at(self, chosen: slice, within: slice, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Forecast one block.

        Parameters
        ----------
        chosen, within : slice
            Trajectories and times of the block. The blocks of a trajectory must come in the order of time.
        states : numpy.ndarray
            Flat states ``(B, K, n)`` of the block.

        Returns
        -------
        values : numpy.ndarray
            Forecast states ``(B, K, n)``.
        valid : numpy.ndarray
            Flags ``(B, K)``.
        """
        numbers = range(len(self.group))[chosen]
        if within.start == 0:
            self.current.update(zip(numbers, self._rolled_out(chosen, states[:, 0]), strict=True))
        forecasts = [self.current[k] for k in numbers]
        latent = torch.stack([one.latent[within] for one in forecasts])
        values, finite = self.model.forecaster.decode(latent, self.cells, np.array([one.finite for one in forecasts]))
        valid = np.stack([one.valid[within] for one in forecasts]) & finite
        for k, one, is_finite in zip(numbers, forecasts, finite[:, -1], strict=True):
            self.current[k] = replace(one, finite=bool(is_finite))
            if within.stop == len(self.group.times):
                del self.current[k]
        return values, valid

    def _rolled_out(self, chosen: slice, initial: np.ndarray) -> Iterator[TrajectoryForecast]:
        """Yield the latent forecasts of some trajectories from flat states (B, n)."""
        model, group = self.model, self.group
        mu = group.parameters[chosen] if model.parameters else None
        inputs = None
        if model.inputs:
            signals = systems.Signals(
                self.layout.inputs, group.times, group.inputs[chosen], held=self.layout.held_inputs
            )
            inputs = signals.labelled()
        states = torch.as_tensor(initial).to(model.codec.like)
        forecast = model.forecaster.roll_out(states, group.times, mu, inputs)
        yield from map(TrajectoryForecast, forecast.latent, forecast.valid)


def error_table(square: np.ndarray, norms: np.ndarray, valid: np.ndarray, coords: dict[str, Any]) -> xr.Dataset:
    """Return the Dataset of `evaluate` from square errors, norms and flags, as `errors_of_forecasts` returns them."""
    mse = square.mean(axis=1)
    relative = np.sqrt(mse / np.maximum(norms.mean(axis=0), TINY))
    relative_of_trajectory = np.sqrt(square.mean(axis=2) / np.maximum(norms.mean(axis=1), TINY))
    return xr.Dataset(
        {
            "mse": (("rom", "time"), mse),
            "cumulative_mse": (("rom", "horizon"), np.cumsum(mse, axis=1) / np.arange(1, mse.shape[1] + 1)),
            "relative_error": (("rom", "time"), relative),
            "trajectory_mse": (("rom", "trajectory"), square.mean(axis=2)),
            "trajectory_relative_error": (("rom", "trajectory"), relative_of_trajectory),
            "valid": (("rom", "time"), valid.mean(axis=1)),
        },
        coords=coords,
    )


def trajectory_labels(trajectories: TrajectoriesLike, count: int) -> np.ndarray:
    """Return the coordinate of a Dataset's trajectories, or else their numbers."""
    if isinstance(trajectories, xr.Dataset) and "trajectory" in trajectories.coords:
        return np.atleast_1d(trajectories["trajectory"].values)
    return np.arange(count)


def require_model(model: Any, usage: str) -> None:
    """Raise `RomTypeError` unless `model` is a reduced-order model; `usage` shows the order of the arguments."""
    if not isinstance(model, ReducedOrderModel):
        raise RomTypeError(
            f"model must be a ReducedOrderModel, as rom.fit returns it, got {type(model).__name__}; the call is {usage}"
        )


def closed_form_of(model: ReducedOrderModel) -> ReducedOrderModel:
    """Return the closed-form model that the training of a model started from.

    Parameters
    ----------
    model : ReducedOrderModel
        A fitted model.

    Returns
    -------
    ReducedOrderModel
        POD, quadratic manifold and operator inference, with the same latent dimension, as a model of its own.

    Raises
    ------
    RomTypeError
        If `model` is not a reduced-order model.

    Examples
    --------
    >>> import numpy as np
    >>> import rom
    >>> t = np.linspace(0.0, 3.0, 31)
    >>> runs = np.stack([np.exp(-t)[:, None] * [1.0 + k, 1.0, -k] for k in range(4)])
    >>> config = rom.FitConfig(hidden=(4,), latent_hidden=(4,), steps=1)
    >>> model = rom.fit(None, trajectories=(t, runs), latent_dim=2, config=config)
    >>> classical = rom.closed_form_of(model)
    >>> classical.latent_dim, classical.config.hidden
    (2, ())
    """
    require_model(model, "closed_form_of(model)")
    state = copy.deepcopy(model._state)
    state.networks, state.region = copy.deepcopy(state.closed_form), copy.deepcopy(state.closed_form_region)
    history = model.history.copy()
    history.attrs["validation_error"] = history.attrs["closed_form_validation_error"]
    return ReducedOrderModel(state, model.codec.layout, closed_form_config(model.config), history)
