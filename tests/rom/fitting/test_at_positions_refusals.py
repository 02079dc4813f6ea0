"""What models of data at any positions refuse, and what they say."""

import dataclasses

import numpy as np
import pytest
from burgers_on_grids import TIMES, burgers

import rom
import systems


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
def test_data_without_positions_are_refused(change, error, message, burgers_data, spline_config):
    with pytest.raises(error, match=message):
        rom.fit(None, trajectories=change(burgers_data[0][0]), latent_dim=3, config=spline_config)


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (
            lambda m, x: m.forecast(x.values, TIMES),
            rom.RomTypeError,
            "x0 has no positions: pass a DataArray with the coordinates x",
        ),
        (lambda m, x: m.encode(x.values), rom.RomTypeError, r"x has no positions.*encode\(x, at=\{'x': ...\}\)"),
        (lambda m, x: m.encode(x.drop_vars("x")), rom.RomValueError, "x has no coordinate 'x', so the positions"),
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


def test_positions_outside_of_a_bounded_domain_are_named(spline_config):
    """Heat in a rod: no period, and the domain is what the data cover."""
    runs = [systems.simulate(systems.Heat(n=n), 5, np.linspace(0, 0.1, 6), seed=n) for n in (24, 32)]
    model = rom.fit(None, trajectories=runs, latent_dim=3, config=spline_config)
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


def test_no_network_takes_a_space_for_a_grid(spline_config):
    with pytest.raises(rom.RomValueError, match=r"space and network cannot be combined.*leave one of them out"):
        dataclasses.replace(spline_config, network=rom.Convolutional())


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
