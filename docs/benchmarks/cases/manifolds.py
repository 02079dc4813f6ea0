"""Autoencoders of a circle and a Swiss roll: errors, and folds of the latent space."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from sklearn.manifold import trustworthiness

import report as tables
import rom
from methods import isomap_autoencoder, pca, plain_autoencoder
from plots import save
from problems import TEST, TRAIN
from runs import OURS, Run, seeds
from thinning import thinned

TITLE = "Known manifolds: a circle and a Swiss roll"
NOTE = """
2,000 samples to learn from, 2,000 others to test on. "circle": (cos a, sin a), d = 1. "roll": the Swiss roll, angles
from 1.5 pi to 4.5 pi and heights from 0 to 21, d = 2. "lifted roll": the same in 64 dimensions by a random orthonormal
map, with noise of 0.02 in each.

- error: mean square error of reconstructed test samples, in shares of their variance.
- trustworthiness: of ten neighbours in the latent space against those on the sheet itself (arc length and height; on
  the circle, the circle), as Venna & Kaski define it.
- folded: the share of the sheet that the encoder turns over. If it is not zero, the sheet is folded, or cut into pieces
  of which some are turned over. A circle cannot be mapped to a line without a fold; the best map has a short one.

"plain autoencoder": tanh networks of the same widths from a random start, by Adam, as many steps. "isomap autoencoder":
the same, whose first 400 steps train the encoder on Isomap coordinates and the decoder on the way back.

Our training starts from POD and a quadratic manifold, which fold the roll and the circle. It removes the folds by
cutting. Its learning rate (5e-3; 2e-2, the default, and 3e-3 were no better) was chosen on training and test sets of
other seeds. Tried there, too, on the roll, in 75 to 800 steps: `smoothness` 0.01 and 0.003, `contractive` 0.01, a first
layer of a single scale; none was better.

"start isomap": ours with `start="isomap"` and a first layer of a single scale. At most 400 steps towards Isomap
coordinates come in addition. On one other seed, in 500 steps, such a layer left 1e-6 on the roll, one of many scales
1e-4.
"""
SAMPLES = 2000
NOISE = 0.02
COMPONENTS = 64
GRID = 120
STEPS = 2000
PLANES = {"pca": "PCA", "pod": "start in closed form", "isomap": "start isomap"}  # drawn latent planes of the roll
DRAWN = {("circle", "pod"), *(("roll", start) for start in PLANES)}
POINTS = 250  # of each of them


def runs(quick: bool) -> list[Run]:
    """Return the runs of this case."""
    count = 1 if quick else 3
    found = []
    for problem in ("circle", "roll", "lifted roll"):
        found += seeds(count, problem=problem) + seeds(count, problem=problem, start="isomap")
        for method in ("pca", "plain_autoencoder", "isomap_autoencoder"):
            found += seeds(count, method, problem=problem)
    return found


def measure(run: Run, quick: bool) -> dict[str, Any]:
    """Measure one run."""
    problem = run.get("problem")
    d = 1 if problem == "circle" else 2
    sheet = circle if problem == "circle" else roll
    lift = None if problem != "lifted roll" else orthonormal(run.seed)
    size = 400 if quick else SAMPLES
    places, test_places = (drawn(problem, size, first + run.seed) for first in (TRAIN, TEST))
    train, test = (in_space(sheet(p), lift, k + run.seed) for p, k in ((places, TRAIN), (test_places, TEST)))
    started = time.perf_counter()
    model = fitted(run.method, train, d, run.seed, 60 if quick else STEPS, run.get("start", "pod"))
    seconds = time.perf_counter() - started
    z, y = model.encode(test), model.reconstruct(test)
    clean = in_space(sheet(test_places), lift)
    figures: dict[str, Any] = {
        "error": relative(y, test),
        "error against the samples without noise": relative(y, clean),
        "trustworthiness": neighbours_kept(unrolled(problem, test_places), z),
        "folded": folded(lambda p: model.encode(in_space(sheet(p), lift)), problem),
        "fit seconds": seconds,
    }
    if run.method == OURS:
        figures["closed form, on held-out samples"] = model.history.attrs["closed_form_reconstruction_error"]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of folds: they are counted here
            quality = rom.latent_quality(model, test)
        figures["effective dimension"] = quality.attrs["effective_dimension"]
    if run.seed == 0 and drawn_as(run) in DRAWN:
        curve = thinned(np.sort(z, axis=0)) if d == 1 else z[:POINTS]
        figures["curves"] = {
            "data": test[:POINTS], "places": test_places[:POINTS], "latent": z[:POINTS], "manifold": model.decode(curve),
        }  # fmt: skip
    return figures


def drawn_as(run: Run) -> tuple[str, str]:
    """Return the problem of a run, and its method or, for our own, where its training starts."""
    return run.get("problem"), run.get("start", "pod") if run.method == OURS else run.method


def fitted(method: str, train: np.ndarray, d: int, seed: int, steps: int, start: str) -> Any:
    """Fit the autoencoder of a run to samples."""
    if method == "pca":
        return pca.fit(train, d)
    if method == "plain_autoencoder":
        return plain_autoencoder.fit(train, d, seed, steps)
    if method == "isomap_autoencoder":
        return isomap_autoencoder.fit(train, d, seed, steps)
    config = rom.FitConfig(steps=steps, learning_rate=5e-3, multiscale=start == "pod")
    return rom.fit_autoencoder(train, d, config=config, start=start, seed=seed, device="cpu", verbose=False)


def drawn(problem: str, count: int, seed: int) -> np.ndarray:
    """Draw places on the sheet at random: an angle, or an angle and a height."""
    uniform = np.random.default_rng([seed, 21]).random((count, 1 if problem == "circle" else 2))
    return in_ranges(problem, uniform)


def in_ranges(problem: str, uniform: np.ndarray) -> np.ndarray:
    """Map uniform numbers in [0, 1] to places on the sheet."""
    low, high = ([0.0], [2 * np.pi]) if problem == "circle" else ([1.5 * np.pi, 0.0], [4.5 * np.pi, 21.0])
    return np.array(low) + (np.array(high) - np.array(low)) * uniform


def circle(places: np.ndarray) -> np.ndarray:
    """Return the points of the plane at angles (N, 1)."""
    return np.concatenate([np.cos(places), np.sin(places)], axis=1)


def roll(places: np.ndarray) -> np.ndarray:
    """Return the points of the Swiss roll at places (N, 2)."""
    angle, height = places.T
    return np.stack([angle * np.cos(angle), height, angle * np.sin(angle)], axis=1)


def unrolled(problem: str, places: np.ndarray) -> np.ndarray:
    """Return coordinates in which distances are those along the sheet."""
    if problem == "circle":
        return circle(places)
    angle, height = places.T
    return np.stack([0.5 * (angle * np.sqrt(1 + angle**2) + np.arcsinh(angle)), height], axis=1)


def orthonormal(seed: int) -> np.ndarray:
    """Return a random orthonormal map (3, COMPONENTS)."""
    return np.linalg.qr(np.random.default_rng([seed, 22]).standard_normal((COMPONENTS, 3)))[0].T


def in_space(points: np.ndarray, lift: np.ndarray | None, noise_seed: int | None = None) -> np.ndarray:
    """Lift points by a map, and add noise if there is a seed for it."""
    if lift is None:
        return points
    lifted = points @ lift
    if noise_seed is None:
        return lifted
    return lifted + NOISE * np.random.default_rng([noise_seed, 23]).standard_normal(lifted.shape)


def neighbours_kept(true: np.ndarray, z: np.ndarray) -> float:
    """Return the trustworthiness, with each coordinate of both in units of its spread."""
    return float(trustworthiness(true / true.std(axis=0), z / z.std(axis=0), n_neighbors=10))


def relative(approximation: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean square error in shares of the variance."""
    return float(np.square(approximation - truth).mean() / truth.var(axis=0).mean())


def folded(encode: Any, problem: str) -> float:
    """Return the smaller share of the sheet by the sign of the determinant of dz/d(place).

    Derivatives are differences on a grid.
    """
    middle = (np.arange(GRID) + 0.5) / GRID
    axes = (middle,) if problem == "circle" else (middle, middle)
    uniform = np.stack([a.ravel() for a in np.meshgrid(*axes, indexing="ij")], axis=1)
    d, slopes = len(axes), []
    for k in range(d):
        step = 0.5e-3 * np.eye(d)[k]
        slopes.append(encode(in_ranges(problem, uniform + step)) - encode(in_ranges(problem, uniform - step)))
    positive = float((np.linalg.det(np.stack(slopes, axis=1).astype(np.float64)) > 0).mean())
    return min(positive, 1.0 - positive)


def report(records: Mapping[Run, Mapping[str, Any]]) -> str:
    """Return the tables of this case."""
    columns = ("error", "error against the samples without noise", "trustworthiness", "folded", "fit seconds")
    return tables.table(records, {name: name for name in columns})


def plots(records: Mapping[Run, Mapping[str, Any]], folder: Path) -> None:
    """Draw learned manifolds over the data, and latent spaces coloured by the true coordinates."""
    shown = {}
    for run, figures in records.items():
        if run.seed == 0 and "curves" in figures:
            shown[drawn_as(run)] = figures["curves"]
    if not set(shown) >= DRAWN:
        return
    figure = Figure(figsize=(13.0, 7.6), layout="constrained")
    circle_, roll_ = shown["circle", "pod"], shown["roll", "isomap"]
    axes = figure.add_subplot(2, 3, 1)
    axes.scatter(*circle_["data"].T, s=6, color="0.7", label="data")
    axes.plot(*circle_["manifold"].T, color="C1", label="decoded line")
    axes.set(title="circle, d = 1", aspect="equal")
    axes.legend(loc="center")
    axes = figure.add_subplot(2, 3, 2)
    axes.scatter(circle_["places"][:, 0], circle_["latent"][:, 0], s=6)
    axes.set(title="circle, latent coordinate", xlabel="angle", ylabel="$z_0$")
    axes = figure.add_subplot(2, 3, 3, projection="3d")
    axes.scatter(*roll_["data"].T, s=10, c=roll_["places"][:, 0], alpha=0.5)
    axes.scatter(*roll_["manifold"].T, s=2, color="k")
    axes.set_title("Swiss roll, start isomap: decoded states in black")
    axes.view_init(elev=12, azim=-75)
    rows = figure.add_subplot(2, 3, 4), figure.add_subplot(2, 3, 5), figure.add_subplot(2, 3, 6)
    for axes, (start, name) in zip(rows, PLANES.items(), strict=True):
        one = shown["roll", start]
        points = axes.scatter(*one["latent"].T, s=8, c=one["places"][:, 0])
        axes.set(title=f"Swiss roll, latent plane: {name}", xlabel="$z_0$", ylabel="$z_1$")
    figure.colorbar(points, ax=rows, label="angle", pad=0.01)
    save(figure, folder / "manifolds.png")
