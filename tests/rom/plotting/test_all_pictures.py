"""What all pictures of latent spaces have in common: they are drawn for states of every kind, and written to files."""

import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from rotating_model import FIELD, PLANE, RotatingModel, pixels

import rom
from rom.plotting import plot_latent, plot_manifold, plot_traversal, plot_vector_field

PLOTS = [plot_traversal, plot_manifold, plot_vector_field]


@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize(
    ("shape", "coords", "d"), [((3,), None, 1), ((2,), None, 2), (*FIELD, 1), (*FIELD, 3), (*PLANE, 2)]
)
def test_pictures_of_all_kinds_are_drawn(plot, shape, coords, d):
    model = RotatingModel(shape, d, coords)
    figure = plot(model, model.states())
    assert isinstance(figure, Figure)
    assert pixels(figure).std() > 5


@pytest.mark.parametrize("plot", PLOTS)
def test_a_fitted_model_is_drawn_from_labelled_trajectories(plot, model, runs):
    assert pixels(plot(model, runs)).std() > 5
    np.testing.assert_array_equal(pixels(plot(model, runs)), pixels(plot(model, runs["state"].values)))


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_pictures_are_written(tmp_path, suffix):
    path, model = tmp_path / f"picture.{suffix}", RotatingModel((3,), 1)
    for plot in PLOTS:
        plot(model, model.states(), path)
        assert path.stat().st_size > 5000
        path.unlink()
    plot_latent(model.encode(model.states()), path)
    assert path.stat().st_size > 5000


def test_pyplot_and_the_settings_of_matplotlib_are_left_alone():
    before = dict(matplotlib.rcParams)
    model = RotatingModel((3,), 2)
    figures = [plot(model, model.states()) for plot in PLOTS]
    assert dict(matplotlib.rcParams) == before
    if "matplotlib.pyplot" in sys.modules:
        assert sys.modules["matplotlib.pyplot"].get_fignums() == []
    assert all(figure._repr_png_().startswith(b"\x89PNG") for figure in figures)


@pytest.mark.parametrize("plot", PLOTS)
def test_too_few_states_and_states_that_are_not_finite_are_refused(plot):
    model = RotatingModel((3,), 2)
    with pytest.raises(rom.RomValueError, match="2 states are too few"):
        plot(model, model.states((2,)))
    states = model.states((9,))
    states[4] = np.nan
    with pytest.raises(rom.RomValueError, match="latent state 4 is not finite"):
        plot(model, states)
