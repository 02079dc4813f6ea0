"""Trajectories (and collocation pairs) in HDF5 files that are valid netCDF-4.

One file holds one block of trajectories, complete: it is built in memory, written beside its place, and moved
there. A process that is killed leaves whole files or none. Such files also open with `xarray.open_dataset`,
lazily.

Layout: dimension scales for every dimension; variables with explicit dtypes, chunked by trajectory, with
Fletcher-32 checksums; attributes `latentrom_schema` (int), `latentrom_header` (SHA-256 of everything but the
chunks) and `provenance` (JSON).
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from systems.errors import (
    SystemsFileError,
    SystemsFileNotFoundError,
    SystemsOSError,
    SystemsTypeError,
    SystemsValueError,
)

SCHEMA = 1
LAYOUTS = {"trajectory": ("trajectory", "time"), "point": ("point",)}
# How netCDF-4 marks a dimension that has a length but no coordinate.
NO_COORDINATE = "This is a netCDF dimension but not a netCDF variable."
# Chunks above this many bytes are split in time: HDF5 reads and checks whole chunks.
LARGEST_CHUNK = 2**22
# Times of a trajectory that are read together from one of several files, in bytes: whole chunks of the file.
LARGEST_READ = 2**25


def save_trajectories(dataset: xr.Dataset, path: str | os.PathLike) -> Path:
    """Write a Dataset of trajectories, or of collocation pairs, to one HDF5 file (valid netCDF-4).

    dataset: `state` (trajectory, time, ...) or (point, ...), real and finite, and further numeric variables.
    path: the file; one that exists is replaced, at once and as a whole. The data pass through memory: write
    sets larger than memory as several files.

    Returns the path. Raises SystemsValueError, SystemsTypeError for data that cannot be stored,
    SystemsOSError if the file cannot be written (a full disk, no permission); what was there before is then
    untouched.
    """
    if not isinstance(path, str | os.PathLike):
        raise SystemsTypeError(f"path must be the path of a file, such as 'runs.h5', got {path!r}")
    path = Path(path)
    _check_dataset(dataset)
    data = _image(dataset, path.name)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        try:
            with open(beside, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(beside)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise SystemsOSError(f"{str(path)!r} could not be written: {error.strerror or error}") from error
    return path


def open_trajectories(path: str | os.PathLike | Iterable[str | os.PathLike]) -> xr.Dataset | list[xr.Dataset]:
    """Open files of `save_trajectories` or `simulate(path=...)`, lazily: values are read when they are used.

    path: one file, a pattern such as "runs/*.h5", a folder of .h5 files, or a list of files.

    Returns a Dataset, its trajectories in the order of the list of files, or of their sorted names where a pattern or
    a folder is given; a list of Datasets, one for each
    group of files with equal times, grids and variables, when they differ. Several files make dask
    arrays: a chunk is one trajectory, or as many of its times as make 32 MB.

    Raises SystemsFileNotFoundError; SystemsFileError for a file that is truncated, altered, foreign or of
    another schema version, also later, when a chunk is read whose checksum fails.
    """
    files = _files(path)
    sets = [_open(file) for file in files]
    groups: dict[Any, list[xr.Dataset]] = {}
    for one in sets:
        groups.setdefault(_signature(one), []).append(one)
    joined = [_join(group) for group in groups.values()]
    return joined[0] if len(joined) == 1 else joined


def read_provenance(path: str | os.PathLike) -> dict[str, Any]:
    """The provenance of one file, as a dictionary. Raises as `open_trajectories` does."""
    with _reading(Path(path)) as file:
        return json.loads(_text(file.attrs.get("provenance", "{}")))


# Writing


def _check_dataset(dataset: Any) -> None:
    if not isinstance(dataset, xr.Dataset):
        raise SystemsTypeError(f"dataset must be an xarray.Dataset, got {type(dataset).__name__}")
    if "state" not in dataset:
        raise SystemsValueError(f"dataset must have a variable 'state', got {list(dataset.data_vars)}")
    state = dataset["state"]
    expected = LAYOUTS.get(str(state.dims[0])) if state.dims else None
    if expected is None or state.dims[: len(expected)] != expected:
        raise SystemsValueError(
            f"state must have dimensions (trajectory, time, ...) or (point, ...), got {state.dims}: transpose"
        )
    if state.size == 0:
        raise SystemsValueError(f"dataset is empty: state has shape {state.shape}")
    if "time" in state.dims:
        if "time" not in dataset.coords:
            raise SystemsValueError("dataset must have the coordinate 'time'; add it by assign_coords(time=...)")
        if dataset["time"].dtype.kind not in "fiu" or not (np.diff(dataset["time"].values) > 0).all():
            raise SystemsValueError("the coordinate 'time' must hold numbers and be strictly increasing")
    for name, variable in dataset.variables.items():
        kind = "fiuUOT" if name in dataset.coords else "fiu"
        if variable.dtype.kind not in kind:
            raise SystemsTypeError(f"variable {name!r} must hold real numbers, got {variable.dtype}")


def _image(dataset: xr.Dataset, name: str) -> bytes:
    """The bytes of the HDF5 file: made in memory, for HDF5 may end the process on a full disk."""
    with h5py.File(name, "w", driver="core", backing_store=False, libver="v108", track_order=True) as file:
        scales = {}
        for dim, size in dataset.sizes.items():
            if dim in dataset.coords:
                scales[dim] = _write(file, str(dim), dataset[dim].variable)
                scales[dim].make_scale(str(dim))
            else:
                scales[dim] = file.create_dataset(str(dim), (size,), dtype="f4")
                scales[dim].make_scale(f"{NO_COORDINATE[:53]}{size:10d}")
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
        file.attrs["latentrom_header"] = _header_digest(file)
        file.flush()
        return file.id.get_file_image()


def _write(file: h5py.File, name: str, variable: xr.Variable) -> h5py.Dataset:
    if variable.dtype.kind in "UOT":
        stored = file.create_dataset(name, variable.shape, dtype=h5py.string_dtype())
        stored[...] = np.asarray(variable.values, dtype=object)
    else:
        values = np.asarray(variable.values)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            at = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
            raise SystemsValueError(f"{name} must be finite, but {name}{list(at)} is {values[at]}")
        dtype = np.dtype(values.dtype.newbyteorder("<"))
        chunks = _chunks(variable.dims, values.shape, dtype.itemsize)
        # Stored data are finite: a chunk that a damaged index has lost then shows when it is read.
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
    if not shape:
        return None
    chunks = list(shape)
    if dims[0] in LAYOUTS and len(shape) > 1:
        row = itemsize * int(np.prod(shape[1:]))
        chunks[0] = 1 if dims[0] == "trajectory" else max(1, min(shape[0], LARGEST_CHUNK // row))
        if len(shape) > 2 and chunks[0] == 1:
            chunks[1] = max(1, min(shape[1], LARGEST_CHUNK * shape[1] // row))
    return tuple(chunks)


def _sync_folder(folder: Path) -> None:
    """Make the move itself durable; not every file system offers it."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


# Reading


def _files(path: Any) -> list[Path]:
    if isinstance(path, str | os.PathLike):
        text = os.fspath(path)
        if os.path.isdir(text):
            found = sorted(glob.glob(os.path.join(glob.escape(text), "*.h5")))
            remedy = "the folder holds no .h5 file"
        elif glob.has_magic(text) and not os.path.exists(text):
            found, remedy = sorted(glob.glob(text)), "no file matches the pattern"
        else:
            found, remedy = [text], ""
        if not found:
            raise SystemsFileNotFoundError(f"{text!r}: {remedy}")
    elif isinstance(path, Iterable):
        found = list(path)
        if not found:
            raise SystemsValueError("path is an empty list; give at least one file")
        for i, file in enumerate(found):
            if not isinstance(file, str | os.PathLike):
                raise SystemsTypeError(f"path[{i}] must be the path of a file, got {file!r}")
    else:
        raise SystemsTypeError(f"path must be a file, a pattern or a list of files, got {path!r}")
    return [Path(file) for file in found]


@contextlib.contextmanager
def _reading(path: Path):
    """The HDF5 file, open and checked; whatever is wrong with it becomes an error that names it."""
    if not path.exists():
        raise SystemsFileNotFoundError(f"{str(path)!r}: no such file")
    try:
        with h5py.File(path, "r") as file:
            _check_file(path, file)
            yield file
    except SystemsFileError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise SystemsFileError(
            f"{str(path)!r} cannot be read: it is truncated, altered, or no HDF5 file ({error}). Make or copy it again"
        ) from error


def _check_file(path: Path, file: h5py.File) -> None:
    schema = file.attrs.get("latentrom_schema")
    if schema is None:
        raise SystemsFileError(
            f"{str(path)!r} was not written by save_trajectories. If it has `state` (trajectory, time, ...), "
            "open it with xarray.open_dataset and write it anew with save_trajectories"
        )
    if schema != SCHEMA:
        age = "a newer" if schema > SCHEMA else "an older"
        raise SystemsFileError(
            f"{str(path)!r} has schema version {schema}, from {age} release; this one reads {SCHEMA}. "
            + ("Update latentrom" if schema > SCHEMA else "Make the file again")
        )
    if _text(file.attrs.get("latentrom_header", "")) != _header_digest(file):
        raise SystemsFileError(
            f"{str(path)!r} has been altered: its header does not match its checksum. Make or copy it again"
        )


def _header_digest(file: h5py.File) -> str:
    """SHA-256 over all but the chunks of data: names, shapes, dtypes, dimensions, attributes, coordinates."""
    digest = hashlib.sha256()
    attributes = {key: _text(value) for key, value in file.attrs.items() if key != "latentrom_header"}
    digest.update(json.dumps(attributes, sort_keys=True, default=str).encode())
    for name, item in sorted(_datasets(file).items()):
        dims = [scale.name for dim in item.dims for scale in dim.values()] if not item.is_scale else []
        units = _text(item.attrs.get("units", ""))
        digest.update(repr((name, item.shape, item.dtype.str, item.chunks, dims, units)).encode())
        # Checksums say that a chunk is whole, not that it is in its place.
        digest.update(repr(_chunk_index(item)).encode())
        if item.ndim == 1 and item.is_scale and not _text(item.attrs["NAME"]).startswith(NO_COORDINATE[:53]):
            values = item[...]
            digest.update(values.tobytes() if values.dtype.kind != "O" else b"\0".join(values.tolist()))
    return digest.hexdigest()


def _chunk_index(item: h5py.Dataset) -> list[tuple[Any, ...]]:
    if item.chunks is None:
        return []
    index: list[tuple[Any, ...]] = []
    item.id.chunk_iter(lambda c: index.append((c.chunk_offset, c.filter_mask, c.byte_offset, c.size)))
    return sorted(index)


def _open(path: Path) -> xr.Dataset:
    with _reading(path) as file:
        data, coords = {}, {}
        datasets = _datasets(file)
        others = _text(datasets["state"].attrs.get("coordinates", "")).split()
        for name, item in datasets.items():
            if item.is_scale:
                if not _text(item.attrs["NAME"]).startswith(NO_COORDINATE[:53]):
                    coords[name] = (name, _values(item), _attributes(item))
                continue
            dims = tuple(str(dim.values()[0].name).lstrip("/") for dim in item.dims)
            lazy = indexing.LazilyIndexedArray(_StoredArray(path, name, item.shape, item.dtype))
            stored = dict(zip(dims, item.chunks or (), strict=False))
            variable = xr.Variable(dims, lazy, _attributes(item), {"preferred_chunks": stored})
            (coords if name in others else data)[name] = variable
        dataset = xr.Dataset(data, coords, attrs={"provenance": _text(file.attrs["provenance"])})
        dataset.encoding["source"] = str(path)  # as xarray does: whoever uses `state` knows that it is still on disk
        return dataset


class _StoredArray(BackendArray):
    """A variable in a file, opened for each read: no handle stays open, and a failing read names the file."""

    def __init__(self, path: Path, name: str, shape: tuple[int, ...], dtype: np.dtype):
        self.path, self.name, self.shape, self.dtype = path, name, shape, dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER_1VECTOR, self._read)

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        try:
            with h5py.File(self.path, "r") as file:
                values = np.asarray(_datasets(file)[self.name][key])
        except FileNotFoundError as error:
            raise SystemsFileNotFoundError(f"{str(self.path)!r} is gone since it was opened") from error
        except (OSError, KeyError, RuntimeError) as error:
            raise self._damaged(f"its checksum fails or it is truncated ({error})") from error
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise self._damaged("a part of it is missing")
        return values

    def _damaged(self, why: str) -> SystemsFileError:
        return SystemsFileError(f"{str(self.path)!r}: {self.name!r} cannot be read, {why}. Make or copy the file again")


def _datasets(file: h5py.File) -> dict[str, h5py.Dataset]:
    """The variables and scales of a file, in the order in which they were written."""
    return {name: item for name, item in file.items() if isinstance(item, h5py.Dataset)}


def _values(item: h5py.Dataset) -> np.ndarray:
    values = item[...]
    return np.array([v.decode() for v in values]) if values.dtype.kind == "O" else values


def _attributes(item: h5py.Dataset) -> dict[str, Any]:
    internal = {"CLASS", "NAME", "REFERENCE_LIST", "DIMENSION_LIST", "_Netcdf4Dimid", "coordinates"}
    return {key: _text(value) for key, value in item.attrs.items() if key not in internal}


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value.item() if isinstance(value, np.generic) else value


def _signature(dataset: xr.Dataset) -> Any:
    """Equal for sets that can be joined along trajectories (or points)."""
    leading = dataset["state"].dims[0]
    coords = [(name, c.dims, c.values.tobytes()) for name, c in sorted(dataset.coords.items()) if leading not in c.dims]
    variables = [
        (name, v.dims, tuple(v.sizes[d] for d in v.dims if d != leading), v.dtype.str)
        for name, v in sorted(dataset.data_vars.items())
    ]
    return repr((coords, variables))


def _join(group: list[xr.Dataset]) -> xr.Dataset:
    if len(group) == 1:
        return group[0]
    leading = group[0]["state"].dims[0]
    state = group[0]["state"]
    chunks = {leading: 1 if leading == "trajectory" else -1}
    if leading == "trajectory":
        together = state.encoding["preferred_chunks"].get("time", state.sizes["time"])
        most = LARGEST_READ // (state.dtype.itemsize * max(1, int(np.prod(state.shape[2:]))))
        chunks["time"] = max(together, most - most % together)
    lazy = [one.chunk(chunks) for one in group]
    return xr.concat(
        lazy, dim=leading, data_vars="minimal", coords="minimal", compat="override", join="override",
        combine_attrs="override",
    )  # fmt: skip
