"""Checks of arrays: what becomes real numbers in NumPy, and errors that name the place and the remedy."""

import numpy as np
import pytest
import torch
import xarray as xr

from rom.utils.arrays import checked_times, numeric, require_finite, to_numpy
from rom.utils.errors import RomTypeError, RomValueError


@pytest.mark.parametrize(
    "array",
    [
        [[1, 2], [3, 4]],
        np.array([[1, 2], [3, 4]]),
        torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True),
        torch.tensor([[1, 2], [3, 4]], dtype=torch.bfloat16),
        xr.DataArray([[1, 2], [3, 4]]),
    ],
    ids=["list", "NumPy", "torch", "bfloat16", "xarray"],
)
def test_arrays_of_any_kind_become_numpy(array):
    assert isinstance(to_numpy(array), np.ndarray)
    np.testing.assert_array_equal(numeric("states", array), [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (
            np.array([1j]),
            "states must hold real numbers, got dtype complex128; make real and imaginary parts components",
        ),
        (np.array(["a"]), "states must hold real numbers, got dtype <U1; convert it to float64 first"),
        (np.array([True]), "states must hold real numbers, got dtype bool"),
        ([[1], [1, 2]], "states is not a rectangular array; pass a list of arrays when lengths differ"),
        (xr.Dataset({"u": ("x", [1.0])}), r"states is a Dataset; pass one variable of it, as dataset\['u'\]"),
    ],
)
def test_what_is_no_array_of_real_numbers_is_refused(array, message):
    with pytest.raises(RomTypeError, match=message):
        numeric("states", array)


def test_the_place_of_the_first_nan_is_named():
    values = np.ones((2, 3, 4))
    require_finite("states", values, ("trajectory", "time"))
    values[1, 2, 3] = np.nan
    with pytest.raises(
        RomValueError, match=r"states is nan at trajectory 1, time 2, component \(3,\); remove or repair"
    ):
        require_finite("states", values, ("trajectory", "time"))
    with pytest.raises(RomValueError, match=r"at trajectory 11, time 22, component \(3,\)"):
        require_finite("states", values, ("trajectory", "time"), offset=(10, 20))


def test_times_become_float64():
    times = checked_times("times", [0, 1, 3])
    assert times.dtype == np.float64
    assert times.tolist() == [0.0, 1.0, 3.0]


@pytest.mark.parametrize(
    ("times", "error", "message"),
    [
        ([0.0], RomValueError, "times has length 1; a trajectory needs at least 2 times"),
        ([[0.0, 1.0]], RomValueError, r"times must have one axis \(time,\), got shape \(1, 2\)"),
        ([0.0, np.inf], RomValueError, "times is inf at index 1"),
        ([0.0, 1.0, 1.0], RomValueError, r"times repeats at index 2 \(1 then 1\); times must increase strictly"),
        ([0.0, 2.0, 1.0], RomValueError, r"times decreases at index 2 \(2 then 1\)"),
        (np.array(["2020-01-01"], dtype="M8[D]"), RomTypeError, "make seconds since the start of it"),
    ],
)
def test_times_that_cannot_be_used_are_refused(times, error, message):
    with pytest.raises(error, match=message):
        checked_times("times", times)
