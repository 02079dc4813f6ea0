"""How a fit reads its data: flat states as they are, or as spline coefficients.

`GridReader` keeps the values of states. `SplineReader` replaces values on any grid, or at any points, by coefficients in a
function space, with the dimension `function`. It maps time derivatives in the same way, since the map is linear. Both
have the same methods, so that `reader_for` is the only place of a fit that chooses between them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr

import systems
from rom.data.coefficients import ProjectionErrors, coefficients_of, warn_of_loss
from rom.data.columns import require_variable
from rom.data.fields import BESIDE_FIELDS, field_names
from rom.data.layout import Layout
from rom.data.positions import MOVING, place_of
from rom.data.read_collocation import as_collocation
from rom.data.read_trajectories import as_trajectories
from rom.data.same_layout import require_same_layout
from rom.data.space_selection import select_space
from rom.data.trajectories import Collocation, Trajectories
from rom.reduction.spline_space import Coordinate, FunctionSpace
from rom.utils.errors import RomTypeError, RomValueError, nearest

__all__ = ["GridReader", "Reader", "SplineReader", "reader_for"]

PAIR = ("state", "time_derivative")  # variables of a Dataset of collocation points


class GridReader:
    """Reads data whose states all lie on the same grid: flat states are the values themselves.

    Attributes
    ----------
    misfit : tuple of float
        Empty: the errors of the values are not estimated.
    lost : float
        Zero: all values are kept.
    """

    misfit: tuple[float, ...] = ()
    lost = 0.0

    def read_trajectories(self, data: Any) -> tuple[list[Trajectories], Layout]:
        """Return groups of trajectories with equal times, and their layout, as `as_trajectories` does."""
        return as_trajectories(data)

    def read_collocation(self, data: Any) -> tuple[Collocation, Layout]:
        """Return collocation pairs and their layout, as `as_collocation` does."""
        return as_collocation(data)

    def labelling_system(self, system: systems.System | None) -> systems.System | None:
        """Return the system whose labels and right-hand side apply to flat states: the system itself."""
        return system

    def for_system(self, runs: list[xr.Dataset], system: systems.System) -> list[xr.Dataset]:  # noqa: ARG002
        """Return trajectories of states as the system labels them: unchanged."""
        return runs

    def warn_of_loss(self) -> None:
        """Do nothing, since no information is lost."""


@dataclass
class SplineReader:
    """Reads Datasets, or lists of them, into memory as coefficients in a function space.

    Parameters
    ----------
    space : FunctionSpace
        The space of splines.
    errors : dict of int to ProjectionErrors
        Sums over the values read so far, by the number of the field.
    """

    space: FunctionSpace
    errors: dict[int, ProjectionErrors] = field(default_factory=dict)

    @property
    def misfit(self) -> tuple[float, ...]:
        """Estimated variance of the errors of the values of each field."""
        return tuple(one.misfit for one in self.errors.values())

    @property
    def lost(self) -> float:
        """Share of the variance of the values that the space does not hold, for the worst field."""
        return max((one.lost for one in self.errors.values()), default=0.0)

    def read_trajectories(self, data: Any) -> tuple[list[Trajectories], Layout]:
        """Return groups of trajectories of coefficients with equal times, and their layout.

        Raises
        ------
        RomTypeError
            For arrays, which have no positions.
        RomValueError
            As `as_trajectories` and `coefficients_of`.
        """
        coefficients = [
            self._to_coefficients(name, dataset, state_names(name, dataset), MOVING)
            for name, dataset in named_datasets("trajectories", data)
        ]
        groups, layout = as_trajectories(coefficients)
        return groups, replace(layout, space=self.space)

    def read_collocation(self, data: Any) -> tuple[Collocation, Layout]:
        """Return collocation pairs of coefficients and their layout.

        Raises
        ------
        RomTypeError
            For arrays, which have no positions.
        RomValueError
            As `as_collocation` and `coefficients_of`.
        """
        parts: list[tuple[Collocation, Layout]] = []
        for name, pair in named_pairs(data):
            if len(pair) == 1:
                coefficients: Any = self._to_coefficients(name, pair[0], PAIR, ("point",))
            else:
                states, rates = pair
                variables = field_names(name, states, ("point",))
                coefficients = (
                    self._to_coefficients(name, states, variables, ("point",)),
                    self._to_coefficients(name, rates, variables, ("point",), is_rate=True),
                )
            parts.append(as_collocation(coefficients))
            require_same_layout(name, parts[-1][1], parts[0][1])
        pairs, layout = parts[0]
        for others, _ in parts[1:]:
            pairs = pairs.joined(others)
        return pairs, replace(layout, space=self.space)

    def labelling_system(self, system: systems.System | None) -> systems.System | None:  # noqa: ARG002
        """Return the system whose labels and right-hand side apply to flat states: None for coefficients."""
        return None

    def for_system(self, runs: list[xr.Dataset], system: systems.System) -> list[xr.Dataset]:
        """Return trajectories of values on the grid of the system, for trajectories of coefficients."""
        place = place_of(system.name, zero_state(system), self.space.names)
        channels = [dim for dim in system.dims if dim not in place.dims]
        on_grid = []
        for run in runs:
            values = self.space.values(run["state"].values, place.positions)
            values = values.reshape(*values.shape[:-1], *place.shape)
            state = xr.DataArray(values, dims=("trajectory", "time", *channels, *place.dims))
            on_grid.append(run.drop_vars("state").assign(state=state.transpose("trajectory", "time", *system.dims)))
        return on_grid

    def warn_of_loss(self) -> None:
        """Log a warning if the space loses much of the variance of the values."""
        warn_of_loss(self.lost, self.space)

    def _to_coefficients(
        self, name: str, dataset: xr.Dataset, variables: Sequence[str], leading: tuple[str, ...], is_rate: bool = False
    ) -> xr.Dataset:
        """Return `dataset` with coefficients in place of the values of `variables`."""
        coefficients: dict[str, Any] = {}
        for k, variable in enumerate(variables):
            if variable not in dataset:
                raise RomValueError(
                    f"{name} has no variable {variable!r}; {nearest(variable, map(str, dataset.data_vars))}"
                )
            array = dataset[variable]
            if not set(leading) & set(array.dims):
                raise RomValueError(f"{name}[{variable!r}] has dimensions {array.dims}, but needs {leading[-1]!r}")
            found = coefficients_of(f"{name}[{variable!r}]", array, self.space, leading)
            coefficients[variable] = found.values
            if not is_rate and variable != "time_derivative":
                # By number, since collocation points may call a field of the trajectories `state`.
                self.errors[k] = self.errors.get(k, ProjectionErrors()) + found.errors
        others = {n: dataset[n].variable for n in BESIDE_FIELDS if n in dataset}
        dims = {dim for one in (*coefficients.values(), *others.values()) for dim in one.dims}
        coords = {
            str(n): c.variable for n, c in dataset.coords.items() if set(c.dims) <= dims and n not in self.space.names
        }
        return xr.Dataset(coefficients | others, coords)


Reader = GridReader | SplineReader


def reader_for(
    settings: Coordinate | None, system: systems.System | None, trajectories: Any, collocation: Any
) -> Reader:
    """Return the reader of a fit.

    Parameters
    ----------
    settings : Coordinate or None
        `FitConfig.space`: settings of the function space, or None if all states lie on the same grid.
    system : systems.System or None
        Makes the data that are not passed.
    trajectories, collocation
        Data as passed to `rom.fit`, or None.

    Returns
    -------
    GridReader or SplineReader
        The latter with the function space that all data have in common.

    Raises
    ------
    RomTypeError
        If `settings` are given and data are not Datasets.
    RomValueError
        If the data have no positions in common, as `select_space`.
    """
    if settings is None:
        return GridReader()
    arrays: list[tuple[str, xr.DataArray, tuple[str, ...]]] = []
    for name, dataset in named_datasets("trajectories", trajectories):
        arrays += [(f"{name}[{v!r}]", dataset[v], MOVING) for v in state_names(name, dataset)]
    for name, pair in named_pairs(collocation):
        variables = ["state"] if len(pair) == 1 else field_names(name, pair[0], ("point",))
        arrays += [(f"{name}[{v!r}]", require_variable(name, pair[0], v, ("point",)), ("point",)) for v in variables]
    if system is not None and (trajectories is None or collocation is None):
        arrays.append((system.name, zero_state(system), ()))
    return SplineReader(select_space(arrays, settings))


def zero_state(system: systems.System) -> xr.DataArray:
    """Return a state of zeros with the coordinates and periods of a system."""
    attrs = {dim: {"period": length} for dim, length in system.periods.items()}
    coords = {dim: (dim, np.asarray(c), attrs.get(dim, {})) for dim, c in system.coords.items()}
    return xr.DataArray(np.zeros(system.shape), dims=system.dims, coords=coords)


def named_datasets(name: str, data: Any) -> Iterator[tuple[str, xr.Dataset]]:
    """Yield each Dataset of `data` with its name. Raise `RomTypeError` for anything else."""
    for k, one in enumerate(data if isinstance(data, list) else [] if data is None else [data]):
        own_name = f"{name}[{k}]" if isinstance(data, list) else name
        if not isinstance(one, xr.Dataset):
            raise RomTypeError(
                f"{own_name} must be an xarray.Dataset whose coordinates are the positions that FitConfig.space needs, got "
                f"{type(one).__name__}"
            )
        yield own_name, one


def named_pairs(data: Any) -> Iterator[tuple[str, tuple[xr.Dataset, ...]]]:
    """Yield the Datasets of collocation points with their name.

    They are one Dataset with `state` and `time_derivative`, or two: fields, and their time derivatives.
    """
    for k, one in enumerate(data if isinstance(data, list) else [] if data is None else [data]):
        name = f"collocation[{k}]" if isinstance(data, list) else "collocation"
        pair = one if isinstance(one, tuple) else (one,)
        if len(pair) > 2 or not all(isinstance(part, xr.Dataset) for part in pair):
            raise RomTypeError(
                f"{name} must be an xarray.Dataset, or two of fields, whose coordinates are the positions that FitConfig.space "
                f"needs, got {type(one).__name__}"
            )
        yield name, pair


def state_names(name: str, dataset: xr.Dataset) -> list[str]:
    """Return the names of the variables of a state in a Dataset of trajectories, or of one run."""
    return field_names(name, dataset, MOVING if "trajectory" in dataset.dims else ("time",))
