"""States of trajectories that are read block by block: from memory, or from dask arrays, which files and computations make.

A block is a rectangle of trajectories and times of at most `BLOCK_BYTES` in float64. Of a dask array whole chunks are
read, as many together as a block holds, each once in a pass. A chunk that is larger is read whole and divided into blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

import systems
from rom.data.fields import Field, locate_component
from rom.utils.errors import RomReadError, RomValueError

__all__ = [
    "BLOCK_BYTES",
    "Block",
    "LazyStates",
    "chunk_by_file",
    "is_large",
    "iter_blocks",
    "read",
    "snapshots",
    "with_small_chunks",
]

BLOCK_BYTES = 64 * 2**20  # of states at a time, in float64
LARGE_BYTES = 2**30  # of all states of a fit that are in memory, in float64, beyond which no copies are made of them

Block = tuple[slice, slice, np.ndarray]
"""Slices of trajectories and of times, and the states (B, K, n) there in float64."""


@dataclass(frozen=True)
class LazyStates:
    """States that are read when they are needed.

    Attributes
    ----------
    array : dask.array.Array
        Flat states ``(trajectory, time, n)``.
    numbers : numpy.ndarray
        Numbers of the trajectories in what the user passed, for error messages.
    parts : tuple of Field
        The variables of a state, for error messages.
    """

    array: Any
    numbers: np.ndarray
    parts: tuple[Field, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape ``(trajectory, time, n)``."""
        return self.array.shape

    def __getitem__(self, indices: np.ndarray) -> LazyStates:
        """Return the trajectories at `indices`."""
        return LazyStates(self.array[indices], self.numbers[indices], self.parts)

    def numbered_from(self, first: int) -> LazyStates:
        """Return the same states with trajectories numbered from `first` on."""
        return LazyStates(self.array, first + np.arange(len(self.numbers)), self.parts)


def is_large(groups: Any, n_further: int = 0) -> bool:
    """Return whether states are processed in blocks, and never kept as a whole.

    Parameters
    ----------
    groups : sequence of Trajectories
        All trajectories of a fit.
    n_further : int
        Count of further numbers in memory.

    Returns
    -------
    bool
        True if they are larger than a block, with lazy ones among them, or larger than `LARGE_BYTES` in float64.
    """
    most = BLOCK_BYTES if any(isinstance(group.states, LazyStates) for group in groups) else LARGE_BYTES
    return 8 * (sum(int(np.prod(group.states.shape)) for group in groups) + n_further) > most


def iter_blocks(states: np.ndarray | LazyStates) -> Iterator[Block]:
    """Yield the blocks of states (N, T, n), those of one trajectory in the order of their times. Raise as `read`."""
    for chosen, within in slices_to_read(states):
        values = read(states, chosen, within)
        for part, times in slices_of_blocks(values.shape):
            block = np.asarray(values[part, times], dtype=np.float64)
            yield shifted(part, chosen.start), shifted(times, within.start), block
        del values  # before the next are read


def read(states: np.ndarray | LazyStates, chosen: slice, within: slice) -> np.ndarray:
    """Read some states into memory.

    Parameters
    ----------
    states : numpy.ndarray or LazyStates
        States ``(N, T, n)``.
    chosen, within : slice
        Trajectories and times.

    Returns
    -------
    numpy.ndarray
        ``states[chosen, within]`` in their own dtype.

    Raises
    ------
    RomValueError
        If a lazy state is not finite.
    RomReadError
        If a computation of dask fails. It is chained to the cause.
    systems.SystemsError
        If a file is gone or damaged.
    """
    if not isinstance(states, LazyStates):
        return states[chosen, within]
    try:
        values = np.asarray(states.array[chosen, within])
    except (systems.SystemsError, MemoryError):
        raise
    except Exception as error:  # whatever a computation or the reader of a file fails with
        first, last = states.numbers[chosen][[0, -1]]
        raise RomReadError(
            f"trajectories: states of trajectories {first} to {last} could not be read or computed "
            f"({type(error).__name__}: {error})"
        ) from error
    if not np.isfinite(values).all():
        k, time, component = np.unravel_index(int(np.argmin(np.isfinite(values))), values.shape)
        part, index = locate_component(int(component), states.parts)
        raise RomValueError(
            f"trajectories: {part} is {values[k, time, component]} at trajectory {states.numbers[chosen][k]}, time index "
            f"{range(states.shape[1])[within][time]}{f', component {index}' if index else ''}; remove or repair it"
        )
    return values


def snapshots(states: np.ndarray | LazyStates, i: int, within: slice) -> np.ndarray:
    """Return states (K, n) of the i-th trajectory in float64. Those of a lazy one that is cut in time are read one by one."""
    one = slice(i, i + 1)
    if isinstance(states, LazyStates) and len(states.array.chunks[1]) > 1:
        parts = [read(states, one, slice(k, k + 1))[0] for k in range(states.shape[1])[within]]
        return np.concatenate(parts, dtype=np.float64)
    return np.asarray(read(states, one, within)[0], dtype=np.float64)


def slices_to_read(states: np.ndarray | LazyStates) -> Iterator[tuple[slice, slice]]:
    """Yield what is read at once: all of an array in memory, whole chunks of a lazy one."""
    n_trajectories, n_times, n = states.shape
    if not isinstance(states, LazyStates):
        yield slice(0, n_trajectories), slice(0, n_times)
        return
    of_trajectories, of_times = states.array.chunks[:2]
    rows = max(1, BLOCK_BYTES // max(8 * n, 1))  # states of a block
    for chosen in joined_chunks(of_trajectories, rows // n_times):
        for within in joined_chunks(of_times, rows // (chosen.stop - chosen.start)):
            yield chosen, within


def joined_chunks(chunks: tuple[int, ...], most: int) -> Iterator[slice]:
    """Yield neighbouring chunks of these lengths, as many together as are no longer than `most`; at least one."""
    start = stop = 0
    for length in chunks:
        if stop > start and stop + length - start > most:
            yield slice(start, stop)
            start = stop
        stop += length
    if stop > start:
        yield slice(start, stop)


def slices_of_blocks(shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
    """Yield the blocks of an array (N, T, n): whole trajectories if one is small enough, else times of a single one."""
    n_trajectories, n_times, n = shape
    rows = max(1, BLOCK_BYTES // max(8 * n, 1))
    if n_times <= rows:
        size = rows // max(n_times, 1)
        for start in range(0, n_trajectories, size):
            yield slice(start, min(start + size, n_trajectories)), slice(0, n_times)
        return
    for k in range(n_trajectories):
        for start in range(0, n_times, rows):
            yield slice(k, k + 1), slice(start, min(start + rows, n_times))


def shifted(part: slice, by: int) -> slice:
    """Return a slice shifted by a number."""
    return slice(part.start + by, part.stop + by)


def chunk_by_file(variable: xr.DataArray) -> xr.DataArray:
    """Return a variable of a file as a dask array, in whole chunks of the file that fit into a block.

    It has the dimensions (trajectory, time, ...) or (time, ...).
    """
    stored = variable.encoding.get("preferred_chunks", {})
    chunks = {dim: int(stored.get(dim, 1)) for dim in ("trajectory", "time") if dim in variable.dims}
    times, trajectories = chunks["time"], chunks.get("trajectory", 1)
    size = int(np.prod([n for dim, n in variable.sizes.items() if dim not in chunks], dtype=int))
    most = BLOCK_BYTES // max(8 * trajectories * size, 1)
    return variable.chunk({**chunks, "time": max(times, most - most % times)})


def with_small_chunks(states: Any) -> Any:
    """Return a dask array (N, T, n) whose chunks fit into a block.

    It is cut in time if it is cut along the state too, and its chunks side by side exceed a block.
    """
    trajectories, times, columns = states.chunks
    most = max(1, BLOCK_BYTES // max(8 * max(trajectories, default=1) * states.shape[2], 1))
    return states.rechunk({1: most}) if len(columns) > 1 and max(times, default=0) > most else states
