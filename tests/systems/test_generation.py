"""Generation by executors: the same bits whoever makes them, and what happens when f, a worker or the call fails."""

import json
import multiprocessing
import os
import pickle
import signal
import threading
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest
import xarray as xr
from harm import digests

import systems
from systems import generation

lorenz = systems.Lorenz()
T = np.linspace(0, 0.5, 6)


@pytest.fixture(scope="module")
def pool():
    """Two processes. Forking is unsafe once torch has started threads."""
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        yield executor


class Backwards(Executor):
    """Starts nothing before it is asked for the last time, and then the latest first."""

    def __init__(self):
        self.waiting = []

    def submit(self, fn, /, *args, **kwargs):
        future, call = Future(), (fn, args, kwargs)
        self.waiting.append((future, call))
        if args[0].indices.stop == 70:
            for future_, (fn_, args_, kwargs_) in reversed(self.waiting):
                future_.set_result(fn_(*args_, **kwargs_))
        return future


def test_files_are_the_same_bits_whoever_makes_them(pool, tmp_path):
    def made_by(name, executor):
        systems.simulate(lorenz, 70, T, parameters="sample", executor=executor, path=tmp_path / name)
        return digests(tmp_path / name)

    serial = made_by("serial", None)
    assert len(serial) == 3
    assert made_by("processes", pool) == serial
    assert made_by("backwards", Backwards()) == serial
    with ThreadPoolExecutor(3) as threads:
        assert made_by("threads", threads) == serial


def test_what_f_showed_elsewhere_does_not_matter(tmp_path):
    """A block whose first states are equal does not show whether f takes batches; steps would differ if others told."""
    system = systems.from_rhs(lambda x: -(x**3), 2)
    x0 = np.random.default_rng(0).random((70, 2))
    x0[32:34] = 1.0
    systems.simulate(system, t=T, initial=x0, path=tmp_path / "serial")
    for name, executor in (("backwards", Backwards()), ("again", None)):
        systems.simulate(system, t=T, initial=x0, path=tmp_path / name, executor=executor)
        assert digests(tmp_path / name) == digests(tmp_path / "serial")


def test_data_do_not_pass_through_the_parent(tmp_path, monkeypatch):
    real, sizes = generation.make, []

    def measured(block):
        made = real(block)
        sizes.append(len(pickle.dumps(made)))
        return made

    monkeypatch.setattr(generation, "make", measured)
    with ThreadPoolExecutor(1) as executor:
        systems.simulate(systems.Burgers(n=256), 32, T, executor=executor, path=tmp_path)
    assert sizes[0] < 200
    assert os.path.getsize(tmp_path / "trajectories-0000000-0000031.h5") > 300_000


def test_blocks_are_submitted_a_few_at_a_time(monkeypatch):
    monkeypatch.setattr(generation, "SUBMITTED", 3)
    outstanding, most = set(), []

    class Counting(ThreadPoolExecutor):
        def submit(self, fn, /, *args, **kwargs):
            future = super().submit(fn, *args, **kwargs)
            outstanding.add(future)
            most.append(sum(not future.done() for future in outstanding))
            return future

    with Counting(2) as executor:
        shared = systems.simulate(lorenz, 320, T[:2], executor=executor)
    assert len(outstanding) == 10
    assert max(most) <= 3
    xr.testing.assert_identical(shared, systems.simulate(lorenz, 320, T[:2]))


def test_nobody_writes_any_more_once_a_file_was_refused(tmp_path, monkeypatch):
    real, begun, ended = generation.write_shard, threading.Event(), []

    def refused(path, dataset):
        if path.name.startswith("trajectories-0000000"):
            begun.wait()
            raise systems.SystemsOSError("the disk is full")
        begun.set()
        time.sleep(0.2)
        failed = real(path, dataset)
        ended.append(path.name)
        return failed

    monkeypatch.setattr(generation, "write_shard", refused)
    with ThreadPoolExecutor(2) as executor:
        with pytest.raises(systems.SystemsOSError, match="the disk is full"):
            systems.simulate(lorenz, 96, T, path=tmp_path, executor=executor)
        assert ended
        assert sorted(ended) == sorted(digests(tmp_path))


# f fails


class MeshError(Exception):
    """Can be sent and not be received: its arguments are not those of its constructor."""

    def __init__(self, cell, why):
        super().__init__(f"cell {cell} {why}")


class LockedError(Exception):
    """Cannot be sent."""

    def __init__(self):
        super().__init__("locked")
        self.lock = threading.Lock()


class SilentError(Exception):
    """Cannot be put into words."""

    def __str__(self):
        raise RuntimeError


FAILURES = {
    "RuntimeError": RuntimeError("mesh tangled"),
    "ValueError": ValueError("negative pressure"),
    "FloatingPointError": FloatingPointError("overflow"),
    "MemoryError": MemoryError(),
    "StopIteration": StopIteration(),
    "MeshError": MeshError(7, "is tangled"),
    "LockedError": LockedError(),
    "SilentError": SilentError(),
}


@dataclass(frozen=True)
class Fails:
    """f of a user that fails within some trajectories, after a few steps."""

    name: str

    def __call__(self, t, x):
        if t > 0.2 and (x > 2).any():
            raise FAILURES[self.name]
        return np.ones_like(x)


@dataclass(frozen=True)
class Tangled(systems.System):
    """The same as a system of one's own, whose exceptions nothing wraps."""

    failure: str = "MeshError"
    name = "Tangled"
    dims = ("cell",)
    shape = (1,)

    def _rhs(self, x, mu, t, xp):  # noqa: ARG002
        if t > 0.2 and (x > 2).any():
            raise FAILURES[self.failure]
        return x * 0 + 1


X0 = np.tile([[0.0], [3.0], [1.0], [4.0]], (10, 1))


@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.parametrize("own", [False, True])
def test_whatever_f_raises_its_trajectory_is_reported_and_the_rest_goes_on(name, own, pool, tmp_path):
    system = Tangled(name) if own else systems.from_rhs(Fails(name), 1, arguments=("t", "x"))
    results = []
    for path, executor in ((None, None), (None, pool), (tmp_path, pool), (tmp_path, None)):
        with pytest.warns(systems.IntegrationWarning, match=f"20 of 40 .* trajectory 1: .*{name}"):
            runs = systems.simulate(system, t=T, initial=X0, executor=executor, path=path)
        results.append(runs.load())
        failed = json.loads(runs.attrs["provenance"])["failed"]
        assert [entry["trajectory"] for entry in failed] == [i for i in range(40) if i % 2]
    assert results[0]["trajectory"].values.tolist() == list(range(0, 40, 2))
    for other in results[1:]:
        xr.testing.assert_identical(other, results[0])


@pytest.mark.parametrize("name", FAILURES)
def test_a_system_that_always_fails_is_an_error_whoever_made_it(name, pool):
    for executor in (None, pool):
        with pytest.raises(systems.IntegrationError, match=f"none of the 2 trajectories.*trajectory 0: .*{name}"):
            systems.simulate(Tangled(name), t=T, initial=[[3.0], [4.0]], executor=executor)


@dataclass(frozen=True)
class Ends:
    """f that ends its call or its process at the second block, as long as a file is there."""

    name: str
    switch: str

    def __call__(self, x):
        if x[0] > 2 and os.path.exists(self.switch):
            if self.name == "exit":
                os._exit(3)
            if self.name == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise KeyboardInterrupt
        return np.ones_like(x)


def ended(name, tmp_path):
    """Arguments of `simulate`, the switch, and what the folder should hold in the end."""
    switch, x0 = tmp_path / "switch", np.r_[np.zeros(32), np.full(64, 3.0)][:, None]
    arguments = {"system": systems.from_rhs(Ends(name, str(switch)), 1), "t": T, "initial": x0}
    systems.simulate(**arguments, path=tmp_path / "expected")
    switch.touch()
    return arguments, switch, digests(tmp_path / "expected")


def test_an_interrupt_leaves_what_is_finished(pool, tmp_path):
    arguments, switch, expected = ended("interrupt", tmp_path)
    for name, executor in (("serial", None), ("processes", pool)):
        path = tmp_path / name
        with pytest.raises(KeyboardInterrupt):
            systems.simulate(**arguments, executor=executor, path=path)
        assert digests(path).items() <= expected.items()
        assert (path / "trajectories-0000000-0000031.h5").exists() or executor is not None
    switch.unlink()
    for name, executor in (("serial", pool), ("processes", None)):
        systems.simulate(**arguments, executor=executor, path=tmp_path / name)
        assert digests(tmp_path / name) == expected


@pytest.mark.parametrize("name", ["exit", "kill"])
def test_a_worker_that_dies_is_an_error_that_says_how_to_go_on(name, tmp_path):
    arguments, switch, expected = ended(name, tmp_path)
    path, spawn = tmp_path / "runs", multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as executor:
        with pytest.raises(
            systems.ExecutorError, match=r"a worker of the executor died .* the same call with a new"
        ) as e:
            systems.simulate(**arguments, path=path, executor=executor)
        assert e.value.__cause__ is not None
        first = "trajectories-0000000-0000031.h5"
        assert digests(path) == {first: expected[first]}
        with pytest.raises(systems.ExecutorError, match="a worker of the executor died"):
            systems.simulate(**arguments, path=path, executor=executor)
    switch.unlink()
    systems.simulate(**arguments, path=path)
    assert digests(path) == expected


def test_executors_that_cannot_be_used():
    with pytest.raises(
        systems.SystemsTypeError, match=r"executor must be a concurrent.futures.Executor or None, got 4"
    ):
        systems.simulate(lorenz, 2, T, executor=4)
    closed = ThreadPoolExecutor(1)
    closed.shutdown()
    with pytest.raises(systems.ExecutorError, match=r"the executor failed \(RuntimeError: cannot schedule"):
        systems.simulate(lorenz, 2, T, executor=closed)


# Time


def test_what_lacked_time_is_made_by_the_next_call(tmp_path, monkeypatch):
    """A clock that f itself moves on."""
    clock = [0.0]

    def slow(x):
        clock[0] += 1.0
        return -np.ones_like(x) * x[0]

    monkeypatch.setattr(systems.integrators.time, "time", lambda: clock[0])
    options = {"system": systems.from_rhs(slow, 2, batched=False), "t": T, "initial": np.eye(40, 2) + 1}
    systems.simulate(**options, path=tmp_path / "expected")
    needed, path = clock[0], tmp_path / "runs"
    for share, there in ((0.3, range(8, 16)), (0.1, range(8, 16)), (0.6, range(20, 28))):
        with pytest.warns(systems.IntegrationWarning, match="the time allowed by max_seconds is over"):
            runs = systems.simulate(**options, path=path, max_seconds=share * needed)
        assert runs.sizes["trajectory"] in there
        with pytest.raises(systems.SystemsFileNotFoundError, match="of 40 trajectories are not there"):
            systems.open_trajectories(path)
    systems.simulate(**options, path=path)
    assert digests(path) == digests(tmp_path / "expected")
