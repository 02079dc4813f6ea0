"""The losses and networks of `published` with faster settings, to separate the method from its settings.

tanh, float32, normalised states, Adam at 1e-3 with a cosine decay, dphi/dx f by forward mode, 512 collocation points a step.
"""

from __future__ import annotations

import torch
from torch import nn

from methods import Forecaster
from methods.autoencoder import Recipe, train
from problems import Problem

RECIPE = Recipe(nn.Tanh, torch.float32, rate=1e-3, decay=True, physics="jvp", points=512, normalised=True)


def fit(problem: Problem, latent_dim: int, seconds: float, seed: int) -> Forecaster:
    """Train for some seconds."""
    return next(train(problem, latent_dim, (seconds,), seed, RECIPE))[1]
