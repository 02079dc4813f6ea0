"""What all pictures share: a figure without pyplot, colours that everyone can tell apart, labels with units, files."""

from __future__ import annotations

import io
import os
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rom.utils.errors import RomError, RomValueError
from rom.utils.files import checked_path

__all__ = [
    "BLUE",
    "COLOURS",
    "DOTS",
    "GREY",
    "MOST_LINES",
    "ORANGE",
    "SEQUENTIAL",
    "STYLES",
    "Picture",
    "finished",
    "has_places",
    "increasing",
    "is_field",
    "label",
    "name_of",
    "panels",
    "times_of",
]

MOST_LINES = 8  # components that are all shown as lines; of more, some are shown

# Okabe & Ito (2008): told apart with any kind of colour vision, and distinct in line style besides.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00")
STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))

BLUE, ORANGE = COLOURS[:2]

GREY = "0.6"
SEQUENTIAL = "viridis"

DOTS: dict[str, Any] = {"s": 7, "alpha": 0.7, "linewidths": 0.0, "rasterized": True}  # of clouds of points


class Picture(Figure):
    """A matplotlib Figure that notebooks display without pyplot."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=100)
        return buffer.getvalue()


def finished(figure: Figure, path: str | os.PathLike | None) -> Figure:
    """The figure, written to `path` where one is given."""
    FigureCanvasAgg(figure)
    if path is None:
        return figure
    target = checked_path(path)
    known = figure.canvas.get_supported_filetypes()
    suffix = target.suffix.lower().lstrip(".")
    if suffix not in known:
        raise RomValueError(f"path: {target.name} has no known suffix of a picture; use .png, .pdf or .svg")
    try:
        figure.savefig(target, dpi=150)
    except OSError as error:
        raise RomError(f"cannot write {target}: {error}") from error
    return figure


def is_field(state: xr.DataArray) -> bool:
    """Whether `state` (time, *dims) is a field over one dimension: its coordinate is a place, not a count."""
    dims = state.dims[1:]
    if len(dims) != 1 or state.sizes[dims[0]] <= MOST_LINES or dims[0] not in state.coords:
        return False
    place = state[dims[0]]
    return place.dtype.kind == "f" and bool((np.diff(place.values) > 0).all())


def label(name: str, array: xr.DataArray) -> str:
    """An axis label with units; none are written for numbers without dimension."""
    units = str(array.attrs.get("units", "1"))
    return name if units in ("", "1") else f"{name} [{units}]"


def name_of(state: xr.DataArray, flat: int) -> str:
    """What a component (by flat index) is called: by the coordinates of its dimensions."""
    dims = [str(d) for d in state.dims[1:]]
    index = np.unravel_index(flat, state.shape[1:])
    values = [state[d].values[i] if d in state.coords else i for d, i in zip(dims, index, strict=True)]
    if len(dims) == 1 and isinstance(values[0], str):
        return str(values[0])
    words = [f"{value:.3g}" if isinstance(value, float) else str(value) for value in values]
    return ", ".join(f"{dim.replace('_', ' ')} {word}" for dim, word in zip(dims, words, strict=True))


def panels(heights: list[float], height: float) -> tuple[Figure, list[Axes]]:
    """Rows of the given relative heights that share the axis of time."""
    figure = Picture(figsize=(8.0, height * sum(heights) + 0.9), layout="constrained")
    axes = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    return figure, list(axes)


def times_of(states: xr.DataArray) -> np.ndarray:
    """The times (T,) of states."""
    return states["time"].values.astype(float)


def has_places(state: xr.DataArray, dim: str) -> bool:
    """Whether the coordinate of `dim` holds places."""
    return increasing(state, dim) and state[dim].dtype.kind == "f"


def increasing(state: xr.DataArray, dim: str) -> bool:
    """Whether `dim` has a coordinate of numbers that grow."""
    if dim not in state.coords or state[dim].dtype.kind not in "iuf":
        return False
    places = state[dim].values
    return bool((places[1:] > places[:-1]).all())
