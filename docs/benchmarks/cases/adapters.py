"""Fits of systems of other packages, which adapters turn into systems without rewriting f."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import report as tables
import rom
import systems
from runs import OURS, Run

TITLE = "Systems of dysts, py-pde and pyMOR"
NOTE = """
Fits of 60 s to the functions of these packages, as black boxes; 32 trajectories for training and 8 for testing, 4,096
collocation points on and near the training trajectories. Relative error: of whole test trajectories over the times of
the training, the median over the 8; of pyMOR's model at unseen exponents. The flows of dysts are chaotic: over one
period. Needs the extra `adapters`.
"""


@dataclass(frozen=True)
class Problem:
    """A system of another package, output times, and the latent dimension of its model."""

    system: systems.System
    times: np.ndarray
    latent_dim: int
    parameters: str | None = None


def problem(name: str) -> Problem:
    """Return the problem with a name of `NAMES`."""
    if name == "pyMOR Burgers":
        from pymor.analyticalproblems.burgers import burgers_problem
        from pymor.core.logger import set_log_levels
        from pymor.discretizers.builtin import discretize_instationary_fv

        set_log_levels({"pymor": "ERROR"})
        burgers = burgers_problem()
        model, _ = discretize_instationary_fv(burgers, diameter=1 / 100, nt=200, num_flux="engquist_osher")
        return Problem(systems.from_pymor(model, burgers.parameter_ranges), np.linspace(0, 0.3, 61), 6, "sample")
    if name == "py-pde Cahn-Hilliard":
        import pde

        grid = pde.CartesianGrid([[0, 32]], 32, periodic=True)
        wave = 2 * np.pi / 32 * grid.axes_coords[0]

        def mixtures(count, seed):
            normal = np.random.default_rng(seed).standard_normal((count, 2, 3, 1))
            return sum(
                0.2 * (normal[:, 0, k] * np.cos((k + 1) * wave) + normal[:, 1, k] * np.sin((k + 1) * wave))
                for k in range(3)
            )

        system = systems.from_pde(pde.CahnHilliardPDE(), pde.ScalarField(grid), sampler=mixtures)
        return Problem(system, np.linspace(0, 20, 101), 8)
    system = systems.from_dysts(name.removeprefix("dysts "))
    return Problem(system, np.linspace(0, float(system.f.flow.period), 101), system.n_states)


NAMES = ("dysts Rossler", "dysts Thomas", "dysts Halvorsen", "py-pde Cahn-Hilliard", "pyMOR Burgers")


def runs(quick: bool) -> list[Run]:  # noqa: ARG001 - the same, for a shorter time
    """Return the runs of this case."""
    return [Run(OURS, settings=(("problem", name),)) for name in NAMES]


def measure(run: Run, quick: bool) -> dict[str, Any]:
    """Measure one run."""
    of = problem(run.get("problem"))
    train = systems.simulate(of.system, 32, of.times, parameters=of.parameters, seed=0, verbose=False)
    test = systems.simulate(of.system, 8, of.times, parameters=of.parameters, seed=1, verbose=False)
    points = systems.collocate(of.system, 512 if quick else 4096, near=train, parameters=of.parameters)
    model = rom.fit(
        of.system,
        trajectories=train,
        collocation=points,
        latent_dim=of.latent_dim,
        max_seconds=6 if quick else 60,
        verbose=False,
    )
    errors = rom.evaluate(model, test)["trajectory_relative_error"].median("trajectory")
    return {
        "states": of.system.n_states,
        "latent_dim": model.latent_dim,
        "fitted": float(errors.sel(rom="fitted")),
        "closed form": float(errors.sel(rom="closed_form")),
        "fit, s": float(model.history.attrs["seconds"]),
    }


def report(records: Mapping[Run, Mapping[str, Any]]) -> str:
    """Return the tables of this case."""
    columns = list(next((figures for figures in records.values() if figures), {}))
    rows = [
        (run.get("problem"), *(tables.number(figures[name]) if figures else tables.NO_RESULT for name in columns))
        for run, figures in records.items()
    ]
    return tables.markdown(("problem", *columns), rows)
