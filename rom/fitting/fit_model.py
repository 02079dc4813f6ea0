"""rom.fit: the story of the whole package, from known dynamics and data to a reduced-order model."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from rom.config import FitConfig, LossWeights
from rom.data.layout import Layout
from rom.fitting.arguments import create_run, require_dimension, require_field, require_rank
from rom.fitting.assemble import build_model, fingerprint
from rom.fitting.collect import FitData, collect_data
from rom.fitting.initial_model import choose_initial_model, require_affordable
from rom.fitting.prepare import Prepared, prepare
from rom.fitting.training_data import fresh_flows, to_device
from rom.models.build import add_posterior, build_networks, closed_form_networks, init_from_closed_form, require_network
from rom.models.reduced_order_model import ReducedOrderModel
from rom.networks.field_correction import attach
from rom.networks.user_modules import check_user_modules
from rom.training.forecast_objective import ForecastObjective, window_steps
from rom.training.loop import expected_correction, train
from rom.training.record import Progress
from rom.utils.errors import RomValueError

__all__ = ["fit"]


def fit(
    system: Any,
    n_collocation: int | None = None,
    *,
    trajectories: Any = None,
    n_trajectories: int | None = None,
    collocation: Any = None,
    latent_dim: int | str = "auto",
    weights: LossWeights = LossWeights(),  # noqa: B008 - frozen
    config: FitConfig = FitConfig(),  # noqa: B008 - frozen
    modules: tuple[nn.Module, nn.Module] | None = None,
    seed: int = 0,
    device: str | torch.device = "auto",
    max_seconds: float | None = None,
    checkpoint: str | os.PathLike | None = None,
    callbacks: Sequence[Callable[[Progress], Any]] = (),
    verbose: bool | None = None,
) -> ReducedOrderModel:
    """Fit a reduced-order model to known dynamics, to data, or to both.

    Everyday arguments
        system: a `systems.System`, or None when data are passed.
        n_collocation: number of collocation points to evaluate f at; 0 for none.
        trajectories: a Dataset with `state` (trajectory, time, *dims), or with fields (trajectory, time, ...) under names of
            their own, without `trajectory` for one run; a list of such; or arrays (times, states),
            (times, states, parameters) or (times, states, parameters, inputs) with shapes (time,),
            (trajectory, time, *shape), (trajectory, p) and (trajectory, time, m). Inputs u(t) are known at the times of the
            snapshots; a Dataset holds them as `inputs` (trajectory, time, input).
        n_trajectories: number of trajectories to simulate; 0 for none.
        collocation: a Dataset with `state` and `time_derivative` (point, *dims), two Datasets of fields (point, ...) for
            states and time derivatives, or arrays (states, time_derivatives),
            (states, time_derivatives, parameters) or (states, time_derivatives, parameters, inputs) with shapes
            (point, *shape), (point, p) and (point, m).
        Trajectories and collocation on differing, moving or scattered positions are lists of Datasets, which
            `config=FitConfig(space=rom.Coordinate())` makes one model of; they are read into memory.
        latent_dim: d, or "auto" to choose it from closed-form models on held-out data. More than a state has components only
            with a weight for `sparse` or `sparse_kl`.
        max_seconds: wall clock of the whole call; the training is laid out for what simulation leaves of it.

    What is passed is used as it is. What is missing is made only when its count is given, or when no data of either
    kind were passed. Collocation states come from the system's sampler, or lie near the trajectories.
    With a system and collocation points, f is evaluated at further states: at those of the training trajectories, at
    most as often as there are points; and eight times while training goes on at as many fresh ones along flows from
    new initial states, of a black box only with `max_seconds`, a fiftieth of which they may take each time. `history`
    counts these states (not what integrating the flows takes), and the few that tell whether f is autonomous and
    agrees with what was given; `FitConfig(evaluate_system=False)` forbids all of them. Where f is not asked along
    given trajectories, the physics there is that of a spline through the snapshots, where these are smooth and change
    about as fast as the points nearby. Given trajectories of which more than a twentieth of the variance is noise are
    set aside, with a warning, where there are collocation points.

    Further arguments
        weights, config: of the losses, and everything else about networks and training.
        modules: an encoder (B, *shape) to (B, d) and a decoder (B, d) to (B, *shape) of your own, in place of the networks of
            `config`; copies of them learn what the closed form leaves. They see standardised states. Not with
            `FitConfig.space`, whose states are coefficients.
        seed: of all random choices. device: "auto", "cpu", "cuda", or a torch device.
        checkpoint: a file for the state of the training; the same call resumes from it.
        callbacks: called with a `Progress` at each look at the held-out data; one that returns True ends the training.
        verbose: a progress bar; by default on a terminal only.

    Returns the best model seen on held-out trajectories and held-out collocation points together (with fewer than four
    trajectories, on points alone; without either, on the training data: `history` says which). Training starts from the
    closed-form model (POD, quadratic manifold, operator inference), which is one of those that are compared; should the
    best one forecast the held-out trajectories less well than that, a warning says so. Ctrl-C ends the training and
    returns the best model so far.

    Trajectories may be lazy (`systems.open_trajectories`, or any Dataset with dask arrays), and larger than memory. No more
    is held than about six blocks, of 64 MiB in float64 or one chunk; three times the POD basis, r states; the POD
    coordinates of all states, up to eight times; and the collocation points that were passed or come from a sampler, 16
    bytes a component. Training trajectories are read twice, held-out ones once.

    Sources: Sholokhov, Liu, Mansour & Nabi 2023 (physics-informed neural ODE); Lee & Parish 2021 (parameters); the closed
    form as in `rom/reduction/operator_inference.py`. Times and parameters are in the units of the data.

    Raises `RomValueError` or `RomTypeError` for arguments and data that cannot be used, `systems.SystemsError` for a
    system that fails or a file that is gone or damaged, `RomReadError` where a computation of dask fails.
    """
    run = create_run(
        latent_dim=latent_dim,
        weights=weights,
        config=config,
        seed=seed,
        device=device,
        max_seconds=max_seconds,
        checkpoint=checkpoint,
        callbacks=callbacks,
        verbose=verbose,
    )
    if config.space is not None:  # f takes states on its own grid, not coefficients
        run = replace(run, config=replace(config, evaluate_system=False))
    config, seed, clock = run.config, run.seed, run.budget
    dimension = None if latent_dim == "auto" else int(latent_dim)
    require_dimension(dimension, getattr(system, "n_states", None) if config.space is None else None, weights)
    if modules is not None and dimension is None:
        raise RomValueError("modules: they have one latent dimension; say which with latent_dim=...")
    require_field(modules, config)

    def accept(layout: Layout) -> None:
        require_dimension(dimension, layout.n_states, weights)
        require_affordable(dimension, layout.n_states)
        check_user_modules(modules, layout, dimension or 1)
        require_network(config, layout)

    material = collect_data(
        system, n_collocation, trajectories, n_trajectories, collocation, config, seed, clock, run.verbose, accept
    )
    require_weight(material, weights)
    started = clock.elapsed
    prepared = prepare(material, config, min_rank=dimension or 1)
    preparation = clock.elapsed - started
    if modules is not None and not weights.over_complete:
        require_rank(prepared.projection.rank, int(latent_dim))
    start = choose_initial_model(prepared, dimension, run)

    networks = build_networks(
        config,
        prepared.projection.rank,
        start.closed_form.latent_dim,
        n_parameters(prepared),
        seed,
        material.layout,
        check_user_modules(modules, material.layout, start.closed_form.latent_dim),
    )
    attach(networks, prepared.projection.basis)
    states, parameters = prepared.with_parameters()
    correction = expected_correction(start.error)
    init_from_closed_form(networks, start.closed_form, states, parameters, gain=correction)
    if weights.variational > 0.0:
        add_posterior(networks, config, states, seed)
    networks.to(run.device)

    data, held_out = to_device(prepared, start, config, run.device)
    renewal = fresh_flows(
        system if config.evaluate_system else None,
        material,
        prepared,
        start.step.max_step * start.step.substeps,
        window_steps(config.window, start.step.stride),
        seed,
        limited=max_seconds is not None,
    )
    objective = ForecastObjective(data, held_out, weights, config, renewal, material.layout.n_states)
    training = train(
        networks,
        objective,
        run,
        correction=correction,
        fingerprint="" if run.checkpoint is None else fingerprint(prepared, start, run, modules),
        seconds=clock.for_training(preparation),
    )
    networks.posterior = None
    reference = closed_form_networks(config, start.closed_form).to(run.device)
    return build_model(material, prepared, start, networks, reference, training, run, objective, system)


def require_weight(material: FitData, weights: LossWeights) -> None:
    """Refuse weights under which no data count."""
    of_data = weights.reconstruction + weights.prediction if material.split.n_trajectories else 0.0
    physics = (weights.latent_physics, weights.decoded_physics, weights.collocation_reconstruction)
    has_points = material.collocation is not None or material.wanted is not None
    if of_data + (sum(physics) if has_points else 0.0) <= 0.0:
        raise RomValueError(
            "weights are zero for all losses of the data that there are (regularisers alone make no model); give one of them a "
            "positive weight"
        )


def n_parameters(prepared: Prepared) -> int:
    return len(prepared.parameter_mean)
