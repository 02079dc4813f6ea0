"""Pictures of a latent space: where the data lie in it, and the flow on it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rom.models.latent_quality import as_array
from rom.models.reduced_order_model import ReducedOrderModel
from rom.plotting.latent_points import (
    DENSE,
    Model,
    drawn,
    encoded,
    hull_of,
    important,
    plane_of,
    region_of,
    require_enough,
    symbol,
)
from rom.plotting.style import BLUE, DOTS, GREY, ORANGE, SEQUENTIAL, Picture, finished, label
from rom.utils.errors import RomTypeError, RomValueError

__all__ = ["plot_latent", "plot_vector_field"]

Rate = Callable[[np.ndarray], np.ndarray]  # (N, d) to (N, d)

MOST_PATHS = 6  # trajectories over a vector field: more would hide it


def plot_latent(
    latent: Any,
    path: str | os.PathLike | None = None,
    *,
    colour: Any = None,
    axes: tuple[int, int] | None = None,
    model: Model | None = None,
) -> Figure:
    """The latent states of data: points in a plane, or of a single coordinate their distribution.

    latent: (..., d), as `model.encode` returns them, at least 3.
    path: where to write the picture, in the format of its suffix (.png, .pdf, .svg).
    colour: a number for each latent state, in an array (...) or a DataArray, whose name and units are written beside the colour
        bar; dimensions that it lacks are filled up: the time of trajectories, an energy, a parameter. With a single
        coordinate it is drawn against it.
    axes: the two coordinates that span the plane. Default: of more than two, those of the largest variance, or with a `model` those
        that decide most about the decoded states (`importance` of `rom.models.latent_quality`), in their order.
    model: whose latent states these are.

    Of more than 5,000 states some are drawn, chosen at random. Returns the Figure. Raises `RomValueError` for unusable
    arguments, `RomError` where the picture cannot be written.
    """
    values = as_array(latent)
    if values.ndim < 2 or values.dtype.kind != "f":
        raise RomTypeError(f"latent must be real latent states (..., d), got {values.dtype} of shape {values.shape}")
    cloud = require_enough(values.reshape(-1, values.shape[-1]))
    shades, name = (None, "") if colour is None else shades_of(colour, latent, values.shape[:-1])
    chosen = drawn(len(cloud))
    shades = None if shades is None else shades[chosen]
    figure = Picture(figsize=(6.0, 4.8), layout="constrained")
    ax = figure.subplots()
    if cloud.shape[1] == 1:
        draw_coordinate(ax, cloud[chosen, 0], shades, name)
        return finished(figure, path)
    if axes is None and model is not None:
        i, j = important(model, cloud)
    else:
        i, j = plane_of(cloud, axes)
    points = ax.scatter(*cloud[chosen][:, [i, j]].T, c=BLUE if shades is None else shades, cmap=colours(shades), **DOTS)
    if shades is not None:
        figure.colorbar(
            ScalarMappable(points.norm, SEQUENTIAL), ax=ax, label=name, pad=0.01
        )  # opaque, unlike the points
    ax.set(xlabel=symbol(i), ylabel=symbol(j))
    ax.grid(alpha=0.3)
    return finished(figure, path)


def plot_vector_field(
    model: ReducedOrderModel,
    states: Any,
    path: str | os.PathLike | None = None,
    *,
    mu: Any = None,
    inputs: Any = None,
    t: float = 0.0,
    axes: tuple[int, int] | None = None,
) -> Figure:
    """The latent dynamics dz/dt = h(z; mu, u, t): streamlines where there are data, and the data.

    states: (..., *shape) as `model.encode` takes them, or a Dataset of trajectories. With leading axes (trajectory, time), up to
        six trajectories are drawn as lines from a dot at their start, otherwise points.
    path: where to write the picture, in the format of its suffix (.png, .pdf, .svg).
    mu, inputs, t: what h depends on, one set for the whole picture, as `model.latent_rhs` takes them.
    axes: the two latent coordinates that span the plane. Default: those of the largest variance, in their order.

    Of more than two coordinates, the others are at their means: streamlines then are those of a plane, and trajectories, which
    leave it, are projected. Of a single one, h is drawn against it: an equilibrium is where it is zero, stable where it falls.
    Returns the Figure. Raises `RomTypeError` for what has no dynamics, `RomValueError` for other unusable arguments, `RomError` where
    the picture cannot be written.
    """
    if not hasattr(model, "latent_rhs"):
        raise RomTypeError(
            f"model must be a ReducedOrderModel, which has dynamics, got {type(model).__name__}; use plot_latent"
        )
    values = encoded(model, states)
    latent = require_enough(values.reshape(-1, values.shape[-1]))
    paths = values if values.ndim == 3 and values.shape[1] > 1 else None

    def rate(z: np.ndarray) -> np.ndarray:
        return as_array(model.latent_rhs(z, mu, t, inputs))

    unit = str(model._layout.time_attrs.get("units", "1"))
    per_time = "" if unit in ("", "1") else f" [1/{unit}]"
    figure = Picture(figsize=(6.4, 5.0), layout="constrained")
    ax = figure.subplots()
    if latent.shape[1] == 1:
        draw_rate(ax, latent[:, 0], rate)
        ax.set(xlabel=symbol(0), ylabel=rf"$\mathrm{{d}}z_0/\mathrm{{d}}t${per_time}")
        return finished(figure, path)
    i, j = plane_of(latent, axes)
    stream = draw_streamlines(ax, latent, (i, j), rate)
    figure.colorbar(stream, ax=ax, label=rf"speed $|\mathrm{{d}}z/\mathrm{{d}}t|${per_time}", pad=0.01)
    if paths is None:
        ax.scatter(*latent[drawn(len(latent))][:, [i, j]].T, color="black", zorder=3, **(DOTS | {"s": 4}))
        handles = [Line2D([], [], color="black", marker="o", ms=3, ls="", label="data")]
    else:
        for line in paths[:MOST_PATHS]:
            ax.plot(*line[:, [i, j]].T, color="black", lw=0.8, zorder=3)
            ax.plot(*line[0, [i, j]], color="black", marker="o", ms=3.5, zorder=3)
        handles = [Line2D([], [], color="black", marker="o", ms=3.5, markevery=[0], lw=0.8, label="trajectories")]
    handles.append(Line2D([], [], color=GREY, lw=1.2, ls="--", label="region of the data"))
    figure.legend(handles=handles, loc="outside upper right", ncols=2, fontsize="small", frameon=False)
    ax.set(xlabel=symbol(i), ylabel=symbol(j))
    return finished(figure, path)


def shades_of(colour: Any, latent: Any, leading: tuple[int, ...]) -> tuple[np.ndarray, str]:
    """One number for each latent state, (N,), and what they are called."""
    name = ""
    if isinstance(colour, xr.DataArray):
        name = label(str(colour.name or ""), colour)
        if isinstance(latent, xr.DataArray):
            like = latent.isel({latent.dims[-1]: 0}, drop=True)
            if not set(colour.dims) <= set(like.dims):
                raise RomValueError(f"colour has dimensions {colour.dims}, the latent states {like.dims}")
            if any(colour.sizes[dim] != like.sizes[dim] for dim in colour.dims):
                raise RomValueError(f"colour has sizes {dict(colour.sizes)}, the latent states {dict(like.sizes)}")
            colour = xr.DataArray(colour.values, dims=colour.dims).broadcast_like(
                xr.DataArray(like.values, dims=like.dims)
            )
            colour = colour.transpose(*like.dims)
    values = as_array(colour)
    if values.dtype.kind not in "iufb":
        raise RomTypeError(f"colour must hold a number for each latent state, got dtype {values.dtype}")
    if values.shape != leading:
        raise RomValueError(f"colour has shape {values.shape}; one number for each latent state is {leading}")
    return values.reshape(-1).astype(np.float64), name


def colours(shades: np.ndarray | None) -> str | None:
    return None if shades is None else SEQUENTIAL


def draw_coordinate(ax: Axes, z: np.ndarray, shades: np.ndarray | None, name: str) -> None:
    """A single latent coordinate: its distribution, or what varies with it."""
    ax.set_xlabel(symbol(0))
    ax.grid(alpha=0.3)
    if shades is None:
        ax.hist(z, bins=min(60, max(8, int(np.sqrt(len(z))))), color=BLUE, alpha=0.85)
        ax.set_ylabel("states")
        ax.set_axisbelow(True)
    else:
        ax.scatter(z, shades, color=BLUE, **DOTS)
        ax.set_ylabel(name)


def draw_streamlines(ax: Axes, latent: np.ndarray, axes: tuple[int, int], rate: Rate) -> ScalarMappable:
    """Streamlines in the region of the data, coloured by speed, and its border."""
    chosen = list(axes)
    plane = latent[:, chosen]
    corners = hull_of(plane)
    low, high = corners.min(axis=0), corners.max(axis=0)
    a, b = (np.linspace(low[k], high[k], DENSE) for k in range(2))
    grid = np.stack(np.meshgrid(a, b), axis=-1).reshape(-1, 2)
    z = np.repeat(latent.mean(axis=0)[None], len(grid), axis=0)
    z[:, chosen] = grid
    velocity = rate(z)[:, chosen]
    velocity[~region_of(plane)(grid)] = np.nan
    u, v = velocity.T.reshape(2, DENSE, DENSE)
    speed = np.hypot(u, v)
    style: dict[str, Any] = {"density": 1.3, "linewidth": 0.9, "arrowsize": 0.9, "cmap": SEQUENTIAL}
    stream = ax.streamplot(a, b, np.ma.masked_invalid(u), np.ma.masked_invalid(v), color=speed, **style)
    ax.plot(*np.vstack([corners, corners[:1]]).T, color=GREY, lw=1.2, ls="--")
    return stream.lines


def draw_rate(ax: Axes, z: np.ndarray, rate: Rate) -> None:
    """h of a single coordinate over the range of the data, and where these lie."""
    grid = np.linspace(z.min(), z.max(), DENSE)
    ax.axhline(0.0, color="black", lw=0.8)
    ax.plot(grid, rate(grid[:, None])[:, 0], color=BLUE, lw=1.8, label="latent dynamics")
    ax.plot(z, np.zeros_like(z), color=ORANGE, marker="|", ms=9, ls="", alpha=0.4, label="data", rasterized=True)
    ax.grid(alpha=0.3)
    ax.legend(fontsize="small", frameon=False)
