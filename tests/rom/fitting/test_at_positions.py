"""One model for data on differing, moving or scattered positions, from Datasets to forecasts at any position."""

import dataclasses

import numpy as np
import pytest
import torch
import xarray as xr

import rom
import systems
from rom.data.gappy_pod import GappyPOD, Prior

SIZES = (48, 64, 96)
TIMES = np.linspace(0.0, 2.0, 21)
UNSEEN = np.random.default_rng(0).uniform(-10.0, 10.0, 500)


def burgers(n):
    return systems.Burgers(n=n, viscosity=0.05)


@pytest.fixture(scope="module")
def config(double):
    return dataclasses.replace(double, space=rom.Coordinate())


@pytest.fixture(scope="module")
def data():
    """Trajectories and collocation pairs on three grids."""
    trajectories = [systems.simulate(burgers(n), 6, TIMES, seed=n) for n in SIZES]
    return trajectories, [systems.collocate(burgers(n), 200, seed=n) for n in SIZES]


@pytest.fixture(scope="module")
def free(data, config):
    """A model of all three."""
    return rom.fit(None, trajectories=data[0], collocation=data[1], latent_dim=10, config=config)


def interpolated(values, at):
    """The trigonometric interpolant of values (..., n) on [-pi, pi) at positions (P,)."""
    n = values.shape[-1]
    k = np.fft.fftfreq(n, 1 / n)
    waves = np.exp(1j * k[:, None] * (at + np.pi))
    return (np.fft.fft(values) / n @ waves).real


def scattered(dataset, points):
    """The Dataset at points (P,), or (trajectory, time, P) where they move."""
    state = dataset["state"].values
    moves = points.ndim > 1
    values = (
        np.stack([[interpolated(x, at) for x, at in zip(*row, strict=True)] for row in zip(state, points, strict=True)])
        if moves
        else interpolated(state, points)
    )
    dims = ("trajectory", "time", "sensor")
    x = xr.DataArray(points, dims=dims if moves else "sensor", attrs={"period": 2 * np.pi})
    return xr.Dataset({"state": (dims, values)}, {"time": TIMES, "x": x})


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


NOISE = 0.1


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


def test_noise_is_a_number_of_values_at_positions(free, double_model, linear):
    x = burgers(48).sample_initial(2, seed=0)
    for ask in (free.encode, lambda x, noise: free.forecast(x, [0.0], noise=noise)):
        with pytest.raises(rom.RomValueError, match=r"noise must be finite, at least 0, got -0\.1"):
            ask(x, noise=-0.1)
        with pytest.raises(rom.RomTypeError, match="noise must be a number, got 'much'"):
            ask(x, noise="much")
    x0 = linear.sample_initial(1, seed=0)
    for ask in (double_model.encode, lambda x, noise: double_model.forecast(x, [0.0], noise=noise)):
        with pytest.raises(rom.RomValueError, match="noise was given, but only a model in a function space"):
            ask(x0, noise=0.1)


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


def test_training_on_moving_and_scattered_points(data, config):
    """Together: one set at fixed points, one at points that move, one on its grid, whose forecasts are known."""
    rng = np.random.default_rng(0)
    coarse, medium, fine = data[0]
    sets = [scattered(coarse, rng.uniform(-3, 3, 90)), scattered(medium, rng.uniform(-3, 3, (6, 21, 90))), fine]
    model = rom.fit(None, trajectories=sets, latent_dim=8, config=config)
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


def test_errors_are_those_of_the_domain(free, data):
    """Sums over coefficients are integrals: the same, to the accuracy of the space, as means over a fine grid."""
    runs = data[0][2]
    errors = rom.evaluate(free, runs).sel(rom="fitted")
    difference = free.forecast(runs["state"].isel(time=0), TIMES)["state"] - runs["state"]
    np.testing.assert_allclose(errors["mse"], (difference**2).mean(("trajectory", "x")), rtol=1e-2, atol=1e-9)
    relative = np.sqrt((difference**2).sum(("trajectory", "x")) / (runs["state"] ** 2).sum(("trajectory", "x")))
    np.testing.assert_allclose(errors["relative_error"], relative, rtol=1e-2, atol=1e-6)


def test_a_system_is_used_on_its_own_grid(config):
    """Simulated and collocated there; its f is asked at no other states."""
    system = burgers(48)
    model = rom.fit(system, 100, n_trajectories=5, latent_dim=6, config=config)
    assert model.history.attrs["f_evaluations"] == 100
    assert model.history.attrs["n_fresh_flows"] == 0
    runs = systems.simulate(system, 5, TIMES, seed=0)
    box = systems.from_rhs(system.rhs, 48, dims=("x",), coords={"x": system.coords["x"]})
    model = rom.fit(box, 60, trajectories=runs, latent_dim=6, config=config)  # near the trajectories
    assert model.history.attrs["f_evaluations"] == 60


def test_components_on_grids_of_the_plane(config):
    """Two velocities on a plane: coefficients of each component; forecasts on a grid, and at points."""
    coarse, fine = (systems.Burgers2D(n=n, viscosity=0.1) for n in (12, 16))
    t = np.linspace(0.0, 0.5, 6)
    runs = [systems.simulate(system, 5, t, seed=k) for k, system in enumerate((coarse, fine))]
    model = rom.fit(None, trajectories=runs, latent_dim=4, config=config)
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


def test_fields_under_names_of_their_own(data, config):
    """Two variables of one state, in other units, on two grids."""

    def fields(dataset, factor=300.0):
        return xr.Dataset({"u": dataset["state"].assign_attrs(units="m s-1"), "heat": factor * dataset["state"] ** 2})

    model = rom.fit(None, trajectories=[fields(one) for one in data[0][:2]], latent_dim=6, config=config)
    assert model.fields == ("u", "heat")
    start = fields(data[0][2]).isel(time=0)
    forecast = model.forecast(start, TIMES, at={"x": UNSEEN})
    assert forecast["heat"].dims == ("trajectory", "time", "x")
    assert forecast["u"].attrs["units"] == "m s-1"
    truth = fields(data[0][2])
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


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            lambda runs: (TIMES, runs["state"].values),
            rom.RomTypeError,
            "trajectories must be an xarray.Dataset whose coord",
        ),
        (lambda runs: [runs, 5], rom.RomTypeError, r"trajectories\[1\] must be an xarray.Dataset.* got int"),
        (lambda runs: runs.drop_vars("x"), rom.RomValueError, r"no coordinate along 'x'.*assign_coords\(x=...\), or"),
        (
            lambda runs: runs.assign_coords(x=np.arange("2000", "2048", dtype="M8[Y]").astype("M8[ns]")),
            rom.RomValueError,
            "none of them has positions",
        ),
        (
            lambda runs: [runs, runs.rename(x="y")],
            rom.RomValueError,
            r"trajectories\[1\]\['state'\] lies on the axes y, but",
        ),
        (lambda runs: runs.isel(x=slice(6)), rom.RomValueError, "too few positions along 'x' for splines of degree 5"),
        (
            lambda runs: runs.where(runs["x"] < 3),
            rom.RomValueError,
            r"trajectories\['state'\] is nan at trajectory index 0, time",
        ),
        (
            lambda runs: runs.assign_coords(x=runs["x"].assign_attrs(period=-1.0)),
            rom.RomValueError,
            r"attrs\['period'\] must be a positive number, got -1.0",
        ),
    ],
)
def test_data_without_positions_are_refused(change, error, message, data, config):
    with pytest.raises(error, match=message):
        rom.fit(None, trajectories=change(data[0][0]), latent_dim=3, config=config)


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (
            lambda m, x: m.forecast(x.values, TIMES),
            rom.RomTypeError,
            "x0 has no positions: pass a DataArray with the coordinates x",
        ),
        (lambda m, x: m.encode(x.values), rom.RomTypeError, r"x has no positions.*encode\(x, at=\{'x': ...\}\)"),
        (lambda m, x: m.encode(x.drop_vars("x")), rom.RomValueError, "x has no coordinate 'x', so nobody knows"),
        (
            lambda m, x: m.encode(x, at={"x": x["x"].values}),
            rom.RomValueError,
            "at: the coordinates of x already hold its positions",
        ),
        (
            lambda m, x: m.encode(x.values, at={"x": [0.0, 1.0]}),
            rom.RomValueError,
            r"x has shape \(2, 48\).* end in \(2,\)",
        ),
        (lambda m, x: m.forecast(x, TIMES, points={"x": [0]}), rom.RomTypeError, "points: .*at=..."),
        (lambda m, x: m.forecast(x, TIMES, at={"y": [0.0]}), rom.RomValueError, "at: unknown axis 'y'; valid names: x"),
        (lambda m, x: m.forecast(x, TIMES, at={}), rom.RomValueError, "at: positions along 'x' are missing"),
        (lambda m, x: m.forecast(x, TIMES, at={"x": []}), rom.RomValueError, r"at\['x'\] is empty"),
        (
            lambda m, x: m.forecast(x, TIMES, at={"x": ["a"]}),
            rom.RomTypeError,
            r"at\['x'\] must hold numbers to be a position",
        ),
        (lambda m, x: m.forecast(x, TIMES, at={"x": [[0.0]]}), rom.RomValueError, r"at\['x'\] has shape \(1, 1\)"),
        (lambda m, x: m.forecast(x, TIMES, at=[0.0]), rom.RomTypeError, "at must map axes to positions"),
        (lambda m, x: m.forecast(x, TIMES, at={"x": [0.0, np.nan]}), rom.RomValueError, "at: position 1 has x = nan"),
        (lambda m, x: m.decode(m.encode(x)), rom.RomTypeError, "at is missing: give the positions"),
    ],
)
def test_models_say_what_they_need_to_be_asked(ask, error, message, free):
    with pytest.raises(error, match=message):
        ask(free, burgers(48).sample_initial(2, seed=0))


def test_positions_outside_of_a_bounded_domain_are_named(config):
    """Heat in a rod: no period, and the domain is what the data cover."""
    runs = [systems.simulate(systems.Heat(n=n), 5, np.linspace(0, 0.1, 6), seed=n) for n in (24, 32)]
    model = rom.fit(None, trajectories=runs, latent_dim=3, config=config)
    x0 = systems.Heat(n=32).sample_initial(1, seed=0)
    with pytest.raises(rom.RomValueError, match=r"at: position 1 has x = 1.5, outside of the domain"):
        model.forecast(x0, [0.0], at={"x": [0.5, 1.5]})
    with pytest.raises(rom.RomValueError, match=r"at: position 0 has x = -1"):
        model.encode(x0.values, at={"x": x0["x"].values - 1.03125})


def test_a_model_on_a_grid_takes_no_positions(double_model, linear):
    x0 = linear.sample_initial(1, seed=0)
    with pytest.raises(rom.RomValueError, match="at was given, but this model lies on the grid of its data"):
        double_model.forecast(x0, [0.0], at={"x": [0.0]})
    with pytest.raises(rom.RomValueError, match="at was given"):
        double_model.decode(double_model.encode(x0), at={"x": [0.0]})


def test_a_probe_and_states_with_several_leading_dimensions(free, data):
    runs = data[0][0]["state"]
    assert free.encode(runs.isel(x=3)).dims == ("trajectory", "time", "latent")
    latent = free.encode(runs)
    assert latent.dims == ("trajectory", "time", "latent")
    np.testing.assert_array_equal(free.encode(runs.transpose("x", "trajectory", "time")), latent)
    np.testing.assert_allclose(latent[2, 3], free.encode(runs[2, 3]), atol=1e-12)


def test_pairs_may_call_a_field_state(data, config, tmp_path):
    """What the space leaves is told for each field of the model, whatever the data call it."""
    runs = [one.rename(state="u") for one in data[0]]
    model = rom.fit(None, trajectories=runs, collocation=data[1], latent_dim=4, config=config)
    few = runs[0]["u"].isel(time=0, x=[1, 20, 40])
    model.save(tmp_path / "model.safetensors")
    again = rom.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.encode(few), model.encode(few))


def test_the_latent_space_is_judged_alike_on_every_grid(free, data):
    """The states are those of one set of coefficients, so nothing depends on where their values lie."""
    latent = free.encode(data[0][0]["state"])
    one, other = (
        rom.latent_quality(free, free.decode(latent, at={"x": x})) for x in (data[0][1]["x"], data[0][2]["x"])
    )
    assert 1.0 < one.attrs["effective_dimension"] <= free.latent_dim
    xr.testing.assert_allclose(one, other, rtol=1e-6)
    assert one.attrs == pytest.approx(other.attrs, rel=1e-6)


def test_the_latent_space_is_drawn_all_over_the_domain(free, data, tmp_path):
    """Traversals are fields over the whole domain, whichever positions the states have."""
    few = data[0][0]["state"].isel(x=slice(0, 40, 3))
    axes = rom.plotting.plot_traversal(free, few, tmp_path / "traversal.png").axes[0]
    places = axes.lines[0].get_xdata()
    assert len(places) == 256
    assert places[0] == pytest.approx(free._layout.space.axes[0].low)
    assert axes.get_xlabel() == "x"
    rom.plotting.plot_manifold(free, few, tmp_path / "manifold.png")
    assert all((tmp_path / f"{name}.png").stat().st_size > 10_000 for name in ("traversal", "manifold"))


def test_no_network_takes_a_space_for_a_grid(config):
    with pytest.raises(rom.RomValueError, match=r"space and network cannot be combined.*leave one of them out"):
        dataclasses.replace(config, network=rom.Convolutional())


def test_a_prior_knows_the_energy_that_is_lost(free):
    prior = Prior.of(free._state.projection, free._state.prior_variance, free._state.prior_noise)
    assert prior.variance.shape == (free.rank,)
    assert prior.noise.shape == (1,)
    assert 0.0 < float(prior.noise[0]) < 1e-4 * float(prior.variance[0])
