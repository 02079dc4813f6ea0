"""Scales measured on the data of a fit: of parameters and inputs, of time, and of the losses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from rom.dynamics.forcing import forcing_at_states
from rom.fitting.collect import FitData
from rom.fitting.time_derivatives import derivatives_along
from rom.models.input_scaling import InputScaling, fit_input_scaling
from rom.training.batches import CollocationTable, Rollouts
from rom.training.losses import LossScales

__all__ = ["input_scaling", "loss_scales", "natural_time"]


def input_scaling(data: FitData) -> InputScaling:
    """Return the scaling of parameters and inputs over all data, held-out data included."""
    groups, pairs = (*data.split.training, *data.split.held_out), data.collocation
    parameters = [group.parameters for group in groups]
    forcing = [forcing_at_states(group.inputs, group.times, data.layout) for group in groups]
    if pairs is not None:
        parameters.append(pairs.parameters)
        forcing.append(forcing_at_states(pairs.inputs, pairs.times, data.layout))
    return fit_input_scaling(data.layout, parameters, forcing)


def natural_time(training: Sequence[Rollouts], collocation: CollocationTable | None) -> float:
    """Return the time in which a state changes by its own spread.

    It is the ratio of the spread of the states and the root mean square of the time derivatives, in the unit of time of
    the data; 1 if one of both vanishes.
    """
    if collocation is not None:
        states, derivatives = collocation.coordinates, collocation.derivatives
    else:
        states = torch.cat([group.coordinates.flatten(0, 1) for group in training])
        derivatives = torch.cat([derivatives_along(group).flatten(0, 1) for group in training])
    change = float(derivatives.square().mean().sqrt())
    spread = float(states.var(dim=0, unbiased=False).mean().sqrt())
    return spread / change if change > 0 and spread > 0 else 1.0


def loss_scales(training: Sequence[Rollouts], collocation: CollocationTable | None) -> LossScales:
    """Return the constants by which losses are divided, from all training data."""
    states = [group.coordinates.flatten(0, 1) for group in training]
    derivatives = 1.0
    if collocation is not None:
        states.append(collocation.coordinates)
        derivatives = float(collocation.derivatives.square().mean())
    tiny = float(np.finfo(np.float32).tiny)
    return LossScales(max(float(torch.cat(states).var(dim=0).mean()), tiny), max(derivatives, tiny))
