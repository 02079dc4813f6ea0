"""The closed-form model that the training of a reduced-order model starts from."""

from __future__ import annotations

from dataclasses import dataclass

from rom.fitting.arguments import clip_to_rank, require_affordable
from rom.fitting.latent_dim_search import select_latent_dim
from rom.fitting.prepare import Prepared
from rom.fitting.ridge_search import select_closed_form
from rom.fitting.step_size import StepSize
from rom.reduction.closed_form import ClosedForm, pad_latent_dim
from rom.training.run import FitRun
from rom.utils.random import FitStream, random_stream

__all__ = ["InitialModel", "choose_initial_model"]

# Latent states of the closed form from which an over-complete latent space is made.
MAX_DIM_BEFORE_PADDING = 32


@dataclass(frozen=True)
class InitialModel:
    """The closed-form model to start from.

    Attributes
    ----------
    closed_form : ClosedForm
    error : float
        Validation error, in shares of the variance of the states.
    step : StepSize
        Runge-Kutta step that its dynamics allow.
    errors : dict of int to float
        Validation error of each latent dimension that was tried.
    """

    closed_form: ClosedForm
    error: float
    step: StepSize
    errors: dict[int, float]


def choose_initial_model(prepared: Prepared, latent_dim: int | None, run: FitRun) -> InitialModel:
    """Choose the initial model on held-out data.

    These decide the ridge, the Runge-Kutta step and, if it is not given, the latent dimension.

    Parameters
    ----------
    prepared : Prepared
        Training and held-out data.
    latent_dim : int or None
        Latent dimension; None to choose it. It is lowered to the POD rank, unless the latent states are to be sparse.
        Latent states beyond the rank are random linear combinations of the others.
    run : FitRun
        Settings and time budget.

    Raises
    ------
    RomValueError
        If `latent_dim` is too large for quadratic dynamics.
    """
    if latent_dim is None:
        candidate, errors = select_latent_dim(prepared, run)
        return InitialModel(candidate.closed_form, candidate.error, candidate.step, errors)
    rank = prepared.projection.rank
    d = clip_to_rank(latent_dim, rank, run.weights)
    require_affordable(d, rank)
    fitted_dim = d if d <= rank else min(rank, MAX_DIM_BEFORE_PADDING)
    candidate = select_closed_form(prepared, fitted_dim, run)
    closed_form = candidate.closed_form
    if d > fitted_dim:
        mixtures = random_stream(run.seed, FitStream.EXTRA_LATENT_STATES).standard_normal((d - fitted_dim, fitted_dim))
        closed_form = pad_latent_dim(closed_form, mixtures)
    return InitialModel(closed_form, candidate.error, candidate.step, {d: candidate.error})
