"""Closed-form models: one for each ridge, in other units of the latent state, and with more latent coordinates."""

import numpy as np
import pytest

from rom.reduction.closed_form import closed_form_models, pad_latent_dim, scale_latent
from rom.reduction.polynomial_regression import distinct_products


def rate(closed_form, z, parameters):
    """The time derivatives (N, d) of latent states."""
    y, dynamics = np.concatenate([z, parameters], axis=1), closed_form.dynamics
    return dynamics.offset + y @ dynamics.linear.T + distinct_products(y) @ dynamics.quadratic.T


def fitted(n_parameters=0, latent_dim=2, rank=5, ridges=(1e-3,), **terms):
    """Closed-form models of random data, with POD coordinates and parameters of these."""
    rng = np.random.default_rng(6)
    w, mu = rng.standard_normal((60, rank)), rng.standard_normal((60, n_parameters))
    models = closed_form_models(w, (w, rng.standard_normal((60, rank)), mu), latent_dim, ridges=ridges, **terms)
    return models, w, mu


def test_a_stronger_ridge_gives_smaller_operators():
    models, *_ = fitted(ridges=(1e-6, 1e-2, 1.0))
    sizes = [np.linalg.norm(m.dynamics.linear) + np.linalg.norm(m.dynamics.quadratic) for m in models]
    assert sizes == sorted(sizes, reverse=True)
    assert [m.ridge for m in models] == [1e-6, 1e-2, 1.0]


@pytest.mark.parametrize("n_parameters", [0, 2])
def test_more_latent_coordinates_than_data_span_change_nothing(n_parameters):
    """They follow the others: h(E w) = E h(w) for the extended encoder E, and psi(E w) = psi(w)."""
    r, k, d = 4, 3, 7
    (model,), w, parameters = fitted(n_parameters, latent_dim=k, rank=r, ridges=(1e-2,))
    larger = pad_latent_dim(model, np.random.default_rng(1).standard_normal((d - k, k)))
    assert larger.latent_dim == d
    assert larger.dynamics.n_parameters == n_parameters
    assert np.linalg.matrix_rank(larger.encoder) == k
    z, many = w @ model.encoder.T, w @ larger.encoder.T
    np.testing.assert_array_equal(many[:, :k], z)
    np.testing.assert_allclose(larger.manifold.decode(many), model.manifold.decode(z), atol=1e-12)
    along = rate(model, z, parameters) @ np.linalg.pinv(model.encoder).T  # dz/dt as a change of w
    np.testing.assert_allclose(rate(larger, many, parameters), along @ larger.encoder.T, atol=1e-10)


def test_units_of_the_latent_state_do_not_change_reconstructions():
    (model,), w, _ = fitted(latent_dim=3)
    autoencoder = type(model)(model.encoder, model.manifold, None, model.ridge)
    spread = np.array([0.1, 1.0, 30.0])
    scaled = scale_latent(autoencoder, spread)
    z = w @ scaled.encoder.T
    np.testing.assert_allclose(z, w[:, :3] / spread, rtol=1e-12)
    np.testing.assert_allclose(scaled.manifold.decode(z), model.manifold.decode(w[:, :3]), atol=1e-12)
