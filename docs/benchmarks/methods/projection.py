"""Projection of the true states on a linear subspace: the smallest error of any linear model. It forecasts nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from measures import square_errors
from methods import pod
from problems import Problem


def errors(problem: Problem, latent_dim: int) -> dict[str, Any]:
    """Return errors of the test states projected on POD modes of the training data, and on their own POD modes.

    The second is what no linear decoder of this dimension can fall below by much, whatever it was trained on.
    """
    mean, basis = pod(problem, latent_dim, with_points=True)
    figures: dict[str, Any] = {}
    for name, (_, states) in problem.test.items():
        figures |= square_errors(problem, name, mean + (states - mean) @ basis @ basis.T)
        own_mean = states.mean(axis=(0, 1))
        own = np.linalg.svd((states - own_mean).reshape(-1, states.shape[-1]), full_matrices=False)[2][:latent_dim].T
        below = square_errors(problem, name, own_mean + (states - own_mean) @ own @ own.T)
        figures |= {f"own modes: {key}": value for key, value in below.items() if key.startswith("mse, ")}
    return figures
