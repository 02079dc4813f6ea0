"""The maps of a model keep the kind they are given; parameters by array and by name; the dtype is that of the fit."""

import numpy as np
import pytest
import torch
import xarray as xr

from rom.models.modules import EXACT

T = np.linspace(0.0, 2.0, 21)


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
