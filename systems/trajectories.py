"""Simulation: from initial states to trajectories, as a labelled Dataset."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
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

__all__ = ["simulate"]


def simulate(
    system: System, n_trajectories: int | None = None, t: Any = None, *, initial: Any = None,
    parameters: Any = None, inputs: Any = None, seed: int = 0, method: str | type[OdeSolver] | None = None, rtol: float = 1e-9,
    atol: float = 1e-10, executor: Executor | None = None, path: str | Path | None = None,
    max_seconds: float | None = None, verbose: bool | None = None,
) -> xr.Dataset:  # fmt: skip
    """Integrate a system from many initial states.

    Most calls need `system`, `n_trajectories` and `t` only.

    Parameters
    ----------
    system : System
        The system to integrate.
    n_trajectories : int, optional
        The number of trajectories. By default as many as `initial` holds, or ``system.default_n_trajectories``.
    t : array_like, optional
        Times (time,) of the output, strictly increasing; the first is that of the initial states. By default
        ``system.default_times``.
    initial : array_like, xarray.DataArray or sampler, optional
        The states at ``t[0]``: ``(trajectory, *system.shape)``, a single state, or a sampler. By default
        ``system.sample_initial``.
    parameters : mapping, array_like or "sample", optional
        Numbers or arrays (trajectory,) by name, an array (trajectory, p), or ``"sample"`` for a uniform sample of their
        ranges. By default the system's own, which are not stored. Systems with ``samples_parameters`` sample them unless
        `initial` is given.
    inputs : mapping or xarray.DataArray, optional
        The parameters that change in time: values (time,) or (trajectory, time) at the times `t`, or functions of time,
        by name; or a DataArray as `signals` makes it. Inputs are taken at the times `t`. Between these they change
        linearly, or are held if the DataArray says so, so `t` must resolve their changes. By default systems with
        inputs draw random ones.
    seed : int, default 0
        The seed of initial states, parameters and inputs.
    method : str or type, optional
        A solver of `scipy.integrate.solve_ivp`, which then integrates f as it is. By default the integrator that suits
        the system: Lawson's method, which takes the linear part exactly (Burgers), latent coordinates (lifted systems),
        otherwise DOP853, an explicit method of order 8. A stiff black box needs ``"BDF"`` or ``"LSODA"``; these
        interpolate between their steps.
    rtol, atol : float, default 1e-9 and 1e-10
        Relative and absolute tolerance of each trajectory.
    executor : concurrent.futures.Executor, optional
        Workers (processes, loky, Dask, MPI) that integrate blocks of 32 trajectories. The result does not depend on it,
        bit for bit.
    path : str or path, optional
        A folder. Each block is written to a file of its own as soon as it is complete, and the result is read lazily
        from the files. The same call resumes from what is there, and refuses a folder that holds anything else. What
        failed is recorded and not tried again unless its file is deleted; what ran out of time is tried again.
    max_seconds : float, optional
        The wall clock time after which integration ends. Trajectories that are not complete by then are absent. By
        default there is no limit.
    verbose : bool, optional
        Whether to show a progress bar. By default only on a terminal.

    Returns
    -------
    xarray.Dataset
        ``state`` (trajectory, time, ...) in float64; ``parameters`` (trajectory, parameter) if given or sampled;
        ``inputs`` (trajectory, time, input) if there are any. The coordinate ``trajectory`` counts from 0. Trajectories
        that could not be integrated are absent, with an IntegrationWarning; the attribute ``provenance`` (JSON) lists
        them with the reason under "failed".

    Raises
    ------
    SystemsTypeError, SystemsValueError
        If an argument cannot be used.
    EvaluationError
        If f of a black box fails, or returns a wrong shape, at the first initial state, and no trajectory could be
        integrated. It is chained to the exception of f.
    IntegrationError
        If no trajectory could be integrated for another reason.
    ExecutorError
        If a worker dies. Complete files remain, and the same call resumes; so also for the following errors.
    SystemsOSError
        If a file cannot be written, for instance to a full disk.
    SystemsFileError
        If a file in `path` is damaged.

    See Also
    --------
    collocate : States and the values of f at them.
    open_trajectories : Open the files of a folder.

    Examples
    --------
    >>> import numpy as np
    >>> import systems
    >>> runs = systems.simulate(systems.Lorenz(), 5, np.linspace(0.0, 1.0, 11), seed=1)
    >>> dict(runs.sizes)
    {'trajectory': 5, 'time': 11, 'component': 3}
    >>> swept = systems.simulate(systems.VanDerPol(), 3, [0.0, 1.0], parameters={"damping": [0.5, 1.0, 2.0]})
    >>> swept["parameters"].values.ravel()
    array([0.5, 1. , 2. ])
    """
    if not isinstance(system, System):
        raise SystemsTypeError(f"system must be a systems.System, got {system!r}; from_rhs makes one from a function")
    t = checked_times("t", system.default_times if t is None else t)
    require_number("rtol", rtol, low=SMALLEST_RTOL)
    require_number("atol", atol, low=0.0)
    method = require_method(method)
    seed = require_seed(seed)
    x0, mu, driving = _initial_states(system, n_trajectories, t, initial, parameters, inputs, seed)
    if executor is not None and not hasattr(executor, "submit"):
        raise SystemsTypeError(f"executor must be a concurrent.futures.Executor or None, got {executor!r}")
    require_flag("verbose", verbose, optional=True)
    settings = Settings(t, method, rtol, atol, deadline_after(max_seconds))
    origin = "sample_initial" if initial is None else fingerprint(x0)
    provenance = _provenance(system, len(x0), origin, mu, driving, seed, settings)
    blocks = [range(i, min(i + BLOCK, len(x0))) for i in range(0, len(x0), BLOCK)]
    folder = None if path is None else Folder(Path(path), provenance, blocks)
    unfinished = blocks if folder is None else folder.unfinished()

    def block_of(indices: range) -> Block:
        """Return the block of trajectories `indices`."""
        rows = slice(indices.start, indices.stop)
        shard = None if folder is None else folder.shard(indices)
        own = None if mu is None else mu[rows], None if driving is None else driving.select(rows)
        return Block(indices, system, x0[rows], *own, settings, provenance, shard)

    failed = {} if folder is None else {i: Failure(why) for i, why in folder.failed().items()}
    done = len(x0) - sum(map(len, unfinished))
    states, newly_failed = _make(executor, map(block_of, unfinished), done, len(x0), verbose)
    failed |= newly_failed
    reasons = {i: failed[i].reason for i in sorted(failed)}
    if len(failed) == len(x0):
        _raise_failure(system, x0, mu, driving, t, failed)
    if failed:
        warnings.warn(_some_failed(reasons, len(x0)), IntegrationWarning, stacklevel=2)
    if folder is not None:
        result = open_trajectories([folder.shard(block) for block in blocks if not failed.keys() >= set(block)])
        assert isinstance(result, xr.Dataset)
        return result.assign_attrs(provenance=as_json(provenance, reasons))
    kept = [i for i in range(len(x0)) if i not in failed]
    together = np.concatenate([states[start] for start in sorted(states)])
    own = None if mu is None else mu[kept], None if driving is None else driving.select(kept)
    return labelled(system, together, kept, *own, t, provenance, reasons)


def _provenance(
    system: System,
    n: int,
    origin: str,
    mu: np.ndarray | None,
    driving: Signals | None,
    seed: int,
    settings: Settings,
) -> dict[str, Any]:
    """Return what describes a call.

    Two calls with equal provenance make the same data.
    """
    method = settings.method
    return {
        "kind": "trajectories",
        **system._describe(),
        "made_by": f"latentrom {package_version()}",
        "n_trajectories": n,
        "seed": seed,
        "initial": origin,
        "parameters": "default" if mu is None else fingerprint(mu),
        **({} if driving is None else {"inputs": driving.description()}),
        "times": fingerprint(settings.t),
        "method": method if method is None or isinstance(method, str) else method.__name__,
        "rtol": settings.rtol,
        "atol": settings.atol,
    }


def _make(
    executor: Executor | None, blocks: Iterable[Block], done: int, total: int, verbose: bool | None
) -> tuple[dict[int, np.ndarray], dict[int, Failure]]:
    """Make blocks with a progress bar.

    The bar counts `total` trajectories, of which `done` are there already.

    Returns the states of those blocks that have no files, by their first trajectory, and the failures.
    """
    states: dict[int, np.ndarray] = {}
    failed: dict[int, Failure] = {}
    shown = sys.stderr.isatty() if verbose is None else verbose
    with tqdm(total=total, unit="trajectory", disable=not shown, leave=False) as bar:
        bar.update(done)
        for block, made in run(executor, blocks):
            bar.update(len(block.indices))
            failed |= made.failed
            if made.states is not None:
                states[block.indices.start] = made.states
    return states, failed


def _raise_failure(
    system: System,
    x0: np.ndarray,
    mu: np.ndarray | None,
    driving: Signals | None,
    t: np.ndarray,
    failed: Mapping[int, Failure],
) -> None:
    """Raise the error for a call of which all trajectories failed."""
    out_of_time = OUT_OF_TIME in {failure.reason for failure in failed.values()}
    if system.is_black_box and not out_of_time:
        # If f fails at the first state, its own error is raised here: no other method or times would help.
        start = mu if driving is None else changing_parameters(system, mu, driving)(t[0])
        system.rhs(x0[:1], None if start is None else start[:1], t[0])
    advice = 'Check initial, parameters and t, or choose another method (stiff systems need "BDF" or "LSODA")'
    if out_of_time:
        advice = "Raise max_seconds, or ask for fewer trajectories or a shorter t"
    raise IntegrationError(
        f"none of the {len(failed)} trajectories could be integrated; trajectory 0: {failed[0].reason}. {advice}"
    ) from failed[0].cause


def _some_failed(reasons: Mapping[int, str], total: int) -> str:
    """Return the warning for a call of which some trajectories failed."""
    first = min(reasons)
    return (
        f"{len(reasons)} of {total} trajectories could not be integrated and are absent: "
        f"{_listed(list(reasons))}; trajectory {first}: {reasons[first]}"
    )


def _listed(indices: Sequence[int]) -> str:
    """Return the first eight indices as text."""
    return ", ".join(map(str, indices[:8])) + (", ..." if len(indices) > 8 else "")


def _initial_states(
    system: System, n: int | None, t: np.ndarray, initial: Any, parameters: Any, inputs: Any, seed: int
) -> tuple[np.ndarray, np.ndarray | None, Signals | None]:
    """Return the states at t[0], parameters, and inputs at the times t.

    States are ``(n, *shape)``; parameters are as by `checked_parameters`.
    """
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
    # Initial states that are given may belong to any parameters, so parameters that are not given are the defaults.
    mu = None if parameters is None and initial is not None else checked_parameters(system, parameters, n, seed)
    driving = _driving_signals(system, inputs, n, t, seed)
    inputs_there = () if driving is None else driving.names
    for name in parameters if isinstance(parameters, Mapping) else ():
        if name in inputs_there:
            raise SystemsValueError(f"parameters: {name!r} is an input of {system._called}; give it in inputs=...")
    if callable(initial):
        given = checked_states("initial", initial(n, seed), system, str(n))
    elif given is None:
        start = mu if driving is None else changing_parameters(system, mu, driving)(t[0])
        given = np.asarray(system.sample_initial(n, seed, start).values)
    return given, mu, driving


def _driving_signals(system: System, inputs: Any, n: int, t: np.ndarray, seed: int) -> Signals | None:
    """Return the inputs of n trajectories at the times t.

    They are those given, or random ones if the system has inputs.
    """
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
            IntegrationWarning, stacklevel=4,
        )  # fmt: skip
    return taken
