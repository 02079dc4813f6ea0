"""Pictures of states and of the manifold that a decoder puts through them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from mpl_toolkits.mplot3d.axes3d import Axes3D

from rom.models.latent_quality import flattened, of_trajectories, units_of
from rom.plotting.figures import new_figure, save_figure
from rom.plotting.labels import axis_label, component_label
from rom.plotting.latent_states import Model, decode_flat, encode_points, subsample
from rom.plotting.region import mesh_lines
from rom.plotting.style import BLUE, ORANGE, POINTS
from rom.utils.errors import RomValueError

__all__ = ["plot_manifold"]

NEGLIGIBLE_VARIANCE = 1e-4  # of the largest: principal directions with less are not drawn


@dataclass(frozen=True)
class View:
    """A projection of flat states to the two or three axes of a picture.

    Attributes
    ----------
    names : list of str
        Labels of the axes.
    project : callable
        Flat states (N, n) to points (N, 2) or (N, 3).
    same_units : bool
        Whether the axes measure the same quantity: principal directions do.
    """

    names: list[str]
    project: Callable[[np.ndarray], np.ndarray]
    same_units: bool


def plot_manifold(
    model: Model,
    states: Any,
    path: str | os.PathLike | None = None,
    *,
    components: Sequence[int] | None = None,
) -> Figure:
    """Draw states, and the manifold of decoded states through them.

    Parameters
    ----------
    model : ReducedOrderModel or Autoencoder
    states : array of shape ``(..., *shape)``, or Dataset
        States as `model.encode` takes them, at least 3, or a Dataset of trajectories.
    path : str or path-like, optional
        File to write the picture to. The suffix sets the format, such as .png, .pdf or .svg.
    components : sequence of int, optional
        The two or three components that span the picture, as positions in the flattened state. For a model with splines
        (`rom.Coordinate`) these are coefficients. By default all components of a state with two or three, otherwise up
        to three principal directions of `states`.

    Returns
    -------
    Figure
        A matplotlib figure, which notebooks display and ``figure.savefig`` writes.

    Raises
    ------
    RomValueError
        If there are too few states or some cannot be encoded, if `components` are not two or three positions in the
        state, or if `path` has an unknown suffix.
    RomError
        If the picture cannot be written.

    Notes
    -----
    With a single latent coordinate the manifold is a curve. With two it is a mesh, along whose lines one of them is
    constant. With more, the mesh spans the two coordinates of the largest variance, and the others are at their means.
    The mesh covers the region of the data. Two principal directions are drawn instead of three if the states lie in a
    plane or if the manifold is a curve.

    Examples
    --------
    >>> import numpy as np, rom
    >>> states = np.random.default_rng(0).standard_normal((50, 2)) @ [[1.0, 0.0, 2.0], [0.0, 1.0, -1.0]]
    >>> config = rom.FitConfig(hidden=(), quadratic_decoder=False)
    >>> model = rom.fit_autoencoder(states, latent_dim=2, config=config)
    >>> figure = rom.plotting.plot_manifold(model, states)
    >>> figure.axes[0].get_zlabel()
    'component 2'
    """
    states = of_trajectories(states)
    latent = encode_points(model, states)
    flat, groups = flattened(model, states, len(latent))
    unit = units_of(flat, groups) if len(groups) > 1 else np.ones(flat.shape[1])
    is_curve = latent.shape[1] == 1
    view = (
        principal_view(flat, unit, most=2 if is_curve else 3)
        if components is None and flat.shape[1] > 3
        else component_view(model, components, flat.shape[1])
    )
    points = view.project(flat[subsample(len(flat))])
    lines = [view.project(decode_flat(model, z)) for z in mesh_lines(latent)]
    figure = draw_manifold(points, lines, view, line_width=2.0 if is_curve else 0.8)
    return save_figure(figure, path)


def draw_manifold(points: np.ndarray, lines: list[np.ndarray], view: View, line_width: float) -> Figure:
    """Draw points and lines in two or three dimensions.

    Parameters
    ----------
    points : ndarray, (N, k)
        States; k is 2 or 3.
    lines : list of ndarray, (K, k) each
        Lines on the manifold.
    view : View
        It labels the axes.
    line_width : float

    Returns
    -------
    Figure
    """
    figure = new_figure(6.4, 5.6)
    in_space = len(view.names) == 3
    ax = figure.add_subplot(projection="3d" if in_space else None)
    ax.scatter(*points.T, color=BLUE, **(POINTS | ({"depthshade": False} if in_space else {})))
    for line in lines:
        ax.plot(*line.T, color=ORANGE, lw=line_width, zorder=3)
    ax.set(xlabel=view.names[0], ylabel=view.names[1])
    if in_space:
        format_space(cast(Axes3D, ax), view.names)
    elif view.same_units:
        ax.set_aspect("equal", adjustable="datalim")
    ax.grid(alpha=0.3)
    handles = [
        Line2D([], [], color=BLUE, marker="o", ms=4, ls="", label="states"),
        Line2D([], [], color=ORANGE, lw=1.5, label="decoded manifold"),
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=2, fontsize="small", frameon=False)
    return figure


def format_space(ax: Axes3D, names: list[str]) -> None:
    """Label the axes of a picture in three dimensions. Each has its own scale, in which a small bend can be seen."""
    for axis, name in zip((ax.xaxis, ax.yaxis, ax.zaxis), names, strict=True):
        axis.set_label_text(name, fontsize="small")
        axis.labelpad = 10
    ax.locator_params(nbins=5)
    ax.ticklabel_format(scilimits=(-3, 4))
    ax.set_box_aspect(None, zoom=cast(int, 0.84))  # room for the labels


def principal_view(flat: np.ndarray, unit: np.ndarray, most: int) -> View:
    """Return the projection to principal directions.

    Parameters
    ----------
    flat : ndarray, (N, n)
        States.
    unit : ndarray, (n,)
        States are divided by it.
    most : int
        Largest number of directions. Directions of negligible variance are left out, down to two.

    Returns
    -------
    View
    """
    mean = (flat / unit).mean(axis=0)
    sizes, directions = np.linalg.svd(flat[subsample(len(flat))] / unit - mean, full_matrices=False)[1:]
    count = max(2, int((sizes[:most] ** 2 > NEGLIGIBLE_VARIANCE * sizes[0] ** 2).sum()))
    directions = directions[:count]
    names = [f"principal direction {k + 1}" for k in range(count)]
    return View(names, lambda x: (x / unit - mean) @ directions.T, same_units=True)


def component_view(model: Model, components: Any, n: int) -> View:
    """Return the projection to two or three components of the flat state, which has `n`. None takes all of them.

    Raises
    ------
    RomValueError
        If `components` are not two or three positions from 0 to n - 1.
    """
    chosen = np.arange(n) if components is None else np.asarray(components)
    if chosen.shape not in ((2,), (3,)) or chosen.dtype.kind not in "iu":
        raise RomValueError(
            f"components must be two or three positions in the flat state, got {chosen.tolist()!r}; states have {n}"
        )
    if chosen.min() < 0 or chosen.max() >= n:
        raise RomValueError(f"components is {chosen.tolist()}; the flat state has positions 0 to {n - 1}")
    return View([component_name(model, int(k)) for k in chosen], lambda x: x[:, chosen], same_units=False)


def component_name(model: Model, component: int) -> str:
    """Return the name of one component of the flat state, with units. Spline coefficients have no units."""
    layout = model._layout
    part, where = next(
        (part, where)
        for part, where in zip(layout.parts, layout.field_slices, strict=True)
        if where.start <= component < where.stop
    )
    state = xr.DataArray(np.empty((1, *part.shape)), dims=("step", *part.dims), attrs=part.attrs)
    coords = {name: c for name, c in layout.labels().items() if set(c.dims) <= set(part.dims)}
    words = component_label(state.assign_coords(coords), component - where.start)
    name = f"{part.name} {words}".strip() if model.fields else words
    return name if layout.space is not None else axis_label(name, state)
