"""Forcing of the latent ODE: inputs u(t), and time itself if f depends on it.

The latent dynamics take forcing as parameters that change along a trajectory, y = (z, mu, u). It is known at the start, in
the middle and at the end of each interval in time. In between it is the parabola through these values, which is exact for
inputs that are linear or constant on the interval, and of third order for other functions of time. If f is periodic in
time, time enters as the cosine and the sine of its phase.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

import systems
from rom.data.layout import Layout

__all__ = ["Forcing", "forcing_at_states", "forcing_on_intervals", "forcing_on_steps", "time_features"]


@dataclass(frozen=True)
class Forcing:
    """Inputs and time features along a rollout, as functions of time.

    Attributes
    ----------
    width : int
        Number q of values at each time; 0 for dynamics without inputs that do not depend on time.
    knots : numpy.ndarray, shape (K,)
        Times at which the forcing bends or jumps. Steps of a rollout end there.
    on_steps : Callable
        Function of the ends of steps (K + 1,) to the forcing (K, 3, trajectory, q) at their start, middle and end.
    at_time : Callable
        Function of a time to the forcing (trajectory, q).
    """

    width: int
    knots: np.ndarray
    on_steps: Callable[[np.ndarray], Tensor]
    at_time: Callable[[float], Tensor]

    @staticmethod
    def none(n_trajectories: int) -> Forcing:
        """Return forcing of width zero."""
        return Forcing(
            width=0,
            knots=np.zeros(0),
            on_steps=lambda edges: torch.zeros(len(edges) - 1, 3, n_trajectories, 0),
            at_time=lambda _time: torch.zeros(n_trajectories, 0),
        )

    def of_trajectory(self, trajectory: int) -> Forcing:
        """Return the forcing of one trajectory."""
        one = slice(trajectory, trajectory + 1)
        return Forcing(
            self.width, self.knots, lambda edges: self.on_steps(edges)[:, :, one], lambda time: self.at_time(time)[one]
        )


def time_features(times: np.ndarray, layout: Layout) -> np.ndarray:
    """Return the time features (..., k) of `times` (...): none, time itself, or cosine and sine of its phase."""
    if not layout.depends_on_time:
        return np.zeros((*np.shape(times), 0))
    if layout.period is None:
        return np.asarray(times, dtype=float)[..., None]
    phase = 2.0 * np.pi / layout.period * np.asarray(times)
    return np.stack([np.cos(phase), np.sin(phase)], axis=-1)


def forcing_at_states(inputs: np.ndarray, times: np.ndarray, layout: Layout) -> np.ndarray:
    """Return the forcing (..., q) of single states with `inputs` (..., m) at `times`, which broadcast to (...)."""
    features = time_features(np.broadcast_to(times, inputs.shape[:-1]), layout)
    return np.concatenate([inputs, features], axis=-1)


def forcing_on_intervals(times: np.ndarray, inputs: np.ndarray, layout: Layout) -> np.ndarray:
    """Return the forcing on the intervals between snapshots.

    Parameters
    ----------
    times : numpy.ndarray, shape (T,)
        Times of the snapshots.
    inputs : numpy.ndarray, shape (N, T, m)
        Inputs of N trajectories at these times, with m = 0 if there are none.
    layout : Layout
        Says whether inputs are held between snapshots or linear, and how the dynamics depend on time.

    Returns
    -------
    numpy.ndarray, shape (T - 1, 3, N, q)
        Forcing at the start, in the middle and at the end of each interval.
    """
    first, last = inputs[:, :-1], inputs[:, :-1] if layout.held_inputs else inputs[:, 1:]
    return at_three_stages(times, (first, 0.5 * (first + last), last), layout)


def forcing_on_steps(edges: np.ndarray, signals: systems.Signals, layout: Layout) -> np.ndarray:
    """Return the forcing (K, 3, N, q) on steps between `edges` (K + 1,), none of which crosses a knot of `signals`."""
    middle = signals.at(0.5 * (edges[:-1] + edges[1:]))
    if signals.held:  # at the ends of a step, rounding could choose the value of a neighbour
        return at_three_stages(edges, (middle, middle, middle), layout)
    return at_three_stages(edges, (signals.at(edges[:-1]), middle, signals.at(edges[1:])), layout)


def at_three_stages(edges: np.ndarray, inputs: tuple[np.ndarray, np.ndarray, np.ndarray], layout: Layout) -> np.ndarray:
    """Return the forcing (K, 3, N, q) of `inputs` (N, K, m) at start, middle and end of the intervals between `edges`."""
    times = (edges[:-1], 0.5 * (edges[:-1] + edges[1:]), edges[1:])
    stages = [forcing_at_states(u, at, layout) for u, at in zip(inputs, times, strict=True)]
    return np.ascontiguousarray(np.moveaxis(np.stack(stages), (2, 0), (0, 1)))
