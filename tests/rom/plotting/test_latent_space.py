"""Pictures of latent spaces: not blank, with the right panels, labels and numbers, for states of every kind."""

import sys

import matplotlib
import numpy as np
import pytest
import torch
import xarray as xr
from matplotlib.figure import Figure

import rom
from rom.data.layout import Layout
from rom.plotting import plot_latent, plot_manifold, plot_traversal, plot_vector_field
from rom.plotting.region import convex_hull, inside_hull, mesh_lines

PLOTS = [plot_traversal, plot_manifold, plot_vector_field]


class Turning:
    """A model whose maps are known: x = z D over a field, dz/dt a rotation. What pictures ask of a `ReducedOrderModel`."""

    def __init__(self, shape, d, coords=None, units="1", **layout):
        self.shape, self.d = shape, d
        dims = tuple(f"axis{k}" for k in range(len(shape))) if coords is None else tuple(coords)[: len(shape)]
        labels = {k: {"dims": [k], "data": list(v), "attrs": {"units": "m"}} for k, v in (coords or {}).items()}
        self._layout = Layout(dims, shape, labels, attrs={"units": units}, **layout)
        self.fields = ()
        self.directions = np.linalg.qr(np.random.default_rng(1).standard_normal((int(np.prod(shape)), d)))[0].T

    def encode(self, x):
        values = np.asarray(x).reshape(*np.shape(x)[: np.ndim(x) - len(self.shape)], -1) @ self.directions.T
        return (
            xr.DataArray(values, dims=(*x.dims[: values.ndim - 1], "latent")) if isinstance(x, xr.DataArray) else values
        )

    def decode(self, z):
        if isinstance(z, torch.Tensor):
            return (z @ torch.from_numpy(self.directions)).reshape(*z.shape[:-1], *self.shape)
        states = (np.asarray(z) @ self.directions).reshape(*z.shape[:-1], *self.shape)
        dims = self._layout.dims
        return (
            xr.DataArray(states, dims=("step", *dims), coords=self._layout.labels())
            if isinstance(z, xr.DataArray)
            else states
        )

    def latent_rhs(self, z, mu=None, t=0.0, inputs=None):  # noqa: ARG002
        speed = 1.0 if mu is None else float(mu)
        return -speed * z if self.d == 1 else speed * np.roll(z, 1, axis=-1) * np.resize([1.0, -1.0], self.d)

    def states(self, lead=(5, 20)):
        z = np.random.default_rng(0).standard_normal((*lead, self.d)) * np.linspace(2.0, 1.0, self.d)
        return (z @ self.directions).reshape(*lead, *self.shape)


X, Y = np.linspace(0.0, 1.0, 30), np.linspace(0.0, 2.0, 12)
FIELD = ((30,), {"x": X})
PLANE = ((12, 30), {"y": Y, "x": X})


def pixels(figure):
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3]


def panels(figure):
    return [ax for ax in figure.axes if ax.get_label() != "<colorbar>"]


def labels(figure):
    return {ax.get_xlabel() for ax in figure.axes} | {ax.get_ylabel() for ax in figure.axes}


# -- every picture ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize(
    ("shape", "coords", "d"), [((3,), None, 1), ((2,), None, 2), (*FIELD, 1), (*FIELD, 3), (*PLANE, 2)]
)
def test_pictures_of_all_kinds_are_drawn(plot, shape, coords, d):
    model = Turning(shape, d, coords)
    figure = plot(model, model.states())
    assert isinstance(figure, Figure)
    assert pixels(figure).std() > 5


@pytest.mark.parametrize("plot", PLOTS)
def test_a_fitted_model_is_drawn_from_labelled_trajectories(plot, model, runs):
    assert pixels(plot(model, runs)).std() > 5
    np.testing.assert_array_equal(pixels(plot(model, runs)), pixels(plot(model, runs["state"].values)))


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_pictures_are_written(tmp_path, suffix):
    path, model = tmp_path / f"picture.{suffix}", Turning((3,), 1)
    for plot in PLOTS:
        plot(model, model.states(), path)
        assert path.stat().st_size > 5000
        path.unlink()
    plot_latent(model.encode(model.states()), path)
    assert path.stat().st_size > 5000


def test_pyplot_and_the_settings_of_matplotlib_are_left_alone():
    before = dict(matplotlib.rcParams)
    model = Turning((3,), 2)
    figures = [plot(model, model.states()) for plot in PLOTS]
    assert dict(matplotlib.rcParams) == before
    if "matplotlib.pyplot" in sys.modules:
        assert sys.modules["matplotlib.pyplot"].get_fignums() == []
    assert all(figure._repr_png_().startswith(b"\x89PNG") for figure in figures)


@pytest.mark.parametrize("plot", PLOTS)
def test_too_few_states_and_states_that_are_not_finite_are_refused(plot):
    model = Turning((3,), 2)
    with pytest.raises(rom.RomValueError, match="2 states are too few"):
        plot(model, model.states((2,)))
    states = model.states((9,))
    states[4] = np.nan
    with pytest.raises(rom.RomValueError, match="latent state 4 is not finite"):
        plot(model, states)


# -- latent states ----------------------------------------------------------------------------------------------------


def test_points_lie_in_the_plane_of_largest_variance_or_the_one_asked_for():
    z = np.random.default_rng(0).standard_normal((50, 4)) * [1.0, 3.0, 0.1, 2.0]
    ax = panels(plot_latent(z))[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("$z_{1}$", "$z_{3}$")
    assert {tuple(p) for p in ax.collections[0].get_offsets().tolist()} == {tuple(p) for p in z[:, [1, 3]].tolist()}
    ax = panels(plot_latent(z, axes=(2, 0)))[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("$z_{2}$", "$z_{0}$")


def test_a_labelled_colour_is_filled_up_and_named():
    z = xr.DataArray(np.random.default_rng(0).standard_normal((4, 5, 2)), dims=("trajectory", "time", "latent"))
    time = xr.DataArray(np.arange(5.0), dims="time", name="time", attrs={"units": "s"})
    figure = plot_latent(z, colour=time)
    assert "time [s]" in labels(figure)
    points = panels(figure)[0].collections[0]
    found = {(*p, c) for p, c in zip(points.get_offsets().tolist(), points.get_array().tolist(), strict=True)}
    assert found == {(*z.values[i, k].tolist(), float(k)) for i in range(4) for k in range(5)}


def test_a_single_coordinate_is_counted_or_drawn_against_the_colour():
    z = np.random.default_rng(0).standard_normal((100, 1))
    ax = panels(plot_latent(z))[0]
    assert ax.get_ylabel() == "states"
    assert sum(patch.get_height() for patch in ax.patches) == 100
    energy = xr.DataArray(z[:, 0] ** 2, dims="sample", name="energy", attrs={"units": "J"})
    assert panels(plot_latent(z, colour=energy))[0].get_ylabel() == "energy [J]"


def test_of_many_points_some_are_drawn():
    z = np.random.default_rng(0).standard_normal((20_000, 2))
    assert len(panels(plot_latent(z))[0].collections[0].get_offsets()) == 5000


@pytest.mark.parametrize(
    ("latent", "settings", "words"),
    [
        (np.zeros((9, 2)), {"axes": (0, 2)}, "coordinates 0 to 1"),
        (np.zeros((9, 2)), {"axes": (1, 1)}, "two different"),
        (np.zeros((9, 2)), {"colour": np.zeros(8)}, r"colour has shape \(8,\)"),
        (np.zeros((9, 2)), {"colour": ["a"] * 9}, "a number for each"),
        (np.zeros(9), {}, "latent must be"),
    ],
)
def test_unusable_arguments_are_refused(latent, settings, words):
    with pytest.raises(rom.RomError, match=words):
        plot_latent(latent, **settings)


def test_a_labelled_colour_must_fit():
    z = xr.DataArray(np.zeros((4, 5, 2)), dims=("trajectory", "time", "latent"))
    with pytest.raises(rom.RomValueError, match="colour has dimensions"):
        plot_latent(z, colour=xr.DataArray(np.zeros(5), dims="point"))
    with pytest.raises(rom.RomValueError, match="colour has sizes"):
        plot_latent(z, colour=xr.DataArray(np.zeros(6), dims="time"))


def test_a_model_tells_which_two_coordinates_matter():
    model = Turning(*FIELD[:1], 3, FIELD[1])
    model.latent_dim = 3
    z = np.random.default_rng(0).standard_normal((200, 3)) * [1.0, 3.0, 2.0]
    model.directions[1] *= 0.01  # of the largest variance, and of no effect
    labelled = panels(plot_latent(z, model=model))[0]
    assert (labelled.get_xlabel(), labelled.get_ylabel()) == ("$z_{0}$", "$z_{2}$")
    labelled = panels(plot_latent(z))[0]
    assert (labelled.get_xlabel(), labelled.get_ylabel()) == ("$z_{1}$", "$z_{2}$")
    with pytest.raises(rom.RomError, match="latent has 2 coordinates, those of the model are 3"):
        plot_latent(z[:, :2], model=model)


# -- traversals -------------------------------------------------------------------------------------------------------


def test_a_traversal_shows_decoded_states_with_units():
    model = Turning(FIELD[0], 2, FIELD[1], units="K")
    figure = plot_traversal(model, model.states())
    first, second = panels(figure)
    assert (first.get_title(), second.get_title()) == ("along $z_{0}$", "along $z_{1}$")
    assert {"state [K]", "x [m]", "standard deviations from the mean"} <= labels(figure)
    z = model.encode(model.states()).reshape(-1, 2)
    expected = model.decode(np.array([[z[:, 0].mean() - 2 * z[:, 0].std(), z[:, 1].mean()]]))[0]
    np.testing.assert_allclose(first.lines[0].get_ydata(), expected)
    assert len(first.lines) == 9


def test_a_traversal_of_few_components_names_them():
    model = Turning((3,), 2)
    figure = plot_traversal(model, model.states())
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["axis0 0", "axis0 1", "axis0 2"]


@pytest.mark.parametrize(
    ("coords", "inverted"),
    [(PLANE[1], False), ({"y": Y[::-1], "x": X}, True), ({"y": np.arange(12), "x": X}, False), (None, True)],
)
def test_images_have_their_first_row_on_top_unless_a_coordinate_grows_upwards(coords, inverted):
    model = Turning(PLANE[0], 2, coords)
    for ax in panels(plot_traversal(model, model.states())):
        assert ax.yaxis_inverted() == inverted


def test_a_traversal_of_planes_is_rows_of_images_with_one_scale():
    model = Turning(PLANE[0], 2, PLANE[1])
    figure = plot_traversal(model, model.states())
    images = [ax.collections[0] for ax in panels(figure)]
    assert len(images) == 10
    assert len({image.get_clim() for image in images}) == 1
    assert [ax.get_title() for ax in panels(figure)][:5] == ["-2 s.d.", "-1 s.d.", "mean", "+1 s.d.", "+2 s.d."]
    assert {"x [m]", "along $z_{0}$\ny [m]"} <= labels(figure)
    assert panels(figure)[0].get_aspect() == 1.0


def test_a_component_of_a_field_of_vectors_is_chosen():
    model = Turning((2, 30), 2, {"component": np.array([0, 1]), "x": X})
    model._layout.coords["component"]["data"] = ["u", "v"]
    assert "state v" in labels(plot_traversal(model, model.states(), field="v"))
    assert "state u" in labels(plot_traversal(model, model.states()))
    with pytest.raises(rom.RomValueError, match=r"field: unknown 'w'; valid names: u, v"):
        plot_traversal(model, model.states(), field="w")


def test_a_single_field_has_none_to_choose():
    model = Turning(FIELD[0], 2, FIELD[1])
    with pytest.raises(rom.RomValueError, match="single field"):
        plot_traversal(model, model.states(), field="pressure")


def test_six_coordinates_are_shown_of_many():
    model = Turning(FIELD[0], 8, FIELD[1])
    titles = [ax.get_title() for ax in panels(plot_traversal(model, model.states((2000,))))]
    assert titles == [f"along $z_{{{k}}}$" for k in range(6)]


# -- manifolds --------------------------------------------------------------------------------------------------------


def test_the_mesh_lies_on_the_manifold_and_in_the_region():
    z = np.random.default_rng(0).standard_normal((200, 3)) * [2.0, 1.0, 0.1]
    inside = inside_hull(z[:, :2])
    for line in mesh_lines(z):
        assert inside(line[:, :2]).all()
        np.testing.assert_allclose(line[:, 2], z[:, 2].mean())
        assert (np.ptp(line, axis=0) == 0).any()


def test_components_are_named_with_units():
    model = Turning(FIELD[0], 2, FIELD[1], units="K")
    figure = plot_manifold(model, model.states(), components=[0, 29])
    assert {"x 0 [K]", "x 1 [K]"} <= labels(figure)
    figure = plot_manifold(model, model.states(), components=[0, 5, 29])
    assert figure.axes[0].get_zlabel() == "x 1 [K]"


def test_directions_are_those_that_the_data_have():
    """A plane in thirty dimensions is drawn flat; a curved surface in space."""
    model = Turning(FIELD[0], 2, FIELD[1])
    assert not hasattr(plot_manifold(model, model.states()).axes[0], "get_zlabel")
    curved = model.states()
    curved += 0.3 * np.square(curved).sum(axis=-1, keepdims=True)
    assert hasattr(plot_manifold(model, curved).axes[0], "get_zlabel")


@pytest.mark.parametrize(("components", "words"), [([0], "two or three"), ([0, 30], "0 to 29"), ("ab", "two or three")])
def test_components_that_are_not_there_are_refused(components, words):
    model = Turning(FIELD[0], 2, FIELD[1])
    with pytest.raises(rom.RomValueError, match=words):
        plot_manifold(model, model.states(), components=components)


# -- the flow ---------------------------------------------------------------------------------------------------------


def test_the_flow_is_drawn_with_some_trajectories_in_the_region_of_the_data():
    model = Turning((3,), 2, time_attrs={"units": "s"})
    figure = plot_vector_field(model, model.states((9, 20)))
    ax = panels(figure)[0]
    assert len([line for line in ax.lines if line.get_color() == "black"]) == 12  # six lines, six starts
    assert "speed $|\\mathrm{d}z/\\mathrm{d}t|$ [1/s]" in labels(figure)
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["trajectories", "region of the data"]
    points = plot_vector_field(model, model.states((30,)))
    assert [t.get_text() for t in points.legends[0].get_texts()] == ["data", "region of the data"]


def test_the_speed_is_that_of_the_parameters_given():
    model = Turning((3,), 2)
    slow, fast = (plot_vector_field(model, model.states(), mu=mu).axes[-1].get_ylim()[1] for mu in (1.0, 10.0))
    assert fast == pytest.approx(10 * slow, rel=1e-6)


def test_a_fitted_model_with_parameters_is_asked_for_them(parametric_model, decay_runs):
    assert pixels(plot_vector_field(parametric_model, decay_runs, mu=[1.0])).std() > 5
    with pytest.raises(rom.RomValueError, match="mu is missing"):
        plot_vector_field(parametric_model, decay_runs)


def test_what_has_no_dynamics_has_no_vector_field():
    data = np.random.default_rng(0).standard_normal((30, 3))
    autoencoder = rom.fit_autoencoder(data, 2, config=rom.FitConfig(steps=1))
    with pytest.raises(rom.RomTypeError, match="must be a ReducedOrderModel, which has dynamics, got Autoencoder"):
        plot_vector_field(autoencoder, data)


def test_the_dynamics_of_a_single_coordinate_are_a_curve():
    model = Turning((3,), 1)
    figure = plot_vector_field(model, model.states())
    line = panels(figure)[0].lines[1]
    np.testing.assert_allclose(line.get_ydata(), -line.get_xdata())


@pytest.mark.parametrize("width", [0.0, 1.0])
def test_a_region_on_a_line_has_an_inside(width):
    t = np.linspace(-1.0, 1.0, 20)
    plane = np.stack([t, width * t], axis=1)
    assert np.isfinite(convex_hull(plane)).all()
    assert inside_hull(plane)(plane).all()
