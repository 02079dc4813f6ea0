"""Fit of a right-hand side that torch cannot differentiate, compared with the same built-in system."""

import numpy as np

import rom
import systems
from runs import Run, seeds

TITLE = "A black box against its built-in twin"
NOTE = """
Burgers, 64 points, d = 8; the black box is a NumPy function that takes one state at a time. The same collocation
states, trajectories and number of steps (300), so the errors must agree to rounding.
"""


def runs(quick: bool) -> list[Run]:
    """Return the runs of this case."""
    return seeds(1 if quick else 3)


def measure(run: Run, quick: bool) -> dict[str, float]:
    """Measure one run."""
    twin = systems.Burgers(n=64, viscosity=0.02)

    def f(x):
        k = np.fft.rfftfreq(64, 1 / 64)
        modes = np.fft.rfft(x)
        resolved = k < 64 / 3
        square = np.fft.irfft(modes * resolved, 64) ** 2
        return np.fft.irfft(-0.5j * k * resolved * np.fft.rfft(square) - 0.02 * k**2 * modes, 64)

    box = systems.from_rhs(f, 64, dims=("x",), sampler=twin.sampler)
    train = systems.simulate(twin, 32, seed=6000 + run.seed)
    test = systems.simulate(twin, 32, seed=7000 + run.seed)
    config = rom.FitConfig(evaluate_system=False, steps=30 if quick else 300)
    figures = {}
    for name, system in (("built-in", twin), ("black box", box)):
        model = rom.fit(system, 2048, trajectories=train, latent_dim=8, seed=run.seed, config=config)
        errors = rom.evaluate(model, test)
        figures[f"test MSE, {name}"] = float(errors["cumulative_mse"].sel(rom="fitted")[-1])
    figures["black box / built-in"] = figures["test MSE, black box"] / figures["test MSE, built-in"]
    return figures
