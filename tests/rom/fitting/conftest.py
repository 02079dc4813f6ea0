"""Fits that several tests of this folder make."""

import dataclasses

import pytest
from autoencoder_samples import circle

import rom


@pytest.fixture
def fit(small):
    """rom.fit_autoencoder of the circle, with settings of FitConfig among its arguments."""

    def run(data=None, latent_dim=2, **arguments):
        names = {field.name for field in dataclasses.fields(small)}
        settings = {name: arguments.pop(name) for name in list(arguments) if name in names}
        config = dataclasses.replace(small, **settings)
        return rom.fit_autoencoder(circle() if data is None else data, latent_dim, config=config, **arguments)

    return run
