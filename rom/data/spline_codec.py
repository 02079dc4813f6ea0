"""The codec of values at any positions, whose flat states are coefficients in a function space."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
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
from rom.data.outputs import all_cells, cells_as_type_of
from rom.data.positions import Place, place_asked_for
from rom.data.readers import SplineReader
from rom.data.state_codec import DecodedCells, FlatStates, PointDims, StateCodec
from rom.data.states import ArrayLike, StatesLike
from rom.reduction.pod import Projection
from rom.reduction.spline_space import FunctionSpace
from rom.utils.checks import require_number
from rom.utils.errors import RomTypeError, RomValueError

__all__ = ["SplineCodec"]


class SplineCodec(StateCodec):
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
        super().__init__(layout, projection)
        self.buffers = buffers
        self.moving = tuple(dim for dim in point_dims.moving if dim not in self.space.names)
        self.most_point_dims = point_dims.most

    @classmethod
    def buffer_shapes(cls, layout: Layout, rank: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the numbers that the codec stores in a model, in float64."""
        return {"prior_variance": (rank,), "prior_noise": (len(layout.parts),)}

    @classmethod
    def fit_buffers(
        cls, layout: Layout, projection: Projection, coordinates: Tensor, misfit: Sequence[float]
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
        self, name: str, x: StatesLike, at: Any = None, *, noise: float = 0.0, dtype: torch.dtype | None = None
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

    def flatten_rate(self, name: str, x: StatesLike, at: Any = None) -> FlatStates:
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

    def decode_at(self, z: ArrayLike, coordinates: Tensor, at: Any = None) -> Any:
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

    def label_values(self, x: Any, states: FlatStates, values: Tensor) -> xr.DataArray:
        """Return `values_where` with the labels of `x`, from which `states` were flattened."""
        shape = values.shape[:-1] + tuple(x.sizes[dim] for dim in states.dims)
        ordered = x.transpose(*states.lead, *states.dims)
        return ordered.copy(data=values.reshape(shape).cpu().numpy()).transpose(*x.dims)

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
