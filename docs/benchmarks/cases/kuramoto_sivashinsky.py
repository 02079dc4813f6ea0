"""Kuramoto-Sivashinsky with d = 8: valid prediction time and long-time statistics."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import rom
import systems
from cases.lorenz import valid_times
from plots import save
from problems import TEST
from runs import Run, seeds
from thinning import thinned

TITLE = "Kuramoto-Sivashinsky, length 22, 64 points, d = 8"
NOTE = """
64 trajectories of 50 time units on the attractor, 201 times each, and 16,384 collocation points near them; neither is
part of the time of the fit. Valid prediction time: until the relative error of the states first exceeds 0.4, median of
32 forecasts from new states, in Lyapunov times (22 time units). Statistics over 16 forecasts of 1,000 time units, the
first 100 left out: the joint density of u_x and u_xx in 40 x 40 boxes, with half of the sum of absolute differences as
distance (0: equal, 1: disjoint); the energy spectrum by the largest ratio to the FOM's, either way, over the waves with
more than a thousandth of the largest energy. "FOM": the same figures for the FOM from other initial states, which shows
how much such samples differ by chance.
"""
LYAPUNOV_TIME = LENGTH = 22.0
BOXES = np.linspace(-1.0, 1.0, 41)
SIZES = (6.0, 9.0)  # of u_x and u_xx, which the boxes reach to
RELEVANT = 1e-3  # of the largest energy of a wave


def runs(quick: bool) -> list[Run]:
    """Return the runs of this case."""
    return seeds(1, seconds=10) if quick else seeds(3, seconds=300)


def measure(run: Run, quick: bool) -> dict[str, Any]:
    """Measure one run."""
    system = systems.KuramotoSivashinsky()
    train = simulated(system, 8 if quick else 64, np.linspace(0.0, 50.0, 201), run.seed)
    pairs = systems.collocate(system, 1024 if quick else 16_384, near=train, seed=run.seed)
    model = rom.fit(
        system, trajectories=train, collocation=pairs, latent_dim=8, seed=run.seed, max_seconds=run.get("seconds"),
        verbose=False,
    )  # fmt: skip
    soon = np.arange(0.0, 20.0 if quick else 110.0, 0.25)
    truth = simulated(system, 4 if quick else 32, soon, TEST + run.seed)["state"].values
    late = np.arange(0.0, 200.0 if quick else 1000.0, 0.5)
    settled = late >= 100.0
    n = 4 if quick else 16
    fom, other = (
        simulated(system, n, late, seed)["state"].values[:, settled]
        for seed in (TEST + 100 + run.seed, TEST + 200 + run.seed)
    )
    initial = system.sample_initial(n, seed=TEST + 100 + run.seed)
    figures: dict[str, Any] = compared(other, fom, "FOM")
    for name, one in (("fitted", model), ("closed form", rom.closed_form_of(model))):
        forecast = one.forecast(truth[:, 0], soon)["state"].values
        figures[f"valid prediction time, Lyapunov times, {name}"] = float(
            np.median(valid_times(forecast, truth, soon)) / LYAPUNOV_TIME
        )
        figures |= compared(one.forecast(initial, late)["state"].values[:, settled], fom, name)
    if run.seed == 0:
        long = model.forecast(initial, late)["state"].values[:, settled]
        one = model.forecast(truth[0, 0], soon)["state"].values
        figures["curves"] = {
            "times": thinned(soon, 110), "FOM": thinned(truth[0, :, ::2], 110), "fitted": thinned(one[:, ::2], 110),
            "density, FOM": np.round(density(fom), 5), "density, fitted": np.round(density(long), 5),
            "spectrum, FOM": spectrum(fom), "spectrum, fitted": spectrum(long),
        }  # fmt: skip
    return figures


def simulated(system: systems.System, n: int, times: np.ndarray, seed: int) -> Any:
    """Simulate trajectories on the attractor."""
    return systems.simulate(system, n, times, seed=seed, rtol=1e-7, atol=1e-8)


def compared(states: np.ndarray, fom: np.ndarray, name: str) -> dict[str, Any]:
    """Return distances between long-time statistics of `states` (trajectory, time, x) and of the FOM."""
    if not np.isfinite(states).all():
        return {f"distance of the joint densities, {name}": 1.0, f"largest ratio of the spectra, {name}": np.inf}
    ours, theirs = spectrum(states), spectrum(fom)
    relevant = theirs > RELEVANT * theirs.max()
    ratio = ours[relevant] / theirs[relevant]
    return {
        f"distance of the joint densities, {name}": float(0.5 * np.abs(density(states) - density(fom)).sum()),
        f"largest ratio of the spectra, {name}": float(np.maximum(ratio, 1 / ratio).max()),
    }


def density(states: np.ndarray) -> np.ndarray:
    """Return shares of (u_x, u_xx) in boxes; values beyond the outermost boxes count in these."""
    wavenumber = 2j * np.pi / LENGTH * np.arange(states.shape[-1] // 2 + 1)
    slopes = [np.fft.irfft(wavenumber**k * np.fft.rfft(states), states.shape[-1]) for k in (1, 2)]
    scaled = [np.clip(slope / size, -0.999, 0.999).ravel() for slope, size in zip(slopes, SIZES, strict=True)]
    counts, _, _ = np.histogram2d(*scaled, bins=(BOXES, BOXES))
    return counts / counts.sum()


def spectrum(states: np.ndarray) -> np.ndarray:
    """Return the mean energy of each wave."""
    return (np.abs(np.fft.rfft(states) / states.shape[-1]) ** 2).mean(axis=(0, 1))[1:]


def plots(records: Mapping[Run, Mapping[str, Any]], folder: Path) -> None:
    """Draw one forecast beside the truth, and statistics of long forecasts, for the first seed."""
    curves = next((figures["curves"] for figures in records.values() if "curves" in figures), None)
    if curves is None:
        return
    figure = Figure(figsize=(9.0, 6.0), layout="constrained")
    above, below = figure.subplots(2, 3)
    states = {name: np.array(curves[name]) for name in ("FOM", "fitted")}
    states["fitted - FOM"] = states["fitted"] - states["FOM"]
    times = np.array(curves["times"]) / LYAPUNOV_TIME
    for axes, (name, values) in zip(above, states.items(), strict=True):
        image = axes.imshow(
            values.T,
            extent=(times[0], times[-1], 0, LENGTH),
            aspect="auto",
            cmap="RdBu_r",
            vmin=-3,
            vmax=3,
            origin="lower",
        )
        axes.set(title=name, xlabel="Lyapunov times", ylabel="x")
    figure.colorbar(image, ax=above[-1])
    extent = (-SIZES[0], SIZES[0], -SIZES[1], SIZES[1])
    for axes, name in zip(below, ("FOM", "fitted"), strict=False):
        logarithm = np.log10(np.array(curves[f"density, {name}"]).T + 1e-6)
        axes.imshow(logarithm, extent=extent, aspect="auto", origin="lower", vmin=-6, vmax=-1.5)
        axes.set(title=f"log10 of the density, {name}", xlabel="u_x", ylabel="u_xx")
    for name, style in (("FOM", "k-"), ("fitted", "C1o")):
        below[2].semilogy(
            np.arange(1, len(curves[f"spectrum, {name}"]) + 1), curves[f"spectrum, {name}"], style, label=name
        )
    below[2].set(title="energy spectrum", xlabel="wave", xlim=(0, 20), ylim=(1e-12, None))
    below[2].legend()
    save(figure, folder / "kuramoto_sivashinsky.png")
