"""Error against the number of evaluations of f, for different choices of collocation points."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import report as tables
from measures import measured
from methods import collocation_points
from plots import lines
from problems import burgers
from runs import OURS, Run

TITLE = "What a value of f is worth"
NOTE = """
Burgers, harmonic, 128 points, d = 16, 45 s of training, no trajectories at all; tests as in the case `burgers`. The
points are chosen in four ways:

- static: initial states;
- flow: the system's own sampler, which puts four in five points along flows from initial states;
- fresh flows: the same, and as many points again along new flows eight times during the training. `rom.fit` does this
  where it is given the system;
- on-policy: as fresh flows, but the new points are states that the model in training reaches from new initial states,
  decoded. This was worse and is not part of the package; its two runs cannot be repeated.

Flows must be integrated. "Values of f, integration included" adds what DOP853 takes for each flow with rtol 1e-4 over
the whole time span. The package's own integrator for Burgers takes fewer.
"""

POINTS = (1024, 8192, 65_536)


def runs(quick: bool) -> list[Run]:
    """Return the runs of this case."""
    if quick:
        return [run_of(kind, 512, 8) for kind in collocation_points.KINDS]
    several = [run_of(kind, n, 45) for kind in ("static", "flow") for n in POINTS]
    return several + [run_of("fresh flows", n, 45) for n in POINTS[:2]]


def run_of(kind: str, n_points: int, seconds: int) -> Run:
    """Return the run with collocation points of one kind."""
    return Run(OURS, settings=(("kind", kind), ("points", n_points), ("seconds", seconds)))


def measure(run: Run, quick: bool) -> dict[str, Any]:
    """Measure one run."""
    problem = burgers.harmonic(run.seed, quick)
    system, kind = problem.system, run.get("kind")
    figures = measured(
        problem,
        lambda: collocation_points.fit(
            system, kind, run.get("points"), 4 if quick else 16, run.get("seconds"), run.seed + 1
        ),
    )
    cost = figures["flows"] * collocation_points.values_of_f_per_flow(system, run.seed + 1)
    return figures | {"values of f, integration included": figures["values of f at points"] + cost}


def report(records: Mapping[Run, Mapping[str, Any]]) -> str:
    """Return the tables of this case."""
    counts = {name: name for name in ("values of f at points", "values of f, integration included")}
    return tables.table(records, counts | burgers.ERRORS | {"steps": "steps", "variance, harmonic": "variance"})


def plots(records: Mapping[Run, Mapping[str, Any]], folder: Path) -> None:
    """Draw the plots of this case."""
    for figure, word in (("values of f at points", "points"), ("values of f, integration included", "all")):
        curves: dict[str, list[tuple[float, float]]] = {}
        for run, figures in records.items():
            curves.setdefault(run.get("kind"), []).append((figures[figure], figures["mse, harmonic, 20"]))
        lines(
            {kind: sorted(points) for kind, points in curves.items()},
            folder / f"evaluations-{word}.png", figure, "MSE, 20 snapshots", log_x=True,
        )  # fmt: skip
