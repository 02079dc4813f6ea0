"""The POD of a fit: which states it is computed from, in which units, and how much of f it leaves out."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch

from rom.config import FitConfig
from rom.data import lazy as blocks
from rom.data.layout import Layout
from rom.data.trajectories import Collocation, Trajectories
from rom.reduction.pod import MAX_SNAPSHOTS, Projection, fit_projection
from rom.reduction.streaming_pod import streamed_projection

__all__ = [
    "Snapshots",
    "in_parts",
    "passing_snapshots",
    "pod_in_one_pass",
    "pod_of_sample",
    "warn_of_lost_rates",
    "warn_of_lost_share",
]

log = logging.getLogger("rom")

LOST_RATES = 0.1  # share of the mean square of f outside of the POD basis from which a warning is given


@dataclass(frozen=True)
class Snapshots:
    """The states that a POD is computed from.

    Attributes
    ----------
    trajectories : sequence of Trajectories
        All their states are used.
    pairs : Collocation or None
        Collocation pairs, of which the states at `rows` are used.
    rows : numpy.ndarray
        Indices ``(m,)``.
    layout : Layout
        Labels of a state.
    """

    trajectories: Sequence[Trajectories]
    pairs: Collocation | None
    rows: np.ndarray
    layout: Layout


def pod_of_sample(snapshots: Snapshots, config: FitConfig, min_rank: int, rng: np.random.Generator) -> Projection:
    """Compute the POD of snapshots that are read into memory, in units of their fields."""
    unit = field_units(snapshots)
    sample = sample_of(snapshots, rng)
    sample = sample if unit is None else sample / unit
    projection = fit_projection(sample, config.energy_tolerance, min_rank, config.max_rank)
    return projection if unit is None else projection.of_units(unit)


def pod_in_one_pass(snapshots: Snapshots, config: FitConfig, min_rank: int) -> tuple[Projection, np.ndarray]:
    """Compute the POD of snapshots block by block, and their standard deviations ``(r,)`` along its basis."""
    unit = field_units(snapshots)
    parts = in_parts(snapshots.pairs, snapshots.rows, large=True)
    states = chain(passing_snapshots(snapshots.trajectories), (part.states for part in parts))
    if unit is not None:
        states = (some / unit for some in states)
    tolerance, max_rank = config.energy_tolerance, config.max_rank
    projection, deviations = streamed_projection(
        states, snapshots.layout.n_states, tolerance, min_rank, max_rank, blocks.BLOCK_BYTES
    )
    return projection if unit is None else projection.of_units(unit), deviations


def passing_snapshots(groups: Sequence[Trajectories]) -> Iterator[np.ndarray]:
    """Iterate over all states of the trajectories in blocks ``(m, n)``."""
    for group in groups:
        for _, _, states in group.blocks():
            yield states.reshape(-1, states.shape[2])


def in_parts(pairs: Collocation | None, rows: np.ndarray, large: bool) -> Iterator[Collocation]:
    """Iterate over the pairs at `rows`: in blocks if the set is `large`, to avoid a second copy, else all at once."""
    if pairs is None or len(rows) == 0:
        return
    size = max(1, blocks.BLOCK_BYTES // (8 * pairs.states.shape[1])) if large else len(rows)
    for k in range(0, len(rows), size):
        yield pairs.select(rows[k : k + size])


def sample_of(snapshots: Snapshots, rng: np.random.Generator) -> np.ndarray:
    """Return states ``(N, n)`` for the POD: all of them if they are few, else a random part of each kind."""
    groups, n_states = snapshots.trajectories, snapshots.layout.n_states
    total = sum(len(g) * len(g.times) for g in groups) + len(snapshots.rows)
    # The eigenproblem has the smaller of both sizes. If that is n, further snapshots are cheap.
    limit = max(MAX_SNAPSHOTS, 16 * n_states) if n_states <= MAX_SNAPSHOTS else MAX_SNAPSHOTS
    share = min(1.0, limit / total)
    parts = in_parts(snapshots.pairs, snapshots.rows, large=False)
    states = chain(passing_snapshots(groups), (part.states for part in parts))
    return np.concatenate([some if share == 1.0 else some[rng.random(len(some)) < share] for some in states])


def field_units(snapshots: Snapshots) -> np.ndarray | None:
    """Return the unit ``(n,)`` of each component; None for a state of one field.

    The unit is the standard deviation of the field, or of all fields with the same stated units. With one unit for all,
    the fields with the largest numbers would decide what the POD keeps. The deviation is that of the first block of the
    trajectories, or of the points if there are no trajectories.
    """
    layout, pairs = snapshots.layout, snapshots.pairs
    if len(layout.field_groups) < 2:
        return None
    sample = next(chain(passing_snapshots(snapshots.trajectories), () if pairs is None else (pairs.states,)))
    unit = np.empty(layout.n_states)
    for group in layout.field_groups:
        spreads = [sample[:, part].var(axis=0) for part in group]
        deviation = np.sqrt(np.concatenate(spreads).mean())
        for part in group:
            unit[part] = deviation if deviation > 0 else 1.0
    return unit


def warn_of_lost_rates(projection: Projection, pairs: Collocation) -> None:
    """Warn if f points out of the POD space: physics losses in POD coordinates do not see that part, and look perfect."""
    rates = torch.from_numpy(pairs.time_derivatives[:MAX_SNAPSHOTS])
    warn_of_lost_share(*projection.share_kept(rates))


def warn_of_lost_share(kept: float, whole: float) -> None:
    """Warn if the squares of f inside of the POD space, `kept`, are much less than all of them, `whole`."""
    lost = 1.0 - kept / whole if whole > 0.0 else 0.0
    if lost > LOST_RATES:
        log.warning(
            "collocation: %.0f %% of f (of its mean square) points out of the space that the states span, so forecasts cannot "
            "follow the flow; add states along flows or trajectories, or raise FitConfig.max_rank", 100 * lost
        )  # fmt: skip
