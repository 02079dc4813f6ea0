"""Noise on the training trajectories, with and without physics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import report as tables
from measures import measured
from methods import ours
from problems import burgers
from runs import Run, seeds

TITLE = "Noise on the training trajectories"
NOTE = """
Burgers as before: 256 trajectories from bumps, 4,096 harmonic points, d = 16, 60 s, tests on 64 harmonic trajectories.
N(0, noise^2) is added to every state of the training trajectories; the states have a standard deviation of about 0.2.
"physics" does not use the trajectories. Neither fit may evaluate f at further states. With collocation points,
`rom.fit` leaves out trajectories if more than a twentieth of their variance is noise. Then "hybrid" and "physics" are
the same fit, and the column "trajectories" is zero. Noise of 0.03 is near that limit.
"""

LEVELS = (1e-3, 3e-2, 1e-1, 1.0)


def runs(quick: bool) -> list[Run]:
    """Return the runs of this case."""
    seconds, count = (8, 1) if quick else (60, 3)
    hybrid = [run for noise in LEVELS for run in seeds(count, "ours", supply="hybrid", noise=noise, seconds=seconds)]
    return hybrid + seeds(count, "ours", supply="physics", seconds=seconds)


def measure(run: Run, quick: bool) -> dict[str, Any]:
    """Measure one run."""
    sizes = (32, 512) if quick else (256, 4096)
    problem = burgers.bumps(run.seed, *sizes, noise=run.get("noise", 0.0), quick=quick)
    trajectories = run.get("supply") == "hybrid"
    d = 4 if quick else 16
    return measured(
        problem, lambda: ours.fit(problem, d, run.get("seconds"), run.seed, arrays_only=True, trajectories=trajectories)
    )


def report(records: Mapping[Run, Mapping[str, Any]]) -> str:
    """Return the tables of this case."""
    return tables.table(
        records, burgers.ERRORS | {"n_trajectories": "trajectories", "steps": "steps", "variance, harmonic": "variance"}
    )
