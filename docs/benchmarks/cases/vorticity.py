"""Vortices that move, merge and decay: a convolutional network compared with the default network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import rom
import systems
from field_report import error_plot, field_plot, report  # noqa: F401 - `report` is read by run.py
from on_fields import measured
from problems import POINTS, TEST, TRAIN, vortices
from runs import Run, seeds

TITLE = "Vortices in two dimensions, 64 x 64 states, d = 16"
NOTE = """
Vorticity in a periodic box, viscosity 0.01. Initial states are three vortices at random places around the corners of a
triangle: six numbers determine one, and with the time since the start seven determine a state; the vortices travel
about half of the box. 96 trajectories over 10 time units, 8,192 collocation points near them; 16 tests with other
vortices. Both networks have the same time: "default" are layers on POD coordinates, "convolutional" is
`rom.Convolutional` with the settings that were best for it on validation data. Errors over the trajectory are relative,
medians over the tests.
"""
LATENT_DIM = 16


def runs(quick: bool) -> list[Run]:
    """Return the runs of this case."""
    count, seconds = (1, 6) if quick else (3, 120)
    return [run for network in CONFIGS for run in seeds(count, network=network, seconds=seconds)]


def measure(run: Run, quick: bool) -> dict[str, Any]:
    """Measure one run."""
    system = vortices.Vortices(n=32 if quick else 64)

    def trajectories(count: int, seed: int) -> Any:
        return systems.simulate(system, count, vortices.TIMES, seed=seed, rtol=1e-6, atol=1e-7, verbose=False)

    train = trajectories(6 if quick else 96, TRAIN + run.seed)
    tests = trajectories(2 if quick else 16, TEST + run.seed)
    pairs = systems.collocate(system, 512 if quick else 8192, near=train, seed=POINTS + run.seed)
    return measured(system, train, pairs, tests, run, CONFIGS[run.get("network")], LATENT_DIM)


def plots(records: Mapping[Run, Mapping[str, Any]], folder: Path) -> None:
    """Draw the plots of this case."""
    error_plot(records, folder / "vorticity-errors.png")
    field_plot(records, folder / "vorticity-fields.png")


CONFIGS = {
    "default": rom.FitConfig(),
    "convolutional": rom.FitConfig(
        network=rom.Convolutional(channels=(8, 16, 32), padding="periodic"),
        collocation_batch=32,
        window_batch=4,
        validations=10,
    ),
}
