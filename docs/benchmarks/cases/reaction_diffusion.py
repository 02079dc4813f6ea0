"""Spirals of the lambda-omega system: a convolutional network compared with the default network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import rom
import systems
from field_report import COLUMNS, error_plot, field_plot
from on_fields import measured
from problems import POINTS, TEST, TRAIN, spirals
from report import table
from runs import Run, seeds

TITLE = "Spirals of the lambda-omega system, 2 x 64 x 64 states"
NOTE = """
"Fixed centres", d = 2: spirals grow at the same places with a random phase; two numbers, the phase and the time since
the start, determine a state. 16 trajectories over 10 time units, one turn and a half. "Random centres", d = 8: the
spirals lie anywhere, and four numbers determine a state, three of which are angles: d = 4 cannot represent them without
a cut. 64 trajectories. 4,096 collocation points near the trajectories, 16 tests with other phases and centres; both
networks have the same time. "default" are layers on POD coordinates, "convolutional" is `rom.Convolutional` with the
settings that were best for it on validation data. Errors over the trajectory are relative, medians over the tests. The
autoencoder of Champion et al. (PNAS 116, 2019) reached 12.6 % on its own data of such spirals with d = 2, without their
growth.
"""
LATENT_DIMS = {"fixed": 2, "random": 8}
SECONDS = {"fixed": 120, "random": 180}
TRAJECTORIES = {"fixed": 16, "random": 64}


def runs(quick: bool) -> list[Run]:
    """Return the runs of this case."""
    return [
        run
        for centres in LATENT_DIMS
        for network in CONFIGS
        for run in seeds(1 if quick else 3, centres=centres, network=network, seconds=6 if quick else SECONDS[centres])
    ]


def measure(run: Run, quick: bool) -> dict[str, Any]:
    """Measure one run."""
    centres = run.get("centres")
    system = spirals.system(centres, n=32 if quick else 64)

    def trajectories(count: int, seed: int) -> Any:
        return systems.simulate(system, count, spirals.TIMES, seed=seed, rtol=1e-6, atol=1e-7, verbose=False)

    train = trajectories(6 if quick else TRAJECTORIES[centres], TRAIN + run.seed)
    tests = trajectories(2 if quick else 16, TEST + run.seed)
    pairs = systems.collocate(system, 512 if quick else 4096, near=train, seed=POINTS + run.seed)
    return measured(system, train, pairs, tests, run, CONFIGS[run.get("network")], LATENT_DIMS[centres])


def report(records: Mapping[Run, Mapping[str, Any]]) -> str:
    """Return the tables of this case."""
    parts = []
    for centres, d in LATENT_DIMS.items():
        parts += [
            f"**{centres} centres, d = {d}**",
            table(records, COLUMNS, where=lambda run, centres=centres: run.get("centres") == centres),
        ]
    return "\n\n".join(parts)


def plots(records: Mapping[Run, Mapping[str, Any]], folder: Path) -> None:
    """Draw the plots of this case."""
    for centres in LATENT_DIMS:
        some = {run: figures for run, figures in records.items() if run.get("centres") == centres}
        if some:
            error_plot(some, folder / f"reaction_diffusion-{centres}-errors.png")
            field_plot(some, folder / f"reaction_diffusion-{centres}-fields.png")


CONFIGS = {
    "default": rom.FitConfig(),
    "convolutional": rom.FitConfig(
        network=rom.Convolutional(channels=(8, 16, 32), padding="periodic"),
        collocation_batch=32,
        window_batch=4,
        validations=10,
    ),
}
