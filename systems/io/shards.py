"""Several files of trajectories: any of them opened as one set, and the folder that one call of `simulate` fills.

Such a folder holds one file for each block of trajectories, its shard, named by the first and the last of them. A block
of which none could be integrated has a small record of the reasons in its place.
"""

from __future__ import annotations

import glob
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from systems.errors import (
    SystemsFileError,
    SystemsFileNotFoundError,
    SystemsOSError,
    SystemsTypeError,
    SystemsValueError,
)
from systems.integrators import OUT_OF_TIME
from systems.io.provenance import as_json, call_of, failures, parsed
from systems.io.storage import (
    OtherSchemaError,
    read_header,
    read_trajectories,
    remove_leftovers,
    save_trajectories,
    schema_of,
    write_whole,
)

SHARD, RECORD = ".h5", ".failed.json"
NAME = re.compile(r"trajectories-(\d{7,})-(\d{7,})(\.h5|\.failed\.json)")

# Times of a trajectory that are read together from one of several files, in bytes: whole chunks of the file.
LARGEST_READ = 2**25


def open_trajectories(path: str | os.PathLike | Iterable[str | os.PathLike]) -> xr.Dataset | list[xr.Dataset]:
    """Open files of `save_trajectories` or `simulate(path=...)`, lazily: values are read when they are used.

    path: one file, a pattern such as "runs/*.h5", a folder of .h5 files, or a list of files. A folder that `simulate`
    filled must be complete; a pattern opens what is there.

    Returns a Dataset, its trajectories in the order of the list of files, or of their sorted names where a pattern or
    a folder is given; a list of Datasets, one for each
    group of files with equal times, grids and variables, when they differ. Several files make dask
    arrays: a chunk is one trajectory, or as many of its times as make 32 MB.

    Raises SystemsFileNotFoundError, also for a folder that lacks trajectories; SystemsFileError for a file that is
    truncated, altered, foreign, replaced, renamed or of another schema version, also later, when a chunk is read whose
    checksum fails, and for files that cannot be one set: of different systems, of different parameters that they do not
    store, in different units, or that hold a trajectory twice at the same times. SystemsOSError where reading is refused.
    """
    files = _files(path)
    sets = _read(files)
    provenances = [parsed(one.attrs["provenance"]) for one in sets]
    for file, one, provenance in zip(files, sets, provenances, strict=True):
        _check_place(file, provenance, _labels(one))
    _check_units(files, sets)
    _check_overlap(files, sets, provenances)
    if isinstance(path, str | os.PathLike) and os.path.isdir(path):
        _check_complete(Path(path), files, sets, provenances)
    groups: dict[str, list[int]] = {}
    for i, one in enumerate(sets):
        groups.setdefault(_signature(one), []).append(i)
    for group in groups.values():
        for i in group[1:]:
            _check_origin(files[group[0]], files[i], provenances[group[0]], provenances[i], sets[i])
    joined = [_join([sets[i] for i in group]) for group in groups.values()]
    return joined[0] if len(joined) == 1 else joined


class Folder:
    """The files of one call of `simulate`, in the folder `path`.

    provenance: of the call, with which files that are there must agree. blocks: the indices of the trajectories of
    each block.

    Raises SystemsValueError for a path that is no folder, or holds files of another call; SystemsFileError for files
    that are damaged or in the wrong place; SystemsOSError for a folder that cannot be made.
    """

    def __init__(self, path: Path, provenance: Mapping[str, Any], blocks: Sequence[range]):
        if path.suffix in (".h5", ".nc", ".hdf5"):
            raise SystemsValueError(
                f"path must be a folder, into which one file per block is written, got {str(path)!r}; "
                "for a single file use save_trajectories(simulate(...), path)"
            )
        if path.exists() and not path.is_dir():
            raise SystemsValueError(f"path must be a folder, but {str(path)!r} is a file")
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SystemsOSError(f"the folder {str(path)!r} could not be made: {error.strerror}") from error
        remove_leftovers(path, "trajectories-*")
        self.path, self._call = path.absolute(), json.loads(json.dumps(provenance))
        self._blocks = dict.fromkeys(blocks)  # in order, and quick to search
        self._failed: dict[int, dict[int, str]] = {}  # of each block that is there, by its first trajectory
        for file in sorted([*path.glob(f"*{SHARD}"), *path.glob(f"*{RECORD}")]):
            block, failed = self._checked(file)
            self._failed[block.start] = failed

    def shard(self, block: range) -> Path:
        return self.path / shard_name(block)

    def failed(self) -> dict[int, str]:
        """Why those trajectories of finished blocks are absent that could not be integrated."""
        finished = (self._failed[block.start] for block in self._blocks if self._holds(block))
        return {i: why for failed in finished for i, why in failed.items()}

    def unfinished(self) -> list[range]:
        """The blocks that are still to be made. Raises SystemsOSError if there are some and none can be written."""
        missing = [block for block in self._blocks if not self._holds(block)]
        if missing and not os.access(self.path, os.W_OK | os.X_OK):
            raise SystemsOSError(
                f"the folder {str(self.path)!r} may not be written to, and {len(missing)} of {len(self._blocks)} blocks "
                "of trajectories are not there yet: make it writable, or choose another path"
            )
        return missing

    def _holds(self, block: range) -> bool:
        # What only lacked time is made again, and all of it: the solver's steps are shared within a block.
        return block.start in self._failed and OUT_OF_TIME not in self._failed[block.start].values()

    def _checked(self, file: Path) -> tuple[range, dict[int, str]]:
        remedy = "delete it, and the same call makes it again"
        try:
            provenance, labels = (_read_record(file), []) if file.name.endswith(RECORD) else read_header(file)
        except SystemsFileError as error:
            raise SystemsFileError(f"{error}; or {remedy}") from error
        differing = _differing(call_of(provenance), self._call)
        if differing:
            raise SystemsValueError(
                f"{str(file)!r} was made by another call: it differs in {', '.join(differing)}. "
                "Choose another folder for path, or delete this one"
            )
        block = _block_of(file)
        if block not in self._blocks:
            raise SystemsFileError(
                f"{str(file)!r} has no place among the files of this call, although it was made by it: was it renamed? "
                "Give it back its name, which says its first and last trajectory, or delete it"
            )
        _check_place(file, provenance, labels)
        return block, failures(provenance)


def write_shard(path: Path, dataset: xr.Dataset) -> dict[int, str]:
    """Write a block's trajectories, or a record if all of them failed; return the failures that the folder now holds.

    A block cut short by `max_seconds` is not recorded, so that the same call makes it again, and does not take the
    place of one that was cut short later. Raises SystemsOSError.
    """
    provenance = parsed(dataset.attrs["provenance"])
    failed = failures(provenance)
    late = OUT_OF_TIME in failed.values()
    if late and path.exists():
        there, labels = read_header(path)
        if len(labels) >= dataset.sizes["trajectory"]:
            return failures(there)
    if dataset.sizes["trajectory"]:
        save_trajectories(dataset, path)
    elif not late:
        write_whole(path.with_suffix(RECORD), as_json(call_of(provenance), failed).encode())
    return failed


def shard_name(block: range) -> str:
    return f"trajectories-{block.start:07d}-{block.stop - 1:07d}{SHARD}"


def _block_of(file: Path) -> range | None:
    """The block that a shard or a record is named by."""
    match = NAME.fullmatch(file.name)
    return None if match is None else range(int(match[1]), int(match[2]) + 1)


def _read_record(path: Path) -> dict[str, Any]:
    try:
        provenance = json.loads(path.read_text(encoding="utf-8"))
        failures(provenance)
    except OSError as error:
        raise SystemsOSError(f"{str(path)!r} could not be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SystemsFileError(f"{str(path)!r} cannot be read: it is truncated or altered ({error})") from error
    return provenance


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


def _read(files: Sequence[Path]) -> list[xr.Dataset]:
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


# Whether files fit together


def _labels(dataset: xr.Dataset) -> list[int]:
    return dataset["trajectory"].values.tolist() if "trajectory" in dataset.coords else []


def _check_place(file: Path, provenance: Mapping[str, Any], labels: Sequence[int]) -> None:
    """That a shard holds the trajectories that its name says."""
    block = _block_of(file)
    if block is None or provenance.get("kind") != "trajectories":
        return
    if not set(labels) <= set(block) <= {*labels, *failures(provenance)}:
        holds = f"trajectories {min(labels)} to {max(labels)}" if labels else "other ones"
        raise SystemsFileError(
            f"{str(file)!r} is in the wrong place: its name says trajectories {block.start} to {block.stop - 1}, "
            f"but it holds {holds}. Give it back its name, or delete it: the same call of simulate makes it again"
        )


def _check_complete(
    folder: Path, files: Sequence[Path], sets: Sequence[xr.Dataset], provenances: Sequence[Mapping[str, Any]]
) -> None:
    """That a folder which holds nothing but shards holds all those of one call."""
    if not all(
        NAME.fullmatch(file.name) and p.get("kind") == "trajectories"
        for file, p in zip(files, provenances, strict=True)
    ):
        return
    call, there = call_of(provenances[0]), set()
    records = sorted(folder.glob(f"*{RECORD}"))
    for file, provenance in zip([*files, *records], [*provenances, *map(_read_record, records)], strict=True):
        differing = _differing(call_of(provenance), call)
        if differing:
            raise SystemsFileError(
                f"{str(file)!r} and {str(files[0])!r} were made by different calls of simulate: they differ in "
                f"{', '.join(differing)}. Keep each call in a folder of its own; a list of files opens both"
            )
        there.update(i for i, why in failures(provenance).items() if why != OUT_OF_TIME)
    there.update(i for one in sets for i in _labels(one))
    missing = [i for i in range(call["n_trajectories"]) if i not in there]
    if missing:
        raise SystemsFileNotFoundError(
            f"{str(folder)!r} is not complete: {len(missing)} of {call['n_trajectories']} trajectories are not there, the "
            f"first of them {missing[0]}. The same call of simulate makes them; "
            f"the pattern {os.path.join(folder, '*.h5')!r} opens what is there"
        )


def _check_units(files: Sequence[Path], sets: Sequence[xr.Dataset]) -> None:
    """That no variable has different units in two files."""
    known: dict[Any, tuple[str, Path]] = {}
    for file, one in zip(files, sets, strict=True):
        for name, variable in one.variables.items():
            if "units" not in variable.attrs:
                continue
            units, first = known.setdefault(name, (variable.attrs["units"], file))
            if variable.attrs["units"] != units:
                raise SystemsFileError(
                    f"{str(file)!r} has {name!r} in units of {variable.attrs['units']!r}, {str(first)!r} in {units!r}: "
                    "convert one of them, and save it anew"
                )


def _check_overlap(files: Sequence[Path], sets: Sequence[xr.Dataset], provenances: Sequence[Mapping[str, Any]]) -> None:
    """That no trajectory of one call is there twice at the same times: as several, it would count several times."""
    known: dict[tuple[str, int], list[tuple[float, float, Path]]] = {}
    for file, one, provenance in zip(files, sets, provenances, strict=True):
        if provenance.get("kind") != "trajectories":
            continue
        call = json.dumps(call_of(provenance), sort_keys=True)
        first, last = one["time"].values[[0, -1]].tolist()
        for i in _labels(one):
            spans = known.setdefault((call, i), [])
            for start, end, other in spans:
                if first < end and start < last:
                    raise SystemsFileError(
                        f"{str(file)!r} and {str(other)!r} both hold trajectory {i} of the same call of simulate, from "
                        f"t = {max(first, start):g} to {min(last, end):g}: leave one of them out, or "
                        "drop the attribute 'provenance' where the data are no longer those of simulate"
                    )
            spans.append((first, last, file))


def _check_origin(
    first: Path, file: Path, expected: Mapping[str, Any], found: Mapping[str, Any], dataset: xr.Dataset
) -> None:
    """That two files which would be joined are of one system, with the same parameters where they store none."""
    if not {"system"} <= {*expected} & {*found}:
        return  # made by the user
    apart = "open them apart"
    if found["system"] != expected["system"]:
        raise SystemsFileError(
            f"{str(file)!r} is of the system {found['system']!r}, {str(first)!r} of {expected['system']!r}: {apart}"
        )
    a, b = expected.get("defaults", {}), found.get("defaults", {})
    differing = _differing(b, a)
    if "parameters" not in dataset and differing:
        name = differing[0]
        raise SystemsFileError(
            f"{str(file)!r} was made with {name} = {b.get(name)}, {str(first)!r} with {a.get(name)}, and neither stores "
            f"parameters: {apart}, or simulate with parameters=..., which are stored with each trajectory"
        )


def _differing(found: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    return sorted(key for key in {*found, *expected} if found.get(key) != expected.get(key))


def _signature(dataset: xr.Dataset) -> str:
    """Equal for sets that can be joined along trajectories (or points)."""
    leading = dataset["state"].dims[0]
    coords = [(name, c.dims, c.values.tobytes()) for name, c in sorted(dataset.coords.items()) if leading not in c.dims]
    variables = [
        (name, v.dims, tuple(v.sizes[d] for d in v.dims if d != leading), v.dtype.str)
        for name, v in sorted(dataset.data_vars.items())
    ]
    between = dataset["inputs"].attrs.get("interpolation") if "inputs" in dataset else None
    return repr((coords, variables, between))


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
