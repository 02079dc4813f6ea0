"""The codec of states on the grid of the training data, whose flat states are the values themselves."""

from __future__ import annotations

import functools
from typing import Any

import torch
import xarray as xr
from torch import Tensor

from rom.data.outputs import all_cells, indices_of, select_cells
from rom.data.readers import GridReader
from rom.data.state_codec import DecodedCells, FlatStates, StateCodec
from rom.data.states import ArrayLike, StatesLike, leading_dims_of, states_of
from rom.utils.checks import require_number
from rom.utils.errors import RomValueError

__all__ = ["GridCodec"]


class GridCodec(StateCodec):
    """Codec of states on the grid of the training data, which has no numbers of its own."""

    def reader(self) -> GridReader:
        """Return a reader of trajectories for this model."""
        return GridReader()

    def flatten(
        self, name: str, x: StatesLike, at: Any = None, *, noise: float = 0.0, dtype: torch.dtype | None = None
    ) -> FlatStates:
        """Return the flat states of `x`; `at` and `noise` are refused.

        Parameters
        ----------
        name : str
            Name of the argument in error messages.
        x : StatesLike
            States ``(*lead, *shape)``.
        at : None
            A grid has no other positions.
        noise : float
            Must be zero.
        dtype : torch.dtype, optional
            Of the result. By default that of the model.

        Returns
        -------
        FlatStates
            Shape ``(*lead, n)``.

        Raises
        ------
        RomTypeError
            If `x` does not hold real numbers.
        RomValueError
            If shape, labels or units of `x` differ from the layout, or `at` or `noise` is given.
        """
        self._refuse_positions(at)
        if require_number("noise", noise, low=0.0) > 0.0:
            raise RomValueError(
                "noise was given, but only a model in a function space (rom.Coordinate) weighs values at positions by their errors"
            )
        return self._flat_states(name, x, self.like if dtype is None else self.like.to(dtype), units=True)

    def flatten_rate(self, name: str, x: StatesLike, at: Any = None) -> FlatStates:
        """Return flat time derivatives, as `flatten` does for states; their units are not compared."""
        self._refuse_positions(at)
        return self._flat_states(name, x, self.like, units=False)

    def cells(self, states: FlatStates | None = None, at: Any = None, points: Any = None) -> DecodedCells:  # noqa: ARG002
        """Return what is to be decoded: all cells of the grid, or those at the indices `points`.

        Parameters
        ----------
        states : FlatStates, optional
            Not used.
        at : None
            A grid has no other positions.
        points : mapping, optional
            Indices by dimension, as for `xarray.Dataset.isel`.

        Raises
        ------
        RomTypeError, RomValueError
            If `points` are no indices of the grid, or `at` is given.
        """
        self._refuse_positions(at)
        labels = self._all_cells if points is None else select_cells(points, self._all_cells)
        device = self.like.device
        rows = slice(None) if points is None else torch.as_tensor(indices_of(labels), device=device)
        projection = self.projection
        return DecodedCells(labels, projection.mean[rows], projection.basis[rows] * projection.unit[rows, None])

    def all_components(self) -> DecodedCells:
        """Return all components of flat states as what is to be decoded."""
        return self.cells()

    def decode_at(self, z: ArrayLike, coordinates: Tensor, at: Any = None) -> Any:
        """Return the states of POD coordinates (*lead, r), in the kind of the latent states `z` that they belong to."""
        self._refuse_positions(at)
        return self.label(z, self.projection.lift(coordinates), self.layout.dims, self.layout.shape, ("latent",))

    def given_values(self, states: FlatStates) -> Tensor:
        """Return the values (*lead, m) that were given."""
        return states.flat

    def values_where(self, states: FlatStates, coordinates: Tensor) -> Tensor:  # noqa: ARG002
        """Return values (*lead, m) where those of `states` were given, from POD coordinates (*lead, r)."""
        return self.projection.lift(coordinates)

    def label_values(self, x: StatesLike, states: FlatStates, values: Tensor) -> Any:
        """Return `values_where` in the kind of `x`, from which `states` were flattened."""
        return self.label(x, values, self.layout.dims, self.layout.shape, states.dims)

    def _flat_states(self, name: str, x: Any, like: Tensor, units: bool) -> FlatStates:
        flat = states_of(name, x, self.layout, like, units)
        return FlatStates(flat, leading_dims_of(x, self.layout), self.layout.dims)

    def _refuse_positions(self, at: Any) -> None:
        if at is not None:
            raise RomValueError("at was given, but this model lies on the grid of its data; rom.Coordinate frees it")

    @functools.cached_property
    def _all_cells(self) -> xr.Dataset:
        return all_cells(self.layout)
