"""Between the prepared data, the training and the finished model: moving to the device, measuring, keeping the record."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rom.data.gappy_pod import prior_of
from rom.fitting.collect import FitData
from rom.fitting.history import record
from rom.fitting.initial_model import InitialModel
from rom.fitting.prepare import Prepared
from rom.fitting.step_size import MAX_STEPS_OF_FAILED_FIT, choose_step_size
from rom.models.reduced_order_model import DOUBLE, EXACT, ModelState, ReducedOrderModel
from rom.models.validity import fit_training_region
from rom.networks.encoder_decoder import Networks
from rom.networks.jvp import push_forward
from rom.training.checkpoint import digest_of
from rom.training.forecast_objective import ForecastObjective
from rom.training.record import TrainingRecord
from rom.training.run import FitRun

__all__ = ["build_model", "fingerprint"]

CHUNK = 8192  # rows encoded at a time


def fingerprint(
    prepared: Prepared,
    start: InitialModel,
    run: FitRun,
    modules: Sequence[nn.Module] | None,
) -> str:
    """What a checkpoint must agree with: a digest of the data, the settings, the dimension, the seed and own `modules`."""
    settings = [run.weights.to_dict(), run.config.to_dict(), start.closed_form.latent_dim, run.seed, repr(modules)]
    tensors = [prepared.states(), prepared.projection.basis, prepared.projection.mean, *prepared.rates()]
    tensors += [group.intervals for group in prepared.training]
    driving = [values for group in prepared.training for values in (group.parameters, group.forcing)]
    driving += [] if prepared.collocation is None else [prepared.collocation.parameters]
    return digest_of(settings, tensors, exact=driving)


def build_model(
    material: FitData,
    prepared: Prepared,
    start: InitialModel,
    networks: Networks,
    closed_form: Networks,
    training: TrainingRecord,
    run: FitRun,
    objective: ForecastObjective,
    system: Any,
) -> ReducedOrderModel:
    """The finished model: networks with the projection around them, the region they were trained in, and the record."""
    target = {"device": networks.encoder.linear.weight.device, "dtype": networks.encoder.linear.weight.dtype}
    regions = [fit_training_region(latent_states(n, prepared, target)).to(**target) for n in (networks, closed_form)]
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
                "max_step": longest_step(networks, prepared, training, run.seed),
                "residual_spread": residual_spread(networks, prepared, target),
                "parameter_mean": prepared.parameter_mean,
                "parameter_spread": prepared.parameter_spread,
                "parameter_range": prepared.parameter_range,
                **prior,
            }.items()
        },
    )
    history = record(material, prepared, start, training, run, objective, system)
    history.attrs["seconds"] = run.budget.elapsed
    return ReducedOrderModel(state, material.layout, run.config, history)


def longest_step(networks: Networks, prepared: Prepared, training: TrainingRecord, seed: int) -> float:
    """The Runge-Kutta step of forecasts: by the accuracy of the fitted dynamics, not of those that training began with."""
    double = copy.deepcopy(networks).cpu().double()
    bound = MAX_STEPS_OF_FAILED_FIT if training.best.useless else math.inf
    return choose_step_size(double, prepared, seed, bound).max_step


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
