"""Quadratic forms of a few variables: the distinct products y_i y_j, and matrices that act on them.

There are about half as many distinct products as entries of y x y. The matrices that act on them take most of the time
from twenty latent states on. The products are formed as y_i y_(i + s), with indices modulo k and shifts s = 0 ... k // 2,
because gathering single products, and scattering their gradients, takes longer than it saves. For even k the last shift
gives each product twice, and the two coefficients share its weight.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from rom.reduction.polynomial_regression import product_index

__all__ = ["from_distinct_products", "full", "n_products", "products"]

# Matrices of `shifts` that were made already.
SHIFTS: dict[tuple[int, torch.dtype, torch.device], Tensor] = {}


def n_products(k: int) -> int:
    """Return the length of the `products` of k variables."""
    return k * (k // 2 + 1)


def products(y: Tensor, other: Tensor | None = None) -> Tensor:
    """Return the products y_i y_(i + s) of y (..., k), or y_i x_(i + s) with the `other` x: (..., n_products)."""
    k = y.shape[-1]
    shifted = (y if other is None else other) @ shifts(k, y.dtype, y.device)
    return (y.unsqueeze(-2) * shifted.unflatten(-1, (k // 2 + 1, k))).flatten(-2)


def from_distinct_products(coefficients: np.ndarray, k: int) -> np.ndarray:
    """Return what acts on the `products` of k variables as `coefficients` do on their distinct products.

    Parameters
    ----------
    coefficients : numpy.ndarray
        ``(m, k (k + 1) / 2)``, in the order of `rom.reduction.polynomial_regression.distinct_products`.
    k : int
        Number of variables.

    Returns
    -------
    numpy.ndarray
        ``(m, n_products(k))``.
    """
    place = product_index(*factors(k), k)
    return coefficients[:, place] / np.bincount(place)[place]


def full(matrix: np.ndarray, k: int) -> np.ndarray:
    """Return the matrix (m, k^2) that acts on all y_i y_j, symmetric in both, as `matrix` (m, n_products) does on `products`."""
    i, j = factors(k)
    columns = np.zeros((k * k, len(matrix)), matrix.dtype)
    for place in (k * i + j, k * j + i):
        np.add.at(columns, place, 0.5 * matrix.T)
    return columns.T


def factors(k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices i and i + s (n_products,) of the factors."""
    first, shift = np.tile(np.arange(k), k // 2 + 1), np.repeat(np.arange(k // 2 + 1), k)
    return first, (first + shift) % k


def shifts(k: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the matrix (k, n_products) of zeros and ones that copies y_(i + s) to its place, from a cache."""
    key = (k, dtype, device)
    if key in SHIFTS:
        return SHIFTS[key]
    _, second = factors(k)
    # A tensor that is made in inference mode could never take part in a gradient.
    with torch.inference_mode(mode=False):
        matrix = torch.eye(k, dtype=dtype, device=device)[:, torch.from_numpy(second).to(device)]
    if type(matrix) is Tensor:  # and not a placeholder of a compiler
        SHIFTS[key] = matrix
    return matrix
