"""Data that a fit generates with the system: simulated trajectories and evaluated collocation pairs."""

from __future__ import annotations

import logging

import numpy as np
import xarray as xr

import systems
from rom.data.layout import Layout
from rom.data.lazy import LazyStates
from rom.data.trajectories import Trajectories
from rom.fitting.evaluate_rhs import parameters_for
from rom.training.run import FitRun
from rom.utils.errors import RomValueError
from rom.utils.random import FitStream, random_stream

__all__ = ["as_datasets", "collocate", "simulate"]

log = logging.getLogger("rom")

FEW_TRAJECTORIES = 8  # integrated first if time is limited, to measure what one costs
PROBED_POINTS = 256  # evaluated first if time is limited, to measure what one costs
POINTS_AT_ONE_TIME = 32  # collocation points that share a time if f depends on it


def simulate(system: systems.System, n_trajectories: int, seed: int, run: FitRun) -> xr.Dataset | None:
    """Simulate trajectories, as many as the time budget allows.

    Parameters
    ----------
    system : systems.System
        The system to integrate from its own random initial states.
    n_trajectories : int
        Number of trajectories to simulate.
    seed : int
        Seed of the initial states.
    run : FitRun
        Its time budget limits the number of trajectories.

    Returns
    -------
    xarray.Dataset or None
        The trajectories; None if there was no time for any.
    """
    limit = run.budget.for_simulation()

    def trajectories(count: int, max_seconds: float | None) -> xr.Dataset:
        return systems.simulate(system, count, seed=seed, max_seconds=max_seconds, verbose=run.verbose)

    if limit is None:
        return trajectories(n_trajectories, None)
    # Trajectories are integrated together, and all are lost when the time is over: a few first show what they cost.
    started = run.budget.elapsed
    try:
        few = trajectories(min(FEW_TRAJECTORIES, n_trajectories), limit)
    except systems.IntegrationError:
        if run.budget.elapsed - started < limit:
            raise
        log.warning("max_seconds left no time for trajectories; raise it, or pass trajectories")
        return None
    spent = run.budget.elapsed - started
    affordable = int(FEW_TRAJECTORIES * (limit - spent) / max(spent, 1e-3))
    if min(n_trajectories, affordable) <= FEW_TRAJECTORIES:
        if n_trajectories > FEW_TRAJECTORIES:
            log.warning("max_seconds leaves time for %d of %d trajectories", FEW_TRAJECTORIES, n_trajectories)
        return few
    if affordable < n_trajectories:
        log.warning("max_seconds leaves time for about %d of %d trajectories", affordable, n_trajectories)
    try:
        return trajectories(min(n_trajectories, affordable), limit - spent)
    except systems.IntegrationError:
        return few


def collocate(
    system: systems.System,
    n_points: int,
    trajectories: list[xr.Dataset],
    layout: Layout | None,
    seed: int,
    run: FitRun,
    *,
    near_trajectories: bool,
) -> tuple[xr.Dataset, int]:
    """Evaluate f at collocation points, as many as the time budget allows.

    Parameters
    ----------
    system : systems.System
        The system whose f is evaluated.
    n_points : int
        Number of points.
    trajectories : list of xarray.Dataset
        Training trajectories. Each point takes the parameters of one of them, and inputs and a time within their ranges.
    layout : Layout or None
        Labels of the trajectories; None if there are none.
    seed : int
        Seed of the points.
    run : FitRun
        Its time budget limits the number of points.
    near_trajectories : bool
        Whether the points lie near the trajectories, and not where the system's sampler puts them.

    Returns
    -------
    pairs : xarray.Dataset
        Collocation pairs.
    n_evaluations : int
        Number of states at which f was evaluated.

    Raises
    ------
    RomValueError
        If the system has no sampler and there are no trajectories.
    """
    if system.sampler is None and not near_trajectories:
        raise RomValueError(
            f"n_collocation: {system.name} has no sampler of states, and there are no trajectories near which points could "
            "lie; pass trajectories=..., or give the system a sampler: from_rhs(..., sampler=systems.Box(low, high))"
        )
    parameters = None
    if trajectories and layout is not None:
        parameters = parameters_from_trajectories(system, trajectories, layout, n_points, seed)
    times = times_from_trajectories(system, trajectories, n_points, seed)
    limit = run.budget.for_evaluation()

    def pairs(count: int) -> xr.Dataset:
        return systems.collocate(
            system,
            count,
            near=trajectories if near_trajectories else None,
            parameters=None if parameters is None else parameters[:count],
            times=None if times is None else times[:count],
            seed=seed,
            max_seconds=limit,
        )

    n_probed = 0
    if limit is not None and n_points > PROBED_POINTS:
        # A sampled state can cost as much as f: a small number first shows how many there is time for.
        started = run.budget.elapsed
        n_probed = pairs(PROBED_POINTS).sizes["point"]
        affordable = int(PROBED_POINTS * limit / max(run.budget.elapsed - started, 1e-3))
        if affordable < n_points:
            log.warning("max_seconds leaves time for about %d of %d collocation points", affordable, n_points)
        n_points = max(PROBED_POINTS, min(n_points, affordable))
    dataset = pairs(n_points)
    return dataset, n_probed + dataset.sizes["point"]


def parameters_from_trajectories(
    system: systems.System, trajectories: list[xr.Dataset], layout: Layout, n_points: int, seed: int
) -> np.ndarray | None:
    """Return parameters (n_points, p): those of random trajectories, and inputs uniform in their ranges there."""
    if not (layout.parameters or layout.inputs):
        return None
    rng = random_stream(seed, FitStream.POINT_PARAMETERS)
    rows = np.concatenate([group["parameters"].values for group in trajectories])
    parameters = rows[rng.integers(len(rows), size=n_points)]
    inputs = np.concatenate([np.concatenate([*group["inputs"].values]) for group in trajectories])
    low, high = inputs.min(axis=0), inputs.max(axis=0)
    return parameters_for(system, layout, parameters, low + (high - low) * rng.random((n_points, len(low))))


def times_from_trajectories(
    system: systems.System, trajectories: list[xr.Dataset], n_points: int, seed: int
) -> np.ndarray | None:
    """Return times (n_points,) within those of the trajectories; None if f is periodic or there are no trajectories."""
    if not trajectories or system.period is not None:
        return None
    ends = [group["time"].values[[0, -1]] for group in trajectories]
    first, last = min(t[0] for t in ends), max(t[1] for t in ends)
    n_times = -(-n_points // POINTS_AT_ONE_TIME)
    return np.repeat(random_stream(seed, FitStream.POINT_TIMES).uniform(first, last, n_times), POINTS_AT_ONE_TIME)


def as_datasets(groups: list[Trajectories], layout: Layout) -> list[xr.Dataset]:
    """Return trajectories as Datasets, as `systems.collocate` takes them."""
    datasets = []
    for group in groups:
        states = group.states.array if isinstance(group.states, LazyStates) else group.states
        states = states.reshape(*states.shape[:2], *layout.shape)
        dataset = xr.Dataset({"state": (("trajectory", "time", *layout.dims), states)}, coords={"time": group.times})
        dataset["parameters"] = (("trajectory", "parameter"), group.parameters)
        dataset["inputs"] = (("trajectory", "time", "input"), group.inputs)
        datasets.append(dataset)
    return datasets
