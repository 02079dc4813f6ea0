"""An autoencoder alone of fields on differing grids, or at points: bumps that sit anywhere on a circle, of any height."""

import dataclasses

import numpy as np
import pytest
import torch
import xarray as xr

import rom

CIRCLE = {"period": 2 * np.pi}
ANYWHERE = np.random.default_rng(0).uniform(0, 2 * np.pi, 200)
CONFIG = rom.FitConfig(space=rom.Coordinate(), steps=150, dtype="float64")


def bumps(count, seed, x, noise=0.0):
    """Values (count, P) of bumps at positions (P,), or (count, P) of their own."""
    rng = np.random.default_rng(seed)
    place, height = rng.uniform(0, 2 * np.pi, (count, 1)), rng.uniform(0.5, 1.5, (count, 1))
    values = height * np.exp(2 * (np.cos(x - place) - 1))
    return values + noise * rng.standard_normal(values.shape)


def on_grid(count, seed, n, noise=0.0):
    x = np.arange(n) * 2 * np.pi / n
    return xr.DataArray(bumps(count, seed, x, noise), dims=("sample", "x"), coords={"x": ("x", x, CIRCLE)})


def at_points(count, seed, n, noise=0.0):
    """Each sample at points of its own."""
    x = np.random.default_rng([seed, 1]).uniform(0, 2 * np.pi, (count, n))
    coords = {"x": (("sample", "point"), x, CIRCLE)}
    return xr.DataArray(bumps(count, seed, x, noise), dims=("sample", "point"), coords=coords)


def error(found, truth):
    return float(np.square(np.asarray(found) - np.asarray(truth)).mean() / np.asarray(truth).var())


@pytest.fixture(scope="module")
def data():
    return [on_grid(200, 1, 48), on_grid(200, 2, 80), at_points(200, 3, 60)]


@pytest.fixture(scope="module")
def fitted(data):
    return rom.fit_autoencoder(data, 3, config=CONFIG)


# What it is for


def test_one_decoder_of_several_grids_is_asked_where_none_has_a_point(fitted):
    new = on_grid(40, 9, 64)
    assert error(fitted.decode(fitted.encode(new), at={"x": ANYWHERE}), bumps(40, 9, ANYWHERE)) < 3e-4
    assert error(fitted.reconstruct(new, at={"x": ANYWHERE}), bumps(40, 9, ANYWHERE)) < 3e-4
    assert (
        fitted.history.attrs["reconstruction_error"] < 3e-4 < fitted.history.attrs["closed_form_reconstruction_error"]
    )
    assert fitted.history.attrs["lost_in_space"] < 1e-6
    assert "function: 30" in repr(fitted)


@pytest.mark.parametrize("new", [on_grid(20, 9, 64), at_points(20, 9, 50), on_grid(20, 9, 64).T, on_grid(20, 9, 64)[3]])
def test_a_reconstruction_lies_where_the_sample_does(new, fitted):
    found = fitted.reconstruct(new)
    xr.testing.assert_identical(found.coords.to_dataset(), new.coords.to_dataset())
    assert found.dims == new.dims
    assert error(found, new) < 1e-3


def test_what_positions_a_sample_comes_with_makes_no_difference(fitted):
    coarse, fine = (fitted.encode(on_grid(20, 9, n)) for n in (40, 200))
    np.testing.assert_allclose(coarse, fine, atol=2e-3)
    few = on_grid(20, 9, 12)  # fewer than there are functions
    assert error(fitted.reconstruct(few, at={"x": ANYWHERE}), bumps(20, 9, ANYWHERE)) < 2e-3


def test_arrays_say_where_they_lie(fitted):
    new = on_grid(5, 9, 64)
    x = torch.from_numpy(new.values).requires_grad_()
    latent = fitted.encode(x, at={"x": new["x"].values})
    np.testing.assert_allclose(latent.detach(), fitted.encode(new), atol=1e-12)
    fitted.anomaly_score(x, at={"x": new["x"].values}).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    with pytest.raises(rom.RomTypeError, match="x has no positions"):
        fitted.reconstruct(new.values)
    with pytest.raises(rom.RomTypeError, match=r"x is a list of DataArrays; .* \[model.encode\(x\) for x in x\]"):
        fitted.encode([new, new])
    with pytest.raises(rom.RomTypeError, match="noise must be a number"):
        fitted.encode(new, noise=np.ones(3))
    with pytest.raises(rom.RomValueError, match=r"x\['x'\] is empty"):
        fitted.encode(new[:, :0])


def test_what_would_be_mistaken_for_something_else_is_refused(fitted, data):
    """Samples for points, beside a training on grids as well; dimensions twice; axes of arrays in another order."""
    points = data[2][:5]
    with pytest.raises(
        rom.RomValueError, match="its points lie along profile, point, those of a sample in training along 1"
    ):
        fitted.encode(points.rename(sample="profile"))
    with pytest.raises(
        rom.RomValueError, match="that distinguishes samples 'sample': pass a DataArray with its positions"
    ):
        fitted.encode(points.values, at={"x": points["x"]})
    with pytest.raises(rom.RomValueError, match="at: its dimension 'sample' is one of z"):
        fitted.decode(fitted.encode(points), at={"x": points["x"]})


def test_the_encoder_is_differentiated_at_any_positions(fitted):
    """jvp against finite differences."""
    at, rng = {"x": ANYWHERE[:50]}, np.random.default_rng(1)
    x, v = (torch.from_numpy(a) for a in (bumps(4, 9, ANYWHERE[:50]), rng.standard_normal((4, 50))))
    _, velocity = torch.func.jvp(lambda u: fitted.encode(u, at=at), (x,), (v,))
    h = 1e-6
    differences = (fitted.encode(x + h * v, at=at) - fitted.encode(x - h * v, at=at)) / (2 * h)
    np.testing.assert_allclose(velocity, differences, rtol=1e-6, atol=1e-6 * float(velocity.abs().max()))


@pytest.mark.parametrize("make", [on_grid, at_points])
def test_false_alarms_come_at_the_rate_that_was_asked_for(make):
    """Scores are those of the values, with their noise, as of the samples that calibrate."""
    model = rom.fit_autoencoder(make(1500, 4, 40, noise=0.05), 3, config=dataclasses.replace(CONFIG, steps=60))
    scores = model.anomaly_score(make(1000, 10, 40, noise=0.05))
    assert float(scores.median()) == pytest.approx(1.0, rel=0.15)
    assert 0.04 < float((scores > model.anomaly_threshold(0.1)).mean()) < 0.2
    other = make(100, 10, 40)
    other = other + 0.3 * np.sin(3 * other["x"])
    assert bool((model.anomaly_score(other) > model.anomaly_threshold(0.1)).all())


def test_noise_is_removed_at_the_points_where_it_was_measured():
    config = dataclasses.replace(CONFIG, noise=0.3, steps=200)
    model = rom.fit_autoencoder(
        at_points(1500, 4, 40, noise=0.1), 3, weights=rom.LossWeights(denoising=1.0), config=config
    )
    noisy, exact = at_points(200, 10, 40, noise=0.1), at_points(200, 10, 40)
    assert error(model.denoise(noisy, noise=0.1), exact) < 0.2 * error(noisy, exact)
    assert model.denoise(noisy, at={"x": ANYWHERE}).shape == (200, 200)


def test_samples_and_ways_between_are_asked_at_positions(data):
    weights = rom.LossWeights(variational=0.01)
    model = rom.fit_autoencoder(data, 3, weights=weights, config=dataclasses.replace(CONFIG, steps=20))
    assert model.sample(6, at={"x": ANYWHERE}).dims == ("sample", "x")
    a, b = data[0][0], data[1][0]
    between = model.interpolate(a, b, 4)
    np.testing.assert_array_equal(between["x"], a["x"])
    np.testing.assert_allclose(between[0], model.reconstruct(a), atol=1e-12)
    np.testing.assert_allclose(
        model.interpolate(a, b, 4, at={"x": ANYWHERE})[-1], model.reconstruct(b, at={"x": ANYWHERE})
    )
    with pytest.raises(rom.RomTypeError, match="at is missing"):
        model.sample(6)
    with pytest.raises(rom.RomValueError, match=r"a must be one state, but has the leading shape .* choose one"):
        model.interpolate(data[0], b, 4)


def test_a_saved_one_is_the_same_bit_by_bit(fitted, data, tmp_path):
    fitted.save(tmp_path / "bumps.rom")
    again = rom.load_autoencoder(tmp_path / "bumps.rom")
    for one in data:
        xr.testing.assert_identical(again.reconstruct(one), fitted.reconstruct(one))
        xr.testing.assert_identical(again.anomaly_score(one), fitted.anomaly_score(one))
    assert again.anomaly_threshold(0.1) == fitted.anomaly_threshold(0.1)


def test_its_latent_space_is_judged_and_drawn(fitted, data, tmp_path):
    assert rom.latent_quality(fitted, data[0]).attrs["trustworthiness"] > 0.95
    for draw in (rom.plotting.plot_traversal, rom.plotting.plot_manifold):
        draw(fitted, data[0], tmp_path / "picture.png")


# What it takes


def test_a_list_of_profiles_each_with_depths_of_its_own():
    """Arrays without a dimension of samples are one each."""
    rng = np.random.default_rng(5)
    truth = np.linspace(0, 1, 101)
    places = rng.uniform(0.2, 0.8, 150)

    def profile(place, n):
        depth = np.unique(np.concatenate([[0.0, 1.0], rng.uniform(0, 1, n)]))
        values = xr.DataArray(np.tanh((depth - place) / 0.2), dims="depth", coords={"depth": depth})
        return values.assign_attrs(units="K")

    profiles = [profile(place, int(n)) for place, n in zip(places, rng.integers(30, 60, 150), strict=True)]
    config = dataclasses.replace(CONFIG, space=rom.Coordinate(n_functions=16))
    model = rom.fit_autoencoder(profiles, 2, config=config)
    found = model.decode(model.encode(profile(0.43, 40)), at={"depth": truth})
    assert found.attrs["units"] == "K"
    assert found.dims == ("depth",)
    assert error(found, np.tanh((truth - 0.43) / 0.2)) < 1e-3
    assert model.history["part"].sizes["sample"] == 150


def test_samples_that_come_one_by_one_are_asked_together():
    """Each of a list is a sample; a batch of others is one along `sample`, and nothing else is taken for one."""
    model = rom.fit_autoencoder(list(at_points(60, 4, 40)), 2, config=dataclasses.replace(CONFIG, steps=5))
    batch = at_points(6, 9, 30)
    latent = model.encode(batch)
    assert latent.shape == (6, 2)
    for k in range(6):
        np.testing.assert_allclose(latent[k], model.encode(batch[k]), atol=1e-10)
        assert float(model.anomaly_score(batch)[k]) == pytest.approx(float(model.anomaly_score(batch[k])))
    with pytest.raises(rom.RomValueError, match=r"points lie along cast, point, .* x.rename\({'cast': 'sample'}\)"):
        model.encode(batch.rename(sample="cast"))
    assert model.encode(batch[:0]).shape == (0, 2)
    assert model.reconstruct(batch[:0]).shape == (0, 30)


def test_single_samples_beside_trajectories_are_parted_one_by_one():
    runs = [on_grid(100, k, 40).rename(sample="time") for k in range(2)]
    single = list(on_grid(50, 9, 40))
    part = rom.fit_autoencoder(runs + single, 2, config=dataclasses.replace(CONFIG, steps=1)).history["part"].values
    assert (part == 0).sum() > 180
    stretches = part[:200].reshape(20, 10)
    assert (stretches == stretches[:, :1]).all()


def test_what_is_lost_is_told_of_all_samples_together():
    """In a list as in one array: what is alike within a sample may differ between them."""
    data = at_points(100, 4, 30) + xr.DataArray(10.0 * np.arange(100), dims="sample")
    config = dataclasses.replace(CONFIG, steps=1)
    one, many = (rom.fit_autoencoder(d, 2, config=config).history.attrs["lost_in_space"] for d in (data, list(data)))
    assert many == pytest.approx(one, rel=1e-6)


def test_lazy_data_are_computed_once():
    dask = pytest.importorskip("dask.array")
    data, count = at_points(40, 4, 40), []
    lazy = dask.from_array(data.values, chunks=-1).map_blocks(
        lambda x: count.append(1) or x, dtype=float, meta=data.values[:0]
    )
    model = rom.fit_autoencoder(data.copy(data=lazy), 2, config=dataclasses.replace(CONFIG, steps=1))
    assert len(count) == 1
    np.testing.assert_array_equal(
        model.encode(data), rom.fit_autoencoder(data, 2, config=dataclasses.replace(CONFIG, steps=1)).encode(data)
    )

    def broken(_):
        raise OSError("the disk is gone")

    lazy = dask.from_array(data.values, chunks=-1).map_blocks(broken, dtype=float, meta=data.values[:0])
    with pytest.raises(rom.RomReadError, match=r"data\[1\] could not be read .*the disk is gone"):
        rom.fit_autoencoder([data, data.copy(data=lazy)], 2, config=CONFIG)


def test_several_leading_dimensions_calibrate_as_one():
    data = at_points(60, 4, 40)
    x = data["x"].values.reshape(3, 20, 40)
    split = xr.DataArray(
        data.values.reshape(3, 20, 40),
        dims=("sample", "time", "point"),
        coords={"x": (("sample", "time", "point"), x, CIRCLE)},
    )
    model = rom.fit_autoencoder(split, 2, config=dataclasses.replace(CONFIG, steps=1))
    scores = np.asarray(model.anomaly_score(split)).ravel()[model.history["part"].values == 2]
    assert np.sort(scores)[(len(scores) - 1) // 2] == pytest.approx(1.0)


def test_what_some_samples_leave_unseen_the_others_tell(caplog):
    """A third of the profiles end early; smoothness alone would extrapolate them to anything."""
    rng = np.random.default_rng(6)

    def profile(end, noise=0.01):
        depth = np.sort(rng.uniform(0, end, int(rng.integers(30, 60))))
        place, width = rng.uniform(0.2, 0.8), rng.uniform(0.1, 0.2)
        coords = {"depth": ("depth", depth, {"valid_range": (0, 1)})}
        exact = np.tanh((np.linspace(0, 1, 101) - place) / width)
        values = np.tanh((depth - place) / width) + noise * rng.standard_normal(len(depth))
        return xr.DataArray(values, coords, ("depth",)), exact

    data = [profile(0.7 if k % 3 == 0 else 1.0)[0] for k in range(300)]
    model = rom.fit_autoencoder([*data, data[0][:4]], 2, config=CONFIG)  # one of too few values does not stop it
    assert "samples leave parts of the domain unseen; they are filled with the most probable values" in caplog.text
    new = [profile(1.0) for _ in range(50)]
    at = {"depth": np.linspace(0, 1, 101)}
    assert np.mean([error(model.reconstruct(x, at=at), exact) for x, exact in new]) < 0.01
    with pytest.raises(rom.RomValueError, match=r"data\[\d+\]: sample 0 leaves parts .* as do \d+ of 40, .* too few"):
        rom.fit_autoencoder([x[: len(x) // 2] if k % 4 else x for k, (x, _) in enumerate(new[:40])], 2, config=CONFIG)


def test_trajectories_of_a_list_are_not_parted():
    """Twelve of them, of which each has a grid and times of its own: whole ones validate and calibrate."""
    runs = [on_grid(7, k, 40 + k).rename(sample="time") for k in range(12)]
    part = rom.fit_autoencoder(runs, 2, config=dataclasses.replace(CONFIG, steps=1)).history["part"].values
    assert all(len(set(one)) == 1 for one in part.reshape(12, 7))
    assert sorted(set(part)) == [0, 1, 2]


def test_components_over_a_plane_and_dimensions_under_any_name():
    rng = np.random.default_rng(2)
    x, y = rng.uniform(0, 1, (2, 30, 80))
    a = rng.standard_normal((30, 4, 1))
    planes = [a[:, 0] + a[:, 1] * x + a[:, 2] * x * y, a[:, 3] * y**2 + 0 * x]
    data = xr.DataArray(
        np.stack(planes, 2),
        dims=("day", "buoy", "quantity"),
        coords={"x": (("day", "buoy"), x), "y": (("day", "buoy"), y), "quantity": ["u", "v"]},
    )
    config = rom.FitConfig(
        space=rom.Coordinate(n_functions=4, degree=2), hidden=(), quadratic_decoder=False, dtype="float64"
    )
    model = rom.fit_autoencoder(data, 4, sample_dims=("day",), config=config)
    assert model.dims == ("quantity", "function")
    assert error(model.reconstruct(data), data) < 1e-5  # gaps between points are filled smoothly
    with pytest.raises(rom.RomValueError, match="the grid 'quantity' differs from that of this model"):
        model.encode(data.isel(quantity=[1, 0]))
    found = model.decode(model.encode(data[3]), at={"x": [0.5], "y": [0.25, 0.5]})
    assert found.dims == ("quantity", "x", "y")
    with pytest.raises(rom.RomValueError, match="at: the axes of an array are x, y, in this order"):
        model.encode(np.zeros((2, 8, 8)), at={"y": np.linspace(0.1, 0.9, 8), "x": np.linspace(0.1, 0.9, 8)})
    np.testing.assert_allclose(found.sel(quantity="v").squeeze(), a[3, 3] * np.array([0.25, 0.5]) ** 2, atol=5e-3)


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"data": np.zeros((20, 8))}, rom.RomTypeError, "data must be an xarray.DataArray, whose coordinates are"),
        ({"data": [on_grid(20, 1, 40), 3]}, rom.RomTypeError, r"data\[1\] must be an xarray.DataArray"),
        ({"data": []}, rom.RomTypeError, "data is an empty list"),
        (
            {"data": at_points(20, 1, 40).assign_coords(x=at_points(20, 1, 40)["x"].where(ANYWHERE[:40] > 1))},
            rom.RomValueError,
            r"data\['x'\] is not finite .* \[one.dropna\('point'\) for one in data\]",
        ),
        ({"data": on_grid(20, 1, 40).drop_vars("x")}, rom.RomValueError, "no coordinate along 'x'"),
        ({"data": on_grid(20, 1, 40).where(ANYWHERE[:40] > 1)}, rom.RomValueError, "data is nan at sample index 0"),
        ({"data": on_grid(20, 1, 40), "sample_dims": ["y"]}, rom.RomValueError, "unknown dimension 'y' of data"),
        ({"data": [on_grid(20, 1, 40)], "sample_dims": ["y"]}, rom.RomValueError, r"no array of data has .* \('y',\)"),
        ({"data": [on_grid(20, 1, 40), on_grid(20, 1, 40)[:0]]}, rom.RomValueError, r"data\[1\] is empty"),
        ({"data": on_grid(5, 1, 40)}, rom.RomValueError, "data has 5 samples; at least 10 are needed"),
        (
            {"data": [on_grid(20, 1, 40).assign_attrs(units="K"), on_grid(20, 2, 40).assign_attrs(units="C")]},
            rom.RomValueError,
            r"data\[1\]: 'state' has units of 'C', but 'K'",
        ),
        ({"modules": (torch.nn.Linear(30, 2), torch.nn.Linear(2, 30))}, rom.RomValueError, "coefficients of splines"),
        (
            {"data": [on_grid(20, 1, 40), on_grid(20, 2, 50)], "config": rom.FitConfig()},
            rom.RomTypeError,
            r"data is a list of DataArrays; .* FitConfig\(space=rom.Coordinate\(\)\)",
        ),
    ],
)
def test_what_it_cannot_use_is_refused(change, kind, message):
    with pytest.raises(kind, match=message):
        rom.fit_autoencoder(**{"data": on_grid(20, 1, 40), "latent_dim": 2, "config": CONFIG} | change)


def test_an_autoencoder_on_a_grid_takes_no_positions():
    model = rom.fit_autoencoder(np.random.default_rng(0).standard_normal((30, 4)), 2, config=rom.FitConfig(steps=1))
    for ask in (model.encode, model.reconstruct, model.anomaly_score):
        with pytest.raises(rom.RomValueError, match="at was given, but this model lies on the grid of its data"):
            ask(np.zeros(4), at={"x": [0.0]})
    with pytest.raises(rom.RomValueError, match="noise was given, but only a model in a function space"):
        model.reconstruct(np.zeros(4), noise=0.1)
