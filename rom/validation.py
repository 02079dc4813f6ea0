"""How good a model is on held-out data: the one number that selects dimension, ridge and best state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rom.architecture import Networks
from rom.batches import CollocationTable, Rollouts
from rom.integrators import rk4_rollout
from rom.losses import Spreads, physics_losses

__all__ = ["HeldOut", "validation_error"]

WORST = 1e3  # shares of the variance charged for a rollout that is not finite: worse than any useful model


@dataclass(frozen=True)
class HeldOut:
    """Data kept for validation: whole trajectories, cut into stretches of at most so many intervals, or points.

    `kind` says which, in words for the history.
    """

    kind: str
    rollouts: Sequence[Rollouts] = ()
    collocation: CollocationTable | None = None


@torch.no_grad()
def validation_error(networks: Networks, held_out: HeldOut, spreads: Spreads, substeps: int) -> float:
    """Mean square error of rollouts in shares of the variance, or the sum of the physics losses on held-out points."""
    if held_out.rollouts:
        errors = torch.cat([rollout_errors(networks, group, substeps) for group in held_out.rollouts])
        return float(bounded(errors / spreads.coordinates).mean())
    assert held_out.collocation is not None
    return float(bounded(torch.stack([*physics_losses(networks, held_out.collocation, spreads).values()]).sum()))


def rollout_errors(networks: Networks, group: Rollouts, substeps: int) -> Tensor:
    """Mean square error (N,) in POD coordinates of each trajectory predicted from its first state."""
    latent = rk4_rollout(
        lambda z: networks.latent_dynamics(z, group.parameters),
        networks.encoder(group.coordinates[0]),
        group.intervals,
        substeps,
    )
    return (networks.decoder(latent) - group.coordinates).square().mean(dim=(0, 2))


def bounded(errors: Tensor) -> Tensor:
    """`errors` in shares of the variance, at most `WORST` and that where they are not finite."""
    return torch.nan_to_num(errors, nan=WORST, posinf=WORST).clamp(max=WORST)
