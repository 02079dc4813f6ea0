"""The record of a training: what a callback sees at each look at the held-out data, and what a checkpoint must hold."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from rom.training.score import Score

__all__ = ["Progress", "TrainingRecord"]


@dataclass(frozen=True)
class Progress:
    """What a callback sees at each look at the held-out data. A callback that returns True ends the training.

    `best_validation_error` is that of the state that would be kept; it need not be the lowest (see `Score.beats`).
    """

    step: int
    seconds: float
    progress: float
    learning_rate: float
    window: int
    losses: dict[str, float]
    validation_error: float
    best_validation_error: float


@dataclass
class TrainingRecord:
    """State of a training: everything a checkpoint must hold besides the optimiser and the weights at `step`."""

    best_weights: dict[str, Tensor]
    best: Score
    start: Score  # of the closed form
    best_step: int = 0
    step: int = 0
    seconds: float = 0.0
    peak_rate: float = 0.0
    recoveries: int = 0
    renewed: list[int] = field(default_factory=list)  # flows that each renewal added
    stopped: str = "running"
    rows: list[Progress] = field(default_factory=list)
