"""Inputs u(t) and explicit time: signals, systems that are driven, simulation and collocation."""

import numpy as np
import pytest
import xarray as xr
from scipy.integrate import solve_ivp

import systems

T = np.linspace(0.0, 2.0, 21)


def decay(x, u):
    return u - x


def plant(**options):
    low, high = np.full(3, -1.0), np.full(3, 1.0)
    return systems.from_rhs(
        decay, 3, inputs={"u": (0.0, -2.0, 2.0)}, sampler=systems.Box(low, high), **options
    )  # fmt: skip


def forced(t, x):
    return np.cos(2.0 * np.pi * t) - x


def held_solution(x0, t, u):
    states = [x0]
    for k, dt in enumerate(np.diff(t)):
        states.append(u[k] + (states[-1] - u[k]) * np.exp(-dt))
    return np.stack(states)


def linear_solution(x0, t, u):
    """x' = u - x with u = a + b s on each interval: x = (a - b) + b s + (x0 - a + b) exp(-s)."""
    states = [x0]
    for k, dt in enumerate(np.diff(t)):
        a, b = u[k], (u[k + 1] - u[k]) / dt
        states.append(a - b + b * dt + (states[-1] - a + b) * np.exp(-dt))
    return np.stack(states)


# ---------------------------------------------------------------------------------------------------------------------
# Signals
# ---------------------------------------------------------------------------------------------------------------------


def test_signals_hold_arrays_numbers_and_functions():
    made = systems.signals(T, {"a": np.sin, "b": np.ones((4, 21)), "c": 2.0})
    assert made.dims == ("trajectory", "time", "input")
    assert made.shape == (4, 21, 3)
    assert np.array_equal(made.sel(input="a", trajectory=2), np.sin(T))
    assert made.attrs["interpolation"] == "linear"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"a": np.ones(20)}, r"values\['a'\] must have shape \(21,\)"),
        ({"a": np.ones((2, 21)), "b": np.ones((3, 21))}, "same number of trajectories"),
        ({"a": np.full(21, np.nan)}, r"must be finite"),
    ],
)
def test_signals_that_cannot_be_used(values, message):
    with pytest.raises(systems.SystemsValueError, match=message):
        systems.signals(T, values)


def test_signals_refuse_other_things():
    with pytest.raises(systems.SystemsValueError, match="'linear' or 'previous'"):
        systems.signals(T, {"a": 1.0}, interpolation="cubic")
    with pytest.raises(systems.SystemsTypeError, match="must map names"):
        systems.signals(T, np.ones(21))  # pyright: ignore[reportArgumentType]


def test_random_signals_keep_their_ranges_and_depend_on_seed_and_index_alone():
    few, many = plant().sample_inputs(3, T, seed=5), plant().sample_inputs(9, T, seed=5)
    assert np.array_equal(few.values, many.values[:3])
    assert np.abs(many).max() <= 2.0
    assert not np.array_equal(few.values, plant().sample_inputs(3, T, seed=6).values)
    jumps = np.abs(np.diff(many.values[1, :, 0]))
    assert (jumps == 0).any()  # odd ones are held between jumps


# ---------------------------------------------------------------------------------------------------------------------
# Simulation
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("interpolation", "solution"), [("linear", linear_solution), ("previous", held_solution)])
@pytest.mark.parametrize("method", [None, "LSODA"])
def test_driven_trajectories_are_those_of_the_closed_form(interpolation, solution, method):
    x0 = np.array([[1.0, 0.0, -1.0], [0.5, 0.25, 2.0]])
    u = np.random.default_rng(0).uniform(-2, 2, (2, 21))
    given = systems.signals(T, {"u": u}, interpolation)
    runs = systems.simulate(plant(), t=T, initial=x0, inputs=given, method=method)
    exact = np.stack([solution(x0[i], T, u[i]) for i in range(2)])
    assert np.abs(runs["state"] - exact).max() < (1e-8 if method is None else 1e-6)
    assert np.array_equal(runs["inputs"].values[..., 0], u)
    assert runs["inputs"].attrs["interpolation"] == interpolation
    assert runs["inputs"].dims == ("trajectory", "time", "input")


def test_an_input_that_does_not_change_is_a_parameter():
    system = systems.FitzHughNagumo(n=32)
    driven = systems.simulate(system, 2, T, inputs={"current": 3.0})
    constant = systems.simulate(system, 2, T, parameters={"current": 3.0})
    assert np.abs(driven["state"] - constant["state"]).max() < 1e-8
    assert "parameters" not in driven
    assert list(driven["input"]) == ["current"]


@pytest.mark.parametrize("interpolation", ["linear", "previous"])
def test_the_own_formulation_of_a_system_takes_inputs(interpolation):
    system = systems.FitzHughNagumo(n=16)
    t = np.linspace(0, 0.5, 11)
    given = systems.signals(t, {"current": lambda s: 10.0 * np.sin(9 * s) ** 2}, interpolation)
    runs = systems.simulate(system, 1, t, inputs=given)
    x, u = runs["state"].values[0, 0].ravel(), given.values[0, :, 0]

    def rhs(s, y, k):
        now = u[k] if interpolation == "previous" else u[k] + (u[k + 1] - u[k]) * (s - t[k]) / (t[k + 1] - t[k])
        return system.rhs(y.reshape(2, 16), [now]).ravel()

    for k in range(10):
        x = solve_ivp(rhs, (t[k], t[k + 1]), x, "Radau", rtol=1e-9, atol=1e-11, args=(k,)).y[:, -1]
    assert np.abs(runs["state"].values[0, -1].ravel() - x).max() < 1e-6


def test_a_system_with_inputs_draws_them():
    runs = systems.simulate(plant(), 5, T, seed=2)
    assert np.array_equal(runs["inputs"], plant().sample_inputs(5, T, seed=2))
    assert np.allclose(systems.simulate(plant(), 3, T, seed=2)["state"], runs["state"][:3])


def test_driven_makes_inputs_of_parameters_and_fixes_the_others():
    duffing = systems.Duffing()
    names = [p.name for p in duffing.parameters]
    system = systems.driven(duffing, names[0], varying=names[1], dwell=0.5)
    assert system.inputs == (names[0],)
    assert [p.name for p in system.parameters] == [names[1], names[0]]
    runs = systems.simulate(system, 3, T)
    assert list(runs["parameter"]) == [names[1]]
    assert list(runs["input"]) == [names[0]]
    x = np.array([[0.3, -0.2]])
    expected = duffing.rhs(x, {names[0]: 0.7, names[1]: 1.2})
    assert np.array_equal(system.rhs(x, {names[0]: 0.7, names[1]: 1.2}), expected)
    system.verify()


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"v": np.ones(21)}, "there is no input .v."),
        (systems.signals(T[:11], {"u": 1.0}), r"known from t = 0 to 1, but t goes from 0 to 2; make them longer"),
        (systems.signals(T, {"u": np.ones((2, 21))}), "belong to 2 trajectories, but there are 3"),
        (systems.signals(T, {"u": 1.0}).drop_vars("time"), "no coordinate 'time'"),
    ],
)
def test_inputs_that_do_not_fit(inputs, message):
    with pytest.raises(systems.SystemsValueError, match=message):
        systems.simulate(plant(), 3, T, inputs=inputs)


def test_driven_refuses_what_is_no_parameter():
    with pytest.raises(systems.SystemsValueError, match="has no parameter 'curent'; did you mean 'current'"):
        systems.driven(systems.FitzHughNagumo(), "curent")
    with pytest.raises(systems.SystemsValueError, match="at least one name"):
        systems.driven(systems.FitzHughNagumo(), ())
    with pytest.raises(systems.SystemsTypeError, match=r"must be a systems\.System,"):
        systems.driven(decay, "u")  # pyright: ignore[reportArgumentType]
    with pytest.raises(systems.SystemsValueError, match="has no inputs"):
        systems.Lorenz().sample_inputs(2, T)


def test_inputs_are_stored_and_read_back(tmp_path):
    runs = systems.simulate(plant(), 40, T, path=tmp_path / "runs")
    again = systems.open_trajectories(tmp_path / "runs")
    assert isinstance(again, xr.Dataset)
    assert np.array_equal(again["inputs"], runs["inputs"])
    assert again["inputs"].attrs == runs["inputs"].attrs
    assert list(again["input"].values) == ["u"]


def test_the_arguments_of_f_are_found():
    for f, options in [
        (lambda t, x, u: u - x + 0 * t, {}),
        (lambda x, mu, u: mu[0] * u - x, {"parameters": {"gain": 1.0}}),
        (lambda time, x, mu, u: mu[0] * u - x + 0 * time, {"parameters": {"gain": 1.0}}),
        (lambda u, x: u - x, {"arguments": ("u", "x")}),
    ]:
        system = systems.from_rhs(f, 3, inputs={"u": (0.5, 0.0, 1.0)}, **options)
        assert np.array_equal(system.rhs(np.zeros((2, 3))), np.full((2, 3), 0.5))
    with pytest.raises(systems.SystemsValueError, match="inputs are declared, so arguments must hold 'u'"):
        systems.from_rhs(lambda x: x, 3, inputs={"u": 1.0}, arguments=("x",))
    with pytest.raises(systems.SystemsValueError, match="different names"):
        systems.from_rhs(lambda x, mu, u: mu * u * x, 3, inputs={"u": 1.0}, parameters={"u": 1.0})


def test_a_stiff_function_says_how_it_is_integrated():
    calls = []

    def stiff(x):
        calls.append(1)
        return -1e5 * (x - 1.0)

    system = systems.from_rhs(stiff, 2, method="BDF", batched=True)
    runs = systems.simulate(system, t=[0.0, 10.0], initial=np.zeros((1, 2)), rtol=1e-6)
    assert np.abs(runs["state"][0, -1] - 1.0).max() < 1e-4
    assert len(calls) < 1000
    with pytest.raises(systems.SystemsValueError, match="unknown method 'bdf'"):
        systems.from_rhs(stiff, 2, method="bdf")


# ---------------------------------------------------------------------------------------------------------------------
# Collocation
# ---------------------------------------------------------------------------------------------------------------------


def test_inputs_are_sampled_together_with_states():
    pairs = systems.collocate(plant(), 200, seed=1)
    assert pairs["inputs"].dims == ("point", "input")
    assert "parameters" not in pairs
    assert np.ptp(pairs["inputs"].values) > 3.0
    assert np.allclose(pairs["time_derivative"], pairs["inputs"].values - pairs["state"])
    fixed = systems.collocate(plant(), 10, parameters={"u": 1.5})
    assert np.array_equal(fixed["inputs"].values.ravel(), np.full(10, 1.5))


def test_driven_systems_are_collocated_along_flows_under_constant_inputs():
    system = systems.driven(systems.FitzHughNagumo(n=8), "current")
    pairs = systems.collocate(system, 40)
    assert list(pairs["input"].values) == ["current"]
    assert "parameters" not in pairs
    expected = [
        systems.FitzHughNagumo(n=8).rhs(x, u)
        for x, u in zip(pairs["state"].values, pairs["inputs"].values, strict=True)
    ]
    assert np.allclose(pairs["time_derivative"], expected)


def test_times_are_sampled_where_f_depends_on_time():
    system = systems.from_rhs(forced, 1, sampler=systems.Box([-1.0], [1.0]), period=1.0)
    pairs = systems.collocate(system, 1000, seed=3)
    times = pairs["time"].values
    assert pairs["time"].dims == ("point",)
    assert times.min() >= 0
    assert times.max() <= 1
    assert len(np.unique(times)) > 30
    assert np.allclose(pairs["time_derivative"][:, 0], np.cos(2 * np.pi * times) - pairs["state"][:, 0])
    assert np.array_equal(systems.collocate(system, 100, seed=3)["time"], times[:100])
    assert "time" not in systems.collocate(plant(), 10).coords


def test_the_period_must_be_positive():
    with pytest.raises(systems.SystemsValueError, match="period must be positive"):
        systems.from_rhs(forced, 1, period=0.0)


# ---------------------------------------------------------------------------------------------------------------------
# What must not go unseen
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [None, "BDF", "LSODA", "Radau"])
def test_no_method_steps_over_a_pulse(method):
    t = np.linspace(0.0, 100.0, 201)
    u = (np.arange(201) == 120).astype(float)
    runs = systems.simulate(
        plant(), t=t, initial=np.zeros((1, 3)), inputs=systems.signals(t, {"u": u}), method=method, rtol=1e-6
    )
    exact = linear_solution(np.zeros(3), t, u)
    assert np.abs(runs["state"].values[0] - exact).max() < 1e-3


def test_rounding_of_times_does_not_move_what_is_held():
    knots, t = 0.1 * np.arange(11), np.arange(11) / 10
    u = np.arange(11) % 2.0
    runs = systems.simulate(plant(), t=t, initial=np.zeros((1, 3)), inputs=systems.signals(knots, {"u": u}, "previous"))
    assert np.array_equal(runs["inputs"].values[0, :, 0], u)


def test_inputs_that_change_between_the_times_are_warned_of():
    fine = systems.signals(np.linspace(0, 2, 401), {"u": lambda t: float(0.52 < t < 0.58)})
    with pytest.warns(systems.IntegrationWarning, match="refine t"):
        systems.simulate(plant(), 1, T, inputs=fine)


def test_inputs_that_are_not_among_given_parameters_are_drawn():
    system = systems.from_rhs(
        lambda x, mu, u: mu * u - x, 3, parameters={"gain": (1.0, 0.5, 2.0)}, inputs={"u": (0.0, -2.0, 2.0)},
        sampler=systems.Box(np.full(3, -1.0), np.full(3, 1.0)),
    )  # fmt: skip
    pairs = systems.collocate(system, 100, parameters={"gain": 1.5})
    assert np.ptp(pairs["inputs"].values) > 3.0
    assert np.all(pairs["parameters"].values == 1.5)
    with pytest.raises(systems.SystemsValueError, match="'u' is an input"):
        systems.simulate(system, 2, T, parameters={"u": 1.0})


@pytest.mark.parametrize(
    "f",
    [
        lambda t, x: -x + (t > 5),
        lambda t, x: -x + np.interp(t, [7.0, 8.0], [0.0, 1.0]),
        lambda t, x, u: -x + u * np.sin(t),
    ],
)
def test_time_is_noticed_wherever_f_depends_on_it(f):
    inputs = {"u": (0.0, -2.0, 2.0)} if f.__code__.co_argcount == 3 else None
    system = systems.from_rhs(f, 3, inputs=inputs, sampler=systems.Box(np.full(3, -1.0), np.full(3, 1.0)))
    assert "time" in systems.collocate(system, 64).coords


def test_names_of_arguments_say_what_they_are():
    system = systems.from_rhs(
        lambda x, u, mu: -u * x + 0 * mu, 3, inputs={"a": (1.0, 0.0, 2.0)}, parameters={"b": (5.0, 4.0, 6.0)}
    )
    assert np.array_equal(system.rhs(np.ones(3)), -np.ones(3))
    with pytest.raises(systems.SystemsValueError, match=r"takes .* no time"):
        systems.from_rhs(lambda x: -x, 3, period=1.0)


def test_an_input_without_a_range_is_not_drawn():
    with pytest.raises(systems.SystemsValueError, match=r"'u' of .* has no range"):
        systems.simulate(systems.from_rhs(decay, 3, inputs={"u": 1.0}), 2, T, initial=np.zeros((2, 3)))


@pytest.mark.parametrize("span", [1e-3, 1e4])
def test_sampled_inputs_change_along_a_trajectory_whatever_the_unit_of_time(span):
    t = np.linspace(0.0, span, 101)
    drawn = plant().sample_inputs(20, t).values[..., 0]
    assert drawn.std(axis=1).min() > 0.1
    neighbours = np.corrcoef(drawn[:, 1:].ravel(), drawn[:, :-1].ravel())[0, 1]
    assert neighbours > 0.7


def test_held_and_linear_inputs_are_not_one_set(tmp_path):
    for name, interpolation in (("a", "linear"), ("b", "previous")):
        given = systems.signals(T, {"u": 1.0}, interpolation)
        systems.save_trajectories(systems.simulate(plant(), 2, T, inputs=given), tmp_path / f"{name}.h5")
    opened = systems.open_trajectories([tmp_path / "a.h5", tmp_path / "b.h5"])
    assert isinstance(opened, list)
    assert [one["inputs"].attrs["interpolation"] for one in opened] == ["linear", "previous"]
