"""Samples of an autoencoder: told apart from components, checked, and divided into three parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

import systems
from rom.data.layout import Layout, layout_of_array, plain_layout
from rom.data.split import sample_groups, split_groups
from rom.data.states import ArrayLike
from rom.utils.arrays import numeric, require_finite, require_real
from rom.utils.errors import RomReadError, RomTypeError, RomValueError, nearest
from rom.utils.random import AutoencoderStream, random_stream

__all__ = [
    "POSITION_FREE_SAMPLE_DIMS",
    "SAMPLE_DIMS",
    "PositionInfo",
    "Samples",
    "as_samples",
    "in_memory",
    "sample_dims_of",
    "split_samples",
]

SAMPLE_DIMS = ("sample", "trajectory", "time", "point")  # dimensions that tell samples apart, unless others are named
POSITION_FREE_SAMPLE_DIMS = (
    "sample",
    "trajectory",
    "time",
)  # the same in a function space, where points have positions
FEWEST_SAMPLES = 10  # of an autoencoder


@dataclass(frozen=True)
class PositionInfo:
    """What is known of samples that are values at positions.

    Attributes
    ----------
    calibrating : tuple of xarray.DataArray
        Values of the samples that calibrate, as they came, ``(*dims, ...)``.
    dims : tuple of str
        Dimensions that tell samples apart.
    n_position_dims : int
        The largest number of dimensions that hold the points of a sample.
    misfit : float
        Estimated variance of the errors of the values.
    lost : float
        Share of the variance of the values that the function space does not hold.
    """

    calibrating: tuple[xr.DataArray, ...]
    dims: tuple[str, ...]
    n_position_dims: int
    misfit: float
    lost: float


@dataclass(frozen=True)
class Samples:
    """Flat samples in three parts, and their labels.

    Attributes
    ----------
    training, validating, calibrating : numpy.ndarray
        Samples ``(N, n)``, float64.
    layout : Layout
        Labels of a sample.
    part : numpy.ndarray
        The part of each sample in the order of the data: 0 trains, 1 validates, 2 calibrates.
    n_groups : int
        Number of trajectories, stretches of time, or samples that calibrate.
    seen : PositionInfo or None
        What is known of values at positions, for samples that are coefficients.
    """

    training: np.ndarray
    validating: np.ndarray
    calibrating: np.ndarray
    layout: Layout
    part: np.ndarray
    n_groups: int
    seen: PositionInfo | None = None

    @property
    def misfit(self) -> tuple[float, ...]:
        """Estimated variance of the errors of the values of each field, for samples that are coefficients."""
        return () if self.seen is None else (self.seen.misfit,)


def as_samples(data: ArrayLike, sample_dims: Sequence[str] | None, seed: int) -> Samples:
    """Read samples on one grid.

    Parameters
    ----------
    data : ArrayLike
        Samples ``(N, *shape)``, or a DataArray.
    sample_dims : sequence of str or None
        Dimensions of a DataArray that tell samples apart.
    seed : int
        Seed of the division into parts.

    Returns
    -------
    Samples
        Training, validating and calibrating samples.

    Raises
    ------
    RomTypeError
        If `data` is neither an array nor a DataArray.
    RomValueError
        If there are too few samples, values are not finite, or the data do not vary.
    RomReadError
        If a computation of dask fails.
    """
    if isinstance(data, xr.DataArray):
        return split_samples(*labelled_samples(data, sample_dims), seed)
    if isinstance(data, list) and any(isinstance(one, xr.DataArray) for one in data):
        raise RomTypeError(
            "data is a list of DataArrays; join them with xarray.concat(data, 'sample'), or where their grids differ, fit with "
            "FitConfig(space=rom.Coordinate())"
        )
    if sample_dims is not None:
        raise RomTypeError(
            "sample_dims names dimensions of a DataArray; the first axis of an array tells samples apart"
        )
    return split_samples(*array_samples(data), seed)


def split_samples(values: np.ndarray, layout: Layout, group: np.ndarray, seed: int) -> Samples:
    """Divide samples into those that train, validate and calibrate.

    Parameters
    ----------
    values : numpy.ndarray
        Samples ``(N, *shape)``.
    layout : Layout
        Labels of a sample.
    group : numpy.ndarray
        Number of the group of each sample, ``(N,)``. Groups are not divided, unless there are fewer than two.
    seed : int
        Seed of the choice.

    Returns
    -------
    Samples
        The three parts.

    Raises
    ------
    RomValueError
        If there are too few samples, values are not finite, or the training samples do not vary.
    """
    if len(values) < FEWEST_SAMPLES:
        raise RomValueError(f"data has {len(values)} samples; at least {FEWEST_SAMPLES} are needed")
    require_finite("data", values, ("sample",))
    flat = values.reshape(len(values), -1).astype(np.float64)
    if group.max() < 2:  # three parts need three groups
        group = np.arange(len(group))
    part = split_groups(group, random_stream(seed, AutoencoderStream.SPLIT))
    training, validating, calibrating = (flat[part == k] for k in range(3))
    if not (np.ptp(training, axis=0) > 0.0).any():
        raise RomValueError(
            f"data does not vary: all {len(training)} samples to train on are equal; there is nothing to encode"
        )
    return Samples(training, validating, calibrating, layout, part, len(np.unique(group[part == 2])))


def labelled_samples(data: xr.DataArray, sample_dims: Sequence[str] | None) -> tuple[np.ndarray, Layout, np.ndarray]:
    """Return samples (N, *shape) of a DataArray, their layout, and the number (N,) of the group of each."""
    leading = sample_dims_of("data", data, sample_dims, SAMPLE_DIMS)
    require_real("data", data.dtype)
    layout = layout_of_array(data, leading)
    require_components(layout.shape)
    sizes = {d: data.sizes[d] for d in leading}
    values = in_memory(data.transpose(*leading, ...)).reshape(-1, *layout.shape)
    return values, layout, sample_groups(sizes, sizes.get("trajectory", 1))


def array_samples(data: Any) -> tuple[np.ndarray, Layout, np.ndarray]:
    """Return samples (N, *shape) of an array, their layout, and their numbers: each is a group of its own."""
    if isinstance(data, tuple):
        raise RomTypeError(
            "data must be samples (N, *shape), got a tuple; an autoencoder alone knows no times, pass states"
        )
    values = numeric("data", data)
    if values.ndim < 2:
        raise RomValueError(f"data has shape {values.shape}; samples (N, *shape) are needed")
    require_components(values.shape[1:])
    return values, plain_layout(values.shape[1:], 0), np.arange(len(values))


def sample_dims_of(
    name: str, data: xr.DataArray, sample_dims: Sequence[str] | None, usual: Sequence[str], optional: bool = False
) -> tuple[str, ...]:
    """Return the dimensions of an array that tell samples apart.

    Parameters
    ----------
    name : str
        Name of the array in error messages.
    data : xarray.DataArray
        The array.
    sample_dims : sequence of str or None
        Names given by the user.
    usual : sequence of str
        Names to look for if the user gave none.
    optional : bool
        Whether the array may have none of them, because it is a single sample. Otherwise its first dimension is taken.

    Returns
    -------
    tuple of str
        Dimensions, in the order of `sample_dims` or of the array.

    Raises
    ------
    RomTypeError
        If `sample_dims` is not a sequence of names.
    RomValueError
        If a name is unknown, or no dimension is left for a sample.
    """
    dims = [str(d) for d in data.dims]
    if sample_dims is None:
        leading = [d for d in dims if d in usual] or ([] if optional else dims[:1])
    else:
        leading = dims_named_by_user(name, sample_dims, dims, optional)
    if len(leading) == len(dims):
        raise RomValueError(f"{name} has only the dimensions {tuple(dims)} of samples; a sample needs one of its own")
    return tuple(leading)


def dims_named_by_user(name: str, sample_dims: Any, dims: Sequence[str], optional: bool) -> list[str]:
    """Return the names in `sample_dims` that are among `dims`; unless `optional`, all must be."""
    leading = [sample_dims] if isinstance(sample_dims, str) else sample_dims
    if not isinstance(leading, Sequence) or not all(isinstance(dim, str) for dim in leading):
        raise RomTypeError(f"sample_dims must be a sequence of names of dimensions, got {sample_dims!r}")
    for dim in leading:
        if dim not in dims and not optional:
            raise RomValueError(f"sample_dims: unknown dimension {dim!r} of {name}; {nearest(dim, dims)}")
    return [dim for dim in dict.fromkeys(leading) if dim in dims]


def in_memory(data: xr.DataArray, name: str = "data") -> np.ndarray:
    """Return the values of an array, which dask may have to compute. Raise `RomReadError` if that fails."""
    try:
        return np.asarray(data.values)
    except (systems.SystemsError, MemoryError):
        raise
    except Exception as error:  # whatever a computation or the reader of a file fails with
        raise RomReadError(f"{name} could not be read or computed ({type(error).__name__}: {error})") from error


def require_components(shape: tuple[int, ...]) -> None:
    """Raise `RomValueError` if a sample of this shape has no components."""
    if 0 in shape:
        raise RomValueError(f"data: a sample has shape {shape}, which holds nothing")
