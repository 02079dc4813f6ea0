"""Training data as tables of tensors, and the batches drawn from them.

All data are in POD coordinates, in units of the model's time scale, on the device of the training. A batch is read from
a table with `index_select`; no copies of windows are stored. Row indices come from a generator on the CPU that is seeded
by (seed, step), so a resumed training sees the batches of an uninterrupted one.

Parameters and forcing are arrays whose last axis has length zero if there are none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["CollocationTable", "Rollouts", "SnapshotTable", "Windows"]


@dataclass(frozen=True)
class Rollouts:
    """Trajectories with equal times.

    Attributes
    ----------
    intervals : torch.Tensor, shape (T - 1,)
        Time between consecutive snapshots.
    coordinates : torch.Tensor, shape (T, N, r)
        POD coordinates of the states of N trajectories.
    parameters : torch.Tensor, shape (N, p)
        Parameters of the trajectories.
    forcing : torch.Tensor, shape (T - 1, 3, N, q)
        Inputs and time features at the start, in the middle and at the end of each interval.
    """

    intervals: Tensor
    coordinates: Tensor
    parameters: Tensor
    forcing: Tensor

    @staticmethod
    def without_parameters(intervals: Tensor, coordinates: Tensor) -> Rollouts:
        """Return trajectories without parameters and forcing."""
        n_times, n = coordinates.shape[:2]
        return Rollouts(
            intervals, coordinates, coordinates.new_zeros(n, 0), coordinates.new_zeros(n_times - 1, 3, n, 0)
        )

    def __len__(self) -> int:
        return self.coordinates.shape[1]

    @property
    def is_driven(self) -> bool:
        """Whether there is any forcing."""
        return self.forcing.shape[-1] > 0

    def to(self, **target: Any) -> Rollouts:
        """Return the trajectories in another `dtype`, on another `device`, or both."""
        return Rollouts(
            self.intervals.to(**target),
            self.coordinates.to(**target),
            self.parameters.to(**target),
            self.forcing.to(**target),
        )

    def every(self, stride: int) -> Rollouts:
        """Return every `stride`-th snapshot of trajectories without forcing.

        Snapshots after the last whole stride are dropped, unless that would leave none. Trajectories with forcing need
        `stride` 1, because their forcing may be known at snapshots only.
        """
        assert stride == 1 or not self.is_driven
        count = len(self.intervals) // stride
        if stride == 1 or count == 0:
            return self
        intervals = self.intervals[: count * stride].view(count, stride).sum(dim=1)
        coordinates = self.coordinates[: count * stride + 1 : stride]
        return Rollouts(intervals, coordinates, self.parameters, self.forcing[: count * stride : stride])

    def piece(self, start: int, stop: int) -> Rollouts:
        """Return the part from snapshot `start` to snapshot `stop`, both included."""
        return Rollouts(
            self.intervals[start:stop],
            self.coordinates[start : stop + 1],
            self.parameters,
            self.forcing[start:stop],
        )

    def parameters_at_snapshots(self) -> Tensor:
        """Return parameters and forcing at each snapshot, (T, N, p + q)."""
        parameters = self.parameters.expand(len(self.coordinates), *self.parameters.shape)
        return torch.cat([parameters, torch.cat([self.forcing[:, 0], self.forcing[-1:, 2]])], dim=-1)


@dataclass(frozen=True)
class Windows:
    """Batch of pieces of trajectories.

    Attributes
    ----------
    coordinates : torch.Tensor, shape (K + 1, B, r)
        POD coordinates of the states.
    intervals : torch.Tensor, shape (K, B, 1)
        Time between consecutive states.
    parameters : torch.Tensor, shape (B, p)
        Parameters of the trajectories.
    forcing : torch.Tensor, shape (K, 3, B, q)
        Forcing on the intervals, as in `Rollouts`.
    """

    coordinates: Tensor
    intervals: Tensor
    parameters: Tensor
    forcing: Tensor

    @staticmethod
    def without_parameters(coordinates: Tensor, intervals: Tensor) -> Windows:
        """Return windows without parameters and forcing."""
        k, n = intervals.shape[:2]
        return Windows(coordinates, intervals, coordinates.new_zeros(n, 0), coordinates.new_zeros(k, 3, n, 0))

    def beside(self, other: Windows) -> Windows:
        """Return one batch with the windows of both, as long as the shorter ones."""
        k = min(len(self.intervals), len(other.intervals))
        return Windows(
            torch.cat([self.coordinates[: k + 1], other.coordinates[: k + 1]], dim=1),
            torch.cat([self.intervals[:k], other.intervals[:k]], dim=1),
            torch.cat([self.parameters, other.parameters]),
            torch.cat([self.forcing[:k], other.forcing[:k]], dim=2),
        )


@dataclass(frozen=True)
class CollocationTable:
    """Collocation pairs: states and their time derivatives.

    Attributes
    ----------
    coordinates : torch.Tensor, shape (M, r)
        POD coordinates w~ of the states.
    derivatives : torch.Tensor, shape (M, r)
        Time derivatives dw~/dt.
    parameters : torch.Tensor, shape (M, p + q)
        Parameters and forcing at the states.
    """

    coordinates: Tensor
    derivatives: Tensor
    parameters: Tensor

    @staticmethod
    def without_parameters(coordinates: Tensor, derivatives: Tensor) -> CollocationTable:
        """Return pairs without parameters and forcing."""
        return CollocationTable(coordinates, derivatives, coordinates.new_zeros(len(coordinates), 0))

    def __len__(self) -> int:
        return len(self.coordinates)

    def to(self, **target: Any) -> CollocationTable:
        """Return the pairs in another `dtype`, on another `device`, or both."""
        return CollocationTable(
            self.coordinates.to(**target), self.derivatives.to(**target), self.parameters.to(**target)
        )

    def joined(self, other: CollocationTable) -> CollocationTable:
        """Return the pairs of both tables, on the device and in the dtype of this one."""
        return CollocationTable(
            torch.cat([self.coordinates, other.coordinates.to(self.coordinates)]),
            torch.cat([self.derivatives, other.derivatives.to(self.derivatives)]),
            torch.cat([self.parameters, other.parameters.to(self.parameters)]),
        )

    def draw(self, size: int, generator: torch.Generator) -> CollocationTable:
        """Return `size` pairs drawn with replacement, or the whole table if it has no more than that."""
        if len(self) <= size:
            return self
        return self.select(torch.randint(len(self), (size,), generator=generator))

    def select(self, indices: Tensor) -> CollocationTable:
        """Return the pairs at `indices` (B,)."""
        indices = indices.to(self.coordinates.device)
        return CollocationTable(
            self.coordinates.index_select(0, indices),
            self.derivatives.index_select(0, indices),
            self.parameters.index_select(0, indices),
        )


@dataclass(frozen=True)
class SnapshotTable:
    """All snapshots of all training trajectories, one trajectory after the other.

    The table holds intervals and not times, because in float32 a difference of late times has lost the digits of a short
    interval.

    Attributes
    ----------
    coordinates : torch.Tensor, shape (S, r)
        POD coordinates of the snapshots.
    intervals : torch.Tensor, shape (S,)
        Time to the next snapshot.
    parameters : torch.Tensor, shape (S, p)
        Parameters of the trajectories.
    forcing : torch.Tensor, shape (S, 3, q)
        Forcing until the next snapshot, as in `Rollouts`.
    first : numpy.ndarray, shape (N,)
        Row of the first snapshot of each trajectory.
    length : numpy.ndarray, shape (N,)
        Number of snapshots of each trajectory.
    """

    coordinates: Tensor
    intervals: Tensor
    parameters: Tensor
    forcing: Tensor
    first: np.ndarray
    length: np.ndarray

    @staticmethod
    def of(groups: Sequence[Rollouts]) -> SnapshotTable:
        """Return the table of all trajectories of `groups`."""
        n_times = np.concatenate([np.full(len(g), g.coordinates.shape[0]) for g in groups])
        # Nothing follows a last snapshot, so the last row of intervals and forcing of a trajectory is never used.
        intervals = [torch.cat([g.intervals, g.intervals.new_zeros(1)]).repeat(len(g)) for g in groups]
        forcing = [torch.cat([g.forcing, g.forcing[-1:]]).movedim(2, 0).flatten(0, 1) for g in groups]
        return SnapshotTable(
            coordinates=torch.cat([g.coordinates.transpose(0, 1).flatten(0, 1) for g in groups]),
            intervals=torch.cat(intervals),
            parameters=torch.cat([g.parameters.repeat_interleave(g.coordinates.shape[0], 0) for g in groups]),
            forcing=torch.cat(forcing),
            first=np.concatenate([[0], np.cumsum(n_times)[:-1]]),
            length=n_times,
        )

    def joined(self, other: SnapshotTable) -> SnapshotTable:
        """Return the trajectories of both tables."""
        return SnapshotTable(
            torch.cat([self.coordinates, other.coordinates]),
            torch.cat([self.intervals, other.intervals]),
            torch.cat([self.parameters, other.parameters]),
            torch.cat([self.forcing, other.forcing]),
            np.concatenate([self.first, len(self.coordinates) + other.first]),
            np.concatenate([self.length, other.length]),
        )

    @property
    def longest_window(self) -> int:
        """Number of intervals of the shortest trajectory, because all windows of a batch have the same length."""
        return int(self.length.min()) - 1

    def draw(self, size: int, n_intervals: int, generator: torch.Generator, stride: int = 1) -> Windows:
        """Return random windows, uniform over trajectories and over their possible starts.

        Parameters
        ----------
        size : int
            Number B of windows.
        n_intervals : int
            Number K of intervals of each window.
        generator : torch.Generator
            Source of random numbers, on the CPU.
        stride : int
            Number of intervals of the table in one interval of a window; 1 for trajectories with forcing.

        Returns
        -------
        Windows
            The windows.
        """
        chosen = torch.randint(len(self.first), (size,), generator=generator).numpy()
        room = self.length[chosen] - n_intervals * stride  # possible starts
        offset = np.floor(torch.rand(size, generator=generator, dtype=torch.float64).numpy() * room).astype(int)
        every = torch.as_tensor(np.arange(n_intervals * stride + 1)[:, None] + (self.first[chosen] + offset)[None, :])
        every = every.to(self.coordinates.device)
        rows = every[::stride]
        intervals = self.intervals.index_select(0, every[:-1].flatten()).view(n_intervals, stride, size, 1)
        forcing = self.forcing.index_select(0, rows[:-1].flatten())
        return Windows(
            coordinates=self.coordinates.index_select(0, rows.flatten()).view(n_intervals + 1, size, -1),
            intervals=intervals.sum(dim=1),
            parameters=self.parameters.index_select(0, rows[0]),
            forcing=forcing.view(n_intervals, size, *forcing.shape[1:]).movedim(2, 1),
        )
