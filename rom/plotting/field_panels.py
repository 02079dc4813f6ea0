"""Panels of a forecast that are images: fields over time and space, and fields over two dimensions at some times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rom.plotting.figures import new_figure, stacked_axes
from rom.plotting.labels import axis_label, time_values
from rom.plotting.style import DIVERGING, IMAGE, SEQUENTIAL

__all__ = ["draw_snapshots", "draw_space_time", "plane_dims"]

N_SNAPSHOTS = 4
MISSING = "0.8"  # colour of values that are NaN
OVERSHOOT = 0.05  # of the range of the truth: forecasts may leave the colour scale by this much before the bar says so
TRUE_ASPECTS = (0.2, 5.0)  # height over width of a plane that is drawn without distortion
ASPECT_LIMITS = (0.4, 1.6)  # height over width of a panel
DISTORTED_ASPECT = 0.8  # height over width of a panel whose axes are not comparable


@dataclass(frozen=True)
class ColourScale:
    """Colour scales of states and of their differences.

    Attributes
    ----------
    low, high : float
        Range of the states.
    difference : float
        The differences range from minus this to plus this.
    extend : str
        "both" if the forecast leaves the range, otherwise "neither", as matplotlib's colour bars expect it.
    """

    low: float
    high: float
    difference: float
    extend: str

    def of_states(self) -> dict[str, Any]:
        """Return arguments of `pcolormesh` for states."""
        return {"vmin": self.low, "vmax": self.high, "cmap": SEQUENTIAL, **IMAGE}

    def of_differences(self) -> dict[str, Any]:
        """Return arguments of `pcolormesh` for differences."""
        return {"vmin": -self.difference, "vmax": self.difference, "cmap": DIVERGING, **IMAGE}


def draw_space_time(truth: xr.DataArray | None, forecast: xr.DataArray) -> tuple[Figure, list[Axes]]:
    """Draw images over time and space of the truth, the forecast and their difference.

    Parameters
    ----------
    truth : DataArray or None, (time, space)
    forecast : DataArray, (time, space)

    Returns
    -------
    figure : Figure
    axes : list of Axes
        With a truth, the last one is empty and has room for the errors.
    """
    space = str(forecast.dims[1])
    figure, axes = stacked_axes([1.0] if truth is None else [1.0, 1.0, 1.0, 0.9], inches=1.9)
    t, x = time_values(forecast), forecast[space].values
    shown = {"forecast": forecast} if truth is None else {"truth": truth, "forecast": forecast}
    scale = colour_scale(truth, forecast)
    images = []
    for ax, (name, states) in zip(axes, shown.items(), strict=False):
        images.append(ax.pcolormesh(t, x, states.values.T, **scale.of_states()))
        ax.set_title(name, loc="left", fontsize="medium")
    bar: dict[str, Any] = {"pad": 0.01, "extend": scale.extend}
    figure.colorbar(images[-1], ax=axes[: len(shown)], label=state_label(forecast), **bar)
    if truth is not None:
        difference = axes[2].pcolormesh(t, x, (forecast.values - truth.values).T, **scale.of_differences())
        axes[2].set_title("forecast minus truth", loc="left", fontsize="medium")
        figure.colorbar(difference, ax=axes[2], label=axis_label("difference", forecast), **bar)
    for ax in axes[:3]:
        ax.set_ylabel(axis_label(space, forecast[space]))
        ax.set_facecolor(MISSING)
    axes[-1].set_xlabel(axis_label("time", forecast["time"]))
    return figure, axes


def draw_snapshots(truth: xr.DataArray | None, forecast: xr.DataArray, valid: np.ndarray) -> tuple[Figure, list[Axes]]:
    """Draw rows of images at a few times: the truth, the forecast and their difference.

    Parameters
    ----------
    truth : DataArray or None, (time, *two dimensions)
    forecast : DataArray, (time, *two dimensions)
    valid : ndarray of bool, (time,)

    Returns
    -------
    figure : Figure
    axes : list of Axes
        With a truth, one empty panel over time below the images, for the errors; otherwise empty.
    """
    across, up = plane_dims(forecast)
    chosen = np.unique(np.linspace(0, forecast.sizes["time"] - 1, N_SNAPSHOTS).round().astype(int))
    scale = colour_scale(truth, forecast)
    rows: dict[str, np.ndarray] = {}
    for name, states in (("truth", truth), ("forecast", forecast)):
        if states is not None:
            rows[name] = states.isel(time=chosen).transpose("time", up, across).values
    if truth is not None:
        rows["difference"] = rows["forecast"] - rows["truth"]

    aspect, to_scale = panel_aspect(forecast, across, up)
    heights = [aspect] * len(rows) + [0.7] * (truth is not None)
    figure = new_figure(2.1 * len(chosen) + 1.2, 2.1 * sum(heights) + 0.9)
    grid = figure.add_gridspec(len(heights), len(chosen), height_ratios=heights)
    for i, (name, images) in enumerate(rows.items()):
        row = [figure.add_subplot(grid[i, k]) for k in range(len(chosen))]
        style = scale.of_differences() if name == "difference" else scale.of_states()
        meshes = []
        for k, (ax, image) in enumerate(zip(row, images, strict=True)):
            meshes.append(ax.pcolormesh(forecast[across].values, forecast[up].values, image, **style))
            ax.set_facecolor(MISSING)
            if to_scale:
                ax.set_aspect("equal")
            ax.tick_params(labelleft=k == 0, labelbottom=i == len(rows) - 1)
            if i == len(rows) - 1:
                ax.set_xlabel(axis_label(across, forecast[across]))
            if i == 0:
                ax.set_title(f"t = {float(forecast['time'][chosen[k]]):.4g}", fontsize="medium")
            if name == "forecast" and not valid[chosen[k]]:
                ax.set_title("not valid", fontsize="small", loc="right")
        row[0].set_ylabel(f"{name}\n{axis_label(up, forecast[up])}")
        label = axis_label("difference", forecast) if name == "difference" else state_label(forecast)
        extend = "neither" if name == "truth" else scale.extend
        figure.colorbar(meshes[-1], ax=row, label=label, pad=0.01, extend=extend)
    if truth is None:
        return figure, []
    errors = figure.add_subplot(grid[-1, :])
    errors.set_xlabel(axis_label("time", forecast["time"]))
    return figure, [errors]


def plane_dims(states: xr.DataArray) -> tuple[str, str]:
    """Return the horizontal and the vertical dimension of states (leading, *two dimensions).

    Dimensions x and y are horizontal and vertical. Others are rows and columns: the last one is horizontal.
    """
    first, last = map(str, states.dims[1:])
    return (first, last) if (first, last) == ("x", "y") else (last, first)


def panel_aspect(states: xr.DataArray, across: str, up: str) -> tuple[float, bool]:
    """Return height over width of a panel, and whether both axes have one scale.

    They have one scale if their units are the same and the plane is not too narrow.
    """
    x, y = states[across].values, states[up].values
    ratio = float(np.ptp(y) / np.ptp(x))
    same_units = states[across].attrs.get("units") == states[up].attrs.get("units")
    if same_units and TRUE_ASPECTS[0] <= ratio <= TRUE_ASPECTS[1]:
        return float(np.clip(ratio, *ASPECT_LIMITS)), True
    return DISTORTED_ASPECT, False


def colour_scale(truth: xr.DataArray | None, forecast: xr.DataArray) -> ColourScale:
    """Return the colour scale of the truth, or of the forecast if there is no truth.

    A forecast that diverges does not change the scale, because all other values would look the same.
    """
    shown = (forecast if truth is None else truth).values
    finite = shown[np.isfinite(shown)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    beyond = OVERSHOOT * (high - low)
    clipped = bool((forecast.values < low - beyond).any() or (forecast.values > high + beyond).any())
    difference = 1.0
    if truth is not None:
        difference = float(np.nanmax(np.abs(forecast.values - truth.values), initial=0.0)) or 1.0
        difference = min(difference, high - low) if high > low else difference
    return ColourScale(low, high, difference, "both" if clipped else "neither")


def state_label(states: xr.DataArray) -> str:
    """Return the name of the states with their units."""
    return axis_label(str(states.name or "state"), states)
