"""Several files opened as one set, or one set for each group of equal grids."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from systems.errors import SystemsFileError, SystemsFileNotFoundError, SystemsTypeError, SystemsValueError
from systems.io.consistency import check_complete, check_origin, check_overlap, check_units, labels_of
from systems.io.provenance import parsed
from systems.io.read import OtherSchemaError, read_trajectories, schema_of
from systems.io.shards import check_place

__all__ = ["open_trajectories"]

# Times of a trajectory that are read together from one of several files, in bytes: whole chunks of the file.
LARGEST_READ = 2**25


def open_trajectories(path: str | os.PathLike | Iterable[str | os.PathLike]) -> xr.Dataset | list[xr.Dataset]:
    """Open files of trajectories or collocation pairs, lazily.

    Values are read when they are used.

    Parameters
    ----------
    path : str, path or list
        A file of `save_trajectories`, a pattern such as ``"runs/*.h5"``, a folder of ``.h5`` files, or a list of files.
        A folder that `simulate` filled must be complete; a pattern also opens an incomplete one.

    Returns
    -------
    xarray.Dataset or list of xarray.Dataset
        One Dataset, or a list if the files differ in times, grids or variables: one Dataset for each group of equal
        ones. Trajectories are in the order of the list of files; for a pattern or a folder, in the order of the sorted
        file names. Several files become dask arrays, in chunks of one trajectory, or 32 MB of its times.

    Raises
    ------
    SystemsTypeError
        If `path` is of the wrong type.
    SystemsValueError
        If `path` is an empty list.
    SystemsFileNotFoundError
        If there is no such file, or a folder of `simulate` lacks trajectories.
    SystemsFileError
        If a file is truncated, altered, replaced, renamed, of another program or of another schema version; also later,
        when a chunk is read whose checksum fails. If files cannot be one set: they come from different systems, from
        different parameters that they do not store, have different units, or hold a trajectory twice at the same times.
    SystemsOSError
        If reading is refused.

    See Also
    --------
    save_trajectories : Write one file.
    simulate : With ``path=...`` it fills a folder.

    Examples
    --------
    >>> import tempfile
    >>> import systems
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     made = systems.simulate(systems.Lorenz(), 40, [0.0, 0.1], path=folder)  # two files
    ...     runs = systems.open_trajectories(folder)
    ...     print(dict(runs.sizes), float(abs(runs["state"] - made["state"]).max()))
    {'trajectory': 40, 'time': 2, 'component': 3} 0.0
    """
    files = _files(path)
    sets = _read(files)
    provenances = [parsed(one.attrs["provenance"]) for one in sets]
    for file, one, provenance in zip(files, sets, provenances, strict=True):
        check_place(file, provenance, labels_of(one))
    check_units(files, sets)
    check_overlap(files, sets, provenances)
    if isinstance(path, str | os.PathLike) and os.path.isdir(path):
        check_complete(Path(path), files, sets, provenances)
    groups: dict[str, list[int]] = {}
    for i, one in enumerate(sets):
        groups.setdefault(_signature(one), []).append(i)
    for group in groups.values():
        for i in group[1:]:
            check_origin(files[group[0]], files[i], provenances[group[0]], provenances[i], sets[i])
    joined = [_join([sets[i] for i in group]) for group in groups.values()]
    return joined[0] if len(joined) == 1 else joined


def _files(path: Any) -> list[Path]:
    """Return the files that `path` names."""
    if isinstance(path, str | os.PathLike):
        text = os.fspath(path)
        if os.path.isdir(text):
            found = sorted(glob.glob(os.path.join(glob.escape(text), "*.h5")))
            problem = "the folder holds no .h5 file"
        elif glob.has_magic(text) and not os.path.exists(text):
            found, problem = sorted(glob.glob(text)), "no file matches the pattern"
        else:
            found, problem = [text], ""
        if not found:
            raise SystemsFileNotFoundError(f"{text!r}: {problem}")
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


def _read(files: Sequence[Path]) -> list[xr.Dataset]:
    """Return the Dataset of each file.

    The error for a file of another schema version names a file of this version beside it.
    """
    sets = []
    for file in files:
        try:
            sets.append(read_trajectories(file))
        except OtherSchemaError as error:
            version = schema_of(file)
            others = ((other, schema_of(other)) for other in files)
            other = next(((o, v) for o, v in others if v not in (None, version)), None)
            if other is None:
                raise
            raise SystemsFileError(f"{error}. Beside it, {str(other[0])!r} has schema version {other[1]}") from error
    return sets


def _signature(dataset: xr.Dataset) -> str:
    """Return a text that is equal for sets that can be joined."""
    leading = dataset["state"].dims[0]
    coords = [(name, c.dims, c.values.tobytes()) for name, c in sorted(dataset.coords.items()) if leading not in c.dims]
    variables = [
        (name, v.dims, tuple(v.sizes[d] for d in v.dims if d != leading), v.dtype.str)
        for name, v in sorted(dataset.data_vars.items())
    ]
    interpolation = dataset["inputs"].attrs.get("interpolation") if "inputs" in dataset else None
    return repr((coords, variables, interpolation))


def _join(group: list[xr.Dataset]) -> xr.Dataset:
    """Return sets of equal signature as one, lazily."""
    if len(group) == 1:
        return group[0]
    leading = group[0]["state"].dims[0]
    state = group[0]["state"]
    chunks = {leading: 1 if leading == "trajectory" else -1}
    if leading == "trajectory":
        stored = state.encoding["preferred_chunks"].get("time", state.sizes["time"])
        most = LARGEST_READ // (state.dtype.itemsize * max(1, int(np.prod(state.shape[2:]))))
        chunks["time"] = max(stored, most - most % stored)
    lazy = [one.chunk(chunks) for one in group]
    return xr.concat(
        lazy, dim=leading, data_vars="minimal", coords="minimal", compat="override", join="override",
        combine_attrs="override",
    )  # fmt: skip
