"""States of several named variables: stacked, fitted from files of other programs, and forecast under their own names."""

import dataclasses

import numpy as np
import pytest
import torch
import xarray as xr

import rom
from rom.data.fields import Field, locate_component, slices_of, unstacked
from rom.data.lazy import LazyStates
from rom.data.read_collocation import as_collocation
from rom.data.read_trajectories import as_trajectories
from rom.models.evaluation import closed_form_of
from rom.plotting import plot_forecast

T = np.linspace(0.0, 4.0, 41)
CELLS, NODES = np.linspace(0.1, 0.9, 5), np.linspace(0.0, 1.0, 6)


def run(seed, t=T):
    """One run (time, ...) of a slowly damped swing, seen as pressure on cells, temperature on nodes, and a flow rate."""
    size, phase = 1 + np.random.default_rng(seed).random(), np.random.default_rng([seed, 1]).random()
    one = size * np.exp(-0.1 * t) * np.cos(2 * t + phase)
    other = size * np.exp(-0.1 * t) * np.sin(2 * t + phase)
    return xr.Dataset(
        {
            "pressure": (("time", "cell"), 3 * one[:, None] * np.sin(CELLS), {"units": "Pa", "long_name": "gauge"}),
            "temperature": (("time", "node"), 300 + other[:, None] * np.cos(NODES), {"units": "K"}),
            "rate": ("time", one + other),
            "area": ("cell", np.ones(5), {"units": "m2"}),
        },
        {"time": ("time", t, {"units": "s"}), "cell": ("cell", CELLS, {"units": "m"}), "node": ("node", NODES)},
    )


@pytest.fixture(scope="module")
def several():
    return xr.concat([run(k) for k in range(8)], "trajectory", data_vars="all").assign_coords(trajectory=np.arange(8))


@pytest.fixture(scope="module")
def model(several, small):
    return rom.fit(None, trajectories=several, latent_dim=2, config=small)


def start(seed=100):
    return run(seed).isel(time=0)


def test_fields_are_stacked_in_order_and_come_back(several):
    (group,), layout = as_trajectories(several)
    assert [one.name for one in layout.fields] == ["pressure", "temperature", "rate"]
    assert layout.field_slices == (slice(0, 5), slice(5, 11), slice(11, 12))
    assert (layout.dims, layout.shape) == (("component",), (12,))
    back = unstacked(group.states, layout.fields)
    for name in ("pressure", "temperature", "rate"):
        np.testing.assert_array_equal(back[name], several[name].transpose("trajectory", "time", ...))


def test_where_fields_lie():
    fields = [Field("a", ("x", "y"), (2, 3)), Field("b", (), ())]
    assert slices_of(fields) == (slice(0, 6), slice(6, 7))
    assert [locate_component(k, fields) for k in (0, 4, 6)] == [("a", (0, 0)), ("a", (1, 1)), ("b", ())]


def test_one_run_is_one_trajectory():
    (group,), layout = as_trajectories(run(0))
    assert group.states.shape == (1, 41, 12)
    (same,), plain = as_trajectories(run(0)[["pressure"]].rename(pressure="state"))
    np.testing.assert_array_equal(same.states, group.states[..., :5])
    assert (plain.dims, plain.fields, layout.time_attrs) == (("cell",), (), {"units": "s"})
    groups, _ = as_trajectories([run(0), run(1, T[:20]), run(2, T[:20])])
    assert [group.states.shape for group in groups] == [(1, 41, 12), (2, 20, 12)]


def test_forecasts_have_the_variables_of_the_data(model, several):
    truth = run(100)
    forecast = model.forecast(start(), truth["time"])
    assert list(forecast.data_vars) == ["pressure", "temperature", "rate", "valid"]
    for name in ("pressure", "temperature", "rate"):
        assert forecast[name].dims == truth[name].dims
        assert forecast[name].attrs == truth[name].attrs
        error = np.abs(forecast[name] - truth[name]).max() / np.abs(truth[name] - truth[name].mean()).max()
        assert error < 0.2
    xr.testing.assert_identical(forecast["cell"], truth["cell"])
    assert forecast["time"].attrs == {"units": "s"}
    many = model.forecast(several.isel(time=0), T)
    assert many["temperature"].dims == ("trajectory", "time", "node")
    assert many["rate"].dims == ("trajectory", "time")
    one = model.forecast(several.isel(time=0, trajectory=3), T)
    xr.testing.assert_allclose(one["pressure"], many["pressure"].isel(trajectory=3, drop=True), rtol=1e-4, atol=1e-5)


def test_fields_at_different_points_have_no_network_on_fields(several, small, monkeypatch):
    monkeypatch.setattr("rom.fitting.fit_model.prepare", None)
    config = dataclasses.replace(small, network=rom.Convolutional())
    with pytest.raises(rom.RomValueError, match="a network on fields needs all of them at the same points"):
        rom.fit(None, trajectories=several, latent_dim=2, config=config)


def test_points_of_a_forecast(model):
    whole, part = model.forecast(start(), T), model.forecast(start(), T, points={"cell": [0, 2]})
    xr.testing.assert_allclose(part, whole.isel(cell=[0, 2]), rtol=1e-5)
    with pytest.raises(rom.RomValueError, match="unknown dimension 'cells'; did you mean 'cell'"):
        model.forecast(start(), T, points={"cells": 0})


def test_kinds_of_states(model, several):
    flat = np.concatenate([several["pressure"], several["temperature"], several["rate"].values[..., None]], axis=-1)
    labelled = model.encode(several)
    assert labelled.dims == ("trajectory", "time", "latent")
    np.testing.assert_array_equal(model.encode(flat), labelled)
    np.testing.assert_array_equal(model.encode({name: several[name].values for name in model.fields}), labelled)
    tensors = {name: torch.tensor(several[name].values, requires_grad=True) for name in model.fields}
    encoded = model.encode(tensors)
    encoded.sum().backward()
    assert encoded.dtype == torch.float64
    assert tensors["rate"].grad is not None
    back = model.decode(labelled)
    assert back["temperature"].dims == ("trajectory", "time", "node")
    assert model.decode(labelled.values).shape == (8, 41, 12)
    rates = several.differentiate("time")
    for name in model.fields:
        rates[name].attrs["units"] = "per second"  # a derivative has units of its own
    residual = model.residual(several, rates)
    assert residual.dims == ("trajectory", "time", "latent")
    turned = model.encode(several.transpose("node", "cell", "time", "trajectory"))
    np.testing.assert_array_equal(turned.transpose("trajectory", "time", "latent"), labelled)


def test_saved_loaded_evaluated_and_drawn(model, several, tmp_path):
    model.save(tmp_path / "model.safetensors")
    loaded = rom.load(tmp_path / "model.safetensors")
    forecast = model.forecast(start(), T)
    xr.testing.assert_identical(loaded.forecast(start(), T), forecast)
    assert loaded._layout == model._layout
    assert "pressure, temperature, rate; cell: 5, node: 6" in repr(loaded)
    errors = rom.evaluate(loaded, several)
    assert float(errors["relative_error"].sel(rom="fitted").max()) < 0.2
    assert rom.evaluate(loaded, run(100)).sizes["trajectory"] == 1
    assert set(closed_form_of(model).forecast(start(), T).data_vars) == {*model.fields, "valid"}
    for names in (["pressure"], ["rate"], ["pressure", "temperature", "rate"]):
        assert plot_forecast(run(100), forecast[[*names, "valid"]]).axes


@pytest.fixture
def files(tmp_path):
    for k in range(6):
        run(k).to_netcdf(tmp_path / f"run_{k}.nc", engine="h5netcdf")
    return sorted(tmp_path.glob("run_*.nc"))


def test_files_of_another_program(files, small):
    runs = xr.open_mfdataset(files, combine="nested", concat_dim="trajectory", data_vars="all", engine="h5netcdf")
    with runs:
        (group,), _ = as_trajectories(runs)
        assert isinstance(group.states, LazyStates)
        np.testing.assert_array_equal(group.states.array[:, :, :5], runs["pressure"])
        model = rom.fit(None, trajectories=runs, latent_dim=2, config=small)
        assert float(rom.evaluate(model, runs)["relative_error"].sel(rom="fitted").max()) < 0.2


def test_single_files_are_read_in_blocks(files):
    parts = [xr.open_dataset(path, engine="h5netcdf") for path in files]
    groups, _ = as_trajectories(parts)
    assert all(isinstance(group.states, LazyStates) for group in groups)
    read = np.concatenate([states for group in groups for _, _, states in group.blocks()])
    np.testing.assert_array_equal(read[:, :, 11], [run(k)["rate"] for k in range(6)])
    for part in parts:
        part.close()


def test_zarr(several, tmp_path):
    pytest.importorskip("zarr")
    several.to_zarr(tmp_path / "runs.zarr", consolidated=False)
    (group,), layout = as_trajectories(xr.open_zarr(tmp_path / "runs.zarr", consolidated=False))
    assert isinstance(group.states, LazyStates)
    # Such a store keeps no order of variables.
    assert sorted(layout.fields, key=lambda one: one.name) == sorted(
        as_trajectories(several)[1].fields, key=lambda one: one.name
    )


def test_chunks_of_all_kinds_give_the_same_states(several, monkeypatch):
    (expected,), _ = as_trajectories(several)
    monkeypatch.setattr("rom.data.lazy.BLOCK_BYTES", 20 * 12 * 8)
    for chunks in ({"trajectory": 2, "time": 7}, {"cell": 2, "node": 3}, {"time": 5, "node": 1}):
        (group,), _ = as_trajectories(several.chunk(chunks))
        states = np.full(expected.states.shape, np.nan)
        for chosen, within, block in group.blocks():
            states[chosen, within] = block
        np.testing.assert_array_equal(states, expected.states)
    mixed = several.assign(temperature=several["temperature"].chunk({"time": 10}))
    assert isinstance(as_trajectories(mixed)[0][0].states, LazyStates)


def test_collocation_of_fields(several, small):
    points = several.stack(point=("trajectory", "time")).reset_index("point").drop_vars(["trajectory", "time"])
    states, rates = (part.drop_vars("area").transpose("point", ...) for part in (points, points.copy()))
    pairs, layout = as_collocation((states, rates))
    assert layout.field_slices[2] == slice(11, 12)
    assert pairs.states.shape == pairs.time_derivatives.shape == (8 * 41, 12)
    model = rom.fit(None, trajectories=several, collocation=(states, rates), latent_dim=2, config=small)
    assert model.fields == ("pressure", "temperature", "rate")
    in_celsius = states.assign(temperature=states["temperature"].assign_attrs(units="degC"))
    with pytest.raises(rom.RomValueError, match="collocation: 'temperature' has units of 'degC', but 'K'"):
        rom.fit(None, trajectories=several, collocation=(in_celsius, rates), latent_dim=2, config=small)
    with pytest.raises(rom.RomValueError, match=r"collocation=\(states, time_derivatives\)"):
        as_collocation(states)
    with pytest.raises(rom.RomValueError, match=r"time_derivatives has no variable 'rate'"):
        as_collocation((states, rates.drop_vars("rate")))
    with pytest.raises(rom.RomValueError, match=r"time_derivatives\['pressure'\] has shape \(3, 5\)"):
        as_collocation((states, rates.isel(point=slice(3))))


def test_dates_are_refused_with_the_line_that_makes_seconds():
    for origin in (np.datetime64("2024-01-01", "ns"), np.timedelta64(0, "ns")):
        dataset = run(0).assign_coords(time=origin + (1e9 * T).astype("timedelta64[ns]"))
        with pytest.raises(rom.RomTypeError, match="make seconds since the start") as caught:
            as_trajectories(dataset)
        names = {"dataset": dataset, "np": np}
        exec(str(caught.value).splitlines()[-1].strip(), names)
        (group,), layout = as_trajectories(names["dataset"])
        np.testing.assert_allclose(group.times, T)
        assert layout.time_attrs == {"units": "s"}
    with pytest.raises(rom.RomTypeError, match=r"\(times - times\[0\]\)"):
        as_trajectories((T.astype("datetime64[s]"), np.ones((1, 41, 3))))


def units(dataset, variable, new):
    changed = dataset.copy()
    changed[variable] = changed[variable].assign_attrs(units=new)
    return changed


@pytest.mark.parametrize(("variable", "new"), [("temperature", "degC"), ("cell", "mm"), ("time", "ms")])
def test_units_that_differ(model, several, variable, new):
    other = units(several, variable, new)
    message = rf"'{variable}' has units of '{new}', but '.*' in .*attrs\['units'\]"
    with pytest.raises(rom.RomValueError, match=r"trajectories\[1\]: " + message):
        as_trajectories([several, other])
    with pytest.raises(rom.RomValueError, match=message):
        as_trajectories([units(several, variable, ""), several, other])
    with pytest.raises(rom.RomValueError, match=message):
        rom.evaluate(model, other)
    with pytest.raises(rom.RomValueError, match=message):
        model.forecast(other.isel(time=0), T)
    as_trajectories([several, units(several, variable, "")])
    as_trajectories([several, units(several, variable, "1")])


def test_times_of_a_forecast_in_other_units(model):
    with pytest.raises(rom.RomValueError, match="t: 'time' has units of 'ms', but 's' in this model"):
        model.forecast(start().drop_vars("time"), xr.DataArray(T, dims="time", attrs={"units": "ms"}))
    with pytest.raises(rom.RomTypeError, match=r"t must hold numbers, got datetime64"):
        model.forecast(start().drop_vars("time"), T.astype("datetime64[s]"))


def test_units_of_a_state_without_fields(runs, small):
    labelled = units(runs, "state", "K")
    model = rom.fit(None, trajectories=labelled, latent_dim=2, config=small)
    with pytest.raises(rom.RomValueError, match="x0: 'state' has units of 'degC', but 'K' in this model"):
        model.forecast(units(runs, "state", "degC")["state"].isel(time=0), [0.0, 1.0])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda d: d.drop_vars(["pressure", "temperature", "rate"]), ValueError, "nor fields .*rename dimensions"),
        (lambda d: d.assign(flag=d["rate"] > 0), TypeError, r"\['flag'\] must hold real .* dataset.drop_vars\('flag'\)"),
        (lambda d: d.assign(shared=("time", T)), ValueError, r"\['shared'\] .* needs 'trajectory'.*drop_vars\('shared'\)"),
        (lambda d: d.rename(rate="valid"), ValueError, "cannot be called 'valid'"),
        (lambda d: d.where(d["cell"] < 0.5), ValueError, r"pressure is nan at trajectory 0, time index 0, component \(2,\)"),
        (lambda d: d.where(d["cell"] < 0.5).chunk(), ValueError, r"pressure is nan at trajectory 0, time index 0, comp"),
        (lambda d: [d, d[["rate", "pressure", "temperature"]]], ValueError, r"dataset\[\['pressure', 'temperature', 'r"),
        (lambda d: [d, d.drop_vars("rate")], ValueError, "has the fields"),
        (lambda d: [d, d.isel(node=slice(3))], ValueError, r"'temperature' has dimensions \('node',\) of lengths \(3,\)"),
        (lambda d: [d, d.assign_coords(cell=2 * CELLS)], ValueError, "the grid 'cell' differs"),
    ],
)  # fmt: skip
def test_data_that_are_refused(several, change, error, message):
    with pytest.raises(error, match=message) as caught:
        as_trajectories(change(several))
    assert isinstance(caught.value, rom.RomError)


@pytest.mark.parametrize(
    ("x0", "message"),
    [
        (lambda: start().drop_vars("rate"), "x0 has no field 'rate'"),
        (lambda: start().isel(cell=slice(3)), r"x0\['pressure'\] has shape \(3,\)"),
        (lambda: {**start().data_vars, "rate": np.ones(4)}, r"x0\['rate'\] is a set of \(4,\) states, but x0\['pressure'\]"),
        (lambda: start().assign_coords(node=NODES[::-1]), r"the grid 'node' differs from that of this model"),
    ],
)  # fmt: skip
def test_initial_states_that_are_refused(model, x0, message):
    with pytest.raises(rom.RomValueError, match=message):
        model.forecast(x0(), T)


def waves(units):
    """Two fields that do not know of each other: one of 1e5 with a slow wave, one of 1e-2 with a fast one."""
    t, x = np.linspace(0.0, 6.0, 121), np.linspace(0.0, 1.0, 20)
    phase = np.random.default_rng(0).uniform(0, 6, (12, 2, 1, 1))
    amplitude = np.random.default_rng(1).uniform(0.5, 1.5, (12, 2, 1, 1))
    wave = amplitude * np.cos(np.array([1.0, 2.0])[:, None, None] * t[:, None] + 3 * x + phase)
    names = ("pressure", "temperature")
    data = {
        name: (("trajectory", "time", "x"), size * wave[:, k], {"units": units[k]})
        for k, (name, size) in enumerate(zip(names, (1e5, 1e-2), strict=True))
    }
    return xr.Dataset(data, {"time": t, "x": x})


def test_large_numbers_do_not_drown_small_ones():
    runs = waves(("Pa", "K"))
    model = rom.fit(
        None, trajectories=runs, latent_dim=4, config=rom.FitConfig(steps=20, hidden=(16,), latent_hidden=(8,))
    )
    truth = runs.isel(trajectory=slice(0, 3))
    forecast = model.forecast(truth.isel(time=0), truth["time"].values)
    for name in ("pressure", "temperature"):
        error = np.linalg.norm(forecast[name] - truth[name]) / np.linalg.norm(truth[name])
        assert error < 0.05, name


def test_fields_in_the_same_units_share_one_scale():
    def groups(units):
        return as_trajectories(waves(units))[1].field_groups

    assert [len(group) for group in groups(("m/s", "m/s"))] == [2]
    assert [len(group) for group in groups(("Pa", "K"))] == [1, 1]
    assert [len(group) for group in groups(("1", "1"))] == [1, 1]
