"""Trajectories and collocation pairs as plain arrays, with states flattened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import xarray as xr

from rom.data.lazy import iter_blocks

__all__ = ["Collocation", "CollocationLike", "Trajectories", "TrajectoriesLike"]

TrajectoriesLike = xr.Dataset | Sequence[xr.Dataset] | tuple[Any, ...]
"""Trajectories: a Dataset, a list of Datasets, or a tuple of arrays, in the forms of `rom.data.ingest.as_trajectories`."""

CollocationLike = xr.Dataset | Sequence[xr.Dataset] | tuple[Any, ...]
"""Collocation pairs: a Dataset, two of fields, or a tuple of arrays, in the forms of `rom.data.ingest.as_collocation`."""


@dataclass(frozen=True)
class Trajectories:
    """Trajectories that share their times: `times` (T,), `states` (N, T, n) in memory or `LazyStates`, `parameters` (N, p).

    `inputs` (N, T, m) are what drove them at these times.
    """

    times: np.ndarray
    states: Any
    parameters: np.ndarray
    inputs: np.ndarray

    def __len__(self) -> int:
        return self.states.shape[0]

    def blocks(self) -> Iterator[tuple[slice, slice, np.ndarray]]:
        """Slices of trajectories and of times, and the states (B, K, n) there in float64, a bounded number at a time."""
        return iter_blocks(self.states)

    def select(self, indices: Sequence[int] | np.ndarray) -> Trajectories:
        """The trajectories at `indices`."""
        chosen = np.asarray(indices, dtype=int)
        return Trajectories(self.times, self.states[chosen], self.parameters[chosen], self.inputs[chosen])


@dataclass(frozen=True)
class Collocation:
    """Collocation pairs: `states` x~ (M, n), `time_derivatives` f(x~) (M, n), `parameters` (M, p) and `inputs` (M, m).

    `times` (M,) are those at which f was evaluated, zeros where nobody told.
    """

    states: np.ndarray
    time_derivatives: np.ndarray
    parameters: np.ndarray
    inputs: np.ndarray
    times: np.ndarray

    def __len__(self) -> int:
        return len(self.states)

    def select(self, indices: np.ndarray) -> Collocation:
        """The pairs at `indices`."""
        columns = (getattr(self, column.name)[indices] for column in fields(self))
        return Collocation(*columns)

    def joined(self, other: Collocation) -> Collocation:
        """The pairs of both."""
        names = [column.name for column in fields(self)]
        return Collocation(*(np.concatenate([getattr(self, name), getattr(other, name)]) for name in names))
