"""The finished model: labels, kinds, times, validity, parameters, residual. Physics against the known linear flow."""

import copy
import dataclasses

import numpy as np
import pytest
import scipy.linalg
import torch
import xarray as xr

import rom
from rom.model import EXACT

T = np.linspace(0.0, 2.0, 21)


@pytest.fixture
def x0(linear):
    return linear.sample_initial(4, seed=9) / 3


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


# Parts of a state


@pytest.fixture(scope="module")
def grid_model(small):
    """A model on a grid (field, y, x) with coordinates of one and two dimensions."""
    rng = np.random.default_rng(0)
    grid = xr.Dataset(
        {"state": (("trajectory", "time", "field", "y", "x"), rng.standard_normal((5, 11, 2, 3, 4)))},
        coords={
            "time": np.linspace(0, 1, 11),
            "field": ["u", "v"],
            "x": ("x", [0.0, 0.5, 1.0, 1.5], {"units": "m"}),
            "depth": (("y", "x"), rng.standard_normal((3, 4))),
        },
    )
    return rom.fit(None, trajectories=grid, latent_dim=2, config=small), grid["state"].isel(time=0)


@pytest.mark.parametrize(
    "points",
    [
        {"x": [0, 2]},
        {"x": np.array([3, 1, 1])},
        {"x": slice(1, None, 2), "field": [1]},
        {"field": 0},
        {"field": 1, "y": -1, "x": 2},
        {"y": range(2)},
        {},
    ],
    ids=str,
)
def test_parts_of_a_state_are_those_of_the_whole(grid_model, points):
    model, x0 = grid_model
    whole = model.forecast(x0, [0.0, 0.05, 0.2])
    part = model.forecast(x0, [0.0, 0.05, 0.2], points=points)
    chosen = {dim: list(p) if isinstance(p, range) else p for dim, p in points.items()}
    xr.testing.assert_allclose(part, whole.isel(chosen), rtol=1e-5, atol=1e-6)
    assert part["state"].dims == whole["state"].isel(chosen).dims
    for name, coordinate in whole.isel(chosen).coords.items():
        xr.testing.assert_identical(part[name].variable, coordinate.variable)
    one = model.forecast(x0[0], [0.0, 0.05, 0.2], points=points)
    xr.testing.assert_allclose(one["state"], part["state"][0].drop_vars("trajectory", errors="ignore"), atol=1e-5)


@pytest.mark.parametrize(
    ("points", "error", "message"),
    [
        ({"fields": 0}, ValueError, "points: unknown dimension 'fields'; did you mean 'field'?"),
        ({"time": 0}, ValueError, "points: unknown dimension 'time'; valid names: field, y, x"),
        ({"x": [0, 4]}, ValueError, r"points\['x'\] asks for position 4; 'x' has positions 0 to 3"),
        ({"x": -5}, ValueError, r"points\['x'\] asks for position -5"),
        ({"x": []}, ValueError, r"points\['x'\] chooses nothing; leave 'x' out to decode all of its 4 positions"),
        ({"x": slice(9, 12)}, ValueError, "chooses nothing"),
        ({"x": 0.5}, TypeError, "must be a whole number, a list of them or a slice, as for isel, got 0.5"),
        ({"x": [[0]]}, TypeError, "must be a whole number, a list of them or a slice"),
        ({"field": "u"}, TypeError, "must be a whole number, a list of them or a slice, as for isel, got 'u'"),
        ({"x": None}, TypeError, "must be a whole number, a list of them or a slice, as for isel, got None"),
        ({"x": [[0], [0, 1]]}, TypeError, "must be a whole number, a list of them or a slice"),
        ({"x": slice(0.5, 2)}, TypeError, "must be a whole number, a list of them or a slice"),
        ({"x": slice(0, 2, 0)}, TypeError, "must be a whole number, a list of them or a slice"),
        ([0, 1], TypeError, r"points must map dimensions to positions, as \{'field': \[0\]\}, got \[0, 1\]"),
    ],
)
def test_parts_that_are_not_there(grid_model, points, error, message):
    model, x0 = grid_model
    with pytest.raises(error, match=message) as caught:
        model.forecast(x0, [0.0], points=points)
    assert isinstance(caught.value, rom.RomError)


@pytest.mark.parametrize("block", [1, 200])
def test_blocks_of_decoding_change_nothing(double_model, x0, monkeypatch, block):
    times = np.linspace(0.0, 2.0, 401)
    whole = double_model.forecast(x0, times)
    monkeypatch.setattr("rom.model.DECODED_AT_ONCE", block)
    xr.testing.assert_allclose(double_model.forecast(x0, times), whole, rtol=0, atol=1e-13)


# Kinds


def test_maps_keep_the_kind_they_are_given(model, x0):
    z = model.encode(x0.values)
    assert isinstance(z, np.ndarray)
    assert z.shape == (4, 3)
    for result, shape in ((model.decode(z), (4, 12)), (model.latent_rhs(z), (4, 3))):
        assert isinstance(result, np.ndarray)
        assert result.shape == shape

    labelled = model.encode(x0)
    assert labelled.dims == ("trajectory", "latent")
    np.testing.assert_array_equal(labelled, z)
    np.testing.assert_array_equal(labelled["trajectory"], x0["trajectory"])
    assert model.latent_rhs(labelled).dims == ("trajectory", "latent")
    back = model.decode(labelled)
    assert back.dims == ("trajectory", "state_index")
    np.testing.assert_array_equal(back["state_index"], x0["state_index"])
    assert model.encode(x0.transpose("state_index", "trajectory")).dims == ("trajectory", "latent")

    for dtype in (torch.float32, torch.float64):
        tensor = model.encode(torch.from_numpy(x0.values).to(dtype))
        assert isinstance(tensor, torch.Tensor)
        assert tensor.dtype == dtype


def test_maps_take_any_leading_axes(model, runs):
    states = runs["state"]
    z = model.encode(states)
    assert z.dims == ("trajectory", "time", "latent")
    np.testing.assert_array_equal(z["time"], runs["time"])
    assert model.decode(z).dims == ("trajectory", "time", "state_index")
    assert model.encode(states.values[0, 0]).shape == (3,)
    assert model.decode(z.values[0, 0]).shape == (12,)


def test_torch_passes_gradients(double_model, x0):
    x = torch.from_numpy(x0.values).requires_grad_()
    assert torch.autograd.gradcheck(double_model.encode, (x,), eps=1e-6, atol=1e-6)
    z = double_model.encode(x).detach().requires_grad_()
    assert torch.autograd.gradcheck(double_model.decode, (z,), eps=1e-6, atol=1e-6)
    assert torch.autograd.gradcheck(double_model.latent_rhs, (z,), eps=1e-6, atol=1e-6)


def test_encoding_twice_changes_nothing(double_model, x0):
    before = x0.values.copy()
    double_model.encode(x0)
    double_model.forecast(x0, T)
    np.testing.assert_array_equal(x0, before)


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


# Parameters


def test_forecasts_at_unseen_parameters(parametric_model, decay):
    target, times = np.array([1.0, -0.5, 0.25]), np.linspace(0.0, 2.0, 21)
    mu = np.array([[0.7], [1.1], [1.6]])
    x0 = decay.sample_initial(3, seed=11).values
    expected = target + (x0 - target)[:, None] * np.exp(-mu[:, :, None] * times[:, None])
    for given in (mu, {"mu": mu[:, 0]}, torch.from_numpy(mu), xr.DataArray(mu, dims=("trajectory", "parameter"))):
        forecast = parametric_model.forecast(x0, times, given)
        np.testing.assert_allclose(forecast["state"], expected, atol=0.03)


def test_one_parameter_for_all_trajectories(parametric_model, decay):
    x0 = decay.sample_initial(3, seed=11).values
    every = parametric_model.forecast(x0, [0.0, 1.0], np.full((3, 1), 0.8))
    for given in ([0.8], {"mu": 0.8}):
        np.testing.assert_allclose(
            parametric_model.forecast(x0, [0.0, 1.0], given)["state"], every["state"], rtol=1e-12
        )
    one = parametric_model.forecast(x0[0], [0.0, 1.0], {"mu": 0.8})
    np.testing.assert_allclose(one["state"], every["state"][0], rtol=1e-12)


def test_latent_rhs_and_residual_take_parameters(parametric_model, decay):
    x = decay.sample_initial(5, seed=12).values
    mu = np.linspace(0.6, 1.8, 5)[:, None]
    z = parametric_model.encode(x)
    rate = parametric_model.latent_rhs(z, mu)
    assert np.abs(rate - parametric_model.latent_rhs(z, mu[::-1])).max() > 0.1
    f = decay.rhs(x, mu)
    right, wrong = (np.abs(parametric_model.residual(x, f, m)).mean() for m in (mu, mu[::-1]))
    assert wrong > 3 * right


def test_parameters_by_name(parametric_model):
    assert parametric_model.parameters == ("mu",)


# dtype


@pytest.mark.parametrize(("name", "dtype"), [("model", np.float32), ("double_model", np.float64)])
def test_dtype_is_that_of_the_configuration(request, x0, name, dtype):
    model = request.getfixturevalue(name)
    forecast = model.forecast(x0, T)
    assert forecast["state"].dtype == dtype
    assert forecast["time"].dtype == np.float64
    for given in (x0.values, x0.values.astype(np.float32)):
        assert model.encode(given).dtype == dtype
        assert model.latent_rhs(model.encode(given)).dtype == dtype
    state = model._state.state_dict()
    floating = {v.dtype for name, v in state.items() if name not in EXACT and v.is_floating_point()}
    assert floating == {torch.float32 if dtype == np.float32 else torch.float64}


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


# Refusals


@pytest.mark.parametrize(
    ("t", "message"),
    [
        ([], "at least one time"),
        ([0.0, 1.0, 1.0], r"t must increase strictly, but t\[1\] = 1 and t\[2\] = 1"),
        ([1.0, 0.0], r"t must increase strictly, but t\[0\] = 1 and t\[1\] = 0"),
        ([0.0, np.nan], "t is nan at index 1"),
        ([[0.0, 1.0]], r"t must have shape \(time,\)"),
    ],
)
def test_times_that_cannot_be(model, x0, t, message):
    with pytest.raises(rom.RomValueError, match=message):
        model.forecast(x0, t)


def test_times_before_the_state(model, runs):
    later = runs["state"].isel(time=5)
    with pytest.raises(rom.RomValueError, match=r"t\[0\] = 0 lies before the time of x0, 0.5; start t there"):
        model.forecast(later, T)
    assert model.forecast(later, T[5:])["valid"].all()


def test_states_that_cannot_be(model, x0):
    cases = [
        (np.zeros(11), ValueError, r"x0 has shape \(11,\); a state of this model has shape \(12,\)"),
        (np.zeros((2, 3, 12)), ValueError, r"x0 has shape \(2, 3, 12\); pass one state \(12,\) or many"),
        (np.zeros((0, 12)), ValueError, "x0 is empty; pass at least one state"),
        (np.zeros(12, complex), TypeError, "x0 must hold real numbers, got dtype complex128; make real and imaginary"),
        (xr.Dataset({"state": ("state_index", np.zeros(12))}), TypeError, "x0 is a Dataset; pass one variable of it"),
        (np.zeros(12, object), TypeError, "x0 must hold real numbers, got dtype object"),
        (torch.zeros(12, dtype=torch.int64), TypeError, "x0 must be a floating-point tensor, got torch.int64"),
        (x0.rename(state_index="cell"), ValueError, "this model needs 'state_index'"),
        (np.where(np.arange(12) == 3, np.nan, 0.0), ValueError, "x0 is nan at component .3"),
        (
            np.where(np.arange(24).reshape(2, 12) == 15, np.inf, 0.0),
            ValueError,
            "x0 is inf at trajectory 1, component .3",
        ),
        (None, TypeError, "x0 must hold real numbers"),
    ]
    for bad, error, message in cases:
        with pytest.raises(error, match=message) as caught:
            model.forecast(bad, T)
        assert isinstance(caught.value, rom.RomError)


def test_latent_states_that_cannot_be(model):
    with pytest.raises(rom.RomValueError, match=r"z has shape \(2, 4\); its last axis must have length 3"):
        model.decode(np.zeros((2, 4)))
    with pytest.raises(rom.RomValueError, match="this model needs 'latent'"):
        model.decode(xr.DataArray(np.zeros((2, 3)), dims=("trajectory", "z")))


def test_derivatives_that_do_not_match(model, x0):
    with pytest.raises(rom.RomValueError, match="time_derivative has shape"):
        model.residual(x0.values, x0.values[:2])


def test_parameters_that_do_not_match(model, parametric_model, x0, decay):
    with pytest.raises(rom.RomValueError, match="fitted at fixed parameters; leave it out"):
        model.forecast(x0, T, [1.0])
    states = decay.sample_initial(3, seed=1).values
    cases = [
        (None, "mu is missing: this model depends on the parameters mu"),
        ({"nu": 1.0}, "unknown parameter 'nu'; valid names: mu"),
        ({}, "parameter 'mu' is missing"),
        ([1.0, 2.0], r"mu has shape \(2,\); expected \(1,\) or \(3, 1\) for mu"),
        ([[1.0], [2.0]], r"mu has shape \(2, 1\)"),
        ([np.nan], "mu is nan"),
    ]
    for mu, message in cases:
        with pytest.raises(rom.RomValueError, match=message):
            parametric_model.forecast(states, T, mu)


def test_methods_and_devices_that_are_not_there(model, x0):
    with pytest.raises(rom.RomValueError, match="method: unknown 'rk5'; did you mean 'rk4'"):
        model.forecast(x0, T, method="rk5")
    with pytest.raises(rom.RomValueError, match="device: unknown 'gpu'; use 'auto', 'cpu', 'cuda'"):
        model.to("gpu")
    if not torch.cuda.is_available():
        with pytest.raises(rom.RomValueError, match="torch has no such device here; use 'auto' or 'cpu'"):
            model.to("cuda")


def test_configuration_of_the_model_is_that_of_the_fit(model, small):
    assert model.config == small
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.config.steps = 1


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


def test_labels_of_another_order_are_refused(model, x0):
    """A state in another order of its labels would be forecast as if it were in that of the model."""
    with pytest.raises(
        rom.RomValueError, match="x0: the grid 'state_index' differs from that of this model; bring both"
    ):
        model.forecast(x0.isel(state_index=slice(None, None, -1)), [0.0, 1.0])
