"""Fits to physics alone, to data alone, and to both."""

import numpy as np

import rom
import systems
from runs import Run, seeds

TITLE = "Physics only, data only, both"
NOTE = """
Burgers, 128 points, d = 16, 20 s each: 64 trajectories of 20 snapshots (data), 8,192 collocation points (physics), or
both. Test: 64 other trajectories over 200 snapshots.
"""


def runs(quick: bool) -> list[Run]:
    """Return the runs of this case."""
    return seeds(1 if quick else 3)


def measure(run: Run, quick: bool) -> dict[str, float]:
    """Measure one run."""
    burgers = systems.Burgers(n=128, viscosity=0.01)
    train = systems.simulate(burgers, 64, np.arange(20) * 0.1, seed=6000 + run.seed)
    test = systems.simulate(burgers, 8 if quick else 64, np.arange(200) * 0.1, seed=7000 + run.seed)
    supplies = {
        "physics only": {"n_collocation": 8192, "n_trajectories": 0},
        "data only": {"n_collocation": 0, "trajectories": train},
        "both": {"n_collocation": 8192, "trajectories": train},
    }
    figures = {}
    for name, supply in supplies.items():
        model = rom.fit(burgers, **supply, latent_dim=16, seed=run.seed, max_seconds=8 if quick else 20)
        errors = rom.evaluate(model, test)["cumulative_mse"]
        for snapshots in (20, 200):
            for kind in ("fitted", "closed_form"):
                figures[f"MSE over {snapshots} snapshots, {name}, {kind}"] = float(errors.sel(rom=kind)[snapshots - 1])
    return figures
