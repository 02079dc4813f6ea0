"""How good a model is on held-out data: the numbers that select dimension, ridge and best state."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from rom.architecture import Networks
from rom.batches import CollocationTable, Rollouts
from rom.integrators import rk4_rollout
from rom.losses import Spreads, physics_losses

__all__ = ["HeldOut", "Validation", "stretches", "validate"]

LONGEST_ROLLOUT = 200  # intervals of a validation rollout: a chaotic system forgets its start

WORST = 1e3  # shares of the variance charged for a rollout that is not finite: worse than any useful model


@dataclass(frozen=True)
class HeldOut:
    """Data kept for validation: whole trajectories, collocation points, or both. `kind` says which decide, for the history."""

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


@dataclass(frozen=True)
class Validation:
    """What held-out data say of a model.

    error: mean square error of rollouts in shares of the variance, or, without trajectories, the sum of the physics losses.
    score: what the best state of a training is chosen by, the mean over trajectories of the relative error (the root of
        the share of the variance) times the root of the sum of the physics losses. The mean square itself would follow the
        few trajectories that no model forecasts, such as those beside a separatrix; and trajectories know nothing of
        regions where there are points alone.
    """

    error: float
    score: float


@torch.no_grad()
def validate(networks: Networks, held_out: HeldOut, spreads: Spreads, substeps: int) -> Validation:
    """Errors of rollouts from the first states of the held-out trajectories, and of the physics at held-out points."""
    shares = []
    if held_out.rollouts:
        errors = torch.cat([rollout_errors(networks, group, substeps) for group in held_out.rollouts])
        shares.append(bounded(errors / spreads.coordinates))
    if held_out.collocation is not None:
        losses = torch.stack([*physics_losses(networks, held_out.collocation, spreads).values()])
        shares.append(bounded(losses.sum()))
    return Validation(error=float(shares[0].mean()), score=math.prod(float(share.sqrt().mean()) for share in shares))


def rollout_errors(networks: Networks, group: Rollouts, substeps: int) -> Tensor:
    """Mean square error (N,) in POD coordinates of each trajectory predicted from its first state."""
    latent = rk4_rollout(
        networks.latent_dynamics.merged(group.parameters),
        networks.encoder(group.coordinates[0]),
        group.intervals,
        substeps,
    )
    return (networks.decoder(latent) - group.coordinates).square().mean(dim=(0, 2))


def bounded(errors: Tensor) -> Tensor:
    """`errors` in shares of the variance, at most `WORST` and that where they are not finite."""
    return torch.nan_to_num(errors, nan=WORST, posinf=WORST).clamp(max=WORST)
