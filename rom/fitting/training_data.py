"""Training and held-out data on the device of the training, and fresh flows of the system."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

import systems
from rom.config import FitConfig
from rom.fitting.collect import FitData
from rom.fitting.initial_model import InitialModel
from rom.fitting.prepare import Prepared
from rom.training.batches import CollocationTable, Rollouts, SnapshotTable
from rom.training.forecast_objective import TrainingData
from rom.training.fresh_flows import FreshFlowSampler
from rom.training.validation import HeldOut, into_segments

__all__ = ["fresh_flows", "to_device"]


def to_device(
    prepared: Prepared, start: InitialModel, config: FitConfig, device: torch.device
) -> tuple[TrainingData, HeldOut]:
    """Training and held-out data in the dtype and on the device of the training."""
    target: dict[str, Any] = {"device": device, "dtype": getattr(torch, config.dtype)}

    def optional(values: Tensor | None) -> Tensor | None:
        return None if values is None else values.to(**target)

    def rollouts(group: Rollouts) -> Rollouts:
        columns = (group.intervals.to(**target), group.coordinates.to(**target))
        return Rollouts(*columns, optional(group.parameters), optional(group.forcing))

    def table(pairs: CollocationTable | None) -> CollocationTable | None:
        if pairs is None:
            return None
        return CollocationTable(
            pairs.coordinates.to(**target), pairs.derivatives.to(**target), optional(pairs.parameters)
        )

    snapshots = SnapshotTable.of([rollouts(group) for group in prepared.training]) if prepared.training else None
    data = TrainingData(snapshots, table(prepared.points()), prepared.spreads, start.step.substeps, start.step.stride)
    pieces = into_segments(prepared.held_out, start.step.stride)
    held_out = replace(
        pieces,
        rollouts=[rollouts(group) for group in pieces.rollouts],
        collocation=table(prepared.held_out.collocation),
    )
    return data, held_out


log = logging.getLogger("rom")

UNKNOWN_SPAN = 10.0  # natural times, of the flows of a black box without trajectories


def fresh_flows(
    system: systems.System | None,
    material: FitData,
    prepared: Prepared,
    interval: float,
    n_intervals: int,
    seed: int,
    limited: bool,
) -> FreshFlowSampler | None:
    """Renewal over the span of the training trajectories, in pieces of `n_intervals` of the scaled time `interval`.

    None without a system or collocation points to add to, and with parameters, inputs, or an f that depends on time.
    Of a black box, flows cost many values of f for each point, at a price that is not known: there are some only where
    initial states are known and time is `limited`.
    """
    if system is None or prepared.collocation is None or material.layout.parameters or material.layout.is_driven:
        return None
    if system.is_black_box and (system.sampler is None or not limited):
        return None
    groups = material.split.training
    if groups:
        span = max(float(np.ptp(g.times)) for g in groups)
    else:  # the default times of a black box are in nobody's unit
        span = UNKNOWN_SPAN * prepared.time_scale if system.is_black_box else float(np.ptp(system.default_times))
    step = min(interval * prepared.time_scale, 0.5 * span)
    n_intervals = max(1, min(n_intervals, int(span / step + 1e-6)))
    return FreshFlowSampler(
        system, prepared.projection, prepared.time_scale, step, n_intervals, span, len(prepared.collocation), seed
    )
