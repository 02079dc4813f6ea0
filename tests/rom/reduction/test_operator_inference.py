"""The closed-form model recovers what is exactly in its class."""

import numpy as np
import pytest

from rom.reduction.operator_inference import (
    closed_form_models,
    distinct_products,
    pad_latent_dim,
    ridge_regression,
    symmetric_quadratic,
)

EXACT = (1e-14,)  # a ridge too small to bias


def all_products(y):
    """All products y_i y_j, i first."""
    return (y[:, :, None] * y[:, None, :]).reshape(len(y), -1)


def rate(closed_form, z, parameters):
    y = np.concatenate([z, parameters], axis=1)
    return closed_form.offset + y @ closed_form.linear.T + all_products(y) @ closed_form.quadratic.T


def decode(closed_form, z):
    quadratic = all_products(z) @ closed_form.decoder_quadratic.T
    return closed_form.decoder_offset + z @ closed_form.decoder_linear.T + quadratic


def quadratic_system(k, d, seed=0):
    """c (d,), A (d, k) and H (d, k^2), symmetric in its two factors."""
    rng = np.random.default_rng(seed)
    quadratic = rng.standard_normal((d, k, k))
    return (
        rng.standard_normal(d),
        rng.standard_normal((d, k)),
        (quadratic + quadratic.swapaxes(1, 2)).reshape(d, -1) / 2,
    )


@pytest.mark.parametrize("n_parameters", [0, 2])
def test_operator_inference_recovers_a_quadratic_system(n_parameters):
    d, k = 3, 3 + n_parameters
    offset, linear, quadratic = quadratic_system(k, d)
    y = np.random.default_rng(1).uniform(-1, 1, (200, k))
    derivatives = offset + y @ linear.T + all_products(y) @ quadratic.T
    data = (y[:, :d], derivatives, y[:, d:])
    (model,) = closed_form_models(y[:, :d], data, d, ridges=EXACT)
    np.testing.assert_allclose(model.offset, offset, atol=1e-9)
    np.testing.assert_allclose(model.linear, linear, atol=1e-9)
    np.testing.assert_allclose(model.quadratic, quadratic, atol=1e-9)
    np.testing.assert_allclose(rate(model, y[:, :d], y[:, d:]), derivatives, atol=1e-9)


def test_linear_operator_inference_has_no_quadratic_part():
    _, linear, _ = quadratic_system(2, 2)
    z = np.random.default_rng(1).uniform(-1, 1, (50, 2))
    (model,) = closed_form_models(z, (z, z @ linear.T, np.zeros((50, 0))), 2, quadratic=False, ridges=EXACT)
    np.testing.assert_allclose(model.linear, linear, atol=1e-9)
    assert not model.quadratic.any()


def test_quadratic_manifold_recovers_a_quadratic_decoder():
    rng = np.random.default_rng(2)
    z = rng.uniform(-1, 1, (100, 2))
    offset, curvature = rng.standard_normal(4), rng.standard_normal((4, 3))
    w = np.concatenate([z, offset + distinct_products(z) @ curvature.T], axis=1)
    (model,) = closed_form_models(w, (w, np.zeros_like(w), np.zeros((100, 0))), 2, ridges=EXACT)
    np.testing.assert_allclose(decode(model, z), w, atol=1e-9)
    np.testing.assert_allclose(model.decoder_offset, [0, 0, *offset], atol=1e-9)


def test_symmetric_quadratic_acts_like_distinct_products():
    rng = np.random.default_rng(3)
    y, coefficients = rng.standard_normal((10, 4)), rng.standard_normal((10, 5))
    np.testing.assert_allclose(
        all_products(y) @ symmetric_quadratic(coefficients, 4).T,
        distinct_products(y) @ coefficients,
        atol=1e-13,
    )


def test_ridge_regression_is_the_normal_equation_in_scaled_features():
    rng = np.random.default_rng(4)
    features, targets, strength = (
        rng.standard_normal((30, 4)) * [1, 10, 100, 1e-3],
        rng.standard_normal((30, 2)),
        0.1,
    )
    spread = np.sqrt(np.mean(features**2, axis=0))
    scaled = features / spread
    expected = np.linalg.solve(scaled.T @ scaled / 30 + strength * np.eye(4), scaled.T @ targets / 30) / spread[:, None]
    np.testing.assert_allclose(ridge_regression(np.asarray, features, targets)(strength), expected, rtol=1e-9)


def test_a_feature_that_vanishes_gets_no_coefficient():
    features = np.stack([np.arange(5.0), np.zeros(5)], axis=1)
    solution = ridge_regression(np.asarray, features, 2 * features[:, :1])(1e-12)
    np.testing.assert_allclose(solution, [[2.0], [0.0]], atol=1e-9)


def test_a_stronger_ridge_gives_smaller_operators():
    rng = np.random.default_rng(5)
    z = rng.standard_normal((40, 2))
    models = closed_form_models(z, (z, rng.standard_normal((40, 2)), np.zeros((40, 0))), 2, ridges=(1e-6, 1e-2, 1.0))
    sizes = [np.linalg.norm(m.linear) + np.linalg.norm(m.quadratic) for m in models]
    assert sizes == sorted(sizes, reverse=True)
    assert [m.ridge for m in models] == [1e-6, 1e-2, 1.0]


@pytest.mark.parametrize("n_parameters", [0, 1])
def test_networks_start_as_the_closed_form_model(n_parameters):
    import torch

    from rom.config import FitConfig
    from rom.models.build import build_networks, closed_form_networks, init_from_closed_form

    rng = np.random.default_rng(6)
    w, mu = rng.standard_normal((60, 5)), rng.standard_normal((60, n_parameters))
    (closed_form,) = closed_form_models(w, (w, rng.standard_normal((60, 5)), mu), 2, ridges=(1e-3,))
    config = FitConfig(dtype="float64", hidden=(8,), latent_hidden=(8,))
    networks = build_networks(config, 5, 2, n_parameters)
    tensors = torch.from_numpy(w), torch.from_numpy(mu) if n_parameters else None
    init_from_closed_form(networks, closed_form, *tensors)
    for candidate in (networks, closed_form_networks(config, closed_form)):
        z = candidate.encoder(tensors[0])
        np.testing.assert_allclose(z.detach(), w[:, :2], atol=1e-14)
        np.testing.assert_allclose(candidate.decoder(z).detach(), decode(closed_form, w[:, :2]), atol=1e-13)
        velocity = candidate.latent_dynamics(z, tensors[1])
        np.testing.assert_allclose(velocity.detach(), rate(closed_form, w[:, :2], mu), atol=1e-13)


@pytest.mark.parametrize("n_parameters", [0, 2])
def test_more_latent_coordinates_than_data_span_change_nothing(n_parameters):
    """They follow the others: h(E w) = E h(w) for the extended encoder E, and psi(E w) = psi(w)."""
    r, k, d = 4, 3, 7
    rng = np.random.default_rng(3)
    w, parameters = rng.standard_normal((60, r)), rng.standard_normal((60, n_parameters))
    (model,) = closed_form_models(w, (w, rng.standard_normal((60, r)), parameters), k, ridges=(1e-2,))
    larger = pad_latent_dim(model, d, seed=1)
    assert larger.latent_dim == d
    assert np.linalg.matrix_rank(larger.encoder) == k
    z, many = w @ model.encoder.T, w @ larger.encoder.T
    np.testing.assert_array_equal(many[:, :k], z)
    np.testing.assert_allclose(decode(larger, many), decode(model, z), atol=1e-12)
    along = rate(model, z, parameters) @ np.linalg.pinv(model.encoder).T  # dz/dt as a change of w
    np.testing.assert_allclose(rate(larger, many, parameters), along @ larger.encoder.T, atol=1e-10)
