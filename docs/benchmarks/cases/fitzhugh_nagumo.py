"""FitzHugh-Nagumo driven at one end: forecasts for input signals unlike those of the training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import rom
import systems
from plots import save
from problems import TEST
from runs import Run, seeds
from thinning import thinned

TITLE = "FitzHugh-Nagumo with an input, 2 x 512 states, d = 8"
NOTE = """
The current at the left end is the input. 32 trajectories of 8 time units from small random states, under random
currents between 0 and 20 that change about every half unit; 8,192 collocation points near them. Forecasts: under eight
further random currents; from rest under the pulse of the source, 50,000 t^3 exp(-15 t); from rest under 10 (1 + sin(2
pi t / 1.3)). The figures are relative errors over the trajectory, of random currents the median. "closed form": POD,
quadratic manifold and operator inference with inputs, which training started from. "projection": the error of
projecting the truth on 8 POD modes of the training states.
"""
TIMES = np.linspace(0.0, 8.0, 321)
SIGNALS = {
    "pulse": lambda t: 50_000 * t**3 * np.exp(-15 * t),
    "sine": lambda t: 10 * (1 + np.sin(2 * np.pi * t / 1.3)),
}
TOLERANCES = {"rtol": 1e-6, "atol": 1e-7}
LATENT_DIM = 8


def runs(quick: bool) -> list[Run]:
    """Return the runs of this case."""
    return seeds(1, seconds=10) if quick else seeds(3, seconds=300)


def measure(run: Run, quick: bool) -> dict[str, Any]:
    """Measure one run."""
    base = systems.FitzHughNagumo(n=32 if quick else 512)
    system, rest = systems.driven(base, "current", dwell=0.5), np.zeros((1, *base.shape))
    train = systems.simulate(system, 6 if quick else 32, TIMES, seed=run.seed, **TOLERANCES)
    pairs = systems.collocate(system, 512 if quick else 8192, near=train, seed=run.seed)
    model = rom.fit(
        system, trajectories=train, collocation=pairs, latent_dim=LATENT_DIM, seed=run.seed,
        max_seconds=run.get("seconds"), verbose=False,
    )  # fmt: skip
    tests = {"random": systems.simulate(system, 2 if quick else 8, TIMES, seed=TEST + run.seed, **TOLERANCES)}
    for name, signal in SIGNALS.items():
        given = systems.signals(TIMES, {"current": signal})
        tests[name] = systems.simulate(base, t=TIMES, initial=rest, inputs=given, **TOLERANCES)
    figures: dict[str, Any] = {}
    for name, truth in tests.items():
        errors = rom.evaluate(model, truth)["trajectory_relative_error"].median("trajectory")
        figures[f"{name}, fitted"] = float(errors.sel(rom="fitted"))
        figures[f"{name}, closed form"] = float(errors.sel(rom="closed_form"))
        figures[f"{name}, projection"] = projection_error(train["state"].values, truth["state"].values)
    return figures if run.seed else figures | {"curves": curves_of(model, tests)}


def curves_of(model: rom.ReducedOrderModel, tests: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return v near both ends over time, of the full model and the forecast, for each signal."""
    curves = {"times": TIMES}
    for name in SIGNALS:
        truth, inputs = tests[name]["state"][0], tests[name]["inputs"]
        forecast = model.forecast(truth[0].values, TIMES, inputs=inputs)["state"]
        for whose, states in (("FOM", truth), ("fitted", forecast)):
            curves[f"{name}, {whose}"] = states.sel(component="v").values[:, [5, -5]]
        curves[f"{name}, current"] = inputs.values[0, :, 0]
    return {name: thinned(curve, 110) for name, curve in curves.items()}


def projection_error(train: np.ndarray, truth: np.ndarray) -> float:
    """Return the relative error of projecting `truth` onto the first POD modes of `train`, median over trajectories."""
    snapshots = train.reshape(-1, train.shape[2] * train.shape[3])
    mean = snapshots.mean(axis=0)
    _, basis = np.linalg.eigh((snapshots - mean).T @ (snapshots - mean))
    basis = basis[:, -LATENT_DIM:]
    states = truth.reshape(len(truth), -1, len(mean))
    lost = states - mean - (states - mean) @ basis @ basis.T
    return float(np.median(np.linalg.norm(lost, axis=(1, 2)) / np.linalg.norm(states, axis=(1, 2))))


def plots(records: Mapping[Run, Mapping[str, Any]], folder: Path) -> None:
    """Draw v near both ends under both signals, for the first seed."""
    curves = next((figures["curves"] for figures in records.values() if "curves" in figures), None)
    if curves is None:
        return
    figure = Figure(figsize=(9.0, 5.0), layout="constrained")
    for column, name in zip(figure.subplots(2, 2, sharex=True, height_ratios=(1, 3)).T, SIGNALS, strict=True):
        column[0].plot(curves["times"], curves[f"{name}, current"], color="0.3")
        column[0].set(title=name, ylabel="current")
        for end, colour, k in (("left end", "C0", 0), ("right end", "C1", 1)):
            column[1].plot(curves["times"], np.array(curves[f"{name}, FOM"])[:, k], color="0.7", linewidth=3)
            column[1].plot(curves["times"], np.array(curves[f"{name}, fitted"])[:, k], color=colour, label=end)
        column[1].set(xlabel="time", ylabel="v (FOM in grey)")
        column[1].legend()
    save(figure, folder / "fitzhugh_nagumo.png")
