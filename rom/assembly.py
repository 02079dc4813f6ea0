"""Between the prepared data, the training and the finished model: moving to the device, measuring, keeping the record."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from rom.architecture import Networks
from rom.batches import CollocationTable, Rollouts, SnapshotTable
from rom.checkpoint import digest_of
from rom.clock import Clock
from rom.config import FitConfig, LossWeights
from rom.gathering import Material
from rom.in_space import prior_of
from rom.model import DOUBLE, EXACT, ModelState, ReducedOrderModel
from rom.objective import ForecastObjective, TrainingData
from rom.preparation import Prepared
from rom.push_forward import push_forward
from rom.region import fit_region
from rom.selection import MOST_STEPS, Selection, runge_kutta_step
from rom.training import Plan
from rom.training_record import Training, columns_of
from rom.validation import HeldOut, stretches

__all__ = ["assemble", "fingerprint", "to_device"]

CHUNK = 8192  # rows encoded at a time


def to_device(
    prepared: Prepared, selection: Selection, config: FitConfig, device: torch.device
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
    data = TrainingData(snapshots, table(prepared.points()), prepared.spreads, selection.substeps, selection.stride)
    pieces = stretches(prepared.held_out, selection.stride)
    held_out = replace(
        pieces,
        rollouts=[rollouts(group) for group in pieces.rollouts],
        collocation=table(prepared.held_out.collocation),
    )
    return data, held_out


def fingerprint(
    prepared: Prepared,
    selection: Selection,
    weights: LossWeights,
    config: FitConfig,
    seed: int,
    modules: Sequence[nn.Module] | None,
) -> str:
    """What a checkpoint must agree with: a digest of the data, the settings, the dimension, the seed and own `modules`."""
    settings = [weights.to_dict(), config.to_dict(), selection.closed_form.latent_dim, seed, repr(modules)]
    tensors = [prepared.states(), prepared.projection.basis, prepared.projection.mean, *prepared.rates()]
    tensors += [group.intervals for group in prepared.training]
    driving = [values for group in prepared.training for values in (group.parameters, group.forcing)]
    driving += [] if prepared.collocation is None else [prepared.collocation.parameters]
    return digest_of(settings, tensors, exact=driving)


def assemble(
    material: Material,
    prepared: Prepared,
    selection: Selection,
    curve: dict[int, float],
    networks: Networks,
    closed_form: Networks,
    training: Training,
    plan: Plan,
    objective: ForecastObjective,
    system: Any,
    clock: Clock,
) -> ReducedOrderModel:
    """The finished model: networks with the projection around them, the region they were trained in, and the record."""
    target = {"device": networks.encoder.linear.weight.device, "dtype": networks.encoder.linear.weight.dtype}
    regions = [fit_region(latent_states(n, prepared, target)).to(**target) for n in (networks, closed_form)]
    prior: dict[str, Any] = {}
    if material.layout.space is not None:
        prior = prior_of(material.layout, prepared.projection, prepared.states(), material.misfit)
    state = ModelState(
        prepared.projection.to(**target),
        networks,
        closed_form,
        *regions,
        **{
            name: torch.as_tensor(value, device=target["device"], dtype=DOUBLE if name in EXACT else target["dtype"])
            for name, value in {
                "time_scale": prepared.time_scale,
                "max_step": longest_step(networks, prepared, training, plan.seed),
                "residual_spread": residual_spread(networks, prepared, target),
                "parameter_mean": prepared.parameter_mean,
                "parameter_spread": prepared.parameter_spread,
                "parameter_range": prepared.parameter_range,
                **prior,
            }.items()
        },
    )
    history = record(material, prepared, selection, curve, training, plan, objective, system)
    history.attrs["seconds"] = clock.elapsed
    return ReducedOrderModel(state, material.layout, plan.config, history)


def longest_step(networks: Networks, prepared: Prepared, training: Training, seed: int) -> float:
    """The Runge-Kutta step of forecasts: by the accuracy of the fitted dynamics, not of those that training began with."""
    double = copy.deepcopy(networks).cpu().double()
    return runge_kutta_step(double, prepared, seed, MOST_STEPS if training.best.useless else math.inf)[2]


def latent_states(networks: Networks, prepared: Prepared, target: dict[str, Any]) -> np.ndarray:
    """Latent states (N, d) of all training states, in float64."""
    with torch.no_grad():
        parts = [networks.encoder(rows.to(**target)).double().cpu() for rows in prepared.states().split(CHUNK)]
    return torch.cat(parts).numpy()


def residual_spread(networks: Networks, prepared: Prepared, target: dict[str, Any]) -> np.ndarray:
    """Root mean square (d,) of dphi/dx f - h over the training data, never less than rounding."""
    squares, scales = [], []
    for states, derivatives, parameters in rows_of(prepared, target):
        with torch.no_grad():
            latent, velocity = push_forward(networks.encoder, states, derivatives)
            mismatch = velocity - networks.latent_dynamics(latent, parameters)
        squares.append(mismatch.double().square().cpu())
        scales.append(velocity.double().square().cpu())
    rounding = torch.finfo(target["dtype"]).eps * torch.cat(scales).mean(dim=0).sqrt().max()
    return torch.clamp(torch.cat(squares).mean(dim=0).sqrt(), min=float(rounding.clamp(min=1e-30))).numpy()


def rows_of(prepared: Prepared, target: dict[str, Any]) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
    """Collocation pairs, or else states of trajectories with spline derivatives, some at a time."""
    if prepared.collocation is not None:
        pairs = prepared.collocation
        columns = (pairs.coordinates, pairs.derivatives, pairs.parameters)
    else:
        states, derivatives, parameters = prepared.rates()
        columns = (states, derivatives, parameters if parameters.shape[1] else None)
    for k in range(0, len(columns[0]), CHUNK):
        states, derivatives, parameters = (None if c is None else c[k : k + CHUNK].to(**target) for c in columns)
        assert states is not None
        assert derivatives is not None
        yield states, derivatives, parameters


def record(
    material: Material,
    prepared: Prepared,
    selection: Selection,
    curve: dict[int, float],
    training: Training,
    plan: Plan,
    objective: ForecastObjective,
    system: Any,
) -> xr.Dataset:
    """The history: losses and validation error by `step`, error of closed-form models by `latent_dim`, facts as attributes."""
    rows = training.rows
    columns = columns_of(rows, "window")
    # Of the points on the way, those come first that were asked for by their count.
    n_passing = prepared.n_passing
    n_asked_for = 0 if material.wanted is None else min(n_passing, material.wanted.asked_for)
    n_fresh = objective.n_fresh_points
    columns["closed_form_error"] = ("latent_dim", list(curve.values()))
    attrs = {
        "system": "data" if system is None else system.name,
        "latent_dim": selection.closed_form.latent_dim,
        "rank": prepared.projection.rank,
        "lost_energy": prepared.projection.lost_energy,
        "validated_on": prepared.held_out.kind,
        "validation_error": training.best.error,
        "closed_form_validation_error": training.start.error,
        "ridge": selection.closed_form.ridge,
        "stopped": training.stopped,
        "interrupted": training.stopped == "interrupted",
        "steps": training.step,
        "best_step": training.best_step,
        "recoveries": training.recoveries,
        "training_seconds": training.seconds,
        "substeps": selection.substeps,
        "stride": selection.stride,
        "time_scale": prepared.time_scale,
        "trajectories": material.origin["trajectories"],
        "collocation": material.origin["collocation"],
        "n_trajectories": material.split.n_trajectories,
        "n_collocation": n_asked_for
        if material.collocation is None
        else len(material.collocation) - material.n_trajectory_points,
        "n_trajectory_points": material.n_trajectory_points + n_passing - n_asked_for,
        "n_spline_points": 0 if prepared.smooth is None else len(prepared.smooth),
        "n_fresh_points": n_fresh,
        "n_fresh_flows": sum(training.renewed),
        "f_evaluations": material.evaluations + n_passing + n_fresh,
        "seed": plan.seed,
        **({} if material.layout.space is None else {"lost_in_space": material.lost_in_space}),
        "weights": json.dumps(plan.weights.to_dict()),
    }
    coords = {"step": [row.step for row in rows], "latent_dim": list(curve)}
    return xr.Dataset(columns, coords, attrs=attrs)
