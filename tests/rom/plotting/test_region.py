"""The region of a plane that data occupy."""

import numpy as np
import pytest

from rom.plotting.region import convex_hull, inside_hull, mesh_lines


def test_the_mesh_lies_on_the_manifold_and_in_the_region():
    z = np.random.default_rng(0).standard_normal((200, 3)) * [2.0, 1.0, 0.1]
    inside = inside_hull(z[:, :2])
    for line in mesh_lines(z):
        assert inside(line[:, :2]).all()
        np.testing.assert_allclose(line[:, 2], z[:, 2].mean())
        assert (np.ptp(line, axis=0) == 0).any()


@pytest.mark.parametrize("width", [0.0, 1.0])
def test_a_region_on_a_line_has_an_inside(width):
    t = np.linspace(-1.0, 1.0, 20)
    plane = np.stack([t, width * t], axis=1)
    assert np.isfinite(convex_hull(plane)).all()
    assert inside_hull(plane)(plane).all()
