"""Rollouts of the latent dynamics for forecasts: fixed Runge-Kutta steps with dense output, or adaptive steps."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from rom.dynamics.forcing import Forcing
from rom.dynamics.numpy_stepper import rk4_numpy
from rom.dynamics.runge_kutta import adaptive_rollout, hermite
from rom.dynamics.step_grid import make_step_grid
from rom.dynamics.torch_stepper import rk4_torch
from rom.networks.latent_dynamics import LatentDynamics

__all__ = ["METHODS", "roll_out", "roll_out_adaptively"]

# Numbers of the states at steps that are in memory at a time, so that a long forecast needs no more.
BLOCK_SIZE = 2**22


def roll_out(
    dynamics: LatentDynamics,
    z0: Tensor,
    times: np.ndarray,
    parameters: Tensor,
    max_step: float,
    contains: Callable[[Tensor], Tensor],
    forcing: Forcing,
) -> tuple[Tensor, Tensor]:
    """Integrate the latent dynamics by fixed Runge-Kutta steps, with dense output.

    The span of `times` is covered by the fewest steps no longer than `max_step`, which are equal between the knots of the
    forcing. States between the ends of steps are interpolated to the order of the method. The cost and the error of the
    steps therefore do not depend on the number of output times.

    Parameters
    ----------
    dynamics : LatentDynamics
        Right-hand side of the latent ODE.
    z0 : torch.Tensor, shape (trajectory, d)
        Initial states.
    times : numpy.ndarray, shape (T,)
        Output times, which increase; the first is that of `z0`.
    parameters : torch.Tensor, shape (trajectory, p)
        Parameters of each trajectory.
    max_step : float
        Longest step.
    contains : Callable
        Function of states (..., d) to flags (...) that are true in the region of training.
    forcing : Forcing
        Inputs and time features.

    Returns
    -------
    latent : torch.Tensor, shape (T, trajectory, d)
        States at the output times.
    inside : torch.Tensor of bool, shape (T, trajectory)
        Whether `contains` holds at the ends of all steps up to the output time, including the step around it.
    """
    latent = torch.empty((len(times), *z0.shape), dtype=z0.dtype, device=z0.device)
    inside = torch.empty((len(times), len(z0)), dtype=torch.bool, device=z0.device)
    latent[0], inside[0] = z0, contains(z0)
    if times[-1] == times[0]:
        return latent, inside
    grid = make_step_grid(times, max_step, forcing.knots)
    take_steps = (rk4_numpy if runs_in_numpy(z0) else rk4_torch)(dynamics, parameters, z0, grid, forcing)
    lengths, fractions = (
        torch.as_tensor(a, dtype=z0.dtype, device=z0.device)[:, None, None]
        for a in (grid.step_lengths[grid.step_of_time], grid.fractions)
    )
    z, still_inside = z0, inside[0]
    block = max(1, BLOCK_SIZE // z0.numel())
    for first in range(0, grid.n_steps, block):
        last = min(first + block, grid.n_steps)
        states, before, after = take_steps(z, slice(first, last))
        within = (contains(states) & still_inside).cumprod(dim=0).bool()
        here = slice(*(1 + np.searchsorted(grid.step_of_time[1:], (first, last))))
        k = torch.as_tensor(grid.step_of_time[here] - first, device=z0.device)
        latent[here] = hermite(fractions[here], lengths[here], states[k], states[k + 1], before[k], after[k])
        inside[here] = within[k + 1]
        z, still_inside = states[-1], within[-1]
    return latent, inside


def runs_in_numpy(z0: Tensor) -> bool:
    """Return whether NumPy can take the steps from `z0`."""
    return z0.device.type == "cpu"


def roll_out_adaptively(
    dynamics: LatentDynamics, z0: Tensor, times: np.ndarray, parameters: Tensor, forcing: Forcing
) -> Tensor:
    """Integrate the latent dynamics by adaptive steps.

    Parameters
    ----------
    dynamics : LatentDynamics
        Right-hand side of the latent ODE.
    z0 : torch.Tensor, shape (trajectory, d)
        Initial states.
    times : numpy.ndarray, shape (T,)
        Output times, which increase; the first is that of `z0`.
    parameters : torch.Tensor, shape (trajectory, p)
        Parameters of each trajectory.
    forcing : Forcing
        Inputs and time features.

    Returns
    -------
    torch.Tensor, shape (T, trajectory, d)
        States at the output times; NaN along a trajectory on which no step is small enough.
    """
    # The error estimate of adaptive steps is lost in rounding in single precision.
    t = torch.as_tensor(times, dtype=torch.float64, device=z0.device)
    function = copy.deepcopy(dynamics).double().as_function(parameters.double())

    def rhs(time: Tensor, z: Tensor) -> Tensor:
        return function(z, forcing.at_time(float(time)).to(z))

    within = forcing.knots[(forcing.knots > times[0]) & (forcing.knots < times[-1])]
    knots = torch.as_tensor(within, dtype=torch.float64, device=z0.device)
    try:
        return adaptive_rollout(rhs, z0.double(), t, knots=knots).to(z0.dtype)
    except AssertionError:  # torchdiffeq raises it if the step underflows
        if len(z0) == 1:
            latent = torch.full((len(times), *z0.shape), torch.nan, dtype=z0.dtype, device=z0.device)
            latent[0] = z0
            return latent
    # One trajectory failed, so each is integrated on its own.
    alone = [
        roll_out_adaptively(dynamics, z0[k : k + 1], times, parameters[k : k + 1], forcing.of_trajectory(k))
        for k in range(len(z0))
    ]
    return torch.cat(alone, dim=1)


def roll_out_dopri5(
    dynamics: LatentDynamics,
    z0: Tensor,
    times: np.ndarray,
    parameters: Tensor,
    max_step: float,
    contains: Callable[[Tensor], Tensor],
    forcing: Forcing,
) -> tuple[Tensor, Tensor]:
    """Integrate the latent dynamics by adaptive steps, as `roll_out` does by fixed ones.

    `contains` is evaluated at the output times only.
    """
    if len(times) == 1:  # no step to adapt
        return roll_out(dynamics, z0, times, parameters, max_step, contains, forcing)
    latent = roll_out_adaptively(dynamics, z0, times, parameters, forcing)
    return latent, contains(latent).cumprod(dim=0).bool()


# The methods of `forecast(method=...)`, by name. All take the arguments of `roll_out` and return what it returns.
METHODS = {"rk4": roll_out, "dopri5": roll_out_dopri5}
