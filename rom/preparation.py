"""From data to tensors: project, scale, and say what is held out."""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

import numpy as np
import torch
from torch import Tensor

from rom import blocks
from rom.batches import CollocationTable, Rollouts
from rom.blocks import Block, is_large
from rom.config import FitConfig
from rom.data import Collocation, Trajectories
from rom.errors import RomValueError
from rom.forcing import forcing_between, point_forcing
from rom.gathering import Material
from rom.layout import Layout
from rom.losses import Spreads
from rom.pod import streamed_projection
from rom.points import PassingPoints
from rom.projection import MAX_SNAPSHOTS, Projection, fit_projection
from rom.splines import FEWEST_SNAPSHOTS, spline_derivatives, trusted_derivatives
from rom.split import HELD_OUT_SHARE
from rom.validation import HeldOut

__all__ = ["Prepared", "prepare"]

log = logging.getLogger("rom")

FEWEST_HELD_OUT, MOST_HELD_OUT = 8, 4096  # of the points: fewer have no variance to compare with
LOST_RATES = 0.1  # share of the mean square of f outside of the POD basis that is worth a warning
ALIKE = 10.0  # ratio of the speeds along trajectories and at points nearby, beyond which splines are not believed
FEW, MANY = 256, 4096  # states and points between which neighbours are looked for
FEWEST_POINTS = 3  # of collocation, where there are no trajectories: they must have a spread


@dataclass(frozen=True)
class Prepared:
    """Training and held-out data in POD coordinates and scaled time, float64 on the CPU.

    Time is divided by `time_scale` and derivatives multiplied by it, so that h is of order one for networks whatever the
    unit of time. Parameters, and after them what drives the trajectories, are shifted and divided by their spread.
    """

    projection: Projection
    time_scale: float
    parameter_mean: np.ndarray
    parameter_spread: np.ndarray
    parameter_range: np.ndarray
    training: list[Rollouts]
    collocation: CollocationTable | None
    smooth: CollocationTable | None  # states of the trajectories whose derivative a spline knows, where f was not asked
    held_out: HeldOut
    spreads: Spreads
    exact_along_trajectories: bool  # whether `collocation` holds states of the training trajectories
    n_passing: int = 0  # points at which f was asked while the trajectories were projected
    large: bool = False  # whether the states passed in blocks: what follows then works in blocks as well

    def points(self) -> CollocationTable | None:
        """What the physics is trained on."""
        if self.collocation is None or self.smooth is None:
            return self.collocation
        return self.collocation.joined(self.smooth)

    def states(self) -> Tensor:
        """POD coordinates (N, r) of all training states of both kinds."""
        parts = [group.coordinates.flatten(0, 1) for group in self.training]
        return torch.cat(parts + ([self.collocation.coordinates] if self.collocation is not None else []))

    def rates(self) -> tuple[Tensor, Tensor, Tensor]:
        """States (N, r), their time derivatives (N, r) and parameters (N, p), for operator inference.

        Derivatives along trajectories are those of a spline through the snapshots, unless f was evaluated there.
        """
        parts = []
        if self.collocation is not None:
            c = self.collocation
            parts.append((c.coordinates, c.derivatives, no_parameters(c.parameters, len(c))))
        for group in [] if self.exact_along_trajectories else self.training:
            if group.forcing is not None:
                parts.append(quotients(group, group.forcing))
                continue
            n_times = group.coordinates.shape[0]
            mu = group.parameters_at_snapshots()
            mu = no_parameters(None if mu is None else mu.flatten(0, 1), n_times * len(group))
            parts.append((group.coordinates.flatten(0, 1), derivatives_along(group).flatten(0, 1), mu))
        states, derivatives, parameters = (torch.cat(p) for p in zip(*parts, strict=True))
        return states, derivatives, parameters

    def with_parameters(self) -> tuple[Tensor, Tensor | None]:
        """All training states (N, r), and their parameters (N, p + q) or None."""
        parts = [group.parameters_at_snapshots() for group in self.training]
        parts = [None if part is None else part.flatten(0, 1) for part in parts]
        parts += [self.collocation.parameters] if self.collocation is not None else []
        present = [p for p in parts if p is not None]
        return self.states(), torch.cat(present) if present else None


def prepare(material: Material, config: FitConfig, min_rank: int) -> Prepared:
    """Project and scale the data of a fit.

    Large sets pass by twice: for the POD, and to be projected. Smaller ones are taken into memory for the POD.
    """
    kept, held = material.split.training, material.split.held_out
    rng = np.random.default_rng([material.split.seed, 2])
    pairs = material.collocation
    if not kept and pairs is not None and len(pairs) < FEWEST_POINTS:
        raise RomValueError(
            f"collocation has {len(pairs)} points and there are no trajectories; a fit needs at least {FEWEST_POINTS}"
        )
    rows, held_rows = held_out_rows(0 if pairs is None else len(pairs), bool(held), rng)
    large = is_large(kept, 0 if pairs is None else pairs.states.size)
    tolerance, max_rank = config.energy_tolerance, config.max_rank
    passing = None
    unit = field_units(material.layout, first_states(kept, pairs))
    if large:
        snapshots = chain(
            passing_snapshots(kept), () if pairs is None else (p.states for p in parts(pairs, rows, large))
        )
        if unit is not None:
            snapshots = (states / unit for states in snapshots)
        projection, deviations = streamed_projection(snapshots, material.layout.n_states, tolerance, min_rank, max_rank)
        projection = projection if unit is None else projection.of_units(unit)
        if material.wanted is not None:
            passing = PassingPoints(material.wanted, kept, projection, deviations)
    else:
        chosen = None if pairs is None else pairs.select(rows)
        sample = sample_snapshots(kept, chosen, rng)
        projection = fit_projection(sample if unit is None else sample / unit, tolerance, min_rank, max_rank)
        projection = projection if unit is None else projection.of_units(unit)
    if pairs is not None:
        warn_of_lost_rates(projection, next(parts(pairs, rows[:MAX_SNAPSHOTS], large)))
    scaling, layout = parameter_scaling(material), material.layout

    def rollouts(groups: Sequence[Trajectories], points: PassingPoints | None = None) -> list[Rollouts]:
        firsts = np.cumsum([0, *(len(group) * len(group.times) for group in groups)])
        visits = [
            None if points is None else partial(points.visit, group, first)
            for group, first in zip(groups, firsts, strict=False)
        ]
        return [
            project_trajectories(projection, group, 1.0, scaling, layout, visit)
            for group, visit in zip(groups, visits, strict=True)
        ]

    def table(rows: np.ndarray) -> CollocationTable | None:
        if pairs is None or len(rows) == 0:
            return None
        some = parts(pairs, rows, large)
        return concatenated([project_collocation(projection, part, 1.0, scaling, layout) for part in some])

    # Every state is projected once; only then the unit of time is known.
    training, collocation, held_points = rollouts(kept, passing), table(rows), table(held_rows)
    if passing is not None:
        coordinates, derivatives, own = passing.collected()
        warn_of_lost_share(passing.kept_squares, passing.squares)
        further = CollocationTable(coordinates, derivatives, scaling.of_points(*own, layout))
        chosen, held_chosen = held_out_rows(len(further), bool(held), rng)
        collocation, held_points = with_rows(collocation, further, chosen), with_rows(held_points, further, held_chosen)
    time_scale = natural_time(training, collocation)

    def scaled(groups: Sequence[Rollouts]) -> list[Rollouts]:
        return [replace(group, intervals=group.intervals / time_scale) for group in groups]

    training = scaled(training)
    collocation, held_points = (
        None if t is None else replace(t, derivatives=t.derivatives * time_scale) for t in (collocation, held_points)
    )
    asked = material.n_trajectory_points > 0 or passing is not None
    smooth = None if collocation is None or asked else smooth_states(training, collocation, rng)
    if held:
        held_out = HeldOut("held-out trajectories", scaled(rollouts(held)), held_points)
    elif held_points is not None:
        held_out = HeldOut("held-out collocation points", collocation=held_points)
    elif training:
        held_out = HeldOut("the training trajectories", training)
    else:
        held_out = HeldOut("the training collocation points", collocation=collocation)
    return Prepared(
        projection=projection,
        time_scale=time_scale,
        parameter_mean=scaling.mean,
        parameter_spread=scaling.spread,
        parameter_range=scaling.extremes,
        training=training,
        collocation=collocation,
        smooth=smooth,
        held_out=held_out,
        spreads=measure(training, collocation),
        exact_along_trajectories=asked,
        n_passing=0 if passing is None else len(passing),
        large=large,
    )


def held_out_rows(n: int, held: bool, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Which of `n` points train, and which are held out beside the `held` trajectories, if there are any."""
    if n == 0:
        return np.arange(0), np.arange(0)
    order = rng.permutation(n)
    n_held = min(int(HELD_OUT_SHARE * n), MOST_HELD_OUT)
    if n_held < FEWEST_HELD_OUT:
        n_held = 0 if held or n < 3 * FEWEST_HELD_OUT else FEWEST_HELD_OUT
    return order[n_held:], order[:n_held]


def parts(pairs: Collocation, rows: np.ndarray, large: bool) -> Iterator[Collocation]:
    """The pairs at `rows`, of `large` sets in blocks: the pairs themselves are in memory, and need no second copy."""
    size = max(1, blocks.BLOCK_BYTES // (8 * pairs.states.shape[1])) if large else len(rows)
    for k in range(0, len(rows), size):
        yield pairs.select(rows[k : k + size])


def passing_snapshots(groups: Sequence[Trajectories]) -> Iterator[np.ndarray]:
    """All states of the trajectories, block by block, (m, n) each."""
    for group in groups:
        for _, _, states in group.blocks():
            yield states.reshape(-1, states.shape[2])


def with_rows(table: CollocationTable | None, further: CollocationTable, rows: np.ndarray) -> CollocationTable | None:
    """`table` with these rows of a `further` one."""
    if len(rows) == 0:
        return table
    chosen = further.select(torch.from_numpy(rows))
    return chosen if table is None else table.joined(chosen)


def concatenated(tables: Sequence[CollocationTable]) -> CollocationTable:
    parameters = [t.parameters for t in tables if t.parameters is not None]
    return CollocationTable(
        torch.cat([t.coordinates for t in tables]),
        torch.cat([t.derivatives for t in tables]),
        torch.cat(parameters) if parameters else None,
    )


def first_states(groups: Sequence[Trajectories], pairs: Collocation | None) -> Callable[[], np.ndarray]:
    """Some states (m, n), for a look at their size: a block of the trajectories, or the points."""

    def states() -> np.ndarray:
        if groups:
            return next(passing_snapshots(groups))
        assert pairs is not None
        return pairs.states

    return states


def field_units(layout: Layout, states: Callable[[], np.ndarray]) -> np.ndarray | None:
    """The unit (n,) of each component: the standard deviation of its field, or of all fields with the same stated units.

    What has other units, or none that are stated, has a size of its own: one number for all would let the largest numbers
    decide what the POD keeps. None for a state of one field.
    """
    if len(layout.field_groups) < 2:
        return None
    sample = states()
    unit = np.empty(layout.n_states)
    for group in layout.field_groups:
        spreads = [sample[:, part].var(axis=0) for part in group]
        deviation = np.sqrt(np.concatenate(spreads).mean())
        for part in group:
            unit[part] = deviation if deviation > 0 else 1.0
    return unit


def warn_of_lost_rates(projection: Projection, pairs: Collocation) -> None:
    """Say so where f points out of the space of the states: physics in POD coordinates does not see it, and looks perfect."""
    rates = torch.from_numpy(pairs.time_derivatives[:MAX_SNAPSHOTS])
    warn_of_lost_share(*projection.share_kept(rates))


def warn_of_lost_share(kept: float, whole: float) -> None:
    lost = 1.0 - kept / whole if whole > 0.0 else 0.0
    if lost > LOST_RATES:
        log.warning(
            "collocation: %.0f %% of f (of its mean square) points out of the space that the states span, so the flow leaves it "
            "and forecasts cannot follow; add states along flows or trajectories, or raise FitConfig.max_rank", 100 * lost
        )  # fmt: skip


def sample_snapshots(groups: Sequence[Trajectories], pairs: Collocation | None, rng: np.random.Generator) -> np.ndarray:
    """States (N, n) for the POD, at random from all of both kinds: all of them where they are not many."""
    n_states = pairs.states.shape[1] if pairs is not None else groups[0].states.shape[2]
    total = sum(len(g) * len(g.times) for g in groups) + (len(pairs) if pairs is not None else 0)
    # The eigenproblem has the smaller of the two sizes: where that is n, further snapshots are cheap.
    limit = max(MAX_SNAPSHOTS, 16 * n_states) if n_states <= MAX_SNAPSHOTS else MAX_SNAPSHOTS
    share = min(1.0, limit / total)
    parts = []
    for group in groups:
        for _, _, states in group.blocks():
            flat = states.reshape(-1, n_states)
            parts.append(flat if share == 1.0 else flat[rng.random(len(flat)) < share])
    if pairs is not None:
        parts.append(pairs.states if share == 1.0 else pairs.states[rng.random(len(pairs)) < share])
    return np.concatenate(parts)


@dataclass(frozen=True)
class ParameterScaling:
    """`mean`, `spread` and `extremes` (2, p + q) of the parameters mu (p,) and of the forcing (q,)."""

    mean: np.ndarray
    spread: np.ndarray
    extremes: np.ndarray
    n_parameters: int

    def of_parameters(self, values: np.ndarray) -> Tensor | None:
        """(..., p) scaled, None where p = 0."""
        own = slice(self.n_parameters)
        return torch.from_numpy((values - self.mean[own]) / self.spread[own]) if values.shape[-1] else None

    def of_forcing(self, values: np.ndarray) -> Tensor | None:
        """(..., q) scaled, None where q = 0."""
        own = slice(self.n_parameters, None)
        return torch.from_numpy((values - self.mean[own]) / self.spread[own]) if values.shape[-1] else None

    def of_points(self, parameters: np.ndarray, inputs: np.ndarray, times: np.ndarray, layout: Layout) -> Tensor | None:
        """(M, p + q) of single states with parameters (M, p), inputs (M, m) and times (M,); None where that is nothing."""
        columns = (self.of_parameters(parameters), self.of_forcing(point_forcing(inputs, times, layout)))
        present = [column for column in columns if column is not None]
        return torch.cat(present, dim=1) if present else None


def parameter_scaling(material: Material) -> ParameterScaling:
    """From all data, held-out ones included: these are no states."""
    groups, pairs = (*material.split.training, *material.split.held_out), material.collocation
    parameters = [group.parameters for group in groups]
    forcing = [point_forcing(group.inputs, group.times, material.layout) for group in groups]
    if pairs is not None:
        parameters.append(pairs.parameters)
        forcing.append(point_forcing(pairs.inputs, pairs.times, material.layout))
    columns = (
        np.concatenate(parameters),
        np.concatenate([rows.reshape(math.prod(rows.shape[:-1]), rows.shape[-1]) for rows in forcing]),
    )
    mean, spread, low, high = (
        np.concatenate([getattr(rows, what)(axis=0) for rows in columns]) for what in ("mean", "std", "min", "max")
    )
    return ParameterScaling(mean, np.where(spread > 0, spread, 1.0), np.stack([low, high]), columns[0].shape[1])


def project_trajectories(
    projection: Projection,
    group: Trajectories,
    time_scale: float,
    scaling: ParameterScaling,
    layout: Layout,
    visit: Callable[[Block], None] | None = None,
) -> Rollouts:
    """POD coordinates of all states, block by block; `visit` is shown each block."""
    coordinates = torch.empty(len(group.times), len(group), projection.rank, dtype=torch.float64)
    for block in group.blocks():
        chosen, within, states = block
        coordinates[within, chosen] = projection.project(torch.from_numpy(states)).transpose(0, 1)
        if visit is not None:
            visit(block)
    return Rollouts(
        intervals=torch.from_numpy(np.diff(group.times) / time_scale),
        coordinates=coordinates,
        parameters=scaling.of_parameters(group.parameters),
        forcing=scaling.of_forcing(forcing_between(group.times, group.inputs, layout)),
    )


def project_collocation(
    projection: Projection, pairs: Collocation, time_scale: float, scaling: ParameterScaling, layout: Layout
) -> CollocationTable:
    return CollocationTable(
        coordinates=projection.project(torch.from_numpy(pairs.states)),
        derivatives=projection.project_derivative(torch.from_numpy(pairs.time_derivatives)) * time_scale,
        parameters=scaling.of_points(pairs.parameters, pairs.inputs, pairs.times, layout),
    )


def no_parameters(parameters: Tensor | None, count: int) -> Tensor:
    return torch.zeros(count, 0, dtype=torch.float64) if parameters is None else parameters


def natural_time(training: Sequence[Rollouts], collocation: CollocationTable | None) -> float:
    """The time in which a state changes by its own spread: the ratio of their root mean squares."""
    if collocation is not None:
        states, derivatives = collocation.coordinates, collocation.derivatives
    else:
        states = torch.cat([group.coordinates.flatten(0, 1) for group in training])
        derivatives = torch.cat([derivatives_along(group).flatten(0, 1) for group in training])
    change = float(derivatives.square().mean().sqrt())
    spread = float(states.var(dim=0, unbiased=False).mean().sqrt())
    return spread / change if change > 0 and spread > 0 else 1.0


def smooth_states(
    training: Sequence[Rollouts], collocation: CollocationTable, rng: np.random.Generator
) -> CollocationTable | None:
    """States of the trajectories with derivatives of a spline, where these can be trusted; at most as many as points.

    What moves far more slowly or faster than the points nearby say is left out: snapshots that are nearly a period of an
    oscillation apart make a smooth trajectory that is not there.
    """
    parts = []
    for group in training:
        if len(group.intervals) + 1 < FEWEST_SNAPSHOTS or group.forcing is not None:  # whose bends no spline follows
            continue
        derivatives, agree = map(torch.from_numpy, trusted_derivatives(times_of(group), group.coordinates.numpy()))
        if agree.double().mean() < 0.5:  # of noisy states some agree by chance
            continue
        ratio = speed_over_nearest(group.coordinates[agree], derivatives[agree], collocation)
        if not 1 / ALIKE <= ratio <= ALIKE:
            log.info("no spline through trajectories, which would be %.2g times as fast as the points nearby", ratio)
            continue
        mu = group.parameters_at_snapshots()
        mu = None if mu is None else mu[agree]
        parts.append(CollocationTable(group.coordinates[agree], derivatives[agree], mu))
    if not parts:
        return None
    table = functools.reduce(CollocationTable.joined, parts)
    return table.select(torch.from_numpy(rng.permutation(len(table))[: len(collocation)]))


def speed_over_nearest(states: Tensor, derivatives: Tensor, points: CollocationTable) -> float:
    """The speed of some states (N, r), over that of the collocation points nearest to them."""
    rng = np.random.default_rng(0)
    few, many = (torch.from_numpy(rng.permutation(len(x))[:n]) for x, n in ((states, FEW), (points.coordinates, MANY)))
    nearest = many[torch.cdist(states[few], points.coordinates[many]).argmin(dim=1)]
    speed, there = derivatives[few].square().mean().sqrt(), points.derivatives[nearest].square().mean().sqrt()
    return float(speed / there.clamp(min=1e-30))


def derivatives_along(group: Rollouts) -> Tensor:
    """Time derivatives (T, N, r) along trajectories, by a spline."""
    return torch.from_numpy(spline_derivatives(times_of(group), group.coordinates.numpy()))


def quotients(group: Rollouts, forcing: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """States (M, r) in the middle of intervals, difference quotients (M, r) and parameters (M, p + q) there.

    Of second order however inputs bend or jump at the snapshots, through which a spline would mix what lies on both sides.
    """
    x = group.coordinates
    middle, change = 0.5 * (x[1:] + x[:-1]), (x[1:] - x[:-1]) / group.intervals[:, None, None]
    own = [] if group.parameters is None else [group.parameters.expand(len(middle), *group.parameters.shape)]
    return middle.flatten(0, 1), change.flatten(0, 1), torch.cat([*own, forcing[:, 1]], dim=-1).flatten(0, 1)


def times_of(group: Rollouts) -> np.ndarray:
    return np.concatenate([[0.0], np.cumsum(group.intervals.numpy())])


def measure(training: Sequence[Rollouts], collocation: CollocationTable | None) -> Spreads:
    """The constants by which losses are divided, from all training data."""
    states = [group.coordinates.flatten(0, 1) for group in training]
    derivatives = 1.0
    if collocation is not None:
        states.append(collocation.coordinates)
        derivatives = float(collocation.derivatives.square().mean())
    tiny = float(np.finfo(np.float32).tiny)
    return Spreads(max(float(torch.cat(states).var(dim=0).mean()), tiny), max(derivatives, tiny))
