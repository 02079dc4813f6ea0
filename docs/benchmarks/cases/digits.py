"""Autoencoders of handwritten digits: errors, denoising, anomalies, samples, interpolations."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import roc_auc_score

import report as tables
import rom
from methods import pca, plain_autoencoder
from plots import save
from problems import TEST
from problems.digits import Digits, certainties, flat, nearest, split
from runs import OURS, Run, seeds
from thinning import thinned

TITLE = "Handwritten digits, 8 x 8"
NOTE = """
There are 1,297 training images and 500 test images, always the same. The test images are used for nothing else. Seeds
differ in the training. Kinds of `rom.fit_autoencoder` are compared with "pca" and "plain autoencoder" (tanh networks of
the same widths, random start, Adam).

- error: mean square error of reconstructed test images, in shares of their variance.
- gain: test images get Gaussian noise of a quarter of the grey levels; the gain is by how much reconstruction lowers
  the mean square error, in dB.
- mean of abs(z): over latent coordinates and test images, divided by their root mean square. It is 1 if all have the
  same size, smaller if few differ from zero, and 0.80 for a normal distribution.
- neighbour: the median distance of new images to the nearest test image, over that of test images to the nearest other
  one; a value below 1 means images smoother than data. recognised: the share of images to which a logistic regression
  on the training images gives one digit with a probability of at least 0.9 (of the test images: 0.87). kinds: exp of
  the entropy of the digits among these, at most 10. New images of a variational autoencoder come from `sample`; of the
  others from a normal distribution with the mean and the covariance of the latent coordinates of the training images.
  way: the same for interpolations, seven between each of 200 pairs of test images of different digits.
- novelty: one digit is left out of the training and detected among the test images by `anomaly_score`. The table has
  the area under the curve, and the shares of the others ("false alarms") and of that digit ("found") that exceed the
  thresholds for false-alarm rates of 1 % and 5 %. Figures are medians over the digits 0, 1, 4, 7 and 8.

Weights (but that of `sparse_kl`, which was not tuned), steps and the learning rate were chosen on 900 and 397 of the
1,297 images. There the default rate, 2e-2, never got below the start in closed form with d = 16. "mlp by adam": 2,000
steps of Adam at 1e-3 and a first layer of a single scale, as the plain autoencoder has them; all other kinds take 300
steps of the default optimiser.
"""
GREY_LEVELS = 16.0
NOISE = 0.25 * GREY_LEVELS
LEFT_OUT = (0, 1, 4, 7, 8)
PAIRS = 200
STEPS = 300
PLAIN_STEPS = 2000
RATE = 5e-3
ADAM = {"optimizer": "adam", "learning_rate": 1e-3, "multiscale": False}
DRAWN_IMAGES = {  # those of each kind that the plot shows
    "mlp": ("given", "reconstructed", "new", "between"),
    "denoising alone": ("noisy", "denoised"),
    "pca": ("denoised",),
    "variational": ("new", "between"),
}
DRAWN_PLANES = {  # the kinds that the plot shows, and their titles
    "pca": "PCA", "plain_autoencoder": "plain autoencoder", "mlp": "mlp", "mlp by adam": "mlp by adam",
    "denoising alone": "denoising alone", "variational": "variational",
}  # fmt: skip
MORE = {  # the kinds, their weights and settings; all else as it is by default
    "mlp": {},
    "mlp by adam": {},
    "convolutional": {},
    "sparse": {"sparse": 0.1},
    "sparse_kl": {"sparse_kl": 0.1},
    "denoising": {"denoising": 1.0},
    "denoising alone": {"denoising": 1.0, "reconstruction": 0.0},
    "contractive": {"contractive": 0.1},
    "variational": {"variational": 0.2},
    "strongly variational": {"variational": 0.5},
}


def runs(quick: bool) -> list[Run]:
    """Return the runs of this case."""
    count = 1 if quick else 3
    sizes = (16,) if quick else (2, 16)
    result = []
    for d in sizes:
        result += [*seeds(1, "pca", d=d), *seeds(count, "plain_autoencoder", d=d)]
        for kind in MORE:
            result += seeds(count, kind=kind, d=d)
    result += [run for kind in ("sparse", "sparse_kl") for run in seeds(count, kind=kind, d=100)]
    result += seeds(1, "pca", novelty=True, d=16)
    for kind in ("mlp", "convolutional", "denoising alone", "variational"):
        result += seeds(count, novelty=True, kind=kind, d=16)
    return result


def measure(run: Run, quick: bool) -> dict[str, Any]:
    """Measure one run."""
    return measured(run, quick, *split())


def measured(run: Run, quick: bool, train: Digits, test: Digits) -> dict[str, Any]:
    """Measure one run on given training and test images."""
    if run.get("novelty"):
        return novelty(run, quick, train, test)
    started = time.perf_counter()
    model = fitted(run, train.images, quick)
    figures: dict[str, Any] = {"fit seconds": time.perf_counter() - started}
    figures["error"] = relative(model.reconstruct(test.images), test.images)
    noisy = test.images + NOISE * np.random.default_rng([TEST + run.seed, 31]).standard_normal(test.images.shape)
    figures["signal to noise of the noisy ones, dB"] = decibels(test.images.var(axis=0).mean() / NOISE**2)
    lost = np.square(model.reconstruct(noisy) - test.images).mean()
    figures["gain, dB"] = decibels(np.square(noisy - test.images).mean() / lost)
    latent = model.encode(test.images)
    figures["mean of |z| by its root mean square"] = float(np.abs(latent).mean() / np.sqrt(np.square(latent).mean()))
    new, between = generated(model, train, test, run.seed)
    figures |= quality(new, test, "") | quality(between, test, ", way")
    kind = run.get("kind", run.method)
    if run.seed == 0 and run.get("d") == 16 and kind in DRAWN_IMAGES:
        images = {
            "given": test.images[:8], "noisy": noisy[:8], "reconstructed": model.reconstruct(test.images[:8]),
            "denoised": model.reconstruct(noisy[:8]), "new": new[:8], "between": between[:7],
        }  # fmt: skip
        figures["images"] = {name: np.round(flat(images[name])) for name in DRAWN_IMAGES[kind]}
    if run.seed == 0 and run.get("d") == 2 and kind in DRAWN_PLANES:
        figures["scatter"] = {"latent": thinned(latent, 250), "labels": thinned(test.labels, 250)}
    return figures


def fitted(run: Run, images: np.ndarray, quick: bool) -> Any:
    """Fit the autoencoder of a run to images."""
    d = run.get("d")
    if run.method == "pca":
        return pca.fit(images, d)
    kind = run.get("kind", "mlp")
    steps = 30 if quick else STEPS
    if run.method == "plain_autoencoder":
        return plain_autoencoder.fit(images, d, run.seed, steps if quick else PLAIN_STEPS)
    spread = np.sqrt(images.var(axis=0).mean())
    config = rom.FitConfig(
        steps=steps,
        learning_rate=RATE,
        network=rom.Convolutional(channels=(16, 32)) if kind == "convolutional" else None,
        noise=NOISE / spread,
    )
    if kind == "mlp by adam":
        config = replace(config, **ADAM, steps=steps if quick else PLAIN_STEPS)
    weights = rom.LossWeights(**MORE[kind])
    return rom.fit_autoencoder(
        images, d, weights=weights, config=config, seed=run.seed, device="cpu", verbose=False
    )  # fmt: skip


def generated(model: Any, train: Digits, test: Digits, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Generate 500 new images, and interpolations between test images of different digits."""
    rng = np.random.default_rng([TEST + seed, 32])
    if getattr(model, "is_variational", False):
        new = model.sample(len(test.images), seed=seed).values
    else:
        known = model.encode(train.images)
        new = model.decode(rng.multivariate_normal(known.mean(axis=0), np.cov(known.T), len(test.images)))
    pairs = np.random.default_rng([TEST + seed, 33]).integers(
        len(test.images), size=(10 * PAIRS, 2)
    )  # the same for all
    pairs = pairs[test.labels[pairs[:, 0]] != test.labels[pairs[:, 1]]][:PAIRS]
    ends = [model.encode(test.images[column]) for column in pairs.T]
    share = np.linspace(0.0, 1.0, 9)[1:-1, None]
    between = model.decode(np.concatenate([(1 - share) * a + share * b for a, b in zip(*ends, strict=True)]))
    return new.reshape(-1, 8, 8), between.reshape(-1, 8, 8)


def quality(images: np.ndarray, test: Digits, which: str) -> dict[str, float]:
    """Return how close images are to test images, and how many of them a classifier recognises."""
    probability = certainties(images)
    sure = probability.max(axis=1) >= 0.9
    share = np.bincount(probability.argmax(axis=1)[sure], minlength=10) / max(1, sure.sum())
    real = np.median(nearest(test.images, test.images, same=True))
    return {
        f"neighbour{which}": float(np.median(nearest(images, test.images)) / real),
        f"recognised{which}": float(sure.mean()),
        f"kinds{which}": float(np.exp(-(share[share > 0] * np.log(share[share > 0])).sum())),
    }


def novelty(run: Run, quick: bool, train: Digits, test: Digits) -> dict[str, Any]:
    """Leave one digit after the other out of the training and measure how well it is detected."""
    rows = []
    for label in LEFT_OUT[: 1 if quick else None]:
        model = fitted(run, train.without(label).images, quick)
        known, strange = (model.anomaly_score(d.images) for d in (test.without(label), test.only(label)))
        truth = np.repeat([0, 1], [len(known), len(strange)])
        row = {"area under the curve": float(roc_auc_score(truth, np.concatenate([known, strange])))}
        if run.method == OURS:
            for rate in (0.01, 0.05):
                threshold = model.anomaly_threshold(rate)
                row[f"false alarms at {rate:.0%}"] = float((known > threshold).mean())
                row[f"found at {rate:.0%}"] = float((strange > threshold).mean())
        rows.append(row)
    figures = {name: float(np.median([row[name] for row in rows])) for name in rows[0]}
    return figures | {"each": {name: [row[name] for row in rows] for name in rows[0]}}


def relative(approximation: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean square error in shares of the variance."""
    return float(np.square(approximation - truth).mean() / truth.var(axis=0).mean())


def decibels(ratio: float) -> float:
    """Return a ratio in decibels."""
    return float(10.0 * np.log10(ratio))


def report(records: Mapping[Run, Mapping[str, Any]]) -> str:
    """Return the tables of this case."""
    reconstruction = {
        "error": "error",
        "gain, dB": "gain, dB",
        "mean of |z| by its root mean square": "mean of abs(z) by its root mean square",
        "fit seconds": "fit, s",
    }
    new = {
        f"{name}{which}": f"{name}{which}" for which in ("", ", way") for name in ("neighbour", "recognised", "kinds")
    }
    found = (
        "area under the curve",
        *(f"{what} at {rate}" for rate in ("1%", "5%") for what in ("false alarms", "found")),
    )
    plain: Callable[[Run], bool] = lambda run: not run.get("novelty")  # noqa: E731
    return "\n\n".join(
        [
            tables.table(records, reconstruction, where=plain),
            tables.table(records, {k: v for k, v in new.items() if k != "kinds, way"}, where=plain),
            tables.table(records, {name: name for name in found}, where=lambda run: bool(run.get("novelty"))),
        ]
    )


def plots(records: Mapping[Run, Mapping[str, Any]], folder: Path) -> None:
    """Draw the plots of this case."""
    draw_images(records, folder / "digits.png")
    draw_planes(records, folder / "digits-latent.png")


def draw_planes(records: Mapping[Run, Mapping[str, Any]], path: Path) -> None:
    """Draw the latent states of test images for d = 2."""
    shown = {
        run.get("kind", run.method): f["scatter"] for run, f in records.items() if run.seed == 0 and "scatter" in f
    }
    if not set(DRAWN_PLANES) <= set(shown):
        return
    figure = Figure(figsize=(10.5, 6.6), layout="constrained")
    panels = figure.subplots(2, 3)
    for axes, (kind, name) in zip(panels.flat, DRAWN_PLANES.items(), strict=True):
        points = axes.scatter(
            *np.transpose(shown[kind]["latent"]), c=shown[kind]["labels"], cmap="tab10", vmin=-0.5, vmax=9.5, s=12
        )
        axes.set(title=name, xlabel="$z_0$", ylabel="$z_1$")
    figure.colorbar(points, ax=panels, label="digit", ticks=range(10), pad=0.01)
    save(figure, path)


def draw_images(records: Mapping[Run, Mapping[str, Any]], path: Path) -> None:
    """Draw images for d = 16."""
    shown = {}
    for run, figures in records.items():
        if run.get("d") == 16 and run.seed == 0 and "images" in figures:
            shown[run.get("kind", run.method)] = figures["images"]
    if not set(DRAWN_IMAGES) <= set(shown):
        return
    rows = [
        ("given", shown["mlp"]["given"]), ("mlp", shown["mlp"]["reconstructed"]),
        ("with noise", shown["denoising alone"]["noisy"]),
        ("denoising", shown["denoising alone"]["denoised"]), ("PCA", shown["pca"]["denoised"]),
        ("new, variational", shown["variational"]["new"]),
        ("new, mlp", shown["mlp"]["new"]), ("way, variational", shown["variational"]["between"]),
        ("way, mlp", shown["mlp"]["between"]),
    ]  # fmt: skip
    figure = Figure(figsize=(6.4, 7.2), layout="constrained")
    for line, (name, images) in zip(figure.subplots(len(rows), 8), rows, strict=True):
        for axes in line:
            axes.axis("off")
        for axes, image in zip(line, images, strict=False):
            axes.imshow(np.reshape(image, (8, 8)), cmap="gray_r", vmin=0, vmax=GREY_LEVELS)
        line[0].text(-0.3, 0.5, name, transform=line[0].transAxes, ha="right", va="center")
    save(figure, path)
