"""Warnings where the data contradict f of the system that is passed with them."""

import logging

import numpy as np
import pytest

import rom
from rom.consistency import LOOKED_AT, MIDDLE, along, warn_of_other_rates
from rom.data import as_collocation, as_trajectories

OTHER_RATES = "time derivatives differ from f"


def test_splines_give_the_rates(linear, runs):
    groups, _ = as_trajectories(runs)
    samples = along(groups, np.random.default_rng(0))
    assert [len(sample) for sample in samples] == LOOKED_AT * [MIDDLE.stop - MIDDLE.start]
    for sample in samples:
        np.testing.assert_allclose(sample.time_derivatives, linear.rhs(sample.states), rtol=1e-4, atol=1e-4)


def test_data_of_the_system_are_no_reason_to_warn(linear, runs, pairs, caplog):
    groups, layout = as_trajectories(runs)
    assert warn_of_other_rates(linear, groups, layout, 0) == LOOKED_AT * (MIDDLE.stop - MIDDLE.start)
    assert warn_of_other_rates(linear, as_collocation(pairs)[0], layout, 0) == LOOKED_AT
    assert not caplog.records


@pytest.mark.parametrize("kind", ["trajectories", "collocation"])
def test_another_unit_of_time_is_noticed(linear, runs, pairs, small, caplog, kind):
    if kind == "trajectories":
        runs = runs.assign_coords(time=2.0 * runs["time"])
    else:
        pairs = pairs.assign(time_derivative=0.5 * pairs["time_derivative"])
    with caplog.at_level(logging.WARNING, logger="rom"):
        rom.fit(linear, trajectories=runs, collocation=pairs, latent_dim=3, config=small, verbose=False)
    assert [r.message for r in caplog.records if OTHER_RATES in r.message] == [
        f"{kind}: time derivatives differ from f of LiftedLinear by 50 %; check that units of time, parameters and the order "
        "of components are the same"
    ]


def test_noise_and_coarse_snapshots_say_nothing(linear, runs, caplog):
    rng = np.random.default_rng(0)
    for changed in (runs + 0.1 * rng.standard_normal(runs["state"].shape), runs.isel(time=slice(None, None, 4))):
        groups, layout = as_trajectories(changed)
        assert warn_of_other_rates(linear, groups, layout, 0) == 0
    assert not caplog.records
