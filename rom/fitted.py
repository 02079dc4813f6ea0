"""What every fit returns: an encoder and a decoder around POD coordinates, with labels and a history, in memory or in a file."""

from __future__ import annotations

import copy
import os
from dataclasses import asdict
from typing import Any, ClassVar, Generic, Self, TypeVar

import torch
import xarray as xr
from torch import Tensor, nn

from rom.architecture import n_weights, parts_of
from rom.arguments import checked_device
from rom.config import FitConfig
from rom.field_correction import attach
from rom.layout import Layout
from rom.own_modules import is_own
from rom.persistence import history_to_json, write_sealed
from rom.projection import Projection

__all__ = ["Fitted", "FittedState"]


class FittedState(nn.Module):
    """All numbers of a fit: what `save` stores and `to` moves. `networks` hold at least `encoder` and `decoder`."""

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


S = TypeVar("S", bound=FittedState)


class Fitted(Generic[S]):
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

    @property
    def _kind(self) -> Tensor:
        """A tensor with the device and the dtype of the networks."""
        return self._state.projection.mean

    def save(self, path: str | os.PathLike) -> None:
        """Write everything to one safetensors file, all but the numbers as JSON in its header.

        `rom.load`, or `rom.load_autoencoder`, makes the same of it, bit by bit. Raises `RomError` when the file cannot be written.
        """
        networks, projection = self._state.networks, self._state.projection
        document = {
            "config": self.config.to_dict(),
            "classes": [type(part).__name__ for part in parts_of(networks).values()],
            "own_modules": is_own(networks),
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
