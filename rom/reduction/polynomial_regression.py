"""Ridge regression on polynomials of degree two.

Their quadratic terms are the distinct products of the variables.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

__all__ = [
    "RIDGES",
    "distinct_products",
    "n_distinct_products",
    "polynomial_features",
    "product_index",
    "ridge_regression",
]

# Strengths of the ridge to choose from. Features have unit mean square, so that the same values suit all data.
RIDGES = tuple(10.0**k for k in range(-10, 1, 2))

# Eigenvalues of the Gram matrix below this share of the largest one are rounding errors.
GRAM_ROUNDING = 1e-14


def n_distinct_products(k: int) -> int:
    """Return the number of distinct products of `k` variables, k (k + 1) / 2."""
    return k * (k + 1) // 2


def distinct_products(y: np.ndarray) -> np.ndarray:
    """Return the products y_i y_j with i <= j.

    The shapes are ``(N, k)`` for `y` and ``(N, k (k + 1) / 2)`` for the products.
    """
    i, j = np.triu_indices(y.shape[1])
    return y[:, i] * y[:, j]


def product_index(i: np.ndarray, j: np.ndarray, k: int) -> np.ndarray:
    """Return the position of the product of variables `i` and `j`.

    The position is that among the distinct products of `k` variables. `i` and `j` can be in either order.
    """
    low, high = np.minimum(i, j), np.maximum(i, j)
    return low * k - low * (low - 1) // 2 + high - low


def polynomial_features(y: np.ndarray, linear: bool, quadratic: bool) -> np.ndarray:
    """Return a constant, the columns of `y` and their distinct products.

    Parameters
    ----------
    y : numpy.ndarray
        Variables, ``(N, k)``.
    linear, quadratic : bool
        Whether to include the variables and their products.

    Returns
    -------
    numpy.ndarray
        Features, ``(N, m)``, in this order.
    """
    parts = [np.ones((len(y), 1)), *([y] if linear else []), *([distinct_products(y)] if quadratic else [])]
    return np.concatenate(parts, axis=1)


def ridge_regression(
    features_of: Callable[[np.ndarray], np.ndarray], inputs: np.ndarray, targets: np.ndarray, rows: int | None = None
) -> Callable[[float], np.ndarray]:
    """Regress `targets` on features of `inputs`, for a ridge to be chosen later.

    Features are scaled to unit mean square, so that a ridge of the same strength acts alike on all of them. A feature
    that vanishes on all samples gets the coefficient zero.

    Parameters
    ----------
    features_of : callable
        Maps inputs ``(N, k)`` to features ``(N, m)``, row by row.
    inputs : numpy.ndarray
        ``(N, k)``.
    targets : numpy.ndarray
        ``(N, q)``.
    rows : int, optional
        Number of inputs whose features are held in memory at a time. The features are then computed twice. By default
        all are held at once.

    Returns
    -------
    callable
        Maps the strength of the ridge to coefficients ``(m, q)``.
    """
    n = len(inputs)
    if rows is None:
        whole = features_of(inputs)
        blocks = [(slice(None), lambda: whole)]
    else:
        slices = [slice(k, min(k + rows, n)) for k in range(0, n, rows)]
        blocks = [(block, partial(features_of, inputs[block])) for block in slices]
    scale = np.sqrt(sum(np.mean(features() ** 2, axis=0) * (len(inputs[block]) / n) for block, features in blocks))
    scale[scale == 0.0] = 1.0
    gram, moment = 0.0, 0.0
    for block, features in blocks:
        scaled = features() / scale
        gram = gram + scaled.T @ scaled / n
        moment = moment + scaled.T @ targets[block] / n
    eigenvalues, directions = np.linalg.eigh(gram)
    usable = eigenvalues > GRAM_ROUNDING * eigenvalues[-1]

    def solve(strength: float) -> np.ndarray:
        inverse = np.where(usable, 1.0 / np.where(usable, eigenvalues + strength, 1.0), 0.0)
        return (directions @ (inverse[:, None] * (directions.T @ moment))) / scale[:, None]

    return solve
