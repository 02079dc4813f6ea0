"""Pictures of forecasts and of trainings, and the door to those of latent spaces. They need no display, and no pyplot."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rom.plotting.field_panels import draw_field, draw_snapshots, is_plane
from rom.plotting.style import BLUE, GREY, MOST_LINES, ORANGE, finished, is_field, label, name_of, panels, times_of
from rom.utils.errors import RomTypeError, RomValueError

__all__ = ["plot_forecast"]

SHOWN_OF_MANY = 6  # of more components than all are shown of


def plot_forecast(
    truth: xr.Dataset | xr.DataArray | None,
    forecast: xr.Dataset,
    path: str | os.PathLike | None = None,
    *,
    trajectory: int = 0,
    training_horizon: float | None = None,
) -> Figure:
    """Truth, forecast, their difference, and the error against time.

    truth: states (time, *dims) or (trajectory, time, *dims), or a Dataset with such a `state`, at the times
        of the forecast, or with the fields of the forecast; None shows the forecast alone.
    forecast: what `model.forecast` returned. Several fields are drawn as lines; forecast[["pressure", "valid"]] shows one.
    path: where to write the picture, in the format of its suffix (.png, .pdf, .svg).
    trajectory: position of the one to show; the errors of the others are thin lines in the last panel.
    training_horizon: the time up to which there were training data; marked in every panel.

    A field over one dimension (a coordinate of real numbers that increases) is an image over time and space, one over two
    (each with such a coordinate) a row of images at four times, with one colour scale for truth and forecast and a scale
    symmetric about zero for their difference; of a field of vectors, draw one component: forecast.isel(component=0). Other
    states are lines: all components up to eight, else six of them, evenly spread. The error is
    |forecast - truth| over |truth|, with the Euclidean norm over components, at each time, as
    `relative_error` of `rom.evaluate`. From where `valid` turns false, the panels are shaded; of images over a plane, which have
    no axis of time, the title says so, and the horizon is marked in the panel of errors alone.

    Returns the Figure. Raises `RomValueError` where truth and forecast do not fit together, `RomError` where
    the picture cannot be written.
    """
    states, valid = forecast_of(forecast)
    exact = None if truth is None else truth_of(truth, states, variables_of(forecast))
    if not 0 <= trajectory < states.sizes["trajectory"]:
        raise RomValueError(
            f"trajectory is {trajectory}, the forecast has {states.sizes['trajectory']}, counted from 0"
        )
    shown = states.isel(trajectory=trajectory)
    exact_shown = None if exact is None else exact.isel(trajectory=trajectory)

    flags = valid.isel(trajectory=trajectory).values
    if is_plane(shown):
        figure, axes = draw_snapshots(exact_shown, shown, flags)
        if exact is None:  # no panel over time
            return finished(figure, path)
        of_forecast = axes
    else:
        draw = draw_field if is_field(shown) else draw_lines
        figure, axes = draw(exact_shown, shown)
        of_forecast = axes[1:] if exact is not None and draw is draw_field else axes
    if exact is not None:
        draw_errors(axes[-1], exact, states, trajectory)
    marks = mark_times(axes, of_forecast, times_of(states), flags, training_horizon)
    figure.align_ylabels(axes)
    handles = [*axes[-1].get_legend_handles_labels()[0], *marks] if exact is not None else marks
    if handles:  # above the last panel, where it hides nothing
        style: dict[str, Any] = {"loc": "lower right", "bbox_to_anchor": (1.0, 1.0), "borderaxespad": 0.1}
        axes[-1].legend(handles=handles, ncols=len(handles), fontsize="small", frameon=False, **style)
    return finished(figure, path)


# -----------------------------------------------------------------------------------------------------------
# Data
# -----------------------------------------------------------------------------------------------------------


def forecast_of(forecast: Any) -> tuple[xr.DataArray, xr.DataArray]:
    """`state` (trajectory, time, *dims) and `valid` (trajectory, time) of a forecast of one or many."""
    if not isinstance(forecast, xr.Dataset) or "valid" not in forecast.data_vars or len(forecast.data_vars) < 2:
        raise RomTypeError("forecast must be what model.forecast returned, with `state`, or fields, and `valid`")
    if "trajectory" not in forecast["valid"].dims:
        forecast = forecast.drop_vars("trajectory", errors="ignore").expand_dims("trajectory")
    if forecast.sizes["time"] < 2:
        raise RomValueError("a forecast of one time cannot be drawn against time; ask for at least 2 times")
    leading = ("trajectory", "time")
    return joined(forecast, variables_of(forecast)), forecast["valid"].transpose(*leading)


def variables_of(forecast: xr.Dataset) -> list[str]:
    """The variables of a state in a forecast: `state`, or its fields."""
    return ["state"] if "state" in forecast else [str(name) for name in forecast.data_vars if name != "valid"]


def joined(dataset: xr.Dataset, names: list[str]) -> xr.DataArray:
    """One variable (trajectory, time, *dims) as it is; several side by side, (trajectory, time, component)."""
    leading = ("trajectory", "time")
    variables = [dataset[name].transpose(*leading, ...) for name in names]
    if len(variables) == 1 and variables[0].ndim > 2:
        return variables[0]
    labels = [f"{v.name} {name_of(v[0], k)}".strip() for v in variables for k in range(int(np.prod(v.shape[2:])))]
    flat = np.concatenate([v.values.reshape(*v.shape[:2], -1) for v in variables], axis=2)
    coords = {"component": labels} | ({"time": dataset["time"]} if "time" in dataset.coords else {})
    return xr.DataArray(flat, coords, (*leading, "component"), "state")


def truth_of(truth: Any, states: xr.DataArray, names: list[str]) -> xr.DataArray:
    """The truth of the variables `names` with the dimensions and at the times of the forecast's `states`."""
    if isinstance(truth, xr.Dataset) and "state" in truth:
        truth = truth["state"]
    if isinstance(truth, xr.Dataset) and set(names) <= set(truth.data_vars):
        if "trajectory" not in truth.dims:
            truth = truth.drop_vars("trajectory", errors="ignore").expand_dims("trajectory")
        truth = joined(truth, names)
    if not isinstance(truth, xr.DataArray):
        raise RomTypeError(
            f"truth must be a DataArray or a Dataset with {', '.join(map(repr, names))}, got {type(truth).__name__}"
        )
    if "trajectory" not in truth.dims:
        truth = truth.drop_vars("trajectory", errors="ignore").expand_dims("trajectory")
    if set(truth.dims) != set(states.dims):
        raise RomValueError(f"truth has dimensions {truth.dims}, the forecast {states.dims}")
    truth = truth.transpose(*states.dims)
    for dim in states.dims:
        if truth.sizes[dim] != states.sizes[dim]:
            raise RomValueError(f"truth has {truth.sizes[dim]} along {dim!r}, forecast {states.sizes[dim]}")
    if "time" in truth.coords and not np.allclose(truth["time"], states["time"], rtol=1e-9, atol=0.0):
        raise RomValueError("truth and forecast are at different times; forecast at truth['time'].values")
    return truth


def norms(values: np.ndarray) -> np.ndarray:
    """Euclidean norms (trajectory, time) of states (trajectory, time, *shape)."""
    return np.linalg.norm(values.reshape(*values.shape[:2], -1).astype(float), axis=-1)


# -----------------------------------------------------------------------------------------------------------
# Panels of a forecast: rows that share the axis of time
# -----------------------------------------------------------------------------------------------------------


def draw_lines(truth: xr.DataArray | None, forecast: xr.DataArray) -> tuple[Figure, list[Axes]]:
    """One row for each component shown; where there is a truth, an empty last row for the errors."""
    columns = forecast.values.reshape(len(forecast), -1)
    exact = None if truth is None else truth.values.reshape(len(truth), -1)
    n = columns.shape[1]
    chosen = range(n) if n <= MOST_LINES else np.linspace(0, n - 1, SHOWN_OF_MANY).round().astype(int)
    height = 1.2 if len(chosen) > 3 else 1.6
    figure, axes = panels([1.0] * len(chosen) + [1.3] * (exact is not None), height)
    t = times_of(forecast)
    for ax, k in zip(axes, chosen, strict=False):
        if exact is not None:
            ax.plot(t, exact[:, k], color="black", lw=1.8, label="truth")
            spread = float(np.ptp(exact[:, k])) or 1.0
            low, high = float(exact[:, k].min()) - spread, float(exact[:, k].max()) + spread
            inside = columns[:, k][np.isfinite(columns[:, k])]
            if inside.size and (inside.min() < low or inside.max() > high):
                ax.set_ylim(low, high)  # a forecast that runs away must not flatten the truth
        style = "-" if exact is None else "--"
        ax.plot(t, columns[:, k], color=ORANGE, lw=1.5, ls=style, label="forecast")
        ax.set_ylabel(name_of(forecast, int(k)), fontsize="small")
        ax.grid(alpha=0.3)
    if exact is not None:
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=2, fontsize="small", frameon=False)
    axes[-1].set_xlabel(label("time", forecast["time"]))
    return figure, axes


def draw_errors(ax: Axes, truth: xr.DataArray, forecast: xr.DataArray, trajectory: int) -> None:
    """Relative errors against time, on a logarithmic scale: of one trajectory, and thin of the others."""
    t = times_of(forecast)
    tiny = np.finfo(float).tiny
    errors = norms(forecast.values - truth.values) / np.maximum(norms(truth.values), tiny)
    others = np.delete(errors, trajectory, axis=0)
    for k, error in enumerate(others):
        ax.plot(t, error, color=GREY, lw=0.6, label="other trajectories" if k == 0 else None)
    ax.plot(t, errors[trajectory], color=BLUE, lw=1.8, label="this trajectory" if len(others) else None)
    log_scale(ax, errors)
    ax.set_ylabel("relative error")
    ax.grid(alpha=0.3)
    ax.set_xlim(t[0], t[-1])


def mark_times(
    axes: list[Axes],
    of_forecast: list[Axes],
    t: np.ndarray,
    valid: np.ndarray,
    training_horizon: float | None,
) -> list[Any]:
    """Mark the training horizon in `axes`, and in `of_forecast` where `valid` is false.

    Returns handles for a legend.
    """
    handles: list[Any] = []
    if training_horizon is not None:
        for ax in axes:
            ax.axvline(training_horizon, color="white", lw=2.6)
            ax.axvline(training_horizon, color="black", lw=1.4, ls=":")
        handles.append(Line2D([], [], color="black", lw=1.4, ls=":", label="training horizon"))
    if not valid.all():
        start = float(t[int(np.argmin(valid))])
        for ax in of_forecast:
            if ax.collections:  # over an image: lines that let it show through
                ax.axvspan(start, t[-1], facecolor="none", edgecolor="0.3", hatch="/", lw=0.0)
            else:
                ax.axvspan(start, t[-1], color="0.9", lw=0.0, zorder=0)
            ax.axvline(start, color=ORANGE, lw=1.6)
        handles.append(Line2D([], [], color=ORANGE, lw=1.6, label=f"not valid from {start:.4g} on"))
    return handles


def log_scale(ax: Axes, values: np.ndarray) -> None:
    """A logarithmic scale over six decades at most, around positive `values`; few that run away do not set it."""
    positive = values[np.isfinite(values) & (values > 0)]
    if not positive.size:
        return
    high = np.ceil(min(np.log10(positive.max()), np.log10(np.median(positive)) + 3.0) + 1e-9)
    low = min(max(np.floor(np.log10(positive.min())), high - 6.0), high - 1.0)
    ax.set_yscale("log")
    ax.set_ylim(10.0**low, 10.0**high)
