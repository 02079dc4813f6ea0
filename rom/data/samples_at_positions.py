"""Samples of an autoencoder in a function space: values on differing grids, or at points, become coefficients.

A sample may have positions of its own, on a grid or at points that move from one to the next.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import xarray as xr

from rom.data.at_positions import ValueFormat, coefficients_from, read_values
from rom.data.coefficients import ProjectionErrors, coefficients_of, warn_of_loss
from rom.data.gappy_pod import LEAST_NOISE, Prior
from rom.data.layout import Layout, completed, layout_of_array, require_same_layout
from rom.data.positions import place_of
from rom.data.samples import (
    POSITION_FREE_SAMPLE_DIMS,
    PositionInfo,
    Samples,
    groups_of,
    in_memory,
    in_time,
    sample_dims_of,
    split_samples,
)
from rom.data.space_selection import select_space
from rom.reduction.spline_space import Coordinate, FunctionSpace
from rom.utils.errors import RomTypeError, RomValueError

__all__ = ["samples_at_positions"]

STACKED = "all samples"
FEW = 0.4  # of samples that come one by one, share that may leave parts of the domain unseen, or have few positions
TOLD = 20.0  # amplification of errors by positions that tell a sample alone: of random ones, nearly all do
USABLE = 100.0  # the same, where the others are too few to say more

Labelled = tuple[str, xr.DataArray, tuple[str, ...]]

"""The name of an array, the array, and its dimensions that tell samples apart."""

log = logging.getLogger("rom")


def samples_at_positions(data: Any, sample_dims: Sequence[str] | None, seed: int, settings: Coordinate) -> Samples:
    """Coefficients of a DataArray or of a list of them, as samples, in the space that all have in common.

    In a list, an array without dimensions that tell samples apart is a sample. Raises `RomTypeError` for what has no labels,
    `RomValueError` where values are not finite, or the positions do not determine the coefficients, and as `as_samples`.
    """
    arrays = in_order(data, sample_dims)
    space = select_space(arrays, settings, FEW * sum(not lead for _, _, lead in arrays) / len(arrays))
    coefficients, layouts, squares, told = zip(*(as_coefficients(*one, space) for one in arrays), strict=True)
    layout = layouts[0]
    for (name, _, _), own in zip(arrays, layouts, strict=True):
        require_same_layout(name, own, layout)
        layout = completed(layout, own)
    sums = sum(squares, ProjectionErrors())
    fill(arrays, coefficients, told, layout, sums.misfit)
    warn_of_loss(sums.lost, space)

    samples = split_samples(np.concatenate(coefficients), layout, grouped(arrays), seed)
    chosen = np.split(samples.part == 2, np.cumsum([len(one) for one in coefficients])[:-1])
    at_points = [one for one in arrays if not set(space.names) <= set(one[1].dims)]
    seen = PositionInfo(
        tuple(some_of(array, lead, rows) for (_, array, lead), rows in zip(arrays, chosen, strict=True) if rows.any()),
        tuple(dict.fromkeys(dim for _, _, lead in arrays for dim in lead)),
        max(len(place_of(name, array, space.names, lead).dims) for name, array, lead in at_points) if at_points else 1,
        sums.misfit,
        sums.lost,
    )
    return replace(samples, seen=seen)


def in_order(data: Any, sample_dims: Sequence[str] | None) -> list[Labelled]:
    """The arrays of `data`, named, in memory and with those of their dimensions first that tell samples apart, which follow."""
    arrays, several = arrays_of(data), isinstance(data, list)
    leads = [
        sample_dims_of(name, array, sample_dims, POSITION_FREE_SAMPLE_DIMS, may_lack=several) for name, array in arrays
    ]
    if sample_dims is not None and not any(leads):
        raise RomValueError(f"sample_dims: no array of data has one of the dimensions {tuple(sample_dims)}")
    return [
        (name, array.copy(data=in_memory(array, name)).transpose(*lead, ...), lead)
        for (name, array), lead in zip(arrays, leads, strict=True)
    ]


def fill(
    arrays: Sequence[Labelled],
    coefficients: Sequence[np.ndarray],
    told: Sequence[np.ndarray],
    layout: Layout,
    misfit: float,
) -> None:
    """Give samples that leave parts of the domain unseen their most probable coefficients, in place, as all others tell.

    `told` (N,) are the samples of each array that tell their `coefficients` (N, *shape) alone. Where these are fewer than twice the
    functions of the space, the others stay as they are, or are refused with a `RomValueError` if they have none.
    """
    assert layout.space is not None
    own_known = [own[rows] for own, rows in zip(coefficients, told, strict=True)]
    known, count = np.concatenate(own_known).reshape(-1, layout.n_states), sum(map(len, told))
    if len(known) == count:
        return
    if len(known) < 2 * layout.space.n_functions:
        require_coefficients(arrays, coefficients)
        return
    log.warning(
        "%d of %d samples leave parts of the domain unseen, which are filled as the others tell", count - len(known), count
    )  # fmt: skip
    prior = prior_of_samples(known, misfit, layout.space)
    for (name, array, lead), own, rows in zip(arrays, coefficients, told, strict=True):
        if not rows.all():
            some = some_of(array, lead, ~rows)
            given = read_values(name, some, None, ValueFormat(layout, torch.device("cpu"), moving=lead))
            own[~rows] = coefficients_from(name, given, layout, prior).reshape(own[~rows].shape).numpy()


def require_coefficients(arrays: Sequence[Labelled], coefficients: Sequence[np.ndarray]) -> None:
    """Refuse samples whose positions tell no coefficients (N, *shape), which are NaN."""
    unseen = [np.isnan(own.reshape(len(own), -1)[:, 0]) for own in coefficients]
    for (name, _, _), rows in zip(arrays, unseen, strict=True):
        if rows.any():
            raise RomValueError(
                f"{name}: sample {int(np.argmax(rows))} leaves parts of the domain unseen, as do {sum(map(np.sum, unseen))} of "
                f"{sum(map(len, unseen))}, and the others are too few to tell what is there; leave them out, choose fewer functions, "
                "rom.Coordinate(n_functions=...), or correct a valid_range that reaches too far"
            )


def prior_of_samples(known: np.ndarray, misfit: float, space: FunctionSpace) -> Prior:
    """What samples with the coefficients `known` (N, n) tell of others, by their mean and covariance."""
    mean = known.mean(axis=0)
    variance, modes = np.linalg.eigh((known - mean).T @ (known - mean) / len(known))
    variance = np.maximum(variance, 0.0)
    return Prior(mean, modes, variance, np.array([misfit + LEAST_NOISE * variance.sum() / space.volume]))


def grouped(arrays: Sequence[Labelled]) -> np.ndarray:
    """The group (N,) of each sample, as of `samples.groups_of`; those of an array are none of another's."""
    n_trajectories = sum(array.sizes.get("trajectory", 1) for _, array, lead in arrays if in_time(lead))
    groups = [np.zeros(0, dtype=int)]
    for _, array, lead in arrays:
        own = groups_of({dim: array.sizes[dim] for dim in lead}, n_trajectories)
        groups.append(own + 1 + groups[-1].max(initial=-1))
    return np.concatenate(groups)


def some_of(array: xr.DataArray, lead: tuple[str, ...], rows: np.ndarray) -> xr.DataArray:
    """The samples `rows` (N,) of an array, over a single dimension, one of `lead`; an array that is a single sample as it is."""
    if not lead:
        return array
    first, *others = lead
    if others:
        array = array.drop_vars([dim for dim in lead if dim in array.coords])
        array = array.stack({STACKED: lead}, create_index=False).rename({STACKED: first}).transpose(first, ...)
    return array.isel({first: rows})


def as_coefficients(
    name: str, array: xr.DataArray, lead: tuple[str, ...], space: FunctionSpace
) -> tuple[np.ndarray, Layout, ProjectionErrors, np.ndarray]:
    """Coefficients (N, *shape) of the values of `array` (*lead, ...), their layout, sums of squares, and which (N,) are told."""
    projected = coefficients_of(name, array, space, lead, USABLE)
    found, squares, amplification = projected.values, projected.errors, projected.amplification
    sizes = {dim: array.sizes[dim] for dim in lead}
    kept = set(found.dims) - set(lead)
    coords = {n: c.variable for n, c in array.coords.items() if set(c.dims) <= kept and n not in space.names}
    layout = replace(layout_of_array(xr.DataArray(found, coords), lead), space=space)
    coefficients = found.transpose(*lead, ...).values.reshape(-1, *layout.shape)
    return coefficients, layout, squares, (amplification <= TOLD).set_dims(sizes).transpose(*lead).values.ravel()


def arrays_of(data: Any) -> list[tuple[str, xr.DataArray]]:
    """The DataArrays of `data`, named; a `RomTypeError` for anything else."""
    several = isinstance(data, list)
    made = [(f"data[{k}]" if several else "data", one) for k, one in enumerate(data if several else [data])]
    for name, one in made:
        if not isinstance(one, xr.DataArray):
            raise RomTypeError(
                f"{name} must be an xarray.DataArray, whose coordinates tell the positions that FitConfig.space needs, got "
                f"{type(one).__name__}"
            )
        if one.size == 0:
            raise RomValueError(f"{name} is empty: its dimensions are {dict(one.sizes)}; leave it out")
    if not made:
        raise RomTypeError("data is an empty list; pass at least one DataArray")
    return made
