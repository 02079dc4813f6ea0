"""The closed-form model: POD, a quadratic manifold and operator inference.

Training starts from it.

References
----------
S. A. McQuarrie, C. Huang, K. Willcox, "Data-driven reduced-order models via regularised operator inference for a
single-injector combustion process", J. R. Soc. N. Z. 51 (2021) 194-211: the ridge is chosen by rollouts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rom.reduction.operator_inference import QuadraticDynamics, infer_operators
from rom.reduction.polynomial_regression import RIDGES, n_distinct_products, product_index
from rom.reduction.quadratic_manifold import QuadraticManifold, fit_quadratic_manifold

__all__ = ["ClosedForm", "closed_form_models", "pad_latent_dim", "scale_latent"]


@dataclass(frozen=True)
class ClosedForm:
    """A classical reduced-order model in POD coordinates w.

    Its latent state is z = encoder w.

    Attributes
    ----------
    encoder : numpy.ndarray
        ``(d, r)``.
    manifold : QuadraticManifold
        Maps latent states to POD coordinates.
    dynamics : QuadraticDynamics or None
        None for an autoencoder.
    ridge : float
        Strength of the ridge in the regressions.
    """

    encoder: np.ndarray
    manifold: QuadraticManifold
    dynamics: QuadraticDynamics | None
    ridge: float

    @property
    def latent_dim(self) -> int:
        """Latent dimension d."""
        return self.encoder.shape[0]

    @property
    def rank(self) -> int:
        """Number r of POD coordinates."""
        return self.encoder.shape[1]


def closed_form_models(
    coordinates: np.ndarray,
    collocation: tuple[np.ndarray, np.ndarray, np.ndarray],
    latent_dim: int,
    *,
    linear: bool = True,
    quadratic: bool = True,
    quadratic_decoder: bool = True,
    ridges: Sequence[float] = RIDGES,
    rows: int | None = None,
) -> list[ClosedForm]:
    """Fit one closed-form model for each ridge.

    The latent state is the first d of the POD coordinates.

    Parameters
    ----------
    coordinates : numpy.ndarray
        POD coordinates of states, ``(N, r)``, for the manifold.
    collocation : tuple of numpy.ndarray
        POD coordinates ``(M, r)``, their time derivatives ``(M, r)`` and parameters ``(M, p)``, for the dynamics.
    latent_dim : int
        Latent dimension d.
    linear, quadratic : bool
        Whether the dynamics have linear and quadratic terms.
    quadratic_decoder : bool
        Whether the manifold has quadratic terms.
    ridges : sequence of float
        Strengths of the ridge.
    rows : int, optional
        Number of states whose products are held in memory at a time; by default all.

    Returns
    -------
    list of ClosedForm
        In the order of `ridges`.
    """
    d = latent_dim
    states, derivatives, parameters = collocation
    manifold = fit_quadratic_manifold(coordinates, d, quadratic_decoder, rows)
    dynamics = infer_operators(states[:, :d], derivatives[:, :d], parameters, linear, quadratic, rows)
    encoder = np.eye(d, coordinates.shape[1])
    return [ClosedForm(encoder, manifold(ridge), dynamics(ridge), ridge) for ridge in ridges]


def scale_latent(model: ClosedForm, spread: np.ndarray) -> ClosedForm:
    """Divide each latent coordinate by a number, for a model without dynamics.

    Parameters
    ----------
    model : ClosedForm
        A model without dynamics.
    spread : numpy.ndarray
        Divisors, ``(d,)``.

    Returns
    -------
    ClosedForm
        A model with the same reconstructions.
    """
    assert model.dynamics is None
    manifold = model.manifold
    quadratic = manifold.quadratic
    if quadratic is not None:
        i, j = np.triu_indices(model.latent_dim)
        quadratic = quadratic * (spread[i] * spread[j])
    scaled = QuadraticManifold(manifold.offset, manifold.linear * spread, quadratic)
    return ClosedForm(model.encoder / spread[:, None], scaled, None, model.ridge)


def pad_latent_dim(model: ClosedForm, mixtures: np.ndarray) -> ClosedForm:
    """Append latent coordinates that are linear combinations of the others.

    The decoder and dz/dt depend on the original coordinates only, so that reconstructions and forecasts stay the same.

    Parameters
    ----------
    model : ClosedForm
        A model with d latent coordinates.
    mixtures : numpy.ndarray
        Coefficients of the linear combinations, ``(extra, d)``. They are scaled to rows of unit length.

    Returns
    -------
    ClosedForm
        A model with d + extra latent coordinates.
    """
    d = model.latent_dim
    padded = d + len(mixtures)
    extend = np.concatenate([np.eye(d), mixtures / np.linalg.norm(mixtures, axis=1, keepdims=True)])
    return ClosedForm(
        encoder=extend @ model.encoder,
        manifold=QuadraticManifold(
            offset=model.manifold.offset,
            linear=insert_columns(model.manifold.linear, np.arange(d), padded),
            quadratic=insert_products(model.manifold.quadratic, np.arange(d), padded),
        ),
        dynamics=None if model.dynamics is None else pad_dynamics(model.dynamics, extend),
        ridge=model.ridge,
    )


def pad_dynamics(dynamics: QuadraticDynamics, extend: np.ndarray) -> QuadraticDynamics:
    """Return the dynamics of the latent states `extend` z.

    `extend` has the shape ``(padded, d)``; z are the first d entries of `extend` z.
    """
    padded, d = extend.shape
    kept = np.concatenate([np.arange(d), padded + np.arange(dynamics.n_parameters)])  # z and mu among the new y
    n_variables = padded + dynamics.n_parameters
    return QuadraticDynamics(
        offset=extend @ dynamics.offset,
        linear=insert_columns(extend @ dynamics.linear, kept, n_variables),
        quadratic=insert_products(
            None if dynamics.quadratic is None else extend @ dynamics.quadratic, kept, n_variables
        ),
    )


def insert_columns(matrix: np.ndarray, kept: np.ndarray, n_columns: int) -> np.ndarray:
    """Return zeros with the columns of `matrix` at the indices `kept`.

    The shape is ``(m, n_columns)``.
    """
    wide = np.zeros((len(matrix), n_columns))
    wide[:, kept] = matrix
    return wide


def insert_products(matrix: np.ndarray | None, kept: np.ndarray, n_variables: int) -> np.ndarray | None:
    """Return coefficients of the products of more variables.

    `matrix` holds the coefficients for the variables at the indices `kept`; all others are zero.
    """
    if matrix is None:
        return None
    i, j = np.triu_indices(len(kept))
    columns = product_index(kept[i], kept[j], n_variables)
    return insert_columns(matrix, columns, n_distinct_products(n_variables))
