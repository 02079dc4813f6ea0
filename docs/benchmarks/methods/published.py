"""Physics-informed neural ODE (PINODE) after its description: Sholokhov, Liu, Mansour & Nabi, Sci. Rep. 13 (2023) 10166.

ReLU, Adam at 1e-4, float64, the full Jacobian of the encoder at every collocation point; no schedule, so one run shows
the result of every budget. Written from the description, not the authors' code.
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
