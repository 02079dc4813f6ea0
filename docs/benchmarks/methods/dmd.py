"""Dynamic mode decomposition by PyDMD, on pairs of successive snapshots of the same trajectory."""

from __future__ import annotations

import numpy as np

from methods import Forecaster
from problems import Problem


def fit(problem: Problem, latent_dim: int, seconds: float, seed: int) -> Forecaster:  # noqa: ARG001 - closed form
    """Fit DMD modes and growth rates to the training trajectories."""
    from pydmd import DMD  # a peer that only this module needs

    n = problem.trajectories.shape[-1]
    steps = np.diff(problem.times)
    if not np.allclose(steps, steps[0]):
        raise ValueError("DMD needs snapshots at equal steps")
    before, after = (problem.trajectories[:, part].reshape(-1, n).T for part in (slice(None, -1), slice(1, None)))
    model = DMD(svd_rank=latent_dim)
    model.fit(before, after)
    modes = model.modes
    rates = np.log(model.eigs.astype(complex)) / steps[0]  # so that tests may have other steps

    def forecast(initial: np.ndarray, times: np.ndarray) -> np.ndarray:
        amplitudes = np.linalg.lstsq(modes, initial.T.astype(complex), rcond=None)[0]  # (d, N)
        growth = np.exp(rates * (times - times[0])[:, None])  # (T, d)
        return np.einsum("dk,td,nd->ktn", amplitudes, growth, modes, optimize=True).real

    return Forecaster(forecast, {"largest growth rate": float(rates.real.max())})
