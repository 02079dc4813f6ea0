"""States and parameters as a user gives them, checked against the system that they are for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from systems.checks import as_numbers, check_finite
from systems.errors import SystemsValueError, nearest
from systems.system import System


def check_states(states: Any, system: System, name: str, leading: str) -> np.ndarray:
    """States (n, *system.shape), float64 and finite; one state alone counts as n = 1."""
    if isinstance(states, xr.DataArray) and set(system.dims) <= set(states.dims):
        states = states.transpose(..., *system.dims)
    states = as_numbers(states, name)
    if states.shape == system.shape:
        states = states[None]
    if states.ndim != len(system.shape) + 1 or states.shape[1:] != system.shape:
        expected = ", ".join([leading, *map(str, system.shape)])
        raise SystemsValueError(f"{name} must have shape ({expected}) for {system._called}, got {states.shape}")
    if len(states) == 0:
        raise SystemsValueError(f"{name} is empty: it has shape {states.shape}")
    check_finite(states, name)
    return states


def check_parameters(system: System, parameters: Any, n: int, seed: int) -> np.ndarray | None:
    """Parameters (n, p), float64, or None where the defaults are meant."""
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
        for key in parameters:
            if key not in names:
                raise SystemsValueError(f"{system._called} has no parameter {key!r}; {nearest(key, names)}")
        columns = [as_numbers(parameters.get(p.name, p.default), f"parameters[{p.name!r}]") for p in system.parameters]
        for name, column in zip(names, columns, strict=True):
            if column.shape not in ((), (n,)):
                raise SystemsValueError(
                    f"parameters[{name!r}] must be a number or have shape ({n},), got {column.shape}"
                )
        values = np.stack([np.broadcast_to(column, n) for column in columns], axis=1)
    else:
        values = as_numbers(parameters, "parameters")
        if values.shape != (n, len(names)):
            raise SystemsValueError(
                f"parameters must have shape ({n}, {len(names)}) for {', '.join(names)}, got {values.shape}"
            )
    check_finite(values, "parameters")
    return values
