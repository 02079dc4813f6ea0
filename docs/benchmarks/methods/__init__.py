"""The methods that are compared: one module each, with ``fit(problem, latent_dim, seconds, seed) -> Forecaster``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Forecaster:
    """A fitted model: maps initial states (N, n) and times (T,) to forecasts (N, T, n).

    facts: figures about the fit, by name. start: the model that the training started from, where it can forecast.
    """

    forecast: Callable[..., np.ndarray]
    facts: dict[str, Any] = field(default_factory=dict)
    start: Forecaster | None = None

    def __call__(self, initial: np.ndarray, times: np.ndarray, *parameters: np.ndarray) -> np.ndarray:
        """Return forecasts (N, T, n)."""
        return self.forecast(initial, times, *parameters)


def pod(problem: Any, d: int, with_points: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean (n,) and the first d POD modes (n, d) of the training data.

    These are the trajectories, and with `with_points` also the collocation points.
    """
    n = problem.trajectories.shape[-1]
    states = problem.trajectories.reshape(-1, n)
    if with_points and problem.collocation is not None:
        states = np.concatenate([states, problem.collocation[0]])
    mean = states.mean(axis=0)
    return mean, np.linalg.svd(states - mean, full_matrices=False)[2][:d].T


def runge_kutta(f: Callable[[np.ndarray], np.ndarray], z: np.ndarray, times: np.ndarray, longest: float) -> np.ndarray:
    """Solve z' = f(z) from z (N, d) at times[0] by RK4 with steps of at most `longest`; return (N, T, d)."""
    out = [z]
    with np.errstate(all="ignore"):  # what diverges shows in its errors
        for interval in np.diff(times):
            count = max(1, int(np.ceil(interval / longest - 1e-6)))
            h = interval / count
            for _ in range(count):
                k1 = f(z)
                k2 = f(z + h / 2 * k1)
                k3 = f(z + h / 2 * k2)
                z = z + h / 6 * (k1 + 2 * k2 + 2 * k3 + f(z + h * k3))
            out.append(z)
    return np.stack(out, axis=1)
