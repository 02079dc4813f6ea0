"""Writing one file of trajectories or collocation pairs.

The file is built in memory, written to a temporary file, and moved to its place. A process that is killed leaves a whole
file or none.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr

from systems.checks import require_finite
from systems.errors import SystemsTypeError, SystemsValueError
from systems.io.atomic_files import write_whole
from systems.io.file_format import LAYOUTS, NO_COORDINATE, SCHEMA, header_digest

__all__ = ["save_trajectories"]

# Larger chunks, in bytes, are split in time: HDF5 reads and checks whole chunks.
LARGEST_CHUNK = 2**22


def save_trajectories(dataset: xr.Dataset, path: str | os.PathLike) -> Path:
    """Write a Dataset of trajectories or collocation pairs to one HDF5 file.

    The file is valid netCDF-4: `xarray.open_dataset` opens it too. An existing file is replaced only when the new one is
    complete. The data pass through memory, so write sets that are larger than memory as several files.

    Parameters
    ----------
    dataset : xarray.Dataset
        The variable ``state`` with dimensions (trajectory, time, ...) or (point, ...), real and finite, and further
        numeric variables, such as ``parameters``, ``inputs`` and ``time_derivative``.
    path : str or path
        The file to write.

    Returns
    -------
    Path
        The path of the file.

    Raises
    ------
    SystemsTypeError
        If `dataset` or `path` is of the wrong type, or a variable does not hold numbers.
    SystemsValueError
        If the Dataset lacks ``state`` or ``time``, is empty, or holds values that are not finite.
    SystemsOSError
        If the file cannot be written, for instance to a full disk. An existing file then remains as it was.

    See Also
    --------
    open_trajectories : Open one or several files.

    Examples
    --------
    >>> import os, tempfile
    >>> import systems
    >>> runs = systems.simulate(systems.Lorenz(), 2, [0.0, 0.1])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = systems.save_trajectories(runs, os.path.join(folder, "runs.h5"))
    ...     print(systems.open_trajectories(path).load().identical(runs))
    True
    """
    if not isinstance(path, str | os.PathLike):
        raise SystemsTypeError(f"path must be the path of a file, such as 'runs.h5', got {path!r}")
    path = Path(path)
    _check_dataset(dataset)
    write_whole(path, _image(dataset, path.name))
    return path


def _check_dataset(dataset: Any) -> None:
    """Raise an error unless the Dataset can be stored."""
    if not isinstance(dataset, xr.Dataset):
        raise SystemsTypeError(f"dataset must be an xarray.Dataset, got {type(dataset).__name__}")
    if "state" not in dataset:
        raise SystemsValueError(f"dataset must have a variable 'state', got {list(dataset.data_vars)}")
    state = dataset["state"]
    expected = LAYOUTS.get(str(state.dims[0])) if state.dims else None
    if expected is None or state.dims[: len(expected)] != expected:
        raise SystemsValueError(
            f"state must have dimensions (trajectory, time, ...) or (point, ...), got {state.dims}: transpose it"
        )
    if state.size == 0:
        raise SystemsValueError(f"dataset is empty: state has shape {state.shape}")
    if "time" in state.dims:
        if "time" not in dataset.coords:
            raise SystemsValueError("dataset must have the coordinate 'time'; add it by assign_coords(time=...)")
        _check_time(dataset["time"].values)
    for name, variable in dataset.variables.items():
        kind = "fiuUOT" if name in dataset.coords else "fiu"
        if variable.dtype.kind not in kind:
            raise SystemsTypeError(f"variable {name!r} must hold real numbers, got {variable.dtype}")


def _check_time(time: np.ndarray) -> None:
    """Raise an error unless the times are numbers that increase strictly."""
    if time.dtype.kind not in "fiu":
        raise SystemsTypeError(f"the coordinate 'time' must hold numbers, got {time.dtype}")
    # Compared and not subtracted: differences of unsigned integers are never negative.
    wrong = np.flatnonzero(~(time[1:] > time[:-1]))
    if wrong.size:
        i = int(wrong[0])
        raise SystemsValueError(
            f"the coordinate 'time' must be strictly increasing, but time[{i}] = {time[i]:g} is followed by "
            f"time[{i + 1}] = {time[i + 1]:g}: sort by time, and drop repeated times"
        )


def _image(dataset: xr.Dataset, name: str) -> bytes:
    """Return the bytes of the HDF5 file, made in memory.

    HDF5 itself may end the process on a full disk.
    """
    with h5py.File(name, "w", driver="core", backing_store=False, libver="v108", track_order=True) as file:
        scales = {}
        for dim, size in dataset.sizes.items():
            if dim in dataset.coords:
                scales[dim] = _write(file, str(dim), dataset[dim].variable)
                scales[dim].make_scale(str(dim))
            else:
                scales[dim] = file.create_dataset(str(dim), (size,), dtype="f4")
                scales[dim].make_scale(f"{NO_COORDINATE}{size:10d}")
        for key, variable in dataset.variables.items():
            if key in dataset.sizes:
                continue
            stored = _write(file, str(key), variable)
            for axis, dim in enumerate(variable.dims):
                stored.dims[axis].attach_scale(scales[dim])
        others = [str(key) for key in dataset.coords if key not in dataset.sizes]
        if others:
            file["state"].attrs["coordinates"] = " ".join(others)
        file.attrs["provenance"] = str(dataset.attrs.get("provenance", "{}"))
        file.attrs["latentrom_schema"] = np.int64(SCHEMA)
        file.attrs["latentrom_header"] = header_digest(file)
        file.flush()
        return file.id.get_file_image()


def _write(file: h5py.File, name: str, variable: xr.Variable) -> h5py.Dataset:
    """Write one variable with its attributes."""
    if variable.dtype.kind in "UOT":
        stored = file.create_dataset(name, variable.shape, dtype=h5py.string_dtype())
        stored[...] = np.asarray(variable.values, dtype=object)
    else:
        values = np.asarray(variable.values)
        if values.dtype.kind == "f":
            require_finite(name, values)
        dtype = np.dtype(values.dtype.newbyteorder("<"))
        chunks = _chunks(variable.dims, values.shape, dtype.itemsize)
        # Stored data are finite, so a chunk that is missing from a damaged index is noticed when it is read.
        fill = np.nan if dtype.kind == "f" else None
        stored = file.create_dataset(
            name, values.shape, dtype=dtype, data=values, chunks=chunks, fletcher32=chunks is not None,
            fillvalue=fill,
        )  # fmt: skip
    for key, value in variable.attrs.items():
        if isinstance(value, str | int | float):
            stored.attrs[str(key)] = value
    return stored


def _chunks(dims: Sequence[Any], shape: tuple[int, ...], itemsize: int) -> tuple[int, ...] | None:
    """Return the chunks of a variable.

    A chunk is one trajectory, a part of its times, or a number of points.
    """
    if not shape:
        return None
    chunks = list(shape)
    if dims[0] in LAYOUTS and len(shape) > 1:
        row = itemsize * int(np.prod(shape[1:]))
        chunks[0] = 1 if dims[0] == "trajectory" else max(1, min(shape[0], LARGEST_CHUNK // row))
        if len(shape) > 2 and chunks[0] == 1:
            chunks[1] = max(1, min(shape[1], LARGEST_CHUNK * shape[1] // row))
    return tuple(chunks)
