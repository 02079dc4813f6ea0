"""The settings of one fit that every stage needs, in one object."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from rom.config import FitConfig, LossWeights
from rom.training.record import Progress
from rom.utils.time_budget import TimeBudget

__all__ = ["FitRun"]


@dataclass(frozen=True)
class FitRun:
    """One call of ``fit`` or ``fit_autoencoder``: its checked settings and its clock.

    Attributes
    ----------
    config : FitConfig
        Settings of networks and training.
    weights : LossWeights
        Weights of the losses.
    seed : int
        Seed of all random choices.
    budget : TimeBudget
        The clock, which started with the call.
    device : torch.device
        Where the networks are trained.
    callbacks : tuple of callables
        Called with a `Progress` at each validation; one that returns True ends the training.
    checkpoint : pathlib.Path or None
        File for the state of the training; None for no checkpoints.
    verbose : bool
        Whether progress bars are shown.
    """

    config: FitConfig
    weights: LossWeights
    seed: int
    budget: TimeBudget
    device: torch.device
    callbacks: tuple[Callable[[Progress], Any], ...] = ()
    checkpoint: Path | None = None
    verbose: bool = False

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the networks and of the training data."""
        return getattr(torch, self.config.dtype)
