"""Steps of a rollout in time, and where the output times lie among them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

__all__ = ["StepGrid", "make_step_grid"]

# Shares of a step by which steps may be longer than asked for, so that rounding of a span does not add a step.
STEP_SLACK = 1e-6

# Rounding of output times: relative to a step, or to the whole span if steps differ.
ROUNDING = 1e-9


@dataclass(frozen=True)
class StepGrid:
    """Consecutive steps in time, and the positions of output times among them.

    Attributes
    ----------
    edges : numpy.ndarray, shape (K + 1,)
        Ends of the K steps.
    step_lengths : numpy.ndarray, shape (K,)
        Lengths of the steps.
    step_of_time : numpy.ndarray of int, shape (T,)
        Index of the step in which each output time lies.
    fractions : numpy.ndarray, shape (T,)
        Position of each output time in its step, from 0 at its start to 1 at its end.
    """

    edges: np.ndarray
    step_lengths: np.ndarray
    step_of_time: np.ndarray
    fractions: np.ndarray

    @property
    def n_steps(self) -> int:
        """Number K of steps."""
        return len(self.step_lengths)


def make_step_grid(times: np.ndarray, max_step: float, knots: np.ndarray) -> StepGrid:
    """Return the fewest steps from the first to the last output time that fit, equal between knots.

    Parameters
    ----------
    times : numpy.ndarray, shape (T,)
        Output times, which increase.
    max_step : float
        Longest step.
    knots : numpy.ndarray, shape (any,)
        Times at which a step must end, if they lie between the first and the last output time.

    Returns
    -------
    StepGrid
        The steps.
    """
    return between_knots(times, max_step, knots) if len(knots) else uniform(times, max_step)


def uniform(times: np.ndarray, max_step: float) -> StepGrid:
    """Return the fewest equal steps that are no longer than `max_step`."""
    span = float(times[-1] - times[0])
    n_steps = max(1, math.ceil(span / max_step - STEP_SLACK))
    dt = span / n_steps
    # A time at the end of a step, up to rounding, belongs to that step, so a later overflow cannot reach it.
    positions = (times - times[0]) / dt
    steps = np.clip(np.ceil(positions - ROUNDING).astype(int) - 1, 0, n_steps - 1)
    return StepGrid(times[0] + dt * np.arange(n_steps + 1), np.full(n_steps, dt), steps, positions - steps)


def between_knots(times: np.ndarray, max_step: float, knots: np.ndarray) -> StepGrid:
    """Return the fewest steps no longer than `max_step` that are equal between `knots` and end at them."""
    slack = ROUNDING * float(times[-1] - times[0])
    within = knots[(knots > times[0] + slack) & (knots < times[-1] - slack)]
    corners = np.concatenate([times[:1], within, times[-1:]])
    counts = np.maximum(1, np.ceil(np.diff(corners) / max_step - STEP_SLACK)).astype(int)
    parts = [np.linspace(a, b, n, endpoint=False) for a, b, n in zip(corners[:-1], corners[1:], counts, strict=True)]
    edges = np.concatenate([*parts, corners[-1:]])
    lengths = np.diff(edges)
    steps = np.clip(np.searchsorted(edges, times - slack) - 1, 0, len(lengths) - 1)
    return StepGrid(edges, lengths, steps, np.clip((times - edges[steps]) / lengths[steps], 0.0, 1.0))
