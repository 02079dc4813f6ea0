"""What a finished model is told beside its state: parameters, inputs and time, in units of their spread in training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

import systems
from rom.data.layout import Layout
from rom.dynamics.forcing import Forcing, forcing_of_signals, point_forcing, time_features
from rom.models.arguments import input_values, parameter_values

__all__ = ["InputScaling", "at_states", "forcing_over_time", "scaled_parameters"]


@dataclass(frozen=True)
class InputScaling:
    """How a model counts what it is told: `mean` and `spread` (p + q,) and `extremes` (2, p + q) in float64, and its time.

    `kind` is a tensor with the device and the dtype of the model.
    """

    layout: Layout
    mean: Tensor
    spread: Tensor
    extremes: Tensor
    time_scale: float
    kind: Tensor

    def of_parameters(self, values: Tensor) -> Tensor:
        """Parameters (..., p) in these units."""
        own = slice(len(self.layout.parameters))
        return ((values - self.mean[own]) / self.spread[own]).to(self.kind)

    def of_forcing(self, values: np.ndarray | Tensor) -> Tensor:
        """Forcing (..., q) in these units."""
        own = slice(len(self.layout.parameters), None)
        mean, spread = self.mean[own], self.spread[own]
        return ((torch.as_tensor(values).to(mean) - mean) / spread).to(self.kind)


def scaled_parameters(mu: Any, leading: tuple[int, ...], units: InputScaling) -> Tensor:
    """mu (*leading, p) in units of its spread in training."""
    return units.of_parameters(parameter_values(mu, units.layout.parameters, leading, units.mean))


def at_states(mu: Any, inputs: Any, t: float, leading: tuple[int, ...], units: InputScaling) -> Tensor:
    """Parameters and forcing (*leading, p + q) at single states, in units of their spread in training."""
    parameters, layout = scaled_parameters(mu, leading, units), units.layout
    values = input_values(inputs, layout.inputs, leading, units.mean)
    features = torch.from_numpy(time_features(np.array(float(t)), layout)).to(units.mean).expand(*leading, -1)
    forcing = units.of_forcing(torch.cat([values, features], dim=-1))
    return torch.cat([parameters, forcing], dim=-1)


def forcing_over_time(signals: systems.Signals | None, n: int, units: InputScaling) -> Forcing:
    """Return the forcing of n forecasts as functions of the scaled time.

    It has width zero if the model is not driven, and if there are no `signals` because a single time takes no step.
    """
    layout, unit = units.layout, units.time_scale
    if not layout.is_driven or (signals is None and layout.inputs):
        return Forcing.none(n)
    if signals is None:  # time alone
        signals = systems.Signals((), np.zeros(1), np.zeros((n, 1, 0)), held=True)
    return Forcing(
        width=layout.n_forcing,
        knots=signals.times / unit,
        on_steps=lambda edges: units.of_forcing(forcing_of_signals(unit * edges, signals, layout)),
        at=lambda time: units.of_forcing(point_forcing(signals.at(unit * time), np.array(unit * time), layout)),
    )
