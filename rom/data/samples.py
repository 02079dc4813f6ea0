"""Data of an autoencoder at the door: samples told apart from components, checked, and divided into three."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

import systems
from rom.data.layout import Layout, layout_of_array, plain_layout
from rom.utils.checks import numeric, require_finite, require_real
from rom.utils.errors import RomReadError, RomTypeError, RomValueError, nearest
from rom.utils.random import AutoencoderStream, random_stream

__all__ = [
    "SAMPLE_DIMS",
    "PositionInfo",
    "Samples",
    "as_samples",
    "groups_of",
    "in_memory",
    "in_time",
    "sample_dims_of",
    "split_samples",
]

SAMPLE_DIMS = ("sample", "trajectory", "time", "point")  # dimensions that tell samples apart, unless others are named
SHARE = 0.1  # of the samples, or of whole trajectories, that validates; and as much that calibrates
FEWEST = 10
FEWEST_TRAJECTORIES = 10  # from which whole ones are set apart
FEWEST_STRETCHES = 20  # of fewer trajectories, which are divided in time: neighbours in time are almost the same sample
MOST = 4096  # samples that validate, and that calibrate


@dataclass(frozen=True)
class PositionInfo:
    """What a function space makes of values at positions.

    calibrating: those of the samples that calibrate, as they came, (*dims, ...). dims: those that tell samples apart.
    n_position_dims: how many hold the points of a sample, at most. misfit: variance of the errors of the values. lost: share of
    their variance that the space leaves.
    """

    calibrating: tuple[xr.DataArray, ...]
    dims: tuple[str, ...]
    n_position_dims: int
    misfit: float
    lost: float


@dataclass(frozen=True)
class Samples:
    """Flat samples (N, n) in float64, in three parts, and their labels.

    part: (N,), 0, 1 or 2: to which each belongs. n_groups: trajectories, stretches of time, or samples, that calibrate. seen: of
    samples that are coefficients in a function space.
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
        """Variance of the errors of the values of each field, where samples are coefficients."""
        return () if self.seen is None else (self.seen.misfit,)


def as_samples(data: Any, sample_dims: Sequence[str] | None, seed: int) -> Samples:
    """Samples of an array (N, *shape) or of a DataArray.

    Raises `RomTypeError` for what is neither, `RomValueError` for too few samples, for values that are not finite, and for data
    that do not vary; `RomReadError` where a computation of dask fails.
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
    return split_samples(*plain_samples(data), seed)


def split_samples(values: np.ndarray, layout: Layout, group: np.ndarray, seed: int) -> Samples:
    """Samples (N, *shape) in three parts, of which those of a `group` (N,) are not parted. Raises as `as_samples`."""
    if len(values) < FEWEST:
        raise RomValueError(f"data has {len(values)} samples; at least {FEWEST} are needed")
    require_finite("data", values, ("sample",))
    flat = values.reshape(len(values), -1).astype(np.float64)
    if group.max() < 2:  # fewer than three cannot be parted
        group = np.arange(len(group))
    part = assign_split(group, random_stream(seed, AutoencoderStream.SPLIT))
    training, validating, calibrating = (flat[part == k] for k in range(3))
    if not (np.ptp(training, axis=0) > 0.0).any():
        raise RomValueError(
            f"data does not vary: all {len(training)} samples to train on are equal; there is nothing to encode"
        )
    return Samples(training, validating, calibrating, layout, part, len(np.unique(group[part == 2])))


def labelled_samples(data: xr.DataArray, sample_dims: Sequence[str] | None) -> tuple[np.ndarray, Layout, np.ndarray]:
    """Samples (N, *shape) of a DataArray, their layout, and the number (N,) of the group that each belongs to.

    A group is a trajectory, where there are enough of them, a stretch of time of fewer ones, or else a single sample.
    """
    leading = sample_dims_of("data", data, sample_dims, SAMPLE_DIMS)
    require_real("data", data.dtype)
    layout = layout_of_array(data, leading)
    require_components(layout.shape)
    sizes = {d: data.sizes[d] for d in leading}
    values = in_memory(data.transpose(*leading, ...)).reshape(-1, *layout.shape)
    return values, layout, groups_of(sizes, sizes.get("trajectory", 1))


def sample_dims_of(
    name: str, data: xr.DataArray, sample_dims: Sequence[str] | None, usual: Sequence[str], may_lack: bool = False
) -> tuple[str, ...]:
    """The dimensions that tell samples apart: those named, or the `usual` ones that there are, or else the first.

    None where data have none of these, and `may_lack` them: they are a single sample.
    """
    dims = [str(d) for d in data.dims]
    if sample_dims is None:
        leading = [d for d in dims if d in usual] or ([] if may_lack else dims[:1])
    else:
        leading = named_dims(name, sample_dims, dims, may_lack)
    if len(leading) == len(dims):
        raise RomValueError(f"{name} has only the dimensions {tuple(dims)} of samples; a sample needs one of its own")
    return tuple(leading)


def groups_of(sizes: Mapping[str, int], n_trajectories: int) -> np.ndarray:
    """The number (N,) of the group of each sample, over dimensions of these sizes, of so many trajectories in all."""
    place = {dim: index.ravel() for dim, index in zip(sizes, np.indices(tuple(sizes.values())), strict=True)}
    n_samples = int(np.prod(tuple(sizes.values()), dtype=int))
    if not in_time(sizes):
        return np.arange(n_samples)
    if n_trajectories >= FEWEST_TRAJECTORIES:
        return place.get("trajectory", np.zeros(n_samples, dtype=int))
    if "time" not in sizes:
        return np.arange(n_samples)
    stretches = min(sizes["time"], -(-FEWEST_STRETCHES // max(n_trajectories, 1)))
    stretch = place["time"] * stretches // max(sizes["time"], 1)
    return place.get("trajectory", 0) * stretches + stretch


def in_time(dims: Collection[str]) -> bool:
    """Whether samples over these dimensions are states of trajectories, which are not parted."""
    return "time" in dims or "trajectory" in dims


def named_dims(name: str, sample_dims: Any, dims: Sequence[str], may_lack: bool) -> list[str]:
    """The dimensions that `sample_dims` names, of those that there are."""
    leading = [sample_dims] if isinstance(sample_dims, str) else sample_dims
    if not isinstance(leading, Sequence) or not all(isinstance(dim, str) for dim in leading):
        raise RomTypeError(f"sample_dims must be a sequence of names of dimensions, got {sample_dims!r}")
    for dim in leading:
        if dim not in dims and not may_lack:
            raise RomValueError(f"sample_dims: unknown dimension {dim!r} of {name}; {nearest(dim, dims)}")
    return [dim for dim in dict.fromkeys(leading) if dim in dims]


def in_memory(data: xr.DataArray, name: str = "data") -> np.ndarray:
    """The values of an array, which dask may have to compute."""
    try:
        return np.asarray(data.values)
    except (systems.SystemsError, MemoryError):
        raise
    except Exception as error:  # whatever a computation or the reader of a file fails with
        raise RomReadError(f"{name} could not be read or computed ({type(error).__name__}: {error})") from error


def plain_samples(data: Any) -> tuple[np.ndarray, Layout, np.ndarray]:
    """The same of an array, whose samples are groups of their own."""
    if isinstance(data, tuple):
        raise RomTypeError(
            "data must be samples (N, *shape), got a tuple; an autoencoder alone knows no times, pass states"
        )
    values = numeric("data", data)
    if values.ndim < 2:
        raise RomValueError(f"data has shape {values.shape}; samples (N, *shape) are needed")
    require_components(values.shape[1:])
    return values, plain_layout(values.shape[1:], 0), np.arange(len(values))


def require_components(shape: tuple[int, ...]) -> None:
    if 0 in shape:
        raise RomValueError(f"data: a sample has shape {shape}, which holds nothing")


def assign_split(group: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Which samples (N,) train (0), validate (1) and calibrate (2), of the numbers of their groups, which stay together."""
    n_groups = int(group.max()) + 1
    count = max(1, min(int(SHARE * n_groups), MOST * n_groups // len(group)))
    part = np.zeros(n_groups, dtype=np.int8)
    chosen = rng.permutation(n_groups)
    part[chosen[:count]], part[chosen[count : 2 * count]] = 1, 2
    return part[group]


POSITION_FREE_SAMPLE_DIMS = tuple(dim for dim in SAMPLE_DIMS if dim != "point")  # points have positions

log = logging.getLogger("rom")
