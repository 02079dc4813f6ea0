"""Autoencoder of spectra at irregular wavelengths, compared with interpolation to a grid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

import report as tables
import rom
from methods import pca
from problems import TEST, TRAIN
from runs import OURS, Run, seeds

TITLE = "Spectra at wavelengths of their own"
NOTE = """
A line of variable place and depth over a continuum of variable slope, from 400 to 900 nm, d = 3. Training: 800 spectra,
each at 30 to 80 random wavelengths, with noise of 0.01; of a share of them ("partial") a fifth to two fifths of the
range are missing at one end. Errors are mean squares over 200 wavelengths of the whole range, against the exact
spectrum, in shares of the variance: of 200 other complete spectra, of 200 partial ones, and of complete ones of which 8
values are given. "ours" fits the list of spectra as they are, `FitConfig(space=rom.Coordinate())`. "interpolated"
brings them to 101 wavelengths linearly, with the last value held beyond the ends, and fits an autoencoder of arrays;
"pca" does the same with principal components. Both autoencoders take 300 steps. One setting was chosen on spectra of
other seeds: the share of samples that do not count when the number of splines is chosen.
"""
SHARES = (0.0, 0.02, 0.3)
LATENT_DIM = 3
LOW, HIGH = 400.0, 900.0
EVERYWHERE = np.linspace(LOW, HIGH, 200)
GRID = np.linspace(LOW, HIGH, 101)


def runs(quick: bool) -> list[Run]:
    """Return the runs of this case."""
    count, shares = (1, SHARES[-1:]) if quick else (3, SHARES)
    return [
        run
        for share in shares
        for method in (OURS, "interpolated", "pca")
        for run in seeds(count, method, partial=share)
    ]


def measure(run: Run, quick: bool) -> dict[str, Any]:
    """Measure one run."""
    rng = np.random.default_rng(TRAIN + run.seed)
    known = [spectrum(rng, rng.random() < run.get("partial"))[0] for _ in range(200 if quick else 800)]
    reconstruct = fitted(run, known, 20 if quick else 300)
    figures: dict[str, Any] = {}
    for name, partial, count in (("complete", False, None), ("partial", True, None), ("of 8 values", False, 8)):
        others = np.random.default_rng(TEST + run.seed)
        pairs = [spectrum(others, partial, count) for _ in range(20 if quick else 200)]
        exact = np.stack([truth for _, truth in pairs])
        found = np.stack([reconstruct(measured) for measured, _ in pairs])
        figures[name] = float(np.square(found - exact).mean() / exact.var())
    return figures


def spectrum(rng: np.random.Generator, partial: bool, count: int | None = None) -> tuple[xr.DataArray, np.ndarray]:
    """Return a measured spectrum, and the exact one at all wavelengths of `EVERYWHERE`.

    It is measured at `count` wavelengths, or at 30 to 80 of them.
    """
    low, high = LOW, HIGH
    if partial:
        low, high = (LOW, rng.uniform(700, 800)) if rng.random() < 0.5 else (rng.uniform(500, 600), HIGH)
    at = np.sort(rng.uniform(low, high, rng.integers(30, 80) if count is None else count))
    place, depth, slope = rng.uniform(550, 750), rng.uniform(0.2, 0.8), rng.uniform(-0.5, 0.5)

    def exact(wavelength: np.ndarray) -> np.ndarray:
        return 1 + slope * (wavelength - 650) / 250 - depth * np.exp(-(((wavelength - place) / 35) ** 2))

    coords = {"wavelength": ("wavelength", at, {"valid_range": (LOW, HIGH)})}
    return xr.DataArray(exact(at) + 0.01 * rng.standard_normal(len(at)), coords), exact(EVERYWHERE)


def fitted(run: Run, known: list[xr.DataArray], steps: int) -> Callable[[xr.DataArray], np.ndarray]:
    """Return a function from a measured spectrum to its reconstruction at all of `EVERYWHERE`."""
    settings: dict[str, Any] = {"seed": run.seed, "device": "cpu", "verbose": False}
    if run.method == OURS:
        config = rom.FitConfig(space=rom.Coordinate(), steps=steps)
        ours = rom.fit_autoencoder(known, LATENT_DIM, config=config, **settings)
        return lambda measured: ours.reconstruct(measured, at={"wavelength": EVERYWHERE}).values
    grids = np.stack([on_grid(one) for one in known])
    if run.method == "pca":
        model: Any = pca.fit(grids, LATENT_DIM)
    else:
        model = rom.fit_autoencoder(grids, LATENT_DIM, config=rom.FitConfig(steps=steps), **settings)
    return lambda measured: np.interp(EVERYWHERE, GRID, model.reconstruct(on_grid(measured)[None])[0])


def on_grid(measured: xr.DataArray) -> np.ndarray:
    """Interpolate a measured spectrum to the wavelengths of `GRID`."""
    return np.interp(GRID, measured["wavelength"].values, measured.values)


def report(records: tables.Records) -> str:
    """Return the tables of this case."""
    return tables.table(records, {
        "complete": "error, complete spectra", "partial": "partial ones", "of 8 values": "complete ones, of 8 values",
    })  # fmt: skip
