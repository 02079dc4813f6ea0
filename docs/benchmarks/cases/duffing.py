"""Lifted Duffing, course variant: plain arrays, trajectories on one side, collocation points on the other."""

import time

import numpy as np

import rom
import systems

TITLE = "Lifted Duffing, course variant, given as plain arrays"
NOTE = """
x = A z^3 with 128 components. 600 trajectories x 11 times on [0, 1] from z1 in [-1.5, 0.5], z2 in [-1, 1]; 10,000 points
with z1 in [0.5, 1.5]; d = 2; 120 s. Test: 100 trajectories from z1 in [-1.5, 1.5] x 21 times, on [0, 1] and on [0, 2].
Best public value known to us: 0.0505 after 2,116 s. MSE is the mean over components, times and trajectories.
"""
SEEDS = 3


def run(seed: int, quick: bool) -> dict[str, float]:
    duffing = systems.LiftedDuffing()
    rng = np.random.default_rng([seed, 11])

    def states(n: int, low: float, high: float) -> np.ndarray:
        return duffing.decode(np.column_stack([rng.uniform(low, high, n), rng.uniform(-1.0, 1.0, n)]))

    train = systems.simulate(duffing, t=np.linspace(0, 1, 11), initial=states(600, -1.5, 0.5))
    points = states(10_000, 0.5, 1.5)
    started = time.perf_counter()
    model = rom.fit(
        None,
        trajectories=(train["time"].values, train["state"].values),
        collocation=(points, duffing.rhs(points)),
        latent_dim=2,
        seed=seed,
        max_seconds=10 if quick else 120,
    )
    seconds = time.perf_counter() - started
    initial = states(100, -1.5, 1.5)
    figures = {"fit seconds": seconds}
    for horizon in (1, 2):
        test = systems.simulate(duffing, t=np.linspace(0, horizon, 21), initial=initial)
        errors = rom.evaluate(model, test)
        for kind in ("fitted", "closed_form"):
            figures[f"test MSE on [0, {horizon}], {kind}"] = float(errors["cumulative_mse"].sel(rom=kind)[-1])
        figures[f"test MSE on [0, {horizon}], fitted, median trajectory"] = float(
            (errors["trajectory_mse"].sel(rom="fitted")).median()
        )
        z = duffing.encode(test["state"].values)
        leaves = (np.abs(z[..., 0]).max(axis=1) > 1.5) | (np.abs(z[..., 1]).max(axis=1) > 1.0)
        inside = errors["trajectory_mse"].sel(rom="fitted").values[~leaves]
        figures[f"test MSE on [0, {horizon}], fitted, trajectories that stay in the sampled box"] = float(inside.mean())
        figures[f"share of trajectories that leave the sampled box by t = {horizon}"] = float(leaves.mean())
        figures[f"variance of the test states on [0, {horizon}]"] = float(test["state"].var())
    return figures
