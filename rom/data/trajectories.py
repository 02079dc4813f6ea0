"""Trajectories and collocation pairs as plain arrays, with states flattened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import xarray as xr

from rom.data.lazy import Block, LazyStates, iter_blocks

__all__ = ["Collocation", "CollocationLike", "Trajectories", "TrajectoriesLike"]

TrajectoriesLike = xr.Dataset | Sequence[xr.Dataset] | tuple[Any, ...]
"""Trajectories: a Dataset, a list of Datasets, or a tuple of arrays, in the forms of `rom.data.read_trajectories.as_trajectories`."""

CollocationLike = xr.Dataset | Sequence[Any] | tuple[Any, ...]
"""Collocation pairs: a Dataset, two of fields, a list of such, or a tuple of arrays, as in `rom.data.read_collocation.as_collocation`."""


@dataclass(frozen=True)
class Trajectories:
    """Trajectories that share their times.

    Attributes
    ----------
    times : numpy.ndarray
        Shape ``(time,)``.
    states : numpy.ndarray or LazyStates
        Flat states ``(trajectory, time, n)``, in memory or lazy.
    parameters : numpy.ndarray
        Shape ``(trajectory, p)``.
    inputs : numpy.ndarray
        Inputs at the times, ``(trajectory, time, m)``.
    """

    times: np.ndarray
    states: np.ndarray | LazyStates
    parameters: np.ndarray
    inputs: np.ndarray

    def __len__(self) -> int:
        """Return the number of trajectories."""
        return self.states.shape[0]

    def blocks(self) -> Iterator[Block]:
        """Yield slices of trajectories and of times, and the states (B, K, n) there in float64, of bounded size."""
        return iter_blocks(self.states)

    def select(self, indices: Sequence[int] | np.ndarray) -> Trajectories:
        """Return the trajectories at `indices`."""
        chosen = np.asarray(indices, dtype=int)
        return Trajectories(self.times, self.states[chosen], self.parameters[chosen], self.inputs[chosen])


@dataclass(frozen=True)
class Collocation:
    """Collocation pairs.

    Attributes
    ----------
    states : numpy.ndarray
        Flat states x~, ``(point, n)``.
    time_derivatives : numpy.ndarray
        f(x~), ``(point, n)``.
    parameters : numpy.ndarray
        Shape ``(point, p)``.
    inputs : numpy.ndarray
        Shape ``(point, m)``.
    times : numpy.ndarray
        Times at which f was evaluated, ``(point,)``. Zeros if they are unknown.
    """

    states: np.ndarray
    time_derivatives: np.ndarray
    parameters: np.ndarray
    inputs: np.ndarray
    times: np.ndarray

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.states)

    def select(self, indices: np.ndarray) -> Collocation:
        """Return the pairs at `indices`."""
        columns = (getattr(self, column.name)[indices] for column in fields(self))
        return Collocation(*columns)

    def joined(self, other: Collocation) -> Collocation:
        """Return the pairs of both."""
        names = [column.name for column in fields(self)]
        return Collocation(*(np.concatenate([getattr(self, name), getattr(other, name)]) for name in names))
