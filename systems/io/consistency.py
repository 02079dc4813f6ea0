"""Checks whether several files fit together as one set of trajectories."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from systems.errors import SystemsFileError, SystemsFileNotFoundError
from systems.integrators import OUT_OF_TIME
from systems.io.provenance import call_of, failures
from systems.io.shards import RECORD, block_of, differing_keys, read_record

__all__ = ["check_complete", "check_origin", "check_overlap", "check_units", "labels_of"]


def labels_of(dataset: xr.Dataset) -> list[int]:
    """Return the indices of the trajectories of a Dataset, or an empty list."""
    return dataset["trajectory"].values.tolist() if "trajectory" in dataset.coords else []


def check_complete(
    folder: Path, files: Sequence[Path], sets: Sequence[xr.Dataset], provenances: Sequence[Mapping[str, Any]]
) -> None:
    """Raise an error if a folder of shards lacks some of its call of `simulate`.

    Folders that hold other files are not checked.
    """
    if not all(
        block_of(file) is not None and p.get("kind") == "trajectories"
        for file, p in zip(files, provenances, strict=True)
    ):
        return
    call, there = call_of(provenances[0]), set()
    records = sorted(folder.glob(f"*{RECORD}"))
    for file, provenance in zip([*files, *records], [*provenances, *map(read_record, records)], strict=True):
        differing = differing_keys(call_of(provenance), call)
        if differing:
            raise SystemsFileError(
                f"{str(file)!r} and {str(files[0])!r} were made by different calls of simulate: they differ in "
                f"{', '.join(differing)}. Keep each call in a folder of its own; a list of files opens both"
            )
        there.update(i for i, why in failures(provenance).items() if why != OUT_OF_TIME)
    there.update(i for one in sets for i in labels_of(one))
    missing = [i for i in range(call["n_trajectories"]) if i not in there]
    if missing:
        raise SystemsFileNotFoundError(
            f"{str(folder)!r} is not complete: {len(missing)} of {call['n_trajectories']} trajectories are not there, "
            f"the first of them {missing[0]}. The same call of simulate makes them; "
            f"the pattern {os.path.join(folder, '*.h5')!r} opens what is there"
        )


def check_units(files: Sequence[Path], sets: Sequence[xr.Dataset]) -> None:
    """Raise an error if a variable has different units in two files."""
    known: dict[Any, tuple[str, Path]] = {}
    for file, one in zip(files, sets, strict=True):
        for name, variable in one.variables.items():
            if "units" not in variable.attrs:
                continue
            units, first = known.setdefault(name, (variable.attrs["units"], file))
            if variable.attrs["units"] != units:
                raise SystemsFileError(
                    f"{str(file)!r} has {name!r} in units of {variable.attrs['units']!r}, {str(first)!r} in {units!r}: "
                    "convert one of them, and save it again"
                )


def check_overlap(files: Sequence[Path], sets: Sequence[xr.Dataset], provenances: Sequence[Mapping[str, Any]]) -> None:
    """Raise an error if a trajectory is there twice at the same times.

    It would count several times.
    """
    known: dict[tuple[str, int], list[tuple[float, float, Path]]] = {}
    for file, one, provenance in zip(files, sets, provenances, strict=True):
        if provenance.get("kind") != "trajectories":
            continue
        call = json.dumps(call_of(provenance), sort_keys=True)
        first, last = one["time"].values[[0, -1]].tolist()
        for i in labels_of(one):
            spans = known.setdefault((call, i), [])
            for start, end, other in spans:
                if first < end and start < last:
                    raise SystemsFileError(
                        f"{str(file)!r} and {str(other)!r} both hold trajectory {i} of the same call of simulate, from "
                        f"t = {max(first, start):g} to {min(last, end):g}: leave one of them out, or drop the attribute "
                        "'provenance' of data that simulate did not make as they are"
                    )
            spans.append((first, last, file))


def check_origin(
    first: Path, file: Path, expected: Mapping[str, Any], found: Mapping[str, Any], dataset: xr.Dataset
) -> None:
    """Raise an error if two files to be joined have different origins.

    These are different systems, or different parameters that are not stored.

    Parameters
    ----------
    first, file : Path
        The two files.
    expected, found : mapping
        Their provenances.
    dataset : xarray.Dataset
        The content of the second file.
    """
    if not {"system"} <= {*expected} & {*found}:
        return  # made by the user
    if found["system"] != expected["system"]:
        raise SystemsFileError(
            f"{str(file)!r} is of the system {found['system']!r}, {str(first)!r} of {expected['system']!r}: "
            "open them separately"
        )
    a, b = expected.get("defaults", {}), found.get("defaults", {})
    differing = differing_keys(b, a)
    if "parameters" not in dataset and differing:
        name = differing[0]
        raise SystemsFileError(
            f"{str(file)!r} was made with {name} = {b.get(name)}, {str(first)!r} with {a.get(name)}, and neither stores "
            "parameters: open them separately, or simulate with parameters=..., which are stored with each trajectory"
        )
