"""The objective of a fit: training and held-out data on the device, and fresh flows of the system."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

import systems
from rom.fitting.collect import FitData
from rom.fitting.initial_model import InitialModel
from rom.fitting.prepare import Prepared
from rom.training.batches import CollocationTable, SnapshotTable
from rom.training.forecast_objective import ForecastObjective, TrainingData, window_steps
from rom.training.fresh_flows import FreshFlowSampler
from rom.training.run import FitRun
from rom.training.validation import HeldOut, into_segments

__all__ = ["forecast_objective"]

UNKNOWN_SPAN = 10.0  # natural times that flows of a black box without trajectories cover


def forecast_objective(
    system: systems.System | None, data: FitData, prepared: Prepared, start: InitialModel, run: FitRun
) -> ForecastObjective:
    """Build what the training of a fit minimises.

    Parameters
    ----------
    system : systems.System or None
        The known dynamics, of which flows are drawn during training if `FitConfig.evaluate_system` allows it.
    data : FitData
        The data of the fit as they were collected.
    prepared : Prepared
        The same in POD coordinates and scaled time.
    start : InitialModel
        The closed-form model and the Runge-Kutta step that it allows.
    run : FitRun
        Configuration, weights, seed and device.

    Returns
    -------
    ForecastObjective
        Losses and validation on data that are on the device.
    """
    training, held_out = to_device(prepared, start, run)
    flows = fresh_flows(system, data, prepared, start, run) if run.config.evaluate_system else None
    return ForecastObjective(training, held_out, run.weights, run.config, flows, data.layout.n_states)


def to_device(prepared: Prepared, start: InitialModel, run: FitRun) -> tuple[TrainingData, HeldOut]:
    """Move training and held-out data to the device, in the dtype of the training."""
    target: dict[str, Any] = {"device": run.device, "dtype": run.dtype}

    def table(pairs: CollocationTable | None) -> CollocationTable | None:
        return None if pairs is None else pairs.to(**target)

    snapshots = SnapshotTable.of([group.to(**target) for group in prepared.training]) if prepared.training else None
    data = TrainingData(
        snapshots, table(prepared.physics_points()), prepared.loss_scales, start.step.substeps, start.step.stride
    )
    pieces = into_segments(prepared.held_out, start.step.stride)
    held_out = replace(
        pieces,
        rollouts=[group.to(**target) for group in pieces.rollouts],
        collocation=table(prepared.held_out.collocation),
    )
    return data, held_out


def fresh_flows(
    system: systems.System | None, data: FitData, prepared: Prepared, start: InitialModel, run: FitRun
) -> FreshFlowSampler | None:
    """Make the sampler of flows that join the training data, over the span of the training trajectories.

    Returns
    -------
    FreshFlowSampler or None
        None without a system or collocation points to add to, and with parameters, inputs, or an f that depends on
        time. Flows of a black box take many evaluations of f for each point, at an unknown cost: they are drawn only
        if its sampler gives initial states and `max_seconds` limits the time.
    """
    if system is None or prepared.collocation is None or data.layout.parameters or data.layout.is_driven:
        return None
    if system.is_black_box and (system.sampler is None or run.budget.limit is None):
        return None
    groups = data.split.training
    if groups:
        span = max(float(np.ptp(g.times)) for g in groups)
    else:  # the default times of a black box have no known unit
        span = UNKNOWN_SPAN * prepared.time_scale if system.is_black_box else float(np.ptp(system.default_times))
    interval = start.step.max_step * start.step.substeps * prepared.time_scale
    step = min(interval, 0.5 * span)
    n_intervals = window_steps(run.config.window, start.step.stride)
    n_intervals = max(1, min(n_intervals, int(span / step + 1e-6)))
    count = len(prepared.collocation)
    return FreshFlowSampler(system, prepared.projection, prepared.time_scale, step, n_intervals, span, count, run.seed)
