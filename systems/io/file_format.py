"""The file format: names, attributes and checksums for reading and writing.

A file is valid netCDF-4 in HDF5. It has a dimension scale for every dimension, and variables with explicit dtypes,
chunked by trajectory, with Fletcher-32 checksums. Its attributes are ``latentrom_schema`` (int), ``latentrom_header``
(SHA-256 of everything but the chunks) and ``provenance`` (JSON).
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import h5py
import numpy as np

__all__ = [
    "LAYOUTS",
    "NO_COORDINATE",
    "SCHEMA",
    "as_python",
    "attributes_of",
    "datasets_of",
    "header_digest",
    "is_coordinate",
    "values_of",
]

# The version of the format, which changes when older releases could not read the files.
SCHEMA = 1
# The leading dimensions of `state`, by the first of them.
LAYOUTS = {"trajectory": ("trajectory", "time"), "point": ("point",)}
# The text by which netCDF-4 marks a dimension that has a length but no coordinate.
NO_COORDINATE = "This is a netCDF dimension but not a netCDF variable."
# Attributes by which HDF5 and netCDF-4 link variables and dimensions.
INTERNAL = {"CLASS", "NAME", "REFERENCE_LIST", "DIMENSION_LIST", "_Netcdf4Dimid", "coordinates"}


def header_digest(file: h5py.File) -> str:
    """Return the SHA-256 of all but the chunks of data.

    It covers names, shapes, dtypes, dimensions, attributes and coordinates.
    """
    digest = hashlib.sha256()
    attributes = {key: as_python(value) for key, value in file.attrs.items() if key != "latentrom_header"}
    digest.update(json.dumps(attributes, sort_keys=True, default=str).encode())
    for name, item in sorted(datasets_of(file).items()):
        dims = [scale.name for dim in item.dims for scale in dim.values()] if not item.is_scale else []
        units = as_python(item.attrs.get("units", ""))
        # Inputs have an interpolation, and coordinates a period.
        interpolation = [as_python(item.attrs["interpolation"])] if "interpolation" in item.attrs else []
        period = [str(item.attrs["period"])] if "period" in item.attrs else []
        described = (name, item.shape, item.dtype.str, item.chunks, dims, units, *interpolation, *period)
        digest.update(repr(described).encode())
        # The checksum of a chunk does not tell whether the chunk is in its place.
        digest.update(repr(_chunk_index(item)).encode())
        if item.ndim == 1 and is_coordinate(item):
            values = item[...]
            digest.update(values.tobytes() if values.dtype.kind != "O" else b"\0".join(values.tolist()))
    return digest.hexdigest()


def _chunk_index(item: h5py.Dataset) -> list[tuple[Any, ...]]:
    """Return offset, filters, address and size of each chunk."""
    if item.chunks is None:
        return []
    index: list[tuple[Any, ...]] = []
    item.id.chunk_iter(lambda c: index.append((c.chunk_offset, c.filter_mask, c.byte_offset, c.size)))
    return sorted(index)


def datasets_of(file: h5py.File) -> dict[str, h5py.Dataset]:
    """Return variables and scales of a file in the order of writing."""
    return {name: item for name, item in file.items() if isinstance(item, h5py.Dataset)}


def is_coordinate(item: h5py.Dataset) -> bool:
    """Return whether a dimension scale holds labels.

    Otherwise it has only the length of its dimension.
    """
    return item.is_scale and not as_python(item.attrs["NAME"]).startswith(NO_COORDINATE)


def values_of(item: h5py.Dataset) -> np.ndarray:
    """Return all values of a dataset; text as str."""
    values = item[...]
    return np.array([v.decode() for v in values]) if values.dtype.kind == "O" else values


def attributes_of(item: h5py.Dataset) -> dict[str, Any]:
    """Return the attributes of a dataset, without those of HDF5 and netCDF-4."""
    return {key: as_python(value) for key, value in item.attrs.items() if key not in INTERNAL}


def as_python(value: Any) -> Any:
    """Return the value of an attribute as text or a Python number."""
    return value.decode() if isinstance(value, bytes) else value.item() if isinstance(value, np.generic) else value
