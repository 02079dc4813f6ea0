"""Burgers' equation with harmonic initial states: all methods at equal dimension and data."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import report as tables
from measures import measured, stages
from methods import (
    data_only,
    dmd,
    galerkin,
    linear_latent,
    operator_inference,
    ours,
    projection,
    published,
    published_today,
)
from plots import lines
from problems import burgers
from runs import Run, seeds

TITLE = "Burgers, harmonic initial states"
NOTE = """
nu = 0.01, 128 points; 256 trajectories x 20 snapshots of 0.1 and 16,384 collocation points. Test: 64 other trajectories
over 200 snapshots, ten times the training horizon; errors are means over all snapshots up to the horizon, the first
included. Training takes 180 s where no other time is given. "ours" is `rom.fit` with its defaults. "published" is the
recipe of PINODE, "published today" has the same losses and networks with faster settings, "linear latent" is the recipe
with dz/dt = K z, and "data only" is a neural ODE without physics. "operator inference" has a linear decoder and uses f
at all snapshots and points. "galerkin" evaluates the true f at every stage of every forecast. "projection" forecasts
nothing: it projects the true states on the POD modes of the training data, and no linear model with these modes can
have a smaller error. "own modes" are POD modes of the tests themselves. "start" is the closed-form model from which our
training starts. Seconds are processor seconds of one thread.
"""

DIMS = (4, 8, 12, 16, 24, 32)
MAIN = 16
CLOSED = {"operator_inference": operator_inference, "galerkin": galerkin, "dmd": dmd}
TRAINED = {"linear_latent": linear_latent, "data_only": data_only, "ours": ours, "published_today": published_today}
SECONDS, QUICK_SECONDS = 180, 8


def runs(quick: bool) -> list[Run]:
    """Return the runs of this case."""
    dims, seconds = ((4,), QUICK_SECONDS) if quick else (DIMS, SECONDS)
    result = []
    for d in dims:
        count = 3 if d == MAIN else 1
        result += seeds(count, "ours", d=d, seconds=seconds)
        result += seeds(count, "published", d=d, budgets=(15, 30, 60, seconds) if d == MAIN else (seconds,))
        for method in ("linear_latent", "data_only", "published_today"):
            result += seeds(1, method, d=d, seconds=seconds)
        for method in (*CLOSED, "projection"):
            result += seeds(count, method, d=d)
    if not quick:
        result += seeds(1, "operator_inference", d=64)
        result += [run for short in (15, 30, 60) for run in seeds(1, "ours", d=MAIN, seconds=short)]
        result += seeds(1, "published", d=MAIN, budgets=(10 * SECONDS,))
    return result


def measure(run: Run, quick: bool) -> dict[str, Any]:
    """Measure one run."""
    problem, d = burgers.harmonic(run.seed, quick), run.get("d")
    if run.method == "projection":
        return projection.errors(problem, d)
    if run.method == "published":
        return stages(problem, published.on_budgets(problem, d, run.get("budgets"), run.seed))
    method = (CLOSED | TRAINED)[run.method]
    return measured(problem, lambda: method.fit(problem, d, run.get("seconds"), run.seed))


def report(records: Mapping[Run, Mapping[str, Any]]) -> str:
    """Return the tables of this case."""

    def at_main(run: Run) -> bool:
        return run.get("d") in (MAIN, 64) or len({r.get("d") for r in records}) == 1

    costs = {"fit seconds": "fit, s", "forecast seconds, harmonic": "forecast of the tests, s", "steps": "steps"}
    start = {f"start: {name}": f"start, {heading}" for name, heading in burgers.ERRORS.items()}
    own = {f"own modes: {name}": f"own modes, {heading}" for name, heading in burgers.ERRORS.items()}
    parts = [
        tables.table(records, {"variance, harmonic": "variance"} | burgers.ERRORS | costs, where=at_main),
        "**Error against the dimension**",
        tables.table(records, burgers.ERRORS, where=comparable, in_order=True),
        tables.table(records, start, where=lambda run: run.method == "ours" and comparable(run), in_order=True),
        tables.table(records, own, where=lambda run: run.method == "projection"),
        "**Error of others / error of ours, medians**",
        ratios(records),
    ]
    return "\n\n".join(parts)


def comparable(run: Run) -> bool:
    """Return whether a run trained for the common time, or is in closed form."""
    return run.get("seconds") in (None, SECONDS, QUICK_SECONDS)


def medians(records: Mapping[Run, Mapping[str, Any]], figure: str) -> dict[tuple[str, int], float]:
    """Return the medians over the seeds of a figure, by method and dimension."""
    result = {}
    expanded = {run: figures for run, figures in tables.expanded(records).items() if comparable(run)}
    for (method, settings), by_seed in tables.groups(expanded).items():
        values = [figures[figure] for figures in by_seed.values() if figure in figures]
        if values:
            result[method, dict(settings)["d"]] = statistics.median(tables.finite(values))
    return result


def ratios(records: Mapping[Run, Mapping[str, Any]]) -> str:
    """Return a table of errors of other methods divided by ours."""
    opponents = ("operator_inference", "published", "projection")
    by_horizon = {heading: medians(records, figure) for figure, heading in burgers.ERRORS.items()}
    dims = sorted({run.get("d") for run in records if run.method == "ours"})
    rows = []
    for d in dims:
        cells = [
            tables.cell([of[name, d] / of["ours", d]] if {(name, d), ("ours", d)} <= of.keys() else [])
            for name in opponents
            for of in by_horizon.values()
        ]
        rows.append((str(d), *cells))
    return tables.markdown(("d", *(f"{n.replace('_', ' ')}, {h}" for n in opponents for h in by_horizon)), rows)


def plots(records: Mapping[Run, Mapping[str, Any]], folder: Path) -> None:
    """Draw the plots of this case."""
    for figure, heading in burgers.ERRORS.items():
        of = medians(records, figure)
        curves: dict[str, list[tuple[float, float]]] = {}
        for (method, d), error in sorted(of.items(), key=lambda item: item[0][1]):
            curves.setdefault(method, []).append((d, error))
        lines(curves, folder / f"burgers-dimension-{figure.split()[-1]}.png", "latent dimension d", f"MSE, {heading}")
    expanded = tables.expanded(records)
    time, cost = {}, {}
    for run, figures in expanded.items():
        error = figures.get("mse, harmonic, 20")
        if error is None:
            continue
        if run.get("d") == MAIN and run.seed == 0 and "fit seconds" in figures:
            time.setdefault(run.method, []).append((figures["fit seconds"], error))
        if comparable(run) and run.seed == 0 and "forecast seconds, harmonic" in figures:
            cost.setdefault(run.method, []).append((figures["forecast seconds, harmonic"], error))
    time = {method: sorted(points) for method, points in time.items()}
    lines(time, folder / "burgers-time.png", "seconds of fitting, d = 16", "MSE, 20 snapshots", log_x=True)
    lines(
        cost, folder / "burgers-forecast.png", "seconds of forecasting 64 x 200 states", "MSE, 20 snapshots", log_x=True
    )
