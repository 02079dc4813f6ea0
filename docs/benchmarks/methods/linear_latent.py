"""The recipe of `published` with linear latent dynamics dz/dt = K z: a Koopman model."""

from __future__ import annotations

from methods import Forecaster
from methods.autoencoder import Recipe, train
from problems import Problem

RECIPE = Recipe(physics="jvp", linear=True)


def fit(problem: Problem, latent_dim: int, seconds: float, seed: int) -> Forecaster:
    """Train for some seconds."""
    return next(train(problem, latent_dim, (seconds,), seed, RECIPE))[1]
