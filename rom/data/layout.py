"""How states are labelled: the layout that puts dimensions, coordinates and units back on forecasts, and whether two agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr

from rom.data.fields import Field, slices_of
from rom.reduction.spline_space import FunctionSpace
from rom.utils.errors import RomValueError

__all__ = [
    "Layout",
    "completed",
    "layout_of",
    "layout_of_array",
    "plain_labels",
    "plain_layout",
    "plain_names",
    "require_same_grids",
    "require_same_layout",
    "require_same_units",
]

SAME_GRID = 1e-5  # of the extent of a grid, by which two may differ: rounding to float32


@dataclass(frozen=True)
class Layout:
    """How a state is labelled: dimensions, shape, coordinates, and the names of the parameters and inputs it came with.

    A state of named `fields` is flat, with the dimension `component` alone; the coordinates are those of the fields.
    """

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    coords: dict[str, dict[str, Any]] = field(default_factory=dict)  # name -> {dims, data, attrs}, JSON types
    parameters: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    held_inputs: bool = False  # until the next time that they are known at; otherwise they are linear in between
    depends_on_time: bool = False  # f, and so h
    period: float | None = None  # where it does so periodically
    attrs: dict[str, Any] = field(default_factory=dict)  # of the state: units, long_name
    time_attrs: dict[str, Any] = field(default_factory=dict)  # of the time: units
    fields: tuple[Field, ...] = ()  # the variables of a state of several, or of one that is not called `state`
    space: FunctionSpace | None = None  # in which states are coefficients, along the last dimension of each variable

    @property
    def parts(self) -> tuple[Field, ...]:
        """The variables of a state: its fields, or `state` alone."""
        return self.fields or (Field("state", self.dims, self.shape, self.attrs),)

    @property
    def field_slices(self) -> tuple[slice, ...]:
        """Where the fields lie in the flat state: one slice of everything where there are none."""
        return slices_of(self.parts)

    @property
    def n_states(self) -> int:
        return int(np.prod(self.shape, dtype=int))

    @property
    def field_groups(self) -> tuple[tuple[slice, ...], ...]:
        """Where the fields lie in a flat state, those together that have the same stated units."""
        groups: dict[str, list[slice]] = {}
        for part, where in zip(self.parts, self.field_slices, strict=True):
            unit = str(part.attrs.get("units", ""))
            # Of what is dimensionless, or says nothing, each field has a size of its own.
            groups.setdefault(part.name if unit in ("", "1") else f"in {unit}", []).append(where)
        return tuple(tuple(group) for group in groups.values())

    @property
    def n_forcing(self) -> int:
        """How many numbers tell the dynamics what drives them: inputs, and time or its phase."""
        return len(self.inputs) + (0 if not self.depends_on_time else 1 if self.period is None else 2)

    @property
    def is_driven(self) -> bool:
        """Whether the dynamics change along a trajectory, by inputs or by time itself."""
        return bool(self.inputs) or self.depends_on_time

    def labels(self) -> dict[str, xr.Variable]:
        """The coordinates as xarray variables."""
        return {
            name: xr.Variable(c["dims"], np.asarray(c["data"], dtype=c.get("dtype")), c["attrs"])
            for name, c in self.coords.items()
        }


def layout_of(dataset: xr.Dataset, variables: Sequence[str], leading: tuple[str, ...]) -> Layout:
    """The layout of a state of these `variables` of `dataset`, beside their dimensions `leading`."""
    fields = tuple(field_of(dataset[name], leading) for name in variables)
    if fields[0].name == "state" and not fields[0].dims:
        raise RomValueError(f"state has only the dimensions {dataset['state'].dims}; it needs at least one of its own")
    coords = coords_along(dataset.coords, fields)
    names: tuple[str, ...] = ()
    if "parameters" in dataset:
        p = dataset["parameters"]
        named = "parameter" in p.coords
        names = tuple(map(str, p["parameter"].values)) if named else plain_names(p.sizes.get("parameter", 0))
    inputs, held = (), False
    if "inputs" in dataset:
        u = dataset["inputs"]
        named = "input" in u.coords
        inputs = tuple(map(str, u["input"].values)) if named else plain_names(u.sizes.get("input", 0), "u")
        held = u.attrs.get("interpolation") == "previous"
    time_attrs = plain_attrs(dataset["time"].attrs) if "time" in dataset.coords else {}
    common: dict[str, Any] = {"held_inputs": held, "time_attrs": time_attrs}
    if fields[0].name == "state":
        return Layout(fields[0].dims, fields[0].shape, coords, names, inputs, attrs=fields[0].attrs, **common)
    shape = (sum(one.size for one in fields),)
    return Layout(("component",), shape, coords, names, inputs, fields=fields, **common)


def layout_of_array(array: xr.DataArray, leading: tuple[str, ...]) -> Layout:
    """The layout of a state that is one array, whatever its name, beside its dimensions `leading`."""
    own = field_of(array, leading)
    return Layout(own.dims, own.shape, coords_along(array.coords, [own]), attrs=own.attrs)


def coords_along(coords: Mapping[Any, xr.DataArray], fields: Sequence[Field]) -> dict[str, dict[str, Any]]:
    """Those of `coords` that lie along the dimensions of one of the `fields`, in JSON types."""
    return {
        str(name): {"dims": list(map(str, c.dims)), **plain_labels(c.values), "attrs": plain_attrs(c.attrs)}
        for name, c in coords.items()
        if c.dims and any(set(c.dims) <= set(one.dims) for one in fields)
    }


def field_of(variable: xr.DataArray, leading: tuple[str, ...]) -> Field:
    dims = tuple(d for d in variable.dims if d not in leading)
    shape = tuple(variable.sizes[d] for d in dims)
    return Field(str(variable.name), tuple(map(str, dims)), shape, plain_attrs(variable.attrs))


def plain_labels(values: np.ndarray) -> dict[str, Any]:
    """The values of a coordinate in JSON types, with the dtype that brings them back. Objects become text."""
    if values.dtype.kind == "O":
        values = values.astype(str)
    data = (
        values.astype(str)
        if values.dtype.kind == "M"
        else values.astype(np.int64)
        if values.dtype.kind == "m"
        else values
    )
    return {"data": data.tolist(), "dtype": str(values.dtype)}


def plain_layout(shape: tuple[int, ...], n_parameters: int, n_inputs: int = 0) -> Layout:
    dims = ("component",) if len(shape) == 1 else tuple(f"axis_{k}" for k in range(len(shape)))
    return Layout(dims, tuple(shape), {}, plain_names(n_parameters), plain_names(n_inputs, "u"))


def plain_names(count: int, letters: str = "mu") -> tuple[str, ...]:
    """Names of parameters, or inputs, that came without names."""
    return tuple(f"{letters}{k}" for k in range(count))


def plain_attrs(attrs: dict[Any, Any]) -> dict[str, Any]:
    """The attributes that JSON can hold: text and numbers, those of files in NumPy's types among them."""
    plain = {str(k): v.item() if isinstance(v, np.generic) else v for k, v in attrs.items()}
    return {k: v for k, v in plain.items() if isinstance(v, str | int | float | bool)}


def require_same_layout(name: str, layout: Layout, expected: Layout) -> None:
    """A `RomValueError` unless both layouts describe the same states and parameters, in the same units."""
    if layout.fields and expected.fields:
        require_same_fields(name, layout.fields, expected.fields)
    if layout.dims != expected.dims and set(layout.dims) == set(expected.dims):
        raise RomValueError(
            f"{name}: dimensions {layout.dims} are in another order than {expected.dims} of the other data; use transpose"
        )
    if layout.shape != expected.shape:
        raise RomValueError(
            f"{name}: a state has shape {layout.shape}, but {expected.shape} is expected from the other data"
        )
    parts = {one.name: one.attrs for one in layout.parts}
    coord_attrs = {coord: c["attrs"] for coord, c in layout.coords.items()}
    require_same_units(name, {**coord_attrs, **parts, "time": layout.time_attrs}, expected, "the other data")
    require_same_grids(name, {coord: c["data"] for coord, c in layout.coords.items()}, expected, "the other data")
    if layout.parameters != expected.parameters:
        raise RomValueError(
            f"{name}: parameters {layout.parameters} differ from {expected.parameters} of the other data; `systems.simulate` "
            "and `systems.collocate` store those that they are given by parameters=..."
        )
    if layout.inputs != expected.inputs:
        raise RomValueError(f"{name}: inputs {layout.inputs} differ from {expected.inputs} of the other data")


def require_same_fields(name: str, fields: Sequence[Field], expected: Sequence[Field]) -> None:
    names, wanted = [one.name for one in fields], [one.name for one in expected]
    if names != wanted:
        hint = f"; take them in one order: dataset[{wanted}]" if sorted(names) == sorted(wanted) else ""
        raise RomValueError(
            f"{name}: a state has the fields {names}, but {wanted} are expected from the other data{hint}"
        )
    for one, other in zip(fields, expected, strict=True):
        if (one.dims, one.shape) != (other.dims, other.shape):
            hint = "; use transpose" if sorted(one.dims) == sorted(other.dims) and one.dims != other.dims else ""
            raise RomValueError(
                f"{name}: {one.name!r} has dimensions {one.dims} of lengths {one.shape}, but {other.dims} of lengths "
                f"{other.shape} in the other data{hint}"
            )


def require_same_units(name: str, attrs: Mapping[str, Mapping[str, Any]], expected: Layout, whose: str) -> None:
    """A `RomValueError` where `attrs` by variable hold other units than the `expected` layout; one without units has any."""
    known = {coord: c["attrs"] for coord, c in expected.coords.items()}
    known |= {one.name: one.attrs for one in expected.parts} | {"time": expected.time_attrs}
    for variable in attrs.keys() & known.keys():
        units, wanted = units_of(attrs[variable]), units_of(known[variable])
        if units and wanted and units != wanted:
            raise RomValueError(
                f"{name}: {variable!r} has units of {units!r}, but {wanted!r} in {whose}; convert its values and say so with "
                f"dataset[{variable!r}].attrs['units'] = {wanted!r}, which is enough where both mean the same"
            )


def units_of(attrs: Mapping[str, Any]) -> str:
    """The units that `attrs` tell, "" where they tell none; "1" is what programs write that do not know better."""
    units = str(attrs.get("units", "")).strip()
    return "" if units == "1" else units


def joined_attrs(attrs: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    units = {"units": others["units"]} if units_of(others) and not units_of(attrs) else {}
    return {**others, **attrs, **units}


def completed(layout: Layout, other: Layout) -> Layout:
    """`layout` with those attributes (units, long_name) that only `other` has, which labels the same states."""
    coords = {
        name: {**c, "attrs": joined_attrs(c["attrs"], other.coords[name]["attrs"])} if name in other.coords else c
        for name, c in layout.coords.items()
    }
    attrs = {one.name: one.attrs for one in other.parts}
    parts = tuple(replace(one, attrs=joined_attrs(one.attrs, attrs.get(one.name, {}))) for one in layout.parts)
    time_attrs = joined_attrs(layout.time_attrs, other.time_attrs)
    layout = replace(layout, coords=coords, time_attrs=time_attrs)
    return replace(layout, fields=parts) if layout.fields else replace(layout, attrs=parts[0].attrs)


def require_same_grids(name: str, coords: Mapping[str, Any], expected: Layout, whose: str) -> None:
    """A `RomValueError` unless `coords` agree with those of the `expected` layout that have the same name."""
    for coord in coords.keys() & expected.coords.keys():
        if not same_grid(np.asarray(coords[coord]), np.asarray(expected.coords[coord]["data"])):
            raise RomValueError(
                f"{name}: the grid {coord!r} differs from that of {whose}; bring both to one grid, in one order, or pass "
                "plain arrays"
            )


def same_grid(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two coordinates agree; a plain count 0, 1, 2, ... is no grid, and agrees with any of its length."""
    if one.shape != other.shape:
        return False
    if one.dtype.kind not in "iuf" or other.dtype.kind not in "iuf":
        return np.array_equal(one, other)
    if np.array_equal(one, other, equal_nan=True):
        return True
    if np.array_equal(np.sort(one, axis=None), np.sort(other, axis=None), equal_nan=True):
        return False  # the same labels in another order
    count = np.arange(one.size)
    if np.array_equal(one.ravel(), count) or np.array_equal(other.ravel(), count):
        return True
    if one.dtype.kind in "iu" and other.dtype.kind in "iu":
        return False
    finite = other[np.isfinite(other)]
    extent = np.ptp(finite) if finite.size > 1 else 0.0
    return np.allclose(
        one, other, rtol=0.0, atol=SAME_GRID * (extent or np.abs(finite).max(initial=0.0)), equal_nan=True
    )
