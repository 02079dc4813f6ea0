"""One model of data on three grids, evaluated between their points."""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy.interpolate import CubicSpline

import rom
import systems
from problems import POINTS, TEST, TRAIN
from runs import Run, seeds

TITLE = "Burgers on three grids at once, forecast at 4,096 points between theirs, d = 16"
NOTE = """
Ten harmonics, viscosity 0.01, data on grids of 128, 192 and 320 points: 32 trajectories of 2 time units and 4,096
collocation points on each. "positions": one fit of all of them, `FitConfig(space=rom.Coordinate())`, forecast from
initial states on the grid of 192 points at 4,096 positions none of the grids has. "closed form": what that training
started from. "finest grid": an ordinary fit of as many trajectories and points, all of them on the finest grid, whose
forecasts cubic splines bring to the 4,096 positions. "function space": the best approximation by its splines. The
figures are relative errors over space against a solution of the equation on 4,096 points, median of 16 trajectories; f
is evaluated nowhere else in either fit.
"""
SIZES, FINE = (128, 192, 320), 4096
ASKED = np.array([0.0, 2.0, 20.0])
LATENT_DIM = 16


def runs(quick: bool) -> list[Run]:
    """Return the runs of this case."""
    return [
        run
        for method in ("positions", "finest grid")
        for run in seeds(1 if quick else 3, fit=method, seconds=8 if quick else 90)
    ]


def burgers(n: int) -> systems.System:
    """Return Burgers' equation on n points."""
    return systems.Burgers(n=n, viscosity=0.01)


def measure(run: Run, quick: bool) -> dict[str, float]:
    """Measure one run."""
    n_trajectories, n_points, n_tests = (4, 256, 3) if quick else (32, 4096, 16)
    free = run.get("fit") == "positions"
    grids = [burgers(n if free else SIZES[-1]) for n in SIZES]
    given = {
        "trajectories": [
            systems.simulate(system, n_trajectories, np.linspace(0.0, 2.0, 21), seed=TRAIN + 10 * run.seed + k)
            for k, system in enumerate(grids)
        ],
        "collocation": [systems.collocate(s, n_points, seed=POINTS + 10 * run.seed + k) for k, s in enumerate(grids)],
    }
    if not free:
        given["collocation"] = xr.concat(given["collocation"], "point", data_vars="minimal", coords="minimal")
    config = rom.FitConfig(space=rom.Coordinate()) if free else rom.FitConfig()
    model = rom.fit(
        None, **given, latent_dim=LATENT_DIM, config=config, seed=run.seed, max_seconds=run.get("seconds"), verbose=False
    )  # fmt: skip
    positions, truth = between(n_tests, TEST + run.seed)
    start = burgers(SIZES[1] if free else SIZES[-1]).sample_initial(n_tests, seed=TEST + run.seed)
    figures = {}
    for name, one in (("fitted", model), ("closed form", rom.closed_form_of(model))):
        if free:
            found = one.forecast(start, ASKED, at={"x": positions})["state"].values
        else:
            found = splines(one.forecast(start, ASKED)["state"], positions)
        figures |= errors(name, found, truth)
    if free:
        figures |= errors("function space", in_space(model, positions, truth), truth)
        figures["functions"] = model.shape[-1]
    return figures


def between(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return 4,096 positions between the points of all grids, and the truth there (trajectory, time, position).

    They lie half a cell beside the points of the finest grid.
    """
    system = burgers(FINE)
    states = systems.simulate(system, t=ASKED, initial=system.sample_initial(n, seed=seed))["state"].values
    half = np.pi / FINE
    shift = np.exp(1j * half * np.arange(FINE // 2 + 1))
    return system.coords["x"] + half, np.fft.irfft(np.fft.rfft(states) * shift, n=FINE)


def splines(forecast: xr.DataArray, positions: np.ndarray) -> np.ndarray:
    """Return values (trajectory, time, position) of periodic cubic splines through a forecast on a grid."""
    x = np.append(forecast["x"].values, np.pi)
    values = np.concatenate([forecast.values, forecast.values[..., :1]], axis=-1)
    return CubicSpline(x, values, axis=-1, bc_type="periodic")(positions)


def in_space(model: rom.ReducedOrderModel, positions: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the best approximation of the truth by the splines of the model's function space."""
    space = model._layout.space
    assert space is not None
    return space.values(space.coefficients(truth, (positions,)), (positions,))


def errors(name: str, found: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Return median relative errors over space at each time that is asked for."""
    relative = np.linalg.norm(found - truth, axis=-1) / np.linalg.norm(truth, axis=-1)
    return {f"{name}, t = {t:g}": float(np.median(relative[:, k])) for k, t in enumerate(ASKED) if t > 0}
