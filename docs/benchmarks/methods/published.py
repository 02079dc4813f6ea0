"""Physics-informed neural ODE (PINODE), written from its description.

Activations are ReLU, the optimiser is Adam with a learning rate of 1e-4, numbers are float64, and the full Jacobian of the
encoder is formed at every collocation point. The learning rate is constant, so one run gives the result of every budget.

Reference: Sholokhov, Liu, Mansour & Nabi, Sci. Rep. 13 (2023) 10166. The authors' code is not used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from methods import Forecaster
from methods.autoencoder import Recipe, train
from problems import Problem

RECIPE = Recipe()


def on_budgets(
    problem: Problem, latent_dim: int, budgets: Sequence[float], seed: int
) -> Iterator[tuple[float, Forecaster]]:
    """Yield the model after each budget of seconds.

    Each must be used before the next is taken, because training continues in place.
    """
    return train(problem, latent_dim, budgets, seed, RECIPE)


def fit(problem: Problem, latent_dim: int, seconds: float, seed: int) -> Forecaster:
    """Train for some seconds."""
    return next(on_budgets(problem, latent_dim, (seconds,), seed))[1]
