"""The choice of the latent dimension from closed-form models on held-out data."""

from __future__ import annotations

import logging

from rom.fitting.prepare import Prepared
from rom.fitting.ridge_search import UNRELIABLE_ERROR, ClosedFormCandidate, select_closed_form
from rom.training.run import FitRun

__all__ = ["select_latent_dim"]

log = logging.getLogger("rom")

CANDIDATE_DIMENSIONS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32)

# Errors are in shares of the variance of the states. Below these, further latent states are not worth their cost.
SUFFICIENT_ERROR = 1e-3
SUFFICIENT_RECONSTRUCTION_ERROR = 1e-2

# A smaller model is preferred if its error is within this factor of the lowest.
FACTOR_OF_BEST = 1.2


def select_latent_dim(prepared: Prepared, run: FitRun) -> tuple[ClosedFormCandidate, dict[int, float]]:
    """Return the smallest closed-form model that is accurate enough.

    A model close to the best is accurate enough as well. If none of them forecasts, their forecast errors do not tell
    how many latent states the data need. The choice then follows from the reconstruction errors, and training is left
    to find the dynamics. Once the time for the selection is over, no further dimension is tried.

    Parameters
    ----------
    prepared : Prepared
        Training and held-out data.
    run : FitRun
        Settings and time budget.

    Returns
    -------
    candidate : ClosedFormCandidate
        The model chosen.
    errors : dict of int to float
        Validation error of each latent dimension that was tried.
    """
    candidates: dict[int, ClosedFormCandidate] = {}
    for d in CANDIDATE_DIMENSIONS:
        if d > prepared.projection.rank:
            break
        if candidates and run.budget.selection_is_over:
            log.warning("half of max_seconds is over: latent dimensions above %d were not tried", max(candidates))
            break
        candidates[d] = select_closed_form(prepared, d, run)
    errors = {d: candidate.error for d, candidate in candidates.items()}
    if min(errors.values()) <= UNRELIABLE_ERROR:
        chosen = smallest_sufficient(errors, SUFFICIENT_ERROR)
    else:
        log.warning(
            "no closed-form model forecasts the held-out data; the latent dimension follows from reconstruction"
        )
        reconstruction = {d: candidate.reconstruction_error for d, candidate in candidates.items()}
        chosen = smallest_sufficient(reconstruction, SUFFICIENT_RECONSTRUCTION_ERROR)
    log.info("latent dimension %d of %s", chosen, {d: f"{error:.1e}" for d, error in errors.items()})
    return candidates[chosen], errors


def smallest_sufficient(errors: dict[int, float], sufficient: float) -> int:
    """Return the smallest dimension with a sufficient error.

    An error close to the lowest is sufficient as well.
    """
    bound = max(sufficient, FACTOR_OF_BEST * min(errors.values()))
    return next(d for d, error in errors.items() if error <= bound)
