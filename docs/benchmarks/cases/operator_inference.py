"""The opponent: POD and quadratic operator inference, written from its description, apart from the package.

Peherstorfer & Willcox 2016; ridge by rollouts as in McQuarrie, Huang & Willcox 2021.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def fit_operator_inference(system, runs, pairs, d: int) -> Callable:
    """A function from a Dataset of test trajectories to forecasts of them, from their first states."""
    x, t = runs["state"].values, runs["time"].values
    n_held = max(1, len(x) // 10)
    train, held = x[n_held:], x[:n_held]
    states = np.concatenate([train.reshape(-1, x.shape[-1]), pairs["state"].values])
    rates = np.concatenate([system.rhs(train.reshape(-1, x.shape[-1])), pairs["time_derivative"].values])
    mean = states.mean(axis=0)
    basis = np.linalg.svd(states - mean, full_matrices=False)[2][:d].T
    features, targets = polynomial((states - mean) @ basis), rates @ basis
    gram, moment = features.T @ features / len(features), features.T @ targets / len(features)
    scale = np.sqrt(np.diag(gram))

    def forecast(theta: np.ndarray, initial: np.ndarray, times: np.ndarray) -> np.ndarray:
        z = (initial - mean) @ basis
        out = [z]
        for dt in np.diff(times):
            for _ in range(4):
                z = step(lambda z: polynomial(z) @ theta, z, dt / 4)
            out.append(z)
        return mean + np.stack(out, axis=1) @ basis.T

    best, best_error = moment, np.inf
    for ridge in 10.0 ** np.arange(-12, 2):
        theta = np.linalg.solve(gram / np.outer(scale, scale) + ridge * np.eye(len(gram)), moment / scale[:, None])
        theta /= scale[:, None]
        with np.errstate(all="ignore"):
            error = np.mean((forecast(theta, held[:, 0], t) - held) ** 2)
        if error < best_error:
            best, best_error = theta, error
    return lambda test: forecast(best, test["state"].values[:, 0], test["time"].values)


def polynomial(z: np.ndarray) -> np.ndarray:
    i, j = np.triu_indices(z.shape[1])
    return np.concatenate([np.ones((len(z), 1)), z, z[:, i] * z[:, j]], axis=1)


def step(f, z, dt):
    k1 = f(z)
    k2 = f(z + dt / 2 * k1)
    k3 = f(z + dt / 2 * k2)
    return z + dt / 6 * (k1 + 2 * k2 + 2 * k3 + f(z + dt * k3))
