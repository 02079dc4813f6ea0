"""Generation of trajectories under kills, changed bytes and disks that refuse to write."""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

import report as tables
import systems
from runs import Run

sys.path.insert(0, str(Path(__file__).parents[3] / "tests" / "systems"))

import harm

TITLE = "Kills, flipped bytes, disks that refuse"
NOTE = """
`systems.simulate(Heat(), 768, path=...)`, 24 files, by a pool of two processes (tests/systems/harm.py). Kills: kill -9
of the whole process group at moments drawn uniformly over the duration of a generation, until 100 kills met a running
one. After each, every finished file is compared by SHA-256 with a generation by one process, which then finishes the
folder, and all files are compared. Bytes: one byte of a file is replaced by another, in the chunks of `state` or
anywhere; changes are harmless if nothing reads the byte. Disks: a disk of 4 MB, which holds two files and a half; one
that may only be read; a limit of 1 MB for a file. Each refusal is an error of the parent process, which then finishes
the folder as soon as it may write. Mounting needs root.
"""
METHODS = ("kills", "bytes", "disks")
DISKS = {
    "full disk": harm.on_a_full_disk,
    "read-only disk": harm.on_a_read_only_disk,
    "limit of file size": harm.beyond_a_limit,
}


def runs(quick: bool) -> list[Run]:  # noqa: ARG001
    """Return the runs of this case."""
    return [Run(method) for method in METHODS]


def measure(run: Run, quick: bool) -> dict[str, Any]:
    """Measure one run."""
    n, times = (144, 3) if quick else (768, 100)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        systems.simulate(harm.SYSTEM, n, harm.TIMES, path=folder / "reference", verbose=False)
        reference = harm.digests(folder / "reference")
        rng = np.random.default_rng(run.seed)
        if run.method == "kills":
            return kills(folder, n, times, reference, rng)
        if run.method == "bytes":
            return flips(folder / "reference" / min(reference), 2 * times, rng)
        return disks(folder, n, reference)


def kills(folder: Path, n: int, times: int, reference: Mapping[str, str], rng: np.random.Generator) -> dict[str, Any]:
    """Kill generations at random moments, and compare what is left with the reference."""
    started = time.perf_counter()
    durations = []
    for i in range(6):
        durations.append(harm.seconds_to_generate(folder / f"whole-{i}", n))
        assert harm.digests(folder / f"whole-{i}") == reference, "a pool of processes made other files than one process"
    duration = statistics.median(durations[1:])  # the first one waits for imports
    outcomes = []
    while sum(outcome.alive for outcome in outcomes) < times:  # some of the generations are over before their moment
        outcomes.append(harm.kill(folder / "kill", n, rng.uniform(0, duration), dict(reference)))
        shutil.rmtree(folder / "kill")
    return {
        "all": len(outcomes),
        "while it ran": sum(outcome.alive for outcome in outcomes),
        "in the middle of a file": sum(outcome.leftovers > 0 for outcome in outcomes),
        "finished files": sum(outcome.finished for outcome in outcomes),
        "damaged files": sum(outcome.damaged for outcome in outcomes),
        "completed to the same files": sum(outcome.restored for outcome in outcomes),
        "generation, s": duration,
        "total, s": time.perf_counter() - started,
    }


def flips(path: Path, times: int, rng: np.random.Generator) -> dict[str, Any]:
    """Change single bytes of a file, and count how many changes are noticed."""
    places = {"in chunks of state": harm.chunk_bytes(path), "anywhere": np.arange(path.stat().st_size)}
    counts = {place: harm.flipped(path, rng.choice(at, times, replace=False), rng) for place, at in places.items()}
    return {f"{place}, {what}": count for place, of in counts.items() for what, count in of.items()}


def disks(folder: Path, n: int, reference: Mapping[str, str]) -> dict[str, Any]:
    """Generate on disks that refuse to write."""
    figures: dict[str, Any] = {}
    for name, harmful in DISKS.items():
        try:
            figures[name] = asdict(harmful(folder / name, n, dict(reference)))
        except harm.NotPossible as error:
            figures[name] = {"error": f"not measured: {error}"}
    return figures


def report(records: Mapping[Run, Mapping[str, Any]]) -> str:
    """Return the tables of this case."""
    of = {run.method: figures for run, figures in records.items()}
    parts = []
    if killed := of.get("kills"):
        parts.append(tables.markdown(("kills", "figure"), [(name, tables.number(n)) for name, n in killed.items()]))
    if bytes_ := of.get("bytes"):
        columns = ("noticed", "harmless", "unnoticed")
        rows = [
            (place, *(tables.number(bytes_[f"{place}, {column}"]) for column in columns))
            for place in ("in chunks of state", "anywhere")
        ]
        parts.append(tables.markdown(("one byte changed", *columns), rows))
    if refused := of.get("disks"):
        columns = ("finished", "leftovers", "damaged")
        rows = [
            (
                name,
                refusal["error"],
                *(tables.number(refusal[column]) if column in refusal else tables.NO_RESULT for column in columns),
                "yes" if refusal.get("restored") else tables.NO_RESULT,
            )
            for name, refusal in refused.items()
        ]
        parts.append(tables.markdown(("disk", "error", *columns, "then completed to the same files"), rows))
    return "\n\n".join(parts)
