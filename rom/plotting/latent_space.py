"""Pictures of the latent states of data."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure

from rom.models.latent_quality import as_array
from rom.plotting.figures import new_figure, save_figure
from rom.plotting.labels import axis_label
from rom.plotting.latent_states import (
    Model,
    choose_plane,
    coordinate_symbol,
    most_important,
    require_drawable,
    subsample,
)
from rom.plotting.style import BLUE, POINTS, SEQUENTIAL
from rom.utils.errors import RomTypeError, RomValueError

__all__ = ["plot_latent"]


def plot_latent(
    latent: Any,
    path: str | os.PathLike | None = None,
    *,
    colour: Any = None,
    axes: tuple[int, int] | None = None,
    model: Model | None = None,
) -> Figure:
    """Draw latent states as points in a plane, or the distribution of a single latent coordinate.

    Parameters
    ----------
    latent : array of shape ``(..., d)``
        Latent states as `model.encode` returns them, at least 3. If there are more than 5,000, a random sample of them
        is drawn.
    path : str or path-like, optional
        File to write the picture to. The suffix sets the format, such as .png, .pdf or .svg.
    colour : array of shape ``(...)``, optional
        A number for each latent state, such as a time, an energy or a parameter. The name and units of a DataArray
        label the colour bar. Dimensions that it lacks are broadcast. A single latent coordinate is drawn against it.
    axes : pair of int, optional
        The two coordinates that span the plane. By default those of the largest variance; with `model`, those that
        decoded states depend on most (`importance` in `rom.latent_quality`).
    model : ReducedOrderModel or Autoencoder, optional
        The model of these latent states.

    Returns
    -------
    Figure
        A matplotlib figure, which notebooks display and ``figure.savefig`` writes.

    Raises
    ------
    RomTypeError
        If `latent` does not contain real numbers with a last axis of coordinates, or if `colour` is not numeric.
    RomValueError
        If there are too few latent states or some are not finite, if `colour` or `model` do not match them, if `axes`
        are not two different coordinates, or if `path` has an unknown suffix.
    RomError
        If the picture cannot be written.

    Examples
    --------
    >>> import numpy as np, rom
    >>> latent = np.random.default_rng(0).standard_normal((200, 2))
    >>> figure = rom.plotting.plot_latent(latent, colour=np.hypot(*latent.T))
    >>> figure.axes[0].get_xlabel()
    '$z_{0}$'
    """
    values = as_array(latent)
    if values.ndim < 2 or values.dtype.kind != "f":
        raise RomTypeError(f"latent must be real latent states (..., d), got {values.dtype} of shape {values.shape}")
    points = require_drawable(values.reshape(-1, values.shape[-1]))
    numbers, name = (None, "") if colour is None else colour_values(colour, latent, values.shape[:-1])
    chosen = subsample(len(points))
    numbers = None if numbers is None else numbers[chosen]
    figure = new_figure(6.0, 4.8)
    ax = figure.subplots()
    ax.grid(alpha=0.3)
    if points.shape[1] == 1:
        draw_coordinate(ax, points[chosen, 0], numbers, name)
        return save_figure(figure, path)
    if axes is None and model is not None:
        i, j = most_important(model, points)
    else:
        i, j = choose_plane(points, axes)
    x, y = points[chosen][:, [i, j]].T
    if numbers is None:
        ax.scatter(x, y, c=BLUE, **POINTS)
    else:
        drawn = ax.scatter(x, y, c=numbers, cmap=SEQUENTIAL, **POINTS)
        opaque = ScalarMappable(drawn.norm, SEQUENTIAL)  # the points are transparent, the colour bar is not
        figure.colorbar(opaque, ax=ax, label=name, pad=0.01)
    ax.set(xlabel=coordinate_symbol(i), ylabel=coordinate_symbol(j))
    return save_figure(figure, path)


def colour_values(colour: Any, latent: Any, leading: tuple[int, ...]) -> tuple[np.ndarray, str]:
    """Return one number for each latent state, and their name with units.

    Parameters
    ----------
    colour : array
        Of shape `leading`, or a DataArray with some of the leading dimensions of `latent`.
    latent : array, (*leading, d)
    leading : tuple of int

    Returns
    -------
    numbers : ndarray, (N,)
    name : str
        "" if `colour` has no name.

    Raises
    ------
    RomTypeError
        If `colour` is not numeric.
    RomValueError
        If its dimensions or shape do not match.
    """
    name = ""
    if isinstance(colour, xr.DataArray):
        name = axis_label(str(colour.name or ""), colour)
        if isinstance(latent, xr.DataArray):
            colour = broadcast(colour, latent.isel({latent.dims[-1]: 0}, drop=True))
    values = as_array(colour)
    if values.dtype.kind not in "iufb":
        raise RomTypeError(f"colour must hold a number for each latent state, got dtype {values.dtype}")
    if values.shape != leading:
        raise RomValueError(f"colour has shape {values.shape}, but one number for each latent state is {leading}")
    return values.reshape(-1).astype(np.float64), name


def broadcast(colour: xr.DataArray, like: xr.DataArray) -> xr.DataArray:
    """Return `colour` with all dimensions of `like`, in the same order. Coordinates are ignored."""
    if not set(colour.dims) <= set(like.dims):
        raise RomValueError(f"colour has dimensions {colour.dims}, the latent states {like.dims}")
    if any(colour.sizes[dim] != like.sizes[dim] for dim in colour.dims):
        raise RomValueError(f"colour has sizes {dict(colour.sizes)}, the latent states {dict(like.sizes)}")
    bare = xr.DataArray(colour.values, dims=colour.dims)
    return bare.broadcast_like(xr.DataArray(like.values, dims=like.dims)).transpose(*like.dims)


def draw_coordinate(ax: Axes, z: np.ndarray, numbers: np.ndarray | None, name: str) -> None:
    """Draw the distribution of a single latent coordinate (N,), or the `numbers` (N,) called `name` against it."""
    ax.set_xlabel(coordinate_symbol(0))
    if numbers is None:
        ax.hist(z, bins=min(60, max(8, int(np.sqrt(len(z))))), color=BLUE, alpha=0.85)
        ax.set_ylabel("states")
        ax.set_axisbelow(True)
    else:
        ax.scatter(z, numbers, color=BLUE, **POINTS)
        ax.set_ylabel(name)
