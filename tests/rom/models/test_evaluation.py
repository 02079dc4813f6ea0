"""rom.evaluate against sums written out by hand, beside the closed-form model."""

import warnings

import numpy as np
import pytest
import xarray as xr

import rom


@pytest.fixture(scope="module")
def truth(linear):
    import systems

    return systems.simulate(linear, 3, np.linspace(0.0, 4.0, 9), seed=20)


def test_errors_are_those_of_the_forecasts(model, truth):
    errors = rom.evaluate(model, truth)
    x = truth["state"].values
    forecast = model.forecast(x[:, 0], truth["time"])
    square = (forecast["state"].values - x) ** 2
    fitted = errors.sel(rom="fitted")
    np.testing.assert_allclose(fitted["mse"], square.mean(axis=(0, 2)), rtol=1e-6)
    np.testing.assert_allclose(fitted["cumulative_mse"][4], square[:, :5].mean(), rtol=1e-6)
    np.testing.assert_allclose(fitted["relative_error"], np.sqrt(square.sum((0, 2)) / (x**2).sum((0, 2))), rtol=1e-6)
    np.testing.assert_allclose(
        fitted["trajectory_relative_error"], np.sqrt(square.sum((1, 2)) / (x**2).sum((1, 2))), rtol=1e-6
    )
    np.testing.assert_allclose(fitted["valid"], forecast["valid"].mean("trajectory"))
    np.testing.assert_array_equal(errors["time"], truth["time"])
    np.testing.assert_array_equal(errors["horizon"], truth["time"] - truth["time"][0])


def test_the_closed_form_model_stands_beside(model, truth):
    errors = rom.evaluate(model, truth)
    assert errors["rom"].values.tolist() == ["fitted", "closed_form"]
    # A linear system is in the class of the closed form.
    assert errors["relative_error"].sel(rom="closed_form").max() < 1e-2


def test_plain_arrays_and_datasets_agree(model, truth):
    arrays = (truth["time"].values, truth["state"].values)
    xr.testing.assert_allclose(rom.evaluate(model, arrays), rom.evaluate(model, truth))


def test_blocks_do_not_change_the_result(model, truth, monkeypatch):
    whole = rom.evaluate(model, truth)
    monkeypatch.setattr("rom.data.lazy.BLOCK_BYTES", 1)
    xr.testing.assert_allclose(rom.evaluate(model, truth), whole, rtol=1e-3, atol=1e-6)


def test_parameters_of_the_trajectories_are_used(parametric_model, decay_runs):
    errors = rom.evaluate(parametric_model, decay_runs)
    assert errors["relative_error"].sel(rom="fitted").max() < 0.05
    swapped = decay_runs.assign(parameters=decay_runs["parameters"][::-1].drop_vars("trajectory"))
    assert rom.evaluate(parametric_model, swapped)["mse"].sum() > 10 * errors["mse"].sum()


def test_data_that_do_not_fit_the_model(model, parametric_model, truth, decay_runs):
    with pytest.raises(rom.RomValueError, match=r"a state has shape \(3,\), but \(12,\) is expected"):
        rom.evaluate(model, decay_runs)
    with pytest.raises(rom.RomValueError, match="evaluate each set of equal times by itself"):
        rom.evaluate(model, [truth, truth.isel(time=slice(3))])
    with pytest.raises(rom.RomTypeError, match="trajectories must be"):
        rom.evaluate(model, truth["state"].values)
    with pytest.raises(rom.RomValueError, match=r"parameters .* differ"):
        rom.evaluate(parametric_model, decay_runs.drop_vars(["parameters", "parameter"]))
    with pytest.raises(rom.RomValueError, match=r"parameters .'nu',. differ"):
        rom.evaluate(parametric_model, decay_runs.assign_coords(parameter=["nu"]))


def test_forecasts_that_break_off_are_counted(model, truth):
    far = truth.copy(deep=True)
    far["state"][1, 0] = 1e37
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        errors = rom.evaluate(model, far)
    expected = [f"1 of 3 forecasts of the {name} model break off: errors over all" for name in errors["rom"].values]
    assert [str(w.message)[: len(text)] for w, text in zip(caught, expected, strict=True)] == expected
    assert np.isnan(errors["mse"][:, -1]).all()
    assert np.isfinite(errors["trajectory_mse"]).values.tolist() == 2 * [[True, False, True]]


def test_a_wrong_order_of_arguments_is_named(model, truth):
    with pytest.raises(rom.RomTypeError, match=r"got Dataset; the call is evaluate\(model, trajectories\)"):
        rom.evaluate(truth, model)
    with pytest.raises(rom.RomTypeError, match=r"model must be a ReducedOrderModel, .* got int"):
        rom.closed_form_of(3)
    with pytest.raises(rom.RomTypeError, match=r"got Dataset; pass data as rom.fit\(None, trajectories="):
        rom.fit(truth)
