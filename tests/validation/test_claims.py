"""Scientific claims, as short versions of docs/benchmarks with wide margins. Run them with ``-m slow``."""

import numpy as np
import pytest

import rom
import systems

pytestmark = pytest.mark.slow


def test_lifted_duffing_is_forecast_where_there_are_no_trajectories():
    """Trajectories lie on the left, collocation points on the right. The published error is 0.05."""
    duffing = systems.LiftedDuffing()
    rng = np.random.default_rng(41)

    def states(n, low, high):
        return duffing.decode(np.column_stack([rng.uniform(low, high, n), rng.uniform(-1, 1, n)]))

    train = systems.simulate(duffing, t=np.linspace(0, 1, 11), initial=states(600, -1.5, 0.5))
    points = states(10_000, 0.5, 1.5)
    model = rom.fit(
        None,
        trajectories=(train["time"].values, train["state"].values),
        collocation=(points, duffing.rhs(points)),
        latent_dim=2,
        config=rom.FitConfig(steps=600),
    )
    test = systems.simulate(duffing, t=np.linspace(0, 1, 21), initial=states(100, -1.5, 1.5))
    mse = rom.evaluate(model, test)["cumulative_mse"][:, -1]
    assert mse.sel(rom="fitted") < 0.02
    assert mse.sel(rom="closed_form") > 0.1


def test_burgers_beats_the_classical_model_at_the_same_dimension():
    burgers = systems.Burgers(n=128)
    runs = systems.simulate(burgers, 256, np.arange(20) * 0.1, seed=41)
    model = rom.fit(burgers, 8192, trajectories=runs, latent_dim=16, config=rom.FitConfig(steps=500))
    test = systems.simulate(burgers, 64, np.arange(200) * 0.1, seed=42)
    errors = rom.evaluate(model, test)["cumulative_mse"]
    for snapshots in (20, 40, 200):
        fitted, closed_form = errors[:, snapshots - 1]
        assert fitted < 0.9 * closed_form


def test_lifted_lorenz_is_forecast_for_several_lyapunov_times():
    lorenz = systems.LiftedLorenz()
    model = rom.fit(lorenz, 8192, n_trajectories=48, latent_dim=3, config=rom.FitConfig(steps=800))
    initial = lorenz.sample_initial(16, seed=43)
    times = np.arange(0, 4, 0.02)
    truth = systems.simulate(lorenz, t=times, initial=initial)["state"].values
    forecast = model.forecast(initial, times)["state"].values
    error = np.linalg.norm(forecast - truth, axis=2) / np.sqrt((truth**2).sum(axis=2).mean())
    assert np.median(np.where((error > 0.4).any(axis=1), times[(error > 0.4).argmax(axis=1)], times[-1])) > 2.0
