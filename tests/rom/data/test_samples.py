"""Samples of an autoencoder: told apart from components, checked, and divided into three parts."""

import dask.array
import numpy as np
import pytest
import torch
import xarray as xr

import rom
from rom.data.samples import as_samples


def numbers(*shape):
    return np.random.default_rng(0).standard_normal(shape)


def runs(n_trajectories=12, n_times=5, n=3, dims=("trajectory", "time", "x")):
    sizes = {"trajectory": n_trajectories, "time": n_times, "x": n}
    return xr.DataArray(numbers(*(sizes[d] for d in dims)), dims=dims, coords={"x": np.linspace(0, 1, n)})


# -- parts ------------------------------------------------------------------------------------------------------------


def test_parts_hold_every_sample_once():
    data = numbers(50, 2, 3)
    samples = as_samples(data, None, seed=1)
    parts = (samples.training, samples.validating, samples.calibrating)
    for k, part in enumerate(parts):
        np.testing.assert_array_equal(part, data.reshape(50, 6)[samples.part == k])
    assert samples.layout.shape == (2, 3)
    assert not np.array_equal(as_samples(data, None, seed=2).part, samples.part)
    np.testing.assert_array_equal(as_samples(data, None, seed=1).part, samples.part)


@pytest.mark.parametrize(
    "dims", [("trajectory", "time", "x"), ("time", "trajectory", "x"), ("x", "time", "trajectory")]
)
def test_whole_trajectories_are_set_apart_whatever_the_order(dims):
    samples = as_samples(runs(dims=dims), None, seed=0)
    order = [d for d in dims if d != "x"]
    part = xr.DataArray(samples.part.reshape([{"trajectory": 12, "time": 5}[d] for d in order]), dims=order)
    assert (part == part.isel(time=0)).all()
    assert samples.validating.shape == samples.calibrating.shape == (5, 3)


def test_of_few_trajectories_stretches_of_time_are_set_apart():
    part = as_samples(runs(n_trajectories=4, n_times=50), None, seed=0).part.reshape(4, 5, 10)
    assert np.all(part == part[:, :, :1])
    assert np.bincount(part[:, :, 0].ravel()).tolist() == [16, 2, 2]


# -- labels -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dims", "sample_dims", "own"),
    [
        (("trajectory", "time", "y", "x"), None, ("y", "x")),
        (("y", "point", "x"), None, ("y", "x")),
        (("case", "y", "x"), None, ("y", "x")),  # the first, where none has such a name
        (("y", "case", "x"), "case", ("y", "x")),
        (("y", "case", "x"), ["case", "x"], ("y",)),
        (("sample", "time"), ("sample",), ("time",)),
    ],
)
def test_dimensions_that_tell_samples_apart(dims, sample_dims, own):
    sizes = dict(
        zip(("trajectory", "time", "point", "case", "sample", "y", "x"), (3, 11, 12, 13, 14, 4, 5), strict=True)
    )
    data = xr.DataArray(numbers(*(sizes[d] for d in dims)), dims=dims)
    samples = as_samples(data, sample_dims, seed=0)
    assert samples.layout.dims == own
    assert len(samples.part) == data.size // samples.layout.n_states
    leading = [d for d in dims if d not in own]
    flat = data.transpose(*leading, *own).values.reshape(len(samples.part), -1)
    np.testing.assert_array_equal(samples.training, flat[samples.part == 0])


def test_coordinates_of_a_sample_are_kept_and_others_not():
    data = runs().assign_coords(
        time=np.arange(5.0),
        area=("x", [1.0, 2.0, 1.0], {"units": "m2"}),
        parameters=(("trajectory",), np.arange(12)),
        case=3,
    )
    layout = as_samples(data.assign_attrs(units="K").rename("temperature"), None, seed=0).layout
    assert set(layout.coords) == {"x", "area"}
    assert layout.coords["area"]["attrs"] == {"units": "m2"}
    assert (layout.attrs, layout.parameters, layout.fields) == ({"units": "K"}, (), ())


def test_names_that_mean_something_elsewhere_do_no_harm():
    data = xr.DataArray(numbers(20, 3), dims=("sample", "state"), coords={"state": ["a", "b", "c"]}, name="inputs")
    assert as_samples(data, None, seed=0).layout.dims == ("state",)


def test_lazy_data_are_computed():
    data = numbers(20, 3)
    lazy = xr.DataArray(dask.array.from_array(data, chunks=(5, 3)), dims=("sample", "x"))
    np.testing.assert_array_equal(as_samples(lazy, None, 0).training, as_samples(data, None, 0).training)


def test_a_computation_that_fails_is_told():
    def fail(_):
        raise OSError("the disk is gone")

    lazy = dask.array.from_array(numbers(20, 3), chunks=(5, 3)).map_blocks(fail, dtype=float)
    with pytest.raises(rom.RomReadError, match=r"data could not be read or computed \(OSError: the disk is gone\)"):
        as_samples(xr.DataArray(lazy, dims=("sample", "x")), None, 0)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int32, np.uint8, ">f8"])
def test_real_numbers_of_all_kinds_are_taken(dtype):
    data = (10 * numbers(20, 3)).astype(dtype)
    samples = as_samples(data, None, 0)
    assert samples.training.dtype == np.float64
    np.testing.assert_array_equal(samples.training, data[samples.part == 0])


# -- refusals ---------------------------------------------------------------------------------------------------------


def spoilt(value):
    data = numbers(20, 3)
    data[7, 1] = value
    return data


@pytest.mark.parametrize(
    ("data", "sample_dims", "error", "message"),
    [
        (numbers(9, 3), None, ValueError, "data has 9 samples; at least 10 are needed"),
        (numbers(30), None, ValueError, r"data has shape \(30,\); samples \(N, \*shape\) are needed"),
        (1.0, None, ValueError, r"data has shape \(\)"),
        (spoilt(np.nan), None, ValueError, r"data is nan at sample 7, component \(1,\); remove or repair it"),
        (torch.from_numpy(spoilt(np.inf)), None, ValueError, "data is inf at sample 7"),
        (xr.DataArray(spoilt(np.nan), dims=("sample", "x")), None, ValueError, "data is nan at sample 7"),
        (
            numbers(20, 3) + 0j,
            None,
            TypeError,
            "data must hold real numbers, got dtype complex128; make real and imaginary",
        ),
        (xr.DataArray(numbers(20, 3) + 0j), None, TypeError, "data must hold real numbers, got dtype complex128"),
        (np.full((20, 3), "a"), None, TypeError, "data must hold real numbers, got dtype <U1"),
        (numbers(20, 3) > 0, None, TypeError, "data must hold real numbers, got dtype bool"),
        (np.ones((20, 3)), None, ValueError, "data does not vary: all 16 samples to train on are equal"),
        (np.zeros((20, 0)), None, ValueError, r"data: a sample has shape \(0,\), which holds nothing"),
        (xr.DataArray(np.zeros((20, 0))), None, ValueError, r"a sample has shape \(0,\), which holds nothing"),
        (np.zeros((0, 3)), None, ValueError, "data has 0 samples"),
        (runs(0), None, ValueError, "data has 0 samples"),
        (numbers(20, 3), ("sample",), TypeError, "sample_dims names dimensions of a DataArray; the first axis"),
        (
            runs(),
            ("trajectry",),
            ValueError,
            "sample_dims: unknown dimension 'trajectry' of data; did you mean 'trajectory'?",
        ),
        (runs(), 3, TypeError, "sample_dims must be a sequence of names of dimensions, got 3"),
        (
            runs(),
            ("trajectory", "time", "x"),
            ValueError,
            r"data has only the dimensions \('trajectory', 'time', 'x'\)",
        ),
        (
            xr.DataArray(numbers(20), dims="time"),
            None,
            ValueError,
            r"data has only the dimensions \('time',\) of samples",
        ),
        (xr.DataArray(1.0), None, ValueError, r"data has only the dimensions \(\) of samples"),
        (runs().to_dataset(name="state"), None, TypeError, "data is a Dataset; pass one variable of it"),
        (None, None, TypeError, "data must hold real numbers, got dtype object"),
    ],
)
def test_data_that_cannot_be_used_are_refused(data, sample_dims, error, message):
    with pytest.raises(error, match=message) as caught:
        as_samples(data, sample_dims, seed=0)
    assert isinstance(caught.value, rom.RomError)


def test_samples_that_differ_only_where_they_are_held_out_are_refused():
    data = np.ones((10, 3))
    data[int(np.argmax(as_samples(numbers(10, 3), None, seed=0).part == 2))] = 2.0
    with pytest.raises(rom.RomValueError, match="all 8 samples to train on are equal"):
        as_samples(data, None, seed=0)


def test_samples_of_one_time_are_parted_one_by_one():
    data = xr.DataArray(numbers(1, 50, 3), dims=("time", "sample", "x"))
    assert sorted(set(as_samples(data, None, seed=0).part)) == [0, 1, 2]


def test_what_calibrates_is_counted_by_trajectories():
    assert as_samples(runs(), None, 0).n_groups == 1
    assert as_samples(runs(n_trajectories=40), None, 0).n_groups == 4
    assert as_samples(np.random.default_rng(0).standard_normal((300, 3)), None, 0).n_groups == 30


def test_times_are_none_of_an_autoencoder():
    with pytest.raises(rom.RomTypeError, match="got a tuple; an autoencoder alone knows no times"):
        as_samples((np.arange(5.0), np.zeros((3, 5, 2))), None, 0)
