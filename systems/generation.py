"""Trajectories made in blocks, in this process or by the workers of an executor.

A block depends only on what it holds, so it is integrated in the same way wherever and whenever that happens. A worker
writes its block to the block's own file, so that data never pass between processes; only failures come back.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from pickle import PicklingError  # raised by executors; nothing is unpickled here
from queue import SimpleQueue
from typing import Any

import numpy as np
import xarray as xr
from scipy.integrate import OdeSolver

from systems.errors import ExecutorError, SystemsError, SystemsTypeError, in_words
from systems.input_signals import Signals
from systems.integrators import IntegrationFailure, integrate
from systems.io.provenance import as_json
from systems.io.shards import write_shard
from systems.system import System

__all__ = ["BLOCK", "Block", "Failure", "Made", "Settings", "labelled", "make", "run"]

logger = logging.getLogger("systems")

# Trajectories per block. The trajectories of a block share the solver's steps, and blocks do not depend on the number of
# workers. 32 rows of 1,024 numbers still fit a core's cache.
BLOCK = 32
# Blocks that an executor has at a time: enough for a few hundred workers, and few enough to hold all in memory, because
# some executors copy what they are given at once.
SUBMITTED = 512


@dataclass(frozen=True)
class Settings:
    """Settings of the integration, which all trajectories of a call share.

    Attributes
    ----------
    t : numpy.ndarray
        Times (time,) of the output.
    method : str, type or None
        The solver, as in `simulate`.
    rtol, atol : float
        Tolerances.
    deadline : float or None
        The wall clock, `time.time`, at which integration ends.
    """

    t: np.ndarray
    method: str | type[OdeSolver] | None
    rtol: float
    atol: float
    deadline: float | None


@dataclass(frozen=True)
class Block:
    """Trajectories of a call, with everything that is needed to make them.

    Attributes
    ----------
    indices : range
        The indices of the trajectories.
    system : System
        The system.
    initial : numpy.ndarray
        States ``(batch, *system.shape)`` at the first time.
    parameters : numpy.ndarray or None
        Parameters (batch, p); None for the defaults.
    inputs : Signals or None
        Inputs at the times of the settings.
    settings : Settings
        Times, solver and tolerances.
    provenance : mapping
        The provenance of the call.
    shard : Path or None
        The file of the block; None to return the states.
    """

    indices: range
    system: System
    initial: np.ndarray
    parameters: np.ndarray | None
    inputs: Signals | None
    settings: Settings
    provenance: Mapping[str, Any]
    shard: Path | None


@dataclass(frozen=True)
class Failure:
    """Why a trajectory could not be integrated.

    Attributes
    ----------
    reason : str
        The reason in words.
    cause : Exception or None
        The exception, in the process where it was raised.
    """

    reason: str
    cause: Exception | None = None

    def __reduce__(self):
        # The cause stays in its process: a user's exception may break the pool that tries to send it.
        return Failure, (self.reason,)


@dataclass(frozen=True)
class Made:
    """The result of a block.

    Attributes
    ----------
    states : numpy.ndarray or None
        States ``(kept, time, *shape)``; None if they are in the file of the block.
    failed : dict of int to Failure
        The trajectories that could not be integrated.
    """

    states: np.ndarray | None
    failed: dict[int, Failure]


def run(executor: Executor | None, blocks: Iterable[Block]) -> Iterator[tuple[Block, Made]]:
    """Make blocks, and yield each one when it is finished.

    Parameters
    ----------
    executor : concurrent.futures.Executor or None
        The workers; None for this process.
    blocks : iterable of Block
        The blocks.

    Yields
    ------
    tuple of Block and Made
        A finished block and its result.

    Raises
    ------
    SystemsOSError
        If a file cannot be written; raised once no worker writes any more.
    SystemsTypeError
        If the work cannot be sent to the workers.
    ExecutorError
        If the executor fails. The files of finished blocks remain, as after the other errors.
    """
    if executor is None:
        for block in blocks:
            yield block, make(block)
        return
    waiting, submitted = iter(blocks), dict[Future, Block]()
    finished = SimpleQueue[Future]()
    try:
        while True:
            for block in islice(waiting, SUBMITTED - len(submitted)):
                future = executor.submit(make, block)
                submitted[future] = block
                future.add_done_callback(finished.put)
            if not submitted:
                return
            future = finished.get()
            made = future.result()
            yield submitted.pop(future), made
    except SystemsError:
        wait([future for future in submitted if not future.cancel()])
        raise
    except (PicklingError, AttributeError, TypeError) as error:  # f's own exceptions are among the failures
        raise SystemsTypeError(
            f"the executor could not take over the work ({error}): define f at the top level of a "
            "module, or use a ThreadPoolExecutor"
        ) from error
    except Exception as error:
        raise _executor_error(error) from error
    finally:
        for future in submitted:
            future.cancel()


def _executor_error(error: Exception) -> ExecutorError:
    """Return the error for an exception of the executor."""
    what = f"the executor failed ({in_words(error)})"
    if isinstance(error, BrokenExecutor):
        what = (
            f"a worker of the executor died ({error}): it was killed, for instance because memory ran out, or f ended "
            "its process, or f cannot be imported there. To see the error of f, leave the executor out or use threads"
        )
    return ExecutorError(
        f"{what}. With path=..., finished blocks are in files, and the same call with a new executor makes the rest"
    )


def make(block: Block) -> Made:
    """Integrate a block, and write its file if it has one; workers call this."""
    states, failed = _integrated(block)
    if block.shard is None:
        return Made(states, failed)
    reasons = {i: failure.reason for i, failure in failed.items()}
    kept = [i for i in block.indices if i not in failed]
    rows = [i - block.indices.start for i in kept]
    parameters = None if block.parameters is None else block.parameters[rows]
    inputs = None if block.inputs is None else block.inputs.select(rows)
    part = labelled(block.system, states, kept, parameters, inputs, block.settings.t, block.provenance, reasons)
    in_file = write_shard(block.shard, part)
    return Made(None, {i: failed.get(i, Failure(why)) for i, why in in_file.items()})


def labelled(
    system: System, states: np.ndarray, indices: list[int], parameters: np.ndarray | None, inputs: Signals | None,
    t: np.ndarray, provenance: Mapping[str, Any], failed: Mapping[int, str],
) -> xr.Dataset:  # fmt: skip
    """Return the Dataset of trajectories.

    Parameters
    ----------
    system : System
        The system.
    states : numpy.ndarray
        States ``(trajectory, time, *shape)``.
    indices : list of int
        The index of each trajectory.
    parameters : numpy.ndarray or None
        Parameters (trajectory, p). Those that are inputs are stored as inputs only.
    inputs : Signals or None
        Inputs at the times `t`.
    t : numpy.ndarray
        Times (time,).
    provenance : mapping
        The provenance of the call.
    failed : mapping of int to str
        The reason for each absent trajectory.
    """
    attrs = {} if system.is_black_box else {"units": "1"}
    data: dict[str, Any] = {"state": (("trajectory", "time", *system.dims), states)}
    coords = {"trajectory": np.asarray(indices, dtype=int), "time": ("time", t, attrs), **system._labelled_coords()}
    names = [] if inputs is None else inputs.names
    constant = {k: p.name for k, p in enumerate(system.parameters) if p.name not in names}
    if parameters is not None and constant:
        data["parameters"] = (("trajectory", "parameter"), parameters[:, list(constant)])
        coords["parameter"] = list(constant.values())
    if inputs is not None:
        values = inputs.labelled()
        data["inputs"] = (values.dims, values.values, values.attrs)
        coords["input"] = list(inputs.names)
    return xr.Dataset(data, coords, attrs={"provenance": as_json(provenance, failed)})


def _integrated(block: Block) -> tuple[np.ndarray, dict[int, Failure]]:
    """Return states ``(kept, time, *shape)`` of a block, and the failures.

    A block is integrated as a whole; if that fails, its trajectories are integrated one at a time.
    """
    # What other blocks have found out about f, such as whether it takes batches, must not matter: they may be made
    # elsewhere.
    system, x0, mu, settings = block.system._afresh(), block.initial, block.parameters, block.settings

    def integrated(part: slice) -> np.ndarray:
        """Return the states of a part of the block."""
        return integrate(
            system, x0[part], settings.t, None if mu is None else mu[part],
            inputs=None if block.inputs is None else block.inputs.select(part), method=settings.method,
            rtol=settings.rtol, atol=settings.atol, deadline=settings.deadline,
        )  # fmt: skip

    try:
        if len(x0) > 1 and system.batches(x0):
            return integrated(slice(None)), {}
    except Exception as error:  # a user's f may raise anything
        logger.debug(
            "block at trajectory %d failed (%s); its trajectories are integrated one at a time",
            block.indices.start,
            _reason(error),
        )
    states, failed = [np.empty((0, settings.t.size, *system.shape))], {}
    for i, index in enumerate(block.indices):
        try:
            states.append(integrated(slice(i, i + 1)))
        except Exception as error:
            failed[index] = Failure(_reason(error), error)
    return np.concatenate(states), failed


def _reason(error: Exception) -> str:
    """Return an exception in words."""
    return str(error) if isinstance(error, IntegrationFailure | SystemsError) else in_words(error)
