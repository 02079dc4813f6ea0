"""Integration of the latent ODE: differentiable fixed steps and dense output here, torchdiffeq for adaptive steps.

Training backpropagates through the steps themselves: the adjoint method integrates a dissipative system backwards in
time and loses all accuracy there.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["adaptive_rollout", "at_fractions", "hermite", "rk4_rollout", "rk4_step"]


def at_fractions(forcing: Tensor, fractions: Tensor) -> Tensor:
    """Forcing (F, ..., q) at `fractions` (F,) of intervals on which it is known at start, middle and end, (3, ..., q)."""
    start, middle, end = forcing
    s = fractions.view(-1, *[1] * start.ndim)
    return (2 * s - 1) * (s - 1) * start + 4 * s * (1 - s) * middle + s * (2 * s - 1) * end


Rhs = Callable[..., Tensor]


def rk4_step(rhs: Rhs, z: Tensor, dt: Tensor, k1: Tensor | None = None, forcing: Tensor | None = None) -> Tensor:
    """One step of the classical fourth-order Runge-Kutta method: z (..., d), dt broadcast against it, k1 = rhs(z) if known.

    `forcing` (3, ..., q): what rhs takes beside z, at the start, middle and end of the step.
    """
    start, middle, end = ((),) * 3 if forcing is None else ((stage,) for stage in forcing)
    k1 = rhs(z, *start) if k1 is None else k1
    half = 0.5 * dt
    k2 = rhs(torch.addcmul(z, half, k1), *middle)
    k3 = rhs(torch.addcmul(z, half, k2), *middle)
    k4 = rhs(torch.addcmul(z, dt, k3), *end)
    return torch.addcmul(z, dt / 6.0, torch.add(k1 + k4, k2 + k3, alpha=2.0))


def rk4_rollout(rhs: Rhs, z0: Tensor, intervals: Tensor, substeps: int = 1, forcing: Tensor | None = None) -> Tensor:
    """Latent states (K + 1, ..., d) at the ends of K consecutive `intervals` (K,) or (K, ..., 1), z0 first.

    `forcing` (K, 3, ..., q): what rhs takes beside z, at the start, middle and end of each interval.
    """
    states = [z0]
    z = z0
    for k, dt in enumerate(intervals / substeps):
        stages = [None] * substeps if forcing is None else of_substeps(forcing[k], substeps)
        for stage in stages:
            z = rk4_step(rhs, z, dt, forcing=stage)
        states.append(z)
    return torch.stack(states)


def of_substeps(forcing: Tensor, substeps: int) -> Tensor:
    """Forcing (substeps, 3, ..., q) at the start, middle and end of equal parts of an interval, where it is (3, ..., q)."""
    if substeps == 1:
        return forcing[None]
    fractions = torch.arange(2 * substeps + 1, dtype=forcing.dtype, device=forcing.device) / (2 * substeps)
    return at_fractions(forcing, fractions).unfold(0, 3, 2).movedim(-1, 1)


def hermite(fraction: Tensor, dt: Tensor | float, z0: Tensor, z1: Tensor, rate0: Tensor, rate1: Tensor) -> Tensor:
    """States within steps from z0 to z1 (..., d) of length dt with rates dz/dt at both ends: cubic, of fourth order in dt.

    `fraction` of the step, from 0 to 1, broadcasts against the states. At 0 and 1 it gives z0 and z1 to the last bit.
    Hairer, Norsett & Wanner (1993), Solving Ordinary Differential Equations I, sec. II.6.
    """
    rest = 1.0 - fraction
    bend = (rest - fraction) * (z1 - z0) + dt * (fraction * rate1 - rest * rate0)
    return rest * z0 + fraction * z1 - fraction * rest * bend


def adaptive_rollout(
    rhs: Rhs, z0: Tensor, times: Tensor, rtol: float = 1e-6, atol: float = 1e-8, knots: Tensor | None = None
) -> Tensor:
    """Latent states (T, ..., d) of dz/dt = rhs(t, z) at increasing `times` (T,) by torchdiffeq's Dormand-Prince 5(4).

    Steps end at `knots` (K,), where rhs bends or jumps; otherwise they could pass by what happens between two of them.
    """
    from torchdiffeq import odeint

    options = None if knots is None else {"jump_t": knots}
    solution = odeint(rhs, z0, times, method="dopri5", rtol=rtol, atol=atol, options=options)
    assert isinstance(solution, Tensor)  # odeint returns a tuple for tuple states only
    return solution
