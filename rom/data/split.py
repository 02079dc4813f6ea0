"""What is held out of training: a tenth of the trajectories, of the collocation points, or of the samples.

Of trajectories whole ones are held out, since neighbours in time are almost the same state. Samples of an autoencoder that
belong to trajectories stay together too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from rom.data.trajectories import Trajectories
from rom.utils.random import FitStream, random_stream

__all__ = ["Split", "are_states_in_time", "sample_groups", "split_groups", "split_points", "split_trajectories"]

HELD_OUT_SHARE = 0.1  # of trajectories, points and samples

MOST_TRAJECTORIES = 64  # held out at most
FEWEST_TRAJECTORIES = 4  # of the data of a fit: with fewer, none is held out

MOST_POINTS = 4096  # held out at most
FEWEST_POINTS = 8  # held out at least: fewer have no variance to compare with

MOST_SAMPLES = 4096  # that validate, and that calibrate
WHOLE_TRAJECTORIES = 10  # of samples: from so many trajectories on, whole ones are held out
FEWEST_STRETCHES = 20  # of time, into which fewer trajectories are divided


@dataclass(frozen=True)
class Split:
    """Training and held-out trajectories.

    Attributes
    ----------
    training, held_out : list of Trajectories
        Groups with equal times.
    seed : int
        The seed that decided which are held out.
    """

    training: list[Trajectories]
    held_out: list[Trajectories]
    seed: int

    @property
    def n_trajectories(self) -> int:
        """Number of trajectories of both kinds."""
        return sum(len(group) for group in (*self.training, *self.held_out))


def split_trajectories(groups: list[Trajectories], seed: int) -> Split:
    """Hold out a tenth of the trajectories.

    Parameters
    ----------
    groups : list of Trajectories
        Groups with equal times.
    seed : int
        Seed of the fit.

    Returns
    -------
    Split
        At least one is held out and at most `MOST_TRAJECTORIES`; none of fewer than `FEWEST_TRAJECTORIES`.
    """
    total = sum(len(group) for group in groups)
    if total < FEWEST_TRAJECTORIES:
        return Split(groups, [], seed)
    n_held = min(max(1, round(HELD_OUT_SHARE * total)), MOST_TRAJECTORIES)
    is_held = np.zeros(total, dtype=bool)
    is_held[random_stream(seed, FitStream.HELD_OUT_TRAJECTORIES).choice(total, n_held, replace=False)] = True
    training, held_out, first = [], [], 0
    for group in groups:
        mask = is_held[first : first + len(group)]
        first += len(group)
        for chosen, part in ((~mask, training), (mask, held_out)):
            if chosen.any():
                part.append(group.select(np.flatnonzero(chosen)))
    return Split(training, held_out, seed)


def split_points(n: int, has_trajectories: bool, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Hold out a tenth of the collocation points.

    Parameters
    ----------
    n : int
        Number of points.
    has_trajectories : bool
        Whether trajectories are held out beside the points. Then no point needs to be.
    rng : numpy.random.Generator
        Generator of the choice.

    Returns
    -------
    training, held_out : numpy.ndarray
        Indices of the points, in random order. Either none or at least `FEWEST_POINTS` are held out, and at most
        `MOST_POINTS`.
    """
    if n == 0:
        return np.arange(0), np.arange(0)
    order = rng.permutation(n)
    n_held = min(int(HELD_OUT_SHARE * n), MOST_POINTS)
    if n_held < FEWEST_POINTS:
        n_held = 0 if has_trajectories or n < 3 * FEWEST_POINTS else FEWEST_POINTS
    return order[n_held:], order[:n_held]


def sample_groups(sizes: Mapping[str, int], n_trajectories: int) -> np.ndarray:
    """Return the number of the group of each sample. Samples of a group are kept together by `split_groups`.

    Parameters
    ----------
    sizes : mapping of str to int
        Lengths of the dimensions of the samples. `trajectory` and `time` have a meaning.
    n_trajectories : int
        Number of trajectories in all data.

    Returns
    -------
    numpy.ndarray
        Shape ``(N,)``. A group is a trajectory, if there are at least `WHOLE_TRAJECTORIES`; a stretch of time of fewer
        trajectories, which are divided into at least `FEWEST_STRETCHES`; or else a single sample.
    """
    index = {dim: values.ravel() for dim, values in zip(sizes, np.indices(tuple(sizes.values())), strict=True)}
    n_samples = int(np.prod(tuple(sizes.values()), dtype=int))
    if not are_states_in_time(sizes):
        return np.arange(n_samples)
    if n_trajectories >= WHOLE_TRAJECTORIES:
        return index.get("trajectory", np.zeros(n_samples, dtype=int))
    if "time" not in sizes:
        return np.arange(n_samples)
    stretches = min(sizes["time"], -(-FEWEST_STRETCHES // max(n_trajectories, 1)))
    stretch = index["time"] * stretches // max(sizes["time"], 1)
    return index.get("trajectory", 0) * stretches + stretch


def are_states_in_time(dims: Collection[str]) -> bool:
    """Return whether samples over these dimensions are states of trajectories."""
    return "time" in dims or "trajectory" in dims


def split_groups(group: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Hold out a tenth of the groups of samples to validate, and as many to calibrate.

    Parameters
    ----------
    group : numpy.ndarray
        Number of the group of each sample, ``(N,)``.
    rng : numpy.random.Generator
        Generator of the choice.

    Returns
    -------
    numpy.ndarray
        The part of each sample, ``(N,)``: 0 trains, 1 validates, 2 calibrates. Each part held out has at most about
        `MOST_SAMPLES`.
    """
    n_groups = int(group.max()) + 1
    count = max(1, min(int(HELD_OUT_SHARE * n_groups), MOST_SAMPLES * n_groups // len(group)))
    part = np.zeros(n_groups, dtype=np.int8)
    chosen = rng.permutation(n_groups)
    part[chosen[:count]], part[chosen[count : 2 * count]] = 1, 2
    return part[group]
