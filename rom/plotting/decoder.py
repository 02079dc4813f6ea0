"""Pictures of what a decoder makes of latent states: what its coordinates mean, and the manifold that they parametrise."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from mpl_toolkits.mplot3d.axes3d import Axes3D

from rom.models.latent_quality import flattened, of_trajectories, units_of
from rom.plotting.latent_points import Model, cloud_of, decoded_flat, drawn, largest, mesh_of, require_enough, symbol
from rom.plotting.style import (
    BLUE,
    COLOURS,
    DOTS,
    MOST_LINES,
    ORANGE,
    SEQUENTIAL,
    STYLES,
    Picture,
    finished,
    has_places,
    increasing,
    is_field,
    label,
    name_of,
)
from rom.utils.errors import RomValueError, nearest

__all__ = ["plot_manifold", "plot_traversal"]

MOST_COORDINATES = 6
REACH = 2.0  # standard deviations to both sides of the mean
STEPS = {"curves": 61, "lines": 9, "images": 5}
FLAT = 1e-4  # of the largest variance: directions with less are not drawn
POSITIONS = (256, 64, 24)  # along each axis of a domain of one, two or three, where there is no grid


def plot_traversal(
    model: Model, states: Any, path: str | os.PathLike | None = None, *, field: str | None = None
) -> Figure:
    """What each latent coordinate means: decoded states along it, the others at their means.

    states: (..., *shape) as `model.encode` takes them, or a Dataset of trajectories; mean and standard deviation of the latent
        states are theirs.
    path: where to write the picture, in the format of its suffix (.png, .pdf, .svg).
    field: which field of a model of several, or which component of a field of vectors. Default: the first.

    From two standard deviations below the mean to two above. A field over one dimension is drawn as lines, one over two
    as images with one scale of colours (of more dimensions, the plane in the middle of the others), their first row on top unless
    a coordinate says that it grows upwards, few components against the coordinate. A model in a function space is drawn all over its
    domain. Of more than six coordinates, the six of the largest variance are shown. Returns the Figure. Raises `RomValueError` for
    unusable arguments, `RomError` where the picture cannot be written.
    """
    latent = require_enough(cloud_of(model, states))
    centre, spread = latent.mean(axis=0), latent.std(axis=0)
    shown = largest(latent, MOST_COORDINATES)
    kind = kind_of(decoded(model, centre[None], field))
    along: dict[int, xr.DataArray] = {}
    for k in shown:
        steps = np.linspace(-REACH, REACH, STEPS[kind])
        z = np.repeat(centre[None], len(steps), axis=0)
        z[:, k] += steps * spread[k]
        along[k] = decoded(model, z, field).assign_coords(step=steps)
    draw = {"curves": traverse_curves, "lines": traverse_lines, "images": traverse_images}[kind]
    return finished(draw(along), path)


def plot_manifold(
    model: Model,
    states: Any,
    path: str | os.PathLike | None = None,
    *,
    components: Sequence[int] | None = None,
) -> Figure:
    """States, and the manifold that the decoder puts through them.

    states: (..., *shape) as `model.encode` takes them, or a Dataset of trajectories.
    path: where to write the picture, in the format of its suffix (.png, .pdf, .svg).
    components: the two or three components of a state that span the picture, positions in the flat state, which of a model in a
        function space are coefficients. Default: all of two or three, and of more the three principal directions of `states`
        (two where these lie in a plane, or the latent space is a line).

    A latent space of one coordinate is a curve, one of two a mesh of lines of constant z, over the region of the data. Of
    more, the two of the largest variance are drawn with the others at their means. Returns the Figure. Raises `RomValueError` for
    unusable arguments, `RomError` where the picture cannot be written.
    """
    states = of_trajectories(states)
    latent = require_enough(cloud_of(model, states))
    flat, groups = flattened(model, states, len(latent))
    unit = units_of(flat, groups) if len(groups) > 1 else np.ones(flat.shape[1])
    names, project = view_of(model, flat, unit, components, 2 if latent.shape[1] == 1 else 3)
    lines = [project(decoded_flat(model, z)) for z in mesh_of(latent)]
    points = project(flat[drawn(len(flat))])

    figure = Picture(figsize=(6.4, 5.6), layout="constrained")
    solid = len(names) == 3
    ax = figure.add_subplot(projection="3d" if solid else None)
    ax.scatter(*points.T, color=BLUE, **(DOTS | ({"depthshade": False} if solid else {})))
    for line in lines:
        ax.plot(*line.T, color=ORANGE, lw=2.0 if latent.shape[1] == 1 else 0.8, zorder=3)
    ax.set(xlabel=names[0], ylabel=names[1])
    if solid:
        space = cast(Axes3D, ax)
        for axis, name in zip((space.xaxis, space.yaxis, space.zaxis), names, strict=True):
            axis.set_label_text(name, fontsize="small")
            axis.labelpad = 10
        space.locator_params(nbins=5)
        space.ticklabel_format(scilimits=(-3, 4))
        space.set_box_aspect(None, zoom=cast(int, 0.84))  # room for the labels
    elif components is None and flat.shape[1] > 3:
        ax.set_aspect("equal", adjustable="datalim")  # both are distances; in space a bend may need a scale of its own
    ax.grid(alpha=0.3)
    handles = [
        Line2D([], [], color=BLUE, marker="o", ms=4, ls="", label="states"),
        Line2D([], [], color=ORANGE, lw=1.5, label="decoded manifold"),
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=2, fontsize="small", frameon=False)
    return finished(figure, path)


def decoded(model: Model, latent: np.ndarray, field: str | None) -> xr.DataArray:
    """One field (step, *dims) of the decoded latent states (step, d), at most two dimensions of it, with name and units."""
    states = model.decode(xr.DataArray(latent, dims=("step", "latent")), **everywhere(model))
    if isinstance(states, xr.Dataset):
        state = states[one_of_names("field", field, list(model.fields))].transpose("step", ...)
        field = None
    else:
        state = states.rename("state").assign_attrs(model._layout.attrs).transpose("step", ...)
    dim = state.dims[1]
    if state.ndim > 2 and not has_places(state, str(dim)) and state.sizes[dim] <= MOST_LINES:
        names = [str(value) for value in (state[dim].values if dim in state.coords else range(state.sizes[dim]))]
        chosen = one_of_names("field", field, names)
        state = state.isel({dim: names.index(chosen)}, drop=True).rename(f"{state.name} {chosen}")
        field = None
    if field is not None:
        raise RomValueError(f"field is {field!r}, but the states of this model are a single field; leave it out")
    while state.ndim > 3:
        state = state.isel({state.dims[1]: state.shape[1] // 2}, drop=True)
    return state


def everywhere(model: Model) -> dict[str, Any]:
    """What `decode` is asked with beside latent states: of a model in a function space, positions all over the domain."""
    space = model._layout.space
    if space is None:
        return {}
    count = POSITIONS[min(len(space.axes), 3) - 1]
    return {"at": {axis.name: np.linspace(axis.low, axis.high, count, not axis.periodic) for axis in space.axes}}


def one_of_names(argument: str, name: str | None, names: list[str]) -> str:
    """`name`, or the first of `names` where it is None."""
    if name is not None and name not in names:
        raise RomValueError(f"{argument}: unknown {name!r}; {nearest(name, names)}")
    return names[0] if name is None else name


def kind_of(states: xr.DataArray) -> str:
    """How states (step, *dims) are drawn."""
    if states.ndim > 2:
        return "images"
    return "lines" if is_field(states) or states[0].size > MOST_LINES else "curves"


def traverse_curves(along: dict[int, xr.DataArray]) -> Figure:
    """A panel for each latent coordinate: the few components over it."""
    figure, panels = grid_of_panels(along)
    for ax, states in zip(panels, along.values(), strict=True):
        for c, values in enumerate(states.values.reshape(len(states), -1).T):
            style: dict[str, Any] = {"color": COLOURS[c % len(COLOURS)], "ls": STYLES[c % len(STYLES)]}
            ax.plot(states["step"], values, lw=1.6, label=name_of(states, c), **style)
        ax.set_xlabel("standard deviations from the mean")
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper right", ncols=len(names), fontsize="small", frameon=False)
    return figure


def traverse_lines(along: dict[int, xr.DataArray]) -> Figure:
    """A panel for each latent coordinate: a line over space for each step along it."""
    figure, panels = grid_of_panels(along)
    mappable = ScalarMappable(Normalize(-REACH, REACH), SEQUENTIAL)
    for ax, states in zip(panels, along.values(), strict=True):
        space = str(states.dims[1])
        place = states[space].values if is_field(states) else np.arange(states.shape[1])
        for step, state in zip(states["step"].values, states.values, strict=True):
            ax.plot(place, state, color=mappable.to_rgba(step), lw=1.3)
        ax.set_xlabel(label(space.replace("_", " "), states[space]))
        ax.set_xlim(place[0], place[-1])
    words = "standard deviations from the mean"
    figure.colorbar(mappable, ax=panels, label=words, ticks=np.arange(-REACH, REACH + 1), pad=0.01, fraction=0.05)
    return figure


def grid_of_panels(along: dict[int, xr.DataArray]) -> tuple[Figure, list[Axes]]:
    """A panel for each latent coordinate, three in a row, with one scale for the states."""
    columns = min(3, len(along)) if len(along) != 4 else 2
    rows = -(-len(along) // columns)
    figure = Picture(figsize=(3.2 * columns + 1.4, 2.5 * rows + 0.7), layout="constrained")
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    panels = list(axes.flat)[: len(along)]
    for ax in axes.flat[len(along) :]:
        ax.remove()
    for k, (number, states) in enumerate(along.items()):
        panels[k].set_title(f"along {symbol(number)}", fontsize="medium")
        panels[k].grid(alpha=0.3)
        if k % columns == 0:
            panels[k].set_ylabel(label(str(states.name), states))
        panels[k].tick_params(labelbottom=True)
    return figure, panels


def traverse_images(along: dict[int, xr.DataArray]) -> Figure:
    """A row of images for each latent coordinate, all with one scale of colours."""
    first = next(iter(along.values()))
    across, up = map(str, first.dims[1:] if first.dims[1:] == ("x", "y") else first.dims[:0:-1])
    x, y = (first[dim].values if increasing(first, dim) else np.arange(first.sizes[dim]) for dim in (across, up))
    # Images and matrices have their first row on top, fields over places the largest of these.
    downwards = not increasing(first, up)
    alike = has_places(first, across) and has_places(first, up) and first[across].attrs == first[up].attrs
    ratio = float(np.clip(np.ptp(y) / np.ptp(x), 0.4, 1.6)) if alike else 0.8
    columns, rows = first.sizes["step"], len(along)
    figure = Picture(figsize=(1.75 * columns + 1.3, 1.75 * ratio * rows + 0.8), layout="constrained")
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    if downwards:
        axes[0, 0].invert_yaxis()  # of all of them: they share it
    low = min(float(states.min()) for states in along.values())
    high = max(float(states.max()) for states in along.values())
    for row, (k, states) in zip(axes, along.items(), strict=True):
        values = states.transpose("step", up, across)
        for ax, step, state in zip(row, values["step"].values, values.values, strict=True):
            style: dict[str, Any] = {"shading": "nearest", "rasterized": True, "cmap": SEQUENTIAL}
            image = ax.pcolormesh(x, y, state, vmin=low, vmax=high, **style)
            if alike:
                ax.set_aspect("equal")
            ax.label_outer()
            if k == next(iter(along)):
                ax.set_title("mean" if step == 0 else f"{step:+.0f} s.d.", fontsize="medium")
        row[0].set_ylabel(f"along {symbol(k)}\n{label(up, first[up])}")
    for ax in axes[-1]:
        ax.set_xlabel(label(across, first[across]))
    figure.colorbar(image, ax=axes, label=label(str(first.name), first), pad=0.01)
    return figure


def view_of(
    model: Model, flat: np.ndarray, unit: np.ndarray, components: Any, most: int
) -> tuple[list[str], Callable[[np.ndarray], np.ndarray]]:
    """The names of the axes of a picture of flat states (N, n), and the map of such states to them.

    Principal directions, at most `most`, are those of states over `unit` (n,).
    """
    n = flat.shape[1]
    if components is None and n > 3:
        mean = (flat / unit).mean(axis=0)
        sizes, directions = np.linalg.svd(flat[drawn(len(flat))] / unit - mean, full_matrices=False)[1:]
        count = max(2, int((sizes[:most] ** 2 > FLAT * sizes[0] ** 2).sum()))
        directions = directions[:count]
        return [f"principal direction {k + 1}" for k in range(count)], lambda x: (x / unit - mean) @ directions.T
    chosen = np.arange(n) if components is None else np.asarray(components)
    if chosen.shape not in ((2,), (3,)) or chosen.dtype.kind not in "iu":
        raise RomValueError(
            f"components must be two or three positions in the flat state, got {chosen.tolist()!r}; states have {n}"
        )
    if chosen.min() < 0 or chosen.max() >= n:
        raise RomValueError(f"components is {chosen.tolist()}; the flat state has positions 0 to {n - 1}")
    return [component_name(model, int(k)) for k in chosen], lambda x: x[:, chosen]


def component_name(model: Model, component: int) -> str:
    """What one component of the flat state is called, with units."""
    parts = model._layout.parts
    k, where = next((k, s) for k, s in enumerate(model._layout.field_slices) if s.start <= component < s.stop)
    state = xr.DataArray(np.empty((1, *parts[k].shape)), dims=("step", *parts[k].dims), attrs=parts[k].attrs)
    own = {n: c for n, c in model._layout.labels().items() if set(c.dims) <= set(parts[k].dims)}
    words = name_of(state.assign_coords(own), component - where.start)
    name = f"{parts[k].name} {words}".strip() if model.fields else words
    return name if model._layout.space is not None else label(name, state)  # coefficients have no units of values
