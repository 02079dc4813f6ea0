"""Pictures of a latent space: where the data lie, what its coordinates mean, the manifold it parametrises, the flow on it."""

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
from scipy.spatial import ConvexHull, QhullError

from rom.autoencoder import Autoencoder
from rom.errors import RomTypeError, RomValueError, nearest
from rom.figures import BLUE, COLOURS, GREY, MOST_LINES, ORANGE, STYLES, Picture, finished, is_field, label, name_of
from rom.latent_quality import as_array, flattened, of_trajectories, units_of
from rom.model import ReducedOrderModel

__all__ = ["plot_latent", "plot_manifold", "plot_traversal", "plot_vector_field"]

Model = ReducedOrderModel | Autoencoder
Rate = Callable[[np.ndarray], np.ndarray]  # (N, d) to (N, d)

FEWEST_STATES = 3
MOST_POINTS = 5000  # that are drawn of a cloud
MOST_DECODED = 500  # latent states, to tell which coordinates matter
MOST_PATHS = 6  # trajectories over a vector field: more would hide it
MOST_COORDINATES = 6
REACH = 2.0  # standard deviations to both sides of the mean
STEPS = {"curves": 61, "lines": 9, "images": 5}
SEQUENTIAL = "viridis"
DOTS: dict[str, Any] = {"s": 7, "alpha": 0.7, "linewidths": 0.0, "rasterized": True}
MARGIN = 0.05  # of the width of the data, around them
DENSE = 121  # points along a line of a manifold, and of a vector field
FLAT = 1e-4  # of the largest variance: directions with less are not drawn
MESH = 13  # lines of a surface in each direction


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
        that decide most about the decoded states (`importance` of `rom.latent_quality`), in their order.
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
    a coordinate says that it grows upwards, few components against
    the coordinate. Of more than six coordinates, the six of the largest variance are shown. Returns the Figure. Raises
    `RomValueError` for unusable arguments, `RomError` where the picture cannot be written.
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
    components: the two or three components of a state that span the picture, positions in the flat state. Default: all of
        two or three, and of more the three principal directions of `states` (two where these lie in a plane, or the latent space
        is a line).

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
    Returns the Figure. Raises `RomValueError` for unusable arguments, `RomError` where the picture cannot be written.
    """
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


# -----------------------------------------------------------------------------------------------------------
# Latent states
# -----------------------------------------------------------------------------------------------------------


def cloud_of(model: Model, states: Any) -> np.ndarray:
    """Latent states (N, d) of states with any leading axes."""
    values = encoded(model, states)
    return values.reshape(-1, values.shape[-1])


def encoded(model: Model, states: Any) -> np.ndarray:
    """Latent states (..., d) in float64."""
    return as_array(model.encode(of_trajectories(states))).astype(np.float64)


def require_enough(cloud: np.ndarray) -> np.ndarray:
    if len(cloud) < FEWEST_STATES:
        raise RomValueError(f"{len(cloud)} states are too few for a picture; pass at least {FEWEST_STATES}")
    if not np.isfinite(cloud).all():
        first = int(np.argmin(np.isfinite(cloud).all(axis=1)))
        raise RomValueError(f"latent state {first} is not finite; leave such states out")
    return cloud


def drawn(count: int) -> np.ndarray:
    """Positions of the states that are drawn, at random where there are too many, in random order: none hides the others."""
    return np.random.default_rng(0).permutation(count)[:MOST_POINTS]


def largest(cloud: np.ndarray, count: int) -> list[int]:
    """The coordinates of largest variance, in their own order."""
    return sorted(np.argsort(-cloud.var(axis=0), kind="stable")[:count].tolist())


def important(model: Model, cloud: np.ndarray) -> list[int]:
    """The two coordinates without which decoded states change most, in their own order."""
    if cloud.shape[1] != model.latent_dim:
        raise RomValueError(f"latent has {cloud.shape[1]} coordinates, those of the model are {model.latent_dim}")
    some = cloud[drawn(len(cloud))[:MOST_DECODED]]
    states = decoded_flat(model, some)
    unit = units_of(states, model._layout.field_groups)
    changes = []
    for k in range(cloud.shape[1]):
        without = some.copy()
        without[:, k] = cloud[:, k].mean()
        changes.append(float(np.square((decoded_flat(model, without) - states) / unit).sum()))
    return sorted(np.argsort(-np.array(changes), kind="stable")[:2].tolist())


def plane_of(cloud: np.ndarray, axes: Any) -> tuple[int, int]:
    """The two coordinates that span a picture."""
    d = cloud.shape[1]
    if axes is None:
        i, j = largest(cloud, 2)
        return i, j
    chosen = np.asarray(axes)
    if chosen.shape != (2,) or chosen.dtype.kind not in "iu" or chosen[0] == chosen[1]:
        raise RomValueError(f"axes must be two different latent coordinates, as (0, 1), got {axes!r}")
    if chosen.min() < 0 or chosen.max() >= d:
        raise RomValueError(f"axes is {axes!r}; this latent space has coordinates 0 to {d - 1}")
    return int(chosen[0]), int(chosen[1])


def symbol(k: int) -> str:
    return f"$z_{{{k}}}$"


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


# -----------------------------------------------------------------------------------------------------------
# Decoded states
# -----------------------------------------------------------------------------------------------------------


def decoded(model: Model, latent: np.ndarray, field: str | None) -> xr.DataArray:
    """One field (step, *dims) of the decoded latent states (step, d), at most two dimensions of it, with name and units."""
    states = model.decode(xr.DataArray(latent, dims=("step", "latent")))
    if isinstance(states, xr.Dataset):
        state = states[one_of_names("field", field, list(model.fields))].transpose("step", ...)
        field = None
    else:
        state = states.rename("state").assign_attrs(model._layout.attrs).transpose("step", ...)
    dim = state.dims[1]
    if state.ndim > 2 and not numbers(state, str(dim)) and state.sizes[dim] <= MOST_LINES:
        names = [str(value) for value in (state[dim].values if dim in state.coords else range(state.sizes[dim]))]
        chosen = one_of_names("field", field, names)
        state = state.isel({dim: names.index(chosen)}, drop=True).rename(f"{state.name} {chosen}")
        field = None
    if field is not None:
        raise RomValueError(f"field is {field!r}, but the states of this model are a single field; leave it out")
    while state.ndim > 3:
        state = state.isel({state.dims[1]: state.shape[1] // 2}, drop=True)
    return state


def one_of_names(argument: str, name: str | None, names: list[str]) -> str:
    """`name`, or the first of `names` where it is None."""
    if name is not None and name not in names:
        raise RomValueError(f"{argument}: unknown {name!r}; {nearest(name, names)}")
    return names[0] if name is None else name


def decoded_flat(model: Model, latent: np.ndarray) -> np.ndarray:
    """Flat states (N, n)."""
    return np.asarray(model.decode(latent)).reshape(len(latent), -1)


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
    alike = numbers(first, across) and numbers(first, up) and first[across].attrs == first[up].attrs
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


def numbers(state: xr.DataArray, dim: str) -> bool:
    """Whether the coordinate of `dim` holds places."""
    return increasing(state, dim) and state[dim].dtype.kind == "f"


def increasing(state: xr.DataArray, dim: str) -> bool:
    """Whether `dim` has a coordinate of numbers that grow."""
    if dim not in state.coords or state[dim].dtype.kind not in "iuf":
        return False
    places = state[dim].values
    return bool((places[1:] > places[:-1]).all())


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
    return label(f"{parts[k].name} {words}".strip() if model.fields else words, state)


def mesh_of(latent: np.ndarray) -> list[np.ndarray]:
    """Lines (K, d) in the latent space over the region of the data (N, d): one of a single coordinate, else a mesh."""
    centre = latent.mean(axis=0)
    if latent.shape[1] == 1:
        return [np.linspace(latent.min(), latent.max(), DENSE)[:, None]]
    i, j = largest(latent, 2)
    plane = latent[:, [i, j]]
    inside = region_of(plane)
    low, high = plane.min(axis=0), plane.max(axis=0)
    lines: list[np.ndarray] = []
    for along, other in ((0, 1), (1, 0)):
        for level in np.linspace(low[other], high[other], MESH):
            points = np.empty((DENSE, 2))
            points[:, along], points[:, other] = np.linspace(low[along], high[along], DENSE), level
            kept = points[inside(points)]  # one piece: the region is convex
            if len(kept) > 1:
                line = np.repeat(centre[None], len(kept), axis=0)
                line[:, [i, j]] = kept
                lines.append(line)
    return lines


# -----------------------------------------------------------------------------------------------------------
# The flow
# -----------------------------------------------------------------------------------------------------------


def hull_of(plane: np.ndarray) -> np.ndarray:
    """The corners of the convex hull of points (N, 2), a little widened: (K, 2)."""
    try:
        corners = plane[ConvexHull(plane / positive_width(plane)).vertices]
    except QhullError:  # on a line
        low, high = plane.min(axis=0), plane.max(axis=0)
        corners = np.array([[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]])
        corners = corners + MARGIN * positive_width(plane) * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    centre = corners.mean(axis=0)
    return centre + (1.0 + MARGIN) * (corners - centre)


def positive_width(plane: np.ndarray) -> np.ndarray:
    width = np.ptp(plane, axis=0)
    return np.where(width > 0, width, max(float(width.max()), 1e-300) if width.any() else 1.0)


def region_of(plane: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Whether points (K, 2) lie in the hull of the data (N, 2)."""
    corners = hull_of(plane)
    following = np.roll(corners, -1, axis=0) - corners

    def contains(points: np.ndarray) -> np.ndarray:
        offset = points[:, None] - corners
        cross = following[:, 0] * offset[..., 1] - following[:, 1] * offset[..., 0]
        return np.asarray((cross >= 0).all(axis=1))

    return contains


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
