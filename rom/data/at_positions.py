"""What a model in a function space is given and asked for: values at any positions.

Values become coefficients as those of the training data did where they are exact and determine them well; otherwise the most
probable ones, with the POD coordinates of the training data as prior (gappy POD; Everson & Sirovich 1995, J. Opt. Soc. Am. A
12, 1657).
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

from rom.data.gappy_pod import GappyPOD, Prior, affine, values_of_modes
from rom.data.layout import Layout
from rom.data.positions import MOVING, Place, place_asked_for, place_of
from rom.data.states import as_tensor, ordered, require_same_labels
from rom.reduction.pod import Projection
from rom.reduction.spline_space import FUNCTION, Positions
from rom.utils.checks import numeric
from rom.utils.errors import RomTypeError, RomValueError, about, nearest

__all__ = ["PositionedValues", "cells_at", "coefficients_given", "lifting_at", "values_given", "values_where"]


@dataclass(frozen=True)
class PositionedValues:
    """Values (*lead, C, P) of each field, float64, where they lie, and which dimensions of a labelled one are a state's."""

    values: list[Tensor]
    places: list[Place]
    lead: tuple[str, ...]
    dims: tuple[str, ...]

    def positions_at(self, moment: tuple[int, ...]) -> list[Positions]:
        """The positions of each field at one index along the leading dimensions."""
        return [place.positions_at(self.lead, moment) for place in self.places]


def values_given(
    name: str,
    x: Any,
    at: Any,
    layout: Layout,
    like: Tensor,
    units: bool = True,
    moving: tuple[str, ...] = MOVING,
) -> PositionedValues:
    """What was given as states: DataArrays with positions, or arrays (..., *components, *positions) with `at`.

    Of a model of fields, a Dataset or a mapping of them. `units` of the values are compared with those of the model. Points may
    move along the dimensions `moving`. Raises `RomValueError` or `RomTypeError` for what has no positions, or other components
    than the model.
    """
    space = layout.space
    assert space is not None
    parts = layout.parts
    single = not layout.fields or (len(parts) == 1 and not isinstance(x, xr.Dataset | Mapping))
    if not single and not isinstance(x, xr.Dataset | Mapping):
        raise RomTypeError(f"{name} must be a Dataset or a mapping of the fields {[one.name for one in parts]}")
    values: list[Tensor] = []
    places: list[Place] = []
    lead: tuple[str, ...] = ()
    dims: tuple[str, ...] = ()
    double = like.double()
    for part in parts:
        called = name if single else f"{name}[{part.name!r}]"
        if not single and part.name not in x:
            raise RomValueError(f"{name} has no field {part.name!r}; {nearest(part.name, map(str, x))}")
        one = x if single else x[part.name]
        if isinstance(one, list) and any(isinstance(item, xr.DataArray) for item in one):
            raise RomTypeError(
                f"{called} is a list of DataArrays; ask for one after the other, as [model.encode(x) for x in {called}]"
            )
        if isinstance(one, xr.Dataset):
            numeric(called, one)  # tells which variable to pass
        channels = part.dims[:-1]
        if isinstance(one, xr.DataArray):
            if at is not None:
                raise RomValueError(f"at: the coordinates of {called} tell its positions already; leave it out")
            if all(
                one.sizes.get(dim) == n for dim, n in zip(channels, part.shape, strict=False)
            ):  # else that is what is wrong
                require_same_labels(called, one, part.name, layout, units)
            place = place_of(called, one, space.names, moving)
            own = (*channels, *place.dims)
            one = ordered(called, one, own)
            if not values:
                lead, dims = tuple(str(d) for d in one.dims if d not in own), own
        elif at is None:
            raise RomTypeError(
                f"{called} has no positions: pass a DataArray with the coordinates {', '.join(space.names)}"
                + (f", or tell them: encode({name}, at={{{space.names[0]!r}: ...}})" if name == "x" else "")
            )
        else:
            place = place_asked_for(at, space)
            if place.is_grid and tuple(at) != space.names:
                raise RomValueError(
                    f"at: the axes of an array are {', '.join(space.names)}, in this order; name them so, with {called} transposed alike"
                )
        tensor, shape = as_tensor(called, one, double), (*part.shape[:-1], *place.shape)
        k = len(shape)
        if tensor.ndim < k or tuple(tensor.shape[tensor.ndim - k :]) != shape:
            raise RomValueError(f"{called} has shape {tuple(tensor.shape)}, which does not end in {shape}")
        leading = tuple(tensor.shape[: tensor.ndim - k])
        if values and leading != tuple(values[0].shape[:-2]):
            raise RomValueError(f"{called} has the leading shape {leading}, other fields {tuple(values[0].shape[:-2])}")
        values.append(tensor.reshape(*leading, math.prod(part.shape[:-1]), place.size))
        places.append(place)
    return PositionedValues(values, places, lead, dims)


def coefficients_given(
    name: str, given: PositionedValues, layout: Layout, prior: Prior, is_rate: bool = False, noise: float = 0.0
) -> Tensor:
    """Coefficients (*lead, n) of what was given with errors of standard deviation `noise`, float64; of rates where it `is_rate`."""
    with about(name):
        if not any(place.moving for place in given.places):
            return GappyPOD(layout, [place.positions for place in given.places], prior, noise)(given.values, is_rate)
        lead = given.values[0].shape[:-2]
        rows = [
            GappyPOD(layout, given.positions_at(moment), prior, noise)([one[moment] for one in given.values], is_rate)
            for moment in np.ndindex(*lead)
        ]
        return (torch.stack(rows) if rows else given.values[0]).reshape(*lead, layout.n_states)


# ---------------------------------------------------------------------------------------------------------------------
# What a model is asked for
# ---------------------------------------------------------------------------------------------------------------------


def cells_at(layout: Layout, places: Sequence[Place]) -> xr.Dataset:
    """The fields of a state at `places`, labelled; their values are of no account."""
    variables: dict[str, Any] = {}
    labels: dict[str, Any] = {n: c for n, c in layout.labels().items() if FUNCTION not in c.dims}
    for part, place in zip(layout.parts, places, strict=True):
        if place.moving:
            raise RomValueError(
                f"x0: its positions differ along {place.moving[0]!r}, so tell where the forecast is wanted: "
                "forecast(x0, t, at=...)"
            )
        shape = (*part.shape[:-1], *place.shape)
        variables[part.name] = ((*part.dims[:-1], *place.dims), np.broadcast_to(np.int8(0), shape), part.attrs)
        labels |= place.labels
    return xr.Dataset(variables, labels)


def lifting_at(layout: Layout, projection: Projection, positions: Sequence[Positions]) -> tuple[Tensor, Tensor]:
    """The values of all fields at `positions` are mean (m,) + modes (m, r) times scaled POD coordinates."""
    space = layout.space
    assert space is not None
    modes = np.column_stack(affine(projection))
    seen = [
        values_of_modes(space, part, modes[where], at)
        for part, where, at in zip(layout.parts, layout.field_slices, positions, strict=True)
    ]
    values = torch.from_numpy(np.concatenate(seen)).to(projection.mean)
    return values[:, 0], values[:, 1:]


def values_where(given: PositionedValues, layout: Layout, projection: Projection, scaled: Tensor) -> Tensor:
    """The values (*lead, m) of all fields where others were `given`, by scaled POD coordinates (*lead, r)."""
    if not any(place.moving for place in given.places):
        mean, modes = lifting_at(layout, projection, [place.positions for place in given.places])
        return mean + scaled @ modes.T
    rows = []
    for moment in np.ndindex(*scaled.shape[:-1]):
        mean, modes = lifting_at(layout, projection, given.positions_at(moment))
        rows.append(mean + modes @ scaled[moment])
    count = sum(one.shape[-2:].numel() for one in given.values)
    return (torch.stack(rows) if rows else scaled).reshape(*scaled.shape[:-1], count)
