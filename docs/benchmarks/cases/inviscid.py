"""Inviscid Burgers' equation over a grid of parameters of its initial state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import report as tables
from measures import measured
from methods import ours
from problems import Problem, inviscid
from runs import Run, seeds

TITLE = "1-D inviscid Burgers, 21 x 21 parameters"
NOTE = """
[-3, 3), periodic, 1,000 points, first-order upwind, 1,000 steps of backward Euler to t = 1; u0 = a exp(-x^2 / (2 w^2)),
a in [0.7, 0.9], w in [0.9, 1.1]. Training: a 4 x 4 grid of (a, w), trajectories alone; d = 5. Test: 21 x 21, every
tenth time step. Relative error: largest over the times of |forecast - u| / |u|, per parameter; the literature's figure
is its largest over the grid, at best 2.08 % with 25 runs. Seconds of the FOM: 16 solutions at a time, for one.
"""


def runs(quick: bool) -> list[Run]:
    """Return the runs of this case."""
    return seeds(1 if quick else 3, "ours", seconds=8 if quick else 180)


def measure(run: Run, quick: bool) -> dict[str, Any]:
    """Measure one run."""
    problem = inviscid.grid(quick)
    figures = measured(problem, lambda: ours.fit(problem, 5, run.get("seconds"), run.seed, arrays_only=True), relative)
    return figures | {"seconds of the FOM for one parameter": inviscid.seconds_of_one()}


def relative(problem: Problem, name: str, forecast: np.ndarray) -> dict[str, float]:
    """Return the relative error as the literature defines it."""
    _, states = problem.test[name]
    norms = [np.linalg.norm(values, axis=2) for values in (forecast - states, states)]
    worst = (norms[0] / norms[1]).max(axis=1)
    return {
        "largest relative error": float(worst.max()),
        "median relative error": float(np.median(worst)),
        "largest relative error at t = 0": float((norms[0] / norms[1])[:, 0].max()),
    }


def report(records: Mapping[Run, Mapping[str, Any]]) -> str:
    """Return the tables of this case."""
    columns = {
        "largest relative error": "largest relative error",
        "median relative error": "median over the grid",
        "largest relative error at t = 0": "largest at t = 0",
        "fit seconds": "fit, s",
        "forecast seconds, grid": "forecast of the grid, s",
        "seconds of the FOM for one parameter": "FOM, s a parameter",
    }
    return tables.table(records, columns)
