"""Units in which networks see parameters, forcing and time, and by which losses are divided: measured on the data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rom.data.layout import Layout
from rom.dynamics.forcing import point_forcing
from rom.fitting.collect import FitData
from rom.fitting.time_derivatives import derivatives_along
from rom.training.batches import CollocationTable, Rollouts
from rom.training.losses import LossScales

__all__ = ["ParameterScaling", "loss_scales", "natural_time", "parameter_scaling"]


@dataclass(frozen=True)
class ParameterScaling:
    """`mean`, `spread` and `extremes` (2, p + q) of the parameters mu (p,) and of the forcing (q,)."""

    mean: np.ndarray
    spread: np.ndarray
    extremes: np.ndarray
    n_parameters: int

    def of_parameters(self, values: np.ndarray) -> Tensor:
        """Parameters (..., p) scaled."""
        own = slice(self.n_parameters)
        return torch.from_numpy((values - self.mean[own]) / self.spread[own])

    def of_forcing(self, values: np.ndarray) -> Tensor:
        """Forcing (..., q) scaled."""
        own = slice(self.n_parameters, None)
        return torch.from_numpy((values - self.mean[own]) / self.spread[own])

    def of_points(self, parameters: np.ndarray, inputs: np.ndarray, times: np.ndarray, layout: Layout) -> Tensor:
        """(M, p + q) of single states with parameters (M, p), inputs (M, m) and times (M,)."""
        columns = (self.of_parameters(parameters), self.of_forcing(point_forcing(inputs, times, layout)))
        return torch.cat(columns, dim=1)


def parameter_scaling(data: FitData) -> ParameterScaling:
    """From all data, held-out ones included: these are no states."""
    groups, pairs = (*data.split.training, *data.split.held_out), data.collocation
    parameters = [group.parameters for group in groups]
    forcing = [point_forcing(group.inputs, group.times, data.layout) for group in groups]
    if pairs is not None:
        parameters.append(pairs.parameters)
        forcing.append(point_forcing(pairs.inputs, pairs.times, data.layout))
    columns = (
        np.concatenate(parameters),
        np.concatenate([rows.reshape(math.prod(rows.shape[:-1]), rows.shape[-1]) for rows in forcing]),
    )
    mean, spread, low, high = (
        np.concatenate([getattr(rows, what)(axis=0) for rows in columns]) for what in ("mean", "std", "min", "max")
    )
    return ParameterScaling(mean, np.where(spread > 0, spread, 1.0), np.stack([low, high]), columns[0].shape[1])


def natural_time(training: Sequence[Rollouts], collocation: CollocationTable | None) -> float:
    """The time in which a state changes by its own spread: the ratio of their root mean squares."""
    if collocation is not None:
        states, derivatives = collocation.coordinates, collocation.derivatives
    else:
        states = torch.cat([group.coordinates.flatten(0, 1) for group in training])
        derivatives = torch.cat([derivatives_along(group).flatten(0, 1) for group in training])
    change = float(derivatives.square().mean().sqrt())
    spread = float(states.var(dim=0, unbiased=False).mean().sqrt())
    return spread / change if change > 0 and spread > 0 else 1.0


def loss_scales(training: Sequence[Rollouts], collocation: CollocationTable | None) -> LossScales:
    """The constants by which losses are divided, from all training data."""
    states = [group.coordinates.flatten(0, 1) for group in training]
    derivatives = 1.0
    if collocation is not None:
        states.append(collocation.coordinates)
        derivatives = float(collocation.derivatives.square().mean())
    tiny = float(np.finfo(np.float32).tiny)
    return LossScales(max(float(torch.cat(states).var(dim=0).mean()), tiny), max(derivatives, tiny))
