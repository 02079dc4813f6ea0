"""The time budget of a fit: who gets which share of ``max_seconds``.

``max_seconds`` bounds the wall-clock time of a whole call of ``fit`` or ``fit_autoencoder``. The clock starts before the
arguments are checked. Every stage asks the budget for its limit when it begins. In the order of the call:

=====================================  ==========================================================
stage                                  limit
=====================================  ==========================================================
simulating trajectories                30 % of what remains
evaluating f at collocation points     20 % of what remains
evaluating f along trajectories        20 % of what remains
comparing given data with f            2 % of what remains, for each kind of data
choosing the closed-form model         begins nothing new once 50 % of ``max_seconds`` is over;
                                       further ridge parameters are tried for 1 s at most
pretraining on Isomap coordinates      30 % of what remains; skipped if that is under 0.9 s
training                               all that remains but 0.5 s and half of the preparation time;
                                       skipped if that is under 1 s
drawing fresh flows, at each renewal   2 % of the training time
=====================================  ==========================================================

The model is built and validated in the time that training leaves.
"""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass, field

__all__ = ["TimeBudget", "seconds_for_fresh_flows"]

log = logging.getLogger("rom")

# Shares of the time that remains.
SIMULATION_SHARE = 0.3
EVALUATION_SHARE = 0.2
CONSISTENCY_SHARE = 0.02
ISOMAP_SHARE = 0.3

SELECTION_SHARE = 0.5  # of max_seconds, after which no further closed-form model is tried
RIDGE_SECONDS = 1.0  # for further ridge parameters, even when the time for the selection is over
SHORTEST_ISOMAP = 0.9  # seconds, below which the training needs all that remains
FINISH_SECONDS = 0.5  # kept for what follows the training
FINISH_SHARE = 0.5  # of the preparation time, kept for the same: it passes over the data again
SHORTEST_TRAINING = 1.0  # seconds, below which training is not worth starting
FRESH_FLOW_SHARE = 0.02  # of the training time, for each renewal
LEAST_SECONDS = 1e-3  # a limit is always positive


@dataclass(frozen=True)
class TimeBudget:
    """The wall-clock budget of a fit. The clock starts when the budget is made.

    Parameters
    ----------
    limit : float or None
        Seconds for the whole call; None for no limit.
    started : float
        Reading of ``time.monotonic()`` at the start.
    """

    limit: float | None = None
    started: float = field(default_factory=time.monotonic)

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    @property
    def remaining(self) -> float | None:
        """Seconds until the limit, never negative; None without a limit."""
        return None if self.limit is None else max(0.0, self.limit - self.elapsed)

    def for_simulation(self) -> float | None:
        """Return the seconds for simulating trajectories; None without a limit."""
        return self._share(SIMULATION_SHARE)

    def for_evaluation(self) -> float | None:
        """Return the seconds for one series of evaluations of f; None without a limit."""
        return self._share(EVALUATION_SHARE)

    def for_consistency_check(self) -> float | None:
        """Return the seconds for comparing given data with f; None without a limit."""
        return self._share(CONSISTENCY_SHARE)

    @property
    def allows_isomap(self) -> bool:
        """Whether there is enough time to pretrain on Isomap coordinates; always without a limit."""
        seconds = self.for_isomap()
        return seconds is None or seconds >= SHORTEST_ISOMAP

    def for_isomap(self) -> float | None:
        """Return the seconds for pretraining on Isomap coordinates; None without a limit."""
        return self._share(ISOMAP_SHARE)

    def for_training(self, preparation: float) -> float | None:
        """Return the seconds for training, and warn if there is no time for it.

        Parameters
        ----------
        preparation : float
            Seconds that preparing the data took. What follows the training passes over the data about half as often.

        Returns
        -------
        float or None
            None without a limit; 0 if the time is too short to be useful.
        """
        if self.remaining is None:
            return None
        seconds = self.remaining - FINISH_SECONDS - FINISH_SHARE * preparation
        if seconds < SHORTEST_TRAINING:
            log.warning("max_seconds leaves no time for training: the result is the closed-form model")
            return 0.0
        return seconds

    @property
    def selection_is_over(self) -> bool:
        """Whether no further closed-form model should be tried; never without a limit."""
        return self.limit is not None and self.elapsed > SELECTION_SHARE * self.limit

    def ridge_search_is_over(self, first_done: float) -> bool:
        """Return whether no further ridge parameter should be tried.

        Parameters
        ----------
        first_done : float
            Seconds from the start until the first one had been tried, which pays for imports; infinity before that.
        """
        return self.selection_is_over and self.elapsed - first_done > RIDGE_SECONDS

    def _share(self, share: float) -> float | None:
        """Return a share of what remains, always positive; None without a limit."""
        return None if self.remaining is None else max(share * self.remaining, LEAST_SECONDS)


def seconds_for_fresh_flows(training_seconds: float | None) -> float:
    """Return the seconds for one renewal of the data; infinity if the training time is not limited."""
    return FRESH_FLOW_SHARE * (training_seconds or math.inf)
