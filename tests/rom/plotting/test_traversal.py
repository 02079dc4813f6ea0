"""Pictures of decoded states along latent coordinates."""

import numpy as np
import pytest
from rotating_model import FIELD, PLANE, RotatingModel, X, Y, labels, panels

import rom
from rom.plotting import plot_traversal


def test_a_traversal_shows_decoded_states_with_units():
    model = RotatingModel(FIELD[0], 2, FIELD[1], units="K")
    figure = plot_traversal(model, model.states())
    first, second = panels(figure)
    assert (first.get_title(), second.get_title()) == ("along $z_{0}$", "along $z_{1}$")
    assert {"state [K]", "x [m]", "standard deviations from the mean"} <= labels(figure)
    z = model.encode(model.states()).reshape(-1, 2)
    expected = model.decode(np.array([[z[:, 0].mean() - 2 * z[:, 0].std(), z[:, 1].mean()]]))[0]
    np.testing.assert_allclose(first.lines[0].get_ydata(), expected)
    assert len(first.lines) == 9


def test_a_traversal_of_few_components_names_them():
    model = RotatingModel((3,), 2)
    figure = plot_traversal(model, model.states())
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["axis0 0", "axis0 1", "axis0 2"]


@pytest.mark.parametrize(
    ("coords", "inverted"),
    [(PLANE[1], False), ({"y": Y[::-1], "x": X}, True), ({"y": np.arange(12), "x": X}, False), (None, True)],
)
def test_images_have_their_first_row_on_top_unless_a_coordinate_grows_upwards(coords, inverted):
    model = RotatingModel(PLANE[0], 2, coords)
    for ax in panels(plot_traversal(model, model.states())):
        assert ax.yaxis_inverted() == inverted


def test_a_traversal_of_planes_is_rows_of_images_with_one_scale():
    model = RotatingModel(PLANE[0], 2, PLANE[1])
    figure = plot_traversal(model, model.states())
    images = [ax.collections[0] for ax in panels(figure)]
    assert len(images) == 10
    assert len({image.get_clim() for image in images}) == 1
    assert [ax.get_title() for ax in panels(figure)][:5] == ["-2 s.d.", "-1 s.d.", "mean", "+1 s.d.", "+2 s.d."]
    assert {"x [m]", "along $z_{0}$\ny [m]"} <= labels(figure)
    assert panels(figure)[0].get_aspect() == 1.0


def test_a_component_of_a_field_of_vectors_is_chosen():
    model = RotatingModel((2, 30), 2, {"component": np.array([0, 1]), "x": X})
    model._layout.coords["component"]["data"] = ["u", "v"]
    assert "state v" in labels(plot_traversal(model, model.states(), field="v"))
    assert "state u" in labels(plot_traversal(model, model.states()))
    with pytest.raises(rom.RomValueError, match=r"field: unknown 'w'; valid names: u, v"):
        plot_traversal(model, model.states(), field="w")


def test_a_single_field_has_none_to_choose():
    model = RotatingModel(FIELD[0], 2, FIELD[1])
    with pytest.raises(rom.RomValueError, match="single field"):
        plot_traversal(model, model.states(), field="pressure")


def test_six_coordinates_are_shown_of_many():
    model = RotatingModel(FIELD[0], 8, FIELD[1])
    titles = [ax.get_title() for ax in panels(plot_traversal(model, model.states((2000,))))]
    assert titles == [f"along $z_{{{k}}}$" for k in range(6)]
