"""Trajectories are made in blocks, here or by the workers of an executor.

A block is integrated the same way wherever and whenever that happens: it depends on nothing but what it holds. A worker
writes its block to the block's own file, so that data never pass between processes; only failures come back.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from pickle import PicklingError  # which executors raise: nothing is unpickled here
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

# Trajectories are integrated in blocks of fixed membership, so that the result never depends on how many
# workers share them. The steps of one block are shared; 32 rows of 1,024 numbers still fit a core's cache.
BLOCK = 32
# How many blocks an executor has at a time: enough for a few hundred workers, few enough to hold them all in memory,
# since some executors copy at once what they are given.
UNDER_WAY = 512

logger = logging.getLogger("systems")


@dataclass(frozen=True)
class Settings:
    """How all trajectories of a call are integrated; t: (time,). See `integrate`."""

    t: np.ndarray
    method: str | type[OdeSolver] | None
    rtol: float
    atol: float
    deadline: float | None


@dataclass(frozen=True)
class Block:
    """The trajectories `indices` of a call, and all that it takes to make them on any machine.

    initial: (batch, *system.shape). parameters: (batch, p), or None for the system's own. inputs: at the times of the
    settings, or None. provenance: of the call. shard: the file for them; None returns the states.
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
    """Why a trajectory could not be integrated."""

    reason: str
    cause: Exception | None = None

    def __reduce__(self):
        # The cause stays in its process: an exception of the user's may break the pool that tries to send it.
        return Failure, (self.reason,)


@dataclass(frozen=True)
class Made:
    """What became of a block: states (kept, time, *shape) unless they are in its file, and what failed."""

    states: np.ndarray | None
    failed: dict[int, Failure]


def run(executor: Executor | None, blocks: Iterable[Block]) -> Iterator[tuple[Block, Made]]:
    """Make blocks, here or by the executor, and yield each once it is finished.

    Raises SystemsOSError if a file cannot be written, once no worker writes any more; SystemsTypeError if the work
    cannot be sent to the workers; ExecutorError if the executor fails. Blocks that were finished by then stay in their
    files.
    """
    if executor is None:
        for block in blocks:
            yield block, make(block)
        return
    waiting, under_way = iter(blocks), dict[Future, Block]()
    finished = SimpleQueue[Future]()
    try:
        while True:
            for block in islice(waiting, UNDER_WAY - len(under_way)):
                future = executor.submit(make, block)
                under_way[future] = block
                future.add_done_callback(finished.put)
            if not under_way:
                return
            future = finished.get()
            made = future.result()
            yield under_way.pop(future), made
    except SystemsError:
        wait([future for future in under_way if not future.cancel()])
        raise
    except (PicklingError, AttributeError, TypeError) as error:  # f's own exceptions are among the failures
        raise SystemsTypeError(
            f"the executor could not take over the work ({error}): define f at the top level of a "
            "module, or use a ThreadPoolExecutor"
        ) from error
    except Exception as error:
        raise _executor_error(error) from error
    finally:
        for future in under_way:
            future.cancel()


def _executor_error(error: Exception) -> ExecutorError:
    what = f"the executor failed ({in_words(error)})"
    if isinstance(error, BrokenExecutor):
        what = (
            f"a worker of the executor died ({error}): it was killed, for instance for want of memory, or f ended its "
            "process, or f cannot be imported there. Without an executor, or with threads, f fails where it can be seen"
        )
    return ExecutorError(
        f"{what}. With path=..., finished blocks are in its files, and the same call, with a new executor, makes the rest"
    )


def make(block: Block) -> Made:
    """Integrate a block, and write its file if it has one; called by workers."""
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
    """The Dataset of trajectories `indices`: states (trajectory, time, *shape), parameters (trajectory, p) or None.

    Those of the parameters that are inputs are stored as these.
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
    """States (kept, time, *shape), and why each of the others failed.

    A block is tried as one; if that fails, its trajectories are tried one at a time.
    """
    # What other blocks have shown of f, such as whether it takes batches, must not matter: they may be made elsewhere.
    system, x0, mu, settings = block.system._afresh(), block.initial, block.parameters, block.settings

    def integrated(part: slice) -> np.ndarray:
        return integrate(
            system, x0[part], settings.t, None if mu is None else mu[part],
            inputs=None if block.inputs is None else block.inputs.select(part), method=settings.method,
            rtol=settings.rtol, atol=settings.atol, deadline=settings.deadline,
        )  # fmt: skip

    try:
        if len(x0) > 1 and system.batches(x0):
            return integrated(slice(None)), {}
    except Exception as error:  # a user's f may raise anything
        logger.debug("block at trajectory %d failed (%s): one at a time", block.indices.start, _reason(error))
    states, failed = [np.empty((0, settings.t.size, *system.shape))], {}
    for i, index in enumerate(block.indices):
        try:
            states.append(integrated(slice(i, i + 1)))
        except Exception as error:
            failed[index] = Failure(_reason(error), error)
    return np.concatenate(states), failed


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, IntegrationFailure | SystemsError) else in_words(error)
