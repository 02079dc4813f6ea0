"""Autoencoder with a latent neural ODE in plain torch, shared by the trained methods for comparison.

Encoder and decoder have two hidden layers of 512, the latent network two of 256. A step uses 64 whole trajectories. Unless the
recipe sets another number, it uses so many collocation points that an epoch passes over all trajectories and all points. Losses
are mean squares with weight 1: reconstruction and prediction of the trajectories, and dphi/dx f(x) - h(phi(x)) at the points.
Rollouts use `rk4` of torchdiffeq with one step per interval. No code of the package is used.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import jvp
from torchdiffeq import odeint

import clock
from methods import Forecaster
from problems import Problem

BATCH = 64  # trajectories a step


@dataclass(frozen=True)
class Recipe:
    """Settings in which the trained peers differ.

    physics: how dphi/dx f is formed, "jacobian" (all of it) or "jvp"; None leaves the collocation points out.
    normalised: states are divided by their standard deviation over all components, after their mean is taken off.
    points: collocation points a step; None takes as many as make an epoch pass over them and the trajectories.
    decay: the learning rate falls to zero along a cosine; then there is one budget only.
    """

    activation: type[nn.Module] = nn.ReLU
    dtype: torch.dtype = torch.float64
    rate: float = 1e-4
    decay: bool = False
    physics: str | None = "jacobian"
    points: int | None = None
    linear: bool = False
    normalised: bool = False


class Model(nn.Module):
    """Encoder, decoder and latent dynamics."""

    def __init__(self, n: int, d: int, recipe: Recipe):
        super().__init__()
        self.encoder = perceptron((n, 512, 512, d), recipe.activation)
        self.decoder = perceptron((d, 512, 512, n), recipe.activation)
        self.dynamics = (
            nn.Linear(d, d, bias=False) if recipe.linear else perceptron((d, 256, 256, d), recipe.activation)
        )

    def roll_out(self, z: Tensor, times: Tensor) -> Tensor:
        """Return latent states (T, N, d) from z (N, d) at times[0]."""
        return odeint(lambda _t, z: self.dynamics(z), z, times, method="rk4")


def perceptron(widths: Sequence[int], activation: type[nn.Module]) -> nn.Sequential:
    """Return linear layers of given widths with activations between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(widths):
        layers += [nn.Linear(inputs, outputs), activation()]
    return nn.Sequential(*layers[:-1])


def train(
    problem: Problem, d: int, budgets: Sequence[float], seed: int, recipe: Recipe
) -> Iterator[tuple[float, Forecaster]]:
    """Train once, and yield the model after each budget of seconds; using it costs no training time."""
    torch.manual_seed(seed)
    states, dtype = problem.trajectories, recipe.dtype
    shift, spread = (states.mean(axis=(0, 1)), states.std()) if recipe.normalised else (0.0, 1.0)
    x = torch.as_tensor((states - shift) / spread, dtype=dtype)
    times = torch.as_tensor(problem.times, dtype=dtype)
    points = rates = None
    if recipe.physics and problem.collocation is not None:
        points = torch.as_tensor((problem.collocation[0] - shift) / spread, dtype=dtype)
        rates = torch.as_tensor(problem.collocation[1] / spread, dtype=dtype)
    model = Model(x.shape[2], d, recipe).to(dtype)
    optimiser = torch.optim.Adam(model.parameters(), lr=recipe.rate)
    steps, spent = 0, 0.0
    for budget in sorted(budgets):
        while spent < budget:
            started = clock.seconds()
            chosen = torch.randperm(len(x)).split(BATCH)
            if points is not None and rates is not None:
                order = torch.randperm(len(points))
                pairs = order.tensor_split(len(chosen)) if recipe.points is None else order.split(recipe.points)
            for k, rows in enumerate(chosen):
                if spent + clock.seconds() - started >= budget:
                    break
                if recipe.decay:
                    share = (spent + clock.seconds() - started) / budget
                    optimiser.param_groups[0]["lr"] = 0.5 * recipe.rate * (1 + math.cos(math.pi * share))
                loss = data_loss(model, x[rows], times)
                if points is not None and rates is not None:
                    loss = loss + physics_loss(
                        model, points[pairs[k % len(pairs)]], rates[pairs[k % len(pairs)]], recipe
                    )
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                steps += 1
            spent += clock.seconds() - started
        yield budget, Forecaster(forecaster(model, shift, spread, recipe), {"steps": steps, "fit seconds": spent})


def data_loss(model: Model, x: Tensor, times: Tensor) -> Tensor:
    """Return the errors of reconstructing snapshots x (N, T, n) and of predicting them from the first."""
    z = model.encoder(x)
    predicted = model.decoder(model.roll_out(z[:, 0], times)).transpose(0, 1)
    return (model.decoder(z) - x).square().mean() + (predicted - x).square().mean()


def physics_loss(model: Model, x: Tensor, f: Tensor, recipe: Recipe) -> Tensor:
    """Return the mismatch of latent velocities at collocation points x (M, n) with rates f (M, n)."""
    if recipe.physics == "jvp":
        z, velocity = jvp(model.encoder, (x,), (f,))
    else:
        # Row by row: measured faster than vmap of jacrev, and the same numbers.
        x = x.clone().requires_grad_()
        z = model.encoder(x)
        rows = [torch.autograd.grad(z[:, k].sum(), x, create_graph=True)[0] for k in range(z.shape[1])]
        velocity = torch.einsum("mdn,mn->md", torch.stack(rows, dim=1), f)
    return (velocity - model.dynamics(z)).square().mean()


def forecaster(model: Model, shift: np.ndarray | float, spread: float, recipe: Recipe):
    """Return a function that forecasts with the model in its state at the time of the call."""

    @torch.no_grad()
    def forecast(initial: np.ndarray, times: np.ndarray) -> np.ndarray:
        x = torch.as_tensor((initial - shift) / spread, dtype=recipe.dtype)
        z = model.roll_out(model.encoder(x), torch.as_tensor(times, dtype=recipe.dtype))
        return (model.decoder(z).transpose(0, 1).numpy() * spread) + shift

    return forecast
