"""The linear autoencoder compared with the truncated SVD of the same samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import subspace_angles

import report as tables
import rom
from methods import pca
from problems import TRAIN
from runs import Run, seeds

TITLE = "The linear autoencoder against the truncated SVD"
NOTE = """
`hidden=()` and no quadratic decoder, float64, all POD coordinates. Samples with a random basis and mean; standard
deviations along it fall by 0.8 from one direction to the next ("decaying") or from 1.1 to 0.9 ("flat"). Both see the
same training samples, 8 of 10. Figures: relative difference of the square errors, |ours / SVD - 1|, on the training
samples and on 500 others; largest principal angle between the subspaces that the decoders span; largest difference
between reconstructions, in shares of the spread. The errors should agree to 1e-6. No training steps are taken, because
POD is the optimum of this network. With a flat spectrum the angle may be larger than rounding, because only the gap
between their variances distinguishes directions.
"""
SHAPES = ((2000, 64), (120, 400), (500, 20))  # samples, components: N > n, N < n, few components
LATENT_DIM = 8


def runs(quick: bool) -> list[Run]:
    """Return the runs of this case."""
    return [
        run
        for samples, components in SHAPES[: 1 if quick else None]
        for spectrum in ("decaying", "flat")
        for run in seeds(1 if quick else 3, samples=samples, components=components, spectrum=spectrum)
    ]


def measure(run: Run, quick: bool) -> dict[str, Any]:  # noqa: ARG001
    """Measure one run."""
    n_samples, n = run.get("samples"), run.get("components")
    rng = np.random.default_rng([TRAIN + run.seed, n_samples, n])
    basis, mean = np.linalg.qr(rng.standard_normal((n, n)))[0], 3.0 * rng.standard_normal(n)
    spread = 0.8 ** np.arange(n) if run.get("spectrum") == "decaying" else np.linspace(1.1, 0.9, n)
    data, others = (mean + (rng.standard_normal((count, n)) * spread) @ basis for count in (n_samples, 500))
    config = rom.FitConfig(hidden=(), quadratic_decoder=False, dtype="float64", energy_tolerance=0.0, max_rank=n)
    ours = rom.fit_autoencoder(data, LATENT_DIM, config=config, seed=run.seed, device="cpu", verbose=False)
    seen = data[ours.history["part"].values == 0]
    best = pca.fit(seen, LATENT_DIM)
    columns = ours.decode(np.eye(LATENT_DIM)) - ours.decode(np.zeros((1, LATENT_DIM)))
    figures: dict[str, Any] = {"largest principal angle": float(subspace_angles(columns.T, best.basis).max())}
    for name, x in (("training", seen), ("others", others)):
        mine, theirs = ours.reconstruct(x), best.reconstruct(x)
        ratio = np.square(mine - x).sum() / np.square(theirs - x).sum()
        figures[f"relative difference, {name}"] = float(abs(ratio - 1.0))
        figures[f"reconstructions, {name}"] = float(np.abs(mine - theirs).max() / x.std())
    figures["share of the variance lost"] = float(
        np.square(best.reconstruct(seen) - seen).mean() / seen.var(axis=0).mean()
    )
    return figures


def report(records: tables.Records) -> str:
    """Return the tables of this case."""
    return tables.table(records, {
        "share of the variance lost": "share of the variance lost", "relative difference, training": "difference of the errors",
        "relative difference, others": "the same, other samples", "largest principal angle": "largest principal angle",
        "reconstructions, others": "largest difference of reconstructions, other samples",
    })  # fmt: skip
