"""Samplers: which point depends on what, and whether points lie where they should."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import systems

VALUE, TYPE = systems.SystemsValueError, systems.SystemsTypeError

LOW, HIGH = np.array([-1.0, 0.0, 2.0]), np.array([1.0, 0.5, 5.0])
burgers = systems.Burgers(n=32, viscosity=0.1)
duffing = systems.LiftedDuffing(n=16)
runs = systems.simulate(burgers, 5)
BOX = systems.Box(LOW, HIGH)

PREFIX_STABLE = {
    "Box": BOX,
    "Gaussian": systems.Gaussian(LOW, HIGH),
    "Sobol": systems.Sobol(LOW, HIGH),
    "InitialStates": systems.InitialStates(burgers),
    "Mixed initial states": systems.InitialStates(systems.Burgers(n=16, initial="mixed")),
    "Lifted": systems.Lifted(duffing, systems.Box((-1.0, -1.0), (1.0, 1.0))),
    "ShortFlows": systems.ShortFlows(burgers, duration=0.2, points_per_flow=3),
    "NearTrajectories": systems.NearTrajectories(runs),
    "Mixture": systems.Mixture((BOX, systems.Gaussian(LOW, HIGH), systems.Sobol(LOW, HIGH)), (1, 2, 0.5)),
}
each_stable = pytest.mark.parametrize("sampler", PREFIX_STABLE.values(), ids=PREFIX_STABLE.keys())


@each_stable
@settings(max_examples=8, deadline=None)
@given(n=st.integers(1, 60), more=st.integers(0, 80), seed=st.integers(0, 2**32))
def test_a_point_depends_on_seed_and_index_alone(sampler, n, more, seed):
    few, many = sampler(n, seed), sampler(n + more, seed)
    assert few.dtype == np.float64
    assert len(few) == n
    np.testing.assert_array_equal(few, many[:n])


@each_stable
def test_other_seeds_give_other_points(sampler):
    assert not np.array_equal(sampler(8, 0), sampler(8, 1))


@pytest.mark.parametrize("kind", [systems.Box, systems.Sobol, systems.LatinHypercube])
@settings(max_examples=10, deadline=None)
@given(n=st.integers(1, 40), seed=st.integers(0, 1000))
def test_points_stay_in_the_box(kind, n, seed):
    x = kind(LOW, HIGH)(n, seed)
    assert x.shape == (n, 3)
    assert (x >= LOW).all()
    assert (x < HIGH).all()


@given(n=st.integers(1, 50), seed=st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_latin_hypercube_has_one_point_in_each_part(n, seed):
    part = np.floor((systems.LatinHypercube(LOW, HIGH)(n, seed) - LOW) / (HIGH - LOW) * n).astype(int)
    np.testing.assert_array_equal(np.sort(part, axis=0), np.arange(n)[:, None].repeat(3, axis=1))


def test_distributions():
    for j in range(3):
        uniform = (BOX(2000, 1)[:, j] - LOW[j]) / (HIGH[j] - LOW[j])
        assert stats.kstest(uniform, "uniform").pvalue > 1e-3
        normal = (systems.Gaussian(LOW, HIGH)(2000, 1)[:, 1] - LOW[1]) / HIGH[1]
        assert stats.kstest(normal, "norm").pvalue > 1e-3


def test_sobol_fills_more_evenly_than_chance():
    unit = (np.zeros(2), np.ones(2))
    assert stats.qmc.discrepancy(systems.Sobol(*unit)(256, 0)) < 0.1 * stats.qmc.discrepancy(systems.Box(*unit)(256, 0))


def test_states_of_several_dimensions():
    box = systems.Box(np.zeros((2, 3)), 1.0)
    assert box(4, 0).shape == (4, 2, 3)
    assert systems.Sobol(np.zeros((2, 3)), 1.0)(4, 0).shape == (4, 2, 3)
    assert systems.Gaussian(np.zeros((2, 3)), 1.0)(4, 0).shape == (4, 2, 3)


@given(n=st.integers(1, 200))
def test_mixture_keeps_its_shares_at_every_n(n):
    a, b = systems.Box([0.0], [1.0]), systems.Box([2.0], [3.0])
    x = systems.Mixture((a, b), (3, 1))(n, 0)
    assert abs((x < 1.5).sum() - 0.75 * n) <= 1


def test_short_flows_lie_on_flows():
    linear = systems.LiftedLinear(n=8)
    m, duration = 4, 3.0
    flows = systems.ShortFlows(linear, duration=duration, points_per_flow=m, rtol=1e-9)
    z = linear.encode(flows(12, 5)).reshape(3, m, 3)
    # z3 decays as exp(-t/2): its ratio along a flow gives the elapsed time, one part of the duration each.
    np.testing.assert_allclose(np.log(z[:, 1:, 2] / z[:, :-1, 2]), -0.5 * duration / m, rtol=1e-6)
    amplitude = np.hypot(z[..., 0], z[..., 1])
    np.testing.assert_allclose(np.log(amplitude[:, 1:] / amplitude[:, :-1]), -0.1 * duration / m, rtol=1e-6)


def test_spacing_puts_points_earlier():
    even, early = (systems.ShortFlows(burgers, duration=2.0, spacing=s)(64, 0) for s in (1.0, 3.0))
    assert early.std() > even.std()


def test_near_trajectories_are_near_and_half_of_them_on():
    near = systems.NearTrajectories(runs, noise=0.05)(40, 3)
    states = runs["state"].values.reshape(-1, 32)
    distance = np.abs(near[:, None] - states).max(axis=-1).min(axis=1)
    assert (distance[0::2] == 0).all()
    assert (distance[1::2] > 0).all()
    assert distance.max() < 0.3 * np.abs(states).max()
    # Perturbations are as smooth as the data: no energy in modes that the data do not have.
    data, perturbed = (np.abs(np.fft.rfft(x)).max(axis=0) for x in (states, near))
    assert (perturbed <= 1.3 * data).all()


def test_near_trajectories_do_not_depend_on_how_they_are_read(monkeypatch):
    expected = systems.NearTrajectories(runs)(40, 3)
    monkeypatch.setattr("systems.flow_sampling.READ_TOGETHER", 3 * 8 * runs["state"][0, 0].size)
    np.testing.assert_array_equal(systems.NearTrajectories(runs.chunk(time=4))(40, 3), expected)


def test_near_trajectories_takes_sets_of_unequal_times():
    short = runs.isel(time=slice(0, 3))
    states = systems.NearTrajectories([runs, short], exact=1.0)(30, 0)
    assert states.shape == (30, 32)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: systems.Box([0.0, 2.0], [1.0, 2.0]), VALUE, r"low\[1\] = 2.0, high = 2.0"),
        (lambda: systems.Box(0.0, 1.0), VALUE, "must have the shape of a state, got two numbers"),
        (lambda: systems.Box([0.0, np.nan], 1.0), VALUE, "low must be finite"),
        (lambda: systems.Sobol([0.0, 0.0], [1.0] * 3), VALUE, "low and high must be arrays"),
        (lambda: systems.Sobol(np.zeros(21_202), 1.0), VALUE, "21,202 numbers.*for 21,201 at most; use LatinHypercube"),
        (lambda: systems.ShortFlows(burgers, duration="a"), TYPE, "duration must be a number, got 'a'"),
        (lambda: systems.NearTrajectories(runs, noise="a"), TYPE, "noise must be a number, got 'a'"),
        (lambda: systems.Gaussian([0.0], [-1.0]), VALUE, "std must not be negative, got -1.0"),
        (lambda: BOX(0, 0), VALUE, "n must be at least 1, got 0"),
        (lambda: BOX(3, 0.5), TYPE, "seed must be an integer, got 0.5"),
        (lambda: systems.Mixture(()), VALUE, "samplers must not be empty"),
        (lambda: systems.Mixture((BOX,), (1, 2)), VALUE, "1 samplers need as many weights, got 2"),
        (lambda: systems.Mixture((BOX,), (0,)), VALUE, "not all zero"),
        (lambda: systems.Lifted(burgers, BOX), TYPE, r"needs a system with decode\(z\)"),
        (lambda: systems.ShortFlows(burgers, duration=-1), VALUE, "duration must be positive"),
        (lambda: systems.ShortFlows(burgers, spacing=0), VALUE, "spacing must be positive"),
        (lambda: systems.NearTrajectories(np.zeros(3)), TYPE, "a Dataset with a variable `state`"),
        (lambda: systems.NearTrajectories([]), VALUE, "at least one Dataset"),
        (lambda: systems.NearTrajectories(runs, exact=2), VALUE, "between 0 and 1, got 2"),
        (lambda: systems.NearTrajectories(runs, noise=-1), VALUE, "noise must be at least 0, got -1"),
        (lambda: systems.NearTrajectories(runs.isel(trajectory=[])), VALUE, "trajectories are empty"),
        (
            lambda: systems.NearTrajectories(xr.Dataset({"state": (("time", "x"), np.zeros((2, 3)))})),
            VALUE,
            r"dimensions \(trajectory, time, ...\), got \('time', 'x'\)",
        ),
    ],
)
def test_unusable_values_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_flow_that_does_not_exist_is_reported():
    def explode(x):
        return x**2

    system = systems.from_rhs(explode, 2, sampler=systems.Box([1.0, 1.0], [2.0, 2.0]))
    with pytest.raises(systems.EvaluationError, match=r"short flow could not be integrated.*shorter duration"):
        systems.ShortFlows(system, duration=5.0)(3, 0)
