"""Pictures of the manifold of decoded states."""

import numpy as np
import pytest
from rotating_model import FIELD, RotatingModel, labels

import rom
from rom.plotting import plot_manifold


def test_components_are_named_with_units():
    model = RotatingModel(FIELD[0], 2, FIELD[1], units="K")
    figure = plot_manifold(model, model.states(), components=[0, 29])
    assert {"x 0 [K]", "x 1 [K]"} <= labels(figure)
    figure = plot_manifold(model, model.states(), components=[0, 5, 29])
    assert figure.axes[0].get_zlabel() == "x 1 [K]"


def test_directions_are_those_that_the_data_have():
    """A plane in thirty dimensions is drawn flat; a curved surface in space."""
    model = RotatingModel(FIELD[0], 2, FIELD[1])
    assert not hasattr(plot_manifold(model, model.states()).axes[0], "get_zlabel")
    curved = model.states()
    curved += 0.3 * np.square(curved).sum(axis=-1, keepdims=True)
    assert hasattr(plot_manifold(model, curved).axes[0], "get_zlabel")


@pytest.mark.parametrize(("components", "words"), [([0], "two or three"), ([0, 30], "0 to 29"), ("ab", "two or three")])
def test_components_that_are_not_there_are_refused(components, words):
    model = RotatingModel(FIELD[0], 2, FIELD[1])
    with pytest.raises(rom.RomValueError, match=words):
        plot_manifold(model, model.states(), components=components)
