"""What rom.fit decides itself, is told to leave out, or has to do in the time it is given."""

import dataclasses
import logging
import time

import numpy as np
import pytest
import xarray as xr

import rom
import systems

CLOSED_FORM = 1e-3  # seconds: no time for training, so the result is the closed-form model


# Choices


def test_latent_dimension_is_chosen_with_its_curve(runs, pairs, small):
    model = rom.fit(None, trajectories=runs, collocation=pairs, config=small)
    curve = model.history["closed_form_error"]
    assert model.latent_dim == 3
    assert curve["latent_dim"].values.tolist() == [1, 2, 3]
    assert curve.sel(latent_dim=3) < 1e-6 < curve.sel(latent_dim=2)


def test_rank_is_raised_for_the_latent_dimension(small, caplog):
    t = np.linspace(0, 1, 30)
    phase = np.linspace(0, 6, 5)[:, None, None]
    states = np.sin(t[:, None] * np.arange(1, 9) + phase) * 10.0 ** -np.arange(8.0)
    with caplog.at_level(logging.INFO, logger="rom"):
        config = dataclasses.replace(small, energy_tolerance=1e-3)
        model = rom.fit(None, trajectories=(t, states), latent_dim=6, config=config)
    assert (model.latent_dim, model.rank) == (6, 6)
    assert "POD rank raised to 6" in caplog.text


@pytest.mark.parametrize("constant", [0.0, 3.0])
def test_components_that_do_not_vary_are_forecast_as_they_are(pendulum_runs, small, constant):
    states = np.insert(pendulum_runs["state"].values, 1, constant, axis=2)
    model = rom.fit(None, trajectories=(pendulum_runs["time"].values, states), latent_dim=2, config=small)
    forecast = model.forecast(states[:2, 0], [0.0, 0.5, 1.0])["state"]
    np.testing.assert_allclose(forecast[..., 1], constant, atol=1e-5)
    assert bool(forecast.notnull().all())


@pytest.mark.parametrize("name", ["sparse", "sparse_kl"])
def test_more_latent_states_than_components_are_sparse(pendulum, pendulum_runs, pendulum_pairs, small, tmp_path, name):
    """They start from the closed form of all components, forecast, and travel in a file."""
    arguments = {"trajectories": pendulum_runs, "collocation": pendulum_pairs, "config": small}
    n = pendulum.n_states
    with pytest.raises(rom.RomValueError, match="a state has only 2 components: more would learn the identity"):
        rom.fit(None, **arguments, latent_dim=n + 3)
    with pytest.raises(rom.RomValueError, match=r"take at most 128, or use rom\.fit_autoencoder"):
        rom.fit(None, **arguments, latent_dim=129, weights=rom.LossWeights(**{name: 0.01}))
    model = rom.fit(None, **arguments, latent_dim=n + 3, weights=rom.LossWeights(**{name: 0.01}))
    plain = rom.fit(None, **arguments, latent_dim=n)
    assert (model.latent_dim, model.rank) == (n + 3, n)
    assert model.history.attrs["closed_form_validation_error"] == pytest.approx(
        plain.history.attrs["closed_form_validation_error"], rel=1e-2
    )
    model.save(tmp_path / "model.safetensors")
    x0 = pendulum_runs["state"].isel(time=0)
    again = rom.load(tmp_path / "model.safetensors")
    xr.testing.assert_identical(again.forecast(x0, [0.0, 0.5]), model.forecast(x0, [0.0, 0.5]))


def test_numbers_may_have_types_of_numpy(runs, small, tmp_path):
    config = dataclasses.replace(small, steps=np.int64(2))
    model = rom.fit(None, trajectories=runs, latent_dim=np.int64(2), config=config, seed=np.int64(3))
    model.save(tmp_path / "model.safetensors")
    assert rom.load(tmp_path / "model.safetensors").history.attrs["seed"] == 3


@pytest.mark.parametrize(
    "terms", [("linear",), ("linear", "quadratic"), ("linear", "neural"), ("neural",), ("quadratic",)]
)
def test_parts_of_the_latent_dynamics_can_be_switched_off(runs, pairs, small, terms):
    """h has no part that was not asked for: it is even, odd or affine as its parts say."""
    config = dataclasses.replace(small, latent_terms=terms)
    model = rom.fit(None, trajectories=runs, collocation=pairs, latent_dim=3, config=config)
    z = np.random.default_rng(0).standard_normal((20, 3))
    even = model.latent_rhs(z) + model.latent_rhs(-z) - 2 * model.latent_rhs(0 * z)
    odd = model.latent_rhs(z) - model.latent_rhs(-z)
    if terms == ("linear",):
        assert np.abs(even).max() < 1e-4
    if terms == ("quadratic",):
        assert np.abs(odd).max() < 1e-4
    assert model.history.attrs["validation_error"] <= model.history.attrs["closed_form_validation_error"] * 1.001 + 1e-9


@pytest.mark.parametrize(
    "settings",
    [{"hidden": ()}, {"latent_hidden": ()}, {"quadratic_decoder": False}, {"multiscale": False}, {"dtype": "float64"}],
)
def test_never_worse_than_the_closed_form(small, settings):
    """With more POD coordinates than latent states, where every part has something to do."""
    burgers = systems.Burgers(n=32, viscosity=0.1)
    config = dataclasses.replace(small, **settings)
    model = rom.fit(burgers, 100, n_trajectories=6, latent_dim=4, config=config)
    attrs = model.history.attrs
    assert model.rank > 4
    assert attrs["validation_error"] <= attrs["closed_form_validation_error"] * (1 + 1e-4)


def test_training_improves_on_the_closed_form(pendulum_runs, pendulum_pairs):
    config = rom.FitConfig(hidden=(32, 32), latent_hidden=(32,), steps=60, validations=5, window=10)
    data = {"trajectories": pendulum_runs, "collocation": pendulum_pairs}
    attrs = rom.fit(None, latent_dim=2, config=config, **data).history.attrs
    assert attrs["validation_error"] < 0.8 * attrs["closed_form_validation_error"]


# Time


def test_too_little_time_returns_the_closed_form_and_says_so(runs, pairs, small, caplog):
    with caplog.at_level(logging.WARNING, logger="rom"):
        model = rom.fit(None, trajectories=runs, collocation=pairs, latent_dim=3, config=small, max_seconds=CLOSED_FORM)
    assert "no time for training: the result is the closed-form model" in caplog.text
    attrs = model.history.attrs
    assert (attrs["stopped"], attrs["steps"]) == ("no time", 0)
    errors = rom.evaluate(model, runs)["mse"]
    np.testing.assert_allclose(errors.sel(rom="fitted"), errors.sel(rom="closed_form"), rtol=1e-3, atol=1e-9)


@pytest.mark.parametrize("limit", [3.0])
def test_max_seconds_bounds_the_whole_call(linear, limit):
    config = rom.FitConfig(hidden=(32,), latent_hidden=(32,))
    started = time.monotonic()
    model = rom.fit(linear, 500, n_trajectories=8, latent_dim=3, config=config, max_seconds=limit)
    taken = time.monotonic() - started
    assert taken <= 1.05 * limit + 2.0
    assert model.history.attrs["stopped"] == "finished"
    assert model.history["learning_rate"][-1] < 0.1 * model.history["learning_rate"].max()
    assert taken > 0.5 * limit


def test_trajectories_that_are_dear_leave_some_where_time_is_short(small, caplog):
    """Many are integrated together: without a look at their price none of them would be finished."""
    system = systems.from_rhs(slowly, 2, sampler=systems.Box([-1.0, -1.0], [1.0, 1.0]), batched=True)
    model = rom.fit(system, 64, n_trajectories=64, latent_dim=1, max_seconds=8.0, config=small)
    assert 8 <= model.history.attrs["n_trajectories"] < 64
    assert "of 64 trajectories" in caplog.text


def slowly(x):
    time.sleep(2e-5 * x.size)
    return -x
