"""Heat equation on a mesh of triangles: a graph network compared with the default network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import rom
import systems
from field_report import error_plot, field_plot, report  # noqa: F401 - `report` is read by run.py
from on_fields import measured
from problems import POINTS, TEST, TRAIN, mesh
from runs import Run, seeds

TITLE = "Heat on a disc with a hole: 636 nodes of a mesh, d = 8"
NOTE = """
Linear finite elements with lumped mass; the outer rim insulates, the hole stays cold. Initial states are a hot spot
half as wide as the hole, anywhere: with the time since the start, three numbers determine a state. 64 trajectories over
2 time units, 8,192 collocation points near them; 16 tests with other hot spots. Both networks have the same time:
"default" are layers on POD coordinates, "graph" is `rom.Graph` on the edges of the mesh, two rounds of messages of 8
features, with 32 points and 4 windows a step. Errors over the trajectory are relative, medians over the tests.
"""
LATENT_DIM = 8
SPACING, QUICK_SPACING = 0.075, 0.25
SMALLER = {"collocation_batch": 32, "window_batch": 4, "validations": 10}  # for the graph network


def runs(quick: bool) -> list[Run]:
    """Return the runs of this case."""
    count, seconds = (1, 6) if quick else (3, 60)
    return [run for network in ("default", "graph") for run in seeds(count, network=network, seconds=seconds)]


def measure(run: Run, quick: bool) -> dict[str, Any]:
    """Measure one run."""
    grid = mesh.disc_with_hole(QUICK_SPACING if quick else SPACING)
    system = mesh.system(grid)

    def trajectories(count: int, seed: int) -> Any:
        made = systems.simulate(system, count, mesh.TIMES, seed=seed, rtol=1e-6, atol=1e-8, verbose=False)
        return mesh.placed(made, grid)

    train = trajectories(8 if quick else 64, TRAIN + run.seed)
    tests = trajectories(2 if quick else 16, TEST + run.seed)
    pairs = systems.collocate(system, 512 if quick else 8192, near=train, seed=POINTS + run.seed)
    graph = rom.FitConfig(
        network=rom.Graph(edges=rom.networks.graph.edges_of(grid.triangles), channels=(8, 8)), **SMALLER
    )
    config = graph if run.get("network") == "graph" else rom.FitConfig()
    return measured(system, train, mesh.placed(pairs, grid), tests, run, config, LATENT_DIM)


def plots(records: Mapping[Run, Mapping[str, Any]], folder: Path) -> None:
    """Draw the plots of this case."""
    from matplotlib.tri import Triangulation

    shown = next((figures["pictures"]["truth"][0] for figures in records.values() if "pictures" in figures), None)
    error_plot(records, folder / "mesh-errors.png")
    if shown is not None:
        grids = [mesh.disc_with_hole(spacing) for spacing in (SPACING, QUICK_SPACING)]
        grid = next(grid for grid in grids if len(grid.positions) == len(shown))
        field_plot(records, folder / "mesh-fields.png", Triangulation(*grid.positions.T, grid.triangles))
