"""Read and write the measured results: a folder for each case, with plain tables in it.

- ``results/CASE/runs.csv``: a row for each run, with its method, seed and settings, what it was measured on, the digests
  of the sources, and its error if it failed;
- ``results/CASE/figures.csv``: a row for each number or text that a run measured;
- ``results/CASE/curves.csv``: a row for each array that a plot draws, with four significant digits.

Names of nested figures are joined: ``at 180 s > steps``. Only one process at a time may measure runs of the same case.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from runs import HERE, Record, Run

__all__ = ["RESULTS", "load", "replace_text", "save"]

RESULTS = HERE / "results"
NESTED = " > "  # between the names of a part and of a figure in it
BETWEEN_SETTINGS = "; "
DIGITS = 8  # significant digits of a figure; large ones are kept to the unit
CURVE_DIGITS = 4
MACHINE = ("processor", "cores", "threads", "gpu", "python", "torch")
PACKAGES = ("rom", "systems")
RUNS_HEAD = ("run", "method", "seed", "settings", "error", *MACHINE, "sources", *PACKAGES)
FIGURES_HEAD = ("run", "figure", "value")
CURVES_HEAD = ("run", "curve", "shape", "values")


def save(case: str, record: Record, folder: Path = RESULTS) -> None:
    """Add a record to the tables of its case, in place of an earlier record of the same run.

    Each table is written aside and moved into place, the list of runs last, so that a run which is listed is complete.
    """
    records = {other.run: other for other in load(case, folder)} | {record.run: record}
    keys = {run.key for run in records}
    if len(keys) < len(records):
        raise ValueError(f"two runs of {case} have the same key as {record.run.key}; give their settings other values")
    save_all(case, records.values(), folder)


def save_all(case: str, records: Iterable[Record], folder: Path = RESULTS) -> None:
    """Write the tables of a case from all of its records."""
    runs, figures, curves = [], [], []
    for record in sorted(records, key=lambda record: in_natural_order(record.run.key)):
        runs.append(run_row(record))
        for name, value in flattened(record.figures or {}):
            if isinstance(value, np.ndarray):
                curves.append((record.run.key, name, "x".join(map(str, value.shape)), numbers_as_text(value)))
            else:
                figures.append((record.run.key, name, as_text(value)))
    (folder / case).mkdir(parents=True, exist_ok=True)
    write_table(folder / case / "figures.csv", FIGURES_HEAD, figures)
    if curves:
        write_table(folder / case / "curves.csv", CURVES_HEAD, curves)
    else:
        (folder / case / "curves.csv").unlink(missing_ok=True)
    write_table(folder / case / "runs.csv", RUNS_HEAD, runs)


def load(case: str, folder: Path = RESULTS) -> list[Record]:
    """Return all records of a case; arrays come as NumPy arrays."""
    figures: dict[str, dict[str, Any]] = {}
    for row in read_table(folder / case / "figures.csv"):
        nest(figures.setdefault(row["run"], {}), row["figure"], from_text(row["value"]))
    for row in read_table(folder / case / "curves.csv"):
        shape = tuple(map(int, row["shape"].split("x")))
        nest(figures.setdefault(row["run"], {}), row["curve"], np.array(row["values"].split(), float).reshape(shape))
    return [record_of(row, figures.get(row["run"], {})) for row in read_table(folder / case / "runs.csv")]


# -- rows of runs.csv -------------------------------------------------------------------------------------------------


def run_row(record: Record) -> tuple[Any, ...]:
    """Return the row of runs.csv for a record."""
    run = record.run
    settings = [f"{name}={repr(v) if isinstance(v, float) else as_text(v)}" for name, v in run.settings]
    if any(BETWEEN_SETTINGS in text for text in settings):
        raise ValueError(
            f"the settings of {run.key} contain {BETWEEN_SETTINGS!r}, which separates settings in the table"
        )
    error = " ".join((record.error or "").split())
    machine = [record.machine.get(name, "") for name in MACHINE]
    packages = [record.packages.get(name, "") for name in PACKAGES]
    return (run.key, run.method, run.seed, BETWEEN_SETTINGS.join(settings), error, *machine, record.made_by, *packages)


def record_of(row: dict[str, str], figures: dict[str, Any]) -> Record:
    """Return the record of a row of runs.csv."""
    pairs = [text.partition("=") for text in row["settings"].split(BETWEEN_SETTINGS) if text]
    settings = tuple((name, from_text(value)) for name, _, value in pairs)
    machine = {name: int(row[name]) if name in ("cores", "threads") else row[name] for name in MACHINE if row[name]}
    packages = {name: row[name] for name in PACKAGES if row[name]}
    run = Run(row["method"], int(row["seed"]), settings)
    error = row["error"] or None
    return Record(run, None if error else figures, machine, row["sources"], error, packages)


# -- figures ----------------------------------------------------------------------------------------------------------


def flattened(figures: dict[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Yield names and values of nested figures; lists come as arrays."""
    for name, value in figures.items():
        if isinstance(value, dict):
            yield from flattened(value, f"{prefix}{name}{NESTED}")
        else:
            yield f"{prefix}{name}", np.asarray(value, float) if isinstance(value, (list, tuple, np.ndarray)) else value


def nest(figures: dict[str, Any], name: str, value: Any) -> None:
    """Set a figure that may be nested."""
    *parts, last = name.split(NESTED)
    for part in parts:
        figures = figures.setdefault(part, {})
    figures[last] = value


# -- values as text ---------------------------------------------------------------------------------------------------


def as_text(value: Any) -> str:
    """Return a value as text from which `from_text` knows its type; of floats `DIGITS` digits."""
    if isinstance(value, str):
        ambiguous = value.startswith('"') or not isinstance(from_text(value), str)
        return json.dumps(value) if ambiguous else value
    if isinstance(value, (tuple, list)):
        return json.dumps(value)
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (int, np.integer)):
        return str(value)
    if isinstance(value, (float, np.floating)):
        is_count = float(value).is_integer() or abs(value) > 10**DIGITS
        return str(round(value)) if is_count and abs(value) < 1e15 else f"{value:.{DIGITS}g}"
    raise TypeError(f"a figure or setting is a number, a text or a list, not {value!r}")


def from_text(text: str) -> Any:
    """Return the value that `as_text` wrote."""
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float, json.loads):
        try:
            value = kind(text)
        except ValueError:
            continue
        return tuple(value) if isinstance(value, list) else value
    return text


def numbers_as_text(values: np.ndarray) -> str:
    """Return the numbers of an array in one line."""
    return " ".join(f"{value:.{CURVE_DIGITS}g}" for value in values.ravel())


# -- files ------------------------------------------------------------------------------------------------------------


def in_natural_order(key: str) -> list[Any]:
    """Return what to sort keys by, so that d4 comes before d12."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", key)]


def write_table(path: Path, head: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    """Write a CSV file."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(head)
    table.writerows(rows)
    replace_text(path, text.getvalue())


def read_table(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file; none if there is no such file."""
    if not path.exists():
        return []
    csv.field_size_limit(2**31 - 1)  # an array is one cell
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def replace_text(path: Path, text: str) -> None:
    """Write a text file aside and move it into place, so that there is always the old one or the new one."""
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    aside.write_text(text)
    os.replace(aside, path)
