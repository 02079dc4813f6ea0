"""How good a model is on held-out data: the numbers that select dimension, ridge and best state."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from rom.dynamics.runge_kutta import rk4_rollout
from rom.networks.encoder_decoder import Networks
from rom.training.batches import CollocationTable, Rollouts
from rom.training.losses import LossScales, bounded, physics_losses
from rom.training.score import ForecastScore

__all__ = ["HeldOut", "into_segments", "validate"]

LONGEST_ROLLOUT = 200  # intervals of a validation rollout: a chaotic system forgets its start


@dataclass(frozen=True)
class HeldOut:
    """Data kept for validation: whole trajectories, collocation points, or both. `kind` says which decide, for the history."""

    kind: str
    rollouts: Sequence[Rollouts] = ()
    collocation: CollocationTable | None = None


def into_segments(held_out: HeldOut, stride: int = 1) -> HeldOut:
    """Every `stride`-th snapshot of the trajectories, in pieces of equal length of at most `LONGEST_ROLLOUT` intervals.

    Pieces with equal intervals lie side by side, as trajectories that are rolled out together. Less than one interval for
    each piece may be left over at the end.
    """
    pieces = []
    for group in held_out.rollouts:
        thinned = group.every(stride)
        count = -(-len(thinned.intervals) // LONGEST_ROLLOUT)
        length = len(thinned.intervals) // count
        pieces.extend(side_by_side([thinned.piece(k * length, (k + 1) * length) for k in range(count)]))
    return replace(held_out, rollouts=pieces)


def side_by_side(pieces: list[Rollouts]) -> list[Rollouts]:
    """`pieces` of equally many trajectories as one group, if their intervals agree."""
    first = pieces[0]
    if not all(torch.allclose(piece.intervals, first.intervals, rtol=1e-6, atol=0.0) for piece in pieces):
        return pieces
    together = Rollouts(
        first.intervals,
        torch.cat([piece.coordinates for piece in pieces], dim=1),
        first.parameters.repeat(len(pieces), 1),
        torch.cat([piece.forcing for piece in pieces], dim=2),
    )
    return [together]


@torch.no_grad()
def validate(networks: Networks, held_out: HeldOut, spreads: LossScales, substeps: int) -> ForecastScore:
    """Errors of rollouts from the first states of the held-out trajectories, and of the physics at held-out points."""
    physics = 1.0
    if held_out.collocation is not None:
        losses = torch.stack([*physics_losses(networks, held_out.collocation, spreads).values()])
        physics = float(bounded(losses.sum()))
    if not held_out.rollouts:
        return ForecastScore(error=physics, typical=1.0, physics=physics, median=math.sqrt(physics))
    errors = torch.cat([rollout_errors(networks, group, substeps) for group in held_out.rollouts])
    shares = bounded(errors / spreads.coordinates)
    relative = shares.sqrt()
    return ForecastScore(float(shares.mean()), float(relative.mean()), physics, float(relative.median()))


def rollout_errors(networks: Networks, group: Rollouts, substeps: int) -> Tensor:
    """Mean square error (N,) in POD coordinates of each trajectory predicted from its first state."""
    latent = rk4_rollout(
        networks.latent_dynamics.as_function(group.parameters),
        networks.encoder(group.coordinates[0]),
        group.intervals,
        group.forcing,
        substeps,
    )
    return (networks.decoder(latent) - group.coordinates).square().mean(dim=(0, 2))
