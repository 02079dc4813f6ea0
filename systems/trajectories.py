"""simulate(): initial states -> trajectories, as a labelled Dataset."""

from __future__ import annotations

import hashlib
import json
import logging
import sys
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from pickle import PicklingError  # which executors raise: nothing is unpickled here
from typing import Any

import numpy as np
import xarray as xr
from scipy.integrate import OdeSolver
from tqdm import tqdm

from systems.checks import (
    check_count,
    check_method,
    check_parameters,
    check_seed,
    check_states,
    check_times,
    check_tolerance,
    deadline_in,
)
from systems.errors import (
    IntegrationError,
    IntegrationWarning,
    SystemsError,
    SystemsOSError,
    SystemsTypeError,
    SystemsValueError,
    nearest,
)
from systems.inputs import INTERPOLATIONS, Signals, as_signals
from systems.integrators import OUT_OF_TIME, SMALLEST_RTOL, IntegrationFailure, changing_parameters, integrate
from systems.storage import open_trajectories, read_provenance, save_trajectories
from systems.system import System

# Trajectories are integrated in blocks of fixed membership, so that the result never depends on how many
# workers share them. The steps of one block are shared; 32 rows of 1,024 numbers still fit a core's cache.
BLOCK = 32

logger = logging.getLogger("systems")


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
    executor: any `concurrent.futures.Executor`, to which blocks of 32 trajectories are given; the result does
    not depend on it.
    path: a folder, into which each block is written as soon as it is complete. The same call resumes from
    what is there, and refuses a folder that holds anything else. The result is then read lazily from the
    files.
    max_seconds: after so much wall clock integration ends; trajectories that were not complete by then are absent,
    as are others that could not be integrated. No limit by default.
    verbose: whether a progress bar is shown; by default on a terminal only.

    Returns a Dataset: `state` (trajectory, time, *system.dims), float64; `parameters` (trajectory, parameter)
    if given, but for inputs; `inputs` (trajectory, time, input) if there are some; the coordinate `trajectory` counts
    from 0. Trajectories that could not be integrated are absent, with an IntegrationWarning, and listed with the reason
    under "failed" in the attribute `provenance` (JSON).

    Raises SystemsValueError and SystemsTypeError for arguments that cannot be used; EvaluationError, chained to f's
    own exception, if f of a black box fails or returns another shape at the first initial state, and no other could
    be integrated either; otherwise IntegrationError if no trajectory could be integrated.
    """
    if not isinstance(system, System):
        raise SystemsTypeError(f"system must be a systems.System, got {system!r}; from_rhs makes one of a function")
    t = check_times(system.default_times if t is None else t)
    check_tolerance(rtol, "rtol", SMALLEST_RTOL)
    check_tolerance(atol, "atol", 0.0)
    method = check_method(method)
    seed = check_seed(seed)
    x0, mu, driven = _initial_states(system, n_trajectories, t, initial, parameters, inputs, seed)
    if verbose is not None and not isinstance(verbose, bool):
        raise SystemsTypeError(f"verbose must be True, False or None, got {verbose!r}")
    settings = _Settings(t, method, rtol, atol, deadline_in(max_seconds))
    provenance = {
        "kind": "trajectories",
        **system._describe(),
        "made_by": f"latentrom {package_version()}",
        "n_trajectories": len(x0),
        "seed": seed,
        "initial": "sample_initial" if initial is None else _fingerprint(x0),
        "parameters": "default" if mu is None else _fingerprint(mu),
        **(
            {}
            if driven is None
            else {"inputs": [*driven.names, INTERPOLATIONS[driven.held], _fingerprint(driven.values)]}
        ),
        "times": _fingerprint(t),
        "method": method if method is None or isinstance(method, str) else method.__name__,
        "rtol": rtol,
        "atol": atol,
    }
    blocks = [slice(i, min(i + BLOCK, len(x0))) for i in range(0, len(x0), BLOCK)]
    folder = None if path is None else _Folder(Path(path), provenance)
    todo = blocks if folder is None else [block for block in blocks if not folder.holds(block)]

    results: dict[int, tuple[np.ndarray, dict[int, str]]] = {}
    causes: list[Exception] = []
    shown = sys.stderr.isatty() if verbose is None else verbose
    with tqdm(total=len(x0), unit="trajectory", disable=not shown, leave=False) as bar:
        bar.update(len(x0) - sum(block.stop - block.start for block in todo))
        for block, (states, failed, cause) in _run(executor, system, x0, mu, driven, settings, todo):
            bar.update(block.stop - block.start)
            causes.extend([cause] if cause is not None else [])
            kept = [i for i in range(block.start, block.stop) if i not in failed]
            if folder is not None:
                if kept:
                    part = _dataset(system, states, kept, mu, driven, t, provenance, failed)
                    save_trajectories(part, folder.shard(block))
                states = np.empty(0)
            results[block.start] = (states, failed)

    failed = {i: why for start in sorted(results) for i, why in results[start][1].items()}
    if folder is not None:
        failed = folder.failed(blocks) | failed
    if len(failed) == len(x0):
        advice = 'Check initial, parameters and t, or choose another method (stiff systems need "BDF" or "LSODA")'
        if OUT_OF_TIME in failed.values():
            advice = "Raise max_seconds, or ask for fewer trajectories or a shorter t"
        elif system.is_black_box:
            # An f that fails at once raises its own error here: no other method and no other t would help.
            start = mu if driven is None else changing_parameters(system, mu, driven)(t[0])
            system.rhs(x0[:1], None if start is None else start[:1], t[0])
        first = min(failed)
        raise IntegrationError(
            f"none of the {len(x0)} trajectories could be integrated; trajectory {first}: {failed[first]}. {advice}"
        ) from (causes[0] if causes else None)
    if failed:
        first = min(failed)
        warnings.warn(
            f"{len(failed)} of {len(x0)} trajectories could not be integrated and are absent: "
            f"{_some(sorted(failed))}; trajectory {first}: {failed[first]}",
            IntegrationWarning, stacklevel=2,
        )  # fmt: skip
    if folder is not None:
        result = open_trajectories([folder.shard(block) for block in blocks if folder.holds(block)])
        assert isinstance(result, xr.Dataset)
        return result.assign_attrs(provenance=_json(provenance, failed))
    states = np.concatenate([results[start][0] for start in sorted(results)])
    kept = [i for i in range(len(x0)) if i not in failed]
    return _dataset(system, states, kept, mu, driven, t, provenance, failed)


@dataclass(frozen=True)
class _Settings:
    t: np.ndarray
    method: str | type[OdeSolver] | None
    rtol: float
    atol: float
    deadline: float | None


def _run(executor: Executor | None, system: System, x0, mu, driven, settings: _Settings, blocks: list[slice]):
    """Yield (block, result) as blocks are finished, here or by the executor."""

    def arguments(block):
        of_block = None if driven is None else driven.select(block)
        return system, x0[block], None if mu is None else mu[block], of_block, settings, block.start

    if executor is None:
        for block in blocks:
            yield block, _integrate_block(*arguments(block))
        return
    futures = {executor.submit(_integrate_block, *arguments(block)): block for block in blocks}
    try:
        for future in as_completed(futures):
            try:
                result = future.result()
            except (PicklingError, AttributeError, TypeError) as error:
                raise SystemsTypeError(
                    f"the executor could not take over the work ({error}): define f at the top level of a "
                    "module, or use a ThreadPoolExecutor"
                ) from error
            yield futures[future], result
    finally:
        for future in futures:
            future.cancel()


def _integrate_block(
    system: System, x0: np.ndarray, mu: np.ndarray | None, driven: Signals | None, settings: _Settings, first: int
) -> tuple[np.ndarray, dict[int, str], Exception | None]:
    """States (kept, time, *shape) of a block, why each of the others failed, and the cause of the first
    failure.

    A block is tried as one; if that fails, its trajectories are tried one at a time.
    """

    def run(part: slice) -> np.ndarray:
        return integrate(
            system, x0[part], settings.t, None if mu is None else mu[part],
            inputs=None if driven is None else driven.select(part), method=settings.method,
            rtol=settings.rtol, atol=settings.atol, deadline=settings.deadline,
        )  # fmt: skip

    caught = (IntegrationFailure, SystemsError, ArithmeticError, np.linalg.LinAlgError)
    try:
        if len(x0) > 1 and system.batches(x0):
            return run(slice(None)), {}, None
    except caught as failure:
        logger.debug("block at trajectory %d failed (%s): one at a time", first, failure)
    states, failed, cause = [], {}, None
    for i in range(len(x0)):
        try:
            states.append(run(slice(i, i + 1)))
        except caught as failure:
            failed[first + i] = str(failure)
            cause = cause or failure
    empty = np.empty((0, settings.t.size, *system.shape))
    return np.concatenate([empty, *states]), failed, cause


def _dataset(system, states, kept, mu, driven, t, provenance, failed) -> xr.Dataset:
    attrs = {} if system.is_black_box else {"units": "1"}
    data: dict[str, Any] = {"state": (("trajectory", "time", *system.dims), states)}
    coords = {"trajectory": np.asarray(kept), "time": ("time", t, attrs), **system._labelled_coords()}
    constant = {k: p.name for k, p in enumerate(system.parameters) if driven is None or p.name not in driven.names}
    if mu is not None and constant:
        data["parameters"] = (("trajectory", "parameter"), mu[np.ix_(kept, list(constant))])
        coords["parameter"] = list(constant.values())
    if driven is not None:
        labelled = driven.labelled()
        data["inputs"] = (labelled.dims, labelled.values[kept], labelled.attrs)
        coords["input"] = list(driven.names)
    return xr.Dataset(data, coords, attrs={"provenance": _json(provenance, failed)})


def _json(provenance: Mapping[str, Any], failed: Mapping[int, str]) -> str:
    listed = [{"trajectory": i, "reason": why} for i, why in sorted(failed.items())]
    return json.dumps({**provenance, "failed": listed}, sort_keys=True)


class _Folder:
    """The shards of one call of simulate: one file per block."""

    def __init__(self, path: Path, provenance: Mapping[str, Any]):
        if path.suffix in (".h5", ".nc", ".hdf5"):
            raise SystemsValueError(
                f"path must be a folder, into which one file per block is written, got {str(path)!r}; "
                "for a single file use save_trajectories(simulate(...), path)"
            )
        if path.exists() and not path.is_dir():
            raise SystemsValueError(f"path must be a folder, but {str(path)!r} is a file")
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SystemsOSError(f"the folder {str(path)!r} could not be made: {error.strerror}") from error
        self._path, self._provenance = path, json.loads(json.dumps(provenance))
        for shard in sorted(path.glob("*.h5")):
            self._check(shard)

    def shard(self, block: slice) -> Path:
        return self._path / f"trajectories-{block.start:07d}-{block.stop - 1:07d}.h5"

    def holds(self, block: slice) -> bool:
        return self.shard(block).exists()

    def failed(self, blocks: Sequence[slice]) -> dict[int, str]:
        records = [read_provenance(self.shard(block)) for block in blocks if self.holds(block)]
        return {entry["trajectory"]: entry["reason"] for record in records for entry in record["failed"]}

    def _check(self, shard: Path) -> None:
        found = read_provenance(shard)
        found.pop("failed", None)
        differing = sorted(k for k in {*found, *self._provenance} if found.get(k) != self._provenance.get(k))
        if differing:
            raise SystemsValueError(
                f"{str(shard)!r} was made by another call: it differs in {', '.join(differing)}. "
                "Choose another folder for path, or delete this one"
            )


def _initial_states(
    system: System, n: int | None, t: np.ndarray, initial: Any, parameters: Any, inputs: Any, seed: int
) -> tuple[np.ndarray, np.ndarray | None, Signals | None]:
    """States at t[0] (n, *shape), parameters as by `check_parameters`, and inputs at the times t."""
    given = None if initial is None or callable(initial) else check_states(initial, system, "initial", "trajectory")
    if n is not None:
        n = check_count(n, "n_trajectories")
        if given is not None and n != len(given):
            raise SystemsValueError(
                f"n_trajectories is {n}, but initial holds {len(given)} states; leave n_trajectories out"
            )
    elif given is None:
        n = system.default_n_trajectories
    else:
        n = len(given)
    # States that are given may belong to any parameters: those that nobody named are the defaults.
    mu = None if parameters is None and initial is not None else check_parameters(system, parameters, n, seed)
    driven = _driven_by(system, inputs, n, t, seed)
    if callable(initial):
        given = check_states(initial(n, seed), system, "initial", str(n))
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
    return Signals(found.names, t, found.at(t), found.held)


def _fingerprint(array: np.ndarray) -> str:
    return "sha256:" + hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:32]


def _some(indices: Sequence[int]) -> str:
    return ", ".join(map(str, indices[:8])) + (", ..." if len(indices) > 8 else "")


def package_version() -> str:
    """Version of the installed distribution, or "unknown" in a bare checkout."""
    try:
        return version("latentrom")
    except PackageNotFoundError:
        return "unknown"
