"""Rollouts for forecasts: uniform Runge-Kutta steps whose length accuracy chooses, and dense output at the times asked for.

A forecast of one state is a long chain of tiny products, and torch spends far longer on starting an operation than on a
product of 128 numbers. On the CPU the steps are therefore taken in NumPy, by an evaluator of h compiled from the
`LatentDynamics` into as few and as large products as it can be, in buffers that are there from the start (`rom/compiled.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from rom.compiled import CompiledRates
from rom.integrators import hermite, rk4_step
from rom.latent_dynamics import LatentDynamics

__all__ = ["Forcing", "roll_out"]

KEPT = 2**22  # numbers of the steps that are kept at a time: bounds the memory of a long forecast

# The later nodes and the end of a Runge-Kutta step as combinations of (z, dt k1, dt k2, dt k3, dt k4).
NODES = ((1.0, 0.5), (1.0, 0.0, 0.5), (1.0, 0.0, 0.0, 1.0), (1.0, 1 / 6, 1 / 3, 1 / 3, 1 / 6))

March = Callable[[Tensor, slice], tuple[Tensor, Tensor, Tensor]]


def roll_out(
    dynamics: LatentDynamics,
    z0: Tensor,
    times: np.ndarray,
    parameters: Tensor | None,
    max_step: float,
    contains: Callable[[Tensor], Tensor],
    forcing: Forcing | None = None,
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
    grid = uniform_grid(times, max_step) if forcing is None else grid_between_knots(times, max_step, forcing.knots)
    march = choose_march(dynamics, parameters, z0, grid, forcing)
    lengths, fractions = (torch.as_tensor(a, dtype=z0.dtype, device=z0.device)[:, None, None] for a in grid.places)
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


@dataclass(frozen=True)
class Forcing:
    """What drives a rollout: `knots` (K,), across which no step may reach, and functions of time.

    `between` takes the ends of steps (K + 1,) to forcing (K, 3, trajectory, q) at their start, middle and end, `at` a time to
    forcing (trajectory, q).
    """

    knots: np.ndarray
    between: Callable[[np.ndarray], Tensor]
    at: Callable[[float], Tensor]

    def of(self, trajectory: int) -> Forcing:
        """That of one trajectory."""
        one = slice(trajectory, trajectory + 1)
        return Forcing(self.knots, lambda edges: self.between(edges)[:, :, one], lambda time: self.at(time)[one])


@dataclass(frozen=True)
class Grid:
    """Steps in time: their ends `edges` (K + 1,), and for each time asked for the step (T,) it lies in, and where there.

    `places`: the lengths (T,) of these steps, and the fractions (T,) of them.
    """

    edges: np.ndarray
    steps: np.ndarray
    places: tuple[np.ndarray, np.ndarray]

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
    return Grid(times[0] + dt * np.arange(n_steps + 1), steps, (np.full(len(times), dt), positions - steps))


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
    return Grid(edges, steps, (lengths, np.clip((times - edges[steps]) / lengths, 0.0, 1.0)))


def choose_march(
    dynamics: LatentDynamics, parameters: Tensor | None, z0: Tensor, grid: Grid, forcing: Forcing | None
) -> March:
    """How to take some of the steps: from z (trajectory, d) to K + 1 states and the rates before and after each step.

    States (K + 1, trajectory, d), and rates (K, trajectory, d) each, which at a jump of the forcing differ from those of
    the next step.
    """
    if forcing is not None:
        return driven_march(dynamics, parameters, z0, grid, forcing)
    dt = float(grid.places[0][0])
    if runs_in_numpy(z0):
        return numpy_march(dynamics, parameters, len(z0), dt)
    return torch_march(dynamics, parameters, dt)


def runs_in_numpy(z0: Tensor) -> bool:
    return z0.device.type == "cpu"


def driven_march(
    dynamics: LatentDynamics, parameters: Tensor | None, z0: Tensor, grid: Grid, forcing: Forcing
) -> March:
    """A march with forcing, whose steps may differ in length; on the CPU by NumPy."""
    if runs_in_numpy(z0):
        batch = (len(z0),) if len(z0) > 1 else ()
        own = torch.zeros(1, 0, dtype=z0.dtype) if parameters is None else parameters
        compiled = CompiledRates(dynamics, own, batch, n_forcing=forcing.between(grid.edges[:2]).shape[-1])
        return partial(numpy_driven_steps, compiled, grid, forcing)
    rhs = dynamics.merged(parameters)

    def march(z: Tensor, some: slice) -> tuple[Tensor, Tensor, Tensor]:
        edges = grid.edges[some.start : some.stop + 1]
        states, before, after = [z], [], []
        for dt, stages in zip(z.new_tensor(np.diff(edges)), forcing.between(edges).to(z), strict=True):
            before.append(rhs(states[-1], stages[0]))
            states.append(rk4_step(rhs, states[-1], dt, before[-1], stages))
            after.append(rhs(states[-1], stages[2]))
        return torch.stack(states), torch.stack(before), torch.stack(after)

    return march


def numpy_driven_steps(
    compiled: CompiledRates, grid: Grid, forcing: Forcing, z: Tensor, some: slice
) -> tuple[Tensor, Tensor, Tensor]:
    """Steps of `driven_march` in NumPy."""
    edges = grid.edges[some.start : some.stop + 1]
    n_steps, n_states = len(edges) - 1, len(z)
    d, dtype, batch = len(compiled.state), compiled.state.dtype, compiled.state.shape[1:]
    lengths = np.diff(edges).astype(dtype)
    # Forcing features first, as all of the compiled evaluator: (K, 3, q, *batch).
    driving = np.ascontiguousarray(forcing.between(edges).numpy().astype(dtype).swapaxes(2, 3))
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


def torch_march(dynamics: LatentDynamics, parameters: Tensor | None, dt: float) -> March:
    """A march in torch, where the model lives."""
    rhs = dynamics.merged(parameters)

    def march(z: Tensor, some: slice) -> tuple[Tensor, Tensor, Tensor]:
        states, rates, step = [z], [rhs(z)], z.new_tensor(dt)
        for _ in range(some.start, some.stop):
            states.append(rk4_step(rhs, states[-1], step, rates[-1]))
            rates.append(rhs(states[-1]))
        rates = torch.stack(rates)
        return torch.stack(states), rates[:-1], rates[1:]

    return march


def numpy_march(dynamics: LatentDynamics, parameters: Tensor | None, n_states: int, dt: float) -> March:
    """The same march in NumPy, for models on the CPU."""
    # One state is a vector: products with a matrix of one column are slower.
    batch = (n_states,) if n_states > 1 else ()
    compiled = CompiledRates(dynamics, parameters, batch)
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
