"""Growth of the cost of a fit with the number of states and of trajectories."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import report as tables
from plots import save
from runs import OURS, Run

TITLE = "Growth of a fit with the size of the data"
NOTE = """
Burgers, nu = 0.01, d = 8, 200 steps of training, 2,048 collocation points, one thread; each fit in a process of its
own, and one thing varied at a time: n with 16 trajectories of 21 times, the number of trajectories with n = 128.
"Simulation and preparation" is everything but the training: simulation, evaluation of f, POD, closed-form models. A
training step includes its share of 25 validations on the held-out tenth of the trajectories. The slope is of log(cost)
against log(n), by least squares.
"""
STATES, FEW = (128, 1024, 8192, 65536), 16
TRAJECTORIES, SMALL = (10, 100, 1000, 10_000), 128
FOLDER = Path(__file__).parents[1]


def runs(quick: bool) -> list[Run]:
    """Return the runs of this case."""
    states, trajectories = ((64, 256), (10, 30)) if quick else (STATES, TRAJECTORIES)
    return [
        *(Run(OURS, settings=(("n", n), ("trajectories", FEW))) for n in states),
        *(Run(OURS, settings=(("n", SMALL), ("trajectories", count))) for count in trajectories),
    ]


def measure(run: Run, quick: bool) -> dict[str, Any]:
    """Measure one run."""
    settings = dict(run.settings) | {"points": 256 if quick else 2048, "d": 8, "steps": 10 if quick else 200}
    command = [sys.executable, "-m", "steps.one_fit", json.dumps(settings)]
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
        rows.append((f"{run.get('n'):,}", f"{run.get('trajectories'):,}", *cells))
    parts = [tables.markdown(("n", "trajectories", *columns), rows)]
    for name in ("training step, ms", "simulation and preparation, s"):
        n, cost = costs(records, name)
        if len(n) > 1:
            slope = np.polyfit(np.log(n), np.log(cost), 1)[0]
            parts.append(f"Slope of log({name.split(',')[0]}) against log(n): {slope:.2f}.")
    return "\n\n".join(parts)


def costs(records: Mapping[Run, Mapping[str, Any]], name: str) -> tuple[list[int], list[float]]:
    """Return a figure of the runs in which n varies, by n."""
    pairs = sorted((run.get("n"), f[name]) for run, f in records.items() if f and run.get("trajectories") == FEW)
    return [n for n, _ in pairs], [cost for _, cost in pairs]


def plots(records: Mapping[Run, Mapping[str, Any]], folder: Path) -> None:
    """Draw the cost of a step, the cost of the rest, and memory against n."""
    figure = Figure(figsize=(5, 3.5), layout="constrained")
    axes = figure.subplots()
    for name in ("training step, ms", "simulation and preparation, s", "peak memory, MB"):
        n, cost = costs(records, name)
        axes.loglog(n, cost, "o-", label=name)
    axes.set_xlabel("states n")
    axes.legend()
    save(figure, folder / "growth-states.png")
