"""Pictures of forecasts beside the truth."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rom.plotting.field_panels import draw_snapshots, draw_space_time
from rom.plotting.figures import save_figure, set_log_scale, stacked_axes
from rom.plotting.forecast_states import forecast_states, relative_errors, state_variables, truth_states
from rom.plotting.labels import (
    MOST_COMPONENTS,
    axis_label,
    component_label,
    is_field_1d,
    is_field_2d,
    time_values,
)
from rom.plotting.style import BLUE, GREY, ORANGE
from rom.utils.errors import RomValueError

__all__ = ["plot_forecast"]

SAMPLED_COMPONENTS = 6  # number of components drawn if there are too many to draw all


def plot_forecast(
    truth: xr.Dataset | xr.DataArray | None,
    forecast: xr.Dataset,
    path: str | os.PathLike | None = None,
    *,
    trajectory: int = 0,
    training_horizon: float | None = None,
) -> Figure:
    """Draw a forecast, the truth, their difference, and the error against time.

    Parameters
    ----------
    truth : DataArray, Dataset or None
        States ``(time, *dims)`` or ``(trajectory, time, *dims)`` at the times of the forecast, a Dataset with such a
        `state`, or one with the fields of the forecast. None draws the forecast alone.
    forecast : Dataset
        What `model.forecast` returned. Several fields are drawn as lines. Select one to see it as a field:
        ``forecast[["pressure", "valid"]]``.
    path : str or path-like, optional
        File to write the picture to. The suffix sets the format, such as .png, .pdf or .svg.
    trajectory : int, default 0
        Position of the trajectory to draw. The errors of the others are thin lines in the last panel.
    training_horizon : float, optional
        Time at which the training data end. It is marked in all panels over time.

    Returns
    -------
    Figure
        A matplotlib figure, which notebooks display and ``figure.savefig`` writes.

    Raises
    ------
    RomTypeError
        If `forecast` is not a forecast, or if `truth` does not contain states.
    RomValueError
        If truth and forecast differ in dimensions, sizes or times, if `trajectory` does not exist, or if `path` has an
        unknown suffix.
    RomError
        If the picture cannot be written.

    Notes
    -----
    The form depends on the coordinates of the states:

    - A field over one dimension, whose coordinate holds increasing real numbers, is an image over time and space.
    - A field over two such dimensions is a row of images at four times. For a field of vectors, select one component:
      ``forecast.isel(component=0)``.
    - Other states are lines: all components if there are at most eight, otherwise six of them.

    Truth and forecast share one colour scale. The scale of their difference is symmetric about zero. The last panel
    shows ``|forecast - truth| / |truth|`` at each time, in the Euclidean norm over components, which is the
    `relative_error` of `rom.evaluate`. Panels are shaded from the time at which `valid` turns false; images at single
    times say so in their titles.

    Examples
    --------
    >>> import numpy as np, rom, xarray as xr
    >>> time, x = np.linspace(0.0, 2.0, 21), np.linspace(0.0, 1.0, 30)
    >>> truth = xr.DataArray(np.sin(6 * (x - time[:, None])), {"time": time, "x": x}, ("time", "x"))
    >>> forecast = xr.Dataset({"state": 1.01 * truth, "valid": ("time", time < 1.5)})
    >>> figure = rom.plotting.plot_forecast(truth, forecast, training_horizon=1.0)
    >>> [axes.get_title(loc="left") for axes in figure.axes[:3]]
    ['truth', 'forecast', 'forecast minus truth']
    """
    states, valid = forecast_states(forecast)
    exact = None if truth is None else truth_states(truth, states, state_variables(forecast))
    if not 0 <= trajectory < states.sizes["trajectory"]:
        raise RomValueError(
            f"trajectory is {trajectory}, but the forecast has {states.sizes['trajectory']}; count from 0"
        )
    shown = states.isel(trajectory=trajectory)
    exact_shown = None if exact is None else exact.isel(trajectory=trajectory)
    flags = valid.isel(trajectory=trajectory).values
    if is_field_2d(shown):
        figure, axes = draw_snapshots(exact_shown, shown, flags)
        shaded = axes
    elif is_field_1d(shown):
        figure, axes = draw_space_time(exact_shown, shown)
        shaded = axes if exact is None else axes[1:]  # the truth is valid everywhere
    else:
        figure, axes = draw_components(exact_shown, shown)
        shaded = axes
    if axes:  # there are panels over time
        handles: list[Any] = []
        if exact is not None:
            draw_errors(axes[-1], exact, states, trajectory)
            handles += axes[-1].get_legend_handles_labels()[0]
        handles += mark_times(axes, shaded, time_values(states), flags, training_horizon)
        figure.align_ylabels(axes)
        add_legend(axes[-1], handles)
    return save_figure(figure, path)


def draw_components(truth: xr.DataArray | None, forecast: xr.DataArray) -> tuple[Figure, list[Axes]]:
    """Draw components against time, one panel for each.

    Parameters
    ----------
    truth, forecast : DataArray, (time, *dims)

    Returns
    -------
    figure : Figure
    axes : list of Axes
        With a truth, the last one is empty and has room for the errors.
    """
    columns = forecast.values.reshape(len(forecast), -1)
    exact = None if truth is None else truth.values.reshape(len(truth), -1)
    n = columns.shape[1]
    chosen = range(n) if n <= MOST_COMPONENTS else np.linspace(0, n - 1, SAMPLED_COMPONENTS).round().astype(int)
    height = 1.2 if len(chosen) > 3 else 1.6
    figure, axes = stacked_axes([1.0] * len(chosen) + [1.3] * (exact is not None), height)
    t = time_values(forecast)
    for ax, k in zip(axes, chosen, strict=False):
        if exact is not None:
            ax.plot(t, exact[:, k], color="black", lw=1.8, label="truth")
            limit_to_truth(ax, exact[:, k], columns[:, k])
        style = "-" if exact is None else "--"
        ax.plot(t, columns[:, k], color=ORANGE, lw=1.5, ls=style, label="forecast")
        ax.set_ylabel(component_label(forecast, int(k)), fontsize="small")
        ax.grid(alpha=0.3)
    if exact is not None:
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=2, fontsize="small", frameon=False)
    axes[-1].set_xlabel(axis_label("time", forecast["time"]))
    return figure, axes


def limit_to_truth(ax: Axes, truth: np.ndarray, forecast: np.ndarray) -> None:
    """Limit the vertical axis if the forecast diverges, because it would flatten the truth. Both are (time,)."""
    spread = float(np.ptp(truth)) or 1.0
    low, high = float(truth.min()) - spread, float(truth.max()) + spread
    finite = forecast[np.isfinite(forecast)]
    if finite.size and (finite.min() < low or finite.max() > high):
        ax.set_ylim(low, high)


def draw_errors(ax: Axes, truth: xr.DataArray, forecast: xr.DataArray, trajectory: int) -> None:
    """Draw relative errors against time on a logarithmic scale: one trajectory, and the others as thin lines.

    `truth` and `forecast` are states (trajectory, time, *dims).
    """
    t = time_values(forecast)
    errors = relative_errors(truth, forecast)
    others = np.delete(errors, trajectory, axis=0)
    for k, error in enumerate(others):
        ax.plot(t, error, color=GREY, lw=0.6, label="other trajectories" if k == 0 else None)
    ax.plot(t, errors[trajectory], color=BLUE, lw=1.8, label="this trajectory" if len(others) else None)
    set_log_scale(ax, errors)
    ax.set_ylabel("relative error")
    ax.grid(alpha=0.3)
    ax.set_xlim(t[0], t[-1])


def mark_times(
    axes: list[Axes],
    shaded: list[Axes],
    t: np.ndarray,
    valid: np.ndarray,
    training_horizon: float | None,
) -> list[Any]:
    """Mark the training horizon, and the times from which a forecast is not valid.

    Parameters
    ----------
    axes : list of Axes
        Panels over time, in which the training horizon is marked.
    shaded : list of Axes
        Panels that are shaded where the forecast is not valid.
    t : ndarray, (time,)
    valid : ndarray of bool, (time,)
    training_horizon : float or None

    Returns
    -------
    list
        Handles for a legend.
    """
    handles: list[Any] = []
    if training_horizon is not None:
        for ax in axes:
            ax.axvline(training_horizon, color="white", lw=2.6)
            ax.axvline(training_horizon, color="black", lw=1.4, ls=":")
        handles.append(Line2D([], [], color="black", lw=1.4, ls=":", label="training horizon"))
    if not valid.all():
        start = float(t[int(np.argmin(valid))])
        for ax in shaded:
            if ax.collections:  # an image, which hatching leaves visible
                ax.axvspan(start, t[-1], facecolor="none", edgecolor="0.3", hatch="/", lw=0.0)
            else:
                ax.axvspan(start, t[-1], color="0.9", lw=0.0, zorder=0)
            ax.axvline(start, color=ORANGE, lw=1.6)
        handles.append(Line2D([], [], color=ORANGE, lw=1.6, label=f"not valid from {start:.4g} on"))
    return handles


def add_legend(ax: Axes, handles: list[Any]) -> None:
    """Put a legend above `ax`, where it hides nothing. Without handles there is none."""
    if handles:
        style: dict[str, Any] = {"loc": "lower right", "bbox_to_anchor": (1.0, 1.0), "borderaxespad": 0.1}
        ax.legend(handles=handles, ncols=len(handles), fontsize="small", frameon=False, **style)
