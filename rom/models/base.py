"""What every fit returns: an encoder and a decoder around POD coordinates, with labels and a history."""

from __future__ import annotations

import copy
import functools
import json
import os
from typing import Any, ClassVar, Generic, Self, TypeVar

import torch
import xarray as xr
from torch import Tensor

from rom.config import FitConfig
from rom.data.codec import codec_for
from rom.data.layout import Layout
from rom.data.samples import POSITION_FREE_SAMPLE_DIMS
from rom.data.state_codec import PointDims, StateCodec
from rom.data.states import ArrayLike, StatesLike
from rom.models.arguments import latent_states
from rom.models.file_format import FileKind, StoredModel, write_model
from rom.models.modules import ModelModules
from rom.networks.encoder_decoder import n_weights
from rom.utils.devices import checked_device

__all__ = ["LatentModel"]

S = TypeVar("S", bound=ModelModules)


class LatentModel(Generic[S]):
    """What models and autoencoders have in common.

    Parameters
    ----------
    state : ModelModules
        All numbers.
    layout : Layout
        Labels of a state.
    config : FitConfig
        Configuration of the fit.
    history : xarray.Dataset
        The record of the fit: curves over training as variables, facts as attributes. docs/trust.md explains them.
    """

    _file_kind: ClassVar[FileKind[Any]]

    def __init__(self, state: S, layout: Layout, config: FitConfig, history: xr.Dataset):
        self._state = state.requires_grad_(False).eval()
        self._layout = layout
        self.config = config
        self.history = history

    @property
    def latent_dim(self) -> int:
        """The number d of latent coordinates."""
        return self._state.networks.encoder.linear.out_features

    @property
    def rank(self) -> int:
        """The number r of POD coordinates between a state and the networks."""
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
        """Names of the variables of a state, if it is not one array alone."""
        return tuple(one.name for one in self._layout.fields)

    @property
    def n_weights(self) -> dict[str, int]:
        """Number of weights of "encoder", "latent_dynamics" (of a model) and "decoder", closed-form parts included."""
        return n_weights(self._state.networks)

    @property
    def device(self) -> torch.device:
        """The device that the model computes on."""
        return self.codec.like.device

    @functools.cached_property
    def codec(self) -> StateCodec:
        """The codec between states of any kind and flat states. For use inside the package."""
        buffers = dict(self._state.named_buffers(recurse=False))
        return codec_for(self._layout, self._state.projection, buffers, point_dims_of(self.history))

    # -- the two maps -------------------------------------------------------------------------------------------------

    def encode(self, x: StatesLike, at: Any = None, *, noise: float = 0.0) -> Any:
        """Compute latent states z = phi(x).

        Parameters
        ----------
        x : array, tensor, DataArray, Dataset or mapping
            States ``(..., *shape)``. For a model of fields, a Dataset or a mapping of them, or flat states ``(..., n)``.
            For a fit in a function space, values at any positions: those of the coordinates of `x`, or `at` others for
            an array.
        at : mapping of str to array, optional
            Only in a function space: positions of an array `x`, as in `decode`.
        noise : float
            Only in a function space: standard deviation of the errors of the values, in their units, if it is larger than
            in training. The error is not reduced by averaging many values.

        Returns
        -------
        array, tensor or DataArray
            Latent states ``(..., d)`` in the kind of `x`: torch with gradients, xarray with a last dimension `latent`.
            Those of a variational autoencoder are the means. Where values do not determine a field well, they are those
            of the most probable field (gappy POD), given how the training data vary and how large the errors of their
            values were.

        Raises
        ------
        RomTypeError
            For complex or object arrays, and for arrays without positions in a function space.
        RomValueError
            For a shape that does not end in `shape`, labels or units unlike those of the training data, positions outside
            of the domain, and a `noise` that is negative or given for a fit on a grid.

        References
        ----------
        Everson & Sirovich 1995, J. Opt. Soc. Am. A 12, 1657.

        Examples
        --------
        >>> import numpy as np
        >>> import rom
        >>> angle = np.linspace(0.0, 6.0, 50)
        >>> data = np.stack([np.cos(angle), np.sin(angle), np.zeros(50)], axis=1)
        >>> autoencoder = rom.fit_autoencoder(data, 2, config=rom.FitConfig(hidden=(), quadratic_decoder=False))
        >>> autoencoder.encode(data).shape
        (50, 2)
        """
        states = self.codec.flatten("x", x, at, noise=noise)
        return self.codec.label(x, self._state.encode(states.flat), ("latent",), (self.latent_dim,), states.dims)

    def decode(self, z: ArrayLike, at: Any = None) -> Any:
        """Compute states x = psi(z) of latent states.

        Parameters
        ----------
        z : array, tensor or DataArray
            Latent states ``(..., d)``.
        at : mapping of str to array, optional
            Only in a function space, where it is needed: positions by the names of the axes. ``{"x": numbers}``, or for
            several axes the grid that theirs span. DataArrays that share dimensions are points along these.

        Returns
        -------
        array, tensor, DataArray or Dataset
            States ``(..., *shape)`` in the kind of `z`. For a model of fields, a DataArray gives a Dataset of them; other
            kinds give flat states ``(..., n)``. In a function space, the values at the positions.

        Raises
        ------
        RomTypeError
            If `at` is missing in a function space.
        RomValueError
            If the last axis of `z` does not have length d, positions lie outside of the domain, or `at` is given for a
            fit on a grid.

        Examples
        --------
        >>> import numpy as np
        >>> import rom
        >>> angle = np.linspace(0.0, 6.0, 50)
        >>> data = np.stack([np.cos(angle), np.sin(angle), np.zeros(50)], axis=1)
        >>> autoencoder = rom.fit_autoencoder(data, 2, config=rom.FitConfig(hidden=(), quadratic_decoder=False))
        >>> bool(np.allclose(autoencoder.decode(autoencoder.encode(data)), data, atol=1e-5))
        True
        """
        latent = latent_states(z, self.latent_dim, self.codec.like)
        return self.codec.decode_at(z, self._state.networks.decoder(latent), at)

    def decode_flat(self, latent: Tensor) -> Tensor:
        """Decode latent states (..., d) to flat states (..., n), in the dtype and on the device of `latent`.

        In a function space these are coefficients, not values. For use inside the package.
        """
        return self._state.decode(latent.to(self.codec.like)).to(latent)

    # -- files and devices --------------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike) -> None:
        """Write everything to one safetensors file, with all but the numbers as JSON in its header.

        `rom.load`, or `rom.load_autoencoder`, makes the same of it, bit by bit.

        Parameters
        ----------
        path : str or os.PathLike
            The file. It is replaced if it exists.

        Raises
        ------
        RomError
            If the file cannot be written.
        """
        write_model(path, self._file_kind, StoredModel(self._state, self._layout, self.config, self.history))

    def to(self, device: str | torch.device) -> Self:
        """Return the same model on another device.

        Parameters
        ----------
        device : str or torch.device
            "cpu", "cuda", "auto", or a torch device.

        Raises
        ------
        RomValueError
            If the device does not exist.
        """
        state = copy.deepcopy(self._state).to(checked_device(device))
        return type(self)(state, self._layout, self.config, self.history)


def point_dims_of(history: xr.Dataset) -> PointDims:
    """Return what the history of a fit tells of the dimensions of scattered points.

    That of an autoencoder names those that distinguished samples. The usual ones are added, since a list of samples may have
    had none.
    """
    if "sample_dims" not in history.attrs:
        return PointDims()
    sample_dims = (*json.loads(history.attrs["sample_dims"]), *POSITION_FREE_SAMPLE_DIMS)
    return PointDims(sample_dims, int(history.attrs["n_position_dims"]))
