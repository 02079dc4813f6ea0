"""Pictures of latent states."""

import numpy as np
import pytest
import xarray as xr
from rotating_model import FIELD, RotatingModel, labels, panels

import rom
from rom.plotting import plot_latent


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
    model = RotatingModel(*FIELD[:1], 3, FIELD[1])
    model.latent_dim = 3
    z = np.random.default_rng(0).standard_normal((200, 3)) * [1.0, 3.0, 2.0]
    model.directions[1] *= 0.01  # of the largest variance, and of no effect
    labelled = panels(plot_latent(z, model=model))[0]
    assert (labelled.get_xlabel(), labelled.get_ylabel()) == ("$z_{0}$", "$z_{2}$")
    labelled = panels(plot_latent(z))[0]
    assert (labelled.get_xlabel(), labelled.get_ylabel()) == ("$z_{1}$", "$z_{2}$")
    with pytest.raises(rom.RomError, match="latent has 2 coordinates, those of the model are 3"):
        plot_latent(z[:, :2], model=model)
