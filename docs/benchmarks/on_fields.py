"""One fit with a network on fields, or with the default network, and its figures."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import xarray as xr

import clock
import rom
import systems
from runs import Run
from thinning import thinned

__all__ = ["measured"]


def measured(
    system: systems.System,
    train: xr.Dataset,
    pairs: xr.Dataset,
    tests: xr.Dataset,
    run: Run,
    config: rom.FitConfig,
    latent_dim: int,
) -> dict[str, Any]:
    """Fit with the seed and the seconds of `run`, and return figures; errors are medians over `tests`."""
    started, used = time.perf_counter(), clock.seconds()
    model = rom.fit(
        system, trajectories=train, collocation=pairs, latent_dim=latent_dim, config=config, seed=run.seed,
        max_seconds=run.get("seconds"), verbose=False,
    )  # fmt: skip
    wall, used = time.perf_counter() - started, clock.seconds() - used
    closed_form = rom.closed_form_of(model)
    errors = rom.evaluate(model, tests)
    by_trajectory = errors["trajectory_relative_error"]
    truth = tests["state"].values
    subspace = projected(train["state"].values, truth, latent_dim)
    facts = model.history.attrs
    return {
        "forecast, fitted": float(by_trajectory.sel(rom="fitted").median()),
        "forecast, worst": float(by_trajectory.sel(rom="fitted").max()),
        "forecast, closed form": float(by_trajectory.sel(rom="closed_form").median()),
        "reconstruction, fitted": relative_error(reconstructed(model, truth), truth),
        "reconstruction, closed form": relative_error(reconstructed(closed_form, truth), truth),
        "reconstruction, subspace": relative_error(subspace, truth),
        "training seconds": facts["training_seconds"],
        "fit seconds": wall,
        "processor seconds": used,
        "steps": facts["steps"],
        "POD rank": model.rank,
        "weights": model.n_weights["encoder"] + model.n_weights["decoder"],
        "validation error": facts["validation_error"],
        "validation error, closed form": facts["closed_form_validation_error"],
        "times": thinned(tests["time"].values, 51),
        "error by time, fitted": thinned(errors["relative_error"].sel(rom="fitted").values, 51),
        "error by time, closed form": thinned(errors["relative_error"].sel(rom="closed_form").values, 51),
    } | ({} if run.seed else pictures(model, tests))


def reconstructed(model: rom.ReducedOrderModel, states: np.ndarray) -> np.ndarray:
    """Return psi(phi(x)) of states (trajectory, time, *shape)."""
    return np.stack([model.decode(model.encode(some)) for some in states])


def relative_error(approximation: np.ndarray, states: np.ndarray) -> float:
    """Return the relative error over all times of a trajectory, median over trajectories."""
    axes = tuple(range(1, states.ndim))
    return float(np.median(np.sqrt(((approximation - states) ** 2).sum(axes) / (states**2).sum(axes))))


def projected(train: np.ndarray, states: np.ndarray, d: int) -> np.ndarray:
    """Project `states` onto the first d POD modes of the training states."""
    rows = train.reshape(train.shape[0] * train.shape[1], -1)
    mean = rows.mean(axis=0)
    rows = rows - mean
    if len(rows) > rows.shape[1]:
        basis = np.linalg.eigh(rows.T @ rows)[1][:, -d:]
    else:
        basis = np.linalg.qr(rows.T @ np.linalg.eigh(rows @ rows.T)[1][:, -d:])[0]
    flat = states.reshape(*states.shape[:2], -1) - mean
    return (mean + flat @ basis @ basis.T).reshape(states.shape)


def pictures(model: rom.ReducedOrderModel, tests: xr.Dataset) -> dict[str, Any]:
    """Return the first field of the first test at three times: the truth and the forecast."""
    first = tests.isel(trajectory=0)
    forecast = model.forecast(first["state"][0], first["time"].values)
    some = [0, len(first["time"]) // 2, -1]
    truth, guess = (x["state"].values[some] for x in (first, forecast))
    if "component" in tests["state"].dims:
        truth, guess = truth[:, 0], guess[:, 0]
    if truth.ndim == 3:  # on a grid of two dimensions every second point is enough
        truth, guess = truth[:, ::2, ::2], guess[:, ::2, ::2]
    return {"pictures": {"times": first["time"].values[some], "truth": truth, "forecast": guess}}
