"""What a network on fields is told: channels, axes, positions, periods, and the order of a state."""

import numpy as np
import pytest
import xarray as xr

import rom
from rom.data.fields import Field
from rom.data.layout import Layout, layout_of, layout_of_array
from rom.networks.geometry import Geometry, geometry_of


def field(dims, sizes, **coords):
    shape = [sizes[d] for d in dims]
    return xr.DataArray(np.arange(np.prod(shape)).reshape(shape), dims=dims, coords=coords)


def test_values_are_found_where_the_order_says():
    """Every component of a state lands at its own point and channel."""
    sizes = {"y": 3, "species": 2, "x": 4}
    for dims in (("y", "species", "x"), ("species", "y", "x"), ("x", "y", "species")):
        state = field(dims, sizes, species=["a", "b"])
        geometry = geometry_of(layout_of_array(state, ()))
        axes = [d for d in dims if d != "species"]
        assert (geometry.channels, geometry.axes) == (2, tuple(axes))
        found = state.values.ravel()[geometry.order].reshape(geometry.channels, *geometry.shape)
        np.testing.assert_array_equal(found, state.transpose("species", *axes))
    assert sorted(geometry.order) == list(range(24))


def test_variables_of_a_state_are_channels():
    dataset = xr.Dataset({"a": field(("y", "x"), {"y": 2, "x": 3}), "b": field(("y", "x"), {"y": 2, "x": 3})})
    geometry = geometry_of(layout_of(dataset, ("a", "b"), ()))
    assert (geometry.channels, geometry.shape, geometry.axes, geometry.n_points) == (2, (2, 3), ("y", "x"), 6)
    np.testing.assert_array_equal(geometry.order, np.arange(12))


def test_positions_are_those_of_the_grid():
    state = field(("y", "x"), {"y": 2, "x": 3}, y=[0.0, 1.0], x=("x", [5.0, 6.0, 7.0], {"period": 3.0}))
    geometry = geometry_of(layout_of_array(state, ()))
    assert geometry.positions.tolist() == [[0, 5], [0, 6], [0, 7], [1, 5], [1, 6], [1, 7]]
    assert geometry.periods == (None, 3.0)


def test_a_period_is_known_where_another_axis_has_no_coordinate():
    state = field(("y", "x"), {"y": 2, "x": 3}, x=("x", [5.0, 6.0, 7.0], {"period": 3.0}))
    geometry = geometry_of(layout_of_array(state, ()))
    assert geometry.positions is None
    assert geometry.periods == (None, 3.0)


@pytest.mark.parametrize("period", ["2 pi", 0.0, -1.0, np.nan])
def test_a_period_that_is_no_length_is_refused(period):
    state = field(("x",), {"x": 3}, x=("x", [5.0, 6.0, 7.0], {"period": period}))
    with pytest.raises(rom.RomValueError, match=r"'x'.*period.* must be a positive number"):
        geometry_of(layout_of_array(state, ()))


@pytest.mark.parametrize("kind", [np.float32, np.int64])
def test_a_period_may_have_a_type_of_numpy(kind):
    """As attributes of files have."""
    state = field(("x",), {"x": 3}, x=("x", [5.0, 6.0, 7.0], {"period": kind(3)}))
    assert geometry_of(layout_of_array(state, ())).periods == (3.0,)


@pytest.mark.parametrize("numbered", [{}, {"node": [0, 1, 2]}], ids=["without numbers", "numbered"])
def test_nodes_of_a_mesh_lie_where_their_coordinates_say(numbered):
    state = field(("node",), {"node": 3}, px=("node", [0.0, 0.5, 1.0]), py=("node", [2.0, 2.0, 3.0]), **numbered)
    geometry = geometry_of(layout_of_array(state, ()))
    assert geometry.positions.tolist() == [[0, 2], [0.5, 2], [1, 3]]


def test_what_else_is_known_along_a_grid_is_no_position():
    """The period of x must not be lost to the widths of the cells."""
    state = field(("x",), {"x": 3}, x=("x", [0.1, 0.5, 1.0], {"period": 1.2}), width=("x", [0.3, 0.4, 0.5]))
    geometry = geometry_of(layout_of_array(state, ()))
    assert geometry.positions.tolist() == [[0.1], [0.5], [1.0]]
    assert geometry.periods == (1.2,)


def test_without_coordinates_there_are_no_positions():
    geometry = geometry_of(Layout(("a", "b"), (2, 3)))
    assert (geometry.positions, geometry.periods) == (None, (None, None))


def test_the_order_is_written_out():
    assert Geometry(2, (3,), ("x",)).order.tolist() == list(range(6))


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        (
            Layout(("component",), (7,), fields=(Field("p", ("x",), (4,)), Field("v", ("xf",), (3,)))),
            r"'v' lies on \('xf',\) \(3,\) and 'p' on \('x',\) \(4,\); a network on fields needs all of them at the same points",
        ),
        (
            Layout(("u",), (2,), {"u": {"dims": ["u"], "data": ["a", "b"], "dtype": "<U1", "attrs": {}}}),
            r"a state has no dimension of space among \('u',\); use the default network",
        ),
    ],
)
def test_states_that_are_no_fields_are_refused(layout, message):
    with pytest.raises(rom.RomValueError, match=message):
        geometry_of(layout)
