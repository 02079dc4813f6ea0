"""The base class of codecs, and what these take and return."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from rom.data.at_positions import PositionedValues
from rom.data.layout import Layout
from rom.data.outputs import as_type_of
from rom.data.positions import MOVING
from rom.data.readers import Reader
from rom.data.states import ArrayLike, StatesLike
from rom.reduction.pod import Projection

__all__ = ["DecodedCells", "FlatStates", "PointDims", "StateCodec"]


@dataclass(frozen=True)
class FlatStates:
    """States as the networks see them, and how they were given.

    Attributes
    ----------
    flat : torch.Tensor
        Flat states ``(*lead, n)``: values on the grid, or coefficients.
    lead : tuple of str
        Leading dimensions of labelled states. Empty for arrays.
    dims : tuple of str
        Dimensions of labelled states that belong to one state.
    given : PositionedValues or None
        The values that coefficients were computed from.
    """

    flat: Tensor
    lead: tuple[str, ...]
    dims: tuple[str, ...]
    given: PositionedValues | None = None


@dataclass(frozen=True)
class DecodedCells:
    """What is decoded of a state: values are ``mean + modes @ w`` for scaled POD coordinates w.

    Attributes
    ----------
    labels : xarray.Dataset
        The decoded cells with their labels; the values have no meaning.
    mean : torch.Tensor
        Shape ``(m,)``, all fields one after the other.
    modes : torch.Tensor
        Shape ``(m, r)``.
    """

    labels: xr.Dataset
    mean: Tensor
    modes: Tensor


@dataclass(frozen=True)
class PointDims:
    """What is known of the dimensions of scattered points in the training data.

    Attributes
    ----------
    moving : tuple of str
        Dimensions along which points may move, which do not belong to a state.
    most : int or None
        The number of dimensions that the points of one state may have; None for any.
    """

    moving: tuple[str, ...] = MOVING
    most: int | None = None


class StateCodec(ABC):
    """Turns states of any kind that users have into flat states, and back.

    Parameters
    ----------
    layout : Layout
        Labels of a state.
    projection : Projection
        POD of flat states. Its device and dtype are those of the results.
    """

    def __init__(self, layout: Layout, projection: Projection):
        self.layout = layout
        self.projection = projection

    @classmethod
    def buffer_shapes(cls, layout: Layout, rank: int) -> dict[str, tuple[int, ...]]:  # noqa: ARG003
        """Return the shapes of the numbers that the codec stores in a model; none by default."""
        return {}

    @classmethod
    def fit_buffers(
        cls,
        layout: Layout,  # noqa: ARG003
        projection: Projection,  # noqa: ARG003
        coordinates: Tensor,  # noqa: ARG003
        misfit: Sequence[float],  # noqa: ARG003
    ) -> dict[str, np.ndarray]:
        """Return the numbers that the codec stores in a model; none by default."""
        return {}

    @property
    def like(self) -> Tensor:
        """A tensor with the device and the dtype of the model."""
        return self.projection.mean

    @property
    def mean_square_scale(self) -> float:
        """Factor from mean squares of flat states to mean squares over the domain."""
        return 1.0

    @abstractmethod
    def reader(self) -> Reader:
        """Return a reader of trajectories for this model."""

    @abstractmethod
    def flatten(
        self, name: str, x: StatesLike, at: Any = None, *, noise: float = 0.0, dtype: torch.dtype | None = None
    ) -> FlatStates:
        """Return the flat states of `x`, which is called `name` in errors."""

    @abstractmethod
    def flatten_rate(self, name: str, x: StatesLike, at: Any = None) -> FlatStates:
        """Return flat time derivatives, as `flatten` does for states; their units are not compared."""

    @abstractmethod
    def cells(self, states: FlatStates | None = None, at: Any = None, points: Any = None) -> DecodedCells:
        """Return what is to be decoded of each state."""

    @abstractmethod
    def all_components(self) -> DecodedCells:
        """Return all components of flat states as what is to be decoded."""

    @abstractmethod
    def decode_at(self, z: ArrayLike, coordinates: Tensor, at: Any = None) -> Any:
        """Return the states of POD coordinates (*lead, r), in the kind of the latent states `z` that they belong to."""

    @abstractmethod
    def given_values(self, states: FlatStates) -> Tensor:
        """Return the values (*lead, m) that were given."""

    @abstractmethod
    def values_where(self, states: FlatStates, coordinates: Tensor) -> Tensor:
        """Return values (*lead, m) where those of `states` were given, from POD coordinates (*lead, r)."""

    @abstractmethod
    def label_values(self, x: Any, states: FlatStates, values: Tensor) -> Any:
        """Return `values_where` in the kind of `x`, from which `states` were flattened."""

    def label(
        self, given: Any, result: Tensor, dims: tuple[str, ...], shape: tuple[int, ...], replaced: tuple[str, ...]
    ) -> Any:
        """Return `result` in the kind of `given`, as `rom.data.outputs.as_type_of` does."""
        return as_type_of(given, result, self.layout, dims, shape, replaced)

    def positions_of(self, x: Any) -> Any:  # noqa: ARG002
        """Return the argument `at` that asks for values where `x` lies; None by default."""
        return None
