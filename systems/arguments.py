"""Checks of states and parameters against the system to which a user gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from systems.checks import numeric, require_finite
from systems.errors import SystemsValueError, nearest
from systems.system import System

__all__ = ["checked_parameters", "checked_states"]


def checked_states(name: str, states: Any, system: System, leading: str) -> np.ndarray:
    """Return finite states ``(n, *system.shape)`` in float64.

    Parameters
    ----------
    name : str
        The argument, for error messages.
    states : array_like or xarray.DataArray
        States ``(n, *system.shape)``. A single state counts as n = 1. A DataArray may have its dimensions in any order.
    system : System
        The system whose states they are.
    leading : str
        The length of the first axis in error messages: a number or a word.
    """
    if isinstance(states, xr.DataArray) and set(system.dims) <= set(states.dims):
        states = states.transpose(..., *system.dims)
    states = numeric(name, states)
    if states.shape == system.shape:
        states = states[None]
    if states.ndim != len(system.shape) + 1 or states.shape[1:] != system.shape:
        expected = ", ".join([leading, *map(str, system.shape)])
        raise SystemsValueError(f"{name} must have shape ({expected}) for {system._called}, got {states.shape}")
    if len(states) == 0:
        raise SystemsValueError(f"{name} is empty: it has shape {states.shape}")
    require_finite(name, states)
    return states


def checked_parameters(system: System, parameters: Any, n: int, seed: int) -> np.ndarray | None:
    """Return parameters (n, p) in float64, or None for the system's defaults.

    Parameters
    ----------
    system : System
        The system whose parameters they are.
    parameters : mapping, array_like, "sample" or None
        Numbers or arrays (n,) by name, an array (n, p), or "sample" for a uniform sample of their ranges. None means
        a sample if `system.samples_parameters`, and the defaults otherwise.
    n : int
        The number of trajectories or points.
    seed : int
        The seed of the sample.
    """
    if parameters is None:
        return system.sample_parameters(n, seed) if system.samples_parameters else None
    names = [p.name for p in system.parameters]
    if not names:
        raise SystemsValueError(f"{system._called} has no parameters; leave parameters out")
    if isinstance(parameters, str):
        if parameters != "sample":
            raise SystemsValueError(f"parameters must be a mapping, an array or 'sample', got {parameters!r}")
        return system.sample_parameters(n, seed)
    if isinstance(parameters, Mapping):
        values = _stacked(system, parameters, n)
    else:
        values = numeric("parameters", parameters)
        if values.shape != (n, len(names)):
            raise SystemsValueError(
                f"parameters must have shape ({n}, {len(names)}) for {', '.join(names)}, got {values.shape}"
            )
    require_finite("parameters", values)
    return values


def _stacked(system: System, parameters: Mapping[str, Any], n: int) -> np.ndarray:
    """Return parameters (n, p) from numbers or arrays (n,) by name.

    Missing ones take their defaults.
    """
    names = [p.name for p in system.parameters]
    for key in parameters:
        if key not in names:
            raise SystemsValueError(f"{system._called} has no parameter {key!r}; {nearest(key, names)}")
    columns = [numeric(f"parameters[{p.name!r}]", parameters.get(p.name, p.default)) for p in system.parameters]
    for name, column in zip(names, columns, strict=True):
        if column.shape not in ((), (n,)):
            raise SystemsValueError(f"parameters[{name!r}] must be a number or have shape ({n},), got {column.shape}")
    return np.stack([np.broadcast_to(column, n) for column in columns], axis=1)
