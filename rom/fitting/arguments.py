"""Arguments that all fits share: checked before any work is done."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from typing import Any

from rom.config import FitConfig, LossWeights
from rom.training.run import FitRun
from rom.utils.checks import require_integer, require_number
from rom.utils.devices import checked_device
from rom.utils.errors import RomTypeError, RomValueError
from rom.utils.files import checked_path
from rom.utils.time_budget import TimeBudget

__all__ = ["clip_to_rank", "create_run", "require_dimension", "require_field", "require_rank"]

log = logging.getLogger("rom")


def create_run(
    *,
    latent_dim: Any,
    weights: Any,
    config: Any,
    seed: Any,
    device: Any,
    max_seconds: Any,
    checkpoint: Any,
    callbacks: Any,
    verbose: bool | None,
) -> FitRun:
    """Check the arguments that all fits share before any work is done, and start the clock.

    Parameters
    ----------
    latent_dim, weights, config, seed, device, max_seconds, checkpoint, callbacks, verbose
        As for `rom.fit`.

    Raises
    ------
    RomTypeError, RomValueError
        If an argument cannot be used.
    """
    budget = TimeBudget(max_seconds)
    if latent_dim is not None and not isinstance(latent_dim, str):
        require_integer("latent_dim", latent_dim, low=1)
    elif latent_dim != "auto":
        raise RomValueError(f"latent_dim must be an integer or 'auto', got {latent_dim!r}")
    if not isinstance(weights, LossWeights):
        raise RomTypeError(f"weights must be rom.LossWeights(...), got {type(weights).__name__}")
    if not isinstance(config, FitConfig):
        raise RomTypeError(f"config must be rom.FitConfig(...), got {type(config).__name__}")
    require_integer("seed", seed, low=0)
    if max_seconds is not None:
        require_number("max_seconds", max_seconds, low=0.0, exclusive=True)
    if not isinstance(callbacks, Sequence):
        raise RomTypeError(
            f"callbacks must be a sequence of functions, got {type(callbacks).__name__}; pass [callback]"
        )
    for callback in callbacks:
        if not callable(callback):
            raise RomTypeError(f"callbacks must be functions that take a rom.Progress, got {callback!r}")
    return FitRun(
        config=config,
        weights=weights,
        seed=int(seed),
        budget=budget,
        device=checked_device(device),
        callbacks=tuple(callbacks),
        checkpoint=None if checkpoint is None else checked_path(checkpoint),
        verbose=sys.stderr.isatty() if verbose is None else verbose,
    )


def require_dimension(latent_dim: int | None, n_states: int | None, weights: LossWeights) -> None:
    """Refuse more latent coordinates than components where nothing keeps the identity from being learned."""
    if latent_dim is not None and n_states is not None and latent_dim > n_states and not weights.over_complete:
        raise RomValueError(
            f"latent_dim is {latent_dim}, but a state has only {n_states} components: more would learn the identity; ask for "
            "fewer, or give LossWeights(sparse=...) or (sparse_kl=...) a positive weight"
        )


def clip_to_rank(latent_dim: int, rank: int, weights: LossWeights) -> int:
    """The number of latent coordinates: no more than the data span, unless they are to be sparse."""
    if latent_dim <= rank or weights.over_complete:
        return latent_dim
    log.warning("latent_dim lowered from %d to %d, the POD rank", latent_dim, rank)
    return rank


def require_field(modules: Any, config: FitConfig) -> None:
    """Refuse modules beside a network of the configuration, and where states are coefficients, not values."""
    if modules is not None and config.network is not None:
        raise RomValueError(
            f"modules: they take the place of FitConfig.network, which is {type(config.network).__name__}; leave one of both out"
        )
    if modules is not None and config.space is not None:
        raise RomValueError(
            "modules: with FitConfig.space they would see coefficients of splines, not values at positions; leave one of both out"
        )


def require_rank(rank: int, latent_dim: int) -> None:
    """Refuse modules for more latent coordinates than the data span: those of this package would be made for fewer."""
    if latent_dim > rank:
        raise RomValueError(
            f"modules: they are for latent_dim {latent_dim}, but the data span only {rank} dimensions; make them for at most {rank}"
        )
