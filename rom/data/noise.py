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
MOST_COMPONENTS = 128
ENOUGH_STATES = 8192
ENOUGH_OF_LARGE = 2048  # states of sets that are larger than memory, where each is read for these few numbers
HIGHEST_DIFFERENCE = 4
FLAT = 4.0  # largest ratio of the eigenvalues in the lower half of the spectrum of white noise


def noise_share(groups: Sequence[Trajectories], seed: int = 0) -> float:
    """Share of the variance of the states that is white noise, in space and in time; 0 where none can be told.

    White noise raises all eigenvalues of the covariance by its variance, so the lower half of the spectrum is flat
    (Marchenko & Pastur 1967); the spectrum of a smooth field falls by orders of magnitude. Rough fields are flat as well,
    but differences in time, which vanish for what is smooth in time, do not find them: the smaller of both estimates
    counts. At most 128 components are looked at, chosen at random, at 8,192 states of each group, or 2,048 in all of a
    large set.
    """
    if not groups:
        return 0.0
    enough = ENOUGH_STATES
    if is_large(groups):
        counts = np.cumsum([len(group) * len(group.times) for group in groups])
        groups, enough = groups[: 1 + int(np.searchsorted(counts, ENOUGH_OF_LARGE))], ENOUGH_OF_LARGE
    n_states = groups[0].states.shape[2]
    rng = random_stream(seed, FitStream.NOISE_STATES)
    chosen = np.sort(rng.permutation(n_states)[:MOST_COMPONENTS])
    parts: list[np.ndarray] = []
    for group in groups:
        for _, _, block in group.blocks():
            parts.append(block[..., chosen].reshape(-1, len(chosen)))
            if sum(map(len, parts)) >= enough:
                break
    states = np.concatenate(parts)
    if len(chosen) < FEWEST_COMPONENTS or len(states) < 4 * len(chosen):
        return 0.0
    eigenvalues = np.linalg.eigvalsh(np.cov(states.T))
    tail = eigenvalues[: len(chosen) // 2]
    if tail[0] <= 0.0 or tail[-1] > FLAT * tail[0]:
        return 0.0
    in_space = len(chosen) * tail[-1] / eigenvalues.sum()
    return float(min(1.0, in_space, roughness(groups, chosen) * len(chosen) / eigenvalues.sum()))


def roughness(groups: Sequence[Trajectories], chosen: np.ndarray) -> float:
    """Variance of white noise in time that explains the highest differences (up to the fourth) along some trajectories."""
    squares = []
    for group in groups:
        block = next(iter(group.blocks()))[2][:ENOUGH_STATES, :, chosen]
        order = min(HIGHEST_DIFFERENCE, block.shape[1] - 1)
        if order > 0:
            squares.append(np.square(np.diff(block, n=order, axis=1)).mean() / math.comb(2 * order, order))
    return float(np.mean(squares)) if squares else 0.0
