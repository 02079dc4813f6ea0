"""`rom.fit` on collocation points alone, which are chosen in different ways."""

from __future__ import annotations

import numpy as np
from scipy.integrate import solve_ivp

import rom
import systems
from methods import Forecaster
from methods.ours import FACTS, forecaster

__all__ = ["KINDS", "fit", "values_of_f_per_flow"]

FLOWS_PER_POINT = 0.8 / 4  # of the sampler of Burgers: four in five points lie on a flow, four on each
RTOL = 1e-4  # of the flows that `rom.fit` simulates while it trains
KINDS = ("static", "flow", "fresh flows")


def fit(system: systems.System, kind: str, n_points: int, latent_dim: int, seconds: float, seed: int) -> Forecaster:
    """Fit a model to collocation points of one kind.

    Parameters
    ----------
    system : systems.System
        Burgers' equation.
    kind : str
        "static": initial states. "flow": points of the system's own sampler, most of which lie along flows from initial
        states. "fresh flows": those, and as many again along new flows eight times during the training.
    n_points : int
        Number of collocation points at the start.
    latent_dim, seconds, seed
        As in `rom.fit`.

    Returns
    -------
    Forecaster
        The model; its facts hold "values of f at points" and the number of "flows" that were simulated for them.
    """
    states = systems.InitialStates(system) if kind == "static" else system.sampler
    model = rom.fit(
        system,
        collocation=systems.collocate(system, n_points, sampler=states, seed=seed),
        n_trajectories=0,
        latent_dim=latent_dim,
        seed=seed,
        max_seconds=seconds,
        config=rom.FitConfig(evaluate_system=kind == "fresh flows"),
        verbose=False,
    )
    facts = {name: float(model.history.attrs[name]) for name in FACTS}
    facts["values of f at points"] = n_points + facts["n_fresh_points"]
    facts["flows"] = 0.0 if kind == "static" else FLOWS_PER_POINT * n_points
    facts["flows"] += facts["n_fresh_flows"]
    return Forecaster(forecaster(model), facts)


def values_of_f_per_flow(system: systems.System, seed: int) -> float:
    """Return how many values of f a flow over the default times takes with DOP853, on average."""
    t = system.default_times
    counts = [
        solve_ivp(lambda _t, x: system.rhs(x), t[[0, -1]], x0, method="DOP853", rtol=RTOL, atol=0.1 * RTOL).nfev
        for x0 in system.sample_initial(8, seed).values
    ]
    return float(np.mean(counts))
