"""The steps of a rollout: where they end, and in which of them the times lie that are asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

__all__ = ["Grid", "grid_between_knots", "uniform_grid"]


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
