"""Quadratic forms: the distinct products and the matrices that act on them."""

import numpy as np
import pytest
import torch

from rom.networks.quadratic import SHIFTS, from_distinct_products, full, n_products, products
from rom.reduction.polynomial_regression import distinct_products, n_distinct_products

SIZES = (1, 2, 3, 4, 7, 8)


def all_products(y):
    return (y[..., :, None] * y[..., None, :]).flatten(-2)


def distinct_form(k, normal):
    """Coefficients (3, k (k + 1) / 2), variables (5, k) and the values (5, 3) of these quadratic forms."""
    coefficients, y = np.random.default_rng(k).standard_normal((3, n_distinct_products(k))), normal(5, k)
    return coefficients, y, torch.from_numpy(distinct_products(y.numpy()) @ coefficients.T)


@pytest.mark.parametrize("k", SIZES)
def test_coefficients_act_on_products_as_on_distinct_ones(k, normal):
    coefficients, y, expected = distinct_form(k, normal)
    found = products(y) @ torch.from_numpy(from_distinct_products(coefficients, k)).mT
    torch.testing.assert_close(found, expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("k", SIZES)
def test_full_matrices_are_symmetric_and_act_on_all_products(k, normal):
    coefficients, y, expected = distinct_form(k, normal)
    matrix = full(from_distinct_products(coefficients, k), k)
    torch.testing.assert_close(all_products(y) @ torch.from_numpy(matrix).mT, expected, rtol=1e-13, atol=1e-13)
    square = matrix.reshape(3, k, k)
    np.testing.assert_array_equal(square, square.swapaxes(1, 2))


@pytest.mark.parametrize("k", SIZES)
def test_products_are_about_half_of_all(k, normal):
    y = normal(4, k)
    assert products(y).shape == (4, n_products(k))
    assert k * (k + 1) // 2 <= n_products(k) <= k * (k + 2) // 2
    assert {round(float(p), 9) for p in products(y[0])} == {round(float(p), 9) for p in all_products(y[0])}


def test_products_with_another_are_the_derivative_along_it(normal):
    y, v = normal(4, 5), normal(4, 5, seed=1)
    derivative = torch.func.jvp(products, (y,), (v,))[1]
    torch.testing.assert_close(products(y, v) + products(v, y), derivative, rtol=1e-13, atol=1e-13)


def test_a_first_call_in_inference_mode_leaves_gradients_possible():
    SHIFTS.clear()
    with torch.inference_mode():
        products(torch.ones(1, 6))
    y = torch.ones(1, 6, requires_grad=True)
    products(y).sum().backward()
    assert y.grad.tolist() == [[8.0] * 6]
