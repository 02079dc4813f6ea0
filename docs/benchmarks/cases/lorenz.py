"""Lorenz-63 lifted to 128 states, d = 3: valid prediction time and statistics of the attractor."""

import numpy as np

import rom
import systems
from runs import Run, seeds

TITLE = "Lorenz-63 lifted to 128 states, d = 3"
NOTE = """
64 trajectories of the default length and 16,384 collocation points, 60 s. Valid prediction time: until the relative
error of the states first exceeds 0.4, in Lyapunov times (largest exponent 0.906). Statistics over 16 forecasts of 100
time units, the first 10 left out, against the FOM from the same initial states: of the latent state of the true
encoder.
"""
LYAPUNOV_EXPONENT = 0.906  # of Lorenz-63 at the classical parameters


def runs(quick: bool) -> list[Run]:
    """Return the runs of this case."""
    return seeds(1 if quick else 3)


def measure(run: Run, quick: bool) -> dict[str, float]:
    """Measure one run."""
    system = systems.LiftedLorenz()
    model = rom.fit(system, 16_384, n_trajectories=64, latent_dim=3, seed=run.seed, max_seconds=15 if quick else 60)
    reference = rom.closed_form_of(model)
    initial = system.sample_initial(16, seed=5000 + run.seed)
    times = np.arange(0.0, 10.0 if quick else 100.0, 0.02)
    truth = systems.simulate(system, t=times, initial=initial)
    figures = {}
    settled = times >= (2.0 if quick else 10.0)
    for name, rom_model in (("fitted", model), ("closed_form", reference)):
        forecast = rom_model.forecast(initial, times)["state"].values
        figures[f"valid prediction time, Lyapunov times, {name}"] = float(
            np.median(valid_times(forecast, truth["state"].values, times)) * LYAPUNOV_EXPONENT
        )
        ours, theirs = system.encode(forecast[:, settled]), system.encode(truth["state"].values[:, settled])
        for k, label in enumerate("xyz"):
            figures[f"mean of {label}, {name} - FOM, in its standard deviations"] = float(
                (ours[..., k].mean() - theirs[..., k].mean()) / theirs[..., k].std()
            )
            figures[f"standard deviation of {label}, {name} / FOM"] = float(ours[..., k].std() / theirs[..., k].std())
        figures[f"largest distance of the marginal distributions (Kolmogorov-Smirnov), {name}"] = max(
            distance(ours[..., k].ravel(), theirs[..., k].ravel()) for k in range(3)
        )
    return figures


def valid_times(forecast: np.ndarray, truth: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return the time of the first relative error above 0.4 for each trajectory.

    Errors are relative to the root mean square of the states.
    """
    error = np.linalg.norm(forecast - truth, axis=2) / np.sqrt((truth**2).sum(axis=2).mean())
    wrong = ~(error <= 0.4)
    return times[np.where(wrong.any(axis=1), wrong.argmax(axis=1), len(times) - 1)]


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Return the largest difference of two empirical distribution functions; 1 if a value is not finite."""
    if not np.isfinite(a).all():
        return 1.0
    grid = np.sort(b)[:: max(1, len(b) // 1000)]
    below = np.searchsorted(np.sort(a), grid) / len(a) - np.searchsorted(np.sort(b), grid) / len(b)
    return float(np.abs(below).max())
