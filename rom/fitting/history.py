"""The history of a fit as a Dataset."""

from __future__ import annotations

import json

import xarray as xr

import systems
from rom.fitting.collect import FitData
from rom.fitting.initial_model import InitialModel
from rom.fitting.prepare import Prepared
from rom.training.forecast_objective import ForecastObjective
from rom.training.record import TrainingRecord, columns_of
from rom.training.run import FitRun


def history_of_fit(
    system: systems.System | None,
    data: FitData,
    prepared: Prepared,
    start: InitialModel,
    objective: ForecastObjective,
    record: TrainingRecord,
    run: FitRun,
) -> xr.Dataset:
    """The history: losses and validation error by `step`, error of closed-form models by `latent_dim`, facts as attributes."""
    rows = record.rows
    columns = columns_of(rows, "window")
    # Of the points on the way, those come first that were asked for by their count.
    n_passing = prepared.n_passing
    n_asked_for = 0 if data.rhs_request is None else min(n_passing, data.rhs_request.asked_for)
    n_fresh = objective.n_fresh_points
    columns["closed_form_error"] = ("latent_dim", list(start.errors.values()))
    attrs = {
        "system": "data" if system is None else system.name,
        "latent_dim": start.closed_form.latent_dim,
        "rank": prepared.projection.rank,
        "lost_energy": prepared.projection.lost_energy,
        "validated_on": prepared.held_out.kind,
        "validation_error": record.best.error,
        "closed_form_validation_error": record.start.error,
        "ridge": start.closed_form.ridge,
        "stopped": record.stopped,
        "interrupted": record.stopped == "interrupted",
        "steps": record.step,
        "best_step": record.best_step,
        "recoveries": record.recoveries,
        "training_seconds": record.seconds,
        "substeps": start.step.substeps,
        "stride": start.step.stride,
        "time_scale": prepared.time_scale,
        "trajectories": data.origin["trajectories"],
        "collocation": data.origin["collocation"],
        "n_trajectories": data.split.n_trajectories,
        "n_collocation": n_asked_for if data.collocation is None else len(data.collocation) - data.n_trajectory_points,
        "n_trajectory_points": data.n_trajectory_points + n_passing - n_asked_for,
        "n_spline_points": 0 if prepared.smooth is None else len(prepared.smooth),
        "n_fresh_points": n_fresh,
        "n_fresh_flows": sum(record.renewed),
        "f_evaluations": data.evaluations + n_passing + n_fresh,
        "seed": run.seed,
        **({} if data.layout.space is None else {"lost_in_space": data.lost_in_space}),
        "weights": json.dumps(run.weights.to_dict()),
    }
    coords = {"step": [row.step for row in rows], "latent_dim": list(start.errors)}
    return xr.Dataset(columns, coords, attrs=attrs)
