"""Stability and errors of forecasts over 10 and 50 training horizons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import report as tables
import rom
import systems
from problems import TEST
from runs import Run, seeds

TITLE = "Stability over 10 and 50 training horizons"
NOTE = """
`rom.fit` with its defaults, 60 s each; 64 forecasts from new initial states. Burgers (128 points, d = 16) decays, the
lifted Duffing oscillator (d = 2) is conservative, the lifted Lorenz system (d = 3) chaotic: there the error of a state
has no meaning after a few units of time, and the question is whether the forecast stays on the attractor. "Blown up":
share of the forecasts that are not finite, or larger than twice the largest true state of all tests. "Size": root mean
square of the forecasts over that of the truth, at the last tenth of the span. Errors are shares of the variance of the
true states up to the time.
"""

HORIZONS = (1, 10, 50)
PROBLEMS = {
    "burgers": (lambda: systems.Burgers(n=128, viscosity=0.01), 16, 2.0),
    "duffing": (systems.LiftedDuffing, 2, 5.0),
    "lorenz": (systems.LiftedLorenz, 3, 2.0),
}


def runs(quick: bool) -> list[Run]:
    """Return the runs of this case."""
    return [
        run for name in PROBLEMS for run in seeds(1 if quick else 3, problem=name, seconds=8 if quick else 60)
    ]  # fmt: skip


def measure(run: Run, quick: bool) -> dict[str, float]:
    """Measure one run."""
    make, latent_dim, horizon = PROBLEMS[run.get("problem")]
    system = make()
    train = systems.simulate(system, 16 if quick else 128, np.linspace(0.0, horizon, 41), seed=run.seed)
    model = rom.fit(
        system, 2048 if quick else 16_384, trajectories=train, latent_dim=latent_dim, seed=run.seed,
        max_seconds=run.get("seconds"), verbose=False,
    )  # fmt: skip
    times = np.linspace(0.0, HORIZONS[-1] * horizon, 40 * HORIZONS[-1] + 1)
    initial = system.sample_initial(8 if quick else 64, seed=TEST + run.seed)
    truth = systems.simulate(system, t=times, initial=initial)["state"].values
    figures: dict[str, float] = {}
    for name, one in (("fitted", model), ("closed form", rom.closed_form_of(model))):
        forecast = one.forecast(initial, times)
        figures |= {f"{figure}, {name}": value for figure, value in stability(forecast, truth, times, horizon).items()}
    return figures


def stability(forecast: Any, truth: np.ndarray, times: np.ndarray, horizon: float) -> dict[str, float]:
    """Return errors, sizes and shares of forecasts that diverge, up to each horizon."""
    states, valid = forecast["state"].values, forecast["valid"].values
    sizes = np.linalg.norm(truth, axis=2)
    figures = {}
    for count in HORIZONS:
        here = times <= count * horizon * (1 + 1e-9)
        with np.errstate(all="ignore"):
            found = np.linalg.norm(states[:, here], axis=2)
            blown_up = ~(found <= 2.0 * sizes.max()).all(axis=1)
            error = np.mean((states[:, here] - truth[:, here]) ** 2) / truth[:, here].var()
            last = times[here] >= 0.9 * count * horizon
            size = np.sqrt(np.mean(found[:, last] ** 2) / np.mean(sizes[:, here][:, last] ** 2))
        figures[f"blown up, {count}"] = float(blown_up.mean())
        figures[f"error, {count}"] = float(error)
        figures[f"size, {count}"] = float(size)
        figures[f"valid, {count}"] = float(valid[:, here][:, -1].mean())
    return figures


def report(records: Mapping[Run, Mapping[str, Any]]) -> str:
    """Return the tables of this case."""
    parts = []
    for name in ("fitted", "closed form"):
        columns = {
            f"{figure}, {count}, {name}": f"{figure}, {count} x" for figure in ("blown up", "error", "size", "valid")
            for count in HORIZONS
        }  # fmt: skip
        parts += [f"**{name}**", tables.table(records, columns)]
    return "\n\n".join(parts)
