"""Values of fields at any positions, to coefficients of a function space and back.

Where values are exact and determine the coefficients well, these follow by least squares, as those of the training data
did. Otherwise they are the most probable ones, with the POD coordinates of the training data as prior (gappy POD; Everson
& Sirovich 1995, J. Opt. Soc. Am. A 12, 1657).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from rom.data.fields import Field
from rom.data.gappy_pod import GappyPOD, Prior, affine, values_of_modes
from rom.data.layout import Layout
from rom.data.positions import MOVING, Place, place_asked_for, place_of
from rom.data.states import as_tensor, require_same_labels, with_last_dims
from rom.reduction.pod import Projection
from rom.reduction.spline_space import FUNCTION, FunctionSpace, Positions
from rom.utils.arrays import numeric
from rom.utils.errors import RomTypeError, RomValueError, nearest, prefix_errors

__all__ = [
    "PositionedField",
    "PositionedValues",
    "ValueFormat",
    "coefficients_from",
    "labels_at",
    "lifting_at",
    "read_values",
    "values_where",
]


@dataclass(frozen=True)
class PositionedField:
    """The values of one field and where they lie.

    Attributes
    ----------
    values : torch.Tensor
        Shape ``(*lead, components, positions)``, float64.
    place : Place
        The positions.
    lead : tuple of str
        Dimensions of a labelled field that do not belong to a state. Empty for arrays.
    dims : tuple of str
        Dimensions of a labelled field that belong to a state. Empty for arrays.
    """

    values: Tensor
    place: Place
    lead: tuple[str, ...] = ()
    dims: tuple[str, ...] = ()


@dataclass(frozen=True)
class PositionedValues:
    """The values of all fields of states, with equal leading dimensions.

    Attributes
    ----------
    fields : tuple of PositionedField
        One for each field of the layout.
    """

    fields: tuple[PositionedField, ...]

    @property
    def lead(self) -> tuple[str, ...]:
        """Names of the leading dimensions of the first field."""
        return self.fields[0].lead

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the dimensions of a state in the first field."""
        return self.fields[0].dims

    @property
    def lead_shape(self) -> tuple[int, ...]:
        """Lengths of the leading dimensions."""
        return tuple(self.fields[0].values.shape[:-2])

    @property
    def places(self) -> list[Place]:
        """The places of all fields."""
        return [one.place for one in self.fields]

    @property
    def values(self) -> list[Tensor]:
        """The values (*lead, components, positions) of all fields."""
        return [one.values for one in self.fields]

    @property
    def flat(self) -> Tensor:
        """The values (*lead, m) of all fields, one after the other."""
        return torch.cat([one.flatten(-2) for one in self.values], dim=-1)

    @property
    def moving(self) -> bool:
        """Whether the positions of any field change along the leading dimensions."""
        return any(place.moving for place in self.places)

    def positions_at(self, moment: tuple[int, ...]) -> list[Positions]:
        """Return the positions of each field at one index along the leading dimensions."""
        return [place.positions_at(self.lead, moment) for place in self.places]


@dataclass(frozen=True)
class ValueFormat:
    """What values at positions must agree with.

    Attributes
    ----------
    layout : Layout
        Labels of a state, with the function space.
    device : torch.device
        Device of the result.
    check_units : bool
        Whether the units of labelled values are compared with those of the layout.
    moving : tuple of str
        Dimensions along which points may move.
    """

    layout: Layout
    device: torch.device
    check_units: bool = True
    moving: tuple[str, ...] = MOVING

    @property
    def space(self) -> FunctionSpace:
        """The function space of the layout."""
        assert self.layout.space is not None
        return self.layout.space


def read_values(name: str, x: Any, at: Any, form: ValueFormat) -> PositionedValues:
    """Read states that are given as values at positions.

    Parameters
    ----------
    name : str
        Name of the argument in error messages.
    x : StatesLike
        DataArray with positions as coordinates, or array ``(*lead, *components, *positions)`` with `at`. For a layout
        with several fields, a Dataset or a mapping of them.
    at : mapping or None
        Positions of arrays, by the names of the axes.
    form : ValueFormat
        What the values must agree with.

    Returns
    -------
    PositionedValues
        Values and positions of each field.

    Raises
    ------
    RomTypeError
        If values have no positions, or fields are missing because `x` is not a mapping.
    RomValueError
        If fields, components, units or shapes differ from the layout.
    """
    fields: list[PositionedField] = []
    for part, (own_name, values) in zip(form.layout.parts, named_fields(name, x, form.layout), strict=True):
        if isinstance(values, xr.DataArray):
            own = labelled_field(own_name, values, at, part, form)
        else:
            own = array_field(own_name, values, at, part, form)
        lead = tuple(own.values.shape[:-2])
        if fields and lead != tuple(fields[0].values.shape[:-2]):
            raise RomValueError(
                f"{own_name} has the leading shape {lead}, other fields have {tuple(fields[0].values.shape[:-2])}"
            )
        fields.append(own)
    return PositionedValues(tuple(fields))


def named_fields(name: str, x: Any, layout: Layout) -> list[tuple[str, Any]]:
    """Return the name, for error messages, and the values of each field of the layout."""
    parts = layout.parts
    has_fields = isinstance(x, xr.Dataset | Mapping)
    if not layout.fields or (len(parts) == 1 and not has_fields):
        fields = [(name, x)]
    elif not has_fields:
        raise RomTypeError(f"{name} must be a Dataset or a mapping of the fields {[one.name for one in parts]}")
    else:
        missing = next((part.name for part in parts if part.name not in x), None)
        if missing is not None:
            raise RomValueError(f"{name} has no field {missing!r}; {nearest(missing, map(str, x))}")
        fields = [(f"{name}[{part.name!r}]", x[part.name]) for part in parts]
    for own_name, values in fields:
        if isinstance(values, list) and any(isinstance(item, xr.DataArray) for item in values):
            raise RomTypeError(
                f"{own_name} is a list of DataArrays; pass them one by one, as [model.encode(x) for x in {own_name}]"
            )
        if isinstance(values, xr.Dataset):
            numeric(own_name, values)  # raises the error that says which variable to pass
    return fields


def labelled_field(name: str, array: xr.DataArray, at: Any, part: Field, form: ValueFormat) -> PositionedField:
    """Return the values of a DataArray at the positions of its coordinates."""
    if at is not None:
        raise RomValueError(f"at: the coordinates of {name} already hold its positions; leave it out")
    components = part.dims[:-1]
    sizes = zip(components, part.shape, strict=False)
    if all(array.sizes.get(dim) == size for dim, size in sizes):  # otherwise the shape is what is wrong
        require_same_labels(name, array, part.name, form.layout, form.check_units)
    place = place_of(name, array, form.space.names, form.moving)
    dims = (*components, *place.dims)
    array = with_last_dims(name, array, dims)
    lead = tuple(str(dim) for dim in array.dims if dim not in dims)
    return PositionedField(component_values(name, array, part, place, form), place, lead, dims)


def array_field(name: str, array: Any, at: Any, part: Field, form: ValueFormat) -> PositionedField:
    """Return the values of an array at the positions `at`."""
    names = form.space.names
    if at is None:
        example = f", or give them: encode({name}, at={{{names[0]!r}: ...}})" if name == "x" else ""
        raise RomTypeError(
            f"{name} has no positions: pass a DataArray with the coordinates {', '.join(names)}{example}"
        )
    place = place_asked_for(at, form.space)
    if place.is_grid and tuple(at) != names:
        raise RomValueError(
            f"at: the axes of an array are {', '.join(names)}, in this order; name them so, and transpose {name} to match"
        )
    return PositionedField(component_values(name, array, part, place, form), place)


def component_values(name: str, array: Any, part: Field, place: Place, form: ValueFormat) -> Tensor:
    """Return values (*lead, *components, *positions) as a tensor (*lead, C, P) in float64."""
    tensor = as_tensor(name, array, torch.empty(0, dtype=torch.float64, device=form.device))
    shape = (*part.shape[:-1], *place.shape)
    k = len(shape)
    if tensor.ndim < k or tuple(tensor.shape[tensor.ndim - k :]) != shape:
        raise RomValueError(f"{name} has shape {tuple(tensor.shape)}, which does not end in {shape}")
    lead = tuple(tensor.shape[: tensor.ndim - k])
    return tensor.reshape(*lead, math.prod(part.shape[:-1]), place.size)


def coefficients_from(
    name: str, given: PositionedValues, layout: Layout, prior: Prior, is_rate: bool = False, noise: float = 0.0
) -> Tensor:
    """Estimate coefficients from values at positions.

    Parameters
    ----------
    name : str
        Name of the argument in error messages.
    given : PositionedValues
        Values of all fields.
    layout : Layout
        Labels of a state, with the function space.
    prior : Prior
        Mean, modes and variances of the coefficients of the training data.
    is_rate : bool
        Whether the values are time derivatives, which are mapped without the mean.
    noise : float
        Standard deviation of the errors of the values, in their units.

    Returns
    -------
    torch.Tensor
        Coefficients ``(*lead, n)``, float64.
    """
    with prefix_errors(name):
        if not given.moving:
            return GappyPOD(layout, [place.positions for place in given.places], prior, noise)(given.values, is_rate)
        rows = [
            GappyPOD(layout, given.positions_at(moment), prior, noise)([one[moment] for one in given.values], is_rate)
            for moment in np.ndindex(*given.lead_shape)
        ]
        return (torch.stack(rows) if rows else given.values[0]).reshape(*given.lead_shape, layout.n_states)


def labels_at(layout: Layout, places: Sequence[Place]) -> xr.Dataset:
    """Return the fields of a state at `places`, with labels and without meaningful values."""
    variables: dict[str, Any] = {}
    labels: dict[str, Any] = {n: c for n, c in layout.labels().items() if FUNCTION not in c.dims}
    for part, place in zip(layout.parts, places, strict=True):
        if place.moving:
            raise RomValueError(
                f"x0: its positions differ along {place.moving[0]!r}, so say where the forecast is wanted: "
                "forecast(x0, t, at=...)"
            )
        shape = (*part.shape[:-1], *place.shape)
        variables[part.name] = ((*part.dims[:-1], *place.dims), np.broadcast_to(np.int8(0), shape), part.attrs)
        labels |= place.labels
    return xr.Dataset(variables, labels)


def lifting_at(layout: Layout, projection: Projection, positions: Sequence[Positions]) -> tuple[Tensor, Tensor]:
    """Return the affine map from scaled POD coordinates to values at positions.

    Parameters
    ----------
    layout : Layout
        Labels of a state, with the function space.
    projection : Projection
        POD of the coefficients.
    positions : sequence of Positions
        Positions of each field.

    Returns
    -------
    mean : torch.Tensor
        Shape ``(m,)``, all fields one after the other.
    modes : torch.Tensor
        Shape ``(m, r)``.
    """
    space = layout.space
    assert space is not None
    modes = np.column_stack(affine(projection))
    parts = [
        values_of_modes(space, part, modes[where], at)
        for part, where, at in zip(layout.parts, layout.field_slices, positions, strict=True)
    ]
    values = torch.from_numpy(np.concatenate(parts)).to(projection.mean)
    return values[:, 0], values[:, 1:]


def values_where(given: PositionedValues, layout: Layout, projection: Projection, scaled: Tensor) -> Tensor:
    """Return values (*lead, m) where others were given, from scaled POD coordinates (*lead, r)."""
    if not given.moving:
        mean, modes = lifting_at(layout, projection, [place.positions for place in given.places])
        return mean + scaled @ modes.T
    rows = []
    for moment in np.ndindex(*scaled.shape[:-1]):
        mean, modes = lifting_at(layout, projection, given.positions_at(moment))
        rows.append(mean + modes @ scaled[moment])
    count = sum(one.shape[-2:].numel() for one in given.values)
    return (torch.stack(rows) if rows else scaled).reshape(*scaled.shape[:-1], count)
