"""Runge-Kutta steps of a rollout, some at a time: by NumPy or by torch, with forcing or without.

A march takes z (trajectory, d) and a slice of the steps to K + 1 states (K + 1, trajectory, d), and to the rates (K,
trajectory, d) before and after each step, which at a jump of the forcing differ from those of the next step. Each function
here makes one. Steps are equal without forcing; with it they may differ in length.

A forecast of one state is a long chain of tiny products, and torch spends far longer on starting an operation than on a
product of 128 numbers. On the CPU the steps are therefore taken in NumPy, by an evaluator of h compiled from the
`LatentDynamics` into as few and as large products as it can be, in buffers that are there from the start (`rom/dynamics/numpy_rhs.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rom.dynamics.forcing import Forcing
from rom.dynamics.numpy_rhs import NumpyLatentRhs
from rom.dynamics.runge_kutta import rk4_step
from rom.networks.latent_dynamics import LatentDynamics

__all__ = [
    "Grid",
    "Stepper",
    "grid_between_knots",
    "rk4_numpy",
    "rk4_numpy_driven",
    "rk4_torch",
    "rk4_torch_driven",
    "uniform_grid",
]

# The later nodes and the end of a Runge-Kutta step as combinations of (z, dt k1, dt k2, dt k3, dt k4).
NODES = ((1.0, 0.5), (1.0, 0.0, 0.5), (1.0, 0.0, 0.0, 1.0), (1.0, 1 / 6, 1 / 3, 1 / 3, 1 / 6))

Stepper = Callable[[Tensor, slice], tuple[Tensor, Tensor, Tensor]]


def rk4_numpy(dynamics: LatentDynamics, parameters: Tensor, z0: Tensor, grid: Grid) -> Stepper:
    """Equal steps in NumPy, for models on the CPU."""
    n_states, dt = len(z0), float(grid.lengths[0])
    # One state is a vector: products with a matrix of one column are slower.
    batch = (n_states,) if n_states > 1 else ()
    compiled = NumpyLatentRhs(dynamics, parameters, batch)
    d, dtype = len(compiled.state), compiled.state.dtype
    slots = np.empty((5, d, *batch), dtype)  # z, k1, k2, k3, k4
    flat_slots, flat_node = slots.reshape(5, -1), compiled.state.reshape(-1)
    *stages, whole_step = (np.array([row[0], *(dt * c for c in row[1:])], dtype).dot for row in NODES)
    stages = [(stage, flat_slots[: k + 2], slots[k + 2]) for k, stage in enumerate(stages)]

    def march(z: Tensor, some: slice) -> tuple[Tensor, Tensor, Tensor]:
        n_steps = some.stop - some.start
        states, rates = (np.empty((n_steps + 1, d, *batch), dtype) for _ in range(2))
        states[0] = z.numpy().T.reshape(d, *batch)
        flat_states = states.reshape(n_steps + 1, -1)
        with np.errstate(all="ignore"):  # the forecast flags what overflows
            for k in range(n_steps):
                slots[0] = compiled.state[...] = states[k]
                compiled(slots[1])
                for combine, so_far, slope in stages:
                    combine(so_far, flat_node)
                    compiled(slope)
                rates[k] = slots[1]
                whole_step(flat_slots, flat_states[k + 1])
            compiled.state[...] = states[-1]
            compiled(rates[-1])
        states, rates = (torch.from_numpy(a.reshape(n_steps + 1, d, n_states)).mT for a in (states, rates))
        return states, rates[:-1], rates[1:]

    return march


def rk4_torch(dynamics: LatentDynamics, parameters: Tensor, z0: Tensor, grid: Grid) -> Stepper:
    """Equal steps in torch, where the model lives."""
    rhs, step = dynamics.as_function(parameters), z0.new_tensor(float(grid.lengths[0]))
    none = z0.new_zeros(3, 0)

    def march(z: Tensor, some: slice) -> tuple[Tensor, Tensor, Tensor]:
        states, rates = [z], [rhs(z)]
        for _ in range(some.start, some.stop):
            states.append(rk4_step(rhs, states[-1], step, none, rates[-1]))
            rates.append(rhs(states[-1]))
        rates = torch.stack(rates)
        return torch.stack(states), rates[:-1], rates[1:]

    return march


def rk4_numpy_driven(dynamics: LatentDynamics, parameters: Tensor, z0: Tensor, grid: Grid, forcing: Forcing) -> Stepper:
    """Steps with forcing in NumPy."""
    n_states, n_forcing = len(z0), forcing.width
    batch = (n_states,) if n_states > 1 else ()
    compiled = NumpyLatentRhs(dynamics, parameters, batch, n_forcing)
    d, dtype = len(compiled.state), compiled.state.dtype

    def march(z: Tensor, some: slice) -> tuple[Tensor, Tensor, Tensor]:
        edges = grid.edges[some.start : some.stop + 1]
        n_steps = len(edges) - 1
        lengths = np.diff(edges).astype(dtype)
        # Forcing features first, as all of the compiled evaluator: (K, 3, q, *batch).
        driving = np.ascontiguousarray(forcing.on_steps(edges).numpy().astype(dtype).swapaxes(2, 3))
        driving = driving.reshape(*driving.shape[:3], *batch)
        states = np.empty((n_steps + 1, d, *batch), dtype)
        before, after, k2, k3, k4 = (np.empty((n_steps, d, *batch), dtype) for _ in range(5))
        states[0] = z.numpy().T.reshape(d, *batch)
        with np.errstate(all="ignore"):  # the forecast flags what overflows
            for k, dt in enumerate(lengths):
                x, k1, half = states[k], before[k], 0.5 * dt
                compiled.at(x, driving[k, 0], k1)
                compiled.at(x + half * k1, driving[k, 1], k2[k])
                compiled.at(x + half * k2[k], driving[k, 1], k3[k])
                compiled.at(x + dt * k3[k], driving[k, 2], k4[k])
                states[k + 1] = x + dt / 6 * (k1 + 2 * (k2[k] + k3[k]) + k4[k])
                compiled.at(states[k + 1], driving[k, 2], after[k])
        states, before, after = (torch.from_numpy(a.reshape(len(a), d, n_states)).mT for a in (states, before, after))
        return states, before, after

    return march


def rk4_torch_driven(dynamics: LatentDynamics, parameters: Tensor, z0: Tensor, grid: Grid, forcing: Forcing) -> Stepper:
    """Steps with forcing in torch."""
    rhs = dynamics.as_function(parameters)

    def march(z: Tensor, some: slice) -> tuple[Tensor, Tensor, Tensor]:
        edges = grid.edges[some.start : some.stop + 1]
        states, before, after = [z], [], []
        for dt, stages in zip(z0.new_tensor(np.diff(edges)), forcing.on_steps(edges).to(z0), strict=True):
            before.append(rhs(states[-1], stages[0]))
            states.append(rk4_step(rhs, states[-1], dt, stages, before[-1]))
            after.append(rhs(states[-1], stages[2]))
        return torch.stack(states), torch.stack(before), torch.stack(after)

    return march


@dataclass(frozen=True)
class Grid:
    """Steps in time: their ends `edges` (K + 1,), and for each time asked for the step (T,) it lies in, and where there.

    `lengths` (T,) are those of these steps, `fractions` (T,) say how much of them has passed.
    """

    edges: np.ndarray
    steps: np.ndarray
    lengths: np.ndarray
    fractions: np.ndarray

    @property
    def n_steps(self) -> int:
        return len(self.edges) - 1


def uniform_grid(times: np.ndarray, max_step: float) -> Grid:
    """The fewest equal steps that are no longer than `max_step`."""
    span = float(times[-1] - times[0])
    n_steps = max(1, math.ceil(span / max_step - 1e-6))
    dt = span / n_steps
    # A time at the end of a step, up to rounding, belongs to that step: what overflows later cannot reach it.
    positions = (times - times[0]) / dt
    steps = np.clip(np.ceil(positions - 1e-9).astype(int) - 1, 0, n_steps - 1)
    return Grid(times[0] + dt * np.arange(n_steps + 1), steps, np.full(len(times), dt), positions - steps)


def grid_between_knots(times: np.ndarray, max_step: float, knots: np.ndarray) -> Grid:
    """The fewest steps no longer than `max_step` that are equal between `knots`, at all of which some step ends."""
    slack = 1e-9 * float(times[-1] - times[0])
    within = knots[(knots > times[0] + slack) & (knots < times[-1] - slack)]
    corners = np.concatenate([times[:1], within, times[-1:]])
    counts = np.maximum(1, np.ceil(np.diff(corners) / max_step - 1e-6)).astype(int)
    parts = [np.linspace(a, b, n, endpoint=False) for a, b, n in zip(corners[:-1], corners[1:], counts, strict=True)]
    edges = np.concatenate([*parts, corners[-1:]])
    steps = np.clip(np.searchsorted(edges, times - slack) - 1, 0, len(edges) - 2)
    lengths = np.diff(edges)[steps]
    return Grid(edges, steps, lengths, np.clip((times - edges[steps]) / lengths, 0.0, 1.0))
