"""States of any kind that users have, to flat states and back.

A model owns one codec. `GridCodec` is for states on the grid of the training data, whose flat states are the values
themselves. `SplineCodec` is for values at any positions, whose flat states are coefficients in a function space. Both have
the same methods, and `codec_for` is the only place that chooses between them.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from rom.data.at_positions import (
    PositionedValues,
    ValueFormat,
    coefficients_from,
    labels_at,
    lifting_at,
    read_values,
    values_where,
)
from rom.data.gappy_pod import Prior, prior_noise
from rom.data.layout import Layout
from rom.data.outputs import all_cells, as_type_of, cells_as_type_of, indices_of, select_cells
from rom.data.positions import MOVING, Place, place_asked_for
from rom.data.readers import GridReader, SplineReader
from rom.data.states import leading_dims_of, states_of
from rom.reduction.pod import Projection
from rom.reduction.spline_space import FunctionSpace
from rom.utils.checks import require_number
from rom.utils.errors import RomTypeError, RomValueError

__all__ = ["Codec", "DecodedCells", "FlatStates", "GridCodec", "PointDims", "SplineCodec", "codec_for", "codec_type"]


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


class GridCodec:
    """Codec of states on the grid of the training data.

    Parameters
    ----------
    layout : Layout
        Labels of a state.
    projection : Projection
        POD of flat states. Its device and dtype are those of the results.
    buffers : mapping of str to torch.Tensor
        Not used. A codec of values on a grid has no numbers of its own.
    point_dims : PointDims
        Not used. Values on a grid are not points.

    Attributes
    ----------
    mean_square_scale : float
        Factor from mean squares of flat states to mean squares over the domain.
    """

    mean_square_scale = 1.0

    def __init__(
        self,
        layout: Layout,
        projection: Projection,
        buffers: Mapping[str, Tensor],  # noqa: ARG002
        point_dims: PointDims,  # noqa: ARG002
    ):
        self.layout = layout
        self.projection = projection

    @staticmethod
    def buffer_shapes(layout: Layout, rank: int) -> dict[str, tuple[int, ...]]:  # noqa: ARG004
        """Return the shapes of the numbers that the codec stores in a model: none."""
        return {}

    @staticmethod
    def fit_buffers(
        layout: Layout,  # noqa: ARG004
        projection: Projection,  # noqa: ARG004
        coordinates: Tensor,  # noqa: ARG004
        misfit: Sequence[float],  # noqa: ARG004
    ) -> dict[str, np.ndarray]:
        """Return the numbers that the codec stores in a model: none."""
        return {}

    @property
    def like(self) -> Tensor:
        """A tensor with the device and the dtype of the model."""
        return self.projection.mean

    def reader(self) -> GridReader:
        """Return a reader of trajectories for this model."""
        return GridReader()

    def flatten(
        self, name: str, x: Any, at: Any = None, *, noise: float = 0.0, dtype: torch.dtype | None = None
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

    def flatten_rate(self, name: str, x: Any, at: Any = None) -> FlatStates:
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

    def decode_at(self, z: Any, coordinates: Tensor, at: Any = None) -> Any:
        """Return the states of POD coordinates (*lead, r), in the kind of the latent states `z` that they belong to."""
        self._refuse_positions(at)
        return self.label(z, self.projection.lift(coordinates), self.layout.dims, self.layout.shape, ("latent",))

    def given_values(self, states: FlatStates) -> Tensor:
        """Return the values (*lead, m) that were given."""
        return states.flat

    def values_where(self, states: FlatStates, coordinates: Tensor) -> Tensor:  # noqa: ARG002
        """Return values (*lead, m) where those of `states` were given, from POD coordinates (*lead, r)."""
        return self.projection.lift(coordinates)

    def label_values(self, x: Any, states: FlatStates, values: Tensor) -> Any:
        """Return `values_where` in the kind of `x`, from which `states` were flattened."""
        return self.label(x, values, self.layout.dims, self.layout.shape, states.dims)

    def label(
        self, given: Any, result: Tensor, dims: tuple[str, ...], shape: tuple[int, ...], replaced: tuple[str, ...]
    ) -> Any:
        """Return `result` in the kind of `given`, as `rom.data.outputs.as_type_of` does."""
        return as_type_of(given, result, self.layout, dims, shape, replaced)

    def positions_of(self, x: Any) -> Any:  # noqa: ARG002
        """Return the argument `at` that asks for values where `x` lies: None."""
        return None

    def _flat_states(self, name: str, x: Any, like: Tensor, units: bool) -> FlatStates:
        flat = states_of(name, x, self.layout, like, units)
        return FlatStates(flat, leading_dims_of(x, self.layout), self.layout.dims)

    def _refuse_positions(self, at: Any) -> None:
        if at is not None:
            raise RomValueError("at was given, but this model lies on the grid of its data; rom.Coordinate frees it")

    @functools.cached_property
    def _all_cells(self) -> xr.Dataset:
        return all_cells(self.layout)


class SplineCodec:
    """Codec of values at any positions, whose flat states are coefficients in a function space.

    Parameters
    ----------
    layout : Layout
        Labels of a state, with the function space.
    projection : Projection
        POD of coefficients. Its device and dtype are those of the results.
    buffers : mapping of str to torch.Tensor
        The numbers of `fit_buffers`.
    point_dims : PointDims
        What is known of the dimensions of scattered points.
    """

    def __init__(self, layout: Layout, projection: Projection, buffers: Mapping[str, Tensor], point_dims: PointDims):
        self.layout = layout
        self.projection = projection
        self.buffers = buffers
        self.moving = tuple(dim for dim in point_dims.moving if dim not in self.space.names)
        self.most_point_dims = point_dims.most

    @staticmethod
    def buffer_shapes(layout: Layout, rank: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the numbers that the codec stores in a model, in float64."""
        return {"prior_variance": (rank,), "prior_noise": (len(layout.parts),)}

    @staticmethod
    def fit_buffers(
        layout: Layout, projection: Projection, coordinates: Tensor, misfit: Sequence[float]
    ) -> dict[str, np.ndarray]:
        """Return the numbers of the prior, from the training data.

        Parameters
        ----------
        layout : Layout
            Labels of a state, with the function space.
        projection : Projection
            POD of coefficients.
        coordinates : torch.Tensor
            POD coordinates ``(N, r)`` of the training data, float64.
        misfit : sequence of float
            Variance of the errors of the values of each field.

        Returns
        -------
        dict of str to numpy.ndarray
            Arrays of the shapes `buffer_shapes`.
        """
        variance = coordinates.square().mean(dim=0).numpy()
        return {"prior_variance": variance, "prior_noise": prior_noise(layout, projection, variance, misfit)}

    @property
    def space(self) -> FunctionSpace:
        """The function space of the coefficients."""
        assert self.layout.space is not None
        return self.layout.space

    @property
    def like(self) -> Tensor:
        """A tensor with the device and the dtype of the model."""
        return self.projection.mean

    @property
    def mean_square_scale(self) -> float:
        """Factor from mean squares of flat states to mean squares over the domain."""
        return self.space.n_functions / self.space.volume

    @functools.cached_property
    def prior(self) -> Prior:
        """What the training data tell of coefficients before values are seen."""
        return Prior.of(self.projection, self.buffers["prior_variance"], self.buffers["prior_noise"])

    def reader(self) -> SplineReader:
        """Return a reader of trajectories for this model."""
        return SplineReader(self.space)

    def flatten(
        self, name: str, x: Any, at: Any = None, *, noise: float = 0.0, dtype: torch.dtype | None = None
    ) -> FlatStates:
        """Return the most probable coefficients of values at positions.

        Parameters
        ----------
        name : str
            Name of the argument in error messages.
        x : StatesLike
            Labelled values, or arrays ``(*lead, *components, *positions)`` with `at`.
        at : mapping, optional
            Positions of arrays, by the names of the axes.
        noise : float
            Standard deviation of the errors of the values, in their units.
        dtype : torch.dtype, optional
            Of the result. By default that of the model.

        Returns
        -------
        FlatStates
            Coefficients ``(*lead, n)``, and the values that were given.

        Raises
        ------
        RomTypeError
            If arrays have no positions, or do not hold real numbers.
        RomValueError
            If positions lie outside of the domain, fields, components or units differ from those of the layout, or
            `noise` is negative.
        """
        noise = require_number("noise", noise, low=0.0)
        return self._flat_states(name, self._read(name, x, at, check_units=True), dtype, noise=noise)

    def flatten_rate(self, name: str, x: Any, at: Any = None) -> FlatStates:
        """Return coefficients of time derivatives, as `flatten` does for states; their units are not compared."""
        return self._flat_states(name, self._read(name, x, at, check_units=False), is_rate=True)

    def cells(self, states: FlatStates | None = None, at: Any = None, points: Any = None) -> DecodedCells:
        """Return what is to be decoded: values at the positions `at`, or by default where `states` were given.

        Raises
        ------
        RomTypeError
            If `points` are given, or positions are missing or are not numbers.
        RomValueError
            If positions lie outside of the domain, or move from one of the states to the next.
        """
        if points is not None:
            raise RomTypeError("points: a model in a function space has no grid of its own; pass positions, at=...")
        if at is None and states is not None and states.given is not None:
            return self._cells_at(states.given.places)
        return self._cells_at([self._place_asked_for(at)] * len(self.layout.parts))

    def all_components(self) -> DecodedCells:
        """Return all components of flat states, which are coefficients, as what is to be decoded."""
        projection = self.projection
        return DecodedCells(all_cells(self.layout), projection.mean, projection.basis * projection.unit[:, None])

    def decode_at(self, z: Any, coordinates: Tensor, at: Any = None) -> Any:
        """Return the values `at` positions of POD coordinates (*lead, r), in the kind of their latent states `z`.

        Raises
        ------
        RomTypeError
            If positions are missing or are not numbers.
        RomValueError
            If positions lie outside of the domain, or share a dimension with `z`.
        """
        place = self._place_asked_for(at)
        shared = [dim for dim in getattr(z, "dims", ()) if dim in place.dims]
        if shared:
            raise RomValueError(
                f"at: its dimension {shared[0]!r} is one of z, but all of z are decoded at all positions; rename one of both, or decode "
                "one by one"
            )
        cells = self._cells_at([place] * len(self.layout.parts))
        values = cells.mean + (self.projection.scale * coordinates) @ cells.modes.T
        return cells_as_type_of(z, values, cells.labels, bool(self.layout.fields))

    def given_values(self, states: FlatStates) -> Tensor:
        """Return the values (*lead, m) that were given, all fields one after the other."""
        assert states.given is not None
        return states.given.flat

    def values_where(self, states: FlatStates, coordinates: Tensor) -> Tensor:
        """Return values (*lead, m) where those of `states` were given, from POD coordinates (*lead, r)."""
        assert states.given is not None
        return values_where(states.given, self.layout, self.projection, self.projection.scale * coordinates)

    def label_values(self, x: xr.DataArray, states: FlatStates, values: Tensor) -> xr.DataArray:
        """Return `values_where` with the labels of `x`, from which `states` were flattened."""
        shape = values.shape[:-1] + tuple(x.sizes[dim] for dim in states.dims)
        ordered = x.transpose(*states.lead, *states.dims)
        return ordered.copy(data=values.reshape(shape).cpu().numpy()).transpose(*x.dims)

    def label(
        self, given: Any, result: Tensor, dims: tuple[str, ...], shape: tuple[int, ...], replaced: tuple[str, ...]
    ) -> Any:
        """Return `result` in the kind of `given`, as `rom.data.outputs.as_type_of` does."""
        return as_type_of(given, result, self.layout, dims, shape, replaced)

    def positions_of(self, x: Any) -> dict[str, Any]:
        """Return the argument `at` that asks for values where the labelled `x` lies."""
        return {axis: x[axis] for axis in self.space.names}

    def _read(self, name: str, x: Any, at: Any, check_units: bool) -> PositionedValues:
        """Return the values of `x` and their positions; refuse more dimensions of points than in training."""
        given = read_values(name, x, at, ValueFormat(self.layout, self.like.device, check_units, self.moving))
        for place in given.places:
            if self.most_point_dims is None or place.is_grid or len(place.dims) <= self.most_point_dims:
                continue
            rename = f"{name}.rename({{{place.dims[0]!r}: 'sample'}})"
            raise RomValueError(
                f"{name}: its points lie along {', '.join(place.dims)}, those of a sample in training along {self.most_point_dims}; "
                f"call the dimension that distinguishes samples 'sample': "
                f"{rename if at is None else 'pass a DataArray with its positions'}"
            )
        return given

    def _flat_states(
        self,
        name: str,
        given: PositionedValues,
        dtype: torch.dtype | None = None,
        is_rate: bool = False,
        noise: float = 0.0,
    ) -> FlatStates:
        flat = coefficients_from(name, given, self.layout, self.prior, is_rate, noise)
        return FlatStates(flat.to(self.like if dtype is None else dtype), given.lead, given.dims, given)

    def _place_asked_for(self, at: Any) -> Place:
        if at is None:
            raise RomTypeError(
                f"at is missing: give the positions, as decode(z, at={{{self.space.names[0]!r}: [...]}})"
            )
        return place_asked_for(at, self.space)

    def _cells_at(self, places: Sequence[Place]) -> DecodedCells:
        labels = labels_at(self.layout, places)
        return DecodedCells(labels, *lifting_at(self.layout, self.projection, [place.positions for place in places]))


Codec = GridCodec | SplineCodec


def codec_type(layout: Layout) -> type[GridCodec] | type[SplineCodec]:
    """Return the class of the codec for states of a layout."""
    return GridCodec if layout.space is None else SplineCodec


def codec_for(layout: Layout, projection: Projection, buffers: Mapping[str, Tensor], point_dims: PointDims) -> Codec:
    """Return the codec of a model.

    Parameters
    ----------
    layout : Layout
        Labels of a state.
    projection : Projection
        POD of flat states.
    buffers : mapping of str to torch.Tensor
        Numbers that the model stores for its codec, by the names of `buffer_shapes`.
    point_dims : PointDims
        What is known of the dimensions of scattered points.

    Returns
    -------
    GridCodec or SplineCodec
        The latter for a layout with a function space.
    """
    return codec_type(layout)(layout, projection, buffers, point_dims)
