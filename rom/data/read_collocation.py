"""Collocation pairs that users pass: checked, and brought into one form."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from rom.data.columns import as_inputs, as_parameters, inputs_of_dataset, parameters_of_dataset, require_variable
from rom.data.fields import field_names, stacked, unstacked
from rom.data.layout import Layout, layout_of, plain_layout
from rom.data.trajectories import Collocation, CollocationLike
from rom.utils.arrays import numeric, require_finite, require_real
from rom.utils.checks import describe
from rom.utils.errors import RomTypeError, RomValueError, nearest

__all__ = ["as_collocation"]


def as_collocation(data: CollocationLike) -> tuple[Collocation, Layout]:
    """Read collocation pairs.

    Parameters
    ----------
    data : Dataset, pair of Datasets, or tuple of arrays
        A Dataset with `state` and `time_derivative` ``(point, *dims)``. For fields, two Datasets with the fields
        ``(point, ...)``, which hold the states and their time derivatives. Or a tuple of arrays (states, time_derivatives),
        (states, time_derivatives, parameters) or (states, time_derivatives, parameters, inputs), ``(point, *shape)`` each,
        ``(point, p)`` or None, and ``(point, m)``.

    Returns
    -------
    pairs : Collocation
        Pairs with flat states.
    layout : Layout
        Labels of a state.

    Raises
    ------
    RomTypeError, RomValueError
        If the data cannot be used. The message names the place and the remedy.
    """
    if isinstance(data, xr.Dataset):
        x, f, layout = from_dataset(data)
        pairs, layout = with_columns(x, f, data, layout)
    elif isinstance(data, tuple) and len(data) == 2 and all(isinstance(part, xr.Dataset) for part in data):
        x, f, layout = from_datasets(*data)
        pairs, layout = with_columns(x, f, data[0], layout)
    elif isinstance(data, tuple) and len(data) in (2, 3, 4):
        pairs, layout = from_arrays(*data)
    else:
        raise RomTypeError(
            "collocation must be an xarray.Dataset or a tuple of arrays (states, time_derivatives), "
            f"(states, time_derivatives, parameters) or (states, time_derivatives, parameters, inputs), got {describe(data)}"
        )
    return flat_pairs(pairs, layout), layout


def flat_pairs(pairs: Collocation, layout: Layout) -> Collocation:
    """Return pairs with flat states in float64. Raise `RomValueError` for unequal shapes and values that are not finite."""
    x, f = pairs.states, pairs.time_derivatives
    if x.shape != f.shape:
        raise RomValueError(f"collocation: states has shape {x.shape}, time_derivatives {f.shape}; they must be equal")
    if len(x) == 0 or layout.n_states == 0:
        raise RomValueError("collocation is empty; pass at least one point, or None with n_collocation=0")
    x, f = (np.asarray(values.reshape(len(x), layout.n_states), dtype=np.float64) for values in (x, f))
    for part, values in unstacked(x, layout.parts).items():
        require_finite(f"collocation: {part}", values, ("point",))
    for part, values in unstacked(f, layout.parts).items():
        what = f"time derivative of {part}" if layout.fields else "time_derivative"
        require_finite(f"collocation: {what}", values, ("point",))
    return replace(pairs, states=x, time_derivatives=f)


def with_columns(x: np.ndarray, f: np.ndarray, dataset: xr.Dataset, layout: Layout) -> tuple[Collocation, Layout]:
    """Return pairs with the parameters, inputs and times of a Dataset, and a layout that knows whether there are times."""
    p = parameters_of_dataset("collocation", dataset, "point")
    u = inputs_of_dataset("collocation", dataset, ("point",))
    t = numeric("collocation['time']", dataset["time"]) if "time" in dataset.coords else np.zeros(len(x))
    require_finite("collocation['time']", t, ("point",))
    return Collocation(x, f, p, u, t.astype(np.float64)), replace(layout, depends_on_time="time" in dataset.coords)


def from_dataset(dataset: xr.Dataset) -> tuple[np.ndarray, np.ndarray, Layout]:
    """Return states and derivatives (point, *shape) of a Dataset with `state` and `time_derivative`, and their layout."""
    if "state" not in dataset and "time_derivative" not in dataset:
        raise RomValueError(
            f"collocation has no variable 'state'; {nearest('state', map(str, dataset.data_vars))}; of fields, pass two Datasets "
            "of them: collocation=(states, time_derivatives)"
        )
    state = require_variable("collocation", dataset, "state", ("point",))
    derivative = require_variable("collocation", dataset, "time_derivative", ("point",))
    x = numeric("collocation['state']", state)
    f = numeric("collocation['time_derivative']", derivative.transpose(*state.dims))
    return x, f, layout_of(dataset, ["state"], ("point",))


def from_datasets(states: xr.Dataset, derivatives: xr.Dataset) -> tuple[np.ndarray, np.ndarray, Layout]:
    """Return flat states and derivatives (point, n) of two Datasets with the same fields, and their layout."""
    layout = layout_of(states, field_names("collocation: states", states, ("point",)), ("point",))
    for one in layout.parts:
        other = require_variable("collocation: time_derivatives", derivatives, one.name, ("point", *one.dims))
        require_real(f"collocation: time_derivatives[{one.name!r}]", other.dtype)
        if other.shape[1:] != one.shape or len(other) != states.sizes["point"]:
            raise RomValueError(
                f"collocation: time_derivatives[{one.name!r}] has shape {other.shape}, states[{one.name!r}] "
                f"{(states.sizes['point'], *one.shape)}; they must be equal"
            )
    x, f = (np.asarray(stacked(part, layout.parts, ("point",))) for part in (states, derivatives))
    return x, f, layout


def from_arrays(
    states: Any, derivatives: Any, parameters: Any = None, inputs: Any = None
) -> tuple[Collocation, Layout]:
    """Return pairs of plain arrays, with the shapes in which they came, and their layout."""
    x = numeric("collocation: states", states)
    f = numeric("collocation: time_derivatives", derivatives)
    if x.ndim < 2:
        raise RomValueError(
            f"collocation: states must have shape (point, *shape), got {x.shape}; one point needs a leading axis: pass states[None]"
        )
    p = as_parameters("collocation", parameters, len(x))
    u = as_inputs("collocation: inputs", inputs, (len(x),))
    return Collocation(x, f, p, u, np.zeros(len(x))), plain_layout(x.shape[1:], p.shape[1], u.shape[1])
