"""Quadratic forms: the distinct products and the matrices that act on them."""

import numpy as np
import pytest
import torch

from rom.networks.quadratic import SHIFTS, full, n_products, packed, products

SIZES = (1, 2, 3, 4, 7, 8)


def all_products(y):
    return (y[..., :, None] * y[..., None, :]).flatten(-2)


@pytest.mark.parametrize("k", SIZES)
def test_packed_matrices_act_as_full_ones(k, normal):
    matrix, y = np.random.default_rng(k).standard_normal((3, k * k)), normal(2, 5, k)
    found = products(y) @ torch.from_numpy(packed(matrix, k)).mT
    torch.testing.assert_close(found, all_products(y) @ torch.from_numpy(matrix).mT, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("k", SIZES)
def test_full_is_symmetric_and_the_inverse_of_packed(k):
    square = np.random.default_rng(k).standard_normal((3, k, k))
    symmetric = (square + square.swapaxes(1, 2)).reshape(3, -1) / 2
    np.testing.assert_allclose(full(packed(square.reshape(3, -1), k), k), symmetric, rtol=1e-14, atol=1e-14)


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
