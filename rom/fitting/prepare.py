"""From data to tensors: project, scale, and say what is held out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from rom.config import FitConfig
from rom.data.layout import Layout
from rom.data.lazy import Block, is_large
from rom.data.split import split_points
from rom.data.trajectories import Collocation, Trajectories
from rom.dynamics.forcing import forcing_on_intervals
from rom.fitting.collect import FitData
from rom.fitting.evaluate_rhs import StreamingRhsSampler
from rom.fitting.scaling import input_scaling, loss_scales, natural_time
from rom.fitting.snapshots import (
    Snapshots,
    in_parts,
    pod_in_one_pass,
    pod_of_sample,
    warn_of_lost_rates,
    warn_of_lost_share,
)
from rom.fitting.time_derivatives import derivatives_along, difference_quotients, smooth_states
from rom.models.input_scaling import InputScaling
from rom.reduction.pod import MAX_SNAPSHOTS, Projection
from rom.training.batches import CollocationTable, Rollouts
from rom.training.losses import LossScales
from rom.training.validation import HeldOut
from rom.utils.errors import RomValueError
from rom.utils.random import FitStream, random_stream

__all__ = ["Prepared", "prepare"]

FEWEST_POINTS = 3  # collocation points if there are no trajectories: they must have a spread


@dataclass(frozen=True)
class Prepared:
    """Training and held-out data in POD coordinates and scaled time, float64 on the CPU.

    Time is divided by `time_scale`, and derivatives are multiplied by it, so that h is of order one in any unit of time.
    Parameters, and after them inputs and time, are shifted by their mean and divided by their spread.

    Attributes
    ----------
    projection : Projection
        The POD, of rank r.
    time_scale : float
        Natural time of the data, in their unit of time.
    input_scaling : InputScaling
        Scaling of parameters, inputs and time.
    training : list of Rollouts
        Training trajectories.
    collocation : CollocationTable or None
        Collocation pairs at which f was evaluated.
    spline_points : CollocationTable or None
        States of the trajectories with derivatives of a spline, if f was not evaluated there.
    held_out : HeldOut
        Data for validation.
    loss_scales : LossScales
        Constants by which the losses are divided.
    rhs_known_on_trajectories : bool
        Whether `collocation` holds states of the training trajectories.
    n_streamed : int
        Number of points at which f was evaluated while the trajectories were projected.
    large : bool
        Whether the states were read in blocks. Later steps then work in blocks as well.
    seconds : float
        Time that preparing the data took. What follows the training takes about half as long.
    """

    projection: Projection
    time_scale: float
    input_scaling: InputScaling
    training: list[Rollouts]
    collocation: CollocationTable | None
    spline_points: CollocationTable | None
    held_out: HeldOut
    loss_scales: LossScales
    rhs_known_on_trajectories: bool
    n_streamed: int = 0
    large: bool = False
    seconds: float = 0.0

    def physics_points(self) -> CollocationTable | None:
        """Return the points of the physics losses: those where f was evaluated, and those of splines."""
        if self.collocation is None or self.spline_points is None:
            return self.collocation
        return self.collocation.joined(self.spline_points)

    def states(self) -> Tensor:
        """Return the POD coordinates ``(N, r)`` of all training states of both kinds."""
        parts = [group.coordinates.flatten(0, 1) for group in self.training]
        return torch.cat(parts + ([self.collocation.coordinates] if self.collocation is not None else []))

    def states_and_parameters(self) -> tuple[Tensor, Tensor]:
        """Return all training states ``(N, r)``, and their parameters ``(N, p + q)``."""
        parts = [group.parameters_at_snapshots().flatten(0, 1) for group in self.training]
        parts += [self.collocation.parameters] if self.collocation is not None else []
        return self.states(), torch.cat(parts)

    def rates(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return states, time derivatives and parameters for operator inference.

        Derivatives along trajectories are those of a spline through the snapshots, unless f was evaluated there. Along
        trajectories with inputs they are difference quotients, at states in the middle of the intervals.

        Returns
        -------
        states, derivatives : torch.Tensor
            Shape ``(N, r)``.
        parameters : torch.Tensor
            Shape ``(N, p + q)``.
        """
        parts = []
        if self.collocation is not None:
            c = self.collocation
            parts.append((c.coordinates, c.derivatives, c.parameters))
        for group in [] if self.rhs_known_on_trajectories else self.training:
            if group.is_driven:
                parts.append(difference_quotients(group))
                continue
            columns = (group.coordinates, derivatives_along(group), group.parameters_at_snapshots())
            parts.append(tuple(column.flatten(0, 1) for column in columns))
        states, derivatives, parameters = (torch.cat(p) for p in zip(*parts, strict=True))
        return states, derivatives, parameters


def prepare(data: FitData, config: FitConfig, min_rank: int) -> Prepared:
    """Project the data of a fit onto POD coordinates and scale time, parameters and inputs.

    Large sets are read block by block, twice: for the POD, and to be projected. Smaller ones are read into memory for
    the POD.

    Parameters
    ----------
    data : FitData
        Trajectories and collocation pairs.
    config : FitConfig
        Its `energy_tolerance` and `max_rank` choose the number of POD coordinates.
    min_rank : int
        Least number of POD coordinates, as many as there are latent ones.

    Returns
    -------
    Prepared
        Training and held-out data as tensors.

    Raises
    ------
    RomValueError
        If there are no trajectories and too few collocation points.
    """
    started = time.monotonic()
    kept, pairs = data.split.training, data.collocation
    if not kept and pairs is not None and len(pairs) < FEWEST_POINTS:
        raise RomValueError(
            f"collocation has {len(pairs)} points and there are no trajectories; a fit needs at least {FEWEST_POINTS}"
        )
    rng = random_stream(data.split.seed, FitStream.HELD_OUT_POINTS)
    has_held = bool(data.split.held_out)
    rows, held_rows = split_points(0 if pairs is None else len(pairs), has_held, rng)
    large = is_large(kept, 0 if pairs is None else pairs.states.size)
    snapshots, sampler = Snapshots(kept, pairs, rows, data.layout), None
    if large:
        projection, deviations = pod_in_one_pass(snapshots, config, min_rank)
        if data.rhs_request is not None:
            sampler = StreamingRhsSampler(data.rhs_request, kept, projection, deviations)
    else:
        projection = pod_of_sample(snapshots, config, min_rank, rng)
    if pairs is not None:
        warn_of_lost_rates(projection, next(in_parts(pairs, rows[:MAX_SNAPSHOTS], large)))
    # Every state is projected once. The natural time is known only after that.
    projector = Projector(projection, input_scaling(data), data.layout)
    training = projector.project_groups(kept, sampler)
    collocation, held_points = (projector.project_pairs(in_parts(pairs, k, large)) for k in (rows, held_rows))
    if sampler is not None:
        further = projector.streamed_points(sampler)
        chosen, held_chosen = split_points(len(further), has_held, rng)
        collocation, held_points = with_rows(collocation, further, chosen), with_rows(held_points, further, held_chosen)
    time_scale = natural_time(training, collocation)
    training = in_time(training, time_scale)
    held_groups = in_time(projector.project_groups(data.split.held_out), time_scale)
    collocation, held_points = (per_time(table, time_scale) for table in (collocation, held_points))
    exact = data.n_trajectory_points > 0 or sampler is not None
    return Prepared(
        projection=projection,
        time_scale=time_scale,
        input_scaling=projector.scaling,
        training=training,
        collocation=collocation,
        spline_points=None if collocation is None or exact else smooth_states(training, collocation, rng),
        held_out=validation_data(training, collocation, held_groups, held_points),
        loss_scales=loss_scales(training, collocation),
        rhs_known_on_trajectories=exact,
        n_streamed=0 if sampler is None else len(sampler),
        large=large,
        seconds=time.monotonic() - started,
    )


def validation_data(
    training: list[Rollouts],
    collocation: CollocationTable | None,
    held_groups: list[Rollouts],
    held_points: CollocationTable | None,
) -> HeldOut:
    """Return what was held out, trajectories if there are some; otherwise the training data."""
    if held_groups:
        return HeldOut("held-out trajectories", held_groups, held_points)
    if held_points is not None:
        return HeldOut("held-out collocation points", collocation=held_points)
    if training:
        return HeldOut("the training trajectories", training)
    return HeldOut("the training collocation points", collocation=collocation)


@dataclass(frozen=True)
class Projector:
    """Projects states onto POD coordinates, and scales parameters and inputs. Times keep their unit."""

    projection: Projection
    scaling: InputScaling
    layout: Layout

    def project_groups(
        self, groups: Sequence[Trajectories], sampler: StreamingRhsSampler | None = None
    ) -> list[Rollouts]:
        """Project all trajectories; the sampler evaluates f at some of their states on the way."""
        rollouts, first = [], 0
        for group in groups:
            visit = None if sampler is None else partial(sampler.visit, group, first)
            rollouts.append(self.project_group(group, visit))
            first += len(group) * len(group.times)
        return rollouts

    def project_group(self, group: Trajectories, visit: Callable[[Block], None] | None = None) -> Rollouts:
        """Project the states of a group block by block, and call `visit` with each block."""
        coordinates = torch.empty(len(group.times), len(group), self.projection.rank, dtype=torch.float64)
        for block in group.blocks():
            chosen, within, states = block
            coordinates[within, chosen] = self.projection.project(torch.from_numpy(states)).transpose(0, 1)
            if visit is not None:
                visit(block)
        return Rollouts(
            intervals=torch.from_numpy(np.diff(group.times)),
            coordinates=coordinates,
            parameters=self.scaling.parameters(group.parameters),
            forcing=self.scaling.forcing(forcing_on_intervals(group.times, group.inputs, self.layout)),
        )

    def project_pairs(self, parts: Iterable[Collocation]) -> CollocationTable | None:
        """Project collocation pairs that come in parts; None if there are none."""
        tables = [
            CollocationTable(
                coordinates=self.projection.project(torch.from_numpy(part.states)),
                derivatives=self.projection.project_derivative(torch.from_numpy(part.time_derivatives)),
                parameters=self.scaling.points(part.parameters, part.inputs, part.times),
            )
            for part in parts
        ]
        return concatenated(tables) if tables else None

    def streamed_points(self, sampler: StreamingRhsSampler) -> CollocationTable:
        """Return the points that the sampler evaluated, and warn if f points out of the POD space."""
        coordinates, derivatives, own = sampler.collected()
        warn_of_lost_share(sampler.kept_squares, sampler.squares)
        return CollocationTable(coordinates, derivatives, self.scaling.points(*own))


def in_time(groups: Sequence[Rollouts], time_scale: float) -> list[Rollouts]:
    """Return trajectories with time in units of `time_scale`."""
    return [replace(group, intervals=group.intervals / time_scale) for group in groups]


def per_time(table: CollocationTable | None, time_scale: float) -> CollocationTable | None:
    """Return points with derivatives per `time_scale`."""
    return None if table is None else replace(table, derivatives=table.derivatives * time_scale)


def with_rows(table: CollocationTable | None, further: CollocationTable, rows: np.ndarray) -> CollocationTable | None:
    """Return `table` with these rows of a further one added."""
    if len(rows) == 0:
        return table
    chosen = further.select(torch.from_numpy(rows))
    return chosen if table is None else table.joined(chosen)


def concatenated(tables: Sequence[CollocationTable]) -> CollocationTable:
    """One table with the rows of all `tables`."""
    return CollocationTable(
        torch.cat([t.coordinates for t in tables]),
        torch.cat([t.derivatives for t in tables]),
        torch.cat([t.parameters for t in tables]),
    )
