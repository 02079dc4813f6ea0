"""Runge-Kutta steps of a rollout by torch, on any device."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from rom.dynamics.forcing import Forcing
from rom.dynamics.runge_kutta import rk4_step
from rom.dynamics.step_grid import StepGrid
from rom.networks.latent_dynamics import LatentDynamics

__all__ = ["Stepper", "rk4_torch"]

# Function of latent states (trajectory, d) and a slice of the K steps of a grid, which it takes from there. It returns the
# states (K + 1, trajectory, d) at the ends of the steps, and dz/dt (K, trajectory, d) before and after each step. These
# two differ at the end of a step at which the forcing jumps.
Stepper = Callable[[Tensor, slice], tuple[Tensor, Tensor, Tensor]]


def rk4_torch(dynamics: LatentDynamics, parameters: Tensor, z0: Tensor, grid: StepGrid, forcing: Forcing) -> Stepper:
    """Return a stepper of the classical Runge-Kutta method in torch.

    Parameters
    ----------
    dynamics : LatentDynamics
        Right-hand side of the latent ODE.
    parameters : torch.Tensor, shape (trajectory, p)
        Parameters of each trajectory.
    z0 : torch.Tensor, shape (trajectory, d)
        States with the dtype and the device of the rollout.
    grid : StepGrid
        Steps in time.
    forcing : Forcing
        Inputs and time features.

    Returns
    -------
    Stepper
        Function that takes some of the steps.
    """
    rhs = dynamics.as_function(parameters)

    def take_steps(z: Tensor, chosen: slice) -> tuple[Tensor, Tensor, Tensor]:
        lengths = z0.new_tensor(grid.step_lengths[chosen])
        stages = forcing.on_steps(grid.edges[chosen.start : chosen.stop + 1]).to(z0)  # (K, 3, trajectory, q)
        states, before, after = [z], [], []
        for dt, start, middle, end in zip(lengths, *stages.unbind(dim=1), strict=True):
            # Without forcing, dz/dt before a step is that after the last one.
            before.append(rhs(states[-1], start) if forcing.width or not after else after[-1])
            states.append(rk4_step(rhs, states[-1], dt, (start, middle, end), before[-1]))
            after.append(rhs(states[-1], end))
        return torch.stack(states), torch.stack(before), torch.stack(after)

    return take_steps
