"""Evaluate f of the system at states of the data, with their parameters, inputs and times."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

import systems
from rom.data import lazy as blocks
from rom.data.layout import Layout
from rom.data.read_collocation import as_collocation
from rom.data.trajectories import Collocation, Trajectories
from rom.reduction.pod import Projection
from rom.training.run import FitRun
from rom.utils.random import FitStream, random_stream

__all__ = ["RhsRequest", "StreamingRhsSampler", "at_trajectories", "evaluate_at", "parameters_for"]

log = logging.getLogger("rom")

NOISE = systems.NearTrajectories.noise  # size of random displacements, in shares of the spread of the states
FIRST = 8  # states evaluated first if time is limited, to measure what one costs


def parameters_for(
    system: systems.System, layout: Layout, parameters: np.ndarray, inputs: np.ndarray
) -> np.ndarray | None:
    """Return parameters ``(N, p + m)`` in the order of the system; None if the data have no parameters or inputs.

    `parameters` ``(N, p)`` and `inputs` ``(N, m)`` are those of the data. Others take their default values.
    """
    given = dict(zip((*layout.parameters, *layout.inputs), np.concatenate([parameters, inputs], axis=1).T, strict=True))
    if not given:
        return None
    defaults = np.full(len(parameters), 1.0)
    return np.stack([given.get(p.name, p.default * defaults) for p in system.parameters], axis=1)


def evaluate_at(
    system: systems.System,
    layout: Layout,
    states: np.ndarray,
    parameters: np.ndarray,
    inputs: np.ndarray,
    times: np.ndarray,
    rng: np.random.Generator,
    seed: int,
    max_seconds: float | None,
) -> Collocation:
    """Evaluate f at states, in random order.

    If time runs out, the states evaluated so far are a fair sample. If f depends on time, states of equal time come
    together, because f is evaluated for them at once.

    Parameters
    ----------
    system : systems.System
        The known dynamics.
    layout : Layout
        Labels of a state, and names of parameters and inputs.
    states, parameters, inputs, times : numpy.ndarray
        ``(N, n)``, ``(N, p)``, ``(N, m)`` and ``(N,)``.
    rng : numpy.random.Generator
        Draws the order.
    seed : int
        Seed of the call of `systems.collocate`.
    max_seconds : float or None
        Limit of the wall-clock time.

    Returns
    -------
    Collocation
        Pairs, possibly fewer than N.
    """
    order = rng.permutation(len(states))
    if layout.depends_on_time:
        rank = {time: k for k, time in enumerate(rng.permutation(np.unique(times)))}
        order = np.argsort([rank[time] for time in times], kind="stable")
    x = states[order].reshape(-1, *layout.shape)
    pairs = systems.collocate(
        system,
        len(x),
        sampler=lambda _n, _seed: x,
        parameters=parameters_for(system, layout, parameters[order], inputs[order]),
        times=times[order],
        seed=seed,
        max_seconds=max_seconds,
    )
    found, _ = as_collocation(pairs)
    kept = order[: len(found)]
    return Collocation(found.states, found.time_derivatives, parameters[kept], inputs[kept], times[kept])


def at_trajectories(
    system: systems.System, groups: list[Trajectories], layout: Layout, n: int, run: FitRun
) -> Collocation:
    """Evaluate f at `n` random states of the trajectories, or at all of them if there are fewer."""
    rng = random_stream(run.seed, FitStream.TRAJECTORY_POINTS)
    total = sum(len(g) * len(g.times) for g in groups)
    chosen = np.sort(rng.choice(total, min(n, total), replace=False))
    parts, first = [], 0
    for group in groups:
        for block, within, values in group.blocks():
            i, k = np.divmod(chosen - first, len(group.times))
            here = (i >= block.start) & (i < block.stop) & (k >= within.start) & (k < within.stop)
            i, k = i[here], k[here]
            x = values[i - block.start, k - within.start]
            parts.append((x, group.parameters[i], group.inputs[i, k], group.times[k]))
        first += len(group) * len(group.times)
    states, parameters, inputs, times = (np.concatenate(column) for column in zip(*parts, strict=True))
    limit = run.budget.for_evaluation()
    return evaluate_at(system, layout, states, parameters, inputs, times, rng, run.seed, limit)


@dataclass(frozen=True)
class RhsRequest:
    """Points at which f is evaluated while the training trajectories are read block by block.

    Attributes
    ----------
    system : systems.System
        The known dynamics.
    layout : Layout
        Labels of a state, and names of parameters and inputs.
    exact : int
        Number of points that are states of the trajectories.
    near : int
        Number of points that are states with a random displacement.
    asked_for : int
        How many of both the user asked for; the others are added.
    seed : int
        Seed of the choice of states.
    seconds : float or None
        Time for evaluating f; None for no limit.
    """

    system: Any
    layout: Layout
    exact: int
    near: int
    asked_for: int
    seed: int
    seconds: float | None


class StreamingRhsSampler:
    """Evaluates f at the points of a `RhsRequest` while the trajectories are read, and keeps POD coordinates only.

    Which states are chosen depends on the seed alone. If f costs more than the time allows, fewer are evaluated, evenly
    over the states that are left.

    Parameters
    ----------
    request : RhsRequest
        The points.
    groups : sequence of Trajectories
        The training trajectories.
    projection : Projection
        The POD.
    spread : numpy.ndarray
        Standard deviations ``(r,)`` of the states along the POD basis, which scale the displacements.
    """

    def __init__(self, request: RhsRequest, groups: Sequence[Trajectories], projection: Projection, spread: np.ndarray):
        self.request, self.projection, self.spread = request, projection, spread
        self.rng = random_stream(request.seed, FitStream.TRAJECTORY_POINTS)
        total = sum(len(g) * len(g.times) for g in groups)
        exact = self.rng.choice(total, min(request.exact, total), replace=False)
        near = self.rng.integers(total, size=request.near)
        states, is_near = np.concatenate([exact, near]), np.repeat([False, True], [len(exact), len(near)])
        order = self.rng.permutation(len(states))  # if f costs too much, the first states are a fair sample
        self.states, self.is_near = states[order], is_near[order]
        self.n_left, self.spent, self.squares, self.kept_squares = len(states), 0.0, 0.0, 0.0
        self.parts: list[tuple[Tensor, Tensor, np.ndarray, np.ndarray, np.ndarray]] = []

    def visit(self, group: Trajectories, first: int, block: blocks.Block) -> None:
        """Evaluate f at the chosen states of a block of `group`, whose states are numbered from `first` on."""
        chosen, within, states = block
        trajectory, time_index = np.divmod(self.states - first, len(group.times))
        here = np.flatnonzero(
            (trajectory >= chosen.start) & (trajectory < chosen.stop)
            & (time_index >= within.start) & (time_index < within.stop)
        )  # fmt: skip
        at_once = max(1, blocks.BLOCK_BYTES // (8 * states.shape[2]))
        while len(here):
            size = at_once if self.request.seconds is None or self.parts else FIRST
            some, here = here[:size], here[size:]
            self.n_left -= len(some)
            some = some[: self.affordable(len(some))]
            if len(some):
                x = states[trajectory[some] - chosen.start, time_index[some] - within.start]
                i, k = trajectory[some], time_index[some]
                self.evaluate(x, self.is_near[some], group.parameters[i], group.inputs[i, k], group.times[k])

    def affordable(self, n: int) -> int:
        """Return how many of `n` states there is time for, if those to come get a fair share."""
        if self.request.seconds is None or not self.parts:
            return n
        price = self.spent / len(self)
        share = (self.request.seconds - self.spent) / max(price * (n + self.n_left), 1e-9)
        return int(np.clip(np.floor(share * n + self.rng.random()), 0, n))

    def evaluate(
        self, x: np.ndarray, is_near: np.ndarray, parameters: np.ndarray, inputs: np.ndarray, times: np.ndarray
    ) -> None:
        """Evaluate f at states `x` ``(m, n)``; those marked `is_near` are displaced first."""
        if is_near.any():
            strength = NOISE * self.rng.standard_normal((int(is_near.sum()), 1))
            along = self.rng.standard_normal((len(strength), len(self.spread))) * self.spread
            x[is_near] += self.projection.unit.numpy() * ((strength * along) @ self.projection.basis.numpy().T)
        started, request = time.monotonic(), self.request
        pairs = evaluate_at(
            request.system, request.layout, x, parameters, inputs, times, self.rng, request.seed, max_seconds=None
        )
        self.spent += time.monotonic() - started
        rates = torch.from_numpy(pairs.time_derivatives)
        derivatives = self.projection.project_derivative(rates)
        kept, whole = self.projection.share_kept(rates)
        self.kept_squares, self.squares = self.kept_squares + kept, self.squares + whole
        coordinates = self.projection.project(torch.from_numpy(pairs.states))
        self.parts.append((coordinates, derivatives, pairs.parameters, pairs.inputs, pairs.times))

    def __len__(self) -> int:
        """Return the number of points evaluated so far."""
        return sum(len(part[2]) for part in self.parts)

    def collected(self) -> tuple[Tensor, Tensor, tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Return POD coordinates ``(M, r)`` and derivatives ``(M, r)``, and parameters, inputs and times of all points."""
        if len(self) < len(self.states):
            log.warning(
                "max_seconds left time to evaluate f at %d of %d states of trajectories", len(self), len(self.states)
            )
        coordinates, derivatives, *own = zip(*self.parts, strict=True)
        parameters, inputs, times = (np.concatenate(column) for column in own)
        return torch.cat(coordinates), torch.cat(derivatives), (parameters, inputs, times)
