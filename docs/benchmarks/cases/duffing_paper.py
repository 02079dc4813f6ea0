"""Lifted Duffing oscillator as in the paper: trajectories of one basin, points in the others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import report as tables
from measures import measured, stages
from methods import ours, published
from plots import lines
from problems import Problem, duffing
from runs import Run, seeds
from thinning import thinned

TITLE = "Lifted Duffing, paper variant: trajectories of the left basin only"
NOTE = """
1,536 trajectories of the left basin x 51 snapshots of 0.1; 12,500 collocation points in the right basin and 12,500 in
the outer one, z in [-1.5, 1.5] x [-1, 1]; d = 2. Test: 100 trajectories of each basin to t = 50, ten training horizons;
errors are means over all snapshots up to one, two and ten of them. "supply arrays": without the system, so that f is
known at the points alone, as in the published recipe. Latent MSE: error of the forecast in the coordinates of the true
encoder.
"""

HORIZONS = {51: "1 horizon", 101: "2 horizons", 501: "10 horizons"}


def runs(quick: bool) -> list[Run]:
    """Return the runs of this case."""
    if quick:
        return [*seeds(1, "ours", supply="system", seconds=8), *seeds(1, "published", budgets=(4, 8))]
    return [
        *seeds(3, "ours", supply="system", seconds=300),
        *seeds(3, "ours", supply="arrays", seconds=300),
        *seeds(1, "published", budgets=(300,)),
        *seeds(1, "published", budgets=(3000,)),
    ]


def measure(run: Run, quick: bool) -> dict[str, Any]:
    """Measure one run."""
    problem = duffing.paper(run.seed, quick)
    arrays_only = run.get("supply") == "arrays"
    more = figures_with_curves if run.seed == 0 and not arrays_only else latent_figures
    if run.method == "published":
        return stages(problem, published.on_budgets(problem, 2, run.get("budgets"), run.seed), more)
    return measured(problem, lambda: ours.fit(problem, 2, run.get("seconds"), run.seed, arrays_only=arrays_only), more)


def latent_figures(problem: Problem, name: str, forecast: np.ndarray) -> dict[str, float]:
    """Return errors in the coordinates of the true encoder, and how many tests leave the sampled box."""
    states = problem.test[name][1]
    figures = {f"trajectories that leave the box, {name}": float(duffing.leaves_box(problem.system, states).mean())}
    with np.errstate(all="ignore"):
        square = (problem.system.encode(forecast.astype(float)) - problem.system.encode(states)) ** 2
    for count in (*problem.horizons, states.shape[1]):
        figures[f"latent mse, {name}, {count}"] = float(square[:, :count].mean())
    return figures


def figures_with_curves(problem: Problem, name: str, forecast: np.ndarray) -> dict[str, Any]:
    """Return the same figures, and the mean square error over time for the plot."""
    times, states = problem.test[name]
    with np.errstate(all="ignore"):  # a forecast that diverged may overflow
        square = ((forecast - states) ** 2).mean(axis=(0, 2))
    curves = {f"times, {name}": thinned(times, 51), f"mse by time, {name}": thinned(square, 51)}
    return latent_figures(problem, name, forecast) | curves


def report(records: Mapping[Run, Mapping[str, Any]]) -> str:
    """Return the tables of this case."""
    parts = []
    for kind, title in (("mse", "MSE"), ("latent mse", "Latent MSE"), ("median trajectory", "MSE, median trajectory")):
        columns = {f"{kind}, {b}, {count}": f"{b}, {word}" for b in duffing.BASINS for count, word in HORIZONS.items()}
        parts += [f"**{title}**", tables.table(records, columns)]
    facts = {f"variance, {b}": f"variance, {b}" for b in duffing.BASINS}
    facts |= {f"trajectories that leave the box, {b}": f"share that leaves the box, {b}" for b in duffing.BASINS}
    facts |= {"fit seconds": "fit, s", "steps": "steps", "f_evaluations": "f evaluations besides the points"}
    return "\n\n".join([*parts, "**Tests and cost**", tables.table(records, facts)])


def plots(records: Mapping[Run, Mapping[str, Any]], folder: Path) -> None:
    """Draw the plots of this case."""
    for basin in duffing.BASINS:
        curves = {}
        for run, figures in tables.expanded(records).items():
            if run.seed == 0 and run.get("supply", "system") == "system" and run.get("seconds") != 3000:
                curves[run.method] = list(
                    zip(figures[f"times, {basin}"], figures[f"mse by time, {basin}"], strict=True)
                )
        lines(curves, folder / f"duffing_paper-{basin}.png", "t (training ends at 5)", f"MSE at t, {basin} basin")
