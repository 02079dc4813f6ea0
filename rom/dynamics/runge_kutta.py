"""Integration of the latent ODE: differentiable fixed steps, dense output, and adaptive steps by torchdiffeq.

Training backpropagates through the steps themselves. The adjoint method would integrate a dissipative system backwards
in time, where it loses all accuracy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

__all__ = ["adaptive_rollout", "hermite", "interpolate_forcing", "no_forcing", "rk4_rollout", "rk4_step"]

Rhs = Callable[[Tensor, Tensor], Tensor]


def interpolate_forcing(forcing: Tensor, fractions: Tensor) -> Tensor:
    """Return the forcing (F, ..., q) at `fractions` (F,) of an interval, by the parabola through `forcing` (3, ..., q)."""
    start, middle, end = forcing
    s = fractions.view(-1, *[1] * start.ndim)
    return (2 * s - 1) * (s - 1) * start + 4 * s * (1 - s) * middle + s * (2 * s - 1) * end


def rk4_step(rhs: Rhs, z: Tensor, dt: Tensor, forcing: Sequence[Tensor] | Tensor, k1: Tensor | None = None) -> Tensor:
    """Take one step of the classical fourth-order Runge-Kutta method.

    Parameters
    ----------
    rhs : Callable
        Function of latent states (..., d) and forcing (..., q) to dz/dt (..., d).
    z : torch.Tensor, shape (..., d)
        Latent states at the start of the step.
    dt : torch.Tensor
        Length of the step, which broadcasts against `z`.
    forcing : three torch.Tensor, shape (..., q)
        Forcing at the start, in the middle and at the end of the step; q = 0 without forcing.
    k1 : torch.Tensor, shape (..., d), optional
        dz/dt at the start of the step, if it is known.

    Returns
    -------
    torch.Tensor, shape (..., d)
        Latent states at the end of the step.
    """
    start, middle, end = forcing
    k1 = rhs(z, start) if k1 is None else k1
    half = 0.5 * dt
    k2 = rhs(torch.addcmul(z, half, k1), middle)
    k3 = rhs(torch.addcmul(z, half, k2), middle)
    k4 = rhs(torch.addcmul(z, dt, k3), end)
    return torch.addcmul(z, dt / 6.0, torch.add(k1 + k4, k2 + k3, alpha=2.0))


def rk4_rollout(rhs: Rhs, z0: Tensor, intervals: Tensor, forcing: Tensor, substeps: int = 1) -> Tensor:
    """Integrate the latent dynamics over consecutive intervals by Runge-Kutta steps.

    Parameters
    ----------
    rhs : Callable
        Function of latent states (..., d) and forcing (..., q) to dz/dt (..., d).
    z0 : torch.Tensor, shape (..., d)
        Initial latent states.
    intervals : torch.Tensor, shape (K,) or (K, ..., 1)
        Lengths of the intervals.
    forcing : torch.Tensor, shape (K, 3, ..., q)
        Forcing at the start, in the middle and at the end of each interval; see `no_forcing` for q = 0.
    substeps : int
        Number of equal steps for each interval.

    Returns
    -------
    torch.Tensor, shape (K + 1, ..., d)
        Latent states at the ends of the intervals, `z0` first.
    """
    states = [z0]
    z = z0
    for dt, stages in zip(intervals / substeps, split_intervals(forcing, substeps), strict=True):
        for stage in stages:
            z = rk4_step(rhs, z, dt, stage)
        states.append(z)
    return torch.stack(states)


def no_forcing(intervals: Tensor) -> Tensor:
    """Return forcing (K, 3, 0) of width zero for K intervals."""
    return intervals.new_zeros(len(intervals), 3, 0)


def split_intervals(forcing: Tensor, substeps: int) -> Tensor:
    """Return the forcing (K, substeps, 3, ..., q) on equal parts of intervals, from that on the intervals (K, 3, ..., q)."""
    if substeps == 1 or forcing.shape[-1] == 0:
        return forcing.unsqueeze(1).expand(-1, substeps, *forcing.shape[1:])
    fractions = torch.arange(2 * substeps + 1, dtype=forcing.dtype, device=forcing.device) / (2 * substeps)
    stages = interpolate_forcing(forcing.transpose(0, 1), fractions)  # (2 substeps + 1, K, ..., q)
    return stages.unfold(0, 3, 2).movedim(-1, 1).movedim(2, 0)


def hermite(fraction: Tensor, dt: Tensor | float, z0: Tensor, z1: Tensor, rate0: Tensor, rate1: Tensor) -> Tensor:
    """Interpolate states within steps by cubic Hermite polynomials, of fourth order in the step.

    Parameters
    ----------
    fraction : torch.Tensor
        Position within the step, from 0 to 1. At 0 and 1 the result equals `z0` and `z1` to the last bit.
    dt : torch.Tensor or float
        Length of the step.
    z0, z1 : torch.Tensor, shape (..., d)
        States at both ends of the step.
    rate0, rate1 : torch.Tensor, shape (..., d)
        dz/dt at both ends of the step.

    Returns
    -------
    torch.Tensor, shape (..., d)
        States at `fraction`, which broadcasts against the states as `dt` does.

    References
    ----------
    Hairer, Norsett & Wanner 1993, Solving Ordinary Differential Equations I, sec. II.6.
    """
    rest = 1.0 - fraction
    bend = (rest - fraction) * (z1 - z0) + dt * (fraction * rate1 - rest * rate0)
    return rest * z0 + fraction * z1 - fraction * rest * bend


def adaptive_rollout(
    rhs: Rhs, z0: Tensor, times: Tensor, rtol: float = 1e-6, atol: float = 1e-8, knots: Tensor | None = None
) -> Tensor:
    """Integrate dz/dt = rhs(t, z) by the adaptive method of Dormand and Prince, of order 5(4), in torchdiffeq.

    Parameters
    ----------
    rhs : Callable
        Function of a time and of latent states (..., d) to dz/dt (..., d).
    z0 : torch.Tensor, shape (..., d)
        Initial latent states.
    times : torch.Tensor, shape (T,)
        Output times, which increase; the first is that of `z0`.
    rtol, atol : float
        Relative and absolute tolerance of the error of a step.
    knots : torch.Tensor, shape (K,), optional
        Times at which `rhs` bends or jumps. Steps end there, because longer ones could miss what lies between two knots.

    Returns
    -------
    torch.Tensor, shape (T, ..., d)
        Latent states at the output times.
    """
    from torchdiffeq import odeint

    options = None if knots is None or not len(knots) else {"jump_t": knots}
    solution = odeint(rhs, z0, times, method="dopri5", rtol=rtol, atol=atol, options=options)
    assert isinstance(solution, Tensor)  # odeint returns a tuple for tuple states only
    return solution
