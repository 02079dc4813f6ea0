"""Forecasts of parts of a state, by positions along its dimensions, and how states are decoded."""

import numpy as np
import pytest
import xarray as xr

import rom


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
    monkeypatch.setattr("rom.models.forecasting.DECODED_AT_ONCE", block)
    xr.testing.assert_allclose(double_model.forecast(x0, times), whole, rtol=0, atol=1e-13)
