"""What the methods of a model refuse: times, states, derivatives, parameters, devices, labels."""

import numpy as np
import pytest
import torch
import xarray as xr

import rom

T = np.linspace(0.0, 2.0, 21)


@pytest.mark.parametrize(
    ("t", "message"),
    [
        ([], "at least one time"),
        ([0.0, 1.0, 1.0], r"t must increase strictly, but t\[1\] = 1 and t\[2\] = 1"),
        ([1.0, 0.0], r"t must increase strictly, but t\[0\] = 1 and t\[1\] = 0"),
        ([0.0, np.nan], "t is nan at index 1"),
        ([[0.0, 1.0]], r"t must have shape \(time,\)"),
    ],
)
def test_times_that_cannot_be(model, x0, t, message):
    with pytest.raises(rom.RomValueError, match=message):
        model.forecast(x0, t)


def test_times_before_the_state(model, runs):
    later = runs["state"].isel(time=5)
    with pytest.raises(rom.RomValueError, match=r"t\[0\] = 0 lies before the time of x0, 0.5; start t there"):
        model.forecast(later, T)
    assert model.forecast(later, T[5:])["valid"].all()


def test_states_that_cannot_be(model, x0):
    cases = [
        (np.zeros(11), ValueError, r"x0 has shape \(11,\); a state of this model has shape \(12,\)"),
        (np.zeros((2, 3, 12)), ValueError, r"x0 has shape \(2, 3, 12\); pass one state \(12,\) or many"),
        (np.zeros((0, 12)), ValueError, "x0 is empty; pass at least one state"),
        (np.zeros(12, complex), TypeError, "x0 must hold real numbers, got dtype complex128; make real and imaginary"),
        (xr.Dataset({"state": ("state_index", np.zeros(12))}), TypeError, "x0 is a Dataset; pass one variable of it"),
        (np.zeros(12, object), TypeError, "x0 must hold real numbers, got dtype object"),
        (torch.zeros(12, dtype=torch.int64), TypeError, "x0 must be a floating-point tensor, got torch.int64"),
        (x0.rename(state_index="cell"), ValueError, "this model needs 'state_index'"),
        (np.where(np.arange(12) == 3, np.nan, 0.0), ValueError, "x0 is nan at component .3"),
        (
            np.where(np.arange(24).reshape(2, 12) == 15, np.inf, 0.0),
            ValueError,
            "x0 is inf at trajectory 1, component .3",
        ),
        (None, TypeError, "x0 must hold real numbers"),
    ]
    for bad, error, message in cases:
        with pytest.raises(error, match=message) as caught:
            model.forecast(bad, T)
        assert isinstance(caught.value, rom.RomError)


def test_latent_states_that_cannot_be(model):
    with pytest.raises(rom.RomValueError, match=r"z has shape \(2, 4\); its last axis must have length 3"):
        model.decode(np.zeros((2, 4)))
    with pytest.raises(rom.RomValueError, match="this model needs 'latent'"):
        model.decode(xr.DataArray(np.zeros((2, 3)), dims=("trajectory", "z")))


def test_derivatives_that_do_not_match(model, x0):
    with pytest.raises(rom.RomValueError, match="time_derivative has shape"):
        model.residual(x0.values, x0.values[:2])


def test_parameters_that_do_not_match(model, parametric_model, x0, decay):
    with pytest.raises(rom.RomValueError, match="fitted at fixed parameters; leave it out"):
        model.forecast(x0, T, [1.0])
    states = decay.sample_initial(3, seed=1).values
    cases = [
        (None, "mu is missing: this model depends on the parameters mu"),
        ({"nu": 1.0}, "unknown parameter 'nu'; valid names: mu"),
        ({}, "parameter 'mu' is missing"),
        ([1.0, 2.0], r"mu has shape \(2,\); expected \(1,\) or \(3, 1\) for mu"),
        ([[1.0], [2.0]], r"mu has shape \(2, 1\)"),
        ([np.nan], "mu is nan"),
    ]
    for mu, message in cases:
        with pytest.raises(rom.RomValueError, match=message):
            parametric_model.forecast(states, T, mu)


def test_methods_and_devices_that_are_not_there(model, x0):
    with pytest.raises(rom.RomValueError, match="method: unknown 'rk5'; did you mean 'rk4'"):
        model.forecast(x0, T, method="rk5")
    with pytest.raises(rom.RomValueError, match="device: unknown 'gpu'; use 'auto', 'cpu', 'cuda'"):
        model.to("gpu")
    if not torch.cuda.is_available():
        with pytest.raises(rom.RomValueError, match="torch has no such device here; use 'auto' or 'cpu'"):
            model.to("cuda")


def test_labels_of_another_order_are_refused(model, x0):
    """A state in another order of its labels would be forecast as if it were in that of the model."""
    with pytest.raises(
        rom.RomValueError, match="x0: the grid 'state_index' differs from that of this model; bring both"
    ):
        model.forecast(x0.isel(state_index=slice(None, None, -1)), [0.0, 1.0])
