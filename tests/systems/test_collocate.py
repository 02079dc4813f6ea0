"""collocate(): pairs of states and f at them."""

import json

import numpy as np
import pytest

import systems

VALUE, TYPE = systems.SystemsValueError, systems.SystemsTypeError

lorenz = systems.Lorenz()


@pytest.mark.parametrize("system", [lorenz, systems.LiftedDuffing(), systems.Burgers(n=48)], ids=lambda s: s.name)
def test_pairs_are_labelled_and_exact(system):
    pairs = systems.collocate(system, 50, seed=3)
    assert pairs["state"].dims == pairs["time_derivative"].dims == ("point", *system.dims)
    assert pairs["state"].dtype == pairs["time_derivative"].dtype == np.float64
    np.testing.assert_array_equal(pairs["state"], system.sampler(50, 3))
    f = system.rhs(pairs["state"].values)
    np.testing.assert_allclose(pairs["time_derivative"], f, rtol=1e-12, atol=1e-13)
    assert json.loads(pairs.attrs["provenance"])["n"] == 50


def test_more_points_than_one_block():
    burgers = systems.Burgers(n=2048, viscosity=0.1)
    pairs = systems.collocate(burgers, 300, sampler=systems.InitialStates(burgers))
    np.testing.assert_allclose(pairs["time_derivative"], burgers.rhs(pairs["state"].values), atol=1e-12)


def test_near_trajectories_and_own_samplers():
    runs = systems.simulate(lorenz, 4, np.linspace(0, 1, 11))
    near = systems.collocate(lorenz, 10, near=runs)
    states = runs["state"].values.reshape(-1, 3)
    assert all((states == x).all(axis=1).any() for x in near["state"].values[::2])
    box = systems.Box([-1.0] * 3, [1.0] * 3)
    np.testing.assert_array_equal(systems.collocate(lorenz, 5, sampler=box)["state"], box(5, 0))


def test_parameters_per_point():
    pairs = systems.collocate(lorenz, 6, parameters="sample")
    assert pairs["parameters"].dims == ("point", "parameter")
    f = lorenz.rhs(pairs["state"].values, pairs["parameters"].values)
    np.testing.assert_allclose(pairs["time_derivative"], f, rtol=1e-12)


def test_one_in_five_default_points_of_burgers_is_an_initial_state_the_others_lie_on_flows():
    burgers = systems.Burgers(n=64)
    modes = np.abs(np.fft.rfft(systems.collocate(burgers, 40)["state"].values)) / 64
    beyond = np.sort(modes[:, 6:].max(axis=1))
    assert beyond[:8].max() < 1e-14
    assert beyond[8:].min() > 1e-8


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((3, 5), {}, TYPE, "system must be a systems.System, got 3"),
        ((lorenz, 0), {}, VALUE, "n must be at least 1, got 0"),
        ((lorenz, 5.0), {}, TYPE, "n must be an integer, got 5.0"),
        ((lorenz, 5), {"sampler": 1}, TYPE, r"sampler must be callable as sampler\(n, seed\)"),
        (
            (lorenz, 5),
            {"sampler": lambda n, _: np.zeros((n, 4))},
            VALUE,
            r"states of the sampler must have shape \(5, 3\) for the system 'Lorenz', got \(5, 4\)",
        ),
        (
            (lorenz, 5),
            {"sampler": lambda n, _: np.zeros((n - 1, 3))},
            VALUE,
            "returned 4 states instead of 5",
        ),
        (
            (lorenz, 5),
            {"sampler": lambda n, _: np.full((n, 3), np.nan)},
            VALUE,
            r"states of the sampler\[0, 0\] is nan",
        ),
        ((lorenz, 5), {"near": 1, "sampler": 2}, VALUE, "give either near or sampler"),
        ((lorenz, 5), {"near": np.zeros((2, 3))}, TYPE, "trajectories must be a Dataset"),
        (
            (systems.from_rhs(np.negative, 3, arguments=("x",)), 5),
            {},
            VALUE,
            "the system 'negative' has no sampler of states: give near=trajectories or sampler=",
        ),
    ],
)
def test_refusals_say_what_to_do(arguments, options, error, message):
    with pytest.raises(error, match=message):
        systems.collocate(*arguments, **options)


def test_a_point_where_f_is_not_finite_is_named():
    system = systems.from_rhs(lambda x: np.log(x), 2, sampler=lambda n, _: np.ones((n, 2)) - np.eye(n, 2, -3))
    with pytest.raises(systems.EvaluationError, match=r"not finite at point 3: f\[0\] is -inf.*Restrict the sampler"):
        systems.collocate(system, 6)


def test_a_failing_f_is_chained():
    def solver(x):  # noqa: ARG001
        raise OverflowError("too steep")

    with pytest.raises(
        systems.EvaluationError, match=r"solver\(x\) failed on state 0: OverflowError: too steep"
    ) as caught:
        systems.collocate(systems.from_rhs(solver, 2), 3, sampler=systems.Box([0.0, 0.0], [1.0, 1.0]))
    assert isinstance(caught.value.__cause__, OverflowError)
