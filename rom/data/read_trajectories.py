"""Trajectories that users pass: checked, and brought into one form.

They are xarray Datasets (those of `systems`, and those of other programs, with a variable for each field) or plain arrays. They
become `Trajectories` with flat states (..., n), and a `Layout` that puts labels back on forecasts. States of a lazily opened
Dataset stay where they are: they are read, and then checked, in blocks (`rom.data.lazy`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from rom.data.columns import as_inputs, as_parameters, inputs_of_dataset, parameters_of_dataset, require_variable
from rom.data.fields import BESIDE_FIELDS, field_names, stacked, unstacked
from rom.data.layout import Layout, layout_of, plain_layout
from rom.data.lazy import LazyStates, chunk_by_file, is_large, with_small_chunks
from rom.data.same_layout import completed, require_same_layout
from rom.data.trajectories import Trajectories, TrajectoriesLike
from rom.utils.arrays import checked_times, numeric, require_finite, require_numeric_times, require_real
from rom.utils.checks import describe
from rom.utils.errors import RomTypeError, RomValueError

__all__ = ["as_trajectories"]

EMPTY = "trajectories is empty; pass at least one trajectory, or None with n_trajectories=0"
# The remedy for a Dataset whose times are dates.
DATES_OF_DATASET = (
    "dataset = dataset.assign_coords(time=((dataset['time'] - dataset['time'][0]) / np.timedelta64(1, 's'))"
    ".assign_attrs(units='s'))"
)


def as_trajectories(data: TrajectoriesLike) -> tuple[list[Trajectories], Layout]:
    """Read trajectories.

    Parameters
    ----------
    data : Dataset, list of Datasets, or tuple of arrays
        A Dataset with `state` ``(trajectory, time, *dims)``, or with fields ``(trajectory, time, ...)`` under names of their
        own, or a list of such Datasets; one without the dimension `trajectory` is one run. Or a tuple of arrays
        (times, states), (times, states, parameters) or (times, states, parameters, inputs): times ``(time,)``, states
        ``(trajectory, time, *shape)``, parameters ``(trajectory, p)`` or None, inputs ``(trajectory, time, m)``. When lengths
        differ, times, states and inputs are lists with one array for each trajectory.

    Returns
    -------
    groups : list of Trajectories
        Groups with equal times. Every state is checked for finite values; those of large lazy sets when they are read.
    layout : Layout
        Labels of a state.

    Raises
    ------
    RomTypeError, RomValueError
        If the data cannot be used. The message names the place and the remedy.
    RomReadError, systems.SystemsError
        If lazy states cannot be read, as `rom.data.lazy.read`.
    """
    if isinstance(data, xr.Dataset):
        data = [data]
    if isinstance(data, list | tuple) and not data:
        raise RomValueError(EMPTY)
    if isinstance(data, list | tuple) and all(isinstance(part, xr.Dataset) for part in data):
        groups, layout = from_datasets(data)
    elif isinstance(data, tuple) and len(data) in (2, 3, 4):
        groups, layout = from_arrays(*data)
    else:
        raise RomTypeError(
            "trajectories must be an xarray.Dataset, a list of Datasets, or a tuple of arrays (times, states), "
            f"(times, states, parameters) or (times, states, parameters, inputs), got {describe(data)}"
        )
    if not groups or layout.n_states == 0:
        raise RomValueError(EMPTY)
    return checked_states(groups, layout), layout


def checked_states(groups: list[Trajectories], layout: Layout) -> list[Trajectories]:
    """Return groups whose lazy states know their numbers. Raise `RomValueError` for states that are not finite."""
    large, first, checked = is_large(groups), 0, []
    for group in groups:
        if isinstance(group.states, LazyStates):
            group = replace(group, states=group.states.numbered_from(first))
            if not large:
                for _ in group.blocks():
                    pass  # reading checks
        else:
            for chosen, within, states in group.blocks():
                offset = (first + chosen.start, within.start)
                for part, values in unstacked(states, layout.parts).items():
                    require_finite(f"trajectories: {part}", values, ("trajectory", "time index"), offset)
        checked.append(group)
        first += len(group)
    return checked


# ---------------------------------------------------------------------------------------------------------------------
# Datasets
# ---------------------------------------------------------------------------------------------------------------------


def from_datasets(data: Sequence[xr.Dataset]) -> tuple[list[Trajectories], Layout]:
    """Return the trajectories of Datasets and their common layout."""
    parts = [
        from_dataset(f"trajectories[{k}]" if len(data) > 1 else "trajectories", part) for k, part in enumerate(data)
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
    return merge_equal_times([group for group, _ in parts if len(group)]), layout


def from_dataset(name: str, dataset: xr.Dataset) -> tuple[Trajectories, Layout]:
    """Return the trajectories of one Dataset and their layout."""
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
        dataset = dataset.assign({variable: chunk_by_file(dataset[variable]) for variable in on_disk})
    if "trajectory" not in dataset.dims:  # one run
        dataset = dataset[[*names, *(n for n in BESIDE_FIELDS if n in dataset)]].expand_dims("trajectory")
    for variable in names:
        require_variable(name, dataset, variable, leading)
    layout = layout_of(dataset, names, leading)
    parameters = parameters_of_dataset(name, dataset, "trajectory")
    times = checked_times(f"{name}['time']", dataset["time"].values)
    states = stacked(dataset, layout.parts, leading)
    if not isinstance(states, np.ndarray):
        states = LazyStates(with_small_chunks(states), np.arange(len(states)), layout.parts)
    return Trajectories(times, states, parameters, inputs_of_dataset(name, dataset, leading)), layout


def merge_equal_times(groups: list[Trajectories]) -> list[Trajectories]:
    """Return groups in which neighbours with equal times are one, if both are in memory."""
    merged: list[Trajectories] = []
    for group in groups:
        last = merged[-1] if merged else None
        if (
            last is not None
            and isinstance(last.states, np.ndarray)
            and isinstance(group.states, np.ndarray)
            and np.array_equal(last.times, group.times)
        ):
            merged[-1] = Trajectories(
                group.times,
                np.concatenate([last.states, group.states]),
                np.concatenate([last.parameters, group.parameters]),
                np.concatenate([last.inputs, group.inputs]),
            )
        else:
            merged.append(group)
    return merged


# ---------------------------------------------------------------------------------------------------------------------
# Arrays
# ---------------------------------------------------------------------------------------------------------------------


def from_arrays(
    times: Any, states: Any, parameters: Any = None, inputs: Any = None
) -> tuple[list[Trajectories], Layout]:
    """Return the trajectories of plain arrays, or of lists of them, and their layout."""
    if isinstance(states, list | tuple):
        return from_lists(times, states, parameters, inputs)
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
    p = as_parameters("trajectories", parameters, len(x))
    u = as_inputs("trajectories: inputs", inputs, (len(x), len(t)))
    groups = [Trajectories(t, x.reshape(*x.shape[:2], -1), p, u)] if len(x) else []
    return groups, plain_layout(x.shape[2:], p.shape[1], u.shape[2])


def from_lists(times: Any, states: Sequence[Any], parameters: Any, inputs: Any) -> tuple[list[Trajectories], Layout]:
    """Return the trajectories of lists with one array for each, and their layout."""
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
    p = as_parameters("trajectories", parameters, len(states))
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
        u.append(as_inputs(f"trajectories: inputs[{k}]", None if inputs is None else inputs[k], (len(t),)))
        if u[k].shape[1] != u[0].shape[1]:
            raise RomValueError(f"trajectories: inputs[{k}] has {u[k].shape[1]} columns, inputs[0] has {u[0].shape[1]}")
        if groups and np.array_equal(groups[-1][0], t):
            groups[-1][1].append(x.reshape(len(t), -1))
            groups[-1][2].append(k)
        else:
            groups.append((t, [x.reshape(len(t), -1)], [k]))
    trajectories = [Trajectories(t, np.stack(x), p[k], np.stack([u[i] for i in k])) for t, x, k in groups]
    return trajectories, plain_layout(shape, p.shape[1], u[0].shape[1])
