"""Pictures of forecasts: made without a display, not blank, with the right panels, labels and marks."""

import sys

import matplotlib
import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure
from rotating_model import legend_texts, panels, pixels

import rom
from rom.plotting import plot_forecast

T = np.linspace(0.0, 4.0, 21)


def field(n_trajectories=3, n=24):
    x = np.linspace(-1.0, 1.0, n)
    speed = 1.0 + np.arange(n_trajectories)[:, None, None]
    state = np.sin(np.pi * x - speed * T[:, None])
    coords = {
        "trajectory": np.arange(n_trajectories),
        "time": ("time", T, {"units": "s"}),
        "x": ("x", x, {"units": "m"}),
    }
    return xr.DataArray(state, dims=("trajectory", "time", "x"), coords=coords, attrs={"units": "K"})


def components(n, name="component"):
    state = np.cos(np.arange(1, n + 1) * T[:, None])[None]
    return xr.DataArray(state, dims=("trajectory", "time", name), coords={"time": T, name: np.arange(n)})


def forecast_like(truth, error=0.01, valid_until=None):
    valid = np.ones((truth.sizes["trajectory"], truth.sizes["time"]), dtype=bool)
    if valid_until is not None:
        valid[:, truth["time"].values > valid_until] = False
    state = (truth + error * np.sin(7 * truth["time"])).transpose(*truth.dims).assign_attrs(truth.attrs)
    return xr.Dataset({"state": state, "valid": (("trajectory", "time"), valid)})


def test_a_field_is_drawn_as_truth_forecast_difference_and_error():
    truth = field()
    figure = plot_forecast(truth, forecast_like(truth))
    assert isinstance(figure, Figure)
    assert [ax.get_title(loc="left") for ax in panels(figure)] == ["truth", "forecast", "forecast minus truth", ""]
    assert pixels(figure).std() > 10


def test_truth_and_forecast_share_a_scale_and_the_difference_is_symmetric_about_zero():
    truth = field()
    images = [ax.collections[0] for ax in panels(plot_forecast(truth, forecast_like(truth, error=0.5)))[:3]]
    assert images[0].get_clim() == images[1].get_clim()
    low, high = images[2].get_clim()
    assert low == -high
    assert high == pytest.approx(0.5, rel=0.05)


def test_axes_are_labelled_with_units():
    truth = field()
    figure = plot_forecast(truth, forecast_like(truth))
    labels = {ax.get_xlabel() for ax in figure.axes} | {ax.get_ylabel() for ax in figure.axes}
    assert {"time [s]", "x [m]", "state [K]", "difference [K]", "relative error"} <= labels


@pytest.mark.parametrize(("n", "lines"), [(3, 3), (8, 8), (100, 6)])
def test_components_are_drawn_as_lines_all_of_few_and_six_of_many(n, lines):
    truth = components(n)
    axes = panels(plot_forecast(truth, forecast_like(truth)))
    assert len(axes) == lines + 1
    assert axes[0].get_ylabel() == "component 0"
    assert axes[lines - 1].get_ylabel() == f"component {n - 1}"
    np.testing.assert_array_equal(axes[0].lines[0].get_ydata(), truth.values[0, :, 0])


def test_components_with_names_are_called_by_them():
    truth = components(2, "species").assign_coords(species=["u", "v"])
    assert [ax.get_ylabel() for ax in panels(plot_forecast(truth, forecast_like(truth)))[:2]] == ["u", "v"]


def test_states_of_several_dimensions_are_drawn_as_lines():
    truth = xr.concat([field(1), 2 * field(1)], dim="species").transpose("trajectory", "time", "species", "x")
    axes = panels(plot_forecast(truth, forecast_like(truth)))
    assert len(axes) == 7
    assert axes[0].get_ylabel() == "species 0, x -1"


def test_the_error_is_that_of_evaluate():
    truth = field(2)
    forecast = forecast_like(truth, error=0.1)
    difference = forecast["state"] - truth
    expected = np.sqrt((difference**2).sum("x") / (truth**2).sum("x"))
    error_lines = panels(plot_forecast(truth, forecast, trajectory=1))[-1].lines
    np.testing.assert_allclose(error_lines[-1].get_ydata(), expected.sel(trajectory=1), rtol=1e-12)
    np.testing.assert_allclose(error_lines[0].get_ydata(), expected.sel(trajectory=0), rtol=1e-12)


def test_the_end_of_validity_and_the_training_horizon_are_marked():
    truth = field()
    figure = plot_forecast(truth, forecast_like(truth, valid_until=2.0), training_horizon=1.0)
    assert "training horizon" in legend_texts(figure)
    assert "not valid from 2.2 on" in legend_texts(figure)
    clean = plot_forecast(truth, forecast_like(truth))
    assert not [text for text in legend_texts(clean) if "valid" in text or "horizon" in text]


@pytest.mark.parametrize("make", [field, lambda: components(3)])
def test_values_that_are_not_finite_are_left_out(make):
    truth = make()
    forecast = forecast_like(truth, valid_until=2.0)
    forecast["state"][:, 12:] = np.nan
    assert pixels(plot_forecast(truth, forecast)).std() > 5


@pytest.mark.parametrize("make", [field, lambda: components(3)])
def test_a_forecast_that_diverges_does_not_flatten_the_truth(make):
    truth = make()
    forecast = forecast_like(truth)
    forecast["state"][:, 12:] *= 1e6
    axes = panels(plot_forecast(truth, forecast))
    scale = axes[0].collections[0].get_clim() if axes[0].collections else axes[0].get_ylim()
    assert max(map(abs, scale)) < 5


def test_an_exact_forecast_is_drawn():
    truth = field()
    assert pixels(plot_forecast(truth, forecast_like(truth, error=0.0))).std() > 5


@pytest.mark.parametrize("make", [field, lambda: components(3)])
def test_a_forecast_alone_is_drawn(make):
    forecast = forecast_like(make())
    assert pixels(plot_forecast(None, forecast.isel(trajectory=0))).std() > 5


def test_a_dataset_or_one_trajectory_serves_as_truth():
    truth, forecast = field(), forecast_like(field())
    one = plot_forecast(truth.isel(trajectory=0), forecast.isel(trajectory=0))
    many = plot_forecast(truth.to_dataset(name="state").isel(trajectory=[0]), forecast.isel(trajectory=[0]))
    np.testing.assert_array_equal(pixels(one), pixels(many))


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_a_picture_is_written(tmp_path, suffix):
    truth = field()
    path = tmp_path / f"picture.{suffix}"
    plot_forecast(truth, forecast_like(truth), path)
    assert path.stat().st_size > 5000


def test_pyplot_and_the_settings_of_matplotlib_are_left_alone():
    before = dict(matplotlib.rcParams)
    truth = field()
    figure = plot_forecast(truth, forecast_like(truth))
    assert dict(matplotlib.rcParams) == before
    if "matplotlib.pyplot" in sys.modules:
        assert sys.modules["matplotlib.pyplot"].get_fignums() == []
    assert figure._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.isel(time=slice(0, 5)), "truth has 5 along 'time', forecast 21"),
        (lambda t: t.assign_coords(time=T + 0.1), "different times"),
        (lambda t: t.rename(x="y"), "truth has dimensions"),
        (lambda t: t.values, "truth must be a DataArray"),
    ],
)
def test_truth_that_does_not_fit_is_refused(change, words):
    with pytest.raises(rom.RomError, match=words):
        plot_forecast(change(field()), forecast_like(field()))


def test_other_unusable_arguments_are_refused(tmp_path):
    truth, forecast = field(), forecast_like(field())
    with pytest.raises(rom.RomTypeError, match=r"what model\.forecast returned"):
        plot_forecast(truth, forecast["state"])
    with pytest.raises(rom.RomValueError, match="trajectory is 3"):
        plot_forecast(truth, forecast, trajectory=3)
    with pytest.raises(rom.RomValueError, match="at least 2 times"):
        plot_forecast(None, forecast.isel(time=[0]))
    with pytest.raises(rom.RomValueError, match="suffix"):
        plot_forecast(truth, forecast, tmp_path / "picture.txt")
    with pytest.raises(rom.RomValueError, match="does not exist"):
        plot_forecast(truth, forecast, tmp_path / "nowhere" / "picture.png")


def plane(n_times=9, n_trajectories=2, shift=0.0):
    """Return waves over a plane, with dimensions (trajectory, time, y, x)."""
    coords = {"time": np.linspace(0, 2, n_times), "y": np.linspace(0, 1, 12), "x": np.linspace(0, 2, 20)}
    t, y, x = np.meshgrid(*coords.values(), indexing="ij")
    state = np.stack([np.sin(3 * (x - t) + k + shift) * np.cos(y) for k in range(n_trajectories)])
    return xr.DataArray(state, coords, ("trajectory", "time", "y", "x"), "vorticity", {"units": "1/s"})


def test_a_field_over_a_plane_is_drawn_at_some_times(tmp_path):
    """Rows of truth, forecast and difference at four times, and the errors over all times below."""
    valid = xr.DataArray(np.arange(9) < 6, dims="time").expand_dims(trajectory=2)
    forecast = xr.Dataset({"state": plane(shift=0.1), "valid": valid})
    figure = plot_forecast(plane(), forecast, tmp_path / "plane.png", training_horizon=1.0)
    images = [ax for ax in figure.axes if ax.collections and ax.get_label() != "<colorbar>"]
    assert len(images) == 12
    assert images[0].get_title() == "t = 0"
    assert images[7].get_title(loc="right") == "not valid"
    assert images[4].get_title(loc="right") == ""
    np.testing.assert_allclose(images[0].collections[0].get_array(), plane()[0, 0])
    assert {"not valid from 1.5 on", "training horizon", "this trajectory"} <= set(legend_texts(figure))
    alone = plot_forecast(None, forecast.isel(trajectory=0))
    assert len([ax for ax in alone.axes if ax.get_label() != "<colorbar>"]) == 4
    many = plane().transpose("trajectory", "time", "x", "y").isel(y=slice(0, 3))  # three rows are components
    assert len(plot_forecast(None, xr.Dataset({"state": many, "valid": valid})).axes) == 6
