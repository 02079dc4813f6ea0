"""The finished model: labels, times, validity, residual. Physics against the known linear flow."""

import copy
import dataclasses

import numpy as np
import pytest
import scipy.linalg
import torch
import xarray as xr

import rom

T = np.linspace(0.0, 2.0, 21)


def with_latent_matrix(model, matrix, offset=(0.0, 0.0, 0.0)):
    """The model with dz/dt = matrix z + offset, per unit of the data's time, and no other part of h."""
    state = copy.deepcopy(model._state)
    dynamics = state.networks.latent_dynamics
    for parameter in dynamics.parameters():
        parameter.zero_()
    dynamics.linear.weight.copy_(torch.as_tensor(matrix) * state.time_scale)
    dynamics.linear.bias.copy_(torch.tensor(offset) * state.time_scale)
    return rom.ReducedOrderModel(state, model._layout, model.config, model.history)


# Labelled in, labelled out


def test_many_states_come_back_labelled(model, x0):
    forecast = model.forecast(x0, T)
    assert forecast["state"].dims == ("trajectory", "time", "state_index")
    assert forecast["valid"].dims == ("trajectory", "time")
    assert forecast["valid"].dtype == bool
    np.testing.assert_array_equal(forecast["time"], T)
    np.testing.assert_array_equal(forecast["state_index"], x0["state_index"])
    np.testing.assert_array_equal(forecast["trajectory"], x0["trajectory"])


def test_one_state_has_no_trajectory(model, x0):
    one = model.forecast(x0.isel(trajectory=2), T)
    assert one["state"].dims == ("time", "state_index")
    assert one["valid"].dims == ("time",)
    many = model.forecast(x0, T)
    np.testing.assert_allclose(one["state"], many["state"].isel(trajectory=2), rtol=1e-5, atol=1e-6)


def test_plain_states_of_any_kind_give_the_same_forecast(model, x0):
    expected = model.forecast(x0, T)["state"].values
    values = x0.values
    readonly = values.copy()
    readonly.setflags(write=False)
    for kind in (values, readonly, values.astype(">f8"), torch.from_numpy(values), values.tolist(), x0.transpose()):
        forecast = model.forecast(kind, T)
        np.testing.assert_array_equal(forecast["state"], expected)
        assert forecast["state"].dims == ("trajectory", "time", "state_index")


def test_labels_of_trajectories_are_kept(model, x0):
    chosen = x0.isel(trajectory=[3, 1])
    assert model.forecast(chosen, T)["trajectory"].values.tolist() == [3, 1]
    assert model.forecast(chosen.values, T)["trajectory"].values.tolist() == [0, 1]


def test_coordinates_and_units_of_data_come_back(small):
    rng = np.random.default_rng(0)
    grid = xr.Dataset(
        {"state": (("trajectory", "time", "y", "x"), rng.standard_normal((5, 11, 2, 3)), {"units": "K"})},
        coords={
            "time": ("time", np.linspace(0, 1, 11), {"units": "s"}),
            "x": ("x", [0.0, 0.5, 1.0], {"units": "m"}),
            "y": ["low", "high"],
            "depth": (("y", "x"), rng.standard_normal((2, 3))),
        },
    )
    model = rom.fit(None, trajectories=grid, latent_dim=2, config=small)
    forecast = model.forecast(grid["state"].isel(time=0), [0.0, 0.1])
    assert forecast["state"].dims == ("trajectory", "time", "y", "x")
    assert forecast["state"].attrs == {"units": "K"}
    for name in ("x", "y", "depth"):
        xr.testing.assert_identical(forecast[name].variable, grid[name].variable)
    assert forecast["time"].attrs == {"units": "s"}


def test_labels_of_a_forecast_are_its_own(model, x0):
    depth = {"dims": ["state_index"], "data": list(range(12)), "attrs": {}}
    layout = dataclasses.replace(model._layout, coords=model._layout.coords | {"depth": depth})
    model = rom.ReducedOrderModel(model._state, layout, model.config, model.history)
    model.forecast(x0, [0.0, 1.0])["depth"].values[:] = -1
    assert model.forecast(x0, [0.0, 1.0])["depth"].values.tolist() == list(range(12))


@pytest.mark.parametrize(
    "labels",
    [
        np.arange("2020-01-01", "2020-01-07", dtype="datetime64[D]").astype("datetime64[ns]"),
        np.array(["a", 1, "c", 2.0, "e", "f"], dtype=object),
        np.array([1.0, 2.0, np.nan, 4.0, 5.0, 6.0]),
    ],
    ids=["datetime", "objects", "nan"],
)
def test_states_of_the_training_and_of_forecasts_are_taken_whatever_their_labels(normal, small, labels):
    grid = xr.Dataset(
        {"state": (("trajectory", "time", "cell"), normal(8, 11, 6).cumsum(axis=1).numpy())},
        coords={"time": np.arange(11.0), "label": ("cell", labels)},
    )
    model = rom.fit(None, trajectories=grid, latent_dim=2, config=small, verbose=False)
    forecast = model.forecast(grid["state"].isel(time=0), [0.0, 1.0])
    model.forecast(forecast["state"].isel(time=0), [0.0, 1.0])


# Times


def test_initial_state_is_the_reconstruction_of_x0(model, x0):
    forecast = model.forecast(x0, [1.0])
    assert forecast.sizes["time"] == 1
    np.testing.assert_allclose(forecast["state"][:, 0], model.decode(model.encode(x0)), rtol=1e-5, atol=1e-6)


def test_forecast_depends_on_time_differences_alone(double_model, x0):
    one, other = double_model.forecast(x0, T), double_model.forecast(x0, T + 100.0)
    np.testing.assert_allclose(one["state"], other["state"], atol=1e-10)


@pytest.mark.parametrize("chosen", [[0, 20], [0, 1, 5, 6, 19, 20], [0, 7, 20]])
def test_fewer_times_give_the_same_values(double_model, x0, chosen):
    every = double_model.forecast(x0, T)["state"].isel(time=chosen)
    some = double_model.forecast(x0, T[chosen])["state"]
    np.testing.assert_allclose(some, every, rtol=0, atol=1e-13)


def test_many_states_and_each_alone_agree(double_model, x0):
    together = double_model.forecast(x0, T)
    for k in range(len(x0)):
        alone = double_model.forecast(x0[k], T)
        np.testing.assert_allclose(alone["state"], together["state"][k], rtol=0, atol=1e-12)
        np.testing.assert_array_equal(alone["valid"], together["valid"][k])


def test_fixed_and_adaptive_steps_agree(double_model, x0):
    fixed, adaptive = (double_model.forecast(x0, T, method=m)["state"] for m in ("rk4", "dopri5"))
    np.testing.assert_allclose(fixed, adaptive, atol=1e-4)


def test_forecast_of_a_linear_model_is_the_matrix_exponential(double_model, x0):
    matrix = np.array([[-0.1, -1.0, 0.0], [1.0, -0.1, 0.0], [0.0, 0.0, -0.3]])
    model = with_latent_matrix(double_model, matrix)
    z0 = model.encode(x0.values)
    times = np.array([3.0, 3.2, 4.0, 7.0])
    z = np.stack([z0 @ scipy.linalg.expm(matrix * (t - 3.0)).T for t in times], axis=1)
    expected = model.decode(z)
    np.testing.assert_allclose(model.forecast(x0, times, method="dopri5")["state"], expected, atol=1e-5)
    np.testing.assert_allclose(model.forecast(x0, times)["state"], expected, atol=1e-3)


# Validity


def test_training_states_are_valid(model, runs):
    forecast = model.forecast(runs["state"].isel(time=0), runs["time"])
    assert forecast["valid"].all()


def test_valid_stays_false_after_the_region_was_left(double_model, x0):
    """A rotation through a far point: the orbit leaves the region seen in training and comes back.

    Seen at the ends of the steps, and flagged from the beginning of the step in which it leaves.
    """
    model = with_latent_matrix(
        double_model, [[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 0.0]], offset=(4.0, 0.0, 0.0)
    )
    n_steps = int(np.ceil(30.0 / model._state.max_step.item() / model._state.time_scale.item() - 1e-6))
    times = np.linspace(0.0, 30.0, n_steps + 1)
    forecast = model.forecast(x0, times)
    inside = model._state.region.contains(torch.from_numpy(model.encode(forecast["state"].values))).numpy()
    left = ~inside
    returns = left.any(axis=1) & (inside & (np.cumsum(left, axis=1) > 0)).any(axis=1)
    assert returns.all(), "the orbit must come back for this test to mean anything"
    np.testing.assert_array_equal(forecast["valid"], np.cumprod(inside, axis=1).astype(bool))
    assert np.isfinite(forecast["state"]).all()
    back = (inside & (np.cumsum(left, axis=1) > 0)).all(axis=0).argmax()  # at this time all of them are inside again
    assert back
    few = model.forecast(x0, [0.0, times[back], 30.0])["valid"]
    np.testing.assert_array_equal(few, forecast["valid"].isel(time=[0, back, -1]))


def test_a_far_initial_state_is_not_valid(model, x0):
    assert not model.forecast(100 * x0, [0.0, 0.1])["valid"].any()


def test_a_forecast_that_is_not_finite_is_nan_invalid_and_warned_of(model, x0):
    explosive = with_latent_matrix(model, 100.0 * np.eye(3))
    with pytest.warns(
        RuntimeWarning, match=r"forecast of trajectory 0 is not finite from t = .*states are NaN and valid is False"
    ):
        forecast = explosive.forecast(x0, np.linspace(0.0, 5.0, 51))
    state, valid = forecast["state"].values, forecast["valid"].values
    finite = np.isfinite(state).all(axis=-1)
    assert finite[:, 0].all()
    assert not finite[:, -1].any()
    assert np.isnan(state[~finite]).all()
    assert not valid[~finite].any()
    assert (np.diff(finite.astype(int), axis=1) <= 0).all()


def test_an_overflow_later_on_does_not_reach_back(double_model, x0):
    """All within one step of the rollout: what is asked for at t[0] is the reconstruction whatever follows."""
    model = with_latent_matrix(double_model, 1e200 * np.eye(3))
    with pytest.warns(RuntimeWarning, match=r"trajectory 0 is not finite from t = 0.5 on"):
        forecast = model.forecast(x0, [0.0, 0.5])
    np.testing.assert_allclose(forecast["state"][:, 0], double_model.decode(double_model.encode(x0)), atol=1e-12)
    assert forecast["valid"].values.tolist() == [[True, False]] * 4


def test_a_decoder_that_overflows_is_flagged_as_well(model, x0):
    """The latent state is finite, its square in the decoder is not: no infinity may pass unmarked."""
    state = copy.deepcopy(model._state)
    state.networks.decoder.quadratic.weight.fill_(1.0)
    broken = rom.ReducedOrderModel(state, model._layout, model.config, model.history)
    with pytest.warns(RuntimeWarning, match="trajectory 1 is not finite from t = 0 on"):
        forecast = broken.forecast(np.stack([x0[0], 1e22 * x0[1]]), [0.0])
    assert np.isfinite(forecast["state"][0]).all()
    assert np.isnan(forecast["state"][1]).all()
    assert not forecast["valid"][1].any()


# Physics


def test_latent_rhs_is_per_unit_of_the_datas_time(double_model, x0):
    matrix = np.diag([-1.0, -2.0, -3.0])
    model = with_latent_matrix(double_model, matrix)
    latent = model.encode(x0.values)
    np.testing.assert_allclose(model.latent_rhs(latent), latent @ matrix, rtol=1e-10)


def test_residual_is_about_one_where_the_model_was_trained(double_model, pairs):
    residual = double_model.residual(pairs["state"], pairs["time_derivative"])
    assert residual.dims == ("point", "latent")
    assert 0.3 < np.sqrt((residual**2).mean()) < 3.0


def test_residual_is_the_latent_physics(double_model, pairs):
    """Against dphi/dx f by central differences of encode; with a wrong f, or the difference of equals is rounding."""
    x, f, h = pairs["state"].values[:5], 1.5 * pairs["time_derivative"].values[:5], 1e-6
    velocity = (double_model.encode(x + h * f) - double_model.encode(x - h * f)) / (2 * h)
    mismatch = velocity - double_model.latent_rhs(double_model.encode(x))
    expected = mismatch * double_model._state.time_scale.item() / double_model._state.residual_spread.numpy()
    np.testing.assert_allclose(double_model.residual(x, f), expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_residual_grows_where_the_physics_is_another(double_model, pairs):
    x, f = pairs["state"].values, pairs["time_derivative"].values
    assert np.abs(double_model.residual(x, -f)).mean() > 10 * np.abs(double_model.residual(x, f)).mean()


# What it is


def test_repr_says_what_matters(model):
    text = repr(model)
    for part in (
        "LiftedLinear",
        "state_index: 12",
        "d = 3",
        "POD rank 3",
        "lost energy",
        "validation error",
        "held-out",
    ):
        assert part in text


def test_model_is_described_by_properties(model):
    assert (model.latent_dim, model.rank, model.dims, model.shape) == (3, 3, ("state_index",), (12,))
    assert model.parameters == ()
    assert model.device == torch.device("cpu")
    assert sum(model.n_weights.values()) == sum(p.numel() for p in model._state.networks.parameters())
    assert set(model.n_weights) == {"encoder", "latent_dynamics", "decoder"}


def test_to_gives_another_model_with_the_same_forecasts(model, x0):
    moved = model.to("cpu")
    assert moved is not model
    xr.testing.assert_identical(moved.forecast(x0, T), model.forecast(x0, T))


def test_configuration_of_the_model_is_that_of_the_fit(model, small):
    assert model.config == small
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.config.steps = 1
