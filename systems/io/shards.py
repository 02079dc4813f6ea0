"""The folder that one call of `simulate` fills.

It holds one file for each block of trajectories, its shard, named by the first and the last of them. If no trajectory of
a block could be integrated, a record of the reasons takes the place of the shard.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from systems.errors import SystemsFileError, SystemsOSError, SystemsValueError
from systems.integrators import OUT_OF_TIME
from systems.io.atomic_files import remove_leftovers, write_whole
from systems.io.provenance import as_json, call_of, failures, parsed
from systems.io.read import read_header
from systems.io.write import save_trajectories

__all__ = ["RECORD", "Folder", "block_of", "check_place", "differing_keys", "read_record", "shard_name", "write_shard"]

# Endings of the files of a folder.
SHARD, RECORD = ".h5", ".failed.json"
# Their names, with the first and the last trajectory of the block.
NAME = re.compile(r"trajectories-(\d{7,})-(\d{7,})(\.h5|\.failed\.json)")


class Folder:
    """The files of one call of `simulate`.

    Parameters
    ----------
    path : Path
        The folder, which is made if it does not exist.
    provenance : mapping
        What describes the call. All files in the folder must agree with it.
    blocks : sequence of range
        The indices of the trajectories of each block.

    Raises
    ------
    SystemsValueError
        If `path` is not a folder, or holds files of another call.
    SystemsFileError
        If a file is damaged or in the wrong place.
    SystemsOSError
        If the folder cannot be made.
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
        """Return the file of a block."""
        return self.path / shard_name(block)

    def failed(self) -> dict[int, str]:
        """Return the reason for each failed trajectory of the finished blocks."""
        finished = (self._failed[block.start] for block in self._blocks if self._holds(block))
        return {i: why for failed in finished for i, why in failed.items()}

    def unfinished(self) -> list[range]:
        """Return the blocks that are still to be made.

        Raise SystemsOSError if there are some and the folder cannot be written to.
        """
        missing = [block for block in self._blocks if not self._holds(block)]
        if missing and not os.access(self.path, os.W_OK | os.X_OK):
            raise SystemsOSError(
                f"the folder {str(self.path)!r} may not be written to, and {len(missing)} of {len(self._blocks)} blocks "
                "of trajectories are not there yet: make it writable, or choose another path"
            )
        return missing

    def _holds(self, block: range) -> bool:
        """Return whether a block is finished."""
        # A block that ran out of time is made again as a whole: its trajectories share the solver's steps.
        return block.start in self._failed and OUT_OF_TIME not in self._failed[block.start].values()

    def _checked(self, file: Path) -> tuple[range, dict[int, str]]:
        """Return the block of a file and its failures.

        Raise an error unless the file belongs to this call.
        """
        remedy = "delete it, and the same call makes it again"
        try:
            provenance, labels = (read_record(file), []) if file.name.endswith(RECORD) else read_header(file)
        except SystemsFileError as error:
            raise SystemsFileError(f"{error}; or {remedy}") from error
        differing = differing_keys(call_of(provenance), self._call)
        if differing:
            raise SystemsValueError(
                f"{str(file)!r} was made by another call: it differs in {', '.join(differing)}. "
                "Choose another folder for path, or delete this one"
            )
        block = block_of(file)
        if block not in self._blocks:
            raise SystemsFileError(
                f"{str(file)!r} was made by this call, but has none of the names that its files have: was it renamed? "
                "Restore its name, which states its first and last trajectory, or delete it"
            )
        check_place(file, provenance, labels)
        return block, failures(provenance)


def write_shard(path: Path, dataset: xr.Dataset) -> dict[int, str]:
    """Write the trajectories of a block, or a record if all of them failed.

    A block that ran out of time leaves no record, so that the same call makes it again. It does not replace a file that
    holds as many of its trajectories.

    Parameters
    ----------
    path : Path
        The file of the block.
    dataset : xarray.Dataset
        Its trajectories, with their provenance.

    Returns
    -------
    dict of int to str
        The failures that the folder now holds for the block: the reason for each absent trajectory.

    Raises
    ------
    SystemsOSError
        If the file cannot be written.
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
    """Return the file name of a block."""
    return f"trajectories-{block.start:07d}-{block.stop - 1:07d}{SHARD}"


def block_of(file: Path) -> range | None:
    """Return the block that the name of a file states, or None for other names."""
    match = NAME.fullmatch(file.name)
    return None if match is None else range(int(match[1]), int(match[2]) + 1)


def read_record(path: Path) -> dict[str, Any]:
    """Return the provenance in the record of a block that failed.

    Raise SystemsOSError or SystemsFileError if it cannot be read.
    """
    try:
        provenance = json.loads(path.read_text(encoding="utf-8"))
        failures(provenance)
    except OSError as error:
        raise SystemsOSError(f"{str(path)!r} could not be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SystemsFileError(f"{str(path)!r} cannot be read: it is truncated or altered ({error})") from error
    return provenance


def check_place(file: Path, provenance: Mapping[str, Any], labels: Sequence[int]) -> None:
    """Require that a shard holds the trajectories that its name states.

    `labels` are those that it holds.
    """
    block = block_of(file)
    if block is None or provenance.get("kind") != "trajectories":
        return
    if not set(labels) <= set(block) <= {*labels, *failures(provenance)}:
        holds = f"trajectories {min(labels)} to {max(labels)}" if labels else "other ones"
        raise SystemsFileError(
            f"{str(file)!r} is in the wrong place: its name says trajectories {block.start} to {block.stop - 1}, "
            f"but it holds {holds}. Restore its name, or delete it: the same call of simulate makes it again"
        )


def differing_keys(found: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    """Return the keys at which two mappings differ."""
    return sorted(key for key in {*found, *expected} if found.get(key) != expected.get(key))
