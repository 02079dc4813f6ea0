"""Reading one file of trajectories or collocation pairs, lazily."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from systems.errors import SystemsFileError, SystemsFileNotFoundError, SystemsOSError
from systems.io.file_format import (
    SCHEMA,
    as_python,
    attributes_of,
    datasets_of,
    header_digest,
    is_coordinate,
    values_of,
)
from systems.io.provenance import parsed

__all__ = ["OtherSchemaError", "read_header", "read_trajectories", "schema_of"]


class OtherSchemaError(SystemsFileError):
    """A file of a schema version that this release does not read."""


def read_trajectories(path: Path) -> xr.Dataset:
    """Return the Dataset of one file, lazily.

    Values are read when they are used. Errors are those of `open_trajectories`.
    """
    with _reading(path) as file:
        header = as_python(file.attrs["latentrom_header"])
        data, coords = {}, {}
        datasets = datasets_of(file)
        others = as_python(datasets["state"].attrs.get("coordinates", "")).split()
        for name, item in datasets.items():
            if item.is_scale:
                if is_coordinate(item):
                    coords[name] = (name, values_of(item), attributes_of(item))
                continue
            dims = tuple(str(dim.values()[0].name).lstrip("/") for dim in item.dims)
            lazy = indexing.LazilyIndexedArray(_StoredArray(path, name, item.shape, item.dtype, header))
            stored = dict(zip(dims, item.chunks or (), strict=False))
            variable = xr.Variable(dims, lazy, attributes_of(item), {"preferred_chunks": stored})
            (coords if name in others else data)[name] = variable
        dataset = xr.Dataset(data, coords, attrs={"provenance": as_python(file.attrs["provenance"])})
        dataset.encoding["source"] = str(path)  # as xarray does; it shows that `state` is still on disk
        return dataset


def read_header(path: Path) -> tuple[dict[str, Any], list[int]]:
    """Return the provenance of one file and the indices of its trajectories.

    Errors are those of `open_trajectories`.
    """
    with _reading(path) as file:
        labels = datasets_of(file).get("trajectory")
        held = labels[...].tolist() if labels is not None and is_coordinate(labels) else []
        return parsed(as_python(file.attrs.get("provenance", "{}"))), held


def schema_of(path: Path) -> int | None:
    """Return the schema version of a file, or None for other kinds of files."""
    try:
        with h5py.File(path, "r") as file:
            return as_python(file.attrs["latentrom_schema"])
    except (OSError, KeyError, RuntimeError, ValueError, TypeError):
        return None


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[h5py.File]:
    """Open and check an HDF5 file; make failures errors that name the file."""
    try:
        with h5py.File(path, "r") as file:
            _check_file(path, file)
            yield file
    except SystemsFileError:
        raise
    except FileNotFoundError as error:
        raise SystemsFileNotFoundError(f"{str(path)!r}: no such file") from error
    except (PermissionError, BlockingIOError) as error:  # no permission, or locked by a program that writes to it
        raise SystemsOSError(f"{str(path)!r} could not be read: {error.strerror or error}") from error
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise SystemsFileError(
            f"{str(path)!r} cannot be read: it is truncated, altered, or no HDF5 file ({error}). Make or copy it again"
        ) from error


def _check_file(path: Path, file: h5py.File) -> None:
    """Raise an error unless `save_trajectories` wrote the file and it is unaltered."""
    schema = file.attrs.get("latentrom_schema")
    if schema is None:
        raise SystemsFileError(
            f"{str(path)!r} was not written by save_trajectories. If it has `state` (trajectory, time, ...), "
            "open it with xarray.open_dataset and write it again with save_trajectories"
        )
    if schema != SCHEMA:
        age = "a newer" if schema > SCHEMA else "an older"
        raise OtherSchemaError(
            f"{str(path)!r} has schema version {schema}, from {age} release; this one reads {SCHEMA}. "
            + ("Update latentrom" if schema > SCHEMA else "Make the file again")
        )
    if as_python(file.attrs.get("latentrom_header", "")) != header_digest(file):
        raise SystemsFileError(
            f"{str(path)!r} has been altered: its header does not match its checksum. Make or copy it again"
        )


class _StoredArray(BackendArray):
    """A variable of a file, which is opened for each read.

    No handle stays open, and a failing read names the file.
    """

    def __init__(self, path: Path, name: str, shape: tuple[int, ...], dtype: np.dtype, header: str):
        self.path, self.name, self.shape, self.dtype, self.header = path, name, shape, dtype, header

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER_1VECTOR, self._read)

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        """Return the values at `key`."""
        try:
            with h5py.File(self.path, "r") as file:
                if as_python(file.attrs.get("latentrom_header", "")) != self.header:
                    raise SystemsFileError(f"{str(self.path)!r} has been replaced since it was opened: open it again")
                try:
                    return self._values(file, key)
                except (OSError, RuntimeError) as error:
                    raise self._damaged(f"its checksum fails or it is truncated ({error})", file, key) from error
        except SystemsFileError:
            raise
        except FileNotFoundError as error:
            raise SystemsFileNotFoundError(f"{str(self.path)!r} has been deleted since it was opened") from error
        except (PermissionError, BlockingIOError) as error:
            raise SystemsOSError(f"{str(self.path)!r} could not be read: {error.strerror or error}") from error
        except (OSError, KeyError, RuntimeError, ValueError, TypeError) as error:
            raise self._damaged(f"it is truncated or altered ({error})") from error

    def _values(self, file: h5py.File, key: tuple[Any, ...]) -> np.ndarray:
        """Return the values at `key`; raise an error if a chunk is missing.

        HDF5 fills missing chunks with NaN.
        """
        values = np.asarray(datasets_of(file)[self.name][key])
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise RuntimeError("a part of it is missing")  # stored data are finite
        return values

    def _damaged(self, why: str, file: h5py.File | None = None, key: tuple[Any, ...] = ()) -> SystemsFileError:
        """Return the error for a read that failed."""
        where = "" if file is None else self._where(file, key)
        return SystemsFileError(
            f"{str(self.path)!r}: {self.name!r}{where} cannot be read, {why}. Make or copy the file again"
        )

    def _where(self, file: h5py.File, key: tuple[Any, ...]) -> str:
        """Return " of trajectory i" for the first one that cannot be read."""
        labels = datasets_of(file).get("trajectory")
        if not key or labels is None or datasets_of(file)[self.name].dims[0][0] != labels:
            return ""
        for row in np.atleast_1d(np.arange(self.shape[0])[key[0]]).tolist():
            try:
                self._values(file, (row, *key[1:]))
            except (OSError, RuntimeError):
                return f" of trajectory {labels[row] if is_coordinate(labels) else row}"
        return ""
