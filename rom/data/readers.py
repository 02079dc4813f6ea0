"""How data come in to a fit: as they are, or as coefficients in a function space.

A Dataset whose values lie on a grid or at points becomes one with the dimension `function`, and time derivatives with it, for
the map is linear.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr

import systems
from rom.data.fields import BESIDE_FIELDS, field_names
from rom.data.ingest import as_collocation, as_trajectories, require_variable
from rom.data.layout import Layout, require_same_layout
from rom.data.positions import MOVING, place_of
from rom.data.space_selection import select_space
from rom.data.trajectories import Collocation, Trajectories
from rom.reduction.spline_space import FUNCTION, Coordinate, FunctionSpace, Projected
from rom.utils.checks import numeric, require_finite
from rom.utils.errors import RomTypeError, RomValueError, about, nearest

__all__ = ["PlainDoor", "SpaceDoor", "Squares", "coefficients_of", "warn_of_loss"]

log = logging.getLogger("rom")

MUCH_LOST = 0.01  # share of the variance of the values that the space may lose without a warning
PAIR = ("state", "time_derivative")


@dataclass(frozen=True)
class Squares:
    """Over values: their number, mean and squared deviations from it, and sums of squares of what a space leaves and of errors."""

    count: int = 0
    mean: float = 0.0
    deviations: float = 0.0
    left: float = 0.0
    errors: float = 0.0

    @classmethod
    def of(cls, values: np.ndarray, projected: Projected) -> Squares:
        """Those over values (..., P) at one set of positions."""
        mean = float(values.mean()) if values.size else 0.0
        left, errors = np.square(projected.left).sum(), projected.variance.sum() * values.shape[-1]
        return cls(values.size, mean, float(np.square(values - mean).sum()), float(left), float(errors))

    def __add__(self, other: Squares) -> Squares:
        """Those over the values of both."""
        count = max(self.count + other.count, 1)
        apart = other.mean - self.mean
        return Squares(
            count,
            self.mean + apart * other.count / count,
            self.deviations + other.deviations + apart**2 * self.count * other.count / count,
            self.left + other.left,
            self.errors + other.errors,
        )

    @property
    def misfit(self) -> float:
        """Variance of the errors of the values."""
        return self.errors / max(self.count, 1)

    @property
    def lost(self) -> float:
        """Share of the variance of the values that the space does not hold."""
        return self.left / max(self.deviations, 1e-300)


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

    They are read into memory. `squares` collects `coefficients_of` each field, in their order.
    """

    space: FunctionSpace
    squares: dict[int, Squares] = field(default_factory=dict)

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
        return cls(select_space(arrays, settings))

    @property
    def misfit(self) -> tuple[float, ...]:
        """Variance of the errors of the values of each field, as far as the space tells them from what it holds."""
        return tuple(one.misfit for one in self.squares.values())

    @property
    def lost(self) -> float:
        """Share of the variance of the values that the space does not hold, of the worst field."""
        return max((one.lost for one in self.squares.values()), default=0.0)

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
        warn_of_loss(self.lost, self.space)

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
            made[variable], sums, _ = coefficients_of(f"{name}[{variable!r}]", array, self.space, leading)
            if not is_rate and variable != "time_derivative":
                self.squares[k] = self.squares.get(k, Squares()) + sums  # pairs may call a field `state`
        beside = {n: dataset[n].variable for n in BESIDE_FIELDS if n in dataset}
        known = {dim for one in (*made.values(), *beside.values()) for dim in one.dims}
        coords = {
            str(n): c.variable for n, c in dataset.coords.items() if set(c.dims) <= known and n not in self.space.names
        }
        return xr.Dataset(made | beside, coords)


def warn_of_loss(lost: float, space: FunctionSpace) -> None:
    """Say so where `lost`, the share of the variance of the values that the space does not hold, is large."""
    if lost > MUCH_LOST:
        log.warning(
            "a function space of %s splines leaves %.1f %% of the variance of the values (at points: of each as the others tell it, noise "
            "included); choose more along each axis for grids, fewer for few or noisy points, rom.Coordinate(n_functions=...), or leave "
            "the coarsest data out", " x ".join(str(axis.n) for axis in space.axes), 100 * min(lost, 1.0)
        )  # fmt: skip


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


def coefficients_of(
    name: str, array: xr.DataArray, space: FunctionSpace, leading: tuple[str, ...], usable: float | None = None
) -> tuple[xr.Variable, Squares, xr.Variable]:
    """Coefficients (*leading, *components, M) of the values of `array`, sums of squares over these, and `Projected.amplification`.

    Those of `leading` along which points move come first, and the last result is over these alone. Positions that amplify errors
    more than is `usable`, or do not determine the coefficients, give NaN and inf, and are not counted; without `usable`, the latter
    raise `RomValueError`, as do values that are not finite.
    """
    place = place_of(name, array, space.names, leading)
    lead = [*place.moving, *(dim for dim in leading if dim in array.dims and dim not in place.moving)]
    others = [str(dim) for dim in array.dims if dim not in lead and dim not in place.dims]
    array = array.transpose(*lead, *others, *place.dims)
    values = numeric(name, array).astype(np.float64)
    values = values.reshape(*values.shape[: len(lead) + len(others)], place.size)
    require_finite(name, values, [f"{dim} index" for dim in lead])
    sizes = values.shape[: len(place.moving)]
    found, amplification = np.full((*values.shape[:-1], space.n_functions), np.nan), np.full(sizes, np.inf)
    sums = Squares()
    for moment in np.ndindex(sizes):
        try:
            with about(name):
                projected = space.fitted(values[moment], place.positions_at(place.moving, moment))
        except RomValueError:
            if usable is None:
                raise
            continue
        if usable is None or projected.amplification <= usable:
            found[moment], amplification[moment] = projected.coefficients, projected.amplification
            sums = sums + Squares.of(values[moment], projected)
    return xr.Variable((*lead, *others, FUNCTION), found, array.attrs), sums, xr.Variable(place.moving, amplification)
