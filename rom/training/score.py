"""Scores: how good networks are on the validation data, and which of two states of a training is better."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

__all__ = ["AutoencoderScore", "ForecastScore", "Score"]

MUCH_BETTER = 1 / 3  # of the physics losses of the closed form


@dataclass(frozen=True)
class Score(ABC):
    """How good networks are on the validation data.

    A checkpoint holds the fields of the subclass.

    Attributes
    ----------
    error : float
        The validation error that the history reports.
    """

    measure: ClassVar[str] = "relative error"  # what `relative_error` is called in warnings

    error: float

    @property
    @abstractmethod
    def relative_error(self) -> float:
        """Typical error relative to the standard deviation of the data; 1 for a model that returns their mean."""

    @abstractmethod
    def beats(self, best: Any, start: Any) -> bool:
        """Return whether this is better than the best score so far.

        Parameters
        ----------
        best : Score
            The best score so far, of the same class.
        start : Score
            That of the closed form, of the same class.
        """

    @property
    def useless(self) -> bool:
        """Whether the mean of the data would serve as well."""
        return self.relative_error >= 1.0


@dataclass(frozen=True)
class ForecastScore(Score):
    """Score of a model with latent dynamics.

    Attributes
    ----------
    error : float
        Mean square error of rollouts as a share of the variance. Without trajectories, equal to `physics`.
    typical : float
        Mean over trajectories of the relative error, which is the root of that share; 1 without trajectories.
    physics : float
        Sum of the physics losses at held-out collocation points; 1 without points.
    median : float
        Median over trajectories of the relative error. Without trajectories, the root of `physics`.
    """

    measure: ClassVar[str] = "median relative error"

    typical: float
    physics: float
    median: float

    @property
    def relative_error(self) -> float:
        """Median over trajectories of the relative error."""
        return self.median

    @property
    def criterion(self) -> float:
        """The number by which the best state of a training is chosen.

        The mean square error would follow the few trajectories that no model forecasts, such as those beside a
        separatrix. Trajectories alone would say nothing about regions where there are only collocation points.
        """
        return self.typical * math.sqrt(self.physics)

    def beats(self, best: ForecastScore, start: ForecastScore) -> bool:
        """Return whether this is better than the best score so far.

        A state that forecasts worse than the closed form does not count unless its physics is much better. The held-out
        trajectories may differ from the forecasts to come, but then the collocation points must show it.
        """
        worse_forecasts = self.typical > start.typical and self.physics > MUCH_BETTER * start.physics
        return self.criterion < best.criterion and not worse_forecasts


@dataclass(frozen=True)
class AutoencoderScore(Score):
    """Score of an encoder and a decoder without dynamics.

    Attributes
    ----------
    error : float
        Weighted sum of all losses.
    reconstruction : float
        Mean square error of reconstructions as a share of the variance.
    """

    reconstruction: float

    @property
    def relative_error(self) -> float:
        """Root mean square error of reconstructions, relative to the standard deviation of the data."""
        return math.sqrt(self.reconstruction)

    def beats(self, best: AutoencoderScore, start: AutoencoderScore) -> bool:  # noqa: ARG002
        """Return whether the weighted sum of the losses is lower than the best one so far."""
        return self.error < best.error
