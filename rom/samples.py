"""Data of an autoencoder at the door: samples told apart from components, checked, and divided into three."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from rom.data import numeric, require_finite, require_real
from rom.errors import RomTypeError, RomValueError, nearest
from rom.layout import Layout, layout_of, plain_layout

__all__ = ["Samples", "as_samples"]

SAMPLE_DIMS = ("sample", "trajectory", "time", "point")  # dimensions that tell samples apart, unless others are named
SHARE = 0.1  # of the samples, or of whole trajectories, that validates; and as much that calibrates
FEWEST = 10
FEWEST_TRAJECTORIES = 10  # from which whole ones are set apart
MOST = 4096  # samples that validate, and that calibrate


@dataclass(frozen=True)
class Samples:
    """Flat samples (N, n) in float64, in three parts, and their labels. `part` (N,) is 0, 1 or 2: to which each belongs."""

    training: np.ndarray
    validating: np.ndarray
    calibrating: np.ndarray
    layout: Layout
    part: np.ndarray


def as_samples(data: Any, sample_dims: Sequence[str] | None, seed: int) -> Samples:
    """Samples of an array (N, *shape) or of a DataArray.

    Raises `RomTypeError` for what is neither, `RomValueError` for too few samples, for values that are not finite, and for data
    that do not vary.
    """
    if isinstance(data, xr.DataArray):
        values, layout, n_alike = labelled_samples(data, sample_dims)
    else:
        if sample_dims is not None:
            raise RomTypeError(
                "sample_dims names dimensions of a DataArray; the first axis of an array tells samples apart"
            )
        values, layout, n_alike = plain_samples(data)
    if len(values) < FEWEST:
        raise RomValueError(f"data has {len(values)} samples; at least {FEWEST} are needed")
    require_finite("data", values, ("sample",))
    flat = values.reshape(len(values), -1).astype(np.float64)
    if not (np.ptp(flat, axis=0) > 0.0).any():
        raise RomValueError("data does not vary: all samples are equal; there is nothing to encode")
    part = divided(len(flat), n_alike, np.random.default_rng([seed, 4]))
    training, validating, calibrating = (flat[part == k] for k in range(3))
    return Samples(training, validating, calibrating, layout, part)


def labelled_samples(data: xr.DataArray, sample_dims: Sequence[str] | None) -> tuple[np.ndarray, Layout, int]:
    """Samples (N, *shape) of a DataArray, their layout, and how many that follow each other are of one trajectory."""
    if sample_dims is None:
        leading = [str(d) for d in data.dims if d in SAMPLE_DIMS] or [str(d) for d in data.dims[:1]]
    else:
        leading = [sample_dims] if isinstance(sample_dims, str) else list(sample_dims)
        for dim in leading:
            if dim not in data.dims:
                raise RomValueError(f"sample_dims: unknown dimension {dim!r}; {nearest(dim, map(str, data.dims))}")
    own = [str(d) for d in data.dims if d not in leading]
    if not own:
        raise RomValueError(f"data has only the dimensions {data.dims} of samples; a sample needs one of its own")
    require_real("data", data.dtype)
    dataset = data.rename("state").reset_coords(drop=True).to_dataset()
    layout = layout_of(dataset, ("state",), tuple(leading))
    ordered = data.transpose(*leading, *own)
    values = np.asarray(ordered.values).reshape(-1, *(data.sizes[d] for d in own))
    n_trajectories = data.sizes[leading[0]] if leading[0] == "trajectory" else 0
    return values, layout, len(values) // n_trajectories if n_trajectories >= FEWEST_TRAJECTORIES else 1


def plain_samples(data: Any) -> tuple[np.ndarray, Layout, int]:
    values = numeric("data", data)
    if values.ndim < 2:
        raise RomValueError(f"data has shape {values.shape}; samples (N, *shape) are needed")
    return values, plain_layout(values.shape[1:], 0), 1


def divided(n: int, n_alike: int, rng: np.random.Generator) -> np.ndarray:
    """Which samples (n,) train (0), validate (1) and calibrate (2); `n_alike` that follow each other stay together."""
    n_groups = n // n_alike
    count = max(1, min(int(SHARE * n_groups), MOST // n_alike))
    part = np.zeros(n_groups, dtype=np.int8)
    chosen = rng.permutation(n_groups)
    part[chosen[:count]], part[chosen[count : 2 * count]] = 1, 2
    return part.repeat(n_alike)
