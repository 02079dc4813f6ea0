"""Pictures of the latent dynamics as a vector field."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rom.models.latent_quality import as_array
from rom.models.reduced_order_model import ReducedOrderModel
from rom.plotting.figures import new_figure, save_figure
from rom.plotting.latent_states import choose_plane, coordinate_symbol, encode_states, require_drawable, subsample
from rom.plotting.region import RESOLUTION, convex_hull, inside_hull
from rom.plotting.style import BLUE, GREY, ORANGE, POINTS, SEQUENTIAL
from rom.utils.errors import RomTypeError

__all__ = ["plot_vector_field"]

LatentRhs = Callable[[np.ndarray], np.ndarray]  # latent states (N, d) to dz/dt (N, d)

MOST_TRAJECTORIES = 6  # drawn over a vector field; more would hide it


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
    """Draw streamlines of the latent dynamics dz/dt = h(z; mu, u, t) in the region of the data.

    Parameters
    ----------
    model : ReducedOrderModel
    states : array of shape ``(..., *shape)``, or Dataset
        States as `model.encode` takes them, at least 3, or a Dataset of trajectories. With the leading axes
        (trajectory, time), up to six trajectories are drawn as lines, with a dot at their start; otherwise points.
    path : str or path-like, optional
        File to write the picture to. The suffix sets the format, such as .png, .pdf or .svg.
    mu, inputs, t
        Parameters, inputs and time of h, one value for the whole picture, as `model.latent_rhs` takes them.
    axes : pair of int, optional
        The two latent coordinates that span the plane. By default those of the largest variance.

    Returns
    -------
    Figure
        A matplotlib figure, which notebooks display and ``figure.savefig`` writes.

    Raises
    ------
    RomTypeError
        If `model` has no latent dynamics.
    RomValueError
        If there are too few states or some cannot be encoded, if `mu` or `inputs` are missing, if `axes` are not two
        different coordinates, or if `path` has an unknown suffix.
    RomError
        If the picture cannot be written.

    Notes
    -----
    With more than two latent coordinates, the streamlines are those in the plane through the means of the other
    coordinates, and trajectories are projected onto it. With a single one, h is drawn against it: an equilibrium is
    where the curve crosses zero, and it is stable where the curve falls.

    Examples
    --------
    >>> import numpy as np, rom
    >>> t, angle = np.linspace(0.0, 6.0, 31), np.arange(8.0)[:, None]
    >>> states = np.stack([np.cos(t + angle), np.sin(t + angle)], axis=-1)  # (trajectory, time, 2)
    >>> config = rom.FitConfig(latent_terms=("linear",), steps=1, optimizer="adam")
    >>> model = rom.fit(None, trajectories=(t, states), latent_dim=2, config=config, verbose=False)
    >>> figure = rom.plotting.plot_vector_field(model, states)
    >>> figure.axes[0].get_xlabel()
    '$z_{0}$'
    """
    if not hasattr(model, "latent_rhs"):
        raise RomTypeError(
            f"model must be a ReducedOrderModel, which has dynamics, got {type(model).__name__}; use plot_latent"
        )
    values = encode_states(model, states)
    latent = require_drawable(values.reshape(-1, values.shape[-1]))
    trajectories = values if values.ndim == 3 and values.shape[1] > 1 else None

    def rhs(z: np.ndarray) -> np.ndarray:
        return as_array(model.latent_rhs(z, mu, t, inputs))

    time_unit = str(model._layout.time_attrs.get("units", "1"))
    per_time = "" if time_unit in ("", "1") else f" [1/{time_unit}]"
    figure = new_figure(6.4, 5.0)
    ax = figure.subplots()
    if latent.shape[1] == 1:
        draw_curve(ax, latent[:, 0], rhs)
        ax.set(xlabel=coordinate_symbol(0), ylabel=rf"$\mathrm{{d}}z_0/\mathrm{{d}}t${per_time}")
        return save_figure(figure, path)
    i, j = choose_plane(latent, axes)
    stream = draw_streamlines(ax, latent, (i, j), rhs)
    figure.colorbar(stream, ax=ax, label=rf"speed $|\mathrm{{d}}z/\mathrm{{d}}t|${per_time}", pad=0.01)
    data = draw_data(ax, latent[:, [i, j]], None if trajectories is None else trajectories[..., [i, j]])
    hull = Line2D([], [], color=GREY, lw=1.2, ls="--", label="region of the data")
    figure.legend(handles=[data, hull], loc="outside upper right", ncols=2, fontsize="small", frameon=False)
    ax.set(xlabel=coordinate_symbol(i), ylabel=coordinate_symbol(j))
    return save_figure(figure, path)


def draw_streamlines(ax: Axes, latent: np.ndarray, axes: tuple[int, int], rhs: LatentRhs) -> ScalarMappable:
    """Draw streamlines in the convex hull of the data, coloured by speed, and the hull.

    Parameters
    ----------
    ax : Axes
    latent : ndarray, (N, d)
        Latent states of the data.
    axes : pair of int
        Coordinates that span the plane.
    rhs : callable
        Latent states (N, d) to dz/dt (N, d).

    Returns
    -------
    ScalarMappable
        The streamlines, for a colour bar.
    """
    chosen = list(axes)
    plane = latent[:, chosen]
    corners = convex_hull(plane)
    low, high = corners.min(axis=0), corners.max(axis=0)
    a, b = (np.linspace(low[k], high[k], RESOLUTION) for k in range(2))
    grid = np.stack(np.meshgrid(a, b), axis=-1).reshape(-1, 2)
    z = np.repeat(latent.mean(axis=0)[None], len(grid), axis=0)
    z[:, chosen] = grid
    velocity = rhs(z)[:, chosen]
    velocity[~inside_hull(plane)(grid)] = np.nan
    u, v = velocity.T.reshape(2, RESOLUTION, RESOLUTION)
    speed = np.hypot(u, v)
    style: dict[str, Any] = {"density": 1.3, "linewidth": 0.9, "arrowsize": 0.9, "cmap": SEQUENTIAL}
    stream = ax.streamplot(a, b, np.ma.masked_invalid(u), np.ma.masked_invalid(v), color=speed, **style)
    ax.plot(*np.vstack([corners, corners[:1]]).T, color=GREY, lw=1.2, ls="--")
    return stream.lines


def draw_data(ax: Axes, points: np.ndarray, trajectories: np.ndarray | None) -> Line2D:
    """Draw some trajectories (trajectory, time, 2), or points (N, 2) if there are none. Return a handle for a legend."""
    if trajectories is None:
        ax.scatter(*points[subsample(len(points))].T, color="black", zorder=3, **(POINTS | {"s": 4}))
        return Line2D([], [], color="black", marker="o", ms=3, ls="", label="data")
    for line in trajectories[:MOST_TRAJECTORIES]:
        ax.plot(*line.T, color="black", lw=0.8, zorder=3)
        ax.plot(*line[0], color="black", marker="o", ms=3.5, zorder=3)
    return Line2D([], [], color="black", marker="o", ms=3.5, markevery=[0], lw=0.8, label="trajectories")


def draw_curve(ax: Axes, z: np.ndarray, rhs: LatentRhs) -> None:
    """Draw h of a single coordinate over the range of the data `z` (N,), and mark the data."""
    grid = np.linspace(z.min(), z.max(), RESOLUTION)
    ax.axhline(0.0, color="black", lw=0.8)
    ax.plot(grid, rhs(grid[:, None])[:, 0], color=BLUE, lw=1.8, label="latent dynamics")
    ax.plot(z, np.zeros_like(z), color=ORANGE, marker="|", ms=9, ls="", alpha=0.4, label="data", rasterized=True)
    ax.grid(alpha=0.3)
    ax.legend(fontsize="small", frameon=False)
