"""What every fit returns: an encoder and a decoder around POD coordinates, with labels and a history, in memory or in a file.

States are what the fit was given, or, of a fit in a function space, coefficients of values at any positions.
"""

from __future__ import annotations

import copy
import functools
import os
from dataclasses import asdict
from typing import Any, ClassVar, Generic, Self, TypeVar

import torch
import xarray as xr
from torch import Tensor, nn

from rom.config import FitConfig
from rom.data.at_positions import PositionedValues, cells_at, coefficients_given, lifting_at, values_given
from rom.data.gappy_pod import Prior
from rom.data.layout import Layout
from rom.data.outputs import as_type_of, cells_as_type_of
from rom.data.positions import MOVING, place_asked_for
from rom.data.states import states_of
from rom.models.arguments import latent_states
from rom.networks.encoder_decoder import n_weights, parts_of
from rom.networks.field_correction import attach
from rom.networks.user_modules import has_user_modules
from rom.reduction.pod import Projection
from rom.reduction.spline_space import FunctionSpace
from rom.utils.checks import require_number
from rom.utils.devices import checked_device
from rom.utils.errors import RomTypeError, RomValueError
from rom.utils.files import history_to_json, write_sealed

__all__ = ["LatentModel", "ModelModules", "prior_shapes"]


class ModelModules(nn.Module):
    """All numbers of a fit: what `save` stores and `to` moves. `networks` hold at least `encoder` and `decoder`.

    Buffers of a fit in a function space: `prior_variance` (r,) and `prior_noise` (n_fields,), as `Prior` has them.
    """

    prior_variance: Tensor
    prior_noise: Tensor

    def __init__(self, projection: Projection, networks: Any, **buffers: Tensor):
        super().__init__()
        self.projection = projection
        self.networks = networks
        for name, value in buffers.items():
            self.register_buffer(name, value)

    def fill(self, tensors: dict[str, Tensor]) -> None:
        """Take all numbers from a file."""
        self.load_state_dict(tensors)
        attach(self.networks, self.projection.basis)

    def encode(self, states: Tensor) -> Tensor:
        return self.networks.encoder(self.projection.project(states))

    def decode(self, latent: Tensor) -> Tensor:
        return self.projection.lift(self.networks.decoder(latent))


def prior_shapes(layout: Layout, rank: int) -> dict[str, tuple[int, ...]]:
    """Of the buffers that a fit in a function space has beside others, in float64."""
    return {} if layout.space is None else {"prior_variance": (rank,), "prior_noise": (len(layout.parts),)}


S = TypeVar("S", bound=ModelModules)


class LatentModel(Generic[S]):
    """What models and autoencoders have in common. `history` (xarray.Dataset) tells how one came about."""

    file_kind: ClassVar[str]

    def __init__(self, state: S, layout: Layout, config: FitConfig, history: xr.Dataset):
        self._state = state.requires_grad_(False).eval()
        self._layout = layout
        self.config = config
        self.history = history

    @property
    def latent_dim(self) -> int:
        """d, the number of latent coordinates."""
        return self._state.networks.encoder.linear.out_features

    @property
    def rank(self) -> int:
        """r, the number of POD coordinates between a state and the networks."""
        return self._state.projection.rank

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the dimensions of a state."""
        return self._layout.dims

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a state."""
        return self._layout.shape

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the variables of a state, where it is not one array alone."""
        return tuple(one.name for one in self._layout.fields)

    @property
    def n_weights(self) -> dict[str, int]:
        """How many weights the "encoder", the "latent_dynamics" of a model and the "decoder" have, closed-form parts included."""
        return n_weights(self._state.networks)

    @property
    def device(self) -> torch.device:
        return self._kind.device

    # -- the two maps -------------------------------------------------------------------------------------------------

    def encode(self, x: Any, at: Any = None, *, noise: float = 0.0) -> Any:
        """Latent states z = phi(x), (..., d), of states x (..., *shape), in the kind they were given.

        NumPy gives NumPy, torch gives torch with gradients, xarray gives xarray with a last dimension `latent`. Of a model of
        fields, x is a Dataset or a mapping of them, or flat (..., n). Of a variational autoencoder, z is the mean.
        Of a fit in a function space, x holds values at any positions, those of its coordinates, or of arrays those `at` which
        they lie (as in `decode`). Where they do not determine a field well, z is that of the most probable one (gappy POD;
        Everson & Sirovich 1995), given how the training data vary, and how large the errors of their values were. `noise` is the
        standard deviation of larger errors, in the units of the values: with it, values that are many are not trusted beyond it
        either.
        Raises `RomValueError` for a negative `noise`, or one of a fit on a grid, a shape that does not end in `shape`, or
        positions outside of the domain, `RomTypeError` for complex or object arrays, and arrays without positions.
        """
        states, dims = self._states_of("x", x, at, noise=noise)
        return self._like(x, self._state.encode(states), ("latent",), (self.latent_dim,), dims)

    def decode(self, z: Any, at: Any = None) -> Any:
        """States x = psi(z), (..., *shape), of latent states z (..., d), in the kind they were given.

        Of a model of fields, a DataArray gives a Dataset of them; other kinds give flat states (..., n).
        Of a fit in a function space, the values psi(z, position) `at` positions, by the names of its axes: {"x": numbers} or, of
        several axes, the grid that theirs span; DataArrays that share dimensions are points along these.
        Raises `RomValueError` for a last axis that is not d long, positions outside of the domain, and `at` of a fit on a grid,
        `RomTypeError` where `at` is missing.
        """
        latent = latent_states(z, self.latent_dim, self._kind)
        space = self._space(at)
        if space is None:
            return self._like(z, self._state.decode(latent), self.dims, self.shape, ("latent",))
        if at is None:
            raise RomTypeError(f"at is missing: tell the positions, as decode(z, at={{{space.names[0]!r}: [...]}})")
        place = place_asked_for(at, space)
        shared = [dim for dim in getattr(z, "dims", ()) if dim in place.dims]
        if shared:
            raise RomValueError(
                f"at: its dimension {shared[0]!r} is one of z, but all of z are decoded at all positions; rename one of both, or decode "
                "one by one"
            )
        places = [place] * len(self._layout.parts)
        mean, modes = lifting_at(self._layout, self._state.projection, [place.positions for place in places])
        values = mean + self._scaled_coordinates(latent) @ modes.T
        return cells_as_type_of(z, values, cells_at(self._layout, places), bool(self._layout.fields))

    # -- files and devices --------------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike) -> None:
        """Write everything to one safetensors file, all but the numbers as JSON in its header.

        `rom.load`, or `rom.load_autoencoder`, makes the same of it, bit by bit. Raises `RomError` when the file cannot be written.
        """
        networks, projection = self._state.networks, self._state.projection
        document = {
            "config": self.config.to_dict(),
            "classes": [type(part).__name__ for part in parts_of(networks).values()],
            "own_modules": has_user_modules(networks),
            "rank": self.rank,
            "latent_dim": self.latent_dim,
            "lost_energy": projection.lost_energy,
            "layout": asdict(self._layout),
            "history": history_to_json(self.history),
        }
        write_sealed(path, self.file_kind, document, dict(self._state.state_dict()))

    def to(self, device: str | torch.device) -> Self:
        """The same on another device. Raises `RomValueError` for one that is not there."""
        state = copy.deepcopy(self._state).to(checked_device(device))
        return type(self)(state, self._layout, self.config, self.history)

    # -- within -------------------------------------------------------------------------------------------------------

    @property
    def _kind(self) -> Tensor:
        """A tensor with the device and the dtype of the networks."""
        return self._state.projection.mean

    @property
    def _moving(self) -> tuple[str, ...]:
        """Dimensions of values at points along which these may move, and which are none of a state."""
        return MOVING

    @functools.cached_property
    def _prior(self) -> Prior:
        return Prior.of(self._state.projection, self._state.prior_variance, self._state.prior_noise)

    def _space(self, at: Any) -> FunctionSpace | None:
        """The function space, None of a fit on a grid of its own, which takes no `at`."""
        if self._layout.space is None and at is not None:
            raise RomValueError("at was given, but this model lies on the grid of its data; rom.Coordinate frees it")
        return self._layout.space

    def _checked_noise(self, noise: Any, in_space: bool) -> float:
        """The standard deviation of the errors of values at positions, which other states have not."""
        noise = require_number("noise", noise, low=0.0)
        if noise > 0.0 and not in_space:
            raise RomValueError(
                "noise was given, but only a model in a function space (rom.Coordinate) weighs values at positions by their errors"
            )
        return noise

    def _given(self, name: str, x: Any, at: Any, is_rate: bool = False) -> PositionedValues:
        """Values at positions, of a fit in a function space."""
        return values_given(name, x, at, self._layout, self._kind, units=not is_rate, moving=self._moving)

    def _coefficients(self, name: str, given: PositionedValues, is_rate: bool = False, noise: float = 0.0) -> Tensor:
        """Flat states (..., n) of what was given, in a function space."""
        return coefficients_given(name, given, self._layout, self._prior, is_rate, noise).to(self._kind)

    def _states_of(
        self, name: str, x: Any, at: Any, is_rate: bool = False, noise: float = 0.0
    ) -> tuple[Tensor, tuple[str, ...]]:
        """Flat states (..., n), or their rates, and the dimensions that are a state's in what was given."""
        space = self._space(at)
        noise = self._checked_noise(noise, space is not None)
        if space is None:
            return states_of(name, x, self._layout, self._kind, units=not is_rate), self.dims
        given = self._given(name, x, at, is_rate)
        return self._coefficients(name, given, is_rate, noise), given.dims

    def _scaled_coordinates(self, latent: Tensor) -> Tensor:
        """POD coordinates (..., r) of decoded latent states, in the units of the states."""
        return self._state.projection.scale * self._state.networks.decoder(latent)

    def _like(
        self, given: Any, result: Tensor, dims: tuple[str, ...], shape: tuple[int, ...], replaced: tuple[str, ...]
    ) -> Any:
        return as_type_of(given, result, self._layout, dims, shape, replaced)
