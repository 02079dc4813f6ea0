"""Check the arguments of `rom.fit` and `rom.fit_autoencoder` before any work is done."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from typing import Any

import xarray as xr

import systems
from rom.config import FitConfig, LossWeights
from rom.data.layout import Layout
from rom.models.build import require_network
from rom.networks.user_modules import UserModules, check_user_modules
from rom.training.run import FitRun
from rom.utils.checks import require_integer, require_number, shortened
from rom.utils.devices import checked_device
from rom.utils.errors import RomTypeError, RomValueError
from rom.utils.files import checked_path
from rom.utils.time_budget import TimeBudget

__all__ = [
    "check_data_request",
    "check_latent_dim",
    "check_modules",
    "check_networks",
    "check_weights",
    "clip_to_rank",
    "create_run",
    "require_affordable",
    "require_dimension",
    "require_rank",
]

log = logging.getLogger("rom")

# Latent states, if they are more than the dimensions that the data span. Quadratic dynamics have d^3 / 2 coefficients.
MAX_OVERCOMPLETE_DIM = 128


def create_run(
    *,
    config: Any,
    weights: Any,
    seed: Any,
    device: Any,
    max_seconds: Any,
    checkpoint: str | os.PathLike | None,
    callbacks: Any,
    verbose: bool | None,
) -> FitRun:
    """Check the settings of a fit and start its time budget.

    Parameters are those of `rom.fit`.

    Raises
    ------
    RomTypeError, RomValueError
        If a setting has the wrong type or cannot be used, or the device does not exist.
    """
    budget = TimeBudget(max_seconds)
    if not isinstance(weights, LossWeights):
        raise RomTypeError(f"weights must be rom.LossWeights(...), got {type(weights).__name__}")
    if not isinstance(config, FitConfig):
        raise RomTypeError(f"config must be rom.FitConfig(...), got {type(config).__name__}")
    require_integer("seed", seed, low=0)
    if max_seconds is not None:
        require_number("max_seconds", max_seconds, low=0.0, exclusive=True)
    check_callbacks(callbacks)
    return FitRun(
        config=config,
        weights=weights,
        seed=int(seed),
        budget=budget,
        device=checked_device(device),
        checkpoint=None if checkpoint is None else checked_path(checkpoint),
        callbacks=tuple(callbacks),
        verbose=sys.stderr.isatty() if verbose is None else verbose,
    )


def check_callbacks(callbacks: Any) -> None:
    """Refuse what is not a sequence of functions."""
    if not isinstance(callbacks, Sequence):
        raise RomTypeError(
            f"callbacks must be a sequence of functions, got {type(callbacks).__name__}; pass [callback]"
        )
    for callback in callbacks:
        if not callable(callback):
            raise RomTypeError(f"callbacks must be functions that take a rom.Progress, got {callback!r}")


def check_latent_dim(latent_dim: Any) -> int | None:
    """Return the latent dimension, or None for "auto"."""
    if isinstance(latent_dim, str) or latent_dim is None:
        if latent_dim != "auto":
            raise RomValueError(f"latent_dim must be an integer or 'auto', got {latent_dim!r}")
        return None
    return require_integer("latent_dim", latent_dim, low=1)


def check_data_request(
    system: Any, n_collocation: Any, trajectories: Any, n_trajectories: Any, collocation: Any
) -> None:
    """Refuse combinations of system, data and counts that cannot be meant.

    Parameters are those of `rom.fit`.

    Raises
    ------
    RomTypeError
        If the system is not a `systems.System`, or data were passed in place of a count.
    RomValueError
        If data and their count are both given, or a count without a system, or nothing at all.
    """
    counts = {"n_collocation": n_collocation, "n_trajectories": n_trajectories}
    if system is not None and not isinstance(system, systems.System):
        remedy = (
            "wrap your own right-hand side with systems.from_rhs(f, n_states)"
            if callable(system) or isinstance(system, str)
            else "pass data as rom.fit(None, trajectories=...)"
        )
        raise RomTypeError(f"system must be a systems.System or None, got {type(system).__name__}; {remedy}")
    for name, count in counts.items():
        if isinstance(count, tuple | list | xr.Dataset):
            meant = "trajectories" if name == "n_trajectories" or trajectories is None else "collocation"
            raise RomTypeError(f"{name} must be an integer, got {shortened(count)}; did you mean {meant}=...?")
        if count is not None:
            require_integer(name, count, low=0)
    if trajectories is not None and n_trajectories:
        raise RomValueError("give either trajectories or n_trajectories, not both")
    if collocation is not None and n_collocation:
        raise RomValueError("give either collocation or n_collocation, not both")
    if system is None:
        for name, count in counts.items():
            if count:
                raise RomValueError(f"{name}={count} needs a system; pass one, or pass the data themselves")
        if trajectories is None and collocation is None:
            raise RomValueError("there is nothing to fit: pass a system, trajectories or collocation")


def check_modules(modules: Any, latent_dim: int | None, config: FitConfig) -> None:
    """Refuse user modules without a latent dimension, beside a network, or if states are coefficients.

    Raises
    ------
    RomValueError
        If `modules` contradict another setting.
    """
    if modules is None:
        return
    if latent_dim is None:
        raise RomValueError("modules: they have one latent dimension; say which with latent_dim=...")
    if config.network is not None:
        raise RomValueError(
            f"modules: they take the place of FitConfig.network, which is {type(config.network).__name__}; leave one of "
            "both out"
        )
    if config.space is not None:
        raise RomValueError(
            "modules: with FitConfig.space they would see coefficients of splines, not values at positions; leave one of "
            "both out"
        )


def check_networks(layout: Layout | None, latent_dim: int | None, modules: Any, run: FitRun) -> UserModules | None:
    """Refuse a latent dimension or networks that do not fit states with the labels `layout`, if these are known.

    Returns
    -------
    UserModules or None
        The checked modules of the user; None if there are none.

    Raises
    ------
    RomValueError, RomTypeError
        If the latent dimension is too large, or a network or user module cannot act on such states.
    """
    if layout is None:
        return None
    require_dimension(latent_dim, layout.n_states, run.weights)
    require_affordable(latent_dim, layout.n_states)
    user_modules = check_user_modules(modules, layout, latent_dim or 1)
    require_network(run.config, layout)
    return user_modules


def check_weights(weights: LossWeights, *, has_trajectories: bool, has_points: bool) -> None:
    """Refuse weights that are zero for all losses of the data that there are.

    Raises
    ------
    RomValueError
        If no loss of the data counts.
    """
    of_trajectories = weights.of_trajectories if has_trajectories else 0.0
    of_collocation = weights.of_collocation if has_points else 0.0
    if of_trajectories + of_collocation <= 0.0:
        raise RomValueError(
            "weights are zero for all losses of the data that there are (regularisers alone make no model); give one of "
            "them a positive weight"
        )


def require_dimension(latent_dim: int | None, n_states: int | None, weights: LossWeights) -> None:
    """Refuse more latent coordinates than components if nothing keeps the identity from being learned."""
    if latent_dim is not None and n_states is not None and latent_dim > n_states and not weights.over_complete:
        raise RomValueError(
            f"latent_dim is {latent_dim}, but a state has only {n_states} components: more would learn the identity; ask "
            "for fewer, or give LossWeights(sparse=...) or (sparse_kl=...) a positive weight"
        )


def require_affordable(latent_dim: int | None, span: int) -> None:
    """Refuse many more latent states than dimensions that the data span, because quadratic dynamics grow with their cube.

    Parameters
    ----------
    latent_dim : int or None
        None if it is yet to be chosen.
    span : int
        Number of dimensions that the data span.

    Raises
    ------
    RomValueError
        If there are more than `MAX_OVERCOMPLETE_DIM` latent states, and more than `span`.
    """
    if latent_dim is not None and span < latent_dim > MAX_OVERCOMPLETE_DIM:
        raise RomValueError(
            f"latent_dim is {latent_dim}, but the data span only {span} dimensions, and the number of quadratic terms in the "
            f"dynamics grows with its cube; take at most {MAX_OVERCOMPLETE_DIM}, or use rom.fit_autoencoder, which has no "
            "dynamics"
        )


def require_rank(rank: int, latent_dim: int) -> None:
    """Refuse user modules for more latent coordinates than the data span."""
    if latent_dim > rank:
        raise RomValueError(
            f"modules: they are for latent_dim {latent_dim}, but the data span only {rank} dimensions; make them for at "
            f"most {rank}"
        )


def clip_to_rank(latent_dim: int, rank: int, weights: LossWeights) -> int:
    """Return the latent dimension, at most the POD rank unless latent coordinates are to be sparse."""
    if latent_dim <= rank or weights.over_complete:
        return latent_dim
    log.warning("latent_dim lowered from %d to %d, the POD rank", latent_dim, rank)
    return rank
