"""Figures outside pyplot: how they are made, displayed by notebooks, and written to files."""

from __future__ import annotations

import io
import os

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rom.utils.errors import RomError, RomValueError
from rom.utils.files import checked_path

__all__ = ["new_figure", "save_figure", "set_log_scale", "stacked_axes"]

MOST_DECADES = 6.0  # shown on a logarithmic axis
DECADES_ABOVE_MEDIAN = 3.0  # shown on a logarithmic axis, so that a few huge values do not hide the others


class NotebookFigure(Figure):
    """A matplotlib Figure that notebooks display without pyplot."""

    def _repr_png_(self) -> bytes:
        """Return the figure as a PNG file, which is what notebooks ask for."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=100)
        return buffer.getvalue()


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of a size in inches. It needs no display and leaves pyplot alone."""
    figure = NotebookFigure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def stacked_axes(heights: list[float], inches: float) -> tuple[Figure, list[Axes]]:
    """Return a figure with panels on top of each other that share the time axis.

    Parameters
    ----------
    heights : list of float
        Relative height of each panel.
    inches : float
        Height of a panel of relative height 1.

    Returns
    -------
    figure : Figure
    axes : list of Axes
        From top to bottom.
    """
    figure = new_figure(8.0, inches * sum(heights) + 0.9)
    axes = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    return figure, list(axes)


def save_figure(figure: Figure, path: str | os.PathLike | None) -> Figure:
    """Write `figure` to `path`, unless that is None, and return it.

    Parameters
    ----------
    figure : Figure
    path : str or path-like or None
        The suffix sets the format: .png, .pdf, .svg or another one that matplotlib knows.

    Returns
    -------
    Figure
        The same figure.

    Raises
    ------
    RomValueError
        If the suffix is unknown or the folder does not exist.
    RomError
        If the file cannot be written.
    """
    if path is None:
        return figure
    target = checked_path(path)
    suffix = target.suffix.lower().lstrip(".")
    if suffix not in figure.canvas.get_supported_filetypes():
        raise RomValueError(f"path: {target.name} has no suffix of a known picture format; use .png, .pdf or .svg")
    try:
        figure.savefig(target, dpi=150)
    except OSError as error:
        raise RomError(f"cannot write {target}: {error}") from error
    return figure


def set_log_scale(ax: Axes, values: np.ndarray) -> None:
    """Give `ax` a logarithmic vertical scale that fits the positive numbers among `values`.

    The scale covers at most six decades, and a few huge values do not set it. Without positive values it stays linear.
    """
    positive = values[np.isfinite(values) & (values > 0)]
    if not positive.size:
        return
    highest = min(np.log10(positive.max()), np.log10(np.median(positive)) + DECADES_ABOVE_MEDIAN)
    high = np.ceil(highest + 1e-9)
    low = min(max(np.floor(np.log10(positive.min())), high - MOST_DECADES), high - 1.0)
    ax.set_yscale("log")
    ax.set_ylim(10.0**low, 10.0**high)
