"""Validation of models with latent dynamics: their errors on data that training does not use.

These errors choose the latent dimension, the ridge parameter and the best state of a training.
"""

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
    """Data kept for validation.

    Attributes
    ----------
    kind : str
        The data that decide, in words, for the history.
    rollouts : sequence of Rollouts
        Whole trajectories, or segments of them; empty if there are none.
    collocation : CollocationTable or None
        Collocation pairs; None if there are none.
    """

    kind: str
    rollouts: Sequence[Rollouts] = ()
    collocation: CollocationTable | None = None


def into_segments(held_out: HeldOut, stride: int = 1) -> HeldOut:
    """Return held-out data with trajectories cut into segments of at most `LONGEST_ROLLOUT` intervals.

    Segments of a trajectory have equal lengths. Those with equal intervals become trajectories of one group, which are
    rolled out together. Less than one interval for each segment may be left over at the end.

    Parameters
    ----------
    held_out : HeldOut
        Data with whole trajectories.
    stride : int
        Only every so many snapshots are kept.
    """
    segments: list[Rollouts] = []
    for group in held_out.rollouts:
        thinned = group.every(stride)
        count = -(-len(thinned.intervals) // LONGEST_ROLLOUT)
        length = len(thinned.intervals) // count
        segments.extend(side_by_side([thinned.piece(k * length, (k + 1) * length) for k in range(count)]))
    return replace(held_out, rollouts=segments)


def side_by_side(segments: list[Rollouts]) -> list[Rollouts]:
    """Return segments of equally many trajectories as one group, if their intervals agree."""
    first = segments[0]
    if not all(torch.allclose(segment.intervals, first.intervals, rtol=1e-6, atol=0.0) for segment in segments):
        return segments
    together = Rollouts(
        first.intervals,
        torch.cat([segment.coordinates for segment in segments], dim=1),
        first.parameters.repeat(len(segments), 1),
        torch.cat([segment.forcing for segment in segments], dim=2),
    )
    return [together]


@torch.no_grad()
def validate(networks: Networks, held_out: HeldOut, scales: LossScales, substeps: int) -> ForecastScore:
    """Return the errors of rollouts from the first held-out states, and of the physics at held-out points.

    Parameters
    ----------
    networks : Networks
        Encoder, latent dynamics and decoder.
    held_out : HeldOut
        The data to validate on.
    scales : LossScales
        Constants that errors are divided by.
    substeps : int
        Number of Runge-Kutta steps for each interval between snapshots.
    """
    physics = 1.0
    if held_out.collocation is not None:
        losses = torch.stack([*physics_losses(networks, held_out.collocation, scales).values()])
        physics = float(bounded(losses.sum()))
    if not held_out.rollouts:
        return ForecastScore(error=physics, typical=1.0, physics=physics, median=math.sqrt(physics))
    errors = torch.cat([rollout_errors(networks, group, substeps) for group in held_out.rollouts])
    shares = bounded(errors / scales.coordinates)
    relative = shares.sqrt()
    return ForecastScore(float(shares.mean()), float(relative.mean()), physics, float(relative.median()))


def rollout_errors(networks: Networks, group: Rollouts, substeps: int) -> Tensor:
    """Return the mean square error ``(N,)``, in POD coordinates, of each trajectory predicted from its first state."""
    latent = rk4_rollout(
        networks.latent_dynamics.as_function(group.parameters),
        networks.encoder(group.coordinates[0]),
        group.intervals,
        group.forcing,
        substeps,
    )
    return (networks.decoder(latent) - group.coordinates).square().mean(dim=(0, 2))
