"""Whether the labels of two sets of data agree: fields, shapes, units, grids, parameters and inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rom.data.fields import Field
from rom.data.layout import Layout
from rom.utils.errors import RomValueError

__all__ = ["completed", "require_same_grids", "require_same_layout", "require_same_units", "same_grid"]

SAME_GRID = 1e-5  # of the extent of a grid, by which two may differ: rounding to float32


def require_same_layout(name: str, layout: Layout, expected: Layout) -> None:
    """Raise an error unless two layouts describe the same states and parameters, in the same units.

    Parameters
    ----------
    name : str
        Name of the data in error messages.
    layout : Layout
        Labels of the data.
    expected : Layout
        Labels of the other data.

    Raises
    ------
    RomValueError
        If they differ. The message says in what, and the remedy.
    """
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
            f"{name}: parameters {layout.parameters} differ from {expected.parameters} of the other data; give "
            '`systems.simulate` and `systems.collocate` parameters="sample" or parameters=..., which they store'
        )
    if layout.inputs != expected.inputs:
        raise RomValueError(f"{name}: inputs {layout.inputs} differ from {expected.inputs} of the other data")


def require_same_fields(name: str, fields: Sequence[Field], expected: Sequence[Field]) -> None:
    """Raise `RomValueError` unless fields have the same names, dimensions and shapes, in the same order."""
    names, expected_names = [one.name for one in fields], [one.name for one in expected]
    if names != expected_names:
        hint = f"; take them in one order: dataset[{expected_names}]" if sorted(names) == sorted(expected_names) else ""
        raise RomValueError(
            f"{name}: a state has the fields {names}, but {expected_names} are expected from the other data{hint}"
        )
    for one, other in zip(fields, expected, strict=True):
        if (one.dims, one.shape) != (other.dims, other.shape):
            hint = "; use transpose" if sorted(one.dims) == sorted(other.dims) and one.dims != other.dims else ""
            raise RomValueError(
                f"{name}: {one.name!r} has dimensions {one.dims} of lengths {one.shape}, but {other.dims} of lengths "
                f"{other.shape} in the other data{hint}"
            )


def require_same_units(name: str, attrs: Mapping[str, Mapping[str, Any]], expected: Layout, whose: str) -> None:
    """Raise an error if units differ from those of a layout. Data without stated units agree with any.

    Parameters
    ----------
    name : str
        Name of the data in error messages.
    attrs : mapping of str to mapping
        Attributes by variable: fields, coordinates, and `time`.
    expected : Layout
        Labels of the other data.
    whose : str
        Whose labels they are, for the message.

    Raises
    ------
    RomValueError
        If the units of a variable differ.
    """
    known = {coord: c["attrs"] for coord, c in expected.coords.items()}
    known |= {one.name: one.attrs for one in expected.parts} | {"time": expected.time_attrs}
    for variable in attrs.keys() & known.keys():
        units, expected_units = units_of(attrs[variable]), units_of(known[variable])
        if units and expected_units and units != expected_units:
            raise RomValueError(
                f"{name}: {variable!r} has units of {units!r}, but {expected_units!r} in {whose}; convert its values and say so with "
                f"dataset[{variable!r}].attrs['units'] = {expected_units!r}, which is enough where both mean the same"
            )


def units_of(attrs: Mapping[str, Any]) -> str:
    """Return the units in attributes, "" if there are none. Programs that do not know the units write "1"."""
    units = str(attrs.get("units", "")).strip()
    return "" if units == "1" else units


def joined_attrs(attrs: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    """Return attributes with those that only `others` have; stated units win over missing ones."""
    units = {"units": others["units"]} if units_of(others) and not units_of(attrs) else {}
    return {**others, **attrs, **units}


def completed(layout: Layout, other: Layout) -> Layout:
    """Return `layout` with the attributes (units, long_name) that only `other` has, which labels the same states."""
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
    """Raise `RomValueError` unless `coords` agree with those of a layout that have the same name.

    `whose` names their owner in the message.
    """
    for coord in coords.keys() & expected.coords.keys():
        if not same_grid(np.asarray(coords[coord]), np.asarray(expected.coords[coord]["data"])):
            raise RomValueError(
                f"{name}: the grid {coord!r} differs from that of {whose}; bring both to one grid, in one order, or pass "
                "plain arrays"
            )


def same_grid(one: np.ndarray, other: np.ndarray) -> bool:
    """Return whether two coordinates agree. A plain count 0, 1, 2, ... agrees with any grid of its length."""
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
    tolerance = SAME_GRID * (extent or np.abs(finite).max(initial=0.0))
    return np.allclose(one, other, rtol=0.0, atol=tolerance, equal_nan=True)
