"""Quality of a latent space: unused coordinates, folds, tears, conditioning.

Everything is measured through the decoder. The unit of a latent coordinate has no meaning, so no figure but the
variance changes when a coordinate is scaled.
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

from rom.data.states import StatesLike
from rom.utils.errors import RomValueError
from rom.utils.optional import require_scikit_learn

__all__ = ["EncodesAndDecodes", "latent_quality", "measure_latent_quality", "quality_warnings"]

MIN_STATES = 10  # from which a latent space can be judged

# States that are compared: the distances between all pairs of them, and fewer of large states, which take a gigabyte.
MAX_SAMPLES = 1000
MAX_SAMPLED_NUMBERS = 2**27

MAX_JACOBIAN_NUMBERS = 2**22  # of the Jacobians that are computed at a time
NEIGHBOURS = 10  # of each state, for trustworthiness and continuity

# A coordinate is used if replacing it by its mean changes the decoded states by more than this share of the
# reconstruction error, and by more than what float32 leaves uncertain. The second is a share of the variance of the
# states.
USED_SHARE_OF_ERROR = 0.01
USED_SHARE_OF_VARIANCE = 1e-12

FOLDED_BELOW = 0.9  # trustworthiness


class EncodesAndDecodes(Protocol):
    """A model of this package, or an object of your own with these two methods."""

    def encode(self, x: Any, /) -> Any:
        """Map states ``(N, *shape)`` to latent states ``(N, d)``, both NumPy arrays."""
        ...

    def decode(self, z: Any, /) -> Any:
        """Map latent states ``(N, d)`` to states ``(N, *shape)``, both torch tensors.

        It must be differentiable in forward mode.
        """
        ...


def latent_quality(model: EncodesAndDecodes, states: StatesLike) -> xr.Dataset:
    """Measure how good the latent space of a model is.

    Fields in different units have equal weight. Of a model with `FitConfig.space`, states are values at any positions, and
    are compared by their coefficients.

    Parameters
    ----------
    model : ReducedOrderModel, Autoencoder or object
        An object of your own needs two methods: `encode` takes NumPy arrays ``(N, *shape)`` and returns ``(N, d)``,
        `decode` takes torch tensors ``(N, d)``, returns ``(N, *shape)``, and is differentiable in forward mode.
    states : array-like or xarray.Dataset
        At least 10 states ``(..., *shape)``, as `model.encode` takes them, or a Dataset of trajectories. States that
        were not used in training are most informative.

    Returns
    -------
    xarray.Dataset
        Variables over `latent`, `latent_other` and `sample`. The coordinate `sample` holds positions of at most 1000
        randomly chosen states, with all leading axes flattened.

        - `variance` (latent): of each coordinate over the states, in the unit of the coordinate.
        - `importance` (latent): mean square change of the decoded states when a coordinate is replaced by its mean, in
          shares of the variance of the states.
        - `active` (latent): whether that is more than a hundredth of the reconstruction error. (Burda et al. 2016,
          sec. 5, use the variance of a coordinate instead, where a prior fixes its unit.)
        - `correlation` (latent, latent_other): between coordinates.
        - `condition` (sample): condition number of dpsi/dz, with each column times the standard deviation of its
          coordinate. It says how unevenly small changes of z move the decoded state, and is infinite if
          one of them has no effect.

        Its attributes are:

        - `reconstruction`: mean square error of psi(phi(x)), in shares of the variance of the states.
        - `effective_dimension`: (sum l)^2 / sum l^2 over the eigenvalues l of C G, with the covariance C of z and the
          mean G of (dpsi/dz)^T dpsi/dz. It lies between 1 and d, and linear changes of z do not alter it.
        - `condition_median`, `condition_max`.
        - `trustworthiness`, `continuity`: of ten neighbours, with distances in z measured by G (Venna & Kaski 2006,
          eqs. 1 and 2). 1 is perfect; random places give about 1/2. Trustworthiness is low if the encoder folds, so
          that distant states share a place; continuity is low if it tears, so that close states do not.

    Warns
    -----
    RuntimeWarning
        For coordinates that are not used, and for a latent space that folds.

    Raises
    ------
    RomImportError
        If scikit-learn is not installed: ``pip install latentrom[manifold]``.
    RomValueError
        If there are too few states, or if latent or decoded states are not finite.

    References
    ----------
    - J. Venna, S. Kaski, "Local multidimensional scaling", Neural Networks 19 (2006) 889-899.
    - Y. Burda, R. Grosse, R. Salakhutdinov, "Importance weighted autoencoders", ICLR 2016.

    Examples
    --------
    >>> import numpy as np
    >>> import rom
    >>> x = np.random.default_rng(0).standard_normal((100, 2)) @ [[1.0, 2.0, 0.0], [0.0, 1.0, 1.0]]
    >>> model = rom.fit_autoencoder(x, 2, config=rom.FitConfig(hidden=(), quadratic_decoder=False))
    >>> quality = rom.latent_quality(model, x)
    >>> quality["active"].values.tolist()
    [True, True]
    >>> round(quality.attrs["trustworthiness"], 2)
    1.0
    """
    require_scikit_learn("latent_quality")
    quality = measure_latent_quality(model, of_trajectories(states))
    for message in quality_warnings(quality):
        warnings.warn(message, RuntimeWarning, stacklevel=2)
    return quality


def measure_latent_quality(model: EncodesAndDecodes, states: Any, neighbours: bool = True) -> xr.Dataset:
    """Return the figures of `latent_quality`.

    Without `neighbours`, those that need scikit-learn are left out.
    """
    latent = finite_latent_states(model, states)
    n_states, d = latent.shape
    centre, spread = latent.mean(axis=0), latent.std(axis=0)
    standard = (latent - centre) / at_least_tiny(spread)
    correlation = standard.T @ standard / n_states
    np.fill_diagonal(correlation, 1.0)

    flat, groups = flattened(model, states, n_states)
    sample = sample_positions(*flat.shape)
    unit = units_of(flat[sample], groups)
    exact = flat[sample] / unit
    decode = in_units(flat_decoder(model), unit)
    decoder = measure_decoder(decode, latent[sample], centre, spread, exact)

    root = square_root(decoder.metric.mean(axis=0))
    eigenvalues = np.linalg.eigvalsh(root @ correlation @ root)
    condition = condition_numbers(decoder.metric)
    return xr.Dataset(
        {
            "variance": ("latent", spread**2),
            "importance": ("latent", decoder.importance),
            "active": ("latent", decoder.importance > USED_SHARE_OF_ERROR * decoder.error + USED_SHARE_OF_VARIANCE),
            "correlation": (("latent", "latent_other"), correlation),
            "condition": ("sample", condition),
        },
        coords={"latent": np.arange(d), "latent_other": np.arange(d), "sample": sample},
        attrs={
            "reconstruction": decoder.error,
            "effective_dimension": float(eigenvalues.sum() ** 2 / at_least_tiny(np.square(eigenvalues).sum())),
            "condition_median": float(np.median(condition)),
            "condition_max": float(condition.max()),
            **(neighbour_figures(standard[sample] @ root, exact) if neighbours else {}),
        },
    )


def finite_latent_states(model: EncodesAndDecodes, states: Any) -> np.ndarray:
    """Return the latent states ``(N, d)`` in float64.

    Too few of them, and any that are not finite, raise `RomValueError`.
    """
    latent = as_array(model.encode(states)).astype(np.float64)
    latent = latent.reshape(-1, latent.shape[-1])
    if len(latent) < MIN_STATES:
        raise RomValueError(f"states: {len(latent)} are too few to judge a latent space; pass at least {MIN_STATES}")
    finite = np.isfinite(latent).all(axis=1)
    if not finite.all():
        raise RomValueError(
            f"states: the latent state of number {int(np.argmin(finite))} is not finite; leave such states out"
        )
    return latent


def neighbour_figures(latent: np.ndarray, states: np.ndarray) -> dict[str, float]:
    """Return trustworthiness and continuity (Venna & Kaski 2006, eqs. 1 and 2).

    Continuity is trustworthiness with the two sets of points exchanged.

    Parameters
    ----------
    latent : numpy.ndarray
        Latent states ``(S, d)``, in units in which the decoder is an isometry on average.
    states : numpy.ndarray
        ``(S, n)``.
    """
    from sklearn.manifold import trustworthiness

    # Centred because scikit-learn takes distances from products, which are inexact far from the origin.
    latent, states = (points - points.mean(axis=0) for points in (latent, states))
    k = min(NEIGHBOURS, (len(states) - 1) // 2)
    return {
        "trustworthiness": float(trustworthiness(states, latent, n_neighbors=k)),
        "continuity": float(trustworthiness(latent, states, n_neighbors=k)),
    }


def quality_warnings(quality: xr.Dataset) -> list[str]:
    """Return what is wrong with a latent space, and what to do about it."""
    unused = [str(k) for k in quality["latent"].values[~quality["active"].values]]
    messages = []
    if unused:
        which = f"coordinate {unused[0]} is" if len(unused) == 1 else f"coordinates {', '.join(unused)} are"
        messages.append(
            f"latent {which} not used: decoded states hardly change with the mean in its place. Take fewer latent states; of a "
            "variational autoencoder, lower beta or warm it up for longer, for this is posterior collapse"
        )
    trust = quality.attrs.get("trustworthiness", 1.0)
    if trust < FOLDED_BELOW:
        messages.append(
            f"the latent space folds (trustworthiness {trust:.2f}): states that lie far apart have nearly the same latent "
            "state. Take more latent states, or give the reconstruction more weight"
        )
    return messages


def of_trajectories(states: Any) -> Any:
    """Return the states of a Dataset of trajectories, and anything else unchanged."""
    return states["state"] if isinstance(states, xr.Dataset) and "state" in states else states


def as_array(values: Any) -> np.ndarray:
    """Return values as a NumPy array, also those of a tensor on any device."""
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def flattened(model: Any, states: Any, n_states: int) -> tuple[np.ndarray, Sequence[Sequence[slice]]]:
    """Return states ``(N, n)`` in the order of the model's components.

    The groups of components that share a unit are returned as well.
    """
    codec = getattr(model, "codec", None)
    if codec is None:
        return as_array(states).reshape(n_states, -1).astype(np.float64), ((slice(None),),)
    flat = as_array(codec.flatten("states", states, dtype=torch.float64).flat)
    return flat.reshape(n_states, -1).astype(np.float64), codec.layout.field_groups


def sample_positions(n_states: int, size: int) -> np.ndarray:
    """Return sorted random positions of some of the states, each of `size` numbers.

    States at equal distances could all lie in the same phase of every trajectory.
    """
    count = min(MAX_SAMPLES, max(MIN_STATES, MAX_SAMPLED_NUMBERS // size))
    return np.sort(np.random.default_rng(0).permutation(n_states)[:count])


def units_of(flat: np.ndarray, groups: Sequence[Sequence[slice]]) -> np.ndarray:
    """Return units ``(n,)`` of the components of states ``(N, n)``.

    In each group, the unit is the root of the mean variance.
    """
    variance, unit = flat.var(axis=0), np.ones(flat.shape[1])
    for group in groups:
        mean = np.concatenate([variance[where] for where in group]).mean()
        for where in group:
            unit[where] = np.sqrt(mean) if mean > 0.0 else 1.0
    return unit


@dataclass(frozen=True)
class DecoderFigures:
    """Figures of the decoder at latent states, with s = z over its standard deviation.

    Attributes
    ----------
    metric : numpy.ndarray
        (dpsi/ds)^T dpsi/ds at each latent state, ``(S, d, d)``.
    importance : numpy.ndarray
        Mean square change when a coordinate is replaced by its mean, ``(d,)``, in shares of the variance of the states.
    error : float
        Mean square error of the reconstruction, in the same unit.
    """

    metric: np.ndarray
    importance: np.ndarray
    error: float


def flat_decoder(model: Any) -> Callable[[Tensor], Tensor]:
    """Return the decoder from ``(B, d)`` to flat states ``(B, n)``.

    With `FitConfig.space`, flat states are coefficients.
    """
    decode_flat = getattr(model, "decode_flat", None)
    return decode_flat or (lambda latent: model.decode(latent).reshape(len(latent), -1))


def in_units(decode: Callable[[Tensor], Tensor], unit: np.ndarray) -> Callable[[Tensor], Tensor]:
    """Return a decoder whose flat states ``(B, n)`` are in the given units ``(n,)``."""
    inverse = torch.from_numpy(1.0 / unit)
    return lambda latent: decode(latent) * inverse


@torch.no_grad()
def measure_decoder(
    decode: Callable[[Tensor], Tensor], latent: np.ndarray, centre: np.ndarray, spread: np.ndarray, exact: np.ndarray
) -> DecoderFigures:
    """Measure the decoder at latent states.

    They are decoded, once with each coordinate at its mean, and differentiated along each coordinate.

    Parameters
    ----------
    decode : callable
        Maps tensors ``(B, d)`` to ``(B, n)``.
    latent, exact : numpy.ndarray
        Latent states ``(S, d)`` and the states that they encode, ``(S, n)``.
    centre, spread : numpy.ndarray
        Mean and standard deviation of each latent coordinate, ``(d,)``.

    Raises
    ------
    RomValueError
        If decoded states are not finite.
    """
    d = latent.shape[1]
    tangents = torch.from_numpy(np.diag(spread))
    metric, change, error = [], np.zeros(d), 0.0
    size = max(1, MAX_JACOBIAN_NUMBERS // (d * exact.shape[1]))
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
    total = at_least_tiny(len(exact) * exact.var(axis=0).sum())
    return DecoderFigures(np.concatenate(metric), change / total, float(error / total))


def condition_numbers(metric: np.ndarray) -> np.ndarray:
    """Return condition numbers ``(S,)`` of Jacobians.

    `metric` are their Gram matrices, ``(S, d, d)``. A singular one gives inf.
    """
    square = np.linalg.eigvalsh(metric)
    least, most = square[:, 0], square[:, -1]
    lost = least <= len(metric[0]) * np.finfo(float).eps * most
    return np.where(lost, np.inf, np.sqrt(most / np.where(lost, 1.0, least)))


def square_root(matrix: np.ndarray) -> np.ndarray:
    """Return the symmetric square root of a positive semidefinite matrix."""
    eigenvalues, vectors = np.linalg.eigh(matrix)
    return vectors * np.sqrt(np.maximum(eigenvalues, 0.0)) @ vectors.T


def at_least_tiny(values: Any) -> Any:
    """Return values with zeros replaced by the smallest normal number."""
    return np.maximum(values, np.finfo(float).tiny)
