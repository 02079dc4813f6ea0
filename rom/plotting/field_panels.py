"""Panels of a forecast that are images: of a field over time and space, or over a plane at some times."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rom.plotting.style import SEQUENTIAL, Picture, has_places, label, panels, times_of

__all__ = ["draw_field", "draw_snapshots", "is_plane"]

SNAPSHOTS = 4
FEWEST_CELLS = 4  # along each side of a plane: fewer are components

# "nearest" puts every value at the centre of its cell.
CELLS: dict[str, Any] = {"shading": "nearest", "rasterized": True}

MISSING = "0.8"  # where the forecast is NaN


def is_plane(state: xr.DataArray) -> bool:
    """Whether `state` (time, *dims) is a field over two dimensions, whose coordinates are places."""
    dims = [str(dim) for dim in state.dims[1:]]
    return len(dims) == 2 and all(state.sizes[dim] >= FEWEST_CELLS and has_places(state, dim) for dim in dims)


def draw_field(truth: xr.DataArray | None, forecast: xr.DataArray) -> tuple[Figure, list[Axes]]:
    """Images over time and space; where there is a truth, an empty last row for the errors."""
    space = str(forecast.dims[1])
    rows = 1 if truth is None else 4
    figure, axes = panels([1.0] * min(rows, 3) + [0.9] * (rows - min(rows, 3)), height=1.9)
    t, x = times_of(forecast), forecast[space].values
    both = [forecast.values] if truth is None else [truth.values, forecast.values]
    low, high, limit, extend = limits(truth, forecast)
    names = ["forecast"] if truth is None else ["truth", "forecast"]
    for ax, name, values in zip(axes, names, both, strict=False):
        image = ax.pcolormesh(t, x, values.T, vmin=low, vmax=high, cmap=SEQUENTIAL, **CELLS)
        ax.set_title(name, loc="left", fontsize="medium")
    bar: dict[str, Any] = {"pad": 0.01, "extend": extend}
    figure.colorbar(image, ax=axes[: len(names)], label=label(str(forecast.name or "state"), forecast), **bar)
    if truth is not None:
        error = forecast.values - truth.values
        image = axes[2].pcolormesh(t, x, error.T, vmin=-limit, vmax=limit, cmap="RdBu_r", **CELLS)
        axes[2].set_title("forecast minus truth", loc="left", fontsize="medium")
        figure.colorbar(image, ax=axes[2], label=label("difference", forecast), **bar)
    for ax in axes[:3]:
        ax.set_ylabel(label(space, forecast[space]))
        ax.set_facecolor(MISSING)
    axes[-1].set_xlabel(label("time", forecast["time"]))
    return figure, axes


def draw_snapshots(truth: xr.DataArray | None, forecast: xr.DataArray, valid: np.ndarray) -> tuple[Figure, list[Axes]]:
    """Rows of images at some times: truth, forecast and their difference; where there is a truth, a panel for the errors below."""
    dims = tuple(map(str, forecast.dims[1:]))
    across, up = dims if dims == ("x", "y") else dims[::-1]
    chosen = np.unique(np.linspace(0, forecast.sizes["time"] - 1, SNAPSHOTS).round().astype(int))
    x, y = forecast[across].values, forecast[up].values
    ratio = float(np.ptp(y) / np.ptp(x))
    alike = forecast[across].attrs.get("units") == forecast[up].attrs.get("units") and 0.2 <= ratio <= 5.0
    ratio = float(np.clip(ratio, 0.4, 1.6)) if alike else 0.8
    low, high, limit, extend = limits(truth, forecast)
    rows: dict[str, tuple[np.ndarray, dict[str, Any]]] = {}
    values = {"truth": truth, "forecast": forecast}
    for name, states in values.items():
        if states is not None:
            style = {"vmin": low, "vmax": high, "cmap": SEQUENTIAL}
            rows[name] = states.isel(time=chosen).transpose("time", up, across).values, style
    if truth is not None:
        rows["difference"] = rows["forecast"][0] - rows["truth"][0], {"vmin": -limit, "vmax": limit, "cmap": "RdBu_r"}
    heights = [ratio] * len(rows) + [0.7] * (truth is not None)
    figure = Picture(figsize=(2.1 * len(chosen) + 1.2, 2.1 * sum(heights) + 0.9), layout="constrained")
    grid = figure.add_gridspec(len(heights), len(chosen), height_ratios=heights)
    for i, (name, (images, style)) in enumerate(rows.items()):
        line = [figure.add_subplot(grid[i, k]) for k in range(len(chosen))]
        for k, (ax, image) in enumerate(zip(line, images, strict=True)):
            mesh = ax.pcolormesh(x, y, image, **CELLS, **style)
            ax.set_facecolor(MISSING)
            if alike:
                ax.set_aspect("equal")
            ax.tick_params(labelleft=k == 0, labelbottom=i == len(rows) - 1)
            if i == 0:
                ax.set_title(f"t = {float(forecast['time'][chosen[k]]):.4g}", fontsize="medium")
            if name == "forecast" and not valid[chosen[k]]:
                ax.set_title("not valid", fontsize="small", loc="right")
        line[0].set_ylabel(f"{name}\n{label(up, forecast[up])}")
        words = (
            label("difference", forecast) if name == "difference" else label(str(forecast.name or "state"), forecast)
        )
        figure.colorbar(mesh, ax=line, label=words, pad=0.01, extend=extend if name != "truth" else "neither")
    for ax in line:
        ax.set_xlabel(label(across, forecast[across]))
    if truth is None:
        return figure, []
    errors = figure.add_subplot(grid[-1, :])
    errors.set_xlabel(label("time", forecast["time"]))
    return figure, [errors]


def limits(truth: xr.DataArray | None, forecast: xr.DataArray) -> tuple[float, float, float, str]:
    """The scale of states, that of differences, and how a colour bar tells that a forecast goes beyond.

    The truth sets the scale: a forecast that runs away must not wash the picture out.
    """
    shown = (forecast if truth is None else truth).values
    finite = shown[np.isfinite(shown)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    beyond = 0.05 * (high - low)
    clipped = bool((forecast.values < low - beyond).any() or (forecast.values > high + beyond).any())
    limit = 1.0
    if truth is not None:
        limit = float(np.nanmax(np.abs(forecast.values - truth.values), initial=0.0)) or 1.0
        limit = min(limit, high - low) if high > low else limit
    return low, high, limit, "both" if clipped else "neither"
