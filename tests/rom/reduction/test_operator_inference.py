"""Operator inference recovers dynamics that are exactly quadratic."""

import numpy as np
import pytest

from rom.reduction.operator_inference import infer_operators
from rom.reduction.polynomial_regression import distinct_products, n_distinct_products

EXACT = 1e-14  # a ridge too small to bias


@pytest.mark.parametrize("n_parameters", [0, 2])
def test_operator_inference_recovers_a_quadratic_system(n_parameters):
    d, k = 3, 3 + n_parameters
    rng = np.random.default_rng(0)
    offset, linear, quadratic = (rng.standard_normal(shape) for shape in (d, (d, k), (d, n_distinct_products(k))))
    y = np.random.default_rng(1).uniform(-1, 1, (200, k))
    velocities = offset + y @ linear.T + distinct_products(y) @ quadratic.T
    dynamics = infer_operators(y[:, :d], velocities, y[:, d:])(EXACT)
    np.testing.assert_allclose(dynamics.offset, offset, atol=1e-9)
    np.testing.assert_allclose(dynamics.linear, linear, atol=1e-9)
    np.testing.assert_allclose(dynamics.quadratic, quadratic, atol=1e-9)
    assert dynamics.n_parameters == n_parameters


def test_linear_operator_inference_has_no_quadratic_part():
    linear = np.random.default_rng(0).standard_normal((2, 2))
    z = np.random.default_rng(1).uniform(-1, 1, (50, 2))
    dynamics = infer_operators(z, z @ linear.T, np.zeros((50, 0)), quadratic=False)(EXACT)
    np.testing.assert_allclose(dynamics.linear, linear, atol=1e-9)
    assert dynamics.quadratic is None


def test_dynamics_without_a_linear_part_have_zeros_in_its_place():
    z = np.random.default_rng(1).uniform(-1, 1, (50, 2))
    dynamics = infer_operators(z, z**2, np.zeros((50, 0)), linear=False)(EXACT)
    assert not dynamics.linear.any()
    np.testing.assert_allclose(dynamics.quadratic, [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], atol=1e-9)
