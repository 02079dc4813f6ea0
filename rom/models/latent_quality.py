"""How good a latent space is: whether every coordinate is used, whether it folds or tears, how evenly it can be decoded.

All is told as the decoder sees it. The unit of a latent coordinate means nothing, so no number here changes when one is
scaled, but for its variance.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from rom.utils.errors import RomValueError

__all__ = ["EncodesAndDecodes", "complaints", "latent_quality", "measured"]

FEWEST_STATES = 10  # from which a latent space can be judged
MOST_SAMPLES = 1000  # the distances between all pairs of them are compared
SAMPLED_NUMBERS = 2**27  # of samples of large states: a gigabyte
DECODED_AT_ONCE = 2**22  # numbers of a block of Jacobians
NEIGHBOURS = 10
UNUSED = 0.01  # of the reconstruction error: a coordinate that matters less does not matter
ROUNDING = 1e-12  # of the variance of the states, the square of what float32 leaves uncertain
FOLDED = 0.9  # trustworthiness below this: many of the neighbours in the latent space are none


class EncodesAndDecodes(Protocol):
    """Whose latent space it is: a `rom.ReducedOrderModel`, or an object of your own.

    encode: states (N, *shape) to latent states (N, d), of NumPy arrays. decode: latent states (N, d) to states (N, *shape), of
    torch tensors, differentiable in forward mode.
    """

    def encode(self, x: Any, /) -> Any: ...

    def decode(self, z: Any, /) -> Any: ...


def latent_quality(model: EncodesAndDecodes, states: Any) -> xr.Dataset:
    """How good the latent space of `model` is on `states`.

    model: a `ReducedOrderModel`, or any object whose `encode` takes NumPy arrays and whose `decode` torch tensors.
    states: (..., *shape), at least 10, as `model.encode` takes them, or a Dataset of trajectories. States that training
        has not seen tell most. Of a model in a function space, values at any positions; they are compared by coefficients.

    Returns a Dataset over `latent`, `latent_other`, and `sample`, at most 1,000 of the states chosen at random, with
        variance (latent,): of each coordinate over the states, in its own unit;
        importance (latent,): mean square change of the decoded states where a coordinate is replaced by its mean, in shares
            of the variance of the states;
        active (latent,): whether that is more than a hundredth of the reconstruction error. (Burda, Grosse &
            Salakhutdinov 2016, ICLR, sec. 5, ask how much a coordinate varies, where a prior fixes its unit.);
        correlation (latent, latent_other): between coordinates;
        condition (sample,): condition number of dpsi/dz with each column times the standard deviation of its coordinate: how
            unevenly small changes of z move the decoded state; inf where one moves nothing;
    with the coordinate `sample`, positions among the states with all leading axes as one, and the attributes
        reconstruction: mean square error of psi(phi(x)), in shares of the variance of the states;
        effective_dimension: (sum l)^2 / sum l^2 over the eigenvalues l of C G, with C the covariance of z and G the mean
            of (dpsi/dz)^T dpsi/dz: variances along principal directions, in units of the decoded states. Between 1 and d,
            and the same after any linear change of z;
        condition_median, condition_max;
        trustworthiness, continuity: of ten neighbours, with distances in z measured by G (Venna & Kaski 2006, Neural
            Networks 19, sec. 2): 1 is perfect, and places at random give about 1/2. Trust is lost where the encoder
            folds, so that states far apart share a place; continuity where it tears, so that near ones do not.

    Fields in different units count alike. Warns (`RuntimeWarning`) of coordinates that are not used and of a latent space that
    folds. Raises `RomValueError` for too few states, and for latent or decoded states that are not finite.
    """
    quality = measured(model, of_trajectories(states))
    for message in complaints(quality):
        warnings.warn(message, RuntimeWarning, stacklevel=2)
    return quality


def measured(model: EncodesAndDecodes, states: Any) -> xr.Dataset:
    """What `latent_quality` returns."""
    latent = as_array(model.encode(states)).astype(np.float64)
    latent = latent.reshape(-1, latent.shape[-1])
    n_states, d = latent.shape
    if n_states < FEWEST_STATES:
        raise RomValueError(f"states: {n_states} are too few to judge a latent space; pass at least {FEWEST_STATES}")
    if not np.isfinite(latent).all():
        first = int(np.argmin(np.isfinite(latent).all(axis=1)))
        raise RomValueError(f"states: the latent state of number {first} is not finite; leave such states out")
    centre, spread = latent.mean(axis=0), latent.std(axis=0)
    standard = (latent - centre) / positive(spread)
    correlation = standard.T @ standard / n_states
    np.fill_diagonal(correlation, 1.0)

    flat, groups = flattened(model, states, n_states)
    sample = drawn(*flat.shape)
    unit = units_of(flat[sample], groups)
    exact = flat[sample] / unit
    decode = in_units(flat_decoder(model), unit)
    view = view_of_decoder(decode, latent[sample], centre, spread, exact)

    root = square_root(view.metric.mean(axis=0))
    eigenvalues = np.linalg.eigvalsh(root @ correlation @ root)
    condition = condition_numbers(view.metric)
    places = ranks(standard[sample] @ root), ranks(exact)
    return xr.Dataset(
        {
            "variance": ("latent", spread**2),
            "importance": ("latent", view.importance),
            "active": ("latent", view.importance > UNUSED * view.error + ROUNDING),
            "correlation": (("latent", "latent_other"), correlation),
            "condition": ("sample", condition),
        },
        coords={"latent": np.arange(d), "latent_other": np.arange(d), "sample": sample},
        attrs={
            "reconstruction": view.error,
            "effective_dimension": float(eigenvalues.sum() ** 2 / positive(np.square(eigenvalues).sum())),
            "condition_median": float(np.median(condition)),
            "condition_max": float(condition.max()),
            "trustworthiness": neighbours_kept(*places),
            "continuity": neighbours_kept(*reversed(places)),
        },
    )


def complaints(quality: xr.Dataset) -> list[str]:
    """What is wrong with a latent space, and what to do about it."""
    unused = [str(k) for k in quality["latent"].values[~quality["active"].values]]
    messages = []
    if unused:
        which = f"coordinate {unused[0]} is" if len(unused) == 1 else f"coordinates {', '.join(unused)} are"
        messages.append(
            f"latent {which} not used: decoded states hardly change with the mean in its place. Take fewer latent states; of a "
            "variational autoencoder, lower beta or warm it up for longer, for this is posterior collapse"
        )
    trust = quality.attrs["trustworthiness"]
    if trust < FOLDED:
        messages.append(
            f"the latent space folds (trustworthiness {trust:.2f}): states that lie far apart have nearly the same latent "
            "state. Take more latent states, or give the reconstruction more weight"
        )
    return messages


# -----------------------------------------------------------------------------------------------------------
# States
# -----------------------------------------------------------------------------------------------------------


def of_trajectories(states: Any) -> Any:
    """The states of a Dataset of trajectories; anything else as it is."""
    return states["state"] if isinstance(states, xr.Dataset) and "state" in states else states


def as_array(values: Any) -> np.ndarray:
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def flattened(model: Any, states: Any, n_states: int) -> tuple[np.ndarray, Sequence[Sequence[slice]]]:
    """Return states (N, n) in the order of the model's components, and the groups of components that share a unit."""
    codec = getattr(model, "codec", None)
    if codec is None:
        return as_array(states).reshape(n_states, -1).astype(np.float64), ((slice(None),),)
    flat = as_array(codec.flatten("states", states, dtype=torch.float64).flat)
    return flat.reshape(n_states, -1).astype(np.float64), codec.layout.field_groups


def drawn(n_states: int, size: int) -> np.ndarray:
    """Positions of some of the states, at random: equal distances would find one phase of every trajectory."""
    count = min(MOST_SAMPLES, max(FEWEST_STATES, SAMPLED_NUMBERS // size))
    return np.sort(np.random.default_rng(0).permutation(n_states)[:count])


def units_of(flat: np.ndarray, groups: Sequence[Sequence[slice]]) -> np.ndarray:
    """Units (n,) of the components of states (N, n): the root of the mean variance in each of the groups."""
    variance, unit = flat.var(axis=0), np.ones(flat.shape[1])
    for group in groups:
        mean = np.concatenate([variance[where] for where in group]).mean()
        for where in group:
            unit[where] = np.sqrt(mean) if mean > 0.0 else 1.0
    return unit


# -----------------------------------------------------------------------------------------------------------
# The decoder
# -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class View:
    """The latent space as the decoder sees it.

    metric: (S, d, d), (dpsi/ds)^T dpsi/ds with s = z over its standard deviation. importance: (d,) and error, in shares of
    the variance of the states.
    """

    metric: np.ndarray
    importance: np.ndarray
    error: float


def flat_decoder(model: Any) -> Callable[[Tensor], Tensor]:
    """Return the decoder, from latent states (B, d) to flat states (B, n): in a function space to coefficients, not values."""
    decode_flat = getattr(model, "decode_flat", None)
    return decode_flat or (lambda latent: model.decode(latent).reshape(len(latent), -1))


def in_units(decode: Callable[[Tensor], Tensor], unit: np.ndarray) -> Callable[[Tensor], Tensor]:
    """A decoder whose flat states (B, n) are in the given units (n,)."""
    inverse = torch.from_numpy(1.0 / unit)
    return lambda latent: decode(latent) * inverse


@torch.no_grad()
def view_of_decoder(
    decode: Callable[[Tensor], Tensor], latent: np.ndarray, centre: np.ndarray, spread: np.ndarray, exact: np.ndarray
) -> View:
    """By d products dpsi/dz e_k, and d decodings with one coordinate at its mean, at latent states (S, d) of `exact` (S, n)."""
    d = latent.shape[1]
    tangents = torch.from_numpy(np.diag(spread))
    metric, change, error = [], np.zeros(d), 0.0
    size = max(1, DECODED_AT_ONCE // (d * exact.shape[1]))
    for start in range(0, len(latent), size):
        z = torch.from_numpy(latent[start : start + size])
        decoded = decode(z)
        if not decoded.isfinite().all():
            raise RomValueError(
                "states: some of them are not finite once they are encoded and decoded; leave these out"
            )
        error += (decoded - torch.from_numpy(exact[start : start + size])).square().sum().item()
        columns = [torch.func.jvp(decode, (z,), (tangents[k].expand_as(z),))[1] for k in range(d)]
        jacobian = torch.stack(columns, dim=1)  # (B, d, n)
        metric.append((jacobian @ jacobian.mT).numpy())
        for k in range(d):
            replaced = z.clone()
            replaced[:, k] = centre[k]
            change[k] += (decode(replaced) - decoded).square().sum().item()
    total = positive(len(exact) * exact.var(axis=0).sum())
    return View(np.concatenate(metric), change / total, float(error / total))


def condition_numbers(metric: np.ndarray) -> np.ndarray:
    """Of Jacobians, (S,), by their Gram matrices (S, d, d); inf where a direction is lost in rounding."""
    square = np.linalg.eigvalsh(metric)
    least, most = square[:, 0], square[:, -1]
    lost = least <= len(metric[0]) * np.finfo(float).eps * most
    return np.where(lost, np.inf, np.sqrt(most / np.where(lost, 1.0, least)))


def square_root(matrix: np.ndarray) -> np.ndarray:
    """The symmetric root of a symmetric matrix without negative eigenvalues."""
    eigenvalues, vectors = np.linalg.eigh(matrix)
    return vectors * np.sqrt(np.maximum(eigenvalues, 0.0)) @ vectors.T


def positive(values: Any) -> Any:
    return np.maximum(values, np.finfo(float).tiny)


# -----------------------------------------------------------------------------------------------------------
# Neighbours
# -----------------------------------------------------------------------------------------------------------


def ranks(points: np.ndarray) -> np.ndarray:
    """How near each point is to each other, (S, S): 0 the point of the row itself, 1 its nearest neighbour, and so on."""
    centred = points - points.mean(axis=0)
    square = np.square(centred).sum(axis=1)
    distance = square[:, None] + square - 2.0 * centred @ centred.T
    np.fill_diagonal(distance, -np.inf)
    order = distance.argsort(axis=1, kind="stable")
    result = np.empty_like(order)
    np.put_along_axis(result, order, np.arange(len(points))[None], axis=1)
    return result


def neighbours_kept(near: np.ndarray, true: np.ndarray) -> float:
    """1 - 2 / (S k (2 S - 3 k - 1)) sum over the k nearest by `near` of what their rank by `true` exceeds k (both (S, S)).

    Trustworthiness where `near` are ranks in the latent space and `true` those among the states; continuity the other way
    round (Venna & Kaski 2006, Neural Networks 19, eqs. 1 and 2).
    """
    count = len(near)
    k = min(NEIGHBOURS, (count - 1) // 2)
    intruders = np.where((near >= 1) & (near <= k), np.maximum(true - k, 0), 0).sum()
    return float(1.0 - 2.0 * intruders / (count * k * (2 * count - 3 * k - 1)))
