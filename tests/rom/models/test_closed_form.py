"""Networks of a closed-form model encode, decode and move as it does."""

import numpy as np
import pytest
import torch

from rom.config import FitConfig
from rom.models.build import build_networks
from rom.models.closed_form import closed_form_networks, init_from_closed_form
from rom.reduction.closed_form import closed_form_models
from rom.reduction.polynomial_regression import distinct_products


@pytest.mark.parametrize("terms", [{}, {"quadratic": False}, {"linear": False}, {"quadratic_decoder": False}])
@pytest.mark.parametrize("n_parameters", [0, 1])
def test_networks_start_as_the_closed_form_model(n_parameters, terms):
    rng = np.random.default_rng(6)
    w, mu = rng.standard_normal((60, 5)), rng.standard_normal((60, n_parameters))
    (closed_form,) = closed_form_models(w, (w, rng.standard_normal((60, 5)), mu), 2, ridges=(1e-3,), **terms)
    config = FitConfig(dtype="float64", hidden=(8,), latent_hidden=(8,))
    networks = build_networks(config, 5, 2, n_parameters)
    coordinates, parameters = torch.from_numpy(w), torch.from_numpy(mu)
    init_from_closed_form(networks, closed_form, coordinates, parameters)

    z, dynamics = w[:, :2], closed_form.dynamics
    y = np.concatenate([z, mu], axis=1)
    velocity = dynamics.offset + y @ dynamics.linear.T
    if dynamics.quadratic is not None:
        velocity += distinct_products(y) @ dynamics.quadratic.T
    for candidate in (networks, closed_form_networks(config, closed_form)):
        latent = candidate.encoder(coordinates)
        np.testing.assert_allclose(latent.detach(), z, atol=1e-14)
        np.testing.assert_allclose(candidate.decoder(latent).detach(), closed_form.manifold.decode(z), atol=1e-13)
        np.testing.assert_allclose(candidate.latent_dynamics(latent, parameters).detach(), velocity, atol=1e-13)
