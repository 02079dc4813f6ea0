"""simulate(): labels, reproducibility, failures, files, words."""

import json
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
import xarray as xr

import systems

VALUE, TYPE = systems.SystemsValueError, systems.SystemsTypeError

lorenz = systems.Lorenz()
T = np.linspace(0, 0.5, 6)


def test_result_is_labelled():
    runs = systems.simulate(systems.Burgers(n=32), 3, T)
    assert runs["state"].dims == ("trajectory", "time", "x")
    assert runs["state"].dtype == np.float64
    assert runs["trajectory"].values.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(runs["time"].values, T)
    assert runs["time"].attrs == {"units": "1"}
    assert "parameters" not in runs
    provenance = json.loads(runs.attrs["provenance"])
    assert provenance["system"] == "Burgers"
    assert provenance["fields"] == {"n": 32, "viscosity": 0.01, "initial": "harmonic"}
    assert provenance["failed"] == []


def test_defaults_are_those_of_the_system():
    runs = systems.simulate(systems.LiftedLinear(n=4))
    assert runs.sizes == {"trajectory": 64, "time": 51, "state_index": 4}


def test_initial_states_are_kept_and_may_be_given_in_many_forms():
    x0 = lorenz.sample_initial(3, seed=5)
    for initial in (x0, x0.values, x0.transpose(), x0.values.tolist(), lambda n, seed: x0.values[:n]):  # noqa: ARG005
        runs = systems.simulate(lorenz, 3, T, initial=initial)
        np.testing.assert_array_equal(runs["state"][:, 0], x0)
    one = systems.simulate(lorenz, t=T, initial=x0.values[0])
    assert one.sizes["trajectory"] == 1
    np.testing.assert_array_equal(systems.simulate(lorenz, 3, T, seed=5)["state"][:, 0], x0)


def test_time_may_start_anywhere():
    system = systems.from_rhs(lambda t, x: 0 * x + 2 * t, 1)
    runs = systems.simulate(system, t=[3.0, 4.0], initial=[[9.0]])
    np.testing.assert_allclose(runs["state"].values[0, :, 0], [9.0, 16.0], rtol=1e-10)


@pytest.mark.parametrize("make", [ThreadPoolExecutor, None])
def test_workers_do_not_change_the_result(make):
    alone = systems.simulate(lorenz, 70, T, seed=2)
    # Forking is unsafe once torch has started threads.
    context = multiprocessing.get_context("spawn")
    with make(3) if make else ProcessPoolExecutor(2, mp_context=context) as executor:
        shared = systems.simulate(lorenz, 70, T, seed=2, executor=executor)
    xr.testing.assert_identical(alone, shared)


def test_a_function_that_cannot_be_sent_is_explained():
    system = systems.from_rhs(lambda x: -x, 2)
    executor = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
    with executor, pytest.raises(TYPE, match="define f at the top level of a module"):
        systems.simulate(system, t=T, initial=np.ones((2, 2)), executor=executor)


@pytest.mark.parametrize("method", ["RK45", "Radau", "BDF", "LSODA"])
def test_other_methods(method):
    t = np.linspace(0, 0.3, 4)
    usual = systems.simulate(lorenz, 2, t)["state"]
    other = systems.simulate(lorenz, 2, t, method=method, rtol=1e-8, atol=1e-8)["state"]
    np.testing.assert_allclose(other, usual, atol=1e-4)


def test_parameters():
    given = np.array([[10.0, 28.0, 8 / 3], [10.0, 20.0, 8 / 3]])
    x0 = np.asarray(lorenz.sample_initial(2))
    runs = systems.simulate(lorenz, t=T, initial=x0, parameters=given)
    assert runs["parameters"].dims == ("trajectory", "parameter")
    assert runs["parameter"].values.tolist() == ["sigma", "rho", "beta"]
    named = systems.simulate(lorenz, t=T, initial=x0, parameters={"rho": [28.0, 20.0]})
    np.testing.assert_array_equal(runs["state"], named["state"])
    own = systems.simulate(systems.Lorenz(rho=20.0), t=T, initial=x0[1:])
    np.testing.assert_allclose(runs["state"].values[1], own["state"].values[0], atol=1e-7)
    drawn = systems.simulate(lorenz, 40, T[:2], parameters="sample")["parameters"].values
    low, high = (np.array([getattr(p, end) for p in lorenz.parameters]) for end in ("low", "high"))
    assert ((drawn >= low) & (drawn <= high)).all()
    assert len(np.unique(drawn)) == 120


def explode(x):
    """x' = x^2 reaches infinity at t = 1 / x(0)."""
    return x**2


def test_failures_are_reported_and_never_stored():
    system = systems.from_rhs(explode, 1)
    x0 = np.array([[0.1], [2.0], [0.2], [5.0]])
    with pytest.warns(systems.IntegrationWarning, match=r"2 of 4 trajectories .* absent: 1, 3; trajectory 1: "):
        runs = systems.simulate(system, t=[0.0, 1.0], initial=x0)
    assert runs["trajectory"].values.tolist() == [0, 2]
    np.testing.assert_allclose(runs["state"].values[:, 1, 0], [0.1 / 0.9, 0.2 / 0.8], rtol=1e-8)
    failed = json.loads(runs.attrs["provenance"])["failed"]
    assert [entry["trajectory"] for entry in failed] == [1, 3]
    assert all("step size" in entry["reason"] for entry in failed)


def test_a_state_where_f_is_not_finite_is_reported():
    system = systems.from_rhs(lambda x: np.where(x > 3, np.nan, -x), 1)
    with pytest.warns(systems.IntegrationWarning, match=r"f is not finite at the initial state"):
        runs = systems.simulate(system, t=[0.0, 1.0], initial=[[1.0], [4.0]])
    assert runs["trajectory"].values.tolist() == [0]


def test_all_failed_is_an_error_with_the_cause():
    def fails(x):
        if x[0] < 1:
            raise RuntimeError("mesh tangled")
        return -x

    system = systems.from_rhs(fails, 1)
    with pytest.raises(
        systems.IntegrationError, match=r"none of the 2 trajectories.*RuntimeError: mesh tangled.*BDF"
    ) as caught:
        systems.simulate(system, t=[0.0, 1.0], initial=[[1.0], [2.0]])
    assert isinstance(caught.value.__cause__, systems.EvaluationError)
    assert isinstance(caught.value.__cause__.__cause__, RuntimeError)


@pytest.mark.parametrize("batched", [None, True, False])
def test_an_f_that_never_works_raises_its_own_error(batched):
    def fails(x):  # noqa: ARG001
        raise RuntimeError("mesh tangled")

    for executor in (None, ThreadPoolExecutor(1)):
        options = {"t": [0.0, 1.0], "initial": [[1.0, 1.0], [2.0, 1.0]], "executor": executor}
        with pytest.raises(systems.EvaluationError, match="RuntimeError: mesh tangled") as caught:
            systems.simulate(systems.from_rhs(fails, 2, batched=batched), **options)
        assert isinstance(caught.value.__cause__, RuntimeError)
        assert "BDF" not in str(caught.value)
        with pytest.raises(systems.EvaluationError, match=r"returned shape .*, expected \(.*2,?\)"):
            systems.simulate(systems.from_rhs(lambda x: x[..., :1], 2, batched=batched), **options)


def test_without_time_the_advice_is_of_time():
    with pytest.raises(systems.IntegrationError, match=r"max_seconds is over\. Raise max_seconds") as caught:
        systems.simulate(lorenz, 2, T, max_seconds=1e-9)
    assert "BDF" not in str(caught.value)


@pytest.mark.parametrize(("verbose", "terminal", "shown"), [(None, False, False), (None, True, True),
                                                            (False, True, False), (True, False, True)])  # fmt: skip
def test_the_bar_is_shown_on_a_terminal_unless_told(verbose, terminal, shown, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    systems.simulate(lorenz, 2, T, verbose=verbose)
    assert ("trajectory" in capsys.readouterr().err) == shown


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (("lorenz",), {}, TYPE, "system must be a systems.System, got 'lorenz'"),
        ((lorenz, 0), {}, VALUE, "n_trajectories must be at least 1, got 0"),
        ((lorenz, 2, [0.0]), {}, VALUE, "t must have at least two times"),
        ((lorenz, 2, []), {}, VALUE, r"1-D array of times, got shape \(0,\)"),
        ((lorenz, 2, [[0.0, 1.0]]), {}, VALUE, r"1-D array of times, got shape \(1, 2\)"),
        ((lorenz, 2, [0.0, 1.0, 1.0]), {}, VALUE, r"t\[1\] = 1 is followed by t\[2\] = 1; use"),
        ((lorenz, 2, [0.0, 2.0, 1.0]), {}, VALUE, r"t\[1\] = 2 is followed by t\[2\] = 1"),
        ((lorenz, 2, [0.0, np.nan]), {}, VALUE, r"t must be finite, but t\[1\] is nan"),
        ((lorenz, 2, [0.0, 1j]), {}, TYPE, "t must hold real numbers, got complex128"),
        ((lorenz, 2, ["a", "b"]), {}, TYPE, "t must hold real numbers, got <U1"),
        (
            (lorenz, 2, T),
            {"initial": np.zeros((3, 3))},
            VALUE,
            "n_trajectories is 2, but initial holds 3 states; leave n_trajectories out",
        ),
        (
            (lorenz, None, T),
            {"initial": np.zeros((3, 4))},
            VALUE,
            r"initial must have shape \(trajectory, 3\) for the system 'Lorenz', got \(3, 4\)",
        ),
        ((lorenz, None, T), {"initial": np.zeros((0, 3))}, VALUE, "initial is empty"),
        (
            (lorenz, None, T),
            {"initial": [[0.0, np.inf, 0.0]]},
            VALUE,
            r"initial must be finite, but initial\[0, 1\] is inf",
        ),
        ((lorenz, None, T), {"initial": [[0.0, "a", None]]}, TYPE, "initial must hold real numbers"),
        ((lorenz, 2, T), {"parameters": {"roh": 1}}, VALUE, "no parameter 'roh'; did you mean 'rho'"),
        ((lorenz, 2, T), {"parameters": np.zeros((3, 3))}, VALUE, r"shape \(2, 3\) .*got \(3, 3\)"),
        (
            (lorenz, 2, T),
            {"parameters": {"rho": [1.0, 2.0, 3.0]}},
            VALUE,
            r"parameters\['rho'\] must be a number or have shape \(2,\), got \(3,\)",
        ),
        ((lorenz, 2, T), {"parameters": "random"}, VALUE, "or 'sample', got 'random'"),
        ((lorenz, 2, T), {"parameters": {"rho": np.nan}}, VALUE, r"parameters\[0, 1\] is nan"),
        ((systems.LiftedDuffing(), 2, T), {"parameters": "sample"}, VALUE, "has no parameters"),
        ((lorenz, 2, T), {"method": "RK54"}, VALUE, "unknown method 'RK54'; did you mean 'RK45'"),
        ((lorenz, 2, T), {"method": 45}, TYPE, "method must be a name"),
        ((lorenz, 2, T), {"rtol": 0.0}, VALUE, "rtol must be at least 2.3e-14, got 0.0"),
        ((lorenz, 2, T), {"atol": "low"}, TYPE, "atol must be a number, got 'low'"),
        ((lorenz, 2, T), {"verbose": 1}, TYPE, "verbose must be True, False or None, got 1"),
        ((lorenz, 2, T), {"seed": None}, TYPE, "seed must be an integer, got None"),
        ((lorenz, 2, T), {"path": "runs.h5"}, VALUE, "path must be a folder.*save_trajectories"),
    ],
)
def test_refusals_say_what_to_do(arguments, options, error, message):
    with pytest.raises(error, match=message):
        systems.simulate(*arguments, **options)


# Into files


class Killed(Exception):  # noqa: N818
    pass


def test_files_hold_what_memory_would(tmp_path):
    in_memory = systems.simulate(lorenz, 70, T, parameters="sample")
    in_files = systems.simulate(lorenz, 70, T, parameters="sample", path=tmp_path / "runs")
    assert len(list((tmp_path / "runs").iterdir())) == 3
    assert in_files["state"].chunks is not None
    xr.testing.assert_identical(in_memory, in_files.load())


def test_a_killed_run_loses_no_block_and_resumes(tmp_path, monkeypatch):
    from systems import generation

    real, blocks = generation.make, []

    def killed_at_the_third(block):
        if len(blocks) == 2:
            raise Killed
        blocks.append(block.indices.start)
        return real(block)

    monkeypatch.setattr(generation, "make", killed_at_the_third)
    with pytest.raises(Killed):
        systems.simulate(lorenz, 80, T, path=tmp_path)
    assert systems.open_trajectories(tmp_path / "*.h5").sizes["trajectory"] == 64

    blocks.clear()
    resumed = systems.simulate(lorenz, 80, T, path=tmp_path)
    assert blocks == [64]
    monkeypatch.undo()
    xr.testing.assert_identical(resumed.load(), systems.simulate(lorenz, 80, T))


def test_a_folder_of_another_call_is_refused(tmp_path):
    systems.simulate(lorenz, 3, T, path=tmp_path)
    with pytest.raises(VALUE, match=r"made by another call: it differs in rtol, seed"):
        systems.simulate(lorenz, 3, T, path=tmp_path, seed=1, rtol=1e-8)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(VALUE, match=r"path must be a folder, but .* is a file"):
        systems.simulate(lorenz, 2, T, path=tmp_path / "file")
    with pytest.raises(systems.SystemsOSError, match="could not be made: Not a directory"):
        systems.simulate(lorenz, 2, T, path=tmp_path / "file" / "runs")


def test_failures_are_remembered_in_files(tmp_path):
    system = systems.from_rhs(explode, 1)
    for _ in range(2):
        with pytest.warns(systems.IntegrationWarning, match=r"1 of 3 trajectories"):
            runs = systems.simulate(system, t=[0.0, 1.0], initial=[[0.1], [2.0], [0.2]], path=tmp_path)
        assert runs["trajectory"].values.tolist() == [0, 2]
        assert json.loads(runs.attrs["provenance"])["failed"][0]["trajectory"] == 1
