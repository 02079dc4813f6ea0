"""The history of a fit: what a user can read about it afterwards."""

from __future__ import annotations

import json
from typing import Any

import xarray as xr

import systems
from rom.data.samples import PositionInfo, Samples
from rom.fitting.collect import FitData
from rom.fitting.initial_model import InitialModel
from rom.fitting.prepare import Prepared
from rom.reduction.pod import Projection
from rom.training.forecast_objective import ForecastObjective
from rom.training.objective import Objective
from rom.training.record import TrainingRecord
from rom.training.run import FitRun

__all__ = ["autoencoder_history", "forecast_history"]


def training_history(
    objective: Objective, record: TrainingRecord, run: FitRun, projection: Projection, latent_dim: int
) -> xr.Dataset:
    """Return what the histories of all fits have in common.

    Returns
    -------
    xarray.Dataset
        Losses, validation errors, learning rate and time by ``step``, and facts about the training as attributes.
    """
    rows = record.rows
    names = list(rows[0].losses) if rows else []
    columns: dict[str, Any] = {f"loss_{name}": ("step", [row.losses[name] for row in rows]) for name in names}
    for name in ("validation_error", "best_validation_error", "learning_rate", "seconds"):
        columns[name] = ("step", [getattr(row, name) for row in rows])
    attrs = {
        "latent_dim": latent_dim,
        "rank": projection.rank,
        "lost_energy": projection.lost_energy,
        "validated_on": objective.validated_on,
        "validation_error": record.best.error,
        "closed_form_validation_error": record.start.error,
        "stopped": record.stopped,
        "interrupted": record.stopped == "interrupted",
        "steps": record.step,
        "best_step": record.best_step,
        "seed": run.seed,
        "weights": json.dumps(run.weights.to_dict()),
        "seconds": run.budget.elapsed,
    }
    return xr.Dataset(columns, {"step": [row.step for row in rows]}, attrs=attrs)


def forecast_history(
    system: systems.System | None,
    data: FitData,
    prepared: Prepared,
    start: InitialModel,
    objective: ForecastObjective,
    record: TrainingRecord,
    run: FitRun,
) -> xr.Dataset:
    """Return the history of a model with latent dynamics.

    Returns
    -------
    xarray.Dataset
        The history of the training, the length of windows by ``step``, errors of closed-form models by ``latent_dim``,
        and the numbers of trajectories, points and evaluations of f as attributes.
    """
    history = training_history(objective, record, run, prepared.projection, start.closed_form.latent_dim)
    history["window"] = ("step", [row.window for row in record.rows])
    history = history.assign_coords(latent_dim=list(start.errors))
    history["closed_form_error"] = ("latent_dim", list(start.errors.values()))
    n_streamed, n_fresh = prepared.n_streamed, objective.n_fresh_points
    # Of the points evaluated while states were projected, the first are those that were asked for by their count.
    n_requested = 0 if data.rhs_request is None else min(n_streamed, data.rhs_request.asked_for)
    n_collocation = n_requested if data.collocation is None else len(data.collocation) - data.n_trajectory_points
    history.attrs |= {
        "system": "data" if system is None else system.name,
        "ridge": start.closed_form.ridge,
        "recoveries": record.recoveries,
        "training_seconds": record.seconds,
        "substeps": start.step.substeps,
        "stride": start.step.stride,
        "time_scale": prepared.time_scale,
        "trajectories": data.origin["trajectories"],
        "collocation": data.origin["collocation"],
        "n_trajectories": data.split.n_trajectories,
        "n_collocation": n_collocation,
        "n_trajectory_points": data.n_trajectory_points + n_streamed - n_requested,
        "n_spline_points": 0 if prepared.spline_points is None else len(prepared.spline_points),
        "n_fresh_points": n_fresh,
        "n_fresh_flows": sum(record.renewed),
        "f_evaluations": data.evaluations + n_streamed + n_fresh,
    }
    if data.layout.space is not None:
        history.attrs["lost_in_space"] = data.lost_in_space
    return history


def autoencoder_history(
    samples: Samples,
    projection: Projection,
    objective: Objective,
    record: TrainingRecord,
    run: FitRun,
    *,
    latent_dim: int,
    start: str,
    errors: tuple[float, float],
) -> xr.Dataset:
    """Return the history of an autoencoder without dynamics.

    Parameters
    ----------
    samples : Samples
        The data of the fit.
    projection : Projection
        POD of the training samples.
    objective : Objective
        What was minimised.
    record : TrainingRecord
        The training.
    run : FitRun
        Settings of the fit.
    latent_dim : int
        Number of latent coordinates.
    start : str
        Where training started.
    errors : tuple of float
        Reconstruction errors of the autoencoder and of its closed form.

    Returns
    -------
    xarray.Dataset
        The history of the training, the use of each sample by ``sample``, and facts about the data as attributes.
    """
    history = training_history(objective, record, run, projection, latent_dim)
    history["part"] = ("sample", samples.part, {"flag_meanings": "training validating calibrating"})
    error, closed_form_error = errors
    history.attrs |= {
        "reconstruction_error": error,
        "closed_form_reconstruction_error": closed_form_error,
        "start": start,
        "variational": int(run.weights.variational > 0.0),
        "denoising": int(run.weights.denoising > 0.0),
        "n_samples": len(samples.training),
        "calibrating_groups": samples.n_groups,
    }
    if samples.seen is not None:
        history.attrs |= position_facts(samples.seen)
    return history


def position_facts(positions: PositionInfo) -> dict[str, Any]:
    """Return what the history tells of samples at positions."""
    return {
        "lost_in_space": positions.lost,
        "sample_dims": json.dumps(positions.dims),
        "n_position_dims": positions.n_position_dims,
    }
