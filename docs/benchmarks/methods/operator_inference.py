"""POD and quadratic operator inference with a linear decoder, written without code of the package.

The model dz/dt = c + A z + H (z kron z) is fitted by ridge regression to f at all snapshots of the training trajectories and
at all collocation points. The ridge is the one whose rollouts are best on a held-out tenth of the trajectories. All components
of z are divided by the same number. With a number for each component, coefficients of small modes would grow, and models with
d = 64 would diverge.

References: Peherstorfer & Willcox 2016; McQuarrie, Huang & Willcox 2021.
"""

from __future__ import annotations

import numpy as np

from methods import Forecaster, pod, runge_kutta
from problems import Problem

RIDGES = 10.0 ** np.arange(-13, 0)
STEPS = 4  # of Runge-Kutta, per interval of the training data


def fit(problem: Problem, latent_dim: int, seconds: float, seed: int) -> Forecaster:  # noqa: ARG001 - closed form
    """Fit the operators, with the ridge that forecasts held-out trajectories best."""
    n_held = max(1, len(problem.trajectories) // 10)
    held, train = problem.trajectories[:n_held], problem.trajectories[n_held:]
    states = train.reshape(-1, train.shape[-1])
    rates = problem.system.rhs(states)
    evaluations = len(states)
    if problem.collocation is not None:
        states = np.concatenate([states, problem.collocation[0]])
        rates = np.concatenate([rates, problem.collocation[1]])
    mean, basis = pod(problem, latent_dim, with_points=True)
    z = (states - mean) @ basis
    unit = np.sqrt((z**2).sum(axis=1).mean())
    features = polynomial(z / unit)
    eigenvalues, vectors = np.linalg.eigh(features.T @ features / len(features))
    moment = vectors.T @ (features.T @ (rates @ basis / unit)) / len(features)
    longest = float(np.diff(problem.times).min()) / STEPS

    def forecast(theta: np.ndarray, initial: np.ndarray, times: np.ndarray) -> np.ndarray:
        start = (initial - mean) @ basis / unit
        return mean + unit * runge_kutta(lambda z: polynomial(z) @ theta, start, times, longest) @ basis.T

    best, best_error, best_ridge = np.zeros_like(moment), np.inf, np.nan
    for ridge in RIDGES:
        theta = vectors @ (moment / (np.maximum(eigenvalues, 0.0) + ridge)[:, None])
        with np.errstate(all="ignore"):
            error = np.mean((forecast(theta, held[:, 0], problem.times) - held) ** 2)
        if error < best_error:
            best, best_error, best_ridge = theta, error, ridge
    return Forecaster(
        lambda initial, times: forecast(best, initial, times),
        {"ridge": float(best_ridge), "f evaluations besides the points": evaluations},
    )


def polynomial(z: np.ndarray) -> np.ndarray:
    """Return 1, z and all products of two components, (N, 1 + d + d (d + 1) / 2)."""
    d = z.shape[1]
    products = [z[:, i, None] * z[:, i:] for i in range(d)]
    return np.concatenate([np.ones((len(z), 1)), z, *products], axis=1)
