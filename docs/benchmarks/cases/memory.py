"""Memory of a fit to data larger than memory, and how often it reads them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import report as tables
from runs import OURS, Run

TITLE = "Memory of a fit, with the size of the data"
NOTE = """
Trajectories of 100 times of a pulse that moves with a Duffing oscillator, n = 20,000 states in float32; d = 8, 200
steps of training, no collocation points. `files`: HDF5 files of 4 trajectories, opened with
`systems.open_trajectories`; `dask`: an array that is computed trajectory by trajectory and is never on disk. Blocks
have 64 MiB in float64. Each fit in a process of its own, memory above what it held before. "Passes": bytes read or
computed over the size of the data; held-out trajectories are read once, the others twice. Preparation is everything but
the training. The validation error is the mean square over held-out trajectories, in shares of the variance; in so short
a training it depends on the choice of these trajectories, and it is the same for both kinds of data.
"""
MEGABYTES = {"files": (150, 300, 600, 1200), "dask": (150, 300, 600, 1200, 2400, 4800)}
FOLDER = Path(__file__).parents[1]


def runs(quick: bool) -> list[Run]:
    """Return the runs of this case."""
    sizes = {"files": (40,), "dask": (40,)} if quick else MEGABYTES
    return [Run(OURS, settings=(("backing", b), ("megabytes", size))) for b in sizes for size in sizes[b]]


def measure(run: Run, quick: bool) -> dict[str, Any]:
    """Measure one run."""
    settings = dict(run.settings) | {"n": 20_000, "steps": 10 if quick else 200}
    command = [sys.executable, "-m", "steps.memory_fit", json.dumps(settings)]
    environment = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(command, cwd=FOLDER, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return json.loads(done.stdout)


def report(records: Mapping[Run, Mapping[str, Any]]) -> str:
    """Return the tables of this case."""
    columns = list(next((figures for figures in records.values() if figures), {}))
    rows = []
    for run, figures in records.items():
        cells = (tables.number(figures[name]) if name in figures else tables.NO_RESULT for name in columns)
        rows.append((run.get("backing"), *cells))
    return tables.markdown(("backing", *columns), rows)
