"""Training data on the device, in POD coordinates and in units of the model's time scale, and batches drawn from them.

Everything is one table per kind, read with `index_select`: no copies of windows are stored. Indices come from a CPU
generator that is seeded by (seed, step), so that a resumed training sees the batches of an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

__all__ = ["CollocationTable", "Rollouts", "SnapshotTable", "Windows", "step_generator"]


@dataclass(frozen=True)
class Rollouts:
    """Whole trajectories with equal times: `intervals` (T-1,), `coordinates` (T, N, r), `parameters` (N, p) or None."""

    intervals: Tensor
    coordinates: Tensor
    parameters: Tensor | None

    def __len__(self) -> int:
        return self.coordinates.shape[1]


@dataclass(frozen=True)
class Windows:
    """A batch of pieces of trajectories: `coordinates` (K+1, B, r), `intervals` (K, B, 1), `parameters` (B, p) or None."""

    coordinates: Tensor
    intervals: Tensor
    parameters: Tensor | None


@dataclass(frozen=True)
class CollocationTable:
    """Collocation pairs: `coordinates` w~ (M, r), `derivatives` dw~/dt (M, r), `parameters` (M, p) or None."""

    coordinates: Tensor
    derivatives: Tensor
    parameters: Tensor | None

    def __len__(self) -> int:
        return len(self.coordinates)

    def draw(self, size: int, generator: torch.Generator) -> CollocationTable:
        """A batch of at most `size` pairs, drawn with replacement; all of them where there are no more than that."""
        if len(self) <= size:
            return self
        return self.select(torch.randint(len(self), (size,), generator=generator))

    def select(self, indices: Tensor) -> CollocationTable:
        """The pairs at `indices` (B,)."""
        indices = indices.to(self.coordinates.device)
        return CollocationTable(
            self.coordinates.index_select(0, indices),
            self.derivatives.index_select(0, indices),
            None if self.parameters is None else self.parameters.index_select(0, indices),
        )


@dataclass(frozen=True)
class SnapshotTable:
    """All snapshots of all training trajectories, one after the other.

    `coordinates` (S, r), `intervals` (S,) to the next snapshot, `parameters` (S, p) or None, on the device; `first` and
    `length` (N,) say on the CPU where each trajectory lies. Intervals and not times: in float32 a difference of late
    times has lost the digits of a short interval.
    """

    coordinates: Tensor
    intervals: Tensor
    parameters: Tensor | None
    first: np.ndarray
    length: np.ndarray

    @staticmethod
    def of(groups: Sequence[Rollouts]) -> SnapshotTable:
        """The table of `groups` of trajectories."""
        n_times = np.concatenate([np.full(len(g), g.coordinates.shape[0]) for g in groups])
        parameters = [
            g.parameters.repeat_interleave(g.coordinates.shape[0], 0) for g in groups if g.parameters is not None
        ]
        intervals = [torch.cat([g.intervals, g.intervals.new_zeros(1)]).repeat(len(g)) for g in groups]
        return SnapshotTable(
            coordinates=torch.cat([g.coordinates.transpose(0, 1).flatten(0, 1) for g in groups]),
            intervals=torch.cat(intervals),
            parameters=torch.cat(parameters) if parameters else None,
            first=np.concatenate([[0], np.cumsum(n_times)[:-1]]),
            length=n_times,
        )

    @property
    def longest_window(self) -> int:
        """Intervals of the shortest trajectory: windows of one batch have one length."""
        return int(self.length.min()) - 1

    def draw(self, size: int, n_intervals: int, generator: torch.Generator) -> Windows:
        """`size` windows of `n_intervals`, uniform over trajectories and over their possible starts."""
        chosen = torch.randint(len(self.first), (size,), generator=generator).numpy()
        room = self.length[chosen] - n_intervals  # possible starts
        offset = np.floor(torch.rand(size, generator=generator, dtype=torch.float64).numpy() * room).astype(int)
        rows = torch.from_numpy(np.arange(n_intervals + 1)[:, None] + (self.first[chosen] + offset)[None, :])
        rows = rows.to(self.coordinates.device)
        flat = rows.flatten()
        intervals = self.intervals.index_select(0, rows[:-1].flatten())
        return Windows(
            coordinates=self.coordinates.index_select(0, flat).view(n_intervals + 1, size, -1),
            intervals=intervals.view(n_intervals, size, 1),
            parameters=None if self.parameters is None else self.parameters.index_select(0, rows[0]),
        )


def step_generator(seed: int, step: int) -> torch.Generator:
    """The CPU generator of one training step."""
    mixed = np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(mixed >> np.uint64(1)))
