"""How much of the variance of measured states is white noise."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from rom.data.lazy import is_large
from rom.data.trajectories import Trajectories
from rom.utils.random import FitStream, random_stream

__all__ = ["noise_share"]

FEWEST_COMPONENTS = 16  # of a state: with fewer, nothing tells noise from signal
MOST_COMPONENTS = 128  # that are looked at
ENOUGH_STATES = 8192  # of each group
ENOUGH_OF_LARGE = 2048  # states of sets that are larger than memory, where each is read for these few numbers
HIGHEST_DIFFERENCE = 4  # order of the differences in time
FLAT = 4.0  # largest ratio of the eigenvalues in the lower half of the spectrum of white noise


def noise_share(groups: Sequence[Trajectories], seed: int = 0) -> float:
    """Estimate the share of the variance of states that is white noise, in space and in time.

    White noise raises all eigenvalues of the covariance by its variance, so the lower half of the spectrum is flat. The spectrum
    of a smooth field falls by orders of magnitude. Rough fields are flat as well, but are smooth in time, where high differences
    vanish: the smaller of both estimates counts.

    Parameters
    ----------
    groups : sequence of Trajectories
        Groups with equal times.
    seed : int
        Seed of the choice of components.

    Returns
    -------
    float
        Between 0 and 1; 0 if noise cannot be told from signal.

    References
    ----------
    Marchenko & Pastur 1967, Math. USSR Sb. 1, 457.
    """
    if not groups:
        return 0.0
    enough = ENOUGH_STATES
    if is_large(groups):
        counts = np.cumsum([len(group) * len(group.times) for group in groups])
        groups, enough = groups[: 1 + int(np.searchsorted(counts, ENOUGH_OF_LARGE))], ENOUGH_OF_LARGE
    n_states = groups[0].states.shape[2]
    rng = random_stream(seed, FitStream.NOISE_STATES)
    components = np.sort(rng.permutation(n_states)[:MOST_COMPONENTS])
    states = some_states(groups, components, enough)
    if len(components) < FEWEST_COMPONENTS or len(states) < 4 * len(components):
        return 0.0
    eigenvalues = np.linalg.eigvalsh(np.cov(states.T))
    tail = eigenvalues[: len(components) // 2]
    if tail[0] <= 0.0 or tail[-1] > FLAT * tail[0]:
        return 0.0
    in_space = len(components) * tail[-1] / eigenvalues.sum()
    in_time = noise_in_time(groups, components) * len(components) / eigenvalues.sum()
    return float(min(1.0, in_space, in_time))


def some_states(groups: Sequence[Trajectories], components: np.ndarray, enough: int) -> np.ndarray:
    """Return the first states (N, k) of each group, at some components; about `enough` in all, or a block of each."""
    parts: list[np.ndarray] = []
    for group in groups:
        for _, _, block in group.blocks():
            parts.append(block[..., components].reshape(-1, len(components)))
            if sum(map(len, parts)) >= enough:
                break
    return np.concatenate(parts)


def noise_in_time(groups: Sequence[Trajectories], components: np.ndarray) -> float:
    """Return the variance of white noise in time that explains the highest differences along some trajectories."""
    squares = []
    for group in groups:
        block = next(iter(group.blocks()))[2][:ENOUGH_STATES, :, components]
        order = min(HIGHEST_DIFFERENCE, block.shape[1] - 1)
        if order > 0:
            squares.append(np.square(np.diff(block, n=order, axis=1)).mean() / math.comb(2 * order, order))
    return float(np.mean(squares)) if squares else 0.0
