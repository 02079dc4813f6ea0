"""simulate(): initial states -> trajectories, as a labelled Dataset."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from scipy.integrate import OdeSolver
from tqdm import tqdm

from systems.arguments import checked_parameters, checked_states
from systems.checks import (
    checked_times,
    deadline_after,
    require_flag,
    require_integer,
    require_method,
    require_number,
    require_seed,
)
from systems.errors import IntegrationError, IntegrationWarning, SystemsTypeError, SystemsValueError, nearest
from systems.generation import BLOCK, Block, Failure, Settings, labelled, run
from systems.input_signals import Signals, as_signals
from systems.integrators import OUT_OF_TIME, SMALLEST_RTOL, changing_parameters
from systems.io.open import open_trajectories
from systems.io.provenance import as_json, fingerprint, package_version
from systems.io.shards import Folder
from systems.system import System


def simulate(
    system: System, n_trajectories: int | None = None, t: Any = None, *, initial: Any = None,
    parameters: Any = None, inputs: Any = None, seed: int = 0, method: str | type[OdeSolver] | None = None, rtol: float = 1e-9,
    atol: float = 1e-10, executor: Executor | None = None, path: str | Path | None = None,
    max_seconds: float | None = None, verbose: bool | None = None,
) -> xr.Dataset:  # fmt: skip
    """Integrate a system from many initial states.

    system: what to integrate.
    n_trajectories: how many; by default as many as `initial` holds, or the system's own number.
    t: output times (time,), strictly increasing; the system's default times if None. The first is that of the
    initial states.

    The rest is for special needs.

    initial: states at t[0]: an array or DataArray (trajectory, *system.shape), one state, or a sampler;
    by default `system.sample_initial`.
    parameters: a mapping from names to numbers or arrays (trajectory,), an array (trajectory, p), or "sample"
    to draw them uniformly from their ranges. By default the system's own, and none are stored; systems whose
    trajectories differ by their parameters (`samples_parameters`) sample them where `initial` is not given.
    inputs: parameters that change in time, u(t): a mapping from names to values at the times t, (time,) or (trajectory,
    time), or to functions of a time; or a DataArray as `signals` makes it. They are taken at the times t, between which
    they are linear, or held where the DataArray says so: refine t where they change faster. A system with `inputs`
    draws random ones unless told otherwise.
    seed: of initial states, parameters and inputs.
    method: a solver of `scipy.integrate.solve_ivp` or its name, for f as it is. By default the integrator
    that suits the system: Lawson's method with the linear part exact (Burgers), latent coordinates (lifted
    systems), otherwise DOP853, explicit and of order 8. A stiff black box needs method="BDF" or "LSODA";
    these interpolate between steps.
    rtol, atol: tolerances of each trajectory.
    executor: any `concurrent.futures.Executor` (processes, loky, Dask, MPI), to which blocks of 32 trajectories are
    given; the result does not depend on it, to the last bit.
    path: a folder, into which each block is written as soon as it is complete, by the worker that made it. The same
    call resumes from what is there, and refuses a folder that holds anything else. What failed is recorded there and
    not tried again, unless its file is deleted; what lacked time is. The result is then read lazily from the files.
    max_seconds: after so much wall clock integration ends; trajectories that were not complete by then are absent,
    as are others that could not be integrated. No limit by default.
    verbose: whether a progress bar is shown; by default on a terminal only.

    Returns a Dataset: `state` (trajectory, time, *system.dims), float64; `parameters` (trajectory, parameter)
    if given, but for inputs; `inputs` (trajectory, time, input) if there are some; the coordinate `trajectory` counts
    from 0. Trajectories that could not be integrated are absent, with an IntegrationWarning, and listed with the reason
    under "failed" in the attribute `provenance` (JSON).

    Raises SystemsValueError and SystemsTypeError for arguments that cannot be used; EvaluationError, chained to f's
    own exception, if f of a black box fails or returns another shape at the first initial state, and no other could
    be integrated either; otherwise IntegrationError if no trajectory could be integrated. ExecutorError if a worker
    dies; SystemsOSError if a file cannot be written, as on a full disk; SystemsFileError for a damaged one in `path`.
    Files that were complete by then stay, and the same call resumes.
    """
    if not isinstance(system, System):
        raise SystemsTypeError(f"system must be a systems.System, got {system!r}; from_rhs makes one of a function")
    t = checked_times("t", system.default_times if t is None else t)
    require_number("rtol", rtol, low=SMALLEST_RTOL)
    require_number("atol", atol, low=0.0)
    method = require_method(method)
    seed = require_seed(seed)
    x0, mu, driven = _initial_states(system, n_trajectories, t, initial, parameters, inputs, seed)
    if executor is not None and not hasattr(executor, "submit"):
        raise SystemsTypeError(f"executor must be a concurrent.futures.Executor or None, got {executor!r}")
    require_flag("verbose", verbose, optional=True)
    settings = Settings(t, method, rtol, atol, deadline_after(max_seconds))
    provenance = {
        "kind": "trajectories",
        **system._describe(),
        "made_by": f"latentrom {package_version()}",
        "n_trajectories": len(x0),
        "seed": seed,
        "initial": "sample_initial" if initial is None else fingerprint(x0),
        "parameters": "default" if mu is None else fingerprint(mu),
        **({} if driven is None else {"inputs": driven.description()}),
        "times": fingerprint(t),
        "method": method if method is None or isinstance(method, str) else method.__name__,
        "rtol": rtol,
        "atol": atol,
    }
    blocks = [range(i, min(i + BLOCK, len(x0))) for i in range(0, len(x0), BLOCK)]
    folder = None if path is None else Folder(Path(path), provenance, blocks)
    unfinished = blocks if folder is None else folder.unfinished()

    def block_of(indices: range) -> Block:
        rows = slice(indices.start, indices.stop)
        shard = None if folder is None else folder.shard(indices)
        own = None if mu is None else mu[rows], None if driven is None else driven.select(rows)
        return Block(indices, system, x0[rows], *own, settings, provenance, shard)

    states: dict[int, np.ndarray] = {}  # of blocks that are not in files, by their first trajectory
    failed = {} if folder is None else {i: Failure(why) for i, why in folder.failed().items()}
    shown = sys.stderr.isatty() if verbose is None else verbose
    with tqdm(total=len(x0), unit="trajectory", disable=not shown, leave=False) as bar:
        bar.update(len(x0) - sum(map(len, unfinished)))
        for block, made in run(executor, map(block_of, unfinished)):
            bar.update(len(block.indices))
            failed |= made.failed
            if made.states is not None:
                states[block.indices.start] = made.states

    reasons = {i: failed[i].reason for i in sorted(failed)}
    if len(failed) == len(x0):
        if system.is_black_box and OUT_OF_TIME not in reasons.values():
            # An f that fails at once raises its own error here: no other method and no other t would help.
            start = mu if driven is None else changing_parameters(system, mu, driven)(t[0])
            system.rhs(x0[:1], None if start is None else start[:1], t[0])
        raise _none_integrated(reasons) from failed[0].cause
    if failed:
        first = min(failed)
        warnings.warn(
            f"{len(failed)} of {len(x0)} trajectories could not be integrated and are absent: "
            f"{_some(list(reasons))}; trajectory {first}: {reasons[first]}",
            IntegrationWarning, stacklevel=2,
        )  # fmt: skip
    if folder is not None:
        result = open_trajectories([folder.shard(block) for block in blocks if not failed.keys() >= set(block)])
        assert isinstance(result, xr.Dataset)
        return result.assign_attrs(provenance=as_json(provenance, reasons))
    kept = [i for i in range(len(x0)) if i not in failed]
    together = np.concatenate([states[start] for start in sorted(states)])
    own = None if mu is None else mu[kept], None if driven is None else driven.select(kept)
    return labelled(system, together, kept, *own, t, provenance, reasons)


def _none_integrated(reasons: Mapping[int, str]) -> IntegrationError:
    advice = 'Check initial, parameters and t, or choose another method (stiff systems need "BDF" or "LSODA")'
    if OUT_OF_TIME in reasons.values():
        advice = "Raise max_seconds, or ask for fewer trajectories or a shorter t"
    return IntegrationError(
        f"none of the {len(reasons)} trajectories could be integrated; trajectory 0: {reasons[0]}. {advice}"
    )


def _initial_states(
    system: System, n: int | None, t: np.ndarray, initial: Any, parameters: Any, inputs: Any, seed: int
) -> tuple[np.ndarray, np.ndarray | None, Signals | None]:
    """States at t[0] (n, *shape), parameters as by `checked_parameters`, and inputs at the times t."""
    given = None if initial is None or callable(initial) else checked_states("initial", initial, system, "trajectory")
    if n is not None:
        n = require_integer("n_trajectories", n, low=1)
        if given is not None and n != len(given):
            raise SystemsValueError(
                f"n_trajectories is {n}, but initial holds {len(given)} states; leave n_trajectories out"
            )
    elif given is None:
        n = system.default_n_trajectories
    else:
        n = len(given)
    # States that are given may belong to any parameters: those that nobody named are the defaults.
    mu = None if parameters is None and initial is not None else checked_parameters(system, parameters, n, seed)
    driven = _driven_by(system, inputs, n, t, seed)
    inputs_there = () if driven is None else driven.names
    for name in parameters if isinstance(parameters, Mapping) else ():
        if name in inputs_there:
            raise SystemsValueError(f"parameters: {name!r} is an input of {system._called}; give it in inputs=...")
    if callable(initial):
        given = checked_states("initial", initial(n, seed), system, str(n))
    elif given is None:
        start = mu if driven is None else changing_parameters(system, mu, driven)(t[0])
        given = np.asarray(system.sample_initial(n, seed, start).values)
    return given, mu, driven


def _driven_by(system: System, inputs: Any, n: int, t: np.ndarray, seed: int) -> Signals | None:
    """Inputs of n trajectories at the times t: those that are given, or random ones of a system that has some."""
    if inputs is None:
        if not system.inputs:
            return None
        inputs = system.sample_inputs(n, t, seed)
    found = as_signals(inputs, n, t, system.inputs or None)
    names = [p.name for p in system.parameters]
    for name in found.names:
        if name not in names:
            raise SystemsValueError(f"inputs: {system._called} has no parameter {name!r}; {nearest(name, names)}")
    taken = Signals(found.names, t, found.at(t), found.held)
    within = (found.times > t[0]) & (found.times < t[-1])
    slack = 1e-6 * float(np.ptp(found.values))
    if not np.allclose(taken.at(found.times[within]), found.values[:, within], rtol=1e-6, atol=slack):
        warnings.warn(
            "inputs change between the times t, at which they are taken: refine t to integrate them as they are",
            IntegrationWarning, stacklevel=3,
        )  # fmt: skip
    return taken


def _some(indices: Sequence[int]) -> str:
    return ", ".join(map(str, indices[:8])) + (", ..." if len(indices) > 8 else "")
