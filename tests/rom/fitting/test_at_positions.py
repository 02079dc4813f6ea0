"""One model for data on differing, moving or scattered positions, from Datasets to forecasts at any position."""

import numpy as np
import pytest
import torch
import xarray as xr
from burgers_on_grids import SIZES, TIMES, UNSEEN, burgers, interpolated, scattered

import rom
import systems


def test_forecasts_at_unseen_positions_are_those_on_the_grids(free):
    """Exactly so in the space of the model, and by an interpolation that knows nothing of it, to the space's accuracy."""
    x0 = burgers(96).sample_initial(3, seed=9)
    forecast = free.forecast(x0, TIMES)
    unseen = free.forecast(x0, TIMES, at={"x": UNSEEN})
    assert unseen["state"].dims == ("trajectory", "time", "x")
    np.testing.assert_array_equal(unseen["x"], UNSEEN)
    np.testing.assert_array_equal(unseen["valid"], forecast["valid"])
    space = free._layout.space
    on_grid = space.coefficients(forecast["state"].values, (forecast["x"].values,))
    np.testing.assert_allclose(unseen["state"], space.values(on_grid, (UNSEEN,)), atol=1e-11)
    np.testing.assert_allclose(unseen["state"], interpolated(forecast["state"].values, UNSEEN), atol=2e-3)


def test_what_grid_a_state_comes_on_makes_no_difference(free):
    t = TIMES[::5]
    forecasts = [free.forecast(burgers(n).sample_initial(2, seed=9), t, at={"x": UNSEEN})["state"] for n in SIZES]
    assert forecasts[0].shape == (2, 5, 500)
    for one in forecasts[1:]:
        np.testing.assert_allclose(one, forecasts[0], atol=1e-3 * float(abs(forecasts[0]).max()))


def test_the_space_of_the_coarsest_grid_holds_the_data(free):
    assert free.history.attrs["lost_in_space"] < 1e-5
    assert [axis.n for axis in free._layout.space.axes] == [36]
    assert free._layout.space.axes[0].length == pytest.approx(2 * np.pi)
    assert "function: 36" in repr(free)


def test_the_derivative_of_the_encoder_along_f_is_that_of_finite_differences(free):
    """On a grid of no training data, through torch, in float64."""
    system = burgers(80)
    x = torch.from_numpy(system.sample_initial(4, seed=3).values)
    f, at = system.rhs(x), {"x": system.coords["x"]}
    _, velocity = torch.func.jvp(lambda u: free.encode(u, at=at), (x,), (f,))
    h = 1e-6
    differences = (free.encode(x + h * f, at=at) - free.encode(x - h * f, at=at)) / (2 * h)
    np.testing.assert_allclose(velocity, differences, rtol=1e-6, atol=1e-6 * float(velocity.abs().max()))


def test_residuals_are_the_same_on_every_grid(free):
    found = []
    for n in SIZES:
        x = burgers(n).sample_initial(3, seed=3)
        residual = free.residual(x, burgers(n).rhs(x))
        assert residual.dims == ("trajectory", "latent")
        found.append(residual.values)
    np.testing.assert_allclose(found[1], found[2], atol=0.02 * np.abs(found[2]).max())


def test_training_on_moving_and_scattered_points(burgers_data, spline_config):
    """Together: one set at fixed points, one at points that move, one on its grid, whose forecasts are known."""
    rng = np.random.default_rng(0)
    coarse, medium, fine = burgers_data[0]
    sets = [scattered(coarse, rng.uniform(-3, 3, 90)), scattered(medium, rng.uniform(-3, 3, (6, 21, 90))), fine]
    model = rom.fit(None, trajectories=sets, latent_dim=8, config=spline_config)
    assert model.history.attrs["lost_in_space"] < 0.01
    for runs in (fine, sets[1]):
        errors = rom.evaluate(model, runs).sel(rom="fitted")
        assert float(errors["relative_error"].median()) < 0.4


def test_a_saved_model_is_the_same_bit_by_bit(free, tmp_path):
    free.save(tmp_path / "free.safetensors")
    back = rom.load(tmp_path / "free.safetensors")
    assert back._layout == free._layout
    assert back.config == free.config
    x0 = burgers(64).sample_initial(2, seed=9)
    for start in (x0, x0.isel(x=[3, 20, 40, 55])):
        np.testing.assert_array_equal(back.encode(start), free.encode(start))
        ours, theirs = (one.forecast(start, TIMES, at={"x": UNSEEN}) for one in (free, back))
        xr.testing.assert_identical(ours, theirs)


def test_decode_is_a_function_of_positions(free):
    x0 = burgers(64).sample_initial(2, seed=9)
    z = free.encode(x0)
    decoded = free.decode(z, at={"x": UNSEEN})
    assert decoded.dims == ("trajectory", "x")
    forecast = free.forecast(x0, [0.0], at={"x": UNSEEN})
    np.testing.assert_allclose(decoded, forecast["state"].isel(time=0), atol=1e-12)
    np.testing.assert_allclose(free.decode(z.values, at={"x": UNSEEN}), decoded)
    latent = torch.tensor(z.values, requires_grad=True)
    free.decode(latent, at={"x": UNSEEN}).sum().backward()
    assert latent.grad is not None
    track = xr.DataArray(UNSEEN.reshape(20, 25), dims=("row", "column"))
    assert free.decode(z, at={"x": track}).dims == ("trajectory", "row", "column")


def test_errors_are_those_of_the_domain(free, burgers_data):
    """Sums over coefficients are integrals: the same, to the accuracy of the space, as means over a fine grid."""
    runs = burgers_data[0][2]
    errors = rom.evaluate(free, runs).sel(rom="fitted")
    difference = free.forecast(runs["state"].isel(time=0), TIMES)["state"] - runs["state"]
    np.testing.assert_allclose(errors["mse"], (difference**2).mean(("trajectory", "x")), rtol=1e-2, atol=1e-9)
    relative = np.sqrt((difference**2).sum(("trajectory", "x")) / (runs["state"] ** 2).sum(("trajectory", "x")))
    np.testing.assert_allclose(errors["relative_error"], relative, rtol=1e-2, atol=1e-6)


def test_a_system_is_used_on_its_own_grid(spline_config):
    """Simulated and collocated there; its f is asked at no other states."""
    system = burgers(48)
    model = rom.fit(system, 100, n_trajectories=5, latent_dim=6, config=spline_config)
    assert model.history.attrs["f_evaluations"] == 100
    assert model.history.attrs["n_fresh_flows"] == 0
    runs = systems.simulate(system, 5, TIMES, seed=0)
    box = systems.from_rhs(system.rhs, 48, dims=("x",), coords={"x": system.coords["x"]})
    model = rom.fit(box, 60, trajectories=runs, latent_dim=6, config=spline_config)  # near the trajectories
    assert model.history.attrs["f_evaluations"] == 60


def test_components_on_grids_of_the_plane(spline_config):
    """Two velocities on a plane: coefficients of each component; forecasts on a grid, and at points."""
    coarse, fine = (systems.Burgers2D(n=n, viscosity=0.1) for n in (12, 16))
    t = np.linspace(0.0, 0.5, 6)
    runs = [systems.simulate(system, 5, t, seed=k) for k, system in enumerate((coarse, fine))]
    model = rom.fit(None, trajectories=runs, latent_dim=4, config=spline_config)
    assert model.shape == (2, 81)
    x0 = fine.sample_initial(2, seed=9)
    grid = model.forecast(
        x0.transpose("x", "component", "trajectory", "y"), t, at={"x": [0.1, 0.2, 0.3], "y": [1.0, 2.0]}
    )
    assert grid["state"].dims == ("trajectory", "time", "component", "y", "x")
    assert grid["component"].values.tolist() == ["u", "v"]
    points = {"x": xr.DataArray([0.1, 0.3], dims="p"), "y": xr.DataArray([2.0, 1.0], dims="p")}
    some = model.forecast(x0, t, at=points)
    assert some["state"].dims == ("trajectory", "time", "component", "p")
    np.testing.assert_allclose(some["state"].isel(p=0), grid["state"].sel(x=0.1, y=2.0), atol=1e-12)
    np.testing.assert_allclose(some["state"].isel(p=1), grid["state"].sel(x=0.3, y=1.0), atol=1e-12)
    assert model.forecast(x0, t)["state"].dims == ("trajectory", "time", "component", "y", "x")


def test_fields_under_names_of_their_own(burgers_data, spline_config):
    """Two variables of one state, in other units, on two grids."""

    def fields(dataset, factor=300.0):
        return xr.Dataset({"u": dataset["state"].assign_attrs(units="m s-1"), "heat": factor * dataset["state"] ** 2})

    model = rom.fit(None, trajectories=[fields(one) for one in burgers_data[0][:2]], latent_dim=6, config=spline_config)
    assert model.fields == ("u", "heat")
    start = fields(burgers_data[0][2]).isel(time=0)
    forecast = model.forecast(start, TIMES, at={"x": UNSEEN})
    assert forecast["heat"].dims == ("trajectory", "time", "x")
    assert forecast["u"].attrs["units"] == "m s-1"
    truth = fields(burgers_data[0][2])
    there = model.forecast(start, TIMES)
    squares = [sum(float((one[name] ** 2).sum()) for name in ("u", "heat")) for one in (there - truth, truth)]
    errors = rom.evaluate(model, truth).sel(rom="fitted")
    told = np.sqrt(float(errors["trajectory_mse"].sum()) / (squares[1] / truth["u"].size / 2))
    assert told / np.sqrt(6) == pytest.approx(np.sqrt(squares[0] / squares[1]), rel=0.02)
    latent = model.encode(start)
    assert set(model.decode(latent, at={"x": UNSEEN})) == {"u", "heat"}
    few = {"u": start["u"].isel(x=[1, 40]), "heat": start["heat"].isel(x=[1, 30, 60])}
    assert model.encode(few).dims == ("trajectory", "latent")
    with pytest.raises(rom.RomValueError, match="x has no field 'heat'"):
        model.encode({"u": start["u"]})
    with pytest.raises(rom.RomValueError, match="units of 'ft s-1'"):
        model.encode(start.assign(u=start["u"].assign_attrs(units="ft s-1")))


def test_settings_travel_as_json():
    config = rom.FitConfig(space=rom.Coordinate((8, 9), degree=3))
    assert rom.FitConfig.from_dict(config.to_dict()) == config
    assert rom.FitConfig.from_dict(rom.FitConfig().to_dict()).space is None
    with pytest.raises(rom.RomValueError, match=r"unknown setting 'degre'.*'degree'"):
        rom.FitConfig.from_dict({"space": {"degre": 3}})
    with pytest.raises(rom.RomValueError, match=r"Coordinate.n_functions must be at least 6"):
        rom.Coordinate(5)
    with pytest.raises(rom.RomTypeError, match=r"FitConfig.space must be rom.Coordinate\(...\) or None"):
        rom.FitConfig(space=5)  # pyright: ignore[reportArgumentType]


def test_a_probe_and_states_with_several_leading_dimensions(free, burgers_data):
    runs = burgers_data[0][0]["state"]
    assert free.encode(runs.isel(x=3)).dims == ("trajectory", "time", "latent")
    latent = free.encode(runs)
    assert latent.dims == ("trajectory", "time", "latent")
    np.testing.assert_array_equal(free.encode(runs.transpose("x", "trajectory", "time")), latent)
    np.testing.assert_allclose(latent[2, 3], free.encode(runs[2, 3]), atol=1e-12)


def test_pairs_may_call_a_field_state(burgers_data, spline_config, tmp_path):
    """What the space leaves is told for each field of the model, whatever the data call it."""
    runs = [one.rename(state="u") for one in burgers_data[0]]
    model = rom.fit(None, trajectories=runs, collocation=burgers_data[1], latent_dim=4, config=spline_config)
    few = runs[0]["u"].isel(time=0, x=[1, 20, 40])
    model.save(tmp_path / "model.safetensors")
    again = rom.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.encode(few), model.encode(few))


def test_the_latent_space_is_judged_alike_on_every_grid(free, burgers_data):
    """The states are those of one set of coefficients, so nothing depends on where their values lie."""
    latent = free.encode(burgers_data[0][0]["state"])
    one, other = (
        rom.latent_quality(free, free.decode(latent, at={"x": x}))
        for x in (burgers_data[0][1]["x"], burgers_data[0][2]["x"])
    )
    assert 1.0 < one.attrs["effective_dimension"] <= free.latent_dim
    xr.testing.assert_allclose(one, other, rtol=1e-6)
    assert one.attrs == pytest.approx(other.attrs, rel=1e-6)


def test_the_latent_space_is_drawn_all_over_the_domain(free, burgers_data, tmp_path):
    """Traversals are fields over the whole domain, whichever positions the states have."""
    few = burgers_data[0][0]["state"].isel(x=slice(0, 40, 3))
    axes = rom.plotting.plot_traversal(free, few, tmp_path / "traversal.png").axes[0]
    places = axes.lines[0].get_xdata()
    assert len(places) == 256
    assert places[0] == pytest.approx(free._layout.space.axes[0].low)
    assert axes.get_xlabel() == "x"
    rom.plotting.plot_manifold(free, few, tmp_path / "manifold.png")
    assert all((tmp_path / f"{name}.png").stat().st_size > 10_000 for name in ("traversal", "manifold"))
