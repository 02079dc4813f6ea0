"""Operator inference: regression of quadratic latent dynamics.

References
----------
B. Peherstorfer, K. Willcox, "Data-driven operator inference for nonintrusive projection-based model reduction",
Comput. Methods Appl. Mech. Eng. 306 (2016) 196-215.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from rom.reduction.polynomial_regression import polynomial_features, ridge_regression

__all__ = ["QuadraticDynamics", "infer_operators"]


@dataclass(frozen=True)
class QuadraticDynamics:
    """The dynamics dz/dt = offset + linear y + quadratic p(y) with y = (z, mu).

    p(y) are the distinct products y_i y_j with i <= j, and k = d + p is the number of latent states and parameters.

    Attributes
    ----------
    offset : numpy.ndarray
        ``(d,)``.
    linear : numpy.ndarray
        ``(d, k)``.
    quadratic : numpy.ndarray or None
        ``(d, k (k + 1) / 2)``, None for affine dynamics.
    """

    offset: np.ndarray
    linear: np.ndarray
    quadratic: np.ndarray | None

    @property
    def n_parameters(self) -> int:
        """Number of parameters p."""
        return self.linear.shape[1] - self.linear.shape[0]


def infer_operators(
    latent: np.ndarray,
    velocities: np.ndarray,
    parameters: np.ndarray,
    linear: bool = True,
    quadratic: bool = True,
    rows: int | None = None,
) -> Callable[[float], QuadraticDynamics]:
    """Regress time derivatives of latent states (Peherstorfer & Willcox 2016).

    Parameters
    ----------
    latent, velocities : numpy.ndarray
        Latent states and their time derivatives, ``(M, d)``.
    parameters : numpy.ndarray
        ``(M, p)``.
    linear, quadratic : bool
        Whether the dynamics have linear and quadratic terms. They always have a constant one.
    rows : int, optional
        Number of states whose products are held in memory at a time; by default all.

    Returns
    -------
    callable
        Maps the strength of the ridge to `QuadraticDynamics`.
    """
    y = np.concatenate([latent, parameters], axis=1)
    d, k = latent.shape[1], y.shape[1]
    features = partial(polynomial_features, linear=linear, quadratic=quadratic)
    solve = ridge_regression(features, y, velocities, rows)

    def dynamics(strength: float) -> QuadraticDynamics:
        operators = solve(strength)
        return QuadraticDynamics(
            offset=operators[0],
            linear=operators[1 : k + 1].T if linear else np.zeros((d, k)),
            quadratic=operators[1 + linear * k :].T if quadratic else None,
        )

    return dynamics
