"""The labels that all data of a fit share, completed by what the system knows about parameters, inputs and time."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import numpy as np

import systems
from rom.data.layout import Layout, plain_names
from rom.data.lazy import snapshots
from rom.data.same_layout import completed, require_same_grids, require_same_layout
from rom.data.split import Split
from rom.data.trajectories import Collocation
from rom.utils.errors import RomValueError, nearest

__all__ = ["common_layout", "driven_as", "fill_in_names", "with_time"]

log = logging.getLogger("rom")

PROBED_TIMES = 8  # at which f is evaluated to find out whether it depends on time


def common_layout(system: Any, layouts: list[tuple[str, Layout]]) -> Layout:
    """Return the labels that all data share.

    Parameters
    ----------
    system : systems.System or None
        Its labels are used for data without any; None for states that the system does not label.
    layouts : list of (str, Layout)
        Name, for errors, and labels of each kind of data; trajectories first.

    Returns
    -------
    Layout
        The labels.

    Raises
    ------
    RomValueError
        If kinds of data differ from each other or from the system in shape, dimensions, grids, parameters or inputs.
    """
    name, layout = layouts[0]
    for other_name, other in layouts[1:]:
        require_same_layout(other_name, other, layout)
    # Labelled data decide if there are any; all kinds add what they know about inputs and time.
    held, times_told = layout.held_inputs, any(one.depends_on_time for _, one in layouts)
    name, layout = max(layouts, key=lambda pair: (bool(pair[1].fields), bool(pair[1].coords)))
    for _, other in layouts:
        layout = completed(layout, other)
    layout = replace(layout, held_inputs=held, depends_on_time=times_told)
    if system is None:
        return layout
    if layout.dims != tuple(system.dims) and set(layout.dims) == set(system.dims):
        raise RomValueError(
            f"{name}: dimensions {layout.dims} are in another order than {tuple(system.dims)} of {system.name}; use transpose"
        )
    if layout.shape != tuple(system.shape):
        raise RomValueError(
            f"{name}: a state has shape {layout.shape}, but one of {system.name} has {tuple(system.shape)}"
            + ("; fields are one flat state: rename a single one to 'state'" if layout.fields else "")
        )
    names = parameter_names(system)
    if layout.parameters and layout.parameters != names:
        raise RomValueError(f"{name}: parameters {layout.parameters} differ from {names} of {system.name}")
    if layout.inputs != system.inputs:
        raise RomValueError(
            f"{name}: inputs {layout.inputs} differ from {system.inputs} of {system.name}; `systems.driven` makes inputs of "
            "parameters, and `systems.collocate` then stores them"
        )
    if layout.fields:  # the system knows the flat state alone
        return layout
    coords = {dim: {"dims": [dim], "data": np.asarray(c).tolist(), "attrs": {}} for dim, c in system.coords.items()}
    of_system = replace(layout, dims=tuple(system.dims), coords=coords)
    if not layout.coords:
        return of_system
    require_same_grids(name, {coord: c["data"] for coord, c in layout.coords.items()}, of_system, system.name)
    return layout


def fill_in_names(layout: Layout, system: systems.System | None) -> Layout:
    """Return `layout` with the system's names of parameters and inputs, if these have none and their number agrees."""
    if system is None:
        return layout
    names = parameter_names(system)
    if layout.parameters == plain_names(len(names)):
        layout = replace(layout, parameters=names)
    if layout.inputs == plain_names(len(system.inputs), "u"):
        layout = replace(layout, inputs=system.inputs)
    return layout


def parameter_names(system: systems.System) -> tuple[str, ...]:
    """Return the names of the parameters that do not change in time."""
    return tuple(parameter.name for parameter in system.parameters if parameter.name not in system.inputs)


def driven_as(system: systems.System | None, layout: Layout) -> systems.System | None:
    """Return the system with those of its parameters as inputs that are inputs of the trajectories.

    Raises
    ------
    RomValueError
        If the trajectories have inputs that are no parameters of the system, or other inputs than it has.
    """
    if system is None or system.inputs == layout.inputs:
        return system
    if system.inputs:
        raise RomValueError(
            f"trajectories: inputs {layout.inputs} differ from {system.inputs} of {system.name}, in whose order they must be; "
            "`systems.simulate` stores those that it is given by inputs=..."
        )
    names = parameter_names(system)
    for name in layout.inputs:
        if name not in names:
            raise RomValueError(
                f"trajectories: {system.name} has no parameter {name!r} to be an input; {nearest(name, names)}"
            )
    return systems.driven(system, layout.inputs, varying=layout.parameters)


def with_time(
    system: systems.System, layout: Layout, pairs: Collocation | None, split: Split, ask: bool
) -> tuple[Layout, int]:
    """Find out whether f depends on time.

    Parameters
    ----------
    system : systems.System
        The known dynamics.
    layout : Layout
        Labels of the data.
    pairs : Collocation or None
        Collocation pairs, which must tell their times if f depends on time without a period.
    split : Split
        Trajectories.
    ask : bool
        Whether f may be evaluated.

    Returns
    -------
    layout : Layout
        The labels, which now say whether f depends on time and with what period.
    n_evaluations : int
        Number of evaluations of f.

    Raises
    ------
    RomValueError
        If f depends on time and the collocation pairs do not tell their times.
    """
    depends, asked = layout.depends_on_time or system.period is not None, 0
    if ask and not depends and system.takes_time:
        state = pairs.states[:1] if pairs is not None else snapshots(split.training[0].states, 0, slice(0, 1))
        known = [group.times for group in split.training] or [system.default_times]
        first, last = min(float(t[0]) for t in known), max(float(t[-1]) for t in known)
        depends, asked = (
            system.depends_on_time(state.reshape(1, *layout.shape), np.linspace(first, last, PROBED_TIMES)),
            PROBED_TIMES,
        )
    if depends and pairs is not None and not layout.depends_on_time:
        raise RomValueError(
            f"collocation: f of {system.name} depends on time, so the times are needed: pass a Dataset with the coordinate 'time' "
            "(point), as systems.collocate makes it"
        )
    longest = max((float(np.diff(group.times).max()) for group in split.training), default=0.0)
    if system.period is not None and longest > 0.5 * system.period:
        log.warning(
            "trajectories: snapshots are up to %.3g apart, more than half of the period %.3g of f, so what happens in between "
            "is not seen; save more snapshots", longest, system.period
        )  # fmt: skip
    return replace(layout, depends_on_time=depends, period=system.period if depends else None), asked
