"""How good a model is on held-out data: the one number that selects dimension, ridge and best state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from rom.architecture import Networks
from rom.batches import CollocationTable, Rollouts
from rom.integrators import rk4_rollout
from rom.losses import Spreads, physics_losses

__all__ = ["HeldOut", "stretches", "validation_error"]

LONGEST_ROLLOUT = 200  # intervals of a validation rollout: a chaotic system forgets its start

WORST = 1e3  # shares of the variance charged for a rollout that is not finite: worse than any useful model


@dataclass(frozen=True)
class HeldOut:
    """Data kept for validation: whole trajectories, or points.

    `kind` says which, in words for the history.
    """

    kind: str
    rollouts: Sequence[Rollouts] = ()
    collocation: CollocationTable | None = None


def stretches(held_out: HeldOut, stride: int = 1) -> HeldOut:
    """Every `stride`-th snapshot of the trajectories, in pieces of at most `LONGEST_ROLLOUT` intervals."""
    pieces = []
    for group in held_out.rollouts:
        thinned = group.every(stride)
        for start in range(0, len(thinned.intervals), LONGEST_ROLLOUT):
            pieces.append(thinned.piece(start, min(start + LONGEST_ROLLOUT, len(thinned.intervals))))
    return replace(held_out, rollouts=pieces)


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
