"""Fits that several tests of this folder make."""

import dataclasses

import pytest
from autoencoder_samples import circle
from burgers_on_grids import SIZES, TIMES, burgers

import rom
import systems


@pytest.fixture
def fit(small):
    """rom.fit_autoencoder of the circle, with settings of FitConfig among its arguments."""

    def run(data=None, latent_dim=2, **arguments):
        names = {field.name for field in dataclasses.fields(small)}
        settings = {name: arguments.pop(name) for name in list(arguments) if name in names}
        config = dataclasses.replace(small, **settings)
        return rom.fit_autoencoder(circle() if data is None else data, latent_dim, config=config, **arguments)

    return run


@pytest.fixture(scope="session")
def spline_config(double):
    return dataclasses.replace(double, space=rom.Coordinate())


@pytest.fixture(scope="session")
def burgers_data():
    """Trajectories and collocation pairs on three grids."""
    trajectories = [systems.simulate(burgers(n), 6, TIMES, seed=n) for n in SIZES]
    return trajectories, [systems.collocate(burgers(n), 200, seed=n) for n in SIZES]


@pytest.fixture(scope="session")
def free(burgers_data, spline_config):
    """A model of all three."""
    return rom.fit(None, trajectories=burgers_data[0], collocation=burgers_data[1], latent_dim=10, config=spline_config)
