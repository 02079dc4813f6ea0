"""Pictures of decoded states along each latent coordinate."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from rom.plotting.field_panels import ASPECT_LIMITS, DISTORTED_ASPECT, plane_dims
from rom.plotting.figures import new_figure, save_figure
from rom.plotting.labels import (
    MOST_COMPONENTS,
    axis_label,
    component_label,
    has_positions,
    is_field_1d,
    is_increasing,
)
from rom.plotting.latent_states import Model, coordinate_symbol, encode_points, largest_variance
from rom.plotting.style import COLOURS, IMAGE, LINE_STYLES, SEQUENTIAL
from rom.utils.errors import RomValueError, nearest

__all__ = ["plot_traversal"]

MOST_COORDINATES = 6
REACH = 2.0  # standard deviations to both sides of the mean
STEP_LABEL = "standard deviations from the mean"
POSITIONS = (256, 64, 24)  # along each axis of a domain with one, two or three axes, if there is no grid

# Number of steps along a coordinate: of components over it, of lines over space, of images.
STEPS_OF_COMPONENTS, STEPS_OF_LINES, STEPS_OF_IMAGES = 61, 9, 5


def plot_traversal(
    model: Model, states: Any, path: str | os.PathLike | None = None, *, field: str | None = None
) -> Figure:
    """Draw decoded states along each latent coordinate, with the other coordinates at their means.

    The picture shows what each coordinate means, from two standard deviations below its mean to two above.

    Parameters
    ----------
    model : ReducedOrderModel or Autoencoder
    states : array of shape ``(..., *shape)``, or Dataset
        States as `model.encode` takes them, at least 3, or a Dataset of trajectories. Means and standard deviations are
        those of their latent states.
    path : str or path-like, optional
        File to write the picture to. The suffix sets the format, such as .png, .pdf or .svg.
    field : str, optional
        The field to draw if states have several, or the component of a field of vectors. By default the first.

    Returns
    -------
    Figure
        A matplotlib figure, which notebooks display and ``figure.savefig`` writes.

    Raises
    ------
    RomValueError
        If there are too few states or some cannot be encoded, if `field` does not exist, or if `path` has an unknown
        suffix.
    RomError
        If the picture cannot be written.

    Notes
    -----
    The form depends on the coordinates of the states:

    - Few components are drawn against the latent coordinate.
    - A field over one dimension is drawn as lines.
    - A field over two dimensions is drawn as images with one colour scale. The first row is at the top unless the
      coordinate of the rows increases. With more dimensions, the middle plane is drawn.

    A model with spline coefficients (`rom.Coordinate`) is drawn over its whole domain. If there are more than six latent
    coordinates, the six of the largest variance are drawn.

    Examples
    --------
    >>> import numpy as np, rom
    >>> x, weights = np.linspace(0.0, 1.0, 20), np.random.default_rng(0).standard_normal((50, 2))
    >>> states = weights @ np.sin(np.pi * np.outer([1, 2], x))
    >>> config = rom.FitConfig(hidden=(), quadratic_decoder=False)
    >>> model = rom.fit_autoencoder(states, latent_dim=2, config=config)
    >>> figure = rom.plotting.plot_traversal(model, states)
    >>> [axes.get_title() for axes in figure.axes[:2]]
    ['along $z_{0}$', 'along $z_{1}$']
    """
    latent = encode_points(model, states)
    draw, n_steps = form_of(decode_field(model, latent.mean(axis=0)[None], field))
    traversals = {
        k: traverse(model, latent, k, np.linspace(-REACH, REACH, n_steps), field)
        for k in largest_variance(latent, MOST_COORDINATES)
    }
    return save_figure(draw(traversals), path)


def traverse(model: Model, latent: np.ndarray, k: int, steps: np.ndarray, field: str | None) -> xr.DataArray:
    """Return decoded states along one latent coordinate.

    Parameters
    ----------
    model : ReducedOrderModel or Autoencoder
    latent : ndarray, (N, d)
        Latent states of the data.
    k : int
        Index of the coordinate.
    steps : ndarray, (step,)
        Distances from the mean in standard deviations.
    field : str or None

    Returns
    -------
    DataArray, (step, *dims)
    """
    z = np.repeat(latent.mean(axis=0)[None], len(steps), axis=0)
    z[:, k] += steps * latent.std(axis=0)[k]
    return decode_field(model, z, field).assign_coords(step=steps)


def decode_field(model: Model, latent: np.ndarray, field: str | None) -> xr.DataArray:
    """Return one decoded field, or one component of a field of vectors, over at most two dimensions.

    Parameters
    ----------
    model : ReducedOrderModel or Autoencoder
    latent : ndarray, (step, d)
    field : str or None
        None takes the first.

    Returns
    -------
    DataArray, (step, *dims)
        With a name and units.

    Raises
    ------
    RomValueError
        If `field` does not exist.
    """
    states = model.decode(xr.DataArray(latent, dims=("step", "latent")), **positions_over_domain(model))
    if isinstance(states, xr.Dataset):
        state = states[choose_name(field, list(model.fields))].transpose("step", ...)
        field = None
    else:
        state = states.rename("state").assign_attrs(model._layout.attrs).transpose("step", ...)
    dim = state.dims[1]
    if state.ndim > 2 and not has_positions(state, str(dim)) and state.sizes[dim] <= MOST_COMPONENTS:
        names = [str(value) for value in (state[dim].values if dim in state.coords else range(state.sizes[dim]))]
        chosen = choose_name(field, names)
        state = state.isel({dim: names.index(chosen)}, drop=True).rename(f"{state.name} {chosen}")
        field = None
    if field is not None:
        raise RomValueError(f"field is {field!r}, but the states of this model are a single field; leave it out")
    while state.ndim > 3:
        state = state.isel({state.dims[1]: state.shape[1] // 2}, drop=True)
    return state


def positions_over_domain(model: Model) -> dict[str, Any]:
    """Return the argument `at` of `decode`: a grid over the domain of a model with splines, otherwise nothing."""
    space = model._layout.space
    if space is None:
        return {}
    count = POSITIONS[min(len(space.axes), 3) - 1]
    return {"at": {axis.name: np.linspace(axis.low, axis.high, count, not axis.periodic) for axis in space.axes}}


def choose_name(field: str | None, names: list[str]) -> str:
    """Return `field`, or the first of `names` if it is None. A `RomValueError` names the nearest to an unknown field."""
    if field is not None and field not in names:
        raise RomValueError(f"field: unknown {field!r}; {nearest(field, names)}")
    return names[0] if field is None else field


def form_of(states: xr.DataArray) -> tuple[Any, int]:
    """Return the function that draws traversals of such states (step, *dims), and the number of steps it needs."""
    if states.ndim > 2:
        return draw_images, STEPS_OF_IMAGES
    if is_field_1d(states) or states[0].size > MOST_COMPONENTS:
        return draw_lines, STEPS_OF_LINES
    return draw_components, STEPS_OF_COMPONENTS


def draw_components(traversals: dict[int, xr.DataArray]) -> Figure:
    """Draw components against each latent coordinate. `traversals` maps coordinates to states (step, *dims)."""
    figure, panels = coordinate_panels(traversals)
    for ax, states in zip(panels, traversals.values(), strict=True):
        for c, values in enumerate(states.values.reshape(len(states), -1).T):
            style: dict[str, Any] = {"color": COLOURS[c % len(COLOURS)], "ls": LINE_STYLES[c % len(LINE_STYLES)]}
            ax.plot(states["step"], values, lw=1.6, label=component_label(states, c), **style)
        ax.set_xlabel(STEP_LABEL)
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper right", ncols=len(names), fontsize="small", frameon=False)
    return figure


def draw_lines(traversals: dict[int, xr.DataArray]) -> Figure:
    """Draw a line over space for each step. `traversals` maps latent coordinates to states (step, space)."""
    figure, panels = coordinate_panels(traversals)
    colours = ScalarMappable(Normalize(-REACH, REACH), SEQUENTIAL)
    for ax, states in zip(panels, traversals.values(), strict=True):
        space = str(states.dims[1])
        positions = states[space].values if is_field_1d(states) else np.arange(states.shape[1])
        for step, state in zip(states["step"].values, states.values, strict=True):
            ax.plot(positions, state, color=colours.to_rgba(step), lw=1.3)
        ax.set_xlabel(axis_label(space.replace("_", " "), states[space]))
        ax.set_xlim(positions[0], positions[-1])
    ticks = np.arange(-REACH, REACH + 1)
    figure.colorbar(colours, ax=panels, label=STEP_LABEL, ticks=ticks, pad=0.01, fraction=0.05)
    return figure


def coordinate_panels(traversals: dict[int, xr.DataArray]) -> tuple[Figure, list[Axes]]:
    """Return a figure with a panel for each latent coordinate, at most three in a row, with one scale."""
    columns = min(3, len(traversals)) if len(traversals) != 4 else 2
    rows = -(-len(traversals) // columns)
    figure = new_figure(3.2 * columns + 1.4, 2.5 * rows + 0.7)
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    panels = list(axes.flat)[: len(traversals)]
    for ax in axes.flat[len(traversals) :]:
        ax.remove()
    for k, (coordinate, states) in enumerate(traversals.items()):
        panels[k].set_title(f"along {coordinate_symbol(coordinate)}", fontsize="medium")
        panels[k].grid(alpha=0.3)
        if k % columns == 0:
            panels[k].set_ylabel(axis_label(str(states.name), states))
        panels[k].tick_params(labelbottom=True)
    return figure, panels


def draw_images(traversals: dict[int, xr.DataArray]) -> Figure:
    """Draw a row of images for each latent coordinate, with one colour scale.

    `traversals` maps latent coordinates to states (step, *two dimensions).
    """
    first = next(iter(traversals.values()))
    across, up = plane_dims(first)
    x, y = (first[dim].values if is_increasing(first, dim) else np.arange(first.sizes[dim]) for dim in (across, up))
    comparable = has_positions(first, across) and has_positions(first, up) and first[across].attrs == first[up].attrs
    aspect = float(np.clip(np.ptp(y) / np.ptp(x), *ASPECT_LIMITS)) if comparable else DISTORTED_ASPECT
    columns, rows = first.sizes["step"], len(traversals)
    figure = new_figure(1.75 * columns + 1.3, 1.75 * aspect * rows + 0.8)
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    if not is_increasing(first, up):
        axes[0, 0].invert_yaxis()  # of all panels, which share it: images and matrices have their first row at the top
    low = min(float(states.min()) for states in traversals.values())
    high = max(float(states.max()) for states in traversals.values())
    meshes = []
    for row, (coordinate, states) in zip(axes, traversals.items(), strict=True):
        for ax, image in zip(row, states.transpose("step", up, across).values, strict=True):
            meshes.append(ax.pcolormesh(x, y, image, vmin=low, vmax=high, cmap=SEQUENTIAL, **IMAGE))
            if comparable:
                ax.set_aspect("equal")
            ax.label_outer()
        row[0].set_ylabel(f"along {coordinate_symbol(coordinate)}\n{axis_label(up, first[up])}")
    for ax, step in zip(axes[0], first["step"].values, strict=True):
        ax.set_title("mean" if step == 0 else f"{step:+.0f} s.d.", fontsize="medium")
    for ax in axes[-1]:
        ax.set_xlabel(axis_label(across, first[across]))
    figure.colorbar(meshes[-1], ax=axes, label=axis_label(str(first.name), first), pad=0.01)
    return figure
