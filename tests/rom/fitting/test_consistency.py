"""Warnings where the data contradict f of the system that is passed with them."""

import logging
import time

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import rom
import systems
from rom.data.read_collocation import as_collocation
from rom.data.read_trajectories import as_trajectories
from rom.fitting.consistency import COMPARED_STATES, SPLINE_SNAPSHOTS, pairs_along, warn_if_rhs_disagrees
from rom.utils.time_budget import TimeBudget


def looked(system, data, **settings):
    """How many states the check looked at."""
    read = as_collocation if "point" in data.dims else as_trajectories
    chosen, layout = read(data)
    return warn_if_rhs_disagrees(system, chosen, layout, 0, TimeBudget(**settings))


def test_splines_give_the_rates(linear, runs):
    pairs = pairs_along(as_trajectories(runs)[0], np.random.default_rng(0))
    assert len(pairs) == COMPARED_STATES
    np.testing.assert_allclose(pairs.time_derivatives, linear.rhs(pairs.states), rtol=1e-4, atol=1e-4)


def test_data_of_the_system_are_no_reason_to_warn(linear, runs, pairs, caplog):
    assert looked(linear, runs) == looked(linear, pairs) == COMPARED_STATES
    assert not caplog.records


@pytest.mark.parametrize("kind", ["trajectories", "collocation"])
def test_another_unit_of_time_is_noticed(linear, runs, pairs, small, caplog, kind):
    if kind == "trajectories":
        runs = runs.assign_coords(time=2.0 * runs["time"])
    else:
        pairs = pairs.assign(time_derivative=0.5 * pairs["time_derivative"])
    with caplog.at_level(logging.WARNING, logger="rom"):
        rom.fit(linear, trajectories=runs, collocation=pairs, latent_dim=3, config=small, verbose=False)
    warnings = [r.message for r in caplog.records if "time derivatives differ from f" in r.message]
    assert len(warnings) == 1
    assert warnings[0].startswith(
        f"{kind}: time derivatives differ from f of LiftedLinear by 50 %; check that units of time"
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_f_that_is_not_finite_does_not_agree(runs, pairs, small, caplog, value):
    broken = systems.from_rhs(lambda x: np.full_like(x, value), 12)
    for data in (runs, pairs):
        looked(broken, data)
    assert [record.message.split(":")[0] for record in caplog.records] == ["trajectories", "collocation"]
    with pytest.raises(systems.EvaluationError, match="f of the system '<lambda>' is not finite at point 0"):
        rom.fit(broken, trajectories=runs, collocation=pairs, latent_dim=3, config=small, verbose=False)


@pytest.mark.parametrize("n_times", [SPLINE_SNAPSHOTS, 101, 20_001])
def test_however_finely_a_trajectory_is_sampled_it_is_looked_at(caplog, n_times):
    t = np.linspace(0.0, 5.0, n_times)
    rate, turn = -0.3, 2.0
    phase = np.arange(4)[:, None]
    states = np.exp(rate * t)[:, None] * np.stack([np.cos(turn * t + phase), np.sin(turn * t + phase)], axis=-1)
    groups, layout = as_trajectories((2.0 * t, states))
    system = systems.from_rhs(lambda x: x @ np.array([[rate, turn], [-turn, rate]]), 2)
    for seed in range(10):
        assert warn_if_rhs_disagrees(system, groups, layout, seed, TimeBudget()) == 4
    assert len(caplog.records) == 10


def test_noise_and_coarse_snapshots_say_nothing(linear, caplog):
    rough = systems.simulate(linear, 4, np.linspace(0.0, 20.0, 21), seed=1)  # seven snapshots a period
    fine = systems.simulate(linear, 4, np.linspace(0.0, 2.0, 21), seed=1)
    noisy = fine + 0.1 * np.random.default_rng(0).standard_normal(fine["state"].shape)
    assert all(data.sizes["time"] >= SPLINE_SNAPSHOTS for data in (rough, noisy))
    assert looked(linear, rough) == looked(linear, noisy) == 0
    assert not caplog.records


def test_trajectories_that_have_settled_say_nothing(caplog):
    """What moves there is the error of their solver."""
    matrix = np.array([[-1.0, 0.2], [-0.2, -0.7]])
    t = np.linspace(0.0, 60.0, 601)
    looked_at = []
    for seed in range(4):
        initial = np.random.default_rng(seed).standard_normal((8, 2))
        states = np.stack([solve_ivp(lambda _, x: matrix @ x, (0, 60), x, t_eval=t).y.T for x in initial])
        groups, layout = as_trajectories((t, states))
        system = systems.from_rhs(lambda x: x @ matrix.T, 2)
        looked_at.append(warn_if_rhs_disagrees(system, groups, layout, seed, TimeBudget()))
    assert not caplog.records
    assert 0 < sum(looked_at) < 4 * 8


def test_where_f_is_dear_one_value_is_enough(runs):
    def slow(x):
        time.sleep(0.03)
        return -x

    assert looked(systems.from_rhs(slow, 12), runs, limit=1.0) == 1
