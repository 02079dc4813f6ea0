"""Systems made of a user's own function."""

import functools
import pickle

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg
import torch
import xarray as xr

import systems

VALUE, TYPE = systems.SystemsValueError, systems.SystemsTypeError

STATES = systems.Gaussian((1.0, 2.0, 25.0), (8.0, 9.0, 8.0))
lorenz = systems.Lorenz()


def one_state(x):
    return np.array([10 * (x[1] - x[0]), x[0] * (28 - x[2]) - x[1], x[0] * x[1] - 8 / 3 * x[2]])


def columns(x):
    # Right for (3,) and for (3, batch); on (3, 3) it mixes states up without an error.
    return np.stack([10 * (x[1] - x[0]), x[0] * (28 - x[2]) - x[1], x[0] * x[1] - 8 / 3 * x[2]])


def batch(x):
    return np.stack([10 * (x[..., 1] - x[..., 0]), x[..., 0] * (28 - x[..., 2]) - x[..., 1],
                     x[..., 0] * x[..., 1] - 8 / 3 * x[..., 2]], axis=-1)  # fmt: skip


def counted(f):
    calls = []

    def wrapped(x):
        calls.append(np.shape(x))
        return f(x)

    return wrapped, calls


@pytest.mark.parametrize("f", [one_state, columns, batch])
def test_a_black_box_is_its_built_in_twin(f):
    system = systems.from_rhs(f, 3, sampler=STATES)
    system.verify()
    assert system.is_black_box
    assert not lorenz.is_black_box
    x = STATES(7, 0)
    for leading in [(7,), (7, 1), (1, 7)]:
        np.testing.assert_allclose(system.rhs(x.reshape(*leading, 3)), lorenz.rhs(x).reshape(*leading, 3), rtol=1e-12)
    np.testing.assert_allclose(system.rhs(x[0]), lorenz.rhs(x[0]), rtol=1e-12)
    t = np.linspace(0, 1, 5)
    twin = systems.simulate(lorenz, t=t, initial=x)
    np.testing.assert_allclose(systems.simulate(system, t=t, initial=x)["state"], twin["state"], atol=1e-6)
    np.testing.assert_allclose(
        systems.collocate(system, 20)["time_derivative"],
        systems.collocate(lorenz, 20, sampler=STATES)["time_derivative"],
        rtol=1e-12,
    )


@pytest.mark.parametrize(("f", "takes_batches"), [(one_state, False), (columns, False), (batch, True)])
@pytest.mark.parametrize("n", [2, 3, 7])
def test_batches_are_found_out_on_real_states(f, takes_batches, n):
    f, calls = counted(f)
    system = systems.from_rhs(f, 3)
    system.rhs(STATES(n, 0))
    calls.clear()
    x = STATES(20, 1)
    np.testing.assert_allclose(system.rhs(x), lorenz.rhs(x), rtol=1e-12)
    assert calls == ([(20, 3)] if takes_batches else [(3,)] * 20)


def test_equal_states_decide_nothing():
    f, calls = counted(batch)
    system = systems.from_rhs(f, 3)
    system.rhs(np.zeros((4, 3)))
    assert calls == [(3,)] * 4
    assert system.batches(STATES(2, 0))


def test_batched_overrides():
    f, calls = counted(batch)
    systems.from_rhs(f, 3, batched=False).rhs(STATES(4, 0))
    assert calls == [(3,)] * 4
    calls.clear()
    systems.from_rhs(f, 3, batched=True).rhs(STATES(4, 0))
    assert calls == [(4, 3)]


def test_f_may_work_in_place_and_reuse_its_output():
    out = np.empty(3)

    def reckless(x):
        out[:] = one_state(x)
        x[:] = np.nan
        return out

    x = STATES(4, 0)
    before = x.copy()
    np.testing.assert_allclose(systems.from_rhs(reckless, 3).rhs(x), lorenz.rhs(before), rtol=1e-12)
    np.testing.assert_array_equal(x, before)


def test_f_gets_float64_and_the_result_keeps_the_dtype():
    def strict(x):
        assert x.dtype == np.float64
        return -x

    x = np.ones((3, 2), dtype=np.float32)
    assert systems.from_rhs(strict, 2).rhs(x).dtype == np.float32


def with_time(t, x):
    return -x + t


def with_parameters(x, rates):
    return -rates * x


def all_three(mu, x, t):
    return mu[0] * x + t


@pytest.mark.parametrize(
    ("f", "options", "mu", "expected"),
    [
        (with_time, {}, None, -1.0 + 3.0),
        (lambda time, y: -y + time, {}, None, 2.0),
        (with_parameters, {"parameters": {"a": 2.0, "b": (3.0, 1.0, 5.0)}}, None, np.array([-2.0, -3.0])),
        (with_parameters, {"parameters": {"a": 2.0, "b": 3.0}}, {"b": 5.0}, np.array([-2.0, -5.0])),
        (
            all_three,
            {"arguments": ("mu", "x", "t"), "parameters": [systems.Parameter("a", 4, 0, 5)]},
            None,
            7.0,
        ),
        (functools.partial(with_time, 1.0), {}, None, 0.0),
        (lambda x, scale=2.0: scale * x, {}, None, 2.0),
    ],
)
def test_order_of_arguments(f, options, mu, expected):
    system = systems.from_rhs(f, 2, **options)
    np.testing.assert_allclose(system.rhs(np.ones((3, 2)), mu, 3.0), np.broadcast_to(expected, (3, 2)))


def test_own_labels_and_shapes():
    system = systems.from_rhs(lambda x: -x, shape=(2, 3), dims=("y", "x"), coords={"x": [0.0, 0.5, 1.5]})
    assert system.shape == (2, 3)
    assert system.n_states == 6
    runs = systems.simulate(system, t=[0.0, 1.0], initial=np.ones((2, 2, 3)))
    assert runs["state"].dims == ("trajectory", "time", "y", "x")
    assert runs["x"].values.tolist() == [0.0, 0.5, 1.5]
    assert runs["y"].values.tolist() == [0, 1]
    assert system.sampler is None


def unequal(a, b):
    return a + b


def forgets_to_return(x):
    x * 2


def fails(x):  # noqa: ARG001
    raise ZeroDivisionError("no density")


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: systems.from_rhs(3, 3), TYPE, "f must be callable, got 3"),
        (lambda: systems.from_rhs(one_state), VALUE, "either n_states or shape"),
        (lambda: systems.from_rhs(one_state, 3, shape=(3,)), VALUE, "either n_states or shape"),
        (lambda: systems.from_rhs(one_state, 0), VALUE, "n_states must be at least 1"),
        (lambda: systems.from_rhs(one_state, shape=3), TYPE, "shape must be a tuple"),
        (lambda: systems.from_rhs(one_state, 3, dims=("a", "b")), VALUE, "needs 1 dims"),
        (lambda: systems.from_rhs(one_state, 3, dims=("time",)), VALUE, "'time' in dims is taken"),
        (
            lambda: systems.from_rhs(one_state, 3, dims=("cell",), coords={"cel": [1, 2, 3]}),
            VALUE,
            "which is not in dims; did you mean 'cell'",
        ),
        (
            lambda: systems.from_rhs(one_state, 3, dims=("cell",), coords={"cell": [1, 2]}),
            VALUE,
            r"coords\['cell'\] must have shape \(3,\), got \(2,\)",
        ),
        (lambda: systems.from_rhs(unequal, 3), VALUE, r"f takes \(a, b\).*arguments=\('t', 'x'\)"),
        (lambda: systems.from_rhs(with_time, 3, parameters={"a": 1.0}), VALUE, r"f takes \(t, x\)"),
        (lambda: systems.from_rhs(np.add, 3), VALUE, "state their order"),
        (lambda: systems.from_rhs(unequal, 3, arguments=("x", "time")), VALUE, "unknown name in arguments 'time'"),
        (lambda: systems.from_rhs(unequal, 3, arguments=("t",)), VALUE, "must hold 'x'"),
        (lambda: systems.from_rhs(unequal, 3, arguments=("x", "mu")), VALUE, "declare parameters"),
        (
            lambda: systems.from_rhs(one_state, 3, arguments=("x",), parameters={"a": 1.0}),
            VALUE,
            "f would not get them",
        ),
        (
            lambda: systems.from_rhs(with_parameters, 3, parameters={"a": "b"}),
            TYPE,
            "a number, got 'b'|number, got 'b'",
        ),
        (lambda: systems.from_rhs(one_state, 3, dims=5), TYPE, r"dims must be a tuple of names.*got 5"),
        (lambda: systems.from_rhs(one_state, 3, parameters=5), TYPE, r"parameters must be a sequence.*mapping.*got 5"),
        (lambda: systems.from_rhs(one_state, 3, arguments=5), TYPE, r"arguments must be a tuple of names.*got 5"),
        (
            lambda: systems.from_rhs(with_parameters, 3, parameters={"a": ("x", 0, 1)}),
            TYPE,
            r"parameters\['a'\]\[0\] must be a number, got 'x'",
        ),
        (
            lambda: systems.from_rhs(with_parameters, 3, parameters={"nu": systems.Parameter("kappa", 1, 0, 2)}),
            VALUE,
            "'nu'.* holds a Parameter named 'kappa'; give both the same name",
        ),
        (lambda: systems.Parameter("a", "1", 0, 2), TYPE, "default of the parameter 'a' must be a number, got '1'"),
        (lambda: systems.Parameter("a", 1, 0, np.inf), VALUE, "high of the parameter 'a' must be finite"),
        (lambda: systems.collocate(systems.from_rhs(one_state, 3), 2), VALUE, "the system 'one_state' has no sampler"),
        (lambda: systems.from_rhs(one_state, 3, batched="yes"), TYPE, "batched must be True, False"),
        (lambda: systems.from_rhs(one_state, 3, sampler=1), TYPE, "sampler must be callable"),
        (
            lambda: systems.from_rhs(one_state, 3).sample_initial(2),
            VALUE,
            "the system 'one_state' has no initial states of its own: give initial=.*sampler=",
        ),
        (
            lambda: systems.from_rhs(one_state, 3).rhs(torch.zeros(3)),
            TYPE,
            r"black box and takes NumPy arrays, got Tensor.*x.detach\(\).cpu\(\).numpy\(\)",
        ),
        (
            lambda: systems.from_rhs(lambda x: x[:2], 3).rhs(np.ones(3)),
            systems.EvaluationError,
            r"returned shape \(2,\) for a single state, expected \(3,\)",
        ),
        (
            lambda: systems.from_rhs(lambda x: x[:2], 3).rhs(np.ones((2, 3))),
            systems.EvaluationError,
            "for state 0",
        ),
        (
            lambda: systems.from_rhs(lambda x: x.astype(complex) * 1j, 3).rhs(np.ones(3)),
            systems.EvaluationError,
            "must return real numbers",
        ),
        (
            lambda: systems.from_rhs(forgets_to_return, 3).rhs(np.ones(3)),
            systems.EvaluationError,
            "returned None for a single state; does it end with return",
        ),
        (
            lambda: systems.from_rhs(one_state, 3, sampler=systems.Box([0.0], [1.0])).sample_initial(2),
            VALUE,
            r"must return shape \(2, 3\), got \(2, 1\)",
        ),
    ],
)
def test_refusals_say_what_to_do(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_the_users_own_exception_is_chained():
    with pytest.raises(systems.EvaluationError, match=r"fails\(x\) failed on state 0: ZeroDivisionError") as caught:
        systems.from_rhs(fails, 3).rhs(np.ones((2, 3)))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


# Functions that write to their last argument, and mass matrices


def lorenz_out(x, out):
    out[:] = one_state(x)


def lorenz_out_last(t, x, out):  # noqa: ARG001
    out[:] = one_state(x)
    return 0  # the status of a C function


def lorenz_out_first(out, x, rates):
    out[:] = [rates[0] * (x[1] - x[0]), x[0] * (28 - x[2]) - x[1], x[0] * x[1] - 8 / 3 * x[2]]


@pytest.mark.parametrize(
    ("f", "options"),
    [
        (lorenz_out, {}),
        (lorenz_out_last, {}),
        (lorenz_out_first, {"parameters": {"sigma": 10.0}}),
        (lambda result, x: result.__setitem__(slice(None), one_state(x)), {"arguments": ("out", "x")}),
    ],
)
def test_f_that_writes_to_an_argument(f, options):
    system = systems.from_rhs(f, 3, sampler=STATES, **options)
    x = STATES(5, 0)
    np.testing.assert_allclose(system.rhs(x), lorenz.rhs(x), rtol=1e-12)
    system.verify()


def test_f_that_writes_nothing_gives_what_is_not_a_number():
    with pytest.raises(systems.EvaluationError, match="not finite at point 0"):
        systems.collocate(systems.from_rhs(lambda x, out: None, 3, sampler=STATES), 4)  # noqa: ARG005


MASS = np.array([[2.0, 1.0, 0.0], [0.0, 3.0, 0.0], [0.0, -1.0, 4.0]])


def massive(x):
    return np.squeeze(MASS @ one_state(x)[..., None], axis=-1)


def mass_of(x):
    return MASS * (1 + x[0] ** 2)


@pytest.mark.parametrize("mass", [MASS, MASS.tolist(), scipy.sparse.csr_array(MASS), scipy.sparse.csr_matrix(MASS)])
def test_a_mass_matrix_is_inverted(mass):
    system = systems.from_rhs(massive, 3, mass=mass, sampler=STATES)
    x = STATES(7, 0)
    np.testing.assert_allclose(system.rhs(x), lorenz.rhs(x), rtol=1e-12)
    np.testing.assert_allclose(system.rhs(x[0]), lorenz.rhs(x[0]), rtol=1e-12)
    again = pickle.loads(pickle.dumps(system))
    np.testing.assert_array_equal(again.rhs(x), system.rhs(x))


@pytest.mark.parametrize("kind", [np.asarray, scipy.sparse.csc_array])
def test_a_mass_that_depends_on_the_state(kind):
    system = systems.from_rhs(
        lambda x: massive(x) * (1 + x[0] ** 2), 3, mass=lambda x: kind(mass_of(x)), sampler=STATES, batched=False
    )
    x = STATES(7, 0)
    np.testing.assert_allclose(system.rhs(x), lorenz.rhs(x), rtol=1e-12)


def test_mass_acts_on_all_numbers_of_a_state():
    mass = np.diag(np.arange(1.0, 7.0))
    system = systems.from_rhs(lambda x: -x, shape=(2, 3), mass=mass)
    expected = -np.ones((4, 2, 3)) / np.arange(1.0, 7.0).reshape(2, 3)
    np.testing.assert_allclose(system.rhs(np.ones((4, 2, 3))), expected)


@pytest.mark.parametrize(
    ("mass", "error", "message"),
    [
        (np.eye(2), VALUE, r"mass must have shape \(3, 3\) for states of 3 numbers, got \(2, 2\)"),
        (np.diag([1.0, 1.0, 0.0]), VALUE, "mass is singular: some equations have no time derivative"),
        (scipy.sparse.diags_array([1.0, 1.0, 0.0]), VALUE, "mass is singular"),
        (np.diag([1.0, np.nan, 1.0]), VALUE, "mass must be finite"),
        (
            scipy.sparse.linalg.aslinearoperator(np.eye(3)),
            TYPE,
            "mass must be an array, a SciPy sparse matrix or a function",
        ),
        ("lumped", TYPE, "mass must be an array, a SciPy sparse matrix or a function of a state, got str"),
    ],
)
def test_masses_that_cannot_be_used(mass, error, message):
    with pytest.raises(error, match=message):
        systems.from_rhs(one_state, 3, mass=mass)


def test_a_mass_that_fails_at_a_state():
    with pytest.raises(systems.EvaluationError, match="mass failed on a state: ZeroDivisionError"):
        systems.from_rhs(one_state, 3, mass=lambda x: 1 / 0).rhs(STATES(1, 0))  # noqa: ARG005
    with pytest.raises(systems.EvaluationError, match="mass must have shape"):
        systems.from_rhs(one_state, 3, mass=lambda x: np.eye(2)).rhs(STATES(1, 0))  # noqa: ARG005


def test_coordinates_with_a_period_say_that_states_repeat():
    x = np.linspace(0.0, 2.0, 8, endpoint=False)
    labelled = xr.DataArray(x, dims="x", attrs={"period": 2.0})
    system = systems.from_rhs(
        lambda x: -x, 8, dims=("x",), coords={"x": labelled}, sampler=systems.Box([0.0] * 8, [1.0] * 8)
    )
    assert system.periods == {"x": 2.0}
    for data in (system.sample_initial(2), systems.simulate(system, 2, [0.0, 1.0]), systems.collocate(system, 3)):
        assert data["x"].attrs["period"] == 2.0
        np.testing.assert_array_equal(data["x"], x)
    assert systems.from_rhs(lambda x: -x, 8, dims=("x",), coords={"x": x}).periods == {}


@pytest.mark.parametrize(
    ("period", "error"),
    [(0.0, systems.SystemsValueError), (-1.0, systems.SystemsValueError), ("two", systems.SystemsTypeError)],
)
def test_periods_that_are_no_lengths_are_refused(period, error):
    x = xr.DataArray(np.arange(3.0), dims="x", attrs={"period": period})
    with pytest.raises(error, match="period"):
        systems.from_rhs(lambda x: -x, 3, dims=("x",), coords={"x": x})
