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
from rom.training.losses import LossScales, physics_losses

__all__ = ["HeldOut", "Validation", "into_segments", "validate"]

LONGEST_ROLLOUT = 200  # intervals of a validation rollout: a chaotic system forgets its start
MUCH_BETTER = 1 / 3  # of the physics losses
WORST = 1e3  # shares of the variance charged for a rollout that is not finite: worse than any useful model


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
    parameters = None if first.parameters is None else first.parameters.repeat(len(pieces), 1)
    forcing = [piece.forcing for piece in pieces if piece.forcing is not None]
    coordinates = torch.cat([piece.coordinates for piece in pieces], dim=1)
    return [Rollouts(first.intervals, coordinates, parameters, torch.cat(forcing, dim=2) if forcing else None)]


@dataclass(frozen=True)
class Validation:
    """What held-out data say of a model.

    error: mean square error of rollouts in shares of the variance, or, without trajectories, `physics`.
    typical: mean over trajectories of the relative error, the root of the share of the variance; 1 without trajectories.
    physics: sum of the physics losses at held-out points; 1 without points.
    median: median over trajectories of the relative error; without trajectories, the root of `physics`.
    """

    error: float
    typical: float
    physics: float
    median: float

    @property
    def useless(self) -> bool:
        """Whether the mean of the data would have served as well."""
        return self.median >= 1.0

    @property
    def score(self) -> float:
        """What the best state of a training is chosen by.

        The mean square itself would follow the few trajectories that no model forecasts, such as those beside a
        separatrix; and trajectories know nothing of regions where there are points alone.
        """
        return self.typical * math.sqrt(self.physics)

    def beats(self, best: Validation, start: Validation) -> bool:
        """Whether a state is better than the `best` so far.

        One that forecasts worse than the closed form of the `start` does not count unless its physics is much better: the
        trajectories may be of another kind than the forecasts to come, but then it is for the points to say so.
        """
        worse_forecasts = self.typical > start.typical and self.physics > MUCH_BETTER * start.physics
        return self.score < best.score and not worse_forecasts


@torch.no_grad()
def validate(networks: Networks, held_out: HeldOut, spreads: LossScales, substeps: int) -> Validation:
    """Errors of rollouts from the first states of the held-out trajectories, and of the physics at held-out points."""
    physics = 1.0
    if held_out.collocation is not None:
        losses = torch.stack([*physics_losses(networks, held_out.collocation, spreads).values()])
        physics = float(bounded(losses.sum()))
    if not held_out.rollouts:
        return Validation(error=physics, typical=1.0, physics=physics, median=math.sqrt(physics))
    errors = torch.cat([rollout_errors(networks, group, substeps) for group in held_out.rollouts])
    shares = bounded(errors / spreads.coordinates)
    relative = shares.sqrt()
    return Validation(float(shares.mean()), float(relative.mean()), physics, float(relative.median()))


def rollout_errors(networks: Networks, group: Rollouts, substeps: int) -> Tensor:
    """Mean square error (N,) in POD coordinates of each trajectory predicted from its first state."""
    latent = rk4_rollout(
        networks.latent_dynamics.merged(group.parameters),
        networks.encoder(group.coordinates[0]),
        group.intervals,
        substeps,
        group.forcing,
    )
    return (networks.decoder(latent) - group.coordinates).square().mean(dim=(0, 2))


def bounded(errors: Tensor) -> Tensor:
    """`errors` in shares of the variance, at most `WORST` and that where they are not finite."""
    return torch.nan_to_num(errors, nan=WORST, posinf=WORST).clamp(max=WORST)
