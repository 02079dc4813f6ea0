"""What a user passes as data: every kind is understood, and what cannot be used is refused with place and remedy."""

import dask.array
import numpy as np
import pytest
import torch
import xarray as xr

import rom
from rom.data.layout import Layout
from rom.data.lazy import LazyStates
from rom.data.read_collocation import as_collocation
from rom.data.read_trajectories import as_trajectories
from rom.data.same_layout import require_same_layout, same_grid

T = np.linspace(0.0, 1.0, 5)


@pytest.fixture
def states():
    """(trajectory, time, component)"""
    return np.random.default_rng(0).standard_normal((3, 5, 4))


@pytest.fixture
def dataset(states):
    return xr.Dataset(
        {
            "state": (("trajectory", "time", "x"), states, {"units": "m/s"}),
            "parameters": (("trajectory", "parameter"), [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
        },
        coords={"time": T, "x": ("x", [0.0, 0.1, 0.2, 0.3], {"units": "m"}), "parameter": ["mu", "nu"]},
    )


def spoilt(array, place, value):
    array = array.copy()
    array[place] = value
    return array


# Kinds of data


def test_a_dataset_keeps_its_labels(dataset, states):
    (group,), layout = as_trajectories(dataset)
    np.testing.assert_array_equal(group.states, states)
    np.testing.assert_array_equal(group.parameters, dataset["parameters"])
    assert (layout.dims, layout.shape, layout.parameters) == (("x",), (4,), ("mu", "nu"))
    assert layout.attrs == {"units": "m/s"}
    xr.testing.assert_identical(xr.Dataset(coords=layout.labels())["x"], dataset["x"].reset_coords(drop=True))


def test_dimensions_in_any_order(dataset, states):
    (group,), _ = as_trajectories(dataset.transpose("x", "time", "parameter", "trajectory"))
    np.testing.assert_array_equal(group.states, states)
    np.testing.assert_array_equal(group.parameters, dataset["parameters"])


@pytest.mark.parametrize(
    "kind",
    [
        np.asarray,
        torch.from_numpy,
        lambda x: x.astype(np.float32),
        lambda x: x.astype(">f8"),
        lambda x: x.astype(np.longdouble),
        lambda x: torch.from_numpy(x).requires_grad_(),
        lambda x: torch.from_numpy(x).to(torch.bfloat16),
        lambda x: x.tolist(),
        lambda x: xr.DataArray(x),
    ],
    ids=["numpy", "torch", "float32", "big-endian", "longdouble", "with-gradient", "bfloat16", "nested-list", "xarray"],
)
def test_plain_arrays_of_any_kind(states, kind):
    if isinstance(kind(states), list):
        groups, layout = as_trajectories((T, np.asarray(kind(states))))
    else:
        groups, layout = as_trajectories((T, kind(states)))
    ((_, _, block),) = groups[0].blocks()
    assert block.dtype == np.float64
    np.testing.assert_allclose(block, states, rtol=1e-2, atol=1e-2)
    assert layout == Layout(("component",), (4,))


def test_states_of_several_axes_are_flattened_and_remembered():
    states = np.random.default_rng(0).standard_normal((2, 5, 3, 4))
    (group,), layout = as_trajectories((T, states))
    assert group.states.shape == (2, 5, 12)
    assert (layout.dims, layout.shape, layout.n_states) == (("axis_0", "axis_1"), (3, 4), 12)


def test_lists_of_unequal_lengths_become_groups_of_equal_times():
    rng = np.random.default_rng(0)
    lengths = [5, 5, 7, 5]
    times = [np.linspace(0, 1, k) for k in lengths]
    states = [rng.standard_normal((k, 2)) for k in lengths]
    groups, _ = as_trajectories((times, states, np.arange(4.0)[:, None]))
    assert [group.states.shape for group in groups] == [(2, 5, 2), (1, 7, 2), (1, 5, 2)]
    assert [group.parameters[:, 0].tolist() for group in groups] == [[0, 1], [2], [3]]
    np.testing.assert_array_equal(groups[1].states[0], states[2])


def test_a_list_of_datasets_becomes_groups(dataset):
    groups, _ = as_trajectories([dataset, dataset.isel(time=slice(3))])
    assert [group.states.shape for group in groups] == [(3, 5, 4), (3, 3, 4)]


def test_lazy_states_stay_lazy(dataset):
    (group,), _ = as_trajectories(dataset.chunk(trajectory=1))
    assert isinstance(group.states, LazyStates)
    assert isinstance(group.states.array, dask.array.Array)


def test_states_are_read_in_bounded_blocks(dataset, monkeypatch):
    monkeypatch.setattr("rom.data.lazy.BLOCK_BYTES", 2 * 8 * 5 * 4)  # two trajectories
    (group,), _ = as_trajectories(dataset)
    assert [chosen for chosen, _, _ in group.blocks()] == [slice(0, 2), slice(2, 3)]


def test_collocation_of_datasets_and_arrays_agree(states):
    x, f = states[:, 0], states[:, 1]
    by_name = xr.Dataset({"state": (("point", "x"), x), "time_derivative": (("x", "point"), f.T)})
    for data in (by_name, (x, f), (torch.from_numpy(x), f.tolist())):
        pairs, layout = as_collocation(data)
        np.testing.assert_array_equal(pairs.states, x)
        np.testing.assert_array_equal(pairs.time_derivatives, f)
        assert layout.shape == (4,)


# Refusals


def refuses(read, data, error, message):
    with pytest.raises(error, match=message) as caught:
        read(data)
    assert isinstance(caught.value, rom.RomError)


@pytest.mark.parametrize(("bad", "word"), [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf")])
def test_the_first_value_that_is_not_finite_is_named(states, dataset, bad, word):
    message = f"state is {word} at trajectory 2, time index 3, component .1.*remove or repair"
    refuses(as_trajectories, (T, spoilt(states, (2, 3, 1), bad)), ValueError, message)
    dataset["state"][2, 3, 1] = bad
    refuses(as_trajectories, dataset, ValueError, message)
    x = states[:, 0]
    refuses(as_collocation, (spoilt(x, (1, 2), bad), x), ValueError, f"state is {word} at point 1, component .2")
    refuses(as_collocation, (x, spoilt(x, (2, 0), bad)), ValueError, f"time_derivative is {word} at point 2")
    refuses(as_trajectories, (spoilt(T, 4, bad), states), ValueError, f"times is {word} at index 4")
    refuses(as_trajectories, (T, states, [[1.0], [bad], [1.0]]), ValueError, f"parameters is {word} at row 1")


def test_the_place_counts_through_groups_and_blocks(states, monkeypatch):
    monkeypatch.setattr("rom.data.lazy.BLOCK_BYTES", 1)
    lists = ([T, T, T[:4]], [states[0], states[1], spoilt(states[2, :4], (1, 3), np.nan)])
    refuses(as_trajectories, lists, ValueError, "nan at trajectory 2, time index 1, component .3")


@pytest.mark.parametrize(
    ("kind", "word", "remedy"),
    [
        (complex, "complex128", "make real and imaginary parts components"),
        (object, "object", "convert it to float64 first"),
        (str, "<U", "convert it to float64 first"),
        (bool, "bool", "convert it to float64 first"),
    ],
)
def test_numbers_that_are_not_real_are_refused(states, dataset, kind, word, remedy):
    message = f"must hold real numbers, got dtype {word}.*; {remedy}"
    refuses(as_trajectories, (T, states.astype(kind)), TypeError, message)
    refuses(as_trajectories, (T.astype(kind), states), TypeError, message)
    refuses(as_collocation, (states[:, 0].astype(kind), states[:, 0]), TypeError, message)
    refuses(as_collocation, (states[:, 0], states[:, 0].astype(kind)), TypeError, message)
    dataset["state"] = dataset["state"].astype(kind)
    refuses(as_trajectories, dataset, TypeError, message)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([0.0], "times has length 1; a trajectory needs at least 2 times"),
        ([0.0, 0.25, 0.25, 0.75, 1.0], r"times repeats at index 2 \(0.25 then 0.25\); times must increase strictly"),
        ([0.0, 0.5, 0.25, 0.75, 1.0], r"times decreases at index 2 \(0.5 then 0.25\)"),
        ([[0.0, 1.0]], r"times must have one axis \(time,\), got shape \(1, 2\)"),
        ([], "times has length 0"),
        (np.linspace(0, 1, 6), "states has 5 times on axis 1, but times has length 6"),
    ],
)
def test_times_that_cannot_be(states, times, message):
    refuses(as_trajectories, (times, states), ValueError, message)


def test_times_of_a_dataset_that_cannot_be(dataset):
    refuses(as_trajectories, dataset.isel(time=[0]), ValueError, r"trajectories\['time'\] has length 1")
    refuses(as_trajectories, dataset.isel(time=[0, 2, 1]), ValueError, r"trajectories\['time'\] decreases at index 2")
    refuses(as_trajectories, dataset.drop_vars("time"), ValueError, "no coordinate 'time'; assign it with")


@pytest.mark.parametrize(
    ("select", "message"),
    [
        (
            lambda x: x[0],
            r"must have shape \(trajectory, time, \*shape\), got \(5, 4\); .*leading axis: pass states\[None\]",
        ),
        (lambda x: x[0, :, 0], r"must have shape \(trajectory, time, \*shape\), got \(5,\)"),
        (lambda x: x[:0], "trajectories is empty; pass at least one"),
        (lambda x: x[..., :0], r"states has an empty axis, shape \(3, 5, 0\)"),
    ],
)
def test_states_of_the_wrong_rank_or_without_entries(states, select, message):
    refuses(as_trajectories, (T, select(states)), ValueError, message)


def test_empty_sets(dataset):
    for empty in ([], ([], []), dataset.isel(trajectory=[]), [dataset.isel(trajectory=[])], dataset.isel(x=[])):
        refuses(as_trajectories, empty, ValueError, "empty")
    for empty in ((np.zeros((0, 4)), np.zeros((0, 4))), (np.zeros((4, 0)), np.zeros((4, 0)))):
        refuses(
            as_collocation,
            empty,
            ValueError,
            "collocation is empty; pass at least one point, or None with n_collocation=0",
        )


def test_kinds_that_cannot_be_data(states):
    for data in (states, "runs.h5", (T,), {"state": states}):
        refuses(as_trajectories, data, TypeError, r"trajectories must be .*a tuple of arrays \(times, states\)")
        refuses(
            as_collocation, data, TypeError, r"collocation must be .*a tuple of arrays \(states, time_derivatives\)"
        )
    refuses(as_trajectories, (T, "abc"), TypeError, "must hold real numbers")
    refuses(as_collocation, ([[1.0, 2.0], [1.0]], [[1.0]]), TypeError, "not a rectangular array; pass a list")


def test_collocation_of_the_wrong_shape(states):
    x = states[:, 0]
    refuses(as_collocation, (x[0], x[0]), ValueError, r"one point needs a leading axis: pass states\[None\]")
    refuses(
        as_collocation,
        (x, x[:2]),
        ValueError,
        r"states has shape \(3, 4\), time_derivatives \(2, 4\); they must be equal",
    )


def test_parameters_of_the_wrong_count(states, dataset):
    message = r"parameters must have shape \(3, p\), one row each"
    refuses(as_trajectories, (T, states, [[1.0], [2.0]]), ValueError, message)
    refuses(as_trajectories, (T, states, [1.0, 2.0, 3.0]), ValueError, message)
    refuses(as_collocation, (states[:, 0], states[:, 0], [[1.0]]), ValueError, message)
    bad = dataset.drop_vars("parameters").assign(parameters=("trajectory", [1.0, 2.0, 3.0]))
    refuses(as_trajectories, bad, ValueError, "needs .'trajectory', 'parameter'")


def test_names_that_a_dataset_lacks(dataset):
    without_time = dataset.isel(time=0).rename(state="states")
    refuses(as_trajectories, without_time, ValueError, "no variable 'state', nor fields .*; did you mean 'states'")
    refuses(
        as_trajectories, dataset.isel(time=0), ValueError, r"needs 'time'; rename .* add it with expand_dims\('time'\)"
    )
    refuses(as_trajectories, dataset.isel(x=0), ValueError, "needs at least one of its own")
    refuses(
        as_collocation,
        dataset.isel(time=0, drop=True).rename(trajectory="point"),
        ValueError,
        "no variable 'time_derivative'",
    )


def test_sets_that_do_not_belong_together(dataset, states):
    other = dataset.isel(x=slice(3))
    refuses(as_trajectories, [dataset, other], ValueError, r"trajectories\[1\]: a state has shape \(3,\), but \(4,\)")
    renamed = dataset.assign_coords(parameter=["mu", "rho"])
    refuses(as_trajectories, [dataset, renamed], ValueError, "parameters .'mu', 'rho'. differ from .'mu', 'nu'.")
    lists = ([T, T], [states[0], states[1, :, :3]])
    refuses(
        as_trajectories, lists, ValueError, r"states\[1\] must have shape \(time, \*shape\) = \(5, 4\), got \(5, 3\)"
    )
    refuses(as_trajectories, ([T], [states[0], states[1]]), ValueError, "times must be a list of as many arrays")


def test_sets_whose_dimensions_are_in_another_order():
    square = xr.Dataset({"state": (("trajectory", "time", "x", "y"), np.ones((1, 5, 3, 3)))}, coords={"time": T})
    turned = square.transpose("trajectory", "time", "y", "x")
    refuses(as_trajectories, [square, turned], ValueError, "dimensions .'y', 'x'. are in another order than .'x', 'y'.")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ([0.0, 0.1, 0.3], np.array([0.0, 0.1, 0.3], dtype=np.float32), True),
        ([1.0, np.nan, 3.0], [1.0, np.nan, 3.0], True),
        ([5, 6, 7], [0, 1, 2], True),
        (2_000_000 + np.arange(3), 2_000_002 - np.arange(3), False),
        (2_000_000 + np.arange(3), 2_000_001 + np.arange(3), False),
        ([0.0, 1e-9, 3e-9], [3e-9, 1e-9, 0.0], False),
        ([0.0, 1e-9, 3e-9], [0.0, 2e-9, 3e-9], False),
        (["a", "b"], ["a", "b"], True),
        (["a", "b"], ["b", "a"], False),
        ([1.0, 2.0], [1.0, 2.0, 3.0], False),
    ],
)
def test_which_grids_are_the_same(one, other, same):
    assert same_grid(np.asarray(one), np.asarray(other)) is same


def test_grids_must_agree_and_a_plain_count_is_no_grid():
    def pairs(grid):
        values = (("point", "x"), np.ones((3, 4)))
        return xr.Dataset({"state": values, "time_derivative": values}, coords={"x": grid})

    layouts = {
        name: as_collocation(pairs(grid))[1]
        for name, grid in {"real": [0.0, 0.1, 0.2, 0.3], "other": [0.0, 0.2, 0.4, 0.6], "count": np.arange(4)}.items()
    }
    require_same_layout("collocation", layouts["count"], layouts["real"])
    with pytest.raises(rom.RomValueError, match="the grid 'x' differs from that of the other data"):
        require_same_layout("collocation", layouts["other"], layouts["real"])
