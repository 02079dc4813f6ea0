"""Which trajectories train, and which are kept to choose between models and to stop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rom.data.trajectories import Trajectories
from rom.utils.random import FitStream, random_stream

__all__ = ["HELD_OUT_SHARE", "Split", "split_trajectories"]

HELD_OUT_SHARE = 0.1
MAX_HELD_OUT = 64
FEWEST_TRAJECTORIES = 4  # with fewer, none is held out


@dataclass(frozen=True)
class Split:
    """Which trajectories train and which are held out, as groups with equal times, and the seed that decided it."""

    training: list[Trajectories]
    held_out: list[Trajectories]
    seed: int

    @property
    def n_trajectories(self) -> int:
        """How many there are of both kinds."""
        return sum(len(group) for group in (*self.training, *self.held_out))


def split_trajectories(groups: list[Trajectories], seed: int) -> Split:
    """Training and held-out trajectories; none held out where there are fewer than `FEWEST_TRAJECTORIES`."""
    total = sum(len(group) for group in groups)
    if total < FEWEST_TRAJECTORIES:
        return Split(groups, [], seed)
    n_held = min(max(1, round(HELD_OUT_SHARE * total)), MAX_HELD_OUT)
    is_held = np.zeros(total, dtype=bool)
    is_held[random_stream(seed, FitStream.HELD_OUT_TRAJECTORIES).choice(total, n_held, replace=False)] = True
    kept, held, first = [], [], 0
    for group in groups:
        mask = is_held[first : first + len(group)]
        first += len(group)
        for chosen, into in ((~mask, kept), (mask, held)):
            if chosen.any():
                into.append(group.select(np.flatnonzero(chosen)))
    return Split(kept, held, seed)
