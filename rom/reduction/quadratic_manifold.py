"""Quadratic manifolds in POD coordinates.

References
----------
R. Geelen, S. Wright, K. Willcox, "Operator inference for non-intrusive model reduction with quadratic manifolds",
Comput. Methods Appl. Mech. Eng. 403 (2023) 115717.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from rom.reduction.polynomial_regression import distinct_products, polynomial_features, ridge_regression

__all__ = ["QuadraticManifold", "fit_quadratic_manifold"]


@dataclass(frozen=True)
class QuadraticManifold:
    """The map w = offset + linear z + quadratic p(z) to POD coordinates.

    p(z) are the distinct products z_i z_j with i <= j.

    Attributes
    ----------
    offset : numpy.ndarray
        ``(r,)``.
    linear : numpy.ndarray
        ``(r, d)``.
    quadratic : numpy.ndarray or None
        ``(r, d (d + 1) / 2)``, None for an affine map.
    """

    offset: np.ndarray
    linear: np.ndarray
    quadratic: np.ndarray | None

    def decode(self, latent: np.ndarray) -> np.ndarray:
        """Return the POD coordinates ``(N, r)`` of latent states ``(N, d)``."""
        coordinates = self.offset + latent @ self.linear.T
        if self.quadratic is not None:
            coordinates += distinct_products(latent) @ self.quadratic.T
        return coordinates


def fit_quadratic_manifold(
    coordinates: np.ndarray, latent_dim: int, quadratic: bool = True, rows: int | None = None
) -> Callable[[float], QuadraticManifold]:
    """Fit a quadratic manifold to POD coordinates of states.

    The latent state is the first d of the POD coordinates. The other coordinates are regressed on a constant and on
    products of the first (Geelen, Wright & Willcox 2023).

    Parameters
    ----------
    coordinates : numpy.ndarray
        POD coordinates of states, ``(N, r)``.
    latent_dim : int
        Latent dimension d.
    quadratic : bool
        Whether to regress on products. Without them the map is POD with d modes.
    rows : int, optional
        Number of states whose products are held in memory at a time; by default all.

    Returns
    -------
    callable
        Maps the strength of the ridge to a `QuadraticManifold`.
    """
    d, r = latent_dim, coordinates.shape[1]
    features = partial(polynomial_features, linear=False, quadratic=quadratic)
    solve = ridge_regression(features, coordinates[:, :d], coordinates[:, d:], rows)

    def manifold(strength: float) -> QuadraticManifold:
        coefficients = solve(strength)
        curvature = coefficients[1:].T
        return QuadraticManifold(
            offset=np.concatenate([np.zeros(d), coefficients[0]]),
            linear=np.eye(r, d),
            quadratic=np.concatenate([np.zeros((d, curvature.shape[1])), curvature]) if quadratic else None,
        )

    return manifold
