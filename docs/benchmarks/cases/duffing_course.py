"""Lifted Duffing oscillator as in a public course: trajectories on one side, points beyond."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import report as tables
from measures import measured, stages
from methods import data_only, dmd, linear_latent, operator_inference, ours, published, published_today
from problems import Problem, duffing
from runs import Run, seeds

TITLE = "Lifted Duffing, course variant, given as plain arrays"
NOTE = """
x = A z^3 with 128 components. 600 trajectories x 11 times on [0, 1] from z1 in [-1.5, 0.5], z2 in [-1, 1]; 10,000
points with z1 in [0.5, 1.5]; d = 2. Test: 100 trajectories from z1 in [-1.5, 1.5] x 21 times, on [0, 1] and on [0, 2].
Best public value known to us on [0, 1]: 0.0505 after 2,116 s. MSE is the mean over components, times and trajectories.
Ours is given the arrays alone, as the other trained methods are. Operator inference also has f at all snapshots; DMD
and "data only" have no physics.
"""

METHODS = {
    m.__name__.split(".")[-1]: m for m in (ours, published_today, data_only, linear_latent, operator_inference, dmd)
}


def runs(quick: bool) -> list[Run]:
    """Return the runs of this case."""
    if quick:
        trained = seeds(1, "ours", seconds=8) + seeds(1, "published", budgets=(4, 8))
        return trained + [run for method in list(METHODS)[1:] for run in seeds(1, method, seconds=8)]
    return [
        *seeds(3, "ours", seconds=60),
        *seeds(3, "ours", seconds=300),
        *seeds(3, "published", budgets=(60, 300)),
        *seeds(1, "published", budgets=(3000,)),
        *seeds(1, "published_today", seconds=300),
        *seeds(1, "linear_latent", seconds=300),
        *seeds(1, "data_only", seconds=300),
        *seeds(3, "operator_inference"),
        *seeds(3, "dmd"),
    ]


def measure(run: Run, quick: bool) -> dict[str, Any]:
    """Measure one run."""
    problem = duffing.course(run.seed, quick)
    if run.method == "published":
        return stages(problem, published.on_budgets(problem, 2, run.get("budgets"), run.seed), box_figures)
    options = {"arrays_only": True} if run.method == "ours" else {}
    fit = METHODS[run.method].fit
    return measured(problem, lambda: fit(problem, 2, run.get("seconds"), run.seed, **options), box_figures)


def box_figures(problem: Problem, name: str, forecast: np.ndarray) -> dict[str, float]:
    """Return how much of the error lies in the tests that leave the sampled box of z."""
    states = problem.test[name][1]
    by_trajectory = ((forecast - states) ** 2).mean(axis=(1, 2))
    leaves = duffing.leaves_box(problem.system, states)
    return {
        f"trajectories that leave the box, {name}": float(leaves.mean()),
        f"share of the error in those that leave, {name}": float(by_trajectory[leaves].sum() / by_trajectory.sum()),
        f"mse of those that stay, {name}": float(by_trajectory[~leaves].mean()),
    }


def report(records: Mapping[Run, Mapping[str, Any]]) -> str:
    """Return the tables of this case."""
    parts = []
    for name in ("[0, 1]", "[0, 2]"):
        columns = {
            f"mse, {name}, 21": "MSE",
            f"median trajectory, {name}, 21": "median trajectory",
            f"mse of those that stay, {name}": "MSE of those that stay in the box",
            f"share of the error in those that leave, {name}": "share of the error in those that leave",
            f"trajectories that leave the box, {name}": "share of trajectories that leave",
            f"variance, {name}": "variance",
        }
        parts += [f"**{name}**", tables.table(records, columns)]
    costs = {"fit seconds": "fit, s", "steps": "steps", "forecast seconds, [0, 1]": "forecast of the tests, s"}
    return "\n\n".join([*parts, "**Cost**", tables.table(records, costs)])
