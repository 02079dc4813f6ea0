"""`rom.fit`: from known dynamics and data to a reduced-order model."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from rom.config import FitConfig, LossWeights
from rom.data.trajectories import CollocationLike, TrajectoriesLike
from rom.fitting.arguments import (
    check_data_request,
    check_latent_dim,
    check_modules,
    check_networks,
    check_weights,
    create_run,
    require_dimension,
    require_rank,
)
from rom.fitting.assemble import build_model
from rom.fitting.collect import collect_data
from rom.fitting.fingerprint import fingerprint
from rom.fitting.given_data import read_given_data
from rom.fitting.initial_model import choose_initial_model
from rom.fitting.initial_networks import initial_networks
from rom.fitting.prepare import prepare
from rom.fitting.training_data import forecast_objective
from rom.models.reduced_order_model import ReducedOrderModel
from rom.training.loop import train
from rom.training.optimiser import expected_correction
from rom.training.record import Progress

__all__ = ["fit"]


def fit(
    system: Any,
    n_collocation: int | None = None,
    *,
    trajectories: TrajectoriesLike | None = None,
    n_trajectories: int | None = None,
    collocation: CollocationLike | None = None,
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

    Training starts from the classical model in closed form (POD, quadratic manifold, operator inference). The best
    model on held-out data is returned; the closed-form model is one of those that are compared.

    Parameters
    ----------
    system : systems.System or None
        The known dynamics dx/dt = f(x; mu, t). None if data are passed and f is not known.
    n_collocation : int, optional
        Number of collocation points at which f is evaluated; 0 for none. The points come from the system's sampler, or
        lie near the trajectories.
    trajectories : xarray.Dataset, list of Dataset, or tuple of arrays, optional
        Trajectories to learn from: a Dataset with `state` ``(trajectory, time, *dims)``, or with several fields
        ``(trajectory, time, ...)`` under names of their own; without the dimension `trajectory` for a single run. Or
        arrays ``(times, states)``, ``(times, states, parameters)`` or ``(times, states, parameters, inputs)`` with
        shapes ``(time,)``, ``(trajectory, time, *shape)``, ``(trajectory, p)`` and ``(trajectory, time, m)``. A Dataset
        holds inputs u(t) as `inputs` ``(trajectory, time, input)``. They may be lazy (`systems.open_trajectories`, or
        dask arrays) and larger than memory.
    n_trajectories : int, optional
        Number of trajectories to simulate; 0 for none.
    collocation : xarray.Dataset, tuple of Datasets, or tuple of arrays, optional
        Collocation pairs: a Dataset with `state` and `time_derivative` ``(point, *dims)``; two Datasets of fields for
        states and time derivatives; or arrays ``(states, time_derivatives)``, ``(states, time_derivatives,
        parameters)`` or ``(states, time_derivatives, parameters, inputs)`` with shapes ``(point, *shape)``,
        ``(point, p)`` and ``(point, m)``.
    latent_dim : int or "auto"
        Latent dimension d. "auto" chooses it with closed-form models on held-out data. More than a state has components
        only with a positive weight for `sparse` or `sparse_kl`.
    weights : LossWeights
        Weights of the losses.
    config : FitConfig
        Everything else about networks and training.
    modules : tuple of torch.nn.Module, optional
        Your own encoder ``(B, *shape)`` to ``(B, d)`` and decoder ``(B, d)`` to ``(B, *shape)``, which see standardised
        states. Copies of them are trained; they correct the closed-form model.
    seed : int
        Seed of all random choices.
    device : str or torch.device
        "auto" (CUDA if there is one), "cpu", "cuda", or a torch device.
    max_seconds : float, optional
        Wall-clock limit of the whole call, in seconds. Training uses the time that simulation leaves.
    checkpoint : path, optional
        File for the state of the training. The same call resumes from it.
    callbacks : sequence of callable
        Called with a `Progress` at each validation. One that returns True ends the training.
    verbose : bool, optional
        Show a progress bar. By default only on a terminal.

    Returns
    -------
    ReducedOrderModel
        The best model on held-out trajectories and held-out collocation points together. With fewer than four
        trajectories the points alone decide; without held-out data of either kind the training data decide. Its
        `history` says which. If it forecasts the held-out trajectories less well than the closed-form model, a warning
        says so.

    Raises
    ------
    RomValueError, RomTypeError
        If an argument or the data cannot be used.
    systems.SystemsError
        If the system fails, or a file is missing or damaged.
    RomReadError
        If a dask computation of the data fails.

    Notes
    -----
    Data you pass are used unchanged. Missing data are generated only if you give a count or pass no data.

    With a system and collocation points, f is evaluated at further states, unless `FitConfig(evaluate_system=False)`
    forbids it:

    - at states of the training trajectories, at most as many as there are points;
    - eight times during training at as many states along new flows. For a black box these flows need `max_seconds`, and
      may take a fiftieth of it each time.

    `history` counts these states. It does not count the evaluations that integrating the flows takes.

    Where f is not evaluated along given trajectories, its values there are estimated by a spline through the snapshots,
    if these are smooth and change about as fast as the points nearby. Trajectories with more than a twentieth of noise
    in their variance are set aside with a warning if there are collocation points.

    Ctrl-C ends the training and returns the best model so far.

    Memory: about six blocks of 64 MiB (or one chunk of the data) in float64, three times the POD basis, up to eight
    times the POD coordinates of all states, and 16 bytes for each component of the collocation points. Training
    trajectories are read twice, held-out ones once.

    Times and parameters are in the units of the data.

    References
    ----------
    Sholokhov, Liu, Mansour & Nabi (2023), Physics-informed neural ODE (PINODE), Sci. Rep. 13.
    Lee & Parish (2021), Parameterized neural ordinary differential equations, Proc. R. Soc. A 477.

    Examples
    --------
    >>> import rom, systems
    >>> oscillator = systems.Duffing()
    >>> quick = rom.FitConfig(hidden=(8,), latent_hidden=(8,), steps=5, validations=1)
    >>> model = rom.fit(oscillator, 64, n_trajectories=4, latent_dim=2, config=quick)
    >>> forecast = model.forecast(oscillator.sample_initial(3, seed=1), t=[0.0, 0.5, 1.0])
    >>> dict(forecast["state"].sizes)
    {'trajectory': 3, 'time': 3, 'component': 2}
    """
    run = create_run(
        config=config,
        weights=weights,
        seed=seed,
        device=device,
        max_seconds=max_seconds,
        checkpoint=checkpoint,
        callbacks=callbacks,
        verbose=verbose,
    )
    if run.config.space is not None:  # f takes states on its own grid, not coefficients of splines
        run = replace(run, config=replace(run.config, evaluate_system=False))
    dimension = check_latent_dim(latent_dim)
    check_data_request(system, n_collocation, trajectories, n_trajectories, collocation)
    check_modules(modules, dimension, run.config)
    if system is not None and run.config.space is None:
        require_dimension(dimension, system.n_states, run.weights)

    given = read_given_data(system, trajectories, collocation, run.config)
    user_modules = check_networks(given.layout, dimension, modules, run)
    data = collect_data(given, n_collocation, n_trajectories, run)
    check_weights(run.weights, has_trajectories=data.split.n_trajectories > 0, has_points=data.has_points)
    prepared = prepare(data, run.config, min_rank=dimension or 1)
    if user_modules is not None and dimension is not None and not run.weights.over_complete:
        require_rank(prepared.projection.rank, dimension)
    start = choose_initial_model(prepared, dimension, run)
    networks = initial_networks(start, prepared, data.layout, user_modules, run)
    objective = forecast_objective(system, data, prepared, start, run)
    record = train(
        networks,
        objective,
        run,
        correction=expected_correction(start.error),
        fingerprint=fingerprint(prepared, start, modules, run),
        seconds=run.budget.for_training(prepared.seconds),
    )
    return build_model(system, data, prepared, start, networks, objective, record, run)
