"""Convolutional encoders and decoders of fields on grids, whose levels halve or double the grid.

They act on standardised fields (B, channels, *shape), each row by itself. Their last layers are zero before training.

Torch's convolutions on the CPU are faster if channels come last, (B, *grid, c), and if a line is a plane with one row.
Tensors inside the networks are therefore of this form. Each convolution is merged with the resampling before or after it
into one kernel, which is the same map in less time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from rom.networks.field_network import FieldNetwork
from rom.networks.geometry import Geometry
from rom.networks.mlp import ACTIVATIONS, activate, blank_linear, uniform_, zero_
from rom.utils.checks import require_choice, require_integer, require_names, require_widths
from rom.utils.errors import RomValueError, nearest

__all__ = ["Convolutional"]

# Valid values of settings
PADDINGS = ("auto", "periodic", "zeros")
DOWN = ("stride", "pool")
UP = ("resize", "transposed")


@dataclass(frozen=True)
class Convolutional(FieldNetwork):
    """Settings of a convolutional encoder and decoder of fields on a grid of one to three axes.

    Parameters
    ----------
    channels : tuple of int, default (16, 32)
        Number of features at each level. Each level halves the grid, so 2^levels must divide its numbers of points.
    kernel : int, default 3
        Number of points of a kernel along each axis, odd.
    padding : {"auto", "periodic", "zeros"}, default "auto"
        Values around the grid. "auto" is "periodic" along axes that have a period, and "zeros" along the others.
    down : {"stride", "pool"}, default "stride"
        How the encoder halves the grid: by strided convolutions, or by the mean of neighbours after each convolution.
    up : {"resize", "transposed"}, default "resize"
        How the decoder doubles the grid: by repeating values before each convolution, which leaves no checkerboard
        patterns (Odena et al. 2016), or by transposed convolutions.
    activation : str, default "tanh"
        "tanh", "silu", "gelu", "relu", "elu", "softplus" or "sin".
    axes : tuple of str, str or None, default None
        Names of the axes to convolve along. Values along other axes are channels. None means all axes without text labels.

    Raises
    ------
    RomTypeError, RomValueError
        If a setting is unknown or has an invalid value.

    References
    ----------
    Odena, Dumoulin & Olah 2016, Distill, https://doi.org/10.23915/distill.00003.

    Examples
    --------
    >>> import rom
    >>> config = rom.FitConfig(network=rom.Convolutional(channels=(8, 16), padding="periodic"))
    >>> config.network.kernel
    3
    """

    channels: tuple[int, ...] = (16, 32)
    kernel: int = 3
    padding: str = "auto"
    down: str = "stride"
    up: str = "resize"
    activation: str = "tanh"
    axes: tuple[str, ...] | str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_widths("Convolutional.channels", self.channels)
        if not self.channels:
            raise RomValueError("Convolutional.channels must have at least one level, got ()")
        if require_integer("Convolutional.kernel", self.kernel, low=3) % 2 == 0:
            raise RomValueError(f"Convolutional.kernel must be odd, to have a middle, got {self.kernel}")
        require_choice("Convolutional.padding", self.padding, PADDINGS)
        require_choice("Convolutional.down", self.down, DOWN)
        require_choice("Convolutional.up", self.up, UP)
        require_choice("Convolutional.activation", self.activation, ACTIVATIONS)
        if isinstance(self.axes, str):
            object.__setattr__(self, "axes", (self.axes,))
        if self.axes is not None:
            require_names("Convolutional.axes", self.axes)

    def encoder(self, geometry: Geometry, latent_dim: int, generator: torch.Generator | None = None) -> nn.Module:
        """Return an encoder from fields (B, channels, *shape) to latent states (B, d).

        The arguments are those of `FieldNetwork`.

        Raises
        ------
        RomValueError
            If levels, kernel or axes do not fit the grid.
        """
        grid = grid_of(self, geometry)
        widths = [grid.channels, *self.channels]
        levels = [Down(a, b, grid.axes, self.down, generator) for a, b in pairwise(widths)]
        return ConvolutionalEncoder(grid, levels, self.activation, latent_dim)

    def decoder(self, geometry: Geometry, latent_dim: int, generator: torch.Generator | None = None) -> nn.Module:
        """Return a decoder from latent states (B, d) to fields (B, channels, *shape).

        The arguments are those of `FieldNetwork`.

        Raises
        ------
        RomValueError
            If levels, kernel or axes do not fit the grid.
        """
        grid = grid_of(self, geometry)
        linear = uniform_(blank_linear(latent_dim, self.channels[-1] * math.prod(grid.coarsest)), latent_dim, generator)
        widths = [*reversed(self.channels), grid.channels]
        levels = [Up(a, b, grid.axes, self.up, generator) for a, b in pairwise(widths)]
        return ConvolutionalDecoder(grid, linear, levels, self.activation)


@dataclass(frozen=True)
class Axis:
    """Axis of the tensors inside a network.

    Attributes
    ----------
    size : int
        Number of points.
    factor : int
        Ratio of the numbers of points at consecutive levels.
    kernel : int
        Number of points of a kernel.
    periodic : bool
        Whether the axis is periodic; otherwise there are zeros around it.
    """

    size: int
    factor: int
    kernel: int
    periodic: bool

    @property
    def reach(self) -> int:
        """Number of points between the middle of the kernel and its end."""
        return self.kernel // 2


@dataclass(frozen=True)
class Grid:
    """Axes to convolve along, and the way of fields to them and back.

    Attributes
    ----------
    order : tuple of int
        Dimensions of a batch of fields, in the order of the tensors inside.
    shape : tuple of int
        Shape of a field in that order.
    channels : int
        Number of values at a point of the grid, including axes that count as channels.
    axes : tuple of Axis
        Axes of the tensors inside.
    coarsest : tuple of int
        Numbers of points at the last level.
    """

    order: tuple[int, ...]
    shape: tuple[int, ...]
    channels: int
    axes: tuple[Axis, ...]
    coarsest: tuple[int, ...]

    def enter(self, fields: Tensor) -> Tensor:
        """Return fields (B, channels, *shape) as (B, *grid, c)."""
        return fields.permute(self.order).reshape(len(fields), *(axis.size for axis in self.axes), self.channels)

    def leave(self, features: Tensor) -> Tensor:
        """Return features (B, *grid, c) as fields (B, channels, *shape), the inverse of `enter`."""
        return features.reshape(len(features), *self.shape).permute(
            *(self.order.index(k) for k in range(len(self.order)))
        )


def grid_of(settings: Convolutional, geometry: Geometry) -> Grid:
    """Return the grid of `geometry` for these settings, or raise `RomValueError` if they do not fit it."""
    names = geometry.axes if settings.axes is None else settings.axes
    for name in names:
        if name not in geometry.axes:
            raise RomValueError(f"Convolutional.axes: the field has no axis {name!r}; {nearest(name, geometry.axes)}")
    if not 1 <= len(names) <= 3:
        raise RomValueError(
            f"Convolutional acts along one to three axes, and the field has {len(names)}: {tuple(names)}; "
            "name those to convolve along in Convolutional.axes, or take another network"
        )
    along = [geometry.axes.index(name) for name in names]
    others = [k for k in range(len(geometry.shape)) if k not in along]
    order = (0, *(2 + k for k in along), 1, *(2 + k for k in others))
    levels = len(settings.channels)
    axes = [axis_of(settings, geometry, k) for k in along]
    if len(axes) == 1:
        axes = [Axis(1, 1, 1, False), *axes]
    return Grid(
        order,
        tuple((1, geometry.channels, *geometry.shape)[k] for k in order[1:]),
        geometry.channels * math.prod(geometry.shape[k] for k in others),
        tuple(axes),
        tuple(axis.size // axis.factor**levels for axis in axes),
    )


def axis_of(settings: Convolutional, geometry: Geometry, k: int) -> Axis:
    """Return the k-th axis of a field, or raise `RomValueError` if levels or kernel do not fit its points."""
    name, size, levels = geometry.axes[k], geometry.shape[k], len(settings.channels)
    if size % 2**levels:
        raise RomValueError(
            f"Convolutional.channels: {levels} levels halve the grid {levels} times, but axis {name!r} has {size} "
            f"points; {remedy_for(size, levels)}"
        )
    has_period = bool(geometry.periods) and geometry.periods[k] is not None
    periodic = has_period if settings.padding == "auto" else settings.padding == "periodic"
    axis = Axis(size, 2, settings.kernel, periodic)
    fewest = size // 2 ** (levels - 1)
    if periodic and axis.reach > fewest:
        raise RomValueError(
            f"Convolutional.kernel: {settings.kernel} points reach around the periodic axis {name!r} more than once, "
            f"which has {fewest} at the last level; take a smaller kernel or fewer levels"
        )
    return axis


def remedy_for(size: int, levels: int) -> str:
    """Return what to change so that 2^levels divides the number of points along an axis."""
    below = size - size % 2**levels
    works = f"{below} or {below + 2**levels} points" if below else f"{2**levels} points"
    fits = (size & -size).bit_length() - 1
    return f"give it {works}" + (f", or at most {fits} {'level' if fits == 1 else 'levels'}" if fits else "")


class ConvolutionalEncoder(nn.Module):
    """Encoder from fields (B, channels, *shape) to latent states (B, d): convolutions, then a linear map."""

    def __init__(self, grid: Grid, levels: list[Down], activation: str, latent_dim: int):
        super().__init__()
        self.grid = grid
        self.levels = nn.ModuleList(levels)
        self.activation = activation
        self.linear = zero_(blank_linear(levels[-1].bias.numel() * math.prod(grid.coarsest), latent_dim))

    def forward(self, fields: Tensor) -> Tensor:
        """Return latent states (B, d) of fields (B, channels, *shape)."""
        return self.linear(self.trunk(fields).flatten(1))

    def trunk(self, fields: Tensor) -> Tensor:
        """Return features (B, *coarsest grid, c) of fields (B, channels, *shape)."""
        features = self.grid.enter(fields)
        for level in self.levels:
            features = activate(self.activation, level(features))
        return features


class ConvolutionalDecoder(nn.Module):
    """Decoder from latent states (B, d) to fields (B, channels, *shape): a linear map, then convolutions."""

    def __init__(self, grid: Grid, linear: nn.Linear, levels: list[Up], activation: str):
        super().__init__()
        self.grid = grid
        self.linear = linear
        self.levels = nn.ModuleList(levels)
        self.activation = activation
        zero_(levels[-1])

    def forward(self, latent: Tensor) -> Tensor:
        """Return fields (B, channels, *shape) of latent states (B, d)."""
        return self.trunk(self.linear(latent).unflatten(1, (*self.grid.coarsest, -1)))

    def trunk(self, features: Tensor) -> Tensor:
        """Return fields (B, channels, *shape) of features (B, *coarsest grid, c)."""
        for level in self.levels:
            features = level(activate(self.activation, features))
        return self.grid.leave(features)


class Down(nn.Module):
    """Convolution that halves the grid, from (B, *grid, n_in) to (B, *(grid / 2), n_out).

    The grid is halved by strides, or by the mean of neighbours. A convolution followed by the mean is one strided
    convolution, whose kernel has one point more along each axis.
    """

    def __init__(self, n_in: int, n_out: int, axes: tuple[Axis, ...], down: str, generator: torch.Generator | None):
        super().__init__()
        self.axes = axes
        self.pool = down == "pool"
        kernel = [axis.kernel for axis in axes]
        self.weight = nn.Parameter(torch.empty(n_out, n_in, *kernel))
        self.bias = nn.Parameter(torch.empty(n_out))
        uniform_(self, n_in * math.prod(kernel), generator)

    def forward(self, features: Tensor) -> Tensor:
        """Return features (B, *(grid / 2), n_out) of features (B, *grid, n_in)."""
        factors = [axis.factor for axis in self.axes]
        weight = widened(self.weight, self.axes) / math.prod(factors) if self.pool else self.weight
        zeros = []
        for k, axis in enumerate(self.axes, start=1):
            features = wrapped(features, k, axis.reach) if axis.periodic else features
            zeros.append(0 if axis.periodic else axis.reach)
        convolve = functional.conv2d if len(factors) == 2 else functional.conv3d
        return convolve(features.movedim(-1, 1), weight, self.bias, factors, zeros).movedim(1, -1)


class Up(nn.Module):
    """Convolution that doubles the grid, from (B, *grid, n_in) to (B, *(2 grid), n_out).

    The grid is doubled by a transposed convolution, or by repeating values before a convolution. The latter two are one
    transposed convolution, whose kernel has one point more along each axis.
    """

    def __init__(self, n_in: int, n_out: int, axes: tuple[Axis, ...], up: str, generator: torch.Generator | None):
        super().__init__()
        self.axes = axes
        self.resize = up == "resize"
        kernel = [axis.kernel for axis in axes]
        self.weight = nn.Parameter(torch.empty(n_in, n_out, *kernel))
        self.bias = nn.Parameter(torch.empty(n_out))
        # Along each axis, a point of the finer grid is reached by every second entry of a transposed kernel.
        shared = 1 if self.resize else math.prod(axis.factor for axis in axes)
        uniform_(self, n_in * math.prod(kernel) / shared, generator)

    def forward(self, features: Tensor) -> Tensor:
        """Return features (B, *(2 grid), n_out) of features (B, *grid, n_in)."""
        factors = [axis.factor for axis in self.axes]
        weight = widened(self.weight, self.axes) if self.resize else self.weight
        crops = []
        for k, axis in enumerate(self.axes, start=1):
            margin = (axis.reach + 1) // 2 if axis.periodic else 0
            features = wrapped(features, k, margin) if margin else features
            crops.append(axis.reach + axis.factor * margin)
        last = [0 if self.resize else factor - 1 for factor in factors]  # an odd kernel ends a point too early
        convolve = functional.conv_transpose2d if len(factors) == 2 else functional.conv_transpose3d
        fine = convolve(features.movedim(-1, 1), weight, self.bias, factors, crops, last)
        return fine.movedim(1, -1)


def widened(weight: Tensor, axes: tuple[Axis, ...]) -> Tensor:
    """Return kernels (., ., *kernel) convolved with (1, 1) along each axis whose number of points changes."""
    for k, axis in enumerate(reversed(axes)):
        if axis.factor > 1:
            before = [0, 0] * k  # torch counts axes from the last
            weight = functional.pad(weight, [*before, 0, 1]) + functional.pad(weight, [*before, 1, 0])
    return weight


def wrapped(features: Tensor, axis: int, margin: int) -> Tensor:
    """Return features with `margin` more points at both ends of a periodic axis."""
    n = features.shape[axis]
    return torch.cat([features.narrow(axis, n - margin, margin), features, features.narrow(axis, 0, margin)], dim=axis)
