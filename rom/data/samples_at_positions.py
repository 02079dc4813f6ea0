"""Samples of an autoencoder in a function space: values on differing grids, or at points, become coefficients.

A sample may have positions of its own, on a grid or at points that move from one to the next.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import xarray as xr

from rom.data.at_positions import ValueFormat, coefficients_from, read_values
from rom.data.coefficients import ProjectionErrors, coefficients_of, warn_of_loss
from rom.data.gappy_pod import LEAST_NOISE, Prior
from rom.data.layout import Layout, layout_of_array
from rom.data.positions import place_of
from rom.data.same_layout import completed, require_same_layout
from rom.data.samples import (
    POSITION_FREE_SAMPLE_DIMS,
    PositionInfo,
    Samples,
    in_memory,
    sample_dims_of,
    split_samples,
)
from rom.data.space_selection import select_space
from rom.data.split import are_states_in_time, sample_groups
from rom.reduction.spline_space import Coordinate, FunctionSpace
from rom.utils.errors import RomTypeError, RomValueError

__all__ = ["samples_at_positions"]

log = logging.getLogger("rom")

STACKED = "all samples"  # a dimension that holds all samples of an array
MOST_GAPPY = 0.4  # share of single samples that may leave parts of the domain unseen, or have few positions
DETERMINED = 20.0  # largest amplification of errors by positions that determine a sample: of random ones, nearly all do
USABLE = 100.0  # the same, if the other samples are too few to fill what is unseen


@dataclass(frozen=True)
class NamedArray:
    """An array of samples, in memory.

    Attributes
    ----------
    name : str
        Name in error messages.
    array : xarray.DataArray
        Values ``(*lead, ...)``.
    lead : tuple of str
        Dimensions that tell samples apart, which come first. Empty for a single sample.
    """

    name: str
    array: xr.DataArray
    lead: tuple[str, ...]

    def select(self, rows: np.ndarray) -> xr.DataArray:
        """Return the samples `rows` (N,) over a single dimension, one of `lead`; a single sample as it is."""
        if not self.lead:
            return self.array
        first, *others = self.lead
        array = self.array
        if others:
            array = array.drop_vars([dim for dim in self.lead if dim in array.coords])
            array = array.stack({STACKED: self.lead}, create_index=False).rename({STACKED: first}).transpose(first, ...)
        return array.isel({first: rows})


@dataclass(frozen=True)
class ArrayCoefficients:
    """The coefficients of the samples of one array.

    Attributes
    ----------
    values : numpy.ndarray
        Coefficients ``(N, *shape)``. NaN for samples whose positions do not determine them.
    layout : Layout
        Labels of a sample of coefficients.
    errors : ProjectionErrors
        Sums over the values.
    determined : numpy.ndarray
        Whether the positions of each sample determine its coefficients well, ``(N,)``.
    """

    values: np.ndarray
    layout: Layout
    errors: ProjectionErrors
    determined: np.ndarray


def samples_at_positions(data: Any, sample_dims: Sequence[str] | None, seed: int, settings: Coordinate) -> Samples:
    """Read samples of values at positions, as coefficients in the function space that all have in common.

    Parameters
    ----------
    data : xarray.DataArray or list of xarray.DataArray
        Values with coordinates. In a list, an array without dimensions that tell samples apart is a sample.
    sample_dims : sequence of str or None
        Dimensions that tell samples apart.
    seed : int
        Seed of the division into parts.
    settings : Coordinate
        Settings of the function space.

    Returns
    -------
    Samples
        Coefficients, in three parts.

    Raises
    ------
    RomTypeError
        If `data` have no labels.
    RomValueError
        If values are not finite, positions do not determine the coefficients, or as in `as_samples`.
    RomReadError
        If a computation of dask fails.
    """
    arrays = named_arrays(data, sample_dims)
    n_single = sum(not one.lead for one in arrays)
    space = select_space(
        [(one.name, one.array, one.lead) for one in arrays], settings, MOST_GAPPY * n_single / len(arrays)
    )
    coefficients = [array_coefficients(one, space) for one in arrays]
    layout = common_layout_of(arrays, coefficients)
    errors = sum((one.errors for one in coefficients), ProjectionErrors())
    fill_undetermined(arrays, coefficients, layout, errors.misfit)
    warn_of_loss(errors.lost, space)

    samples = split_samples(np.concatenate([one.values for one in coefficients]), layout, groups_of(arrays), seed)
    calibrates = np.split(samples.part == 2, np.cumsum([len(one.values) for one in coefficients])[:-1])
    seen = PositionInfo(
        tuple(one.select(rows) for one, rows in zip(arrays, calibrates, strict=True) if rows.any()),
        tuple(dict.fromkeys(dim for one in arrays for dim in one.lead)),
        most_position_dims(arrays, space),
        errors.misfit,
        errors.lost,
    )
    return replace(samples, seen=seen)


def named_arrays(data: Any, sample_dims: Sequence[str] | None) -> list[NamedArray]:
    """Return the arrays of `data` in memory, with the dimensions first that tell samples apart."""
    arrays, is_list = data_arrays(data), isinstance(data, list)
    leads = [
        sample_dims_of(name, array, sample_dims, POSITION_FREE_SAMPLE_DIMS, optional=is_list) for name, array in arrays
    ]
    if sample_dims is not None and not any(leads):
        raise RomValueError(f"sample_dims: no array of data has one of the dimensions {tuple(sample_dims)}")
    return [
        NamedArray(name, array.copy(data=in_memory(array, name)).transpose(*lead, ...), lead)
        for (name, array), lead in zip(arrays, leads, strict=True)
    ]


def data_arrays(data: Any) -> list[tuple[str, xr.DataArray]]:
    """Return the DataArrays of `data` with their names. Raise `RomTypeError` for anything else."""
    is_list = isinstance(data, list)
    arrays = [(f"data[{k}]" if is_list else "data", one) for k, one in enumerate(data if is_list else [data])]
    for name, one in arrays:
        if not isinstance(one, xr.DataArray):
            raise RomTypeError(
                f"{name} must be an xarray.DataArray, whose coordinates are the positions that FitConfig.space needs, got "
                f"{type(one).__name__}"
            )
        if one.size == 0:
            raise RomValueError(f"{name} is empty: its dimensions are {dict(one.sizes)}; leave it out")
    if not arrays:
        raise RomTypeError("data is an empty list; pass at least one DataArray")
    return arrays


def array_coefficients(samples: NamedArray, space: FunctionSpace) -> ArrayCoefficients:
    """Project the samples of an array onto a function space."""
    array, lead = samples.array, samples.lead
    projected = coefficients_of(samples.name, array, space, lead, USABLE)
    own_dims = set(projected.values.dims) - set(lead)
    coords = {n: c.variable for n, c in array.coords.items() if set(c.dims) <= own_dims and n not in space.names}
    layout = replace(layout_of_array(xr.DataArray(projected.values, coords), lead), space=space)
    values = projected.values.transpose(*lead, ...).values.reshape(-1, *layout.shape)
    determined = (projected.amplification <= DETERMINED).set_dims({dim: array.sizes[dim] for dim in lead})
    return ArrayCoefficients(values, layout, projected.errors, determined.transpose(*lead).values.ravel())


def common_layout_of(arrays: Sequence[NamedArray], coefficients: Sequence[ArrayCoefficients]) -> Layout:
    """Return the layout of all arrays. Raise `RomValueError` if they differ."""
    layout = coefficients[0].layout
    for one, own in zip(arrays, coefficients, strict=True):
        require_same_layout(one.name, own.layout, layout)
        layout = completed(layout, own.layout)
    return layout


def fill_undetermined(
    arrays: Sequence[NamedArray], coefficients: Sequence[ArrayCoefficients], layout: Layout, misfit: float
) -> None:
    """Give samples that leave parts of the domain unseen their most probable coefficients, in place.

    What is probable is estimated from the samples whose positions determine their coefficients. If these are fewer than twice the
    functions of the space, the others stay as they are, or are refused if they have none.

    Parameters
    ----------
    arrays, coefficients : sequence
        All arrays and their coefficients.
    layout : Layout
        Labels of a sample, with the function space.
    misfit : float
        Estimated variance of the errors of the values.

    Raises
    ------
    RomValueError
        If samples have no coefficients and the others are too few.
    """
    assert layout.space is not None
    known = np.concatenate([own.values[own.determined] for own in coefficients]).reshape(-1, layout.n_states)
    count = sum(len(own.values) for own in coefficients)
    if len(known) == count:
        return
    if len(known) < 2 * layout.space.n_functions:
        require_coefficients(arrays, coefficients)
        return
    log.warning(
        "%d of %d samples leave parts of the domain unseen; they are filled with the most probable values, estimated from the others",
        count - len(known),
        count,
    )
    prior = prior_of_samples(known, misfit, layout.space)
    for one, own in zip(arrays, coefficients, strict=True):
        rows = ~own.determined
        if rows.any():
            form = ValueFormat(layout, torch.device("cpu"), moving=one.lead)
            given = read_values(one.name, one.select(rows), None, form)
            filled = coefficients_from(one.name, given, layout, prior)
            own.values[rows] = filled.reshape(own.values[rows].shape).numpy()


def require_coefficients(arrays: Sequence[NamedArray], coefficients: Sequence[ArrayCoefficients]) -> None:
    """Raise `RomValueError` if samples have no coefficients, which are then NaN."""
    undetermined = [np.isnan(own.values.reshape(len(own.values), -1)[:, 0]) for own in coefficients]
    for one, rows in zip(arrays, undetermined, strict=True):
        if rows.any():
            raise RomValueError(
                f"{one.name}: sample {int(np.argmax(rows))} leaves parts of the domain unseen, as do "
                f"{sum(map(np.sum, undetermined))} of {sum(map(len, undetermined))}, and the others are too few to estimate what is "
                "there; leave them out, choose fewer functions, rom.Coordinate(n_functions=...), or correct a valid_range that "
                "reaches too far"
            )


def prior_of_samples(known: np.ndarray, misfit: float, space: FunctionSpace) -> Prior:
    """Return the mean and covariance of coefficients `known` (N, n) as a prior of others."""
    mean = known.mean(axis=0)
    variance, modes = np.linalg.eigh((known - mean).T @ (known - mean) / len(known))
    variance = np.maximum(variance, 0.0)
    return Prior(mean, modes, variance, np.array([misfit + LEAST_NOISE * variance.sum() / space.volume]))


def groups_of(arrays: Sequence[NamedArray]) -> np.ndarray:
    """Return the number of the group of each sample, as `sample_groups`; arrays have no groups in common."""
    n_trajectories = sum(one.array.sizes.get("trajectory", 1) for one in arrays if are_states_in_time(one.lead))
    groups = [np.zeros(0, dtype=int)]
    for one in arrays:
        own = sample_groups({dim: one.array.sizes[dim] for dim in one.lead}, n_trajectories)
        groups.append(own + 1 + groups[-1].max(initial=-1))
    return np.concatenate(groups)


def most_position_dims(arrays: Sequence[NamedArray], space: FunctionSpace) -> int:
    """Return the largest number of dimensions that hold the points of a sample; 1 if all lie on grids."""
    at_points = [one for one in arrays if not set(space.names) <= set(one.array.dims)]
    return max((len(place_of(one.name, one.array, space.names, one.lead).dims) for one in at_points), default=1)
