"""A lifted linear system with its exact encoder, dynamics and decoder, for which every loss must vanish."""

import numpy as np
import torch

import systems
from rom.config import FitConfig
from rom.models.build import build_networks
from rom.training.batches import CollocationTable, Windows
from rom.training.losses import LossScales, data_losses, physics_losses
from runs import Run, seeds

TITLE = "Oracle: the exact encoder, dynamics and decoder of a lifted linear system"
NOTE = """
All five losses in float64, on trajectories and random collocation points of `LiftedLinear`. The rollout takes 64
Runge-Kutta steps an interval, so that its own error lies below rounding.
"""


def runs(quick: bool) -> list[Run]:
    """Return the runs of this case."""
    return seeds(1 if quick else 3)


def measure(run: Run, quick: bool) -> dict[str, float]:  # noqa: ARG001 - it is quick
    """Measure one run."""
    system = systems.LiftedLinear()
    n, d = system.lift.shape
    networks = build_networks(FitConfig(hidden=(), latent_hidden=(), dtype="float64"), n, d, 0)
    with torch.no_grad():
        networks.encoder.linear.weight.copy_(torch.from_numpy(np.linalg.pinv(system.lift)))
        networks.latent_dynamics.linear.weight.copy_(torch.from_numpy(system.latent_matrix))
        networks.decoder.linear.weight.copy_(torch.from_numpy(system.lift))
    train = systems.simulate(system, 8, np.linspace(0, 1, 11), seed=run.seed, rtol=3e-14, atol=1e-14)
    pairs = systems.collocate(system, 256, seed=run.seed)
    states = torch.from_numpy(train["state"].values).transpose(0, 1).contiguous()
    intervals = torch.full((10, 8, 1), 0.1, dtype=torch.float64)
    points = CollocationTable.without_parameters(
        *(torch.from_numpy(pairs[v].values) for v in ("state", "time_derivative"))
    )
    spreads = LossScales(float(states.var()), float(points.derivatives.square().mean()))
    losses = data_losses(networks, Windows.without_parameters(states, intervals), spreads, 64) | physics_losses(
        networks, points, spreads
    )
    return {name: float(loss.detach()) for name, loss in losses.items()}
