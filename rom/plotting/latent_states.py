"""Latent states of data, and the choice of the latent coordinates that a picture shows."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from rom.models.autoencoder import Autoencoder
from rom.models.latent_quality import as_array, flat_decoder, of_trajectories, units_of
from rom.models.reduced_order_model import ReducedOrderModel
from rom.utils.errors import RomValueError

__all__ = [
    "Model",
    "choose_plane",
    "coordinate_symbol",
    "decode_flat",
    "encode_points",
    "encode_states",
    "largest_variance",
    "most_important",
    "require_drawable",
    "subsample",
]

Model = ReducedOrderModel | Autoencoder

FEWEST_STATES = 3
MOST_POINTS = 5000  # drawn in one picture
MOST_DECODED = 500  # latent states that are decoded to find the most important coordinates


def encode_states(model: Model, states: Any) -> np.ndarray:
    """Return the latent states (..., d) of states (..., *shape) in float64."""
    return as_array(model.encode(of_trajectories(states))).astype(np.float64)


def encode_points(model: Model, states: Any) -> np.ndarray:
    """Return the latent states of states (..., *shape) as points (N, d) that can be drawn."""
    latent = encode_states(model, states)
    return require_drawable(latent.reshape(-1, latent.shape[-1]))


def require_drawable(latent: np.ndarray) -> np.ndarray:
    """Return latent states (N, d) if they can be drawn.

    Raises
    ------
    RomValueError
        If there are fewer than 3, or if one is not finite.
    """
    if len(latent) < FEWEST_STATES:
        raise RomValueError(f"{len(latent)} states are too few for a picture; pass at least {FEWEST_STATES}")
    if not np.isfinite(latent).all():
        first = int(np.argmin(np.isfinite(latent).all(axis=1)))
        raise RomValueError(f"latent state {first} is not finite; leave such states out")
    return latent


def decode_flat(model: Model, latent: np.ndarray) -> np.ndarray:
    """Return the flat states (N, n) of latent states (N, d); spline coefficients of a model with a function space."""
    return as_array(flat_decoder(model)(torch.from_numpy(latent)))


def subsample(count: int) -> np.ndarray:
    """Return the indices of the states to draw, at most 5,000 of `count`, in random order.

    In random order, points of one trajectory do not hide those of another.
    """
    return np.random.default_rng(0).permutation(count)[:MOST_POINTS]


def largest_variance(latent: np.ndarray, count: int) -> list[int]:
    """Return the indices of the `count` coordinates of latent states (N, d) with the largest variance, sorted."""
    return sorted(np.argsort(-latent.var(axis=0), kind="stable")[:count].tolist())


def most_important(model: Model, latent: np.ndarray) -> list[int]:
    """Return the indices of the two coordinates that decoded states depend on most, sorted.

    The measure is the change of the decoded states if a coordinate is replaced by its mean.

    Parameters
    ----------
    model : ReducedOrderModel or Autoencoder
    latent : ndarray, (N, d)

    Returns
    -------
    list of int

    Raises
    ------
    RomValueError
        If d is not the latent dimension of the model.
    """
    if latent.shape[1] != model.latent_dim:
        raise RomValueError(f"latent has {latent.shape[1]} coordinates, those of the model are {model.latent_dim}")
    sample = latent[subsample(len(latent))[:MOST_DECODED]]
    states = decode_flat(model, sample)
    unit = units_of(states, model._layout.field_groups)
    changes = []
    for k in range(latent.shape[1]):
        replaced = sample.copy()
        replaced[:, k] = latent[:, k].mean()
        changes.append(float(np.square((decode_flat(model, replaced) - states) / unit).sum()))
    return sorted(np.argsort(-np.array(changes), kind="stable")[:2].tolist())


def choose_plane(latent: np.ndarray, axes: Any) -> tuple[int, int]:
    """Return the two coordinates of latent states (N, d) that span a picture.

    Parameters
    ----------
    latent : ndarray, (N, d)
    axes : pair of int or None
        The wish of the user. None chooses the two coordinates of largest variance.

    Returns
    -------
    tuple of int

    Raises
    ------
    RomValueError
        If `axes` are not two different coordinates from 0 to d - 1.
    """
    d = latent.shape[1]
    if axes is None:
        i, j = largest_variance(latent, 2)
        return i, j
    chosen = np.asarray(axes)
    if chosen.shape != (2,) or chosen.dtype.kind not in "iu" or chosen[0] == chosen[1]:
        raise RomValueError(f"axes must be two different latent coordinates, such as (0, 1), got {axes!r}")
    if chosen.min() < 0 or chosen.max() >= d:
        raise RomValueError(f"axes is {axes!r}, but this latent space has the coordinates 0 to {d - 1}")
    return int(chosen[0]), int(chosen[1])


def coordinate_symbol(k: int) -> str:
    """Return the symbol of latent coordinate `k` for matplotlib."""
    return f"$z_{{{k}}}$"
