"""Arguments of a model's methods, of any kind a user has, to tensors on the model's device: checked, or a typed error.

`like` is a tensor with the device and the dtype of the model, `layout` says how its states look.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

import systems
from rom.arrays import numeric, require_finite, require_numeric_times
from rom.errors import RomTypeError, RomValueError, nearest
from rom.fields import Field
from rom.layout import Layout, plain_labels, require_same_grids, require_same_units

__all__ = [
    "as_tensor",
    "checked_device",
    "forecast_times",
    "initial_states",
    "input_signals",
    "input_values",
    "latent_states",
    "one_of",
    "ordered",
    "parameter_values",
    "require_same_labels",
    "states_of",
    "trajectories_of",
    "wanted_cells",
]


def as_tensor(name: str, values: Any, like: Tensor) -> Tensor:
    """`values` on the device and in the dtype of `like`; torch tensors keep their gradients."""
    target = {"device": like.device, "dtype": like.dtype}
    if isinstance(values, Tensor):
        if not values.dtype.is_floating_point:
            raise RomTypeError(f"{name} must be a floating-point tensor, got {values.dtype}")
        return values.to(**target)
    # A copy in a type that torch knows: its own conversion fails on foreign byte orders, and warns of read-only arrays.
    return torch.from_numpy(np.array(numeric(name, values), dtype=np.float64, order="C")).to(**target)


def ordered(name: str, array: xr.DataArray, dims: tuple[str, ...]) -> xr.DataArray:
    """`array` with `dims` last, in their order."""
    missing = [dim for dim in dims if dim not in array.dims]
    if missing:
        raise RomValueError(f"{name} has dimensions {array.dims}, but this model needs {missing[0]!r}")
    return array.transpose(..., *dims)


def states_of(name: str, x: Any, layout: Layout, like: Tensor, units: bool = True) -> Tensor:
    """Flat states (..., n) of `x`: (..., *shape), or the fields (..., *their shapes) in a Dataset or a mapping.

    Labels are compared with those of the model, `units` of the values too.
    """
    if layout.fields and isinstance(x, xr.Dataset | Mapping):
        return states_of_fields(name, x, layout, like, units)
    if isinstance(x, xr.DataArray):
        x = ordered(name, x, layout.dims)
        if x.shape[-len(layout.shape) :] == layout.shape:  # otherwise that is what is wrong
            require_same_labels(name, x, layout.parts[0].name, layout, units and not layout.fields)
    return shaped(name, as_tensor(name, x, like), layout.shape)


def states_of_fields(name: str, x: Mapping[Any, Any], layout: Layout, like: Tensor, units: bool) -> Tensor:
    """The same of the fields of a state, whose leading dimensions are those of the first."""
    missing = [one.name for one in layout.fields if one.name not in x]
    if missing:
        raise RomValueError(f"{name} has no field {missing[0]!r}; {nearest(missing[0], map(str, x))}")
    flat: list[Tensor] = []
    first = leading_of(x[layout.fields[0].name], layout.fields[0])
    for one in layout.fields:
        values, place = x[one.name], f"{name}[{one.name!r}]"
        if isinstance(values, xr.DataArray):
            lead = leading_of(values, one)
            values = ordered(place, values, (*(first if set(first) == set(lead) else lead), *one.dims))
            if values.shape[len(values.dims) - len(one.shape) :] == one.shape:
                require_same_labels(place, values, one.name, layout, units)
        flat.append(shaped(place, as_tensor(place, values, like), one.shape))
        if flat[-1].shape[:-1] != flat[0].shape[:-1]:
            raise RomValueError(
                f"{place} is a set of {tuple(flat[-1].shape[:-1])} states, but {name}[{layout.fields[0].name!r}] one of "
                f"{tuple(flat[0].shape[:-1])}; all fields need the same leading dimensions"
            )
    return torch.cat(flat, dim=-1)


def leading_of(values: Any, one: Field) -> tuple[str, ...]:
    """The dimensions of a labelled field that are not its own."""
    return tuple(str(d) for d in values.dims if d not in one.dims) if isinstance(values, xr.DataArray) else ()


def one_of(x: Any, layout: Layout) -> tuple[Any, tuple[str, ...]]:
    """What tells kind and leading dimensions of states: `x`, or the first of its fields; and the dimensions of a state there."""
    if layout.fields and isinstance(x, xr.Dataset | Mapping):
        return x[layout.fields[0].name], layout.fields[0].dims
    return x, layout.dims


def require_same_labels(name: str, x: xr.DataArray, part: str, layout: Layout, units: bool) -> None:
    attrs = {str(key): c.attrs for key, c in x.coords.items()} | ({part: x.attrs} if units else {})
    require_same_units(name, attrs, layout, "this model")
    known = {str(key): c for key, c in x.coords.items() if c.dims and str(key) in layout.coords}
    coords = {key: plain_labels(c.values)["data"] for key, c in known.items()}
    require_same_grids(name, coords, layout, "this model")


def shaped(name: str, values: Tensor, shape: tuple[int, ...]) -> Tensor:
    """`values` (..., *shape) with the last axes as one."""
    k = len(shape)
    if values.ndim < k or tuple(values.shape[values.ndim - k :]) != shape:
        raise RomValueError(f"{name} has shape {tuple(values.shape)}; a state of this model has shape {shape}")
    return values.reshape(*values.shape[: values.ndim - k], int(np.prod(shape, dtype=int)))


def latent_states(z: Any, latent_dim: int, like: Tensor) -> Tensor:
    """Latent states (..., d)."""
    values = as_tensor("z", ordered("z", z, ("latent",)) if isinstance(z, xr.DataArray) else z, like)
    if values.ndim < 1 or values.shape[-1] != latent_dim:
        raise RomValueError(f"z has shape {tuple(values.shape)}; its last axis must have length {latent_dim}")
    return values


def initial_states(x0: Any, layout: Layout, like: Tensor) -> tuple[Tensor, Any]:
    """Flat states (trajectory, n), and the coordinate of `trajectory`: None for a single state."""
    states = states_of("x0", x0, layout, like)
    given, dims = one_of(x0, layout)
    lead = tuple(str(d) for d in given.dims if d not in dims) if isinstance(given, xr.DataArray) else ()
    return trajectories_of(
        states,
        given,
        lead,
        f"x0 has shape {tuple(np.shape(given))}; pass one state {layout.shape} or many (trajectory, *{layout.shape})",
    )


def trajectories_of(states: Tensor, given: Any, lead: tuple[str, ...], too_many: str) -> tuple[Tensor, Any]:
    """States (n,) or (trajectory, n), what they were `given` as with its leading dimensions, as in `initial_states`.

    Raises `RomValueError` with the message `too_many` where there are more leading dimensions, and for NaN and no state.
    """
    if states.ndim > 2:
        raise RomValueError(too_many)
    labels = ("trajectory",) if states.ndim == 2 else ()
    require_finite("x0", states.detach().cpu().numpy(), labels)
    if states.ndim == 1:
        return states[None].detach(), None
    if len(states) == 0:
        raise RomValueError("x0 is empty; pass at least one state")
    if lead and lead[0] in given.coords:
        return states.detach(), ("trajectory", given[lead[0]].values)
    return states.detach(), np.arange(len(states))


def parameter_values(mu: Any, names: tuple[str, ...], leading: tuple[int, ...], like: Tensor) -> Tensor | None:
    """mu (p,) or (*leading, p) as they are; None for a model without parameters."""
    if not names:
        if mu is not None:
            raise RomValueError("mu was given, but this model was fitted at fixed parameters; leave it out")
        return None
    if mu is None:
        raise RomValueError(f"mu is missing: this model depends on the parameters {', '.join(names)}")
    return rows_of("mu", "has", stacked_by_name("mu", "parameter", mu, names, like), names, leading, like)


def stacked_by_name(argument: str, what: str, given: Any, names: tuple[str, ...], like: Tensor) -> Any:
    """The values of a mapping from all `names`, side by side, (..., m); anything else as it is."""
    if not isinstance(given, Mapping):
        return given
    for name in given:
        if name not in names:
            raise RomValueError(f"{argument}: unknown {what} {name!r}; {nearest(name, names)}")
    absent = [name for name in names if name not in given]
    if absent:
        raise RomValueError(f"{argument}: {what} {absent[0]!r} is missing; needed are {', '.join(names)}")
    columns = [as_tensor(f"{argument}[{name!r}]", given[name], like) for name in names]
    return torch.stack(torch.broadcast_tensors(*columns), dim=-1)


def rows_of(name: str, verb: str, given: Any, names: tuple[str, ...], leading: tuple[int, ...], like: Tensor) -> Tensor:
    """Finite numbers of all `names`: (m,) or (*leading, m), as they are."""
    values = as_tensor(name, given, like)
    if tuple(values.shape) not in ((len(names),), (*leading, len(names))):
        raise RomValueError(
            f"{name} {verb} shape {tuple(values.shape)}; expected ({len(names)},) or {(*leading, len(names))} for {', '.join(names)}"
        )
    require_finite(name, values.detach().cpu().numpy(), ("row",) * (values.ndim - 1))
    return values


def require_inputs(inputs: Any, names: tuple[str, ...], remedy: str = "") -> None:
    """A `RomValueError` where `inputs` are given to a model without any, or missing for one with these `names`."""
    if inputs is not None and not names:
        raise RomValueError("inputs were given, but this model was fitted without; leave them out")
    if inputs is None and names:
        raise RomValueError(f"inputs are missing: this model is driven by {', '.join(names)}{remedy}")


def input_signals(inputs: Any, layout: Layout, times: np.ndarray, n: int, longest: float) -> systems.Signals | None:
    """What drives n forecasts over `times`; None for a model without inputs, and for a single time.

    Functions of time are taken at the times, and in between at least twice in `longest`, a step of the forecast.
    """
    require_inputs(inputs, layout.inputs, "; pass a mapping from names to values at t, or what systems.signals makes")
    if not layout.inputs or len(times) == 1:
        return None
    if isinstance(inputs, Mapping) and not isinstance(inputs, xr.Dataset):
        between = "previous" if layout.held_inputs else "linear"
        given = systems.signals(times, {name: 0.0 if callable(u) else u for name, u in inputs.items()}, between)
        functions = {name: u for name, u in inputs.items() if callable(u)}
        if functions:
            finer = np.linspace(times[0], times[-1], 2 + int(2 * (times[-1] - times[0]) / longest))
            grid = np.union1d(times, finer)
            others = systems.as_signals(given, len(given), times)
            values = dict(zip(others.names, np.moveaxis(others.at(grid), -1, 0), strict=True))
            given = systems.signals(grid, values | functions, between)
        inputs = given
    return systems.as_signals(inputs, n, times, layout.inputs)


def input_values(inputs: Any, names: tuple[str, ...], leading: tuple[int, ...], like: Tensor) -> Tensor:
    """Inputs (*leading, m) at single states, of (m,), (*leading, m), or a mapping from names; gradients are kept."""
    require_inputs(inputs, names)
    if not names:
        return like.new_zeros(*leading, 0)
    given = stacked_by_name("inputs", "input", inputs, names, like)
    return rows_of("inputs", "have", given, names, leading, like).expand(*leading, len(names))


def wanted_cells(points: Any, cells: xr.Dataset) -> xr.Dataset:
    """The part of all `cells` of a state, by its variables, that `points` asks for."""
    dims = list(map(str, cells.sizes))
    if not isinstance(points, Mapping):
        raise RomTypeError(
            f"points must map dimensions to positions, as {{{(dims or ['x'])[0]!r}: [0]}}, got {points!r}"
        )
    for dim in points:
        if dim not in dims:
            raise RomValueError(f"points: unknown dimension {dim!r}; {nearest(dim, dims)}")
    return cells.isel({dim: positions(dim, chosen, cells.sizes[dim]) for dim, chosen in points.items()})


def positions(dim: str, chosen: Any, size: int) -> np.ndarray:
    """Positions along a dimension of length `size`: a slice, or whole numbers () or (k,). At least one, all within."""
    message = f"points[{dim!r}] must be a whole number, a list of them or a slice, as for isel, got {chosen!r}"
    try:
        indices = np.arange(size)[chosen] if isinstance(chosen, slice) else np.asarray(chosen)
    except (TypeError, ValueError) as error:
        raise RomTypeError(message) from error
    if indices.size == 0:
        raise RomValueError(f"points[{dim!r}] chooses nothing; leave {dim!r} out to decode all of its {size} positions")
    if indices.dtype.kind not in "iu" or indices.ndim > 1:
        raise RomTypeError(message)
    outside = indices[(indices < -size) | (indices >= size)]
    if outside.size:
        raise RomValueError(f"points[{dim!r}] asks for position {outside[0]}; {dim!r} has positions 0 to {size - 1}")
    return indices


def forecast_times(t: Any, x0: Any, layout: Layout) -> np.ndarray:
    """Times (T,) in float64.

    Raises `RomValueError` unless finite, strictly increasing, not before x0's own time and in the model's unit of time, and
    `RomTypeError` for dates.
    """
    require_numeric_times("t", getattr(t, "dtype", None), "t = (t - t[0]) / np.timedelta64(1, 's')")
    if isinstance(t, xr.DataArray):
        require_same_units("t", {"time": t.attrs}, layout, "this model")
    times = numeric("t", t).astype(np.float64)
    if times.ndim == 0:
        raise RomValueError(
            f"t must have shape (time,) and start at the time of x0: for one later state, pass [t0, {times:g}]"
        )
    if times.ndim != 1 or len(times) == 0:
        raise RomValueError(f"t must have shape (time,) with at least one time, got {times.shape}")
    require_finite("t", times, ("index",))
    steps = np.diff(times)
    if (steps <= 0).any():
        k = int(np.argmax(steps <= 0))
        raise RomValueError(f"t must increase strictly, but t[{k}] = {times[k]:g} and t[{k + 1}] = {times[k + 1]:g}")
    x0, _ = one_of(x0, layout)
    if isinstance(x0, xr.DataArray) and "time" in x0.coords and x0.coords["time"].ndim == 0:
        require_numeric_times("the time of x0", x0.coords["time"].dtype, "x0 = x0.drop_vars('time')")
        require_same_units("x0", {"time": x0.coords["time"].attrs}, layout, "this model")
        start = float(x0.coords["time"])
        if times[0] < start:
            raise RomValueError(f"t[0] = {times[0]:g} lies before the time of x0, {start:g}; start t there")
    return times


def checked_device(device: Any) -> torch.device:
    """A device that exists: "auto" is CUDA where there is one, and the CPU otherwise."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise RomValueError(f"device: unknown {device!r}; use 'auto', 'cpu', 'cuda' or 'cuda:0'") from error
    try:
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise RomValueError(
            f"device: {device!r} was asked for, but torch has no such device here; use 'auto' or 'cpu'"
        ) from error
    if chosen.type == "meta":
        raise RomValueError("device: 'meta' holds no numbers; use 'auto' or 'cpu'")
    return chosen
