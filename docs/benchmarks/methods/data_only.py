"""A neural ODE in an autoencoder, trained on trajectories alone.

The networks of `published` with tanh, float32, normalised states, and Adam at 1e-3 with a cosine decay.
"""

from __future__ import annotations

import torch
from torch import nn

from methods import Forecaster
from methods.autoencoder import Recipe, train
from problems import Problem

RECIPE = Recipe(activation=nn.Tanh, dtype=torch.float32, rate=1e-3, decay=True, physics=None, normalised=True)


def fit(problem: Problem, latent_dim: int, seconds: float, seed: int) -> Forecaster:
    """Train for some seconds."""
    return next(train(problem, latent_dim, (seconds,), seed, RECIPE))[1]
