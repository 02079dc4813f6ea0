"""Burgers' equation tested on initial states of another family than the training trajectories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import report as tables
from measures import measured
from methods import data_only, ours
from problems import burgers
from runs import Run, seeds

TITLE = "Burgers, out of distribution: trajectories from bumps, tests from harmonic initial states"
NOTE = """
nu = 0.01, 128 points, d = 16, 60 s. Trajectories: 20 snapshots of 0.1 from sums of two bumps. Points come from the
sampler of the harmonic problem: one in five is an initial state, the others lie along flows from initial states. Tests:
64 harmonic trajectories over 200 snapshots. f is evaluated nowhere else. "data only" is a neural ODE without physics.
"""

TRAJECTORIES, POINTS = (32, 256, 1024), (0, 4096, 65_536)


def runs(quick: bool) -> list[Run]:
    """Return the runs of this case."""
    if quick:
        supplies = [(16, 0, 1), (16, 512, 1)]
    else:
        corners = {(a, b) for a in (TRAJECTORIES[0], TRAJECTORIES[-1]) for b in (POINTS[0], POINTS[-1])}
        supplies = [(a, b, 3 if (a, b) in corners else 1) for a in TRAJECTORIES for b in POINTS]
    seconds = 8 if quick else 60
    result = [
        run for a, b, n in supplies for run in seeds(n, "ours", trajectories=a, points=b, seconds=seconds)
    ]  # fmt: skip
    few, none, count = supplies[0]
    return result + seeds(count, "data_only", trajectories=few, points=none, seconds=seconds)


def measure(run: Run, quick: bool) -> dict[str, Any]:
    """Measure one run."""
    problem = burgers.bumps(run.seed, run.get("trajectories"), run.get("points"), quick=quick)
    fit = {"ours": ours, "data_only": data_only}[run.method].fit
    options = {"arrays_only": True} if run.method == "ours" else {}  # no further f: the data are what is compared
    return measured(problem, lambda: fit(problem, 4 if quick else 16, run.get("seconds"), run.seed, **options))


def report(records: Mapping[Run, Mapping[str, Any]]) -> str:
    """Return the tables of this case."""
    facts = {"f_evaluations": "f evaluations besides the points", "steps": "steps", "variance, harmonic": "variance"}
    return tables.table(records, burgers.ERRORS | facts)
