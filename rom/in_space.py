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

from rom.arguments import as_tensor, ordered, require_same_labels
from rom.arrays import numeric
from rom.errors import RomTypeError, RomValueError, about, nearest
from rom.fields import Field
from rom.function_space import FUNCTION, FunctionSpace, Positions
from rom.layout import Layout
from rom.least_squares import along_axes
from rom.positions import MOVING, Place, place_asked_for, place_of
from rom.projection import Projection

__all__ = [
    "LEAST_NOISE",
    "Given",
    "Prior",
    "Reading",
    "cells_at",
    "coefficients_given",
    "lifting_at",
    "prior_of",
    "values_given",
    "values_where",
]

LEAST_NOISE = 1e-12  # of the variance: as exact as values in float32 are


# ---------------------------------------------------------------------------------------------------------------------
# What a model is given
# ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Prior:
    """What is known of coefficients c (n,) before they are seen: c = mean + factor w, w of zero mean and `variance` (r,).

    factor: (n, r), the POD modes. noise: variance of the values of each field about such c: their errors
    in training, and what space and POD do not hold.
    """

    mean: np.ndarray
    factor: np.ndarray
    variance: np.ndarray
    noise: np.ndarray

    @classmethod
    def of(cls, projection: Projection, variance: Tensor, noise: Tensor) -> Prior:
        """That of a model."""
        mean, modes = affine(projection)
        return cls(mean, float(projection.scale) * modes, variance.cpu().numpy(), noise.cpu().numpy())


def affine(projection: Projection) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients are mean (n,) + modes (n, r) times scaled POD coordinates; both in float64."""
    mean, unit, basis = (
        value.cpu().numpy().astype(np.float64) for value in (projection.mean, projection.unit, projection.basis)
    )
    return mean, unit[:, None] * basis


def prior_of(
    layout: Layout, projection: Projection, coordinates: Tensor, misfit: Sequence[float]
) -> dict[str, np.ndarray]:
    """What `Prior.of` takes from a model in a function space, of the POD coordinates (N, r) of its training."""
    variance = coordinates.square().mean(dim=0).numpy()
    return {"prior_variance": variance, "prior_noise": prior_noise(layout, projection, variance, misfit)}


def prior_noise(layout: Layout, projection: Projection, variance: np.ndarray, misfit: Sequence[float]) -> np.ndarray:
    """`Prior.noise`, of the misfit of the function space and of the energy that the POD has lost, spread over the domain."""
    assert layout.space is not None
    channels = sum(part.size for part in layout.parts) / layout.space.n_functions
    held = float(variance.sum()) * float(projection.scale) ** 2 / (channels * layout.space.volume)
    lost = held * projection.lost_energy / (1.0 - min(projection.lost_energy, 0.5))
    unit = np.array([float(projection.unit[where.start]) for where in layout.field_slices])
    return np.asarray(misfit) + unit**2 * (lost + LEAST_NOISE * held)


class Reading:
    """From the values of all fields at given positions to coefficients: an affine map.

    By the mean of the posterior, which is also its most probable point: w = L A^T (A L A^T + S)^-1 (y - A mean), with A the modes
    at the positions, L the variances of w and S those of the values, `noise`^2, but at least those of training. Its limit for
    many exact values is least squares, which are taken where there is no noise and the positions of each field determine its
    coefficients well: they also see what the POD has cut off. Just above as many values as functions they would amplify errors.
    """

    def __init__(self, layout: Layout, positions: Sequence[Positions], prior: Prior, noise: float = 0.0):
        space = layout.space
        assert space is not None
        self.inverses: list[list[Tensor]] | None = None
        inverses = [space.inverses_if_well_determined(where) for where in positions]
        determined = [maps for maps in inverses if maps is not None]
        if noise == 0.0 and len(determined) == len(inverses):
            self.inverses = [[torch.from_numpy(matrix) for matrix in maps] for maps in determined]
            return
        modes = np.concatenate([prior.mean[:, None], prior.factor], axis=1)
        seen = [
            values_of_modes(space, part, modes[where], at)
            for part, where, at in zip(layout.parts, layout.field_slices, positions, strict=True)
        ]
        deviation = np.repeat(np.sqrt(np.maximum(prior.noise, noise**2)), [len(rows) for rows in seen])
        expected, seen = np.split(np.concatenate(seen), [1], axis=1)
        spread = np.sqrt(prior.variance)
        u, s, vt = np.linalg.svd(seen * spread / deviation[:, None], full_matrices=False)
        gain = prior.factor @ (spread[:, None] * vt.T * (s / (s**2 + 1.0))) @ (u.T / deviation)
        self.mean, self.expected, self.gain = (torch.from_numpy(a) for a in (prior.mean, expected[:, 0], gain))

    def __call__(self, values: Sequence[Tensor], is_rate: bool = False) -> Tensor:
        """Coefficients (..., n) of values (..., C, P) of each field, float64; their rates where the values are rates."""
        device = values[0].device
        if self.inverses is not None:
            found = [
                along_axes([matrix.to(device) for matrix in inverse], one).flatten(-2)
                for inverse, one in zip(self.inverses, values, strict=True)
            ]
            return torch.cat(found, dim=-1)
        y = torch.cat([one.flatten(-2) for one in values], dim=-1)
        gain = self.gain.T.to(device)
        return y @ gain if is_rate else self.mean.to(device) + (y - self.expected.to(device)) @ gain


def values_of_modes(space: FunctionSpace, part: Field, modes: np.ndarray, positions: Positions) -> np.ndarray:
    """The values (C P, m) at `positions` of m modes of a field, of coefficients (C M, m)."""
    channels = part.size // space.n_functions
    coefficients = modes.reshape(channels, space.n_functions, -1).transpose(0, 2, 1)
    return space.values(coefficients, positions).transpose(0, 2, 1).reshape(-1, modes.shape[1])


@dataclass(frozen=True)
class Given:
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
) -> Given:
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
    return Given(values, places, lead, dims)


def coefficients_given(
    name: str, given: Given, layout: Layout, prior: Prior, is_rate: bool = False, noise: float = 0.0
) -> Tensor:
    """Coefficients (*lead, n) of what was given with errors of standard deviation `noise`, float64; of rates where it `is_rate`."""
    with about(name):
        if not any(place.moving for place in given.places):
            return Reading(layout, [place.positions for place in given.places], prior, noise)(given.values, is_rate)
        lead = given.values[0].shape[:-2]
        rows = [
            Reading(layout, given.positions_at(moment), prior, noise)([one[moment] for one in given.values], is_rate)
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


def values_where(given: Given, layout: Layout, projection: Projection, scaled: Tensor) -> Tensor:
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
