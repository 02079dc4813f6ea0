"""Burgers, harmonic initial states, d = 16: against POD + operator inference with the same dimension and data."""

import time

import numpy as np

import rom
import systems
from cases.operator_inference import fit_operator_inference

TITLE = "Burgers, harmonic initial states, d = 16"
NOTE = """
nu = 0.01, 128 points, 256 trajectories x 20 snapshots of 0.1 and 16,384 collocation points, 180 s. Test: 64 other
trajectories over 200 snapshots, ten times the training horizon. "closed_form" is POD + operator inference + quadratic
manifold, the start of our own fit; "POD + operator inference" is written apart from the package, with a linear decoder,
the same number of data, the same d, f at all snapshots, and its ridge chosen by rollouts on held-out trajectories. "POD
projection" is the error of the best linear decoder of the training data, given the true state at every time: no linear
16-dimensional model can be below it by much.
"""
SEEDS = 3


def run(seed: int, quick: bool) -> dict[str, float]:
    burgers = systems.Burgers(n=128, viscosity=0.01)
    runs = systems.simulate(burgers, 32 if quick else 256, np.arange(20) * 0.1, seed=6000 + seed)
    n_points = 2048 if quick else 16_384
    started = time.perf_counter()
    model = rom.fit(
        burgers,
        n_points,
        trajectories=runs,
        latent_dim=16,
        seed=seed,
        max_seconds=15 if quick else 180,
    )
    figures = {"fit seconds": time.perf_counter() - started}
    test = systems.simulate(burgers, 8 if quick else 64, np.arange(200) * 0.1, seed=7000 + seed)
    errors = rom.evaluate(model, test)["cumulative_mse"]
    pairs = systems.collocate(burgers, n_points, seed=seed)
    linear = cumulative(fit_operator_inference(burgers, runs, pairs, 16)(test) - test["state"].values)
    projected = cumulative(pod_projection(runs, 16, test) - test["state"].values)
    for snapshots in (20, 40, 200):
        at = f"MSE over {snapshots} snapshots"
        for kind in ("fitted", "closed_form"):
            figures[f"{at}, {kind}"] = float(errors.sel(rom=kind)[snapshots - 1])
        figures[f"{at}, POD + operator inference"] = float(linear[snapshots - 1])
        figures[f"{at}, POD projection"] = float(projected[snapshots - 1])
        figures[f"{at}, closed_form / fitted"] = figures[f"{at}, closed_form"] / figures[f"{at}, fitted"]
    figures["variance of the test states over 20 snapshots"] = float(test["state"][:, :20].var())
    return figures


def cumulative(error: np.ndarray) -> np.ndarray:
    by_time = (error**2).mean(axis=(0, 2))
    return np.cumsum(by_time) / np.arange(1, len(by_time) + 1)


def pod_projection(runs, d: int, test) -> np.ndarray:
    snapshots = runs["state"].values.reshape(-1, runs.sizes["x"])
    mean = snapshots.mean(axis=0)
    basis = np.linalg.svd(snapshots - mean, full_matrices=False)[2][:d]
    return mean + (test["state"].values - mean) @ basis.T @ basis
