"""The record of a training: what callbacks see at each validation, and what a checkpoint must hold."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from rom.training.score import Score

__all__ = ["Progress", "TrainingRecord"]


@dataclass(frozen=True)
class Progress:
    """What a callback of `rom.fit` or `rom.fit_autoencoder` sees at each validation.

    A callback that returns True ends the training.

    Parameters
    ----------
    step : int
        Number of optimiser steps so far.
    seconds : float
        Wall-clock time of the training so far.
    progress : float
        Share of the training that is over, from 0 to 1.
    learning_rate : float
        Learning rate of the neural corrections at the last step.
    window : int
        Number of steps of the rollouts in training; 0 without rollouts.
    losses : dict of str to float
        Unweighted losses of the last batch, by the names of their weights in `LossWeights`.
    validation_error : float
        Error on the validation data.
    best_validation_error : float
        The same of the state that would be kept. It need not be the lowest so far: the best state of a model with
        latent dynamics is chosen by typical errors of forecasts and by the physics.

    Examples
    --------
    Stop as soon as the validation error is small:

    >>> import rom
    >>> def stop(progress: rom.Progress) -> bool:
    ...     return progress.validation_error < 1e-4
    >>> stop(rom.Progress(100, 2.5, 0.1, 0.02, 5, {"reconstruction": 0.01}, 5e-5, 5e-5))
    True
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
    """The state of a training, besides the networks and the optimiser at its last step.

    Attributes
    ----------
    best_weights : dict of str to Tensor
        Weights and buffers of the best networks so far.
    best : Score
        Their score.
    start : Score
        Score of the closed-form model.
    best_step : int
        Step at which the best networks were found; 0 for the closed form.
    step : int
        Number of steps so far.
    seconds : float
        Wall-clock time so far.
    peak_rate : float
        Largest learning rate of the schedule. It is halved at each recovery.
    recoveries : int
        How often training returned to the best networks, because gradients were not finite.
    renewed : list of int
        Number of fresh flows that each renewal of the data has added.
    stopped : str
        Why the training ended; "running" before its end.
    rows : list of Progress
        What callbacks saw at each validation.
    """

    best_weights: dict[str, Tensor]
    best: Score
    start: Score
    best_step: int = 0
    step: int = 0
    seconds: float = 0.0
    peak_rate: float = 0.0
    recoveries: int = 0
    renewed: list[int] = field(default_factory=list[int])
    stopped: str = "running"
    rows: list[Progress] = field(default_factory=list[Progress])
