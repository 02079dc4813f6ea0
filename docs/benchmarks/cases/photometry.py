"""Autoencoders of stellar magnitudes in five bands: parameters, denoising, and detection of quasars."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsRegressor

import report as tables
import rom
from methods import pca, plain_autoencoder
from plots import save
from problems import TEST, TRAIN
from problems.photometry import NOISE, PARAMETERS, quasars, stars
from runs import OURS, Run, seeds

TITLE = "Five-band photometry with known structure"
NOTE = """
Black bodies with a Balmer jump, lines of metals and dust, measured in five bands (problems/photometry.py), with noise
of 0.02 magnitudes. Two parameters, the temperature (its logarithm) and the reddening by dust, or the metallicity as a
third. Training: 4,000 stars as observed. Tests: 2,000 other stars and 200 quasars.

- error: mean square error of reconstructed observed magnitudes, in shares of their variance.
- gain: by how much reconstruction lowers the mean square difference from the exact magnitudes, in dB. A projection of
  the noise onto two or three of five dimensions would gain 4.0 or 2.2 dB if it lost nothing of the signal.
- quasars: area under the curve of `anomaly_score`; the share of stars beyond the threshold for 1 % of false alarms, and
  of quasars.
- dimension: coordinates in use and effective dimension, by `rom.latent_quality`.
- parameters: rank correlation of each with the latent coordinate that follows it best, and the share of its variance
  that the 15 nearest neighbours among the training stars explain, in the latent space (each coordinate in units of its
  spread); last, in the five bands themselves.

"plain autoencoder": tanh networks of the same widths from a random start, by Adam, 2,000 steps. Steps and the learning
rate were chosen on stars and quasars of other seeds; the weights are what the documentation of `LossWeights` suggests,
and were not tuned.
"""
SIZES = (4000, 2000, 200)
POINTS = 250  # that the plot draws
STEPS = 1000
RATE = 2e-2
MORE = {
    "plain": {},
    "denoising": {"denoising": 1.0},
    "contractive": {"contractive": 0.01},
    "variational": {"variational": 2e-4},
}


def runs(quick: bool) -> list[Run]:
    """Return the runs of this case."""
    count, result = (1 if quick else 3), []
    for n in (2,) if quick else (2, 3):
        result += [run for method in ("pca", "plain_autoencoder") for run in seeds(count, method, parameters=n, d=n)]
        for kind in MORE:
            result += seeds(count, parameters=n, kind=kind, d=n)
        result += seeds(count, parameters=n, kind="variational", d=5)
    return result


def measure(run: Run, quick: bool) -> dict[str, Any]:
    """Measure one run."""
    return measured(run, quick, TRAIN, TEST)


def measured(run: Run, quick: bool, train_seed: int, test_seed: int) -> dict[str, Any]:
    """Measure one run on data with given seeds."""
    n_train, n_test, n_strange = (size // 4 for size in SIZES) if quick else SIZES
    varied = run.get("parameters")
    train, test = stars(n_train, train_seed + run.seed, varied), stars(n_test, test_seed + run.seed, varied)
    strange = quasars(n_strange, test_seed + 100 + run.seed)
    started = time.perf_counter()
    model = fitted(run, train.observed, quick)
    figures: dict[str, Any] = {"fit seconds": time.perf_counter() - started}
    reconstructed = model.reconstruct(test.observed)
    figures["error"] = relative(reconstructed, test.observed)
    figures["gain, dB"] = gain(test.exact, test.observed, reconstructed)
    known, unknown = model.anomaly_score(test.observed), model.anomaly_score(strange)
    figures["area under the curve"] = auc(known, unknown)
    latent = model.encode(train.observed), model.encode(test.observed)
    targets = [parameters[:, :varied].copy() for parameters in (train.parameters, test.parameters)]
    for of in targets:
        of[:, 0] = np.log(of[:, 0])
    figures |= recovered(latent, targets)
    bands = recovered((train.observed, test.observed), targets)
    figures |= {f"{name}, five bands": value for name, value in bands.items() if name.startswith("explained")}
    if run.method == OURS:
        threshold = model.anomaly_threshold(0.01)
        figures |= {
            "threshold": float(threshold), "false alarms": float((known > threshold).mean()),
            "found": float((unknown > threshold).mean()),
        }  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of coordinates without a use: they are counted here
            found = rom.latent_quality(model, test.observed)
        figures |= {
            "coordinates in use": int(found["active"].sum()), "effective dimension": found.attrs["effective_dimension"],
            "trustworthiness": found.attrs["trustworthiness"],
        }  # fmt: skip
        if run.seed == 0 and run.get("d") == 3 and run.get("kind") == "plain":
            figures["curves"] = {
                "latent": latent[1][:POINTS],
                "parameters": targets[1][:POINTS],
                **counted(known, unknown),
            }
    return figures


def counted(known: np.ndarray, unknown: np.ndarray) -> dict[str, np.ndarray]:
    """Return histograms of the anomaly scores of stars and of quasars, and the edges of their boxes."""
    edges = np.geomspace(1e-2, unknown.max(), 50)
    return {"edges": edges, "stars": np.histogram(known, edges)[0], "quasars": np.histogram(unknown, edges)[0]}


def fitted(run: Run, observed: np.ndarray, quick: bool) -> Any:
    """Fit the autoencoder of a run to observed magnitudes."""
    if run.method == "pca":
        return pca.fit(observed, run.get("d"))
    if run.method == "plain_autoencoder":
        return plain_autoencoder.fit(observed, run.get("d"), run.seed, 30 if quick else 2000)
    spread = np.sqrt(observed.var(axis=0).mean())
    config = rom.FitConfig(steps=30 if quick else STEPS, learning_rate=RATE, noise=NOISE / spread)
    weights = rom.LossWeights(**MORE[run.get("kind")])
    return rom.fit_autoencoder(
        observed, run.get("d"), weights=weights, config=config, seed=run.seed, device="cpu", verbose=False
    )  # fmt: skip


def recovered(latent: tuple[np.ndarray, np.ndarray], parameters: list[np.ndarray]) -> dict[str, float]:
    """Return how well the latent coordinates determine each parameter."""
    spread = np.maximum(latent[0].std(axis=0), 1e-12)
    near = KNeighborsRegressor(n_neighbors=15).fit(latent[0] / spread, parameters[0])
    lost = np.square(near.predict(latent[1] / spread) - parameters[1]).mean(axis=0) / parameters[1].var(axis=0)
    figures = {}
    for k, name in enumerate(PARAMETERS[: parameters[0].shape[1]]):
        ranks = [abs(spearmanr(z, parameters[1][:, k]).statistic) for z in latent[1].T if np.ptp(z) > 0]
        figures[f"rank correlation, {name}"] = float(max(ranks))
        figures[f"explained, {name}"] = float(1.0 - lost[k])
    return figures


def gain(exact: np.ndarray, noisy: np.ndarray, cleaned: np.ndarray) -> float:
    """Return by how many decibels cleaning lowers the mean square difference from exact values."""
    return float(10.0 * np.log10(np.square(noisy - exact).mean() / np.square(cleaned - exact).mean()))


def auc(known: np.ndarray, unknown: np.ndarray) -> float:
    """Return the area under the curve of scores that tell `unknown` from `known`."""
    return float(roc_auc_score(np.repeat([0, 1], [len(known), len(unknown)]), np.concatenate([known, unknown])))


def relative(approximation: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean square error in shares of the variance."""
    return float(np.square(approximation - truth).mean() / truth.var(axis=0).mean())


def report(records: Mapping[Run, Mapping[str, Any]]) -> str:
    """Return the tables of this case."""
    first = (
        "error",
        "gain, dB",
        "area under the curve",
        "false alarms",
        "found",
        "coordinates in use",
        "effective dimension",
        "fit seconds",
    )
    second = [f"{what}, {name}" for what in ("rank correlation", "explained") for name in PARAMETERS]
    bands = [f"explained, {name}, five bands" for name in PARAMETERS]
    return "\n\n".join(
        [tables.table(records, {name: name for name in columns}) for columns in (first, second)]
        + [tables.table(records, {name: name for name in bands}, where=lambda run: run.method == "pca")]
    )  # fmt: skip


def plots(records: Mapping[Run, Mapping[str, Any]], folder: Path) -> None:
    """Draw latent coordinates coloured by each parameter, and the scores of stars and quasars."""
    figures = next((figures for figures in records.values() if "curves" in figures), None)
    if figures is None:
        return
    curves = figures["curves"]
    figure = Figure(figsize=(12.0, 3.4), layout="constrained")
    axes = figure.subplots(1, 4)
    latent, parameters = curves["latent"], curves["parameters"]
    for k, name in enumerate(PARAMETERS):
        best = np.argsort([-abs(spearmanr(z, parameters[:, k]).statistic) for z in latent.T])[:2]
        shown = axes[k].scatter(*latent[:, best].T, c=parameters[:, k], s=5)
        axes[k].set(xlabel=f"$z_{best[0]}$", ylabel=f"$z_{best[1]}$", title="log " * (k == 0) + name)
        figure.colorbar(shown, ax=axes[k])
    for name in ("stars", "quasars"):
        axes[3].stairs(curves[name], curves["edges"], fill=True, alpha=0.6, label=name)
    axes[3].axvline(figures["threshold"], color="k", linestyle=":", label="threshold, 1 %")
    axes[3].set(xscale="log", yscale="log", xlabel="anomaly score", ylabel="number", ylim=(0.5, 3e3))
    axes[3].legend(fontsize=8)
    save(figure, folder / "photometry.png")
