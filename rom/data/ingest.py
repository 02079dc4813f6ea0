"""What a user passes as data, checked at the door and brought into one form.

`rom.fit` takes xarray Datasets (those of `systems`, and those of other programs, with a variable for each field) and plain
arrays. Here they become `Trajectories` and `Collocation` with flat states (..., n), and a `Layout` that puts labels back on
forecasts. States of a lazily opened Dataset stay where they are: they are read, and then checked, in blocks
(`rom/data/lazy.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from rom.data.fields import BESIDE_FIELDS, field_names, stacked, unstacked
from rom.data.layout import Layout, completed, layout_of, plain_layout, require_same_layout
from rom.data.lazy import LazyStates, bounded, chunked, is_large
from rom.data.trajectories import Collocation, Trajectories
from rom.utils.arrays import checked_times, numeric, require_finite, require_numeric_times, require_real
from rom.utils.checks import describe
from rom.utils.errors import RomTypeError, RomValueError, nearest

__all__ = ["as_collocation", "as_trajectories"]

EMPTY = "trajectories is empty; pass at least one trajectory, or None with n_trajectories=0"
DATES_OF_DATASET = (
    "dataset = dataset.assign_coords(time=((dataset['time'] - dataset['time'][0]) / np.timedelta64(1, 's'))"
    ".assign_attrs(units='s'))"
)


# ---------------------------------------------------------------------------------------------------------------------
# Trajectories
# ---------------------------------------------------------------------------------------------------------------------


def as_trajectories(data: Any) -> tuple[list[Trajectories], Layout]:
    """Groups of trajectories with equal times, and their layout.

    `data` is a Dataset with `state` (trajectory, time, *dims), or with fields (trajectory, time, ...) under names of their
    own, or a list of such Datasets; one without the dimension `trajectory` is one run. Or it is a tuple of arrays
    (times, states), (times, states, parameters) or (times, states, parameters, inputs): times (T,), states
    (N, T, *shape), parameters (N, p) or None, inputs (N, T, m). When lengths differ, times, states and inputs are lists
    with one array a trajectory, (T_i,), (T_i, *shape) and (T_i, m). Every state is checked for finite values; of lazy sets
    that are large, when it is read. Raises `RomTypeError` or `RomValueError`, naming the place and the remedy, and what
    `blocks.read` raises.
    """
    if isinstance(data, xr.Dataset):
        data = [data]
    if isinstance(data, list | tuple) and not data:
        raise RomValueError(EMPTY)
    if isinstance(data, list | tuple) and all(isinstance(part, xr.Dataset) for part in data):
        parts = [
            trajectories_of_dataset(f"trajectories[{k}]" if len(data) > 1 else "trajectories", part)
            for k, part in enumerate(data)
        ]
        layout = parts[0][1]
        for k, (_, other) in enumerate(parts):
            require_same_layout(f"trajectories[{k}]", other, layout)
            if other.inputs and other.held_inputs != layout.held_inputs:
                raise RomValueError(
                    f"trajectories[{k}]: its inputs are {'held' if other.held_inputs else 'linear'} between their times, those of "
                    "the other data are not; fit sets of one kind, or state the attribute 'interpolation' of inputs"
                )
            layout = completed(layout, other)
        groups = merged([group for group, _ in parts if len(group)])
    elif isinstance(data, tuple) and len(data) in (2, 3, 4):
        groups, layout = trajectories_of_arrays(*data)
    else:
        raise RomTypeError(
            "trajectories must be an xarray.Dataset, a list of Datasets, or a tuple of arrays (times, states), "
            f"(times, states, parameters) or (times, states, parameters, inputs), got {describe(data)}"
        )
    if not groups or layout.n_states == 0:
        raise RomValueError(EMPTY)
    large, first = is_large(groups), 0
    for k, group in enumerate(groups):
        if isinstance(group.states, LazyStates):
            groups[k] = replace(group, states=group.states.numbered_from(first))
            if not large:
                for _ in groups[k].blocks():
                    pass  # reading checks
        else:
            for chosen, within, states in group.blocks():
                offset = (first + chosen.start, within.start)
                for part, values in unstacked(states, layout.parts).items():
                    require_finite(f"trajectories: {part}", values, ("trajectory", "time index"), offset)
        first += len(group)
    return groups, layout


def trajectories_of_dataset(name: str, dataset: xr.Dataset) -> tuple[Trajectories, Layout]:
    leading = ("trajectory", "time")
    names = field_names(name, dataset, leading if "trajectory" in dataset.dims else ("time",))
    for variable in names:
        require_variable(name, dataset, variable, ("time",))
        require_real(f"{name}[{variable!r}]", dataset[variable].dtype)
    if "time" not in dataset.coords:
        raise RomValueError(f"{name} has no coordinate 'time'; assign it with dataset.assign_coords(time=...)")
    require_numeric_times(f"{name}['time']", dataset["time"].dtype, DATES_OF_DATASET)
    if dataset.encoding.get("source"):  # opened from one file: `.data` would read all of it
        on_disk = [variable for variable in names if dataset[variable].chunks is None]
        dataset = dataset.assign({variable: chunked(dataset[variable]) for variable in on_disk})
    if "trajectory" not in dataset.dims:  # one run
        dataset = dataset[[*names, *(n for n in BESIDE_FIELDS if n in dataset)]].expand_dims("trajectory")
    for variable in names:
        require_variable(name, dataset, variable, leading)
    layout = layout_of(dataset, names, leading)
    parameters = parameters_of_dataset(name, dataset, "trajectory")
    times = checked_times(f"{name}['time']", dataset["time"].values)
    states = stacked(dataset, layout.parts, leading)
    if not isinstance(states, np.ndarray):
        states = LazyStates(bounded(states), np.arange(len(states)), layout.parts)
    return Trajectories(times, states, parameters, inputs_of_dataset(name, dataset, leading)), layout


def merged(groups: list[Trajectories]) -> list[Trajectories]:
    """Neighbouring groups with equal times as one, where both are in memory."""
    result: list[Trajectories] = []
    for group in groups:
        last = result[-1] if result else None
        in_memory = last is not None and isinstance(last.states, np.ndarray) and isinstance(group.states, np.ndarray)
        if last is not None and in_memory and np.array_equal(last.times, group.times):
            states = np.concatenate([last.states, group.states])
            parameters = np.concatenate([last.parameters, group.parameters])
            result[-1] = Trajectories(group.times, states, parameters, np.concatenate([last.inputs, group.inputs]))
        else:
            result.append(group)
    return result


def trajectories_of_arrays(
    times: Any, states: Any, parameters: Any = None, inputs: Any = None
) -> tuple[list[Trajectories], Layout]:
    if isinstance(states, list | tuple):
        return trajectories_of_lists(times, states, parameters, inputs)
    t = checked_times("trajectories: times", times)
    x = numeric("trajectories: states", states)
    if x.ndim < 3:
        hint = "; one trajectory needs a leading axis: pass states[None]" if x.ndim == 2 else ""
        raise RomValueError(f"trajectories: states must have shape (trajectory, time, *shape), got {x.shape}{hint}")
    if x.shape[1] != len(t):
        hint = "; one trajectory needs a leading axis: pass states[None]" if x.shape[0] == len(t) else ""
        raise RomValueError(
            f"trajectories: states has {x.shape[1]} times on axis 1, but times has length {len(t)}{hint}"
        )
    if 0 in x.shape[1:]:
        raise RomValueError(f"trajectories: states has an empty axis, shape {x.shape}")
    p = plain_parameters("trajectories", parameters, len(x))
    u = plain_inputs("trajectories: inputs", inputs, (len(x), len(t)))
    groups = [Trajectories(t, x.reshape(*x.shape[:2], -1), p, u)] if len(x) else []
    return groups, plain_layout(x.shape[2:], p.shape[1], u.shape[2])


def trajectories_of_lists(
    times: Any, states: Sequence[Any], parameters: Any, inputs: Any
) -> tuple[list[Trajectories], Layout]:
    if not isinstance(times, list | tuple) or len(times) != len(states):
        raise RomValueError(
            f"trajectories: with a list of {len(states)} states, times must be a list of as many arrays, got {describe(times)}"
        )
    if not states:
        raise RomValueError(EMPTY)
    if inputs is not None and (not isinstance(inputs, list | tuple) or len(inputs) != len(states)):
        raise RomValueError(
            f"trajectories: with a list of {len(states)} states, inputs must be a list of as many arrays, got {describe(inputs)}"
        )
    p = plain_parameters("trajectories", parameters, len(states))
    u: list[np.ndarray] = []
    groups: list[tuple[np.ndarray, list[np.ndarray], list[int]]] = []
    shape = numeric("trajectories: states[0]", states[0]).shape[1:]
    for k, (t_k, x_k) in enumerate(zip(times, states, strict=True)):
        t = checked_times(f"trajectories: times[{k}]", t_k)
        x = numeric(f"trajectories: states[{k}]", x_k)
        if x.ndim < 2 or x.shape[1:] != shape or len(x) != len(t):
            raise RomValueError(
                f"trajectories: states[{k}] must have shape (time, *shape) = ({len(t)}, {', '.join(map(str, shape))}), got {x.shape}"
            )
        u.append(plain_inputs(f"trajectories: inputs[{k}]", None if inputs is None else inputs[k], (len(t),)))
        if u[k].shape[1] != u[0].shape[1]:
            raise RomValueError(f"trajectories: inputs[{k}] has {u[k].shape[1]} columns, inputs[0] has {u[0].shape[1]}")
        if groups and np.array_equal(groups[-1][0], t):
            groups[-1][1].append(x.reshape(len(t), -1))
            groups[-1][2].append(k)
        else:
            groups.append((t, [x.reshape(len(t), -1)], [k]))
    made = [Trajectories(t, np.stack(x), p[k], np.stack([u[i] for i in k])) for t, x, k in groups]
    return made, plain_layout(shape, p.shape[1], u[0].shape[1])


# ---------------------------------------------------------------------------------------------------------------------
# Collocation
# ---------------------------------------------------------------------------------------------------------------------


def as_collocation(data: Any) -> tuple[Collocation, Layout]:
    """Collocation pairs with flat states, and their layout.

    `data` is a Dataset with `state` and `time_derivative` (point, *dims); of fields, a pair of Datasets with the fields
    (point, ...), which hold the states and their time derivatives; or a tuple of arrays (states, time_derivatives),
    (states, time_derivatives, parameters) or (states, time_derivatives, parameters, inputs), (point, *shape) each, (point, p)
    or None, and (point, m). Raises `RomTypeError` or `RomValueError`, naming the place and the remedy.
    """
    pair = data if isinstance(data, tuple) and all(isinstance(part, xr.Dataset) for part in data) else ()
    if isinstance(data, xr.Dataset) or len(pair) == 2:
        whole = isinstance(data, xr.Dataset)
        x, f, dataset, layout = collocation_of_dataset(data) if whole else collocation_of_datasets(*pair)
        p = parameters_of_dataset("collocation", dataset, "point")
        u = inputs_of_dataset("collocation", dataset, ("point",))
        t = numeric("collocation['time']", dataset["time"]) if "time" in dataset.coords else np.zeros(len(x))
        require_finite("collocation['time']", t, ("point",))
        layout = replace(layout, depends_on_time="time" in dataset.coords)
    elif isinstance(data, tuple) and len(data) in (2, 3, 4):
        x = numeric("collocation: states", data[0])
        f = numeric("collocation: time_derivatives", data[1])
        if x.ndim < 2:
            raise RomValueError(
                f"collocation: states must have shape (point, *shape), got {x.shape}; one point needs a leading axis: pass states[None]"
            )
        p = plain_parameters("collocation", data[2] if len(data) > 2 else None, len(x))
        u = plain_inputs("collocation: inputs", data[3] if len(data) > 3 else None, (len(x),))
        t = np.zeros(len(x))
        layout = plain_layout(x.shape[1:], p.shape[1], u.shape[1])
    else:
        raise RomTypeError(
            "collocation must be an xarray.Dataset or a tuple of arrays (states, time_derivatives), "
            f"(states, time_derivatives, parameters) or (states, time_derivatives, parameters, inputs), got {describe(data)}"
        )
    if x.shape != f.shape:
        raise RomValueError(f"collocation: states has shape {x.shape}, time_derivatives {f.shape}; they must be equal")
    if len(x) == 0 or layout.n_states == 0:
        raise RomValueError("collocation is empty; pass at least one point, or None with n_collocation=0")
    flat = (len(x), layout.n_states)
    x, f = (np.asarray(values.reshape(flat), dtype=np.float64) for values in (x, f))
    for part, values in unstacked(x, layout.parts).items():
        require_finite(f"collocation: {part}", values, ("point",))
    for part, values in unstacked(f, layout.parts).items():
        what = f"time derivative of {part}" if layout.fields else "time_derivative"
        require_finite(f"collocation: {what}", values, ("point",))
    return Collocation(x, f, p, u, t.astype(np.float64)), layout


def collocation_of_dataset(dataset: xr.Dataset) -> tuple[np.ndarray, np.ndarray, xr.Dataset, Layout]:
    """States and derivatives (point, *shape) of a Dataset with `state` and `time_derivative`, and their layout."""
    if "state" not in dataset and "time_derivative" not in dataset:
        raise RomValueError(
            f"collocation has no variable 'state'; {nearest('state', map(str, dataset.data_vars))}; of fields, pass two Datasets "
            "of them: collocation=(states, time_derivatives)"
        )
    state = require_variable("collocation", dataset, "state", ("point",))
    derivative = require_variable("collocation", dataset, "time_derivative", ("point",))
    x = numeric("collocation['state']", state)
    f = numeric("collocation['time_derivative']", derivative.transpose(*state.dims))
    return x, f, dataset, layout_of(dataset, ["state"], ("point",))


def collocation_of_datasets(
    states: xr.Dataset, derivatives: xr.Dataset
) -> tuple[np.ndarray, np.ndarray, xr.Dataset, Layout]:
    """The same of fields, flat: `states` and `derivatives` hold variables of the same names, (point, ...)."""
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
    return x, f, states, layout


# ---------------------------------------------------------------------------------------------------------------------
# Labels
# ---------------------------------------------------------------------------------------------------------------------


def require_variable(name: str, dataset: xr.Dataset, variable: str, leading: tuple[str, ...]) -> xr.DataArray:
    """`dataset[variable]` with the dimensions `leading` first."""
    if variable not in dataset:
        raise RomValueError(f"{name} has no variable {variable!r}; {nearest(variable, map(str, dataset.data_vars))}")
    array = dataset[variable]
    for dim in leading:
        if dim not in array.dims:
            raise RomValueError(
                f"{name}[{variable!r}] has dimensions {array.dims}, but needs {dim!r}; add it with expand_dims({dim!r})"
            )
    return array.transpose(*leading, ...)


def parameters_of_dataset(name: str, dataset: xr.Dataset, leading: str) -> np.ndarray:
    count = dataset.sizes[leading]
    if "parameters" not in dataset:
        return np.zeros((count, 0))
    array = dataset["parameters"]
    if set(array.dims) != {leading, "parameter"}:
        raise RomValueError(f"{name}['parameters'] has dimensions {array.dims}, but needs ({leading!r}, 'parameter')")
    return plain_parameters(name, array.transpose(leading, "parameter"), count)


def plain_parameters(name: str, parameters: Any, count: int) -> np.ndarray:
    """Parameters (count, p) in float64, p = 0 for None."""
    if parameters is None:
        return np.zeros((count, 0))
    values = numeric(f"{name}: parameters", parameters).astype(np.float64)
    if values.ndim != 2 or len(values) != count:
        raise RomValueError(f"{name}: parameters must have shape ({count}, p), one row each, got {values.shape}")
    require_finite(f"{name}: parameters", values, ("row",))
    return values


def inputs_of_dataset(name: str, dataset: xr.Dataset, leading: tuple[str, ...]) -> np.ndarray:
    """Inputs (*leading, m) in float64, m = 0 where there are none."""
    count = tuple(dataset.sizes[dim] for dim in leading)
    if "inputs" not in dataset:
        return np.zeros((*count, 0))
    array = dataset["inputs"]
    if set(array.dims) != {*leading, "input"}:
        raise RomValueError(f"{name}['inputs'] has dimensions {array.dims}, but needs {(*leading, 'input')}")
    return plain_inputs(f"{name}: inputs", array.transpose(*leading, "input"), count)


def plain_inputs(name: str, inputs: Any, count: tuple[int, ...]) -> np.ndarray:
    """Inputs (*count, m) in float64, m = 0 for None."""
    if inputs is None:
        return np.zeros((*count, 0))
    values = numeric(name, inputs).astype(np.float64)
    if values.ndim != len(count) + 1 or values.shape[:-1] != count:
        raise RomValueError(f"{name} must have shape ({', '.join(map(str, count))}, m), got {values.shape}")
    require_finite(name, values, ("trajectory", "time index") if len(count) > 1 else ("row",))
    return values
