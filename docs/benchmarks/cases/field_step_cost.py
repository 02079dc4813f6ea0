"""Cost of a training step with convolutions, compared with the default network on the same batch."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

import report as tables
from cases.step_cost import Variant, Worker
from runs import Run

TITLE = "Cost of one training step with convolutions"
NOTE = """
The five losses and their gradient with respect to all weights, no optimiser, by `rom`'s own functions on the same POD
coordinates: with the default network (three layers of 128), and with `rom.Convolutional()` (two levels of 16 and 32
features, kernels of 3), in front of which coordinates are lifted to the field and behind which fields are projected.
One field with 1,024 points (d = 16) or 64 x 64 (d = 16), POD rank 64; batches of `rom.fit`, 512 points and 32 windows,
and an eighth and a quarter of that. Each is a process of its own with one thread; they take turns, and figures are
medians over the turns, of processor seconds; the ratio is that of turns which follow each other. Memory is the peak of
the process, with what Python and torch take.
"""
SHAPES = {"1-D, 1,024": (1024,), "2-D, 64 x 64": (64, 64)}
BATCHES = {"512 points, 32 windows": (512, 32), "64 points, 8 windows": (64, 8)}
NETWORKS = ("default", "convolutional")


def runs(quick: bool) -> list[Run]:  # noqa: ARG001 - the same runs, of smaller sizes
    """Return the runs of this case."""
    return [Run("step", settings=(("field", field), ("batch", batch))) for field in SHAPES for batch in BATCHES]


def measure(run: Run, quick: bool) -> dict[str, Any]:
    """Measure one run."""
    from steps import field_step

    torch.set_num_threads(1)
    shape, (points, windows) = SHAPES[run.get("field")], BATCHES[run.get("batch")]
    if quick:
        shape, points, windows = tuple(size // 4 for size in shape), points // 8, windows // 8
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "arrays.npz"
        field_step.write(path, shape, 16, 64, points, windows)
        workers = {n: Worker(Variant("field_step", n, n), path, turn_seconds=0.05 if quick else 0.5) for n in NETWORKS}
        for turn in range(3 if quick else 9):
            for worker in list(workers.values())[:: 1 if turn % 2 == 0 else -1]:
                worker.take_turn()
        peaks = {name: worker.close() for name, worker in workers.items()}
    pairs = zip(*(workers[name].seconds for name in NETWORKS), strict=True)
    figures: dict[str, Any] = {"times the default": statistics.median(b / a for a, b in pairs)}
    for name, worker in workers.items():
        figures[f"{name}, ms"] = 1e3 * statistics.median(worker.seconds)
        figures[f"{name}, GFLOP"] = worker.ready["operations"] / 1e9
        figures[f"{name}, peak memory, MB"] = peaks[name] * 1024 / 1e6
    return figures


def report(records: Mapping[Run, Mapping[str, Any]]) -> str:
    """Return the tables of this case."""
    columns = [f"{name}, {figure}" for figure in ("ms", "GFLOP", "peak memory, MB") for name in NETWORKS]
    columns = [*columns[:2], "times the default", *columns[2:]]
    rows = [
        (run.get("field"), run.get("batch"), *(tables.cell([f[c]] if c in f else []) for c in columns))
        for run, f in records.items()
    ]
    return tables.markdown(("field", "batch", *columns), rows)
