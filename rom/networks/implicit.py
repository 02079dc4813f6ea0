"""Implicit neural representations: a decoder that is a function of position, and an encoder of values at any positions.

They act on standardised fields (B, channels, *shape) at known positions, each row by itself, and are zero before training.
`encoder.at(positions)` and `decoder.at(positions)` are modules with the same weights at other positions.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from rom.networks.field_network import FieldNetwork
from rom.networks.geometry import Geometry
from rom.networks.mlp import ACTIVATIONS, activate, blank_linear, uniform_, zero_
from rom.utils.checks import require_choice, require_integer, require_widths
from rom.utils.errors import RomTypeError, RomValueError

__all__ = ["Implicit"]

# Distance by which positions may lie outside of the domain, because of rounding, in shares of its extent.
OUTSIDE = 1e-6


@dataclass(frozen=True)
class Implicit(FieldNetwork):
    """Settings of a decoder psi(z, position) and of an encoder of sets of values, for any positions.

    The decoder is a network of z and a position (Park et al. 2019; Chen et al. 2023). The encoder takes the mean over all
    points of features of the values times kernels of the positions, and applies a network to it (Zaheer et al. 2017).

    Parameters
    ----------
    hidden : tuple of int, default (64, 64, 64)
        Widths of the hidden layers of the decoder. The encoder has features of the first width at each point, and hidden
        layers of the other widths after the mean.
    frequencies : int, default 4
        Number of harmonics of the position along each direction (Tancik et al. 2020). Their base is the period, or twice the
        extent of the domain if there is no period.
    activation : str, default "tanh"
        "tanh", "silu", "gelu", "relu", "elu", "softplus" or "sin".

    Raises
    ------
    RomTypeError, RomValueError
        If a setting is unknown or has an invalid value.

    References
    ----------
    Park et al. 2019, CVPR (DeepSDF). Chen et al. 2023, ICLR (CROM). Zaheer et al. 2017, NeurIPS (Deep Sets).
    Tancik et al. 2020, NeurIPS (Fourier features).

    Examples
    --------
    >>> import rom
    >>> config = rom.FitConfig(network=rom.Implicit(hidden=(32, 32)))
    >>> config.network.frequencies
    4
    """

    hidden: tuple[int, ...] = (64, 64, 64)
    frequencies: int = 4
    activation: str = "tanh"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_widths("Implicit.hidden", self.hidden)
        if not self.hidden:
            raise RomValueError("Implicit.hidden must have at least one layer, got ()")
        require_integer("Implicit.frequencies", self.frequencies, low=1)
        require_choice("Implicit.activation", self.activation, ACTIVATIONS)

    def encoder(self, geometry: Geometry, latent_dim: int, generator: torch.Generator | None = None) -> ImplicitEncoder:
        """Return an encoder from fields (B, channels, *shape) to latent states (B, d).

        The arguments are those of `FieldNetwork`.

        Raises
        ------
        RomValueError
            If the points have no positions.
        """
        encoding = encoding_of(self, geometry)
        width, *widths = self.hidden
        values = uniform_(blank_linear(geometry.channels, width), geometry.channels + encoding.n_features, generator)
        places = uniform_(blank_linear(encoding.n_features, width), geometry.channels + encoding.n_features, generator)
        kernel = dense([encoding.n_features, width, width], generator)
        head = dense([width, *widths], generator).append(zero_(blank_linear(self.hidden[-1], latent_dim)))
        points = SetNetwork(values, places, kernel, head, self.activation)
        return ImplicitEncoder(points, encoding, known_positions(geometry))

    def decoder(self, geometry: Geometry, latent_dim: int, generator: torch.Generator | None = None) -> ImplicitDecoder:
        """Return a decoder from latent states (B, d) to fields (B, channels, *shape).

        The arguments are those of `FieldNetwork`.

        Raises
        ------
        RomValueError
            If the points have no positions.
        """
        encoding = encoding_of(self, geometry)
        n_in = latent_dim + encoding.n_features
        latent = uniform_(blank_linear(latent_dim, self.hidden[0]), n_in, generator)
        places = uniform_(blank_linear(encoding.n_features, self.hidden[0]), n_in, generator)
        layers = dense(self.hidden, generator).append(zero_(blank_linear(self.hidden[-1], geometry.channels)))
        points = PointNetwork(latent, places, layers, self.activation)
        return ImplicitDecoder(points, encoding, known_positions(geometry), geometry.shape)


@dataclass(frozen=True)
class Encoding:
    """Features of positions: harmonics, and the scaled position along directions without a period.

    Attributes
    ----------
    lower, extent : tuple of float
        Lower end and extent of the domain along each of the k directions. The extent of a periodic direction is its period.
    periodic : tuple of bool
        Whether a direction is periodic.
    frequencies : int
        Number of harmonics along each direction.
    """

    lower: tuple[float, ...]
    extent: tuple[float, ...]
    periodic: tuple[bool, ...]
    frequencies: int

    @property
    def n_features(self) -> int:
        """Number F of features of a position."""
        return sum(2 * self.frequencies + (not periodic) for periodic in self.periodic)

    def __call__(self, positions: Any) -> Tensor:
        """Return features (N, F) in float64 of positions (N, k), or raise `RomValueError` outside of the domain."""
        features = []
        for k, column in enumerate(self.checked(positions).T):
            place = (column - self.lower[k]) / self.extent[k]  # from 0 to 1
            turns = np.outer(place, np.arange(1, self.frequencies + 1)) * (2.0 if self.periodic[k] else 1.0)
            features += [np.cos(np.pi * turns), np.sin(np.pi * turns)]
            if not self.periodic[k]:
                features.append(2.0 * place[:, None] - 1.0)
        return torch.from_numpy(np.concatenate(features, axis=1))

    def checked(self, positions: Any) -> np.ndarray:
        """Return positions as an array (N, k), or raise a typed error unless they are finite and within the domain."""
        try:
            array = np.asarray(positions, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise RomTypeError(f"positions must be numbers (n_points, {len(self.lower)}): {error}") from error
        if array.ndim != 2 or array.shape[1] != len(self.lower) or not len(array):
            raise RomValueError(f"positions must have shape (n_points, {len(self.lower)}), got {array.shape}")
        beyond = OUTSIDE * np.array(self.extent)
        above = array > np.array(self.lower) + self.extent + beyond
        outside = (array < np.array(self.lower) - beyond) | above
        outside = (outside & ~np.array(self.periodic)) | ~np.isfinite(array)
        if outside.any():
            point, k = (int(index) for index in np.argwhere(outside)[0])
            raise RomValueError(
                f"positions[{point}, {k}] = {array[point, k]:g} is outside of the domain of the fit, from {self.lower[k]:g} to "
                f"{self.lower[k] + self.extent[k]:g}; pass positions within it"
            )
        return array


def known_positions(geometry: Geometry) -> np.ndarray:
    """Return the positions (n_points, k) of `geometry`, or raise `RomValueError` if there are none."""
    if geometry.positions is None:
        raise RomValueError(
            f"Implicit needs to know where the points lie, but the axes {geometry.axes} of the data have no numeric "
            "coordinates; give them some, or take Convolutional (grids) or Graph (meshes)"
        )
    return np.asarray(geometry.positions, dtype=np.float64)


def encoding_of(settings: Implicit, geometry: Geometry) -> Encoding:
    """Return the features of positions in the smallest box around the points of `geometry`."""
    positions = known_positions(geometry)
    lower = positions.min(axis=0)
    extent = positions.max(axis=0) - lower
    periods = geometry.periods or (None,) * positions.shape[1]
    return Encoding(
        tuple(lower.tolist()),
        tuple(float(period or size or 1.0) for period, size in zip(periods, extent, strict=True)),
        tuple(period is not None for period in periods),
        settings.frequencies,
    )


class ImplicitEncoder(nn.Module):
    """Encoder from values (B, channels, ...) at given positions, in any order and number, to latent states (B, d)."""

    features: Tensor

    def __init__(self, points: SetNetwork, encoding: Encoding, positions: Any):
        super().__init__()
        self.points = points
        self.encoding = encoding
        self.register_buffer("features", encoding(positions).to(points.places.weight.device), persistent=False)

    def forward(self, fields: Tensor) -> Tensor:
        """Return latent states (B, d) of values (B, channels, ...)."""
        values = fields.flatten(2).mT  # (B, N, channels)
        return self.points(values, self.features.to(values.dtype))

    def at(self, positions: Any) -> Self:
        """Return the encoder of values (B, channels, n) at `positions` (n, k), with the same weights.

        Raises
        ------
        RomValueError
            If positions lie outside of the domain.
        """
        return type(self)(self.points, self.encoding, positions)


class ImplicitDecoder(nn.Module):
    """Decoder from latent states (B, d) to values (B, channels, *shape) at given positions."""

    features: Tensor

    def __init__(self, points: PointNetwork, encoding: Encoding, positions: Any, shape: tuple[int, ...] | None = None):
        super().__init__()
        self.points = points
        self.encoding = encoding
        self.register_buffer("features", encoding(positions).to(points.places.weight.device), persistent=False)
        self.shape = shape or (len(self.features),)

    def forward(self, latent: Tensor) -> Tensor:
        """Return values (B, channels, *shape) of latent states (B, d)."""
        return self.points(latent, self.features.to(latent.dtype)).mT.unflatten(2, self.shape)

    def at(self, positions: Any) -> Self:
        """Return the decoder to values (B, channels, n) at `positions` (n, k), with the same weights.

        Raises
        ------
        RomValueError
            If positions lie outside of the domain.
        """
        return type(self)(self.points, self.encoding, positions)


class PointNetwork(nn.Module):
    """Network from latent states (B, d) and features of positions (N, F) to values (B, N, channels).

    The first layer is a sum of a part for z, computed once for each row, and a part for the position, computed once for
    each point.
    """

    def __init__(self, latent: nn.Linear, places: nn.Linear, layers: nn.ModuleList, activation: str):
        super().__init__()
        self.latent = latent
        self.places = places
        self.layers = layers
        self.activation = activation

    def forward(self, latent: Tensor, features: Tensor) -> Tensor:
        """Return values (B, N, channels) of all rows at all points."""
        hidden = self.latent(latent)[:, None] + self.places(features)
        return through(self.layers, activate(self.activation, hidden), self.activation)


class SetNetwork(nn.Module):
    """Network from values (B, N, channels) at points with features (N, F) to latent states (B, d).

    z = head(mean over points of k(p) a(W x + U p + b)) with kernels k of the position p. It does not depend on the order of
    the points. The mean is an integral over the domain if they cover it evenly.
    """

    def __init__(
        self, values: nn.Linear, places: nn.Linear, kernel: nn.ModuleList, head: nn.ModuleList, activation: str
    ):
        super().__init__()
        self.values = values
        self.places = places
        self.kernel = kernel
        self.head = head
        self.activation = activation

    def forward(self, values: Tensor, features: Tensor) -> Tensor:
        """Return latent states (B, d)."""
        hidden = activate(self.activation, self.values(values) + self.places(features))
        kernels = through(self.kernel, features, self.activation)
        mean = torch.einsum("bnh,nh->bh", hidden, kernels) / len(features)
        return through(self.head, mean, self.activation)


def dense(widths: Any, generator: torch.Generator | None) -> nn.ModuleList:
    """Return linear layers between `widths`."""
    return nn.ModuleList([uniform_(blank_linear(a, b), a, generator) for a, b in pairwise(widths)])


def through(layers: nn.ModuleList, features: Tensor, activation: str) -> Tensor:
    """Return features (..., n_out) after all `layers`, with activations between them."""
    *hidden, last = layers
    for layer in hidden:
        features = activate(activation, layer(features))
    return last(features)
