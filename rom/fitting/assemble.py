"""Build the finished model: the networks, the region they were trained in, the step of forecasts, and the history."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

import systems
from rom.data.codec import codec_type
from rom.fitting.collect import FitData
from rom.fitting.history import forecast_history
from rom.fitting.initial_model import InitialModel
from rom.fitting.prepare import Prepared
from rom.fitting.step_size import MAX_STEPS_OF_FAILED_FIT, choose_step_size
from rom.models.closed_form import closed_form_networks
from rom.models.modules import DOUBLE, EXACT, ModelState
from rom.models.reduced_order_model import ReducedOrderModel
from rom.models.validity import fit_training_region
from rom.networks.encoder_decoder import Networks
from rom.networks.jvp import push_forward
from rom.training.forecast_objective import ForecastObjective
from rom.training.record import TrainingRecord
from rom.training.run import FitRun

__all__ = ["build_model"]

CHUNK = 8192  # rows encoded at a time


def build_model(
    system: systems.System | None,
    data: FitData,
    prepared: Prepared,
    start: InitialModel,
    networks: Networks,
    objective: ForecastObjective,
    record: TrainingRecord,
    run: FitRun,
) -> ReducedOrderModel:
    """Put the trained networks, the projection around them and the history together.

    Parameters
    ----------
    system : systems.System or None
        The known dynamics, for their name.
    data : FitData
        The data as they were collected.
    prepared : Prepared
        The same in POD coordinates.
    start : InitialModel
        The closed-form model, which stays beside the networks.
    networks : Networks
        The trained networks.
    objective : ForecastObjective
        It knows how many points fresh flows added.
    record : TrainingRecord
        How the training went.
    run : FitRun
        Settings of the fit.

    Returns
    -------
    ReducedOrderModel
        The finished model.
    """
    networks.posterior = None  # used in training only
    closed_form = closed_form_networks(run.config, start.closed_form).to(run.device)
    target = {"device": run.device, "dtype": run.dtype}
    regions = [fit_training_region(latent_states(n, prepared, target)).to(**target) for n in (networks, closed_form)]
    numbers: dict[str, Any] = {
        "time_scale": prepared.time_scale,
        "max_step": longest_step(networks, prepared, record, run.seed),
        "residual_spread": residual_spread(networks, prepared, target),
        "parameter_mean": prepared.input_scaling.mean,
        "parameter_spread": prepared.input_scaling.spread,
        "parameter_range": prepared.input_scaling.limits,
    }
    codec = codec_type(data.layout)
    numbers |= codec.fit_buffers(data.layout, prepared.projection, prepared.states(), data.misfit)
    buffers = {
        name: torch.as_tensor(value, device=run.device, dtype=DOUBLE if name in EXACT else run.dtype)
        for name, value in numbers.items()
    }
    state = ModelState(prepared.projection.to(**target), networks, closed_form, *regions, **buffers)
    history = forecast_history(system, data, prepared, start, objective, record, run)
    return ReducedOrderModel(state, data.layout, run.config, history)


def longest_step(networks: Networks, prepared: Prepared, record: TrainingRecord, seed: int) -> float:
    """Return the Runge-Kutta step of forecasts, by the accuracy of the fitted dynamics, not of the closed form's."""
    double = copy.deepcopy(networks).cpu().double()
    bound = MAX_STEPS_OF_FAILED_FIT if record.best.useless else math.inf
    return choose_step_size(double, prepared, seed, bound).max_step


def latent_states(networks: Networks, prepared: Prepared, target: dict[str, Any]) -> np.ndarray:
    """Return the latent states (N, d) of all training states, in float64."""
    with torch.no_grad():
        parts = [networks.encoder(rows.to(**target)).double().cpu() for rows in prepared.states().split(CHUNK)]
    return torch.cat(parts).numpy()


def residual_spread(networks: Networks, prepared: Prepared, target: dict[str, Any]) -> np.ndarray:
    """Return the root mean square (d,) of dphi/dx f - h over the training data, at least that of rounding."""
    squares, scales = [], []
    for states, derivatives, parameters in rows_of(prepared, target):
        with torch.no_grad():
            latent, velocity = push_forward(networks.encoder, states, derivatives)
            mismatch = velocity - networks.latent_dynamics(latent, parameters)
        squares.append(mismatch.double().square().cpu())
        scales.append(velocity.double().square().cpu())
    rounding = torch.finfo(target["dtype"]).eps * torch.cat(scales).mean(dim=0).sqrt().max()
    return torch.clamp(torch.cat(squares).mean(dim=0).sqrt(), min=float(rounding.clamp(min=1e-30))).numpy()


def rows_of(prepared: Prepared, target: dict[str, Any]) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Iterate over collocation pairs, or else states of trajectories with spline derivatives, some at a time."""
    if prepared.collocation is not None:
        pairs = prepared.collocation
        columns = (pairs.coordinates, pairs.derivatives, pairs.parameters)
    else:
        columns = prepared.rates()
    for k in range(0, len(columns[0]), CHUNK):
        states, derivatives, parameters = (column[k : k + CHUNK].to(**target) for column in columns)
        yield states, derivatives, parameters
