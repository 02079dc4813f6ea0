"""The closed-form model that the training of a reduced-order model starts from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rom.fitting.arguments import clip_to_rank
from rom.fitting.latent_dim_search import select_latent_dim
from rom.fitting.prepare import Prepared
from rom.fitting.ridge_search import select_closed_form
from rom.fitting.step_size import StepSize
from rom.reduction.closed_form import ClosedForm, pad_latent_dim
from rom.training.run import FitRun
from rom.utils.errors import RomValueError

__all__ = ["InitialModel", "choose_initial_model", "require_affordable"]

# Latent states, if they are more than the dimensions that the data span. Quadratic dynamics have d^3 / 2 coefficients.
MAX_OVERCOMPLETE_DIM = 128

# Latent states of the closed form that such a latent space is made from.
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
    """Choose the ridge, the Runge-Kutta step and, if it is not given, the latent dimension on held-out data.

    Parameters
    ----------
    prepared : Prepared
        Training and held-out data.
    latent_dim : int or None
        Latent dimension; None to choose it. It is lowered to the POD rank, unless the latent states are to be sparse. Latent
        states beyond the rank are random linear combinations of the others.
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
        mixtures = np.random.default_rng([run.seed, 8]).standard_normal((d - fitted_dim, fitted_dim))
        closed_form = pad_latent_dim(closed_form, mixtures)
    return InitialModel(closed_form, candidate.error, candidate.step, {d: candidate.error})


def require_affordable(latent_dim: int | None, span: int) -> None:
    """Refuse many more latent states than dimensions that the data span, because quadratic dynamics grow with their cube.

    Parameters
    ----------
    latent_dim : int or None
        None if it is yet to be chosen.
    span : int
        Number of dimensions that the data span.

    Raises
    ------
    RomValueError
        If there are more than `MAX_OVERCOMPLETE_DIM` latent states, and more than `span`.
    """
    if latent_dim is not None and span < latent_dim > MAX_OVERCOMPLETE_DIM:
        raise RomValueError(
            f"latent_dim is {latent_dim}, but the data span only {span} dimensions, and the number of quadratic terms in the "
            f"dynamics grows with its cube; take at most {MAX_OVERCOMPLETE_DIM}, or use rom.fit_autoencoder, which has no "
            "dynamics"
        )
