"""Rollouts for forecasts: uniform Runge-Kutta steps whose length accuracy chooses, and dense output at the times asked for."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from rom.dynamics.forcing import Forcing
from rom.dynamics.runge_kutta import adaptive_rollout, hermite
from rom.dynamics.steppers import (
    Grid,
    Stepper,
    grid_between_knots,
    rk4_numpy,
    rk4_numpy_driven,
    rk4_torch,
    rk4_torch_driven,
    uniform_grid,
)
from rom.networks.latent_dynamics import LatentDynamics

__all__ = ["roll_out", "roll_out_adaptively"]

KEPT = 2**22  # numbers of the steps that are kept at a time: bounds the memory of a long forecast


def roll_out(
    dynamics: LatentDynamics,
    z0: Tensor,
    times: np.ndarray,
    parameters: Tensor,
    max_step: float,
    contains: Callable[[Tensor], Tensor],
    forcing: Forcing,
) -> tuple[Tensor, Tensor]:
    """Latent states (time, trajectory, d) from z0 (trajectory, d) at `times` (T,), and whether they stayed inside.

    The span of `times` is marched through in the fewest equal steps that are no longer than `max_step`; the states in
    between are interpolated to the order of the method. So the cost and the error of the steps do not depend on how many
    times are asked for. The flags (time, trajectory) say that `contains` holds at all ends of steps up to the time, that
    of the step around it included: they do not depend on the other times either. With `forcing`, steps also end at its
    knots.
    """
    latent = torch.empty((len(times), *z0.shape), dtype=z0.dtype, device=z0.device)
    inside = torch.empty((len(times), len(z0)), dtype=torch.bool, device=z0.device)
    latent[0], inside[0] = z0, contains(z0)
    span = float(times[-1] - times[0])
    if span == 0.0:
        return latent, inside
    grid = grid_between_knots(times, max_step, forcing.knots) if forcing.width else uniform_grid(times, max_step)
    march = choose_stepper(dynamics, parameters, z0, grid, forcing)
    lengths, fractions = (
        torch.as_tensor(a, dtype=z0.dtype, device=z0.device)[:, None, None] for a in (grid.lengths, grid.fractions)
    )
    z, still_inside = z0, inside[0]
    block = max(1, KEPT // z0.numel())
    for first in range(0, grid.n_steps, block):
        last = min(first + block, grid.n_steps)
        states, before, after = march(z, slice(first, last))
        within = (contains(states) & still_inside).cumprod(dim=0).bool()
        here = slice(*(1 + np.searchsorted(grid.steps[1:], (first, last))))
        k = torch.as_tensor(grid.steps[here] - first, device=z0.device)
        latent[here] = hermite(fractions[here], lengths[here], states[k], states[k + 1], before[k], after[k])
        inside[here] = within[k + 1]
        z, still_inside = states[-1], within[-1]
    return latent, inside


def choose_stepper(dynamics: LatentDynamics, parameters: Tensor, z0: Tensor, grid: Grid, forcing: Forcing) -> Stepper:
    """How to take some of the steps: where the model lives, with what drives it."""
    if runs_in_numpy(z0):
        free, driven = rk4_numpy, rk4_numpy_driven
    else:
        free, driven = rk4_torch, rk4_torch_driven
    if forcing.width == 0:
        return free(dynamics, parameters, z0, grid)
    return driven(dynamics, parameters, z0, grid, forcing)


def runs_in_numpy(z0: Tensor) -> bool:
    return z0.device.type == "cpu"


def roll_out_adaptively(
    dynamics: LatentDynamics,
    z0: Tensor,
    times: np.ndarray,
    parameters: Tensor,
    forcing: Forcing,
) -> Tensor:
    """Latent states (time, trajectory, d) with adaptive steps; NaN for a trajectory on which no step is small enough."""
    # Adaptive steps want double precision: their error estimate drowns in rounding otherwise.
    t = torch.as_tensor(times, dtype=torch.float64, device=z0.device)
    precise = copy.deepcopy(dynamics).double()
    function = precise.as_function(parameters.double())

    def rhs(time: Tensor, z: Tensor) -> Tensor:
        return function(z, forcing.at(float(time)).to(z))

    within = forcing.knots[(forcing.knots > times[0]) & (forcing.knots < times[-1])]
    knots = torch.as_tensor(within, dtype=torch.float64, device=z0.device)
    try:
        return adaptive_rollout(rhs, z0.double(), t, knots=knots).to(z0.dtype)
    except AssertionError:  # how torchdiffeq says that its step underflows
        if len(z0) == 1:
            latent = torch.full((len(times), *z0.shape), torch.nan, dtype=z0.dtype, device=z0.device)
            latent[0] = z0
            return latent
    alone = [
        roll_out_adaptively(dynamics, z0[k : k + 1], times, parameters[k : k + 1], forcing.of_trajectory(k))
        for k in range(len(z0))
    ]
    return torch.cat(alone, dim=1)
