"""POD-Galerkin: the true f projected on POD modes, dz/dt = V^T f(mean + V z).

It evaluates f at every stage of every forecast, so it saves no time unless f is reduced further.
"""

from __future__ import annotations

import numpy as np

from methods import Forecaster, pod, runge_kutta
from problems import Problem

STEPS = 4  # of Runge-Kutta, per interval of the training data


def fit(problem: Problem, latent_dim: int, seconds: float, seed: int) -> Forecaster:  # noqa: ARG001 - closed form
    """Project f on POD modes."""
    mean, basis = pod(problem, latent_dim, with_points=True)
    longest = float(np.diff(problem.times).min()) / STEPS

    def forecast(initial: np.ndarray, times: np.ndarray) -> np.ndarray:
        z = runge_kutta(
            lambda z: problem.system.rhs(mean + z @ basis.T) @ basis, (initial - mean) @ basis, times, longest
        )
        return mean + z @ basis.T

    return Forecaster(forecast)
