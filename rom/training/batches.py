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

__all__ = ["CollocationTable", "Rollouts", "SnapshotTable", "Windows"]


@dataclass(frozen=True)
class Rollouts:
    """Whole trajectories with equal times: `intervals` (T-1,), `coordinates` (T, N, r), `parameters` (N, p) or None.

    `forcing` (T-1, 3, N, q), or None, is what drives them at the start, middle and end of each interval.
    """

    intervals: Tensor
    coordinates: Tensor
    parameters: Tensor | None
    forcing: Tensor | None = None

    def __len__(self) -> int:
        return self.coordinates.shape[1]

    def every(self, stride: int) -> Rollouts:
        """Every `stride`-th snapshot; what is left over at the end is dropped, unless it is all there is.

        Not of driven trajectories, whose forcing may be known at every snapshot only.
        """
        assert stride == 1 or self.forcing is None
        count = len(self.intervals) // stride
        if stride == 1 or count == 0:
            return self
        intervals = self.intervals[: count * stride].view(count, stride).sum(dim=1)
        return Rollouts(intervals, self.coordinates[: count * stride + 1 : stride], self.parameters)

    def piece(self, start: int, stop: int) -> Rollouts:
        """From snapshot `start` to snapshot `stop`."""
        forcing = None if self.forcing is None else self.forcing[start:stop]
        return Rollouts(self.intervals[start:stop], self.coordinates[start : stop + 1], self.parameters, forcing)

    def parameters_at_snapshots(self) -> Tensor | None:
        """What h is told at each snapshot: (T, N, p + q), None where that is nothing."""
        parts = []
        if self.parameters is not None:
            parts.append(self.parameters.expand(len(self.coordinates), *self.parameters.shape))
        if self.forcing is not None:
            parts.append(torch.cat([self.forcing[:, 0], self.forcing[-1:, 2]]))
        return torch.cat(parts, dim=-1) if parts else None


@dataclass(frozen=True)
class Windows:
    """A batch of pieces of trajectories: `coordinates` (K+1, B, r), `intervals` (K, B, 1), `parameters` (B, p) or None.

    `forcing` (K, 3, B, q), or None, as in `Rollouts`.
    """

    coordinates: Tensor
    intervals: Tensor
    parameters: Tensor | None
    forcing: Tensor | None = None

    def beside(self, other: Windows) -> Windows:
        """Both batches side by side, as long as the shorter of them; neither is driven."""
        k = min(len(self.intervals), len(other.intervals))
        parameters = None
        if self.parameters is not None and other.parameters is not None:
            parameters = torch.cat([self.parameters, other.parameters])
        return Windows(
            torch.cat([self.coordinates[: k + 1], other.coordinates[: k + 1]], dim=1),
            torch.cat([self.intervals[:k], other.intervals[:k]], dim=1),
            parameters,
        )


@dataclass(frozen=True)
class CollocationTable:
    """Collocation pairs: `coordinates` w~ (M, r), `derivatives` dw~/dt (M, r), `parameters` (M, p + q) or None."""

    coordinates: Tensor
    derivatives: Tensor
    parameters: Tensor | None

    def __len__(self) -> int:
        return len(self.coordinates)

    def joined(self, other: CollocationTable) -> CollocationTable:
        """The pairs of both tables, on the device and in the dtype of this one."""
        parameters = None
        if self.parameters is not None and other.parameters is not None:
            parameters = torch.cat([self.parameters, other.parameters.to(self.parameters)])
        return CollocationTable(
            torch.cat([self.coordinates, other.coordinates.to(self.coordinates)]),
            torch.cat([self.derivatives, other.derivatives.to(self.derivatives)]),
            parameters,
        )

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

    `coordinates` (S, r), `intervals` (S,) to the next snapshot, `parameters` (S, p) or None, `forcing` (S, 3, q) until the
    next one or None, on the device; `first` and `length` (N,) say on the CPU where each trajectory lies. Intervals and not
    times: in float32 a difference of late times has lost the digits of a short interval.
    """

    coordinates: Tensor
    intervals: Tensor
    parameters: Tensor | None
    first: np.ndarray
    length: np.ndarray
    forcing: Tensor | None = None

    @staticmethod
    def of(groups: Sequence[Rollouts]) -> SnapshotTable:
        """The table of `groups` of trajectories."""
        n_times = np.concatenate([np.full(len(g), g.coordinates.shape[0]) for g in groups])
        parameters = [
            g.parameters.repeat_interleave(g.coordinates.shape[0], 0) for g in groups if g.parameters is not None
        ]
        intervals = [torch.cat([g.intervals, g.intervals.new_zeros(1)]).repeat(len(g)) for g in groups]
        # Nothing follows a last snapshot: its row is never used.
        forcing = [
            torch.cat([g.forcing, g.forcing[-1:]]).movedim(2, 0).flatten(0, 1) for g in groups if g.forcing is not None
        ]
        return SnapshotTable(
            coordinates=torch.cat([g.coordinates.transpose(0, 1).flatten(0, 1) for g in groups]),
            intervals=torch.cat(intervals),
            parameters=torch.cat(parameters) if parameters else None,
            first=np.concatenate([[0], np.cumsum(n_times)[:-1]]),
            length=n_times,
            forcing=torch.cat(forcing) if forcing else None,
        )

    def joined(self, other: SnapshotTable) -> SnapshotTable:
        """The trajectories of both tables, without parameters or forcing."""
        return SnapshotTable(
            torch.cat([self.coordinates, other.coordinates]),
            torch.cat([self.intervals, other.intervals]),
            None,
            np.concatenate([self.first, len(self.coordinates) + other.first]),
            np.concatenate([self.length, other.length]),
        )

    @property
    def longest_window(self) -> int:
        """Intervals of the shortest trajectory: windows of one batch have one length."""
        return int(self.length.min()) - 1

    def draw(self, size: int, n_intervals: int, generator: torch.Generator, stride: int = 1) -> Windows:
        """`size` windows of `n_intervals`, each of `stride` intervals between snapshots.

        Uniform over trajectories and over their possible starts.
        """
        chosen = torch.randint(len(self.first), (size,), generator=generator).numpy()
        room = self.length[chosen] - n_intervals * stride  # possible starts
        offset = np.floor(torch.rand(size, generator=generator, dtype=torch.float64).numpy() * room).astype(int)
        every = torch.from_numpy(np.arange(n_intervals * stride + 1)[:, None] + (self.first[chosen] + offset)[None, :])
        every = every.to(self.coordinates.device)
        rows = every[::stride]
        intervals = self.intervals.index_select(0, every[:-1].flatten()).view(n_intervals, stride, size, 1)
        forcing = None
        if self.forcing is not None:
            forcing = self.forcing.index_select(0, every[:-1].flatten()).view(n_intervals, size, 3, -1).movedim(2, 1)
        return Windows(
            coordinates=self.coordinates.index_select(0, rows.flatten()).view(n_intervals + 1, size, -1),
            intervals=intervals.sum(dim=1),
            parameters=None if self.parameters is None else self.parameters.index_select(0, rows[0]),
            forcing=forcing,
        )
