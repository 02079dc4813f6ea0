"""`rom.fit` with its defaults; nothing here depends on the problem."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np

import rom
from methods import Forecaster
from problems import Problem

FACTS = (
    "latent_dim", "rank", "steps", "best_step", "f_evaluations", "n_trajectories", "n_collocation", "n_trajectory_points",
    "n_fresh_points", "n_fresh_flows", "validation_error", "closed_form_validation_error", "seconds",
)  # fmt: skip


def fit(
    problem: Problem,
    latent_dim: int,
    seconds: float | None,
    seed: int,
    *,
    arrays_only: bool = False,
    trajectories: bool = True,
    config: rom.FitConfig = rom.FitConfig(),  # noqa: B008 - frozen
) -> Forecaster:
    """Fit a model with `rom.fit`.

    With `arrays_only` the system itself is not passed; with `trajectories=False` no trajectories are.
    """
    data = {}
    if trajectories:
        data["trajectories"] = (problem.times, problem.trajectories)
        if problem.parameters is not None:
            data["trajectories"] += (problem.parameters,)
    else:
        data["n_trajectories"] = 0
    if problem.collocation is not None:
        data["collocation"] = problem.collocation
    model = rom.fit(
        None if arrays_only else problem.system,
        **data,
        latent_dim=latent_dim,
        seed=seed,
        max_seconds=seconds,
        config=config,
        verbose=False,
    )

    facts = {name: float(model.history.attrs[name]) for name in FACTS}
    return Forecaster(forecaster(model), facts, Forecaster(forecaster(rom.closed_form_of(model))))


def forecaster(model: rom.ReducedOrderModel) -> Callable[..., np.ndarray]:
    """Return the forecast of a model as a function of arrays."""

    def forecast(initial: np.ndarray, times: np.ndarray, parameters: np.ndarray | None = None) -> np.ndarray:
        with warnings.catch_warnings():  # what diverges shows in its errors
            warnings.simplefilter("ignore", RuntimeWarning)
            return model.forecast(initial, times, parameters)["state"].values

    return forecast
