"""How states are labelled: the layout that puts dimensions, coordinates and units back on forecasts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from rom.data.fields import Field, slices_of
from rom.reduction.spline_space import FunctionSpace
from rom.utils.errors import RomValueError

__all__ = ["Layout", "layout_of", "layout_of_array", "plain_labels", "plain_layout", "plain_names"]


@dataclass(frozen=True)
class Layout:
    """Labels of a state, and the names of the parameters and inputs that it came with.

    Attributes
    ----------
    dims : tuple of str
        Dimensions of a state. A state of several fields is flat, with the dimension `component` alone.
    shape : tuple of int
        Lengths of these.
    coords : dict
        Coordinates by name, each as {"dims", "data", "dtype", "attrs"} in JSON types.
    parameters, inputs : tuple of str
        Names.
    held_inputs : bool
        Whether inputs are held until the next time at which they are known. Otherwise they are linear in between.
    depends_on_time : bool
        Whether f, and so h, depends on time.
    period : float or None
        Its period, if it depends on time periodically.
    attrs : dict
        Attributes of the state: units, long_name.
    time_attrs : dict
        Attributes of the time: units.
    fields : tuple of Field
        The variables of a state of several, or of one that is not called `state`.
    space : FunctionSpace or None
        The function space in which states are coefficients, along the last dimension of each variable.
    """

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    coords: dict[str, dict[str, Any]] = field(default_factory=dict)
    parameters: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    held_inputs: bool = False
    depends_on_time: bool = False
    period: float | None = None
    attrs: dict[str, Any] = field(default_factory=dict)
    time_attrs: dict[str, Any] = field(default_factory=dict)
    fields: tuple[Field, ...] = ()
    space: FunctionSpace | None = None

    @property
    def parts(self) -> tuple[Field, ...]:
        """The variables of a state: its fields, or `state` alone."""
        return self.fields or (Field("state", self.dims, self.shape, self.attrs),)

    @property
    def field_slices(self) -> tuple[slice, ...]:
        """Where the variables lie in the flat state."""
        return slices_of(self.parts)

    @property
    def n_states(self) -> int:
        """Number n of components of a state."""
        return int(np.prod(self.shape, dtype=int))

    @property
    def field_groups(self) -> tuple[tuple[slice, ...], ...]:
        """Where the variables lie in the flat state, those with the same stated units together."""
        groups: dict[str, list[slice]] = {}
        for part, where in zip(self.parts, self.field_slices, strict=True):
            unit = str(part.attrs.get("units", ""))
            # Fields that are dimensionless, or state no units, may differ in size: each is a group of its own.
            groups.setdefault(part.name if unit in ("", "1") else f"in {unit}", []).append(where)
        return tuple(tuple(group) for group in groups.values())

    @property
    def n_forcing(self) -> int:
        """Number q of values that drive the dynamics: inputs, and time or cosine and sine of its phase."""
        return len(self.inputs) + (0 if not self.depends_on_time else 1 if self.period is None else 2)

    @property
    def is_driven(self) -> bool:
        """Whether the dynamics change along a trajectory, by inputs or by time itself."""
        return bool(self.inputs) or self.depends_on_time

    def labels(self) -> dict[str, xr.Variable]:
        """Return the coordinates as xarray variables."""
        return {
            name: xr.Variable(c["dims"], np.asarray(c["data"], dtype=c.get("dtype")), c["attrs"])
            for name, c in self.coords.items()
        }


def layout_of(dataset: xr.Dataset, variables: Sequence[str], leading: tuple[str, ...]) -> Layout:
    """Return the layout of the states in a Dataset.

    Parameters
    ----------
    dataset : xarray.Dataset
        Trajectories or points.
    variables : sequence of str
        The variables of a state.
    leading : tuple of str
        Dimensions that do not belong to a state.

    Returns
    -------
    Layout
        With names of parameters and inputs, if the Dataset has any.

    Raises
    ------
    RomValueError
        If a single variable `state` has no dimension of its own.
    """
    fields = tuple(field_of(dataset[name], leading) for name in variables)
    if fields[0].name == "state" and not fields[0].dims:
        raise RomValueError(f"state has only the dimensions {dataset['state'].dims}; it needs at least one of its own")
    common: dict[str, Any] = {
        "coords": coords_along(dataset.coords, fields),
        "parameters": names_along(dataset, "parameters", "parameter", "mu"),
        "inputs": names_along(dataset, "inputs", "input", "u"),
        "held_inputs": "inputs" in dataset and dataset["inputs"].attrs.get("interpolation") == "previous",
        "time_attrs": plain_attrs(dataset["time"].attrs) if "time" in dataset.coords else {},
    }
    if fields[0].name == "state":
        return Layout(fields[0].dims, fields[0].shape, attrs=fields[0].attrs, **common)
    return Layout(("component",), (sum(one.size for one in fields),), fields=fields, **common)


def names_along(dataset: xr.Dataset, variable: str, dim: str, letters: str) -> tuple[str, ...]:
    """Return the labels of a variable along a dimension, made up from `letters` if it has none; () without the variable."""
    if variable not in dataset:
        return ()
    array = dataset[variable]
    return tuple(map(str, array[dim].values)) if dim in array.coords else plain_names(array.sizes.get(dim, 0), letters)


def layout_of_array(array: xr.DataArray, leading: tuple[str, ...]) -> Layout:
    """Return the layout of the states in one array, whatever its name, without its dimensions `leading`."""
    own = field_of(array, leading)
    return Layout(own.dims, own.shape, coords_along(array.coords, [own]), attrs=own.attrs)


def coords_along(coords: Mapping[Any, xr.DataArray], fields: Sequence[Field]) -> dict[str, dict[str, Any]]:
    """Return those coordinates in JSON types that lie along the dimensions of one of the fields."""
    return {
        str(name): {"dims": list(map(str, c.dims)), **plain_labels(c.values), "attrs": plain_attrs(c.attrs)}
        for name, c in coords.items()
        if c.dims and any(set(c.dims) <= set(one.dims) for one in fields)
    }


def field_of(variable: xr.DataArray, leading: tuple[str, ...]) -> Field:
    """Return a variable as a field, without its dimensions `leading`."""
    dims = tuple(d for d in variable.dims if d not in leading)
    shape = tuple(variable.sizes[d] for d in dims)
    return Field(str(variable.name), tuple(map(str, dims)), shape, plain_attrs(variable.attrs))


def plain_labels(values: np.ndarray) -> dict[str, Any]:
    """Return the values of a coordinate in JSON types, with the dtype that brings them back. Objects become text."""
    if values.dtype.kind == "O":
        values = values.astype(str)
    data = values
    if values.dtype.kind == "M":
        data = values.astype(str)
    elif values.dtype.kind == "m":
        data = values.astype(np.int64)
    return {"data": data.tolist(), "dtype": str(values.dtype)}


def plain_layout(shape: tuple[int, ...], n_parameters: int, n_inputs: int = 0) -> Layout:
    """Return the layout of states of a shape that came without labels."""
    dims = ("component",) if len(shape) == 1 else tuple(f"axis_{k}" for k in range(len(shape)))
    return Layout(dims, tuple(shape), {}, plain_names(n_parameters), plain_names(n_inputs, "u"))


def plain_names(count: int, letters: str = "mu") -> tuple[str, ...]:
    """Return names for parameters, or inputs, that came without names: mu0, mu1, ..."""
    return tuple(f"{letters}{k}" for k in range(count))


def plain_attrs(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the attributes that JSON can hold: text and numbers, those in NumPy's types included."""
    plain = {str(k): v.item() if isinstance(v, np.generic) else v for k, v in attrs.items()}
    return {k: v for k, v in plain.items() if isinstance(v, str | int | float | bool)}
