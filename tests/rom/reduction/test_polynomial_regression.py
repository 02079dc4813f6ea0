"""Ridge regression on polynomials, and the order of the distinct products."""

import numpy as np

from rom.reduction.polynomial_regression import (
    distinct_products,
    n_distinct_products,
    polynomial_features,
    product_index,
    ridge_regression,
)


def test_products_are_found_at_their_index():
    y = np.random.default_rng(0).standard_normal((3, 5))
    products = distinct_products(y)
    assert products.shape == (3, n_distinct_products(5))
    i, j = np.indices((5, 5))
    np.testing.assert_array_equal(products[:, product_index(i, j, 5)], y[:, :, None] * y[:, None, :])


def test_features_are_a_constant_the_variables_and_their_products():
    y = np.array([[2.0, 3.0]])
    assert polynomial_features(y, linear=True, quadratic=True).tolist() == [[1.0, 2.0, 3.0, 4.0, 6.0, 9.0]]
    assert polynomial_features(y, linear=False, quadratic=True).tolist() == [[1.0, 4.0, 6.0, 9.0]]
    assert polynomial_features(y, linear=False, quadratic=False).tolist() == [[1.0]]


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
