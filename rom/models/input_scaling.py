"""Scaling of parameters, inputs and time features to numbers of order one, in training and in forecasts alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

import systems
from rom.data.layout import Layout
from rom.dynamics.forcing import Forcing, forcing_at_states, forcing_on_steps, time_features
from rom.models.arguments import input_values, parameter_values

__all__ = ["InputScaling", "fit_input_scaling", "forcing_over_time", "scaled_inputs_at", "scaled_parameters"]


@dataclass(frozen=True)
class InputScaling:
    """Mean, spread and range of parameters mu (p,) and forcing (q,) in training: (value - mean) / spread.

    Forcing are inputs u(t), and time or its phase where the dynamics depend on it (`rom.dynamics.forcing`).

    Attributes
    ----------
    layout : Layout
        Names of parameters and inputs, and how the dynamics depend on time.
    mean, spread : torch.Tensor
        Mean and standard deviation, ``(p + q,)``, float64. The spread of a constant is 1.
    limits : torch.Tensor
        Least and largest value, ``(2, p + q)``, float64.
    like : torch.Tensor
        Has the device and the dtype of scaled values. By default float64 on the CPU.
    """

    layout: Layout
    mean: Tensor
    spread: Tensor
    limits: Tensor
    like: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.float64))

    @property
    def forcing_limits(self) -> Tensor:
        """Scaled least and largest forcing, ``(2, q)``."""
        return self.forcing(self.limits[:, len(self.layout.parameters) :])

    def parameters(self, values: np.ndarray | Tensor) -> Tensor:
        """Scale parameters (..., p)."""
        return self._scaled(values, slice(None, len(self.layout.parameters)))

    def forcing(self, values: np.ndarray | Tensor) -> Tensor:
        """Scale forcing (..., q)."""
        return self._scaled(values, slice(len(self.layout.parameters), None))

    def points(self, parameters: np.ndarray, inputs: np.ndarray, times: np.ndarray) -> Tensor:
        """Scale parameters (M, p) and forcing, from inputs (M, m) and times (M,), of single states: (M, p + q)."""
        return torch.cat(
            [self.parameters(parameters), self.forcing(forcing_at_states(inputs, times, self.layout))], dim=1
        )

    def _scaled(self, values: np.ndarray | Tensor, columns: slice) -> Tensor:
        mean, spread = self.mean[columns], self.spread[columns]
        return ((torch.as_tensor(values).to(mean) - mean) / spread).to(self.like)


def fit_input_scaling(layout: Layout, parameters: Sequence[np.ndarray], forcing: Sequence[np.ndarray]) -> InputScaling:
    """Measure the scaling on data.

    Parameters
    ----------
    layout : Layout
        Names of parameters and inputs.
    parameters : sequence of numpy.ndarray
        Parameters ``(N, p)`` of each set of trajectories or points.
    forcing : sequence of numpy.ndarray
        Forcing ``(..., q)`` of each set.

    Returns
    -------
    InputScaling
        In float64 on the CPU.
    """
    columns = (
        np.concatenate(parameters),
        np.concatenate([rows.reshape(math.prod(rows.shape[:-1]), rows.shape[-1]) for rows in forcing]),
    )
    mean, spread, low, high = (
        np.concatenate([getattr(rows, what)(axis=0) for rows in columns]) for what in ("mean", "std", "min", "max")
    )
    spread = np.where(spread > 0, spread, 1.0)
    return InputScaling(layout, *map(torch.from_numpy, (mean, spread, np.stack([low, high]))))


def scaled_parameters(mu: Any, leading: tuple[int, ...], scaling: InputScaling) -> Tensor:
    """Return scaled parameters (*leading, p) of the argument `mu` of a model. Raise as `parameter_values`."""
    return scaling.parameters(parameter_values(mu, scaling.layout.parameters, leading, scaling.mean))


def scaled_inputs_at(mu: Any, inputs: Any, t: float, leading: tuple[int, ...], scaling: InputScaling) -> Tensor:
    """Return scaled parameters and forcing at single states.

    Parameters
    ----------
    mu, inputs
        Arguments of a model.
    t : float
        Time, in the unit of the data.
    leading : tuple of int
        Leading shape of the states.
    scaling : InputScaling
        Scaling of the model.

    Returns
    -------
    torch.Tensor
        Shape ``(*leading, p + q)``. Tensors keep their gradients.

    Raises
    ------
    RomTypeError, RomValueError
        If parameters or inputs are missing, unknown or of another shape.
    """
    parameters, layout = scaled_parameters(mu, leading, scaling), scaling.layout
    values = input_values(inputs, layout.inputs, leading, scaling.mean)
    features = torch.from_numpy(time_features(np.array(float(t)), layout)).to(scaling.mean).expand(*leading, -1)
    return torch.cat([parameters, scaling.forcing(torch.cat([values, features], dim=-1))], dim=-1)


def forcing_over_time(signals: systems.Signals | None, n: int, scaling: InputScaling, time_scale: float) -> Forcing:
    """Return the scaled forcing of n forecasts as functions of the scaled time.

    Parameters
    ----------
    signals : systems.Signals or None
        Inputs in the units of the data. None without inputs, and for a single time, which takes no step.
    n : int
        Number of forecasts.
    scaling : InputScaling
        Scaling of the model.
    time_scale : float
        Unit of the scaled time.

    Returns
    -------
    Forcing
        Of width zero if the model is not driven, or there are no signals for its inputs.
    """
    layout = scaling.layout
    if not layout.is_driven or (signals is None and layout.inputs):
        return Forcing.none(n)
    if signals is None:  # time alone
        signals = systems.Signals((), np.zeros(1), np.zeros((n, 1, 0)), held=True)

    def at(time: float) -> Tensor:
        own_time = np.array(time_scale * time)
        return scaling.forcing(forcing_at_states(signals.at(own_time), own_time, layout))

    return Forcing(
        width=layout.n_forcing,
        knots=signals.times / time_scale,
        on_steps=lambda edges: scaling.forcing(forcing_on_steps(time_scale * edges, signals, layout)),
        at_time=at,
    )
