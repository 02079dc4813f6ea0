"""Pictures of the latent dynamics."""

import numpy as np
import pytest
from rotating_model import RotatingModel, labels, panels, pixels

import rom
from rom.plotting import plot_vector_field


def test_the_flow_is_drawn_with_some_trajectories_in_the_region_of_the_data():
    model = RotatingModel((3,), 2, time_attrs={"units": "s"})
    figure = plot_vector_field(model, model.states((9, 20)))
    ax = panels(figure)[0]
    assert len([line for line in ax.lines if line.get_color() == "black"]) == 12  # six lines, six starts
    assert "speed $|\\mathrm{d}z/\\mathrm{d}t|$ [1/s]" in labels(figure)
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["trajectories", "region of the data"]
    points = plot_vector_field(model, model.states((30,)))
    assert [t.get_text() for t in points.legends[0].get_texts()] == ["data", "region of the data"]


def test_the_speed_is_that_of_the_parameters_given():
    model = RotatingModel((3,), 2)
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
    model = RotatingModel((3,), 1)
    figure = plot_vector_field(model, model.states())
    line = panels(figure)[0].lines[1]
    np.testing.assert_allclose(line.get_ydata(), -line.get_xdata())
