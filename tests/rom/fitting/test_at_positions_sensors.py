"""States from few, noisy or moving sensors: gappy POD with a prior."""

import numpy as np
import pytest
import torch
import xarray as xr
from burgers_on_grids import SIZES, UNSEEN, burgers, interpolated

import rom
from rom.data.gappy_pod import GappyPOD, Prior

NOISE = 0.1


def test_few_sensors_are_enough_where_the_training_data_say_the_rest(free):
    """Gappy POD: 16 sensors of 36 functions."""
    field = burgers(96).sample_initial(8, seed=5)
    whole = free.decode(free.encode(field), at={"x": field["x"].values})
    errors = {}
    for count in (4, 8, 16):
        some = field.isel(x=np.sort(np.random.default_rng(1).choice(96, count, replace=False)))
        found = free.decode(free.encode(some), at={"x": field["x"].values})
        errors[count] = float(np.linalg.norm(found - whole) / np.linalg.norm(whole))
    assert errors[16] < 0.05 < errors[8] < errors[4] < 1.5
    forecast = free.forecast(some, [0.0, 1.0])
    assert forecast["state"].shape == (8, 2, 16)


def test_the_estimate_from_few_values_is_the_mean_of_the_posterior(free):
    prior, points = free.codec.prior, UNSEEN[:7]
    y = np.random.default_rng(2).standard_normal((3, 7))
    found = GappyPOD(free._layout, [(points,)], prior)([torch.from_numpy(y)[:, None]])
    basis = free._layout.space.basis((points,))
    modes, covariance = basis @ prior.factor, np.diag(prior.variance)
    gain = covariance @ modes.T @ np.linalg.inv(modes @ covariance @ modes.T + prior.noise * np.eye(7))
    expected = prior.mean + (y - basis @ prior.mean) @ gain.T @ prior.factor.T
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


def error_of_noisy_sensors(free, count, noise):
    """Root mean square error on the whole domain of fields that are read from `count` noisy sensors, and their own spread."""
    rng = np.random.default_rng(count)
    field = burgers(96).sample_initial(16, seed=5)
    misses = []
    for _ in range(4):
        at = rng.uniform(-np.pi, np.pi, count)
        values = interpolated(field.values, at) + NOISE * rng.standard_normal((16, count))
        found = free.decode(free.encode(values, at={"x": at}, noise=noise), at={"x": field["x"].values})
        misses.append(found - field.values)
    return float(np.sqrt(np.square(misses).mean())), float(field.std())


def test_errors_of_noisy_sensors_are_bounded_and_fall_with_their_number(free):
    """Also where they are about as many as the 36 functions, and least squares would amplify their errors."""
    found = [error_of_noisy_sensors(free, count, NOISE) for count in (6, 12, 24, 38, 60, 240)]
    errors = [error for error, _ in found]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] < found[0][1]
    assert errors[-2] < NOISE
    assert 5 * errors[3] < error_of_noisy_sensors(free, 38, 0.0)[0]  # what is not told cannot be weighed


def test_many_exact_values_are_read_by_least_squares(free):
    for n in (*SIZES, 80):
        field = burgers(n).sample_initial(3, seed=5)
        found = free.codec.flatten("x", field, dtype=torch.float64).flat
        expected = free.codec.space.coefficients(field.values, (field["x"].values,))
        np.testing.assert_allclose(found, expected, atol=1e-12)
        barely = free.codec.flatten("x", field, noise=1e-6, dtype=torch.float64).flat
        np.testing.assert_allclose(barely, expected, atol=2e-2)  # what the POD has cut off
        np.testing.assert_array_equal(
            free.forecast(field, [0.0], noise=0.0)["state"], free.forecast(field, [0.0])["state"]
        )
        assert (free.forecast(field, [0.0], noise=NOISE)["state"] != free.forecast(field, [0.0])["state"]).any()


def test_sensors_that_move_are_read_one_state_at_a_time(free):
    field = burgers(96).sample_initial(3, seed=5).values
    points = np.random.default_rng(0).uniform(-3, 3, (3, 20))
    values = np.stack([interpolated(u, at) for u, at in zip(field, points, strict=True)])
    moving = xr.DataArray(values, dims=("trajectory", "s"), coords={"x": (("trajectory", "s"), points)})
    latent = free.encode(moving)
    assert latent.dims == ("trajectory", "latent")
    for k in range(3):
        np.testing.assert_allclose(latent[k], free.encode(values[k], at={"x": points[k]}), atol=1e-12)
    assert free.forecast(moving, [0.0, 1.0], at={"x": UNSEEN})["state"].shape == (3, 2, 500)
    with pytest.raises(rom.RomValueError, match=r"x0: its positions differ along 'trajectory'.*at="):
        free.forecast(moving, [0.0, 1.0])


def test_a_prior_knows_the_energy_that_is_lost(free):
    prior = Prior.of(free._state.projection, free._state.prior_variance, free._state.prior_noise)
    assert prior.variance.shape == (free.rank,)
    assert prior.noise.shape == (1,)
    assert 0.0 < float(prior.noise[0]) < 1e-4 * float(prior.variance[0])
