"""The closed-form reduced-order model that training starts from, by ridge regression in about a second.

POD encoder, quadratic-manifold decoder and quadratic operator inference (Peherstorfer & Willcox 2016; McQuarrie, Huang
& Willcox 2021 for choosing the ridge by rollouts; Geelen, Wright & Willcox 2023 for the decoder).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

__all__ = ["RIDGES", "ClosedForm", "Manifold", "closed_form_models", "pad_latent_dim", "quadratic_manifold"]

RIDGES = tuple(10.0**k for k in range(-10, 1, 2))


@dataclass(frozen=True)
class ClosedForm:
    """The classical ROM in POD coordinates w (r,), with latent state z = encoder w, encoder (d, r), and y = (z, mu).

    Latent states are the first d coordinates, but where they are more than these (`pad_latent_dim`).
    Decoder: w = decoder_offset + decoder_linear z + decoder_quadratic (z x z), (r,), (r, d), (r, d^2).
    Dynamics: dz/dt = offset + linear y + quadratic (y x y), (d,), (d, d + p), (d, (d + p)^2).
    """

    encoder: np.ndarray
    decoder_offset: np.ndarray
    decoder_linear: np.ndarray
    decoder_quadratic: np.ndarray
    offset: np.ndarray
    linear: np.ndarray
    quadratic: np.ndarray
    ridge: float

    @property
    def latent_dim(self) -> int:
        return self.decoder_linear.shape[1]


def closed_form_models(
    coordinates: np.ndarray,
    collocation: tuple[np.ndarray, np.ndarray, np.ndarray],
    latent_dim: int,
    linear: bool = True,
    quadratic: bool = True,
    quadratic_decoder: bool = True,
    ridges: Sequence[float] = RIDGES,
    *,
    rows: int | None = None,
) -> list[ClosedForm]:
    """One classical ROM per ridge, for the caller to choose from by validation.

    `coordinates` (N, r) are POD coordinates of states, for the decoder; `collocation` holds POD coordinates (M, r),
    their time derivatives (M, r) and parameters (M, p), for the dynamics. Dynamics have an offset and, where asked for, a
    linear and a quadratic part; a decoder without its quadratic part is POD alone. Features, which are many more numbers than
    the states, are formed for `rows` states at a time; None for all at once.
    """
    d = latent_dim
    decoder = quadratic_manifold(coordinates, d, quadratic_decoder, rows)
    states, derivatives, parameters = collocation
    y = np.concatenate([states[:, :d], parameters], axis=1)
    operators = ridge_regression(
        partial(operator_features, linear=linear, quadratic=quadratic), y, derivatives[:, :d], rows
    )
    k = y.shape[1]
    n_linear = k if linear else 0
    models = []
    for strength in ridges:
        manifold = decoder(strength)
        theta = operators(strength)
        models.append(
            ClosedForm(
                encoder=np.eye(d, coordinates.shape[1]),
                decoder_offset=manifold.offset,
                decoder_linear=manifold.linear,
                decoder_quadratic=manifold.quadratic,
                offset=theta[0],
                linear=theta[1 : k + 1].T if linear else np.zeros((d, k)),
                quadratic=symmetric_quadratic(theta[1 + n_linear :], k) if quadratic else np.zeros((d, k * k)),
                ridge=strength,
            )
        )
    return models


def pad_latent_dim(model: ClosedForm, latent_dim: int, seed: int) -> ClosedForm:
    """The same model with more latent coordinates: those beyond are random mixtures of the others, and change as these do.

    The decoder, and dz/dt, go by the others alone.
    """
    k, d = model.latent_dim, latent_dim
    p = model.linear.shape[1] - k
    mixtures = np.random.default_rng([seed, 8]).standard_normal((d - k, k))
    grown = np.concatenate([np.eye(k), mixtures / np.linalg.norm(mixtures, axis=1, keepdims=True)])
    r, seen = len(model.decoder_offset), np.concatenate([np.arange(k), d + np.arange(p)])
    decoder_linear, decoder_quadratic = np.zeros((r, d)), np.zeros((r, d, d))
    linear, quadratic = np.zeros((d, d + p)), np.zeros((d, d + p, d + p))
    decoder_linear[:, :k] = model.decoder_linear
    decoder_quadratic[:, :k, :k] = model.decoder_quadratic.reshape(r, k, k)
    linear[:, seen] = grown @ model.linear
    quadratic[:, seen[:, None], seen] = (grown @ model.quadratic).reshape(d, k + p, k + p)
    return ClosedForm(
        encoder=grown @ model.encoder,
        decoder_offset=model.decoder_offset,
        decoder_linear=decoder_linear,
        decoder_quadratic=decoder_quadratic.reshape(r, -1),
        offset=grown @ model.offset,
        linear=linear,
        quadratic=quadratic.reshape(d, -1),
        ridge=model.ridge,
    )


@dataclass(frozen=True)
class Manifold:
    """w = offset + linear z + quadratic (z x z) with z = w[:d]: (r,), (r, d), (r, d^2)."""

    offset: np.ndarray
    linear: np.ndarray
    quadratic: np.ndarray


def quadratic_manifold(
    coordinates: np.ndarray, latent_dim: int, quadratic: bool = True, rows: int | None = None
) -> Callable[[float], Manifold]:
    """The manifold through POD coordinates (N, r) of states, as a function of the ridge.

    Coordinates beyond the first d are regressed on products of these (Geelen, Wright & Willcox 2023); on a constant alone where
    not `quadratic`.
    """
    d, r = latent_dim, coordinates.shape[1]
    features = partial(manifold_features, quadratic=quadratic)
    solve = ridge_regression(features, coordinates[:, :d], coordinates[:, d:], rows)

    def manifold(strength: float) -> Manifold:
        found = solve(strength)
        of_products = symmetric_quadratic(found[1:], d) if quadratic else np.zeros((r - d, d * d))
        return Manifold(
            offset=np.concatenate([np.zeros(d), found[0]]),
            linear=np.concatenate([np.eye(d), np.zeros((r - d, d))]),
            quadratic=np.concatenate([np.zeros((d, d * d)), of_products]),
        )

    return manifold


def manifold_features(z: np.ndarray, quadratic: bool) -> np.ndarray:
    """1 and, where `quadratic`, the distinct products z_i z_j."""
    return operator_features(z, linear=False, quadratic=quadratic)


def operator_features(y: np.ndarray, linear: bool, quadratic: bool) -> np.ndarray:
    """1 and, where asked for, y and the distinct products y_i y_j."""
    parts = [np.ones((len(y), 1)), *([y] if linear else []), *([distinct_products(y)] if quadratic else [])]
    return np.concatenate(parts, axis=1)


def distinct_products(y: np.ndarray) -> np.ndarray:
    """Products y_i y_j with i <= j: (N, k) to (N, k (k + 1) / 2)."""
    i, j = np.triu_indices(y.shape[1])
    return y[:, i] * y[:, j]


def symmetric_quadratic(coefficients: np.ndarray, k: int) -> np.ndarray:
    """Coefficients of the distinct products (k (k + 1) / 2, m) as a matrix (m, k^2) that acts on all products."""
    i, j = np.triu_indices(k)
    full = np.zeros((k, k, coefficients.shape[1]))
    full[i, j] += 0.5 * coefficients
    full[j, i] += 0.5 * coefficients
    return full.reshape(k * k, -1).T


def distinct_coefficients(matrix: np.ndarray, k: int) -> np.ndarray:
    """The inverse of `symmetric_quadratic`, transposed: of what acts on all products (m, k^2), what does on the distinct ones."""
    i, j = np.triu_indices(k)
    square = matrix.reshape(-1, k, k)
    return np.where(i == j, 1.0, 2.0) * square[:, i, j]


def ridge_regression(
    features_of: Callable[[np.ndarray], np.ndarray], inputs: np.ndarray, targets: np.ndarray, rows: int | None = None
) -> Callable[[float], np.ndarray]:
    """Regress `targets` (N, m) on features (N, k) of `inputs`: a function from the ridge to coefficients (k, m).

    Features are scaled to unit mean square first, so that one ridge means the same for all of them. Features that
    vanish on all samples get the coefficient zero. They are formed for `rows` inputs at a time, twice, or all at once.
    """
    n = len(inputs)
    if rows is None:
        whole = features_of(inputs)
        blocks = [(slice(None), lambda: whole)]
    else:
        some = [slice(k, min(k + rows, n)) for k in range(0, n, rows)]
        blocks = [(block, partial(features_of, inputs[block])) for block in some]
    spread = np.sqrt(sum(np.mean(features() ** 2, axis=0) * (len(inputs[block]) / n) for block, features in blocks))
    spread[spread == 0.0] = 1.0
    gram, moment = 0.0, 0.0
    for block, features in blocks:
        scaled = features() / spread
        gram = gram + scaled.T @ scaled / n
        moment = moment + scaled.T @ targets[block] / n
    eigenvalues, directions = np.linalg.eigh(gram)
    usable = eigenvalues > 1e-14 * eigenvalues[-1]

    def solve(strength: float) -> np.ndarray:
        inverse = np.where(usable, 1.0 / np.where(usable, eigenvalues + strength, 1.0), 0.0)
        return (directions @ (inverse[:, None] * (directions.T @ moment))) / spread[:, None]

    return solve
