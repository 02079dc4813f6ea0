"""Fields as coefficients in a function space: at the door of a fit, and at that of a model.

A Dataset whose values lie on a grid or at points becomes one with the dimension `function`, and time derivatives with it, for
the map is linear. What a model is given, on any positions, becomes coefficients in the same way where its values are exact and determine
them well; otherwise the most probable ones, with the POD coordinates of the training data as prior (gappy POD; Everson
& Sirovich 1995, J. Opt. Soc. Am. A 12, 1657).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

import systems
from rom.arguments import as_tensor, ordered
from rom.data import (
    Collocation,
    Trajectories,
    as_collocation,
    as_trajectories,
    numeric,
    require_finite,
    require_variable,
)
from rom.errors import RomTypeError, RomValueError, nearest
from rom.fields import BESIDE_FIELDS, Field, field_names
from rom.function_space import Coordinate, FunctionSpace, Positions, along_axes
from rom.layout import Layout, require_same_layout, require_same_units
from rom.positions import MOVING, Place, place_asked_for, place_of, space_for
from rom.projection import Projection

__all__ = [
    "FUNCTION",
    "Given",
    "PlainDoor",
    "Prior",
    "Reading",
    "SpaceDoor",
    "cells_at",
    "coefficients_given",
    "lifting_at",
    "prior_noise",
    "values_given",
]

log = logging.getLogger("rom")

FUNCTION = "function"  # the dimension of coefficients
MUCH_LOST = 0.01  # share of the variance of the values that the space may lose without a warning
LEAST_NOISE = 1e-12  # of the variance: as exact as values in float32 are
PAIR = ("state", "time_derivative")


# ---------------------------------------------------------------------------------------------------------------------
# The data of a fit
# ---------------------------------------------------------------------------------------------------------------------


class PlainDoor:
    """How data come in: as they are."""

    space = None
    misfit: tuple[float, ...] = ()
    lost = 0.0

    def warn(self) -> None:
        """There is nothing to warn of."""

    def trajectories(self, data: Any) -> tuple[list[Trajectories], Layout]:
        """Groups of trajectories with equal times, and their layout, as `as_trajectories` makes them."""
        return as_trajectories(data)

    def collocation(self, data: Any) -> tuple[Collocation, Layout]:
        """Pairs and their layout, as `as_collocation` makes them."""
        return as_collocation(data)

    def for_system(self, runs: list[xr.Dataset], system: systems.System) -> list[xr.Dataset]:  # noqa: ARG002
        """Trajectories as the system knows its states."""
        return runs


@dataclass
class SpaceDoor:
    """How data come in to a model in a function space: Datasets, or lists of them, whose values become coefficients.

    They are read into memory. `squares` collects, for each field in their order, the sums of squares of what the space leaves
    of the values and of their deviations from the mean, and their number.
    """

    space: FunctionSpace
    squares: dict[int, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(cls, system: systems.System | None, trajectories: Any, collocation: Any, settings: Coordinate) -> SpaceDoor:
        """The door to the space that all data have in common, those that a system will make included."""
        arrays: list[tuple[str, xr.DataArray, tuple[str, ...]]] = []
        for name, dataset in datasets("trajectories", trajectories):
            arrays += [(f"{name}[{v!r}]", dataset[v], MOVING) for v in state_names(name, dataset)]
        for name, pair in pairs_of(collocation):
            variables = ["state"] if len(pair) == 1 else field_names(name, pair[0], ("point",))
            arrays += [
                (f"{name}[{v!r}]", require_variable(name, pair[0], v, ("point",)), ("point",)) for v in variables
            ]
        if system is not None and (trajectories is None or collocation is None):
            arrays.append((system.name, grid_of(system), ()))
        return cls(space_for(arrays, settings))

    @property
    def misfit(self) -> tuple[float, ...]:
        """Mean square of what the space leaves of the values of each field."""
        return tuple(float(sums[0] / sums[2]) for sums in self.squares.values())

    @property
    def lost(self) -> float:
        """Share of the variance of the values that the space does not hold, of the worst field."""
        return max((float(sums[0] / max(sums[1], 1e-300)) for sums in self.squares.values()), default=0.0)

    def trajectories(self, data: Any) -> tuple[list[Trajectories], Layout]:
        """As `PlainDoor.trajectories`, of coefficients. Raises `RomTypeError` for arrays, which have no positions."""
        made = [
            self.converted(name, dataset, state_names(name, dataset), MOVING)
            for name, dataset in datasets("trajectories", data)
        ]
        groups, layout = as_trajectories(made)
        return groups, replace(layout, space=self.space)

    def collocation(self, data: Any) -> tuple[Collocation, Layout]:
        """As `PlainDoor.collocation`, of coefficients. Raises `RomTypeError` for arrays, which have no positions."""
        found: list[tuple[Collocation, Layout]] = []
        for name, pair in pairs_of(data):
            if len(pair) == 1:
                made: Any = self.converted(name, pair[0], list(PAIR), ("point",))
            else:
                variables = field_names(name, pair[0], ("point",))
                made = tuple(self.converted(name, one, variables, ("point",), k == 1) for k, one in enumerate(pair))
            found.append(as_collocation(made))
            require_same_layout(name, found[-1][1], found[0][1])
        pairs, layout = found[0]
        for others, _ in found[1:]:
            pairs = pairs.joined(others)
        return pairs, replace(layout, space=self.space)

    def for_system(self, runs: list[xr.Dataset], system: systems.System) -> list[xr.Dataset]:
        """Trajectories of coefficients on the grid of a system."""
        place = place_of(system.name, grid_of(system), self.space.names)
        channels = [dim for dim in system.dims if dim not in place.dims]
        made = []
        for run in runs:
            values = self.space.values(run["state"].values, place.positions)
            values = values.reshape(*values.shape[:-1], *place.shape)
            state = xr.DataArray(values, dims=("trajectory", "time", *channels, *place.dims))
            made.append(run.drop_vars("state").assign(state=state.transpose("trajectory", "time", *system.dims)))
        return made

    def warn(self) -> None:
        """Say so where the space does not hold the values."""
        if self.lost > MUCH_LOST:
            log.warning(
                "the function space of %d splines leaves %.1f %% of the variance of the values; choose more, "
                "rom.Coordinate(n_functions=...), or leave the coarsest data out", self.space.n_functions, 100 * self.lost
            )  # fmt: skip

    def converted(
        self, name: str, dataset: xr.Dataset, variables: Sequence[str], leading: tuple[str, ...], is_rate: bool = False
    ) -> xr.Dataset:
        """`dataset` with coefficients in place of the values of `variables`."""
        made: dict[str, Any] = {}
        for k, variable in enumerate(variables):
            if variable not in dataset:
                raise RomValueError(
                    f"{name} has no variable {variable!r}; {nearest(variable, map(str, dataset.data_vars))}"
                )
            array = dataset[variable]
            if not set(leading) & set(array.dims):
                raise RomValueError(f"{name}[{variable!r}] has dimensions {array.dims}, but needs {leading[-1]!r}")
            made[variable], sums = coefficients_of(f"{name}[{variable!r}]", array, self.space, leading)
            if not is_rate and variable != "time_derivative":
                self.squares[k] = self.squares.get(k, np.zeros(3)) + sums  # pairs may call a field `state`
        beside = {n: dataset[n].variable for n in BESIDE_FIELDS if n in dataset}
        known = {dim for one in (*made.values(), *beside.values()) for dim in one.dims}
        coords = {
            str(n): c.variable for n, c in dataset.coords.items() if set(c.dims) <= known and n not in self.space.names
        }
        return xr.Dataset(made | beside, coords)


def grid_of(system: systems.System) -> xr.DataArray:
    """A state of zeros, labelled as the system labels its own."""
    attrs = {dim: {"period": length} for dim, length in system.periods.items()}
    coords = {dim: (dim, np.asarray(c), attrs.get(dim, {})) for dim, c in system.coords.items()}
    return xr.DataArray(np.zeros(system.shape), dims=system.dims, coords=coords)


def datasets(name: str, data: Any) -> Iterator[tuple[str, xr.Dataset]]:
    """The Datasets of `data`, named; a `RomTypeError` for anything else."""
    for k, one in enumerate(data if isinstance(data, list) else [] if data is None else [data]):
        called = f"{name}[{k}]" if isinstance(data, list) else name
        if not isinstance(one, xr.Dataset):
            raise RomTypeError(
                f"{called} must be an xarray.Dataset, whose coordinates tell the positions that FitConfig.space needs, got "
                f"{type(one).__name__}"
            )
        yield called, one


def pairs_of(data: Any) -> Iterator[tuple[str, tuple[xr.Dataset, ...]]]:
    """The Datasets of collocation points, named: one of `state` and `time_derivative`, or two of fields and their rates."""
    for k, one in enumerate(data if isinstance(data, list) else [] if data is None else [data]):
        called = f"collocation[{k}]" if isinstance(data, list) else "collocation"
        pair = one if isinstance(one, tuple) else (one,)
        if len(pair) > 2 or not all(isinstance(part, xr.Dataset) for part in pair):
            raise RomTypeError(
                f"{called} must be an xarray.Dataset, or two of fields, whose coordinates tell the positions that "
                f"FitConfig.space needs, got {type(one).__name__}"
            )
        yield called, pair


def state_names(name: str, dataset: xr.Dataset) -> list[str]:
    return field_names(name, dataset, MOVING if "trajectory" in dataset.dims else ("time",))


@contextmanager
def about(name: str) -> Iterator[None]:
    """Errors of values inside are told with the `name` of what they are about."""
    try:
        yield
    except RomValueError as error:
        raise RomValueError(f"{name}: {error}") from error


def coefficients_of(
    name: str, array: xr.DataArray, space: FunctionSpace, leading: tuple[str, ...]
) -> tuple[xr.Variable, np.ndarray]:
    """Coefficients (*leading, *components, M) of the values of `array`, and what `SpaceDoor.squares` collects of it.

    Raises `RomValueError` for values that are not finite and positions that do not determine the coefficients.
    """
    place = place_of(name, array, space.names, leading)
    lead = [*place.moving, *(dim for dim in leading if dim in array.dims and dim not in place.moving)]
    others = [str(dim) for dim in array.dims if dim not in lead and dim not in place.dims]
    array = array.transpose(*lead, *others, *place.dims)
    values = numeric(name, array).astype(np.float64)
    values = values.reshape(*values.shape[: len(lead) + len(others)], place.size)
    require_finite(name, values, [f"{dim} index" for dim in lead])
    found = np.empty((*values.shape[:-1], space.n_functions))
    residual = 0.0
    for moment in np.ndindex(values.shape[: len(place.moving)]):
        positions = positions_at(place, place.moving, moment)
        with about(name):
            found[moment] = space.coefficients(values[moment], positions)
        residual += float(np.square(values[moment] - space.values(found[moment], positions)).sum())
    sums = np.array([residual, np.square(values - values.mean()).sum(), values.size])
    return xr.Variable((*lead, *others, FUNCTION), found, array.attrs), sums


# ---------------------------------------------------------------------------------------------------------------------
# What a model is given
# ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Prior:
    """What is known of coefficients c (n,) before they are seen: c = mean + factor w, w of zero mean and `variance` (r,).

    factor: (n, r), the POD modes. noise: variance of the values of each field about such c: what space and POD do not hold.
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
    at the positions, L the variances of w and S those of the values, that of their errors, `noise`^2, included. Its limit for
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
        deviation = np.repeat(np.sqrt(prior.noise + noise**2), [len(rows) for rows in seen])
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


def values_given(name: str, x: Any, at: Any, layout: Layout, like: Tensor, units: bool = True) -> Given:
    """What was given as states: DataArrays with positions, or arrays (..., *components, *positions) with `at`.

    Of a model of fields, a Dataset or a mapping of them. `units` of the values are compared with those of the model. Raises
    `RomValueError` or `RomTypeError` for what has no positions, or other components than the model.
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
        channels = part.dims[:-1]
        if isinstance(one, xr.DataArray):
            if at is not None:
                raise RomValueError(f"at: the coordinates of {called} tell its positions already; leave it out")
            attrs = {str(key): c.attrs for key, c in one.coords.items()} | ({part.name: one.attrs} if units else {})
            require_same_units(called, attrs, layout, "this model")
            place = place_of(called, one, space.names)
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
        tensor, shape = as_tensor(called, one, double), (*part.shape[:-1], *place.shape)
        k = len(shape)
        if tensor.ndim < k or tuple(tensor.shape[tensor.ndim - k :]) != shape:
            raise RomValueError(f"{called} has shape {tuple(tensor.shape)}, which does not end in {shape}")
        leading = tuple(tensor.shape[: tensor.ndim - k])
        if values and leading != tuple(values[0].shape[:-2]):
            raise RomValueError(f"{called} has the leading shape {leading}, other fields {tuple(values[0].shape[:-2])}")
        values.append(tensor.reshape(*leading, -1, place.size))
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
        rows = []
        for moment in np.ndindex(*lead):
            where = [positions_at(place, given.lead, moment) for place in given.places]
            rows.append(Reading(layout, where, prior, noise)([one[moment] for one in given.values], is_rate))
        return torch.stack(rows).reshape(*lead, -1)


def positions_at(place: Place, lead: tuple[str, ...], moment: tuple[int, ...]) -> Positions:
    if not place.moving:
        return place.positions
    assert not isinstance(place.positions, tuple)
    return place.positions[tuple(moment[lead.index(dim)] for dim in place.moving)]


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


def lifting_at(layout: Layout, projection: Projection, places: Sequence[Place]) -> tuple[Tensor, Tensor]:
    """The values of all fields at `places` are mean (m,) + modes (m, r) times scaled POD coordinates."""
    space = layout.space
    assert space is not None
    modes = np.column_stack(affine(projection))
    seen = [
        values_of_modes(space, part, modes[where], place.positions)
        for part, where, place in zip(layout.parts, layout.field_slices, places, strict=True)
    ]
    values = torch.from_numpy(np.concatenate(seen)).to(projection.mean)
    return values[:, 0], values[:, 1:]
