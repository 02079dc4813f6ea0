"""One HDF5 file of trajectories (or collocation pairs) that is valid netCDF-4.

One file holds one block of trajectories, complete: it is built in memory, written beside its place, and moved
there. A process that is killed leaves whole files or none. Such files also open with `xarray.open_dataset`,
lazily.

Layout: dimension scales for every dimension; variables with explicit dtypes, chunked by trajectory, with
Fletcher-32 checksums; attributes `latentrom_schema` (int), `latentrom_header` (SHA-256 of everything but the
chunks) and `provenance` (JSON).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

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
from systems.io.provenance import parsed

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

SCHEMA = 1
LAYOUTS = {"trajectory": ("trajectory", "time"), "point": ("point",)}
# How netCDF-4 marks a dimension that has a length but no coordinate.
NO_COORDINATE = "This is a netCDF dimension but not a netCDF variable."
# Chunks above this many bytes are split in time: HDF5 reads and checks whole chunks.
LARGEST_CHUNK = 2**22


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
    write_whole(path, _image(dataset, path.name))
    return path


def read_trajectories(path: Path) -> xr.Dataset:
    """One file, lazily: values are read when they are used. Raises as `open_trajectories` does."""
    with _reading(path) as file:
        header = _text(file.attrs["latentrom_header"])
        data, coords = {}, {}
        datasets = _datasets(file)
        others = _text(datasets["state"].attrs.get("coordinates", "")).split()
        for name, item in datasets.items():
            if item.is_scale:
                if _is_coordinate(item):
                    coords[name] = (name, _values(item), _attributes(item))
                continue
            dims = tuple(str(dim.values()[0].name).lstrip("/") for dim in item.dims)
            lazy = indexing.LazilyIndexedArray(_StoredArray(path, name, item.shape, item.dtype, header))
            stored = dict(zip(dims, item.chunks or (), strict=False))
            variable = xr.Variable(dims, lazy, _attributes(item), {"preferred_chunks": stored})
            (coords if name in others else data)[name] = variable
        dataset = xr.Dataset(data, coords, attrs={"provenance": _text(file.attrs["provenance"])})
        dataset.encoding["source"] = str(path)  # as xarray does: whoever uses `state` knows that it is still on disk
        return dataset


def read_header(path: Path) -> tuple[dict[str, Any], list[int]]:
    """The provenance of one file, and the indices of its trajectories. Raises as `open_trajectories` does."""
    with _reading(path) as file:
        labels = _datasets(file).get("trajectory")
        held = labels[...].tolist() if labels is not None and _is_coordinate(labels) else []
        return parsed(_text(file.attrs.get("provenance", "{}"))), held


def schema_of(path: Path) -> int | None:
    """The schema version of a file, or None for anything else than a file of `save_trajectories`."""
    try:
        with h5py.File(path, "r") as file:
            return _text(file.attrs["latentrom_schema"])
    except (OSError, KeyError, RuntimeError, ValueError, TypeError):
        return None


class OtherSchemaError(SystemsFileError):
    """A file of another schema version than this release reads."""


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
        _check_time(dataset["time"].values)
    for name, variable in dataset.variables.items():
        kind = "fiuUOT" if name in dataset.coords else "fiu"
        if variable.dtype.kind not in kind:
            raise SystemsTypeError(f"variable {name!r} must hold real numbers, got {variable.dtype}")


def _check_time(time: np.ndarray) -> None:
    if time.dtype.kind not in "fiu":
        raise SystemsTypeError(f"the coordinate 'time' must hold numbers, got {time.dtype}")
    # Compared and not subtracted: differences of unsigned integers are never negative.
    wrong = np.flatnonzero(~(time[1:] > time[:-1]))
    if wrong.size:
        i = int(wrong[0])
        raise SystemsValueError(
            f"the coordinate 'time' must be strictly increasing, but time[{i}] = {time[i]:g} is followed by "
            f"time[{i + 1}] = {time[i + 1]:g}: sort by time, and leave out what overlaps"
        )


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


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that is there as a whole or not at all, however the process ends.

    It is written beside its place, as `.NAME.PID-TOKEN.part`, and moved there once the device has it. Raises
    SystemsOSError; what was there before is then untouched.
    """
    try:
        beside, file = _open_beside(path)
        try:
            with file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                if fcntl is not None:  # moved while the lock says that its writer lives
                    os.replace(beside, path)
            if fcntl is None:  # Windows moves no file that is open
                os.replace(beside, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(beside)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise SystemsOSError(f"{str(path)!r} could not be written: {error.strerror or error}") from error


def _open_beside(path: Path) -> tuple[Path, BinaryIO]:
    """A new file beside `path`, locked for as long as its writer lives.

    The operating system drops the lock when the process ends, however it ends; a number of a process says less, since
    it may be that of another one by now, or of one on another machine. The lock is shared: readers of HDF5 take shared
    ones too, and must not be refused when the file is in its place.
    """
    while True:
        beside = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
        file = open(beside, "x+b")  # noqa: SIM115 - closed by the caller
        if fcntl is not None:
            with contextlib.suppress(OSError):  # a file system without locks: then nothing is taken for a leftover
                fcntl.flock(file, fcntl.LOCK_SH)
        if beside.exists():
            return beside, file
        file.close()  # deleted as a leftover before it was locked


def remove_leftovers(folder: Path, pattern: str) -> None:
    """Delete what killed writers left beside their files `pattern`; files of writers that live are locked, and stay."""
    if fcntl is None:
        return
    for beside in folder.glob(f".{pattern}.*.part"):
        with contextlib.suppress(OSError), open(beside, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(beside)


def _sync_folder(folder: Path) -> None:
    """Make the move itself durable; not every file system offers it."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


# Reading


@contextlib.contextmanager
def _reading(path: Path):
    """The HDF5 file, open and checked; whatever is wrong with it becomes an error that names it."""
    try:
        with h5py.File(path, "r") as file:
            _check_file(path, file)
            yield file
    except SystemsFileError:
        raise
    except FileNotFoundError as error:
        raise SystemsFileNotFoundError(f"{str(path)!r}: no such file") from error
    except (PermissionError, BlockingIOError) as error:  # not allowed, or locked by a program that writes to it
        raise SystemsOSError(f"{str(path)!r} could not be read: {error.strerror or error}") from error
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
        raise OtherSchemaError(
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
        between = [_text(item.attrs["interpolation"])] if "interpolation" in item.attrs else []  # of inputs
        period = [str(item.attrs["period"])] if "period" in item.attrs else []  # of coordinates
        digest.update(repr((name, item.shape, item.dtype.str, item.chunks, dims, units, *between, *period)).encode())
        # Checksums say that a chunk is whole, not that it is in its place.
        digest.update(repr(_chunk_index(item)).encode())
        if item.ndim == 1 and _is_coordinate(item):
            values = item[...]
            digest.update(values.tobytes() if values.dtype.kind != "O" else b"\0".join(values.tolist()))
    return digest.hexdigest()


def _chunk_index(item: h5py.Dataset) -> list[tuple[Any, ...]]:
    if item.chunks is None:
        return []
    index: list[tuple[Any, ...]] = []
    item.id.chunk_iter(lambda c: index.append((c.chunk_offset, c.filter_mask, c.byte_offset, c.size)))
    return sorted(index)


class _StoredArray(BackendArray):
    """A variable in a file, opened for each read: no handle stays open, and a failing read names the file."""

    def __init__(self, path: Path, name: str, shape: tuple[int, ...], dtype: np.dtype, header: str):
        self.path, self.name, self.shape, self.dtype, self.header = path, name, shape, dtype, header

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER_1VECTOR, self._read)

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        try:
            with h5py.File(self.path, "r") as file:
                if _text(file.attrs.get("latentrom_header", "")) != self.header:
                    raise SystemsFileError(f"{str(self.path)!r} has been replaced since it was opened: open it again")
                try:
                    return self._values(file, key)
                except (OSError, RuntimeError) as error:
                    raise self._damaged(f"its checksum fails or it is truncated ({error})", file, key) from error
        except SystemsFileError:
            raise
        except FileNotFoundError as error:
            raise SystemsFileNotFoundError(f"{str(self.path)!r} is gone since it was opened") from error
        except (PermissionError, BlockingIOError) as error:
            raise SystemsOSError(f"{str(self.path)!r} could not be read: {error.strerror or error}") from error
        except (OSError, KeyError, RuntimeError, ValueError, TypeError) as error:
            raise self._damaged(f"it is truncated or altered ({error})") from error

    def _values(self, file: h5py.File, key: tuple[Any, ...]) -> np.ndarray:
        values = np.asarray(_datasets(file)[self.name][key])
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise RuntimeError("a part of it is missing")  # stored data are finite
        return values

    def _damaged(self, why: str, file: h5py.File | None = None, key: tuple[Any, ...] = ()) -> SystemsFileError:
        where = "" if file is None else self._where(file, key)
        return SystemsFileError(
            f"{str(self.path)!r}: {self.name!r}{where} cannot be read, {why}. Make or copy the file again"
        )

    def _where(self, file: h5py.File, key: tuple[Any, ...]) -> str:
        """The first of the trajectories asked for that cannot be read, in words."""
        labels = _datasets(file).get("trajectory")
        if not key or labels is None or _datasets(file)[self.name].dims[0][0] != labels:
            return ""
        for row in np.atleast_1d(np.arange(self.shape[0])[key[0]]).tolist():
            try:
                self._values(file, (row, *key[1:]))
            except (OSError, RuntimeError):
                return f" of trajectory {labels[row] if _is_coordinate(labels) else row}"
        return ""


def _datasets(file: h5py.File) -> dict[str, h5py.Dataset]:
    """The variables and scales of a file, in the order in which they were written."""
    return {name: item for name, item in file.items() if isinstance(item, h5py.Dataset)}


def _is_coordinate(item: h5py.Dataset) -> bool:
    """Whether a dimension scale holds labels, and not just the length of its dimension."""
    return item.is_scale and not _text(item.attrs["NAME"]).startswith(NO_COORDINATE[:53])


def _values(item: h5py.Dataset) -> np.ndarray:
    values = item[...]
    return np.array([v.decode() for v in values]) if values.dtype.kind == "O" else values


def _attributes(item: h5py.Dataset) -> dict[str, Any]:
    internal = {"CLASS", "NAME", "REFERENCE_LIST", "DIMENSION_LIST", "_Netcdf4Dimid", "coordinates"}
    return {key: _text(value) for key, value in item.attrs.items() if key not in internal}


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value.item() if isinstance(value, np.generic) else value
