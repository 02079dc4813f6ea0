"""Quadratic manifolds through states that lie on one, and POD as the affine case."""

import numpy as np

from rom.reduction.polynomial_regression import distinct_products
from rom.reduction.quadratic_manifold import fit_quadratic_manifold

EXACT = 1e-14  # a ridge too small to bias


def test_states_on_a_quadratic_manifold_are_recovered():
    rng = np.random.default_rng(2)
    z = rng.uniform(-1, 1, (100, 2))
    offset, curvature = rng.standard_normal(4), rng.standard_normal((4, 3))
    w = np.concatenate([z, offset + distinct_products(z) @ curvature.T], axis=1)
    manifold = fit_quadratic_manifold(w, 2)(EXACT)
    np.testing.assert_allclose(manifold.decode(z), w, atol=1e-9)
    np.testing.assert_allclose(manifold.offset, [0, 0, *offset], atol=1e-9)


def test_without_products_it_is_pod():
    w = np.random.default_rng(3).standard_normal((50, 4))
    manifold = fit_quadratic_manifold(w, 2, quadratic=False)(EXACT)
    assert manifold.quadratic is None
    expected = np.concatenate([w[:, :2], np.broadcast_to(w[:, 2:].mean(axis=0), (50, 2))], axis=1)
    np.testing.assert_allclose(manifold.decode(w[:, :2]), expected, atol=1e-12)
