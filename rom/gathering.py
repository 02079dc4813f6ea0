"""From the arguments of `fit` to data: what was passed is checked, what is missing is simulated or collocated."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr

import systems
from rom.blocks import LazyStates, is_large, snapshots
from rom.clock import Clock
from rom.config import FitConfig, require_integer
from rom.consistency import require_autonomous, warn_of_other_rates
from rom.data import Collocation, Trajectories, as_collocation, as_trajectories
from rom.errors import RomTypeError, RomValueError
from rom.layout import Layout, plain_names, require_same_grids, require_same_layout
from rom.noise import noise_share
from rom.points import Wanted
from rom.split import Split, split_trajectories

__all__ = ["Material", "gather"]

log = logging.getLogger("rom")

SIMULATION_SHARE = 0.3  # of the wall clock that `max_seconds` leaves, at most, for making trajectories
EVALUATION_SHARE = 0.2  # the same for evaluating f
NOISY = 0.05  # share of their variance from which trajectories harm more than they help beside collocation points
DEFAULT_COLLOCATION = 16_384
PROBE = 256  # collocation points whose price is measured where time is limited


@dataclass(frozen=True)
class Material:
    """All data of a fit: trajectories, collocation pairs, how states are labelled.

    `n_trajectory_points`: how many of the pairs are states of the training trajectories. `evaluations` counts the values
    of f at collocation states; `origin` says where each kind of data came from. `wanted`: the points on and near trajectories
    whose states are too large to be kept; f is asked there when they are projected.
    """

    split: Split
    collocation: Collocation | None
    layout: Layout
    n_trajectory_points: int = 0
    evaluations: int = 0
    origin: dict[str, str] = field(default_factory=dict)
    wanted: Wanted | None = None


def gather(
    system: Any,
    n_collocation: int | None,
    trajectories: Any,
    n_trajectories: int | None,
    collocation: Any,
    config: FitConfig,
    seed: int,
    clock: Clock,
    verbose: bool | None = None,
) -> Material:
    """The data of a fit. Arguments are those of `rom.fit`, where the rules are written down."""
    check_request(system, n_collocation, trajectories, n_trajectories, collocation)
    simulation_seed, collocation_seed = own_seeds(seed)
    nothing_passed = trajectories is None and collocation is None
    origin = {"trajectories": "none", "collocation": "none"}
    groups: list[Trajectories] = []
    layouts: list[tuple[str, Layout]] = []

    if trajectories is not None:
        groups, layout = as_trajectories(trajectories)
        layout = named(layout, system)
        layouts.append(("trajectories", layout))
        origin["trajectories"] = "given"
    elif n_trajectories != 0 and (n_trajectories is not None or nothing_passed):
        runs = simulate(system, n_trajectories, simulation_seed, clock, verbose)
        if runs is not None:
            groups, layout = as_trajectories(runs)
            layouts.append(("simulated trajectories", layout))
            origin["trajectories"] = "simulated"
    split = split_trajectories(groups, seed)

    pairs: Collocation | None = None
    evaluations = n_near = 0
    if collocation is not None:
        pairs, layout = as_collocation(collocation)
        layout = named(layout, system)
        layouts.append(("collocation", layout))
        origin["collocation"] = "given"
    elif n_collocation != 0 and (n_collocation is not None or nothing_passed):
        n_collocation = n_collocation or DEFAULT_COLLOCATION
        if system.sampler is None and is_large(split.training):
            n_near = n_collocation
        else:
            near = labelled(split.training, layouts[0][1]) if split.training else None
            dataset, evaluations = collocate(system, n_collocation, near, collocation_seed, clock)
            pairs, layout = as_collocation(dataset)
            layouts.append(("collocation", layout))
        origin["collocation"] = "evaluated"

    if not groups and pairs is None:
        raise RomValueError(
            "there is nothing to fit: no trajectories and no collocation points; pass some, raise n_trajectories or "
            "n_collocation, or raise max_seconds if there was no time for them"
        )
    layout = common_layout(system, layouts)
    noise = noise_share(split.training) if origin["trajectories"] == "given" and pairs is not None else 0.0
    if noise > NOISY:
        log.warning(
            "trajectories: %.0f %% of their variance is noise, so they are set aside; the collocation points, which know f, "
            "decide. Smooth them, or pass no collocation points to fit them as they are", 100 * noise
        )  # fmt: skip
        groups, split = [], split_trajectories([], seed)
        origin["trajectories"] = "set aside"
    n_extra, n_exact = 0, n_near // 2
    if (pairs is not None or n_near) and system is not None and config.evaluate_system:
        evaluations += require_autonomous(system, first_state(split) if pairs is None else pairs, layout)
        if pairs is not None and origin["collocation"] == "given":
            evaluations += warn_of_other_rates(system, pairs, layout, seed, clock)
        if origin["trajectories"] == "given":
            evaluations += warn_of_other_rates(system, split.training, layout, seed, clock)
        # Where the flow goes is where physics matters most.
        if groups and pairs is not None and not is_large(split.training, pairs.states.size):
            extra = at_trajectories(system, split.training, layout, len(pairs), seed, clock)
            pairs, n_extra = joined(pairs, extra), len(extra)
        elif groups:
            n_exact += n_near if pairs is None else len(pairs)
    wanted = None
    if n_exact + n_near:
        seconds = clock.share(EVALUATION_SHARE)
        wanted = Wanted(system, layout, n_exact, n_near - n_near // 2, n_near, seed, seconds)
    return Material(split, pairs, layout, n_extra, evaluations + n_extra, origin, wanted)


def check_request(
    system: Any, n_collocation: int | None, trajectories: Any, n_trajectories: int | None, collocation: Any
) -> None:
    """Refuse what cannot be meant, before any work is done."""
    if system is not None and not isinstance(system, systems.System):
        raise RomTypeError(
            f"system must be a systems.System or None, got {type(system).__name__}; "
            "wrap an own right-hand side with systems.from_rhs(f, n_states)"
        )
    for name, count in (("n_collocation", n_collocation), ("n_trajectories", n_trajectories)):
        if count is not None:
            require_integer(name, count, low=0)
    for name, data, count in (
        ("trajectories", trajectories, n_trajectories),
        ("collocation", collocation, n_collocation),
    ):
        if data is not None and count:
            raise RomValueError(f"give either {name} or n_{name}, not both")
    if system is None:
        for name, count in (("n_collocation", n_collocation), ("n_trajectories", n_trajectories)):
            if count:
                raise RomValueError(f"{name}={count} needs a system; pass one, or pass the data themselves")
        if trajectories is None and collocation is None:
            raise RomValueError("there is nothing to fit: pass a system, trajectories or collocation")


def own_seeds(seed: int) -> tuple[int, int]:
    """Seeds for trajectories and collocation points that differ from each other and from those a user would choose.

    With equal ones the collocation points would start from the initial states of the trajectories, the held-out ones
    included, and `sample_initial(n, seed)` would return states of the training as test data.
    """
    first, second = np.random.SeedSequence([seed, 4]).generate_state(2)
    return int(first), int(second)


def simulate(
    system: systems.System, n_trajectories: int | None, seed: int, clock: Clock, verbose: bool | None
) -> xr.Dataset | None:
    """Trajectories of the system; None where `max_seconds` left no time for a single one."""
    limit = clock.share(SIMULATION_SHARE)
    try:
        return systems.simulate(system, n_trajectories, seed=seed, max_seconds=limit, verbose=verbose)
    except systems.IntegrationError:
        if limit is None or clock.elapsed < limit:
            raise
        log.warning(
            "max_seconds left no time for trajectories, which are integrated 32 together; raise it, ask for fewer by "
            "n_trajectories, or pass trajectories"
        )
        return None


def collocate(
    system: systems.System, n: int, near: list[xr.Dataset] | None, seed: int, clock: Clock
) -> tuple[xr.Dataset, int]:
    """Pairs from the system's own sampler, of a black box without one near the trajectories; how often f was asked.

    Where trajectories come with parameters, each point takes those of one of them.
    """
    if system.sampler is None and near is None:
        raise RomValueError(
            f"n_collocation: {system.name} has no sampler of states and there are no trajectories to lie near; "
            "pass trajectories=..., or give the system one: from_rhs(..., sampler=systems.Box(low, high))"
        )
    source: dict[str, Any] = {"seed": seed} if system.sampler is not None else {"seed": seed, "near": near}
    known = None
    if near is not None and "parameters" in near[0]:
        rows = np.concatenate([group["parameters"].values for group in near])
        known = rows[np.random.default_rng([seed, 6]).integers(len(rows), size=n)]

    def pairs(count: int) -> xr.Dataset:
        parameters = None if known is None else known[:count]
        return systems.collocate(system, count, parameters=parameters, max_seconds=limit, **source)

    limit = clock.share(EVALUATION_SHARE)
    probed = 0
    if limit is not None and n > PROBE:
        # States of a sampler can cost as much as f: a small number first tells how many there is time for.
        started = clock.elapsed
        probed = pairs(PROBE).sizes["point"]
        affordable = int(PROBE * limit / max(clock.elapsed - started, 1e-3))
        if affordable < n:
            log.warning("max_seconds leaves time for about %d of %d collocation points", affordable, n)
        n = max(PROBE, min(n, affordable))
    dataset = pairs(n)
    return dataset, probed + dataset.sizes["point"]


def labelled(groups: list[Trajectories], layout: Layout) -> list[xr.Dataset]:
    """The trajectories as Datasets again, as `systems` wants them."""
    datasets = []
    for group in groups:
        states = group.states.array if isinstance(group.states, LazyStates) else group.states
        states = states.reshape(*states.shape[:2], *layout.shape)
        dataset = xr.Dataset({"state": (("trajectory", "time", *layout.dims), states)}, coords={"time": group.times})
        if layout.parameters:
            dataset["parameters"] = (("trajectory", "parameter"), group.parameters)
        datasets.append(dataset)
    return datasets


def common_layout(system: Any, layouts: list[tuple[str, Layout]]) -> Layout:
    """The layout that all data share, labelled by the system where there is one."""
    name, layout = layouts[0]
    for other_name, other in layouts[1:]:
        require_same_layout(other_name, other, layout)
    # From here on a labelled one, where there is one.
    name, layout = next(((n, one) for n, one in layouts if one.coords), layouts[0])
    if system is None:
        return layout
    if layout.dims != tuple(system.dims) and set(layout.dims) == set(system.dims):
        raise RomValueError(
            f"{name}: dimensions {layout.dims} are in another order than {tuple(system.dims)} of {system.name}; use transpose"
        )
    if layout.shape != tuple(system.shape):
        raise RomValueError(
            f"{name}: a state has shape {layout.shape}, but one of {system.name} has {tuple(system.shape)}"
        )
    names = parameter_names(system)
    if layout.parameters and layout.parameters != names:
        raise RomValueError(f"{name}: parameters {layout.parameters} differ from {names} of {system.name}")
    coords = {dim: {"dims": [dim], "data": np.asarray(c).tolist(), "attrs": {}} for dim, c in system.coords.items()}
    of_system = replace(layout, dims=tuple(system.dims), coords=coords)
    if not layout.coords:
        return of_system
    require_same_grids(name, {coord: c["data"] for coord, c in layout.coords.items()}, of_system, system.name)
    return layout


def named(layout: Layout, system: systems.System | None) -> Layout:
    """`layout` with the system's names of parameters, where there are as many without names."""
    if system is None or layout.parameters != plain_names(len(system.parameters)):
        return layout
    return replace(layout, parameters=parameter_names(system))


def parameter_names(system: systems.System) -> tuple[str, ...]:
    return tuple(parameter.name for parameter in system.parameters)


def at_trajectories(
    system: systems.System, groups: list[Trajectories], layout: Layout, n: int, seed: int, clock: Clock
) -> Collocation:
    """f at `n` states of the trajectories, or at all of them: where the flow goes is where physics matters most."""
    rng = np.random.default_rng([seed, 1])
    total = sum(len(g) * len(g.times) for g in groups)
    chosen = np.sort(rng.choice(total, min(n, total), replace=False))
    states, parameters, first = [], [], 0
    for group in groups:
        for block, within, values in group.blocks():
            i, k = np.divmod(chosen - first, len(group.times))
            here = (i >= block.start) & (i < block.stop) & (k >= within.start) & (k < within.stop)
            states.append(values[i[here] - block.start, k[here] - within.start])
            parameters.append(group.parameters[i[here]])
        first += len(group) * len(group.times)
    x, p = np.concatenate(states), np.concatenate(parameters)
    order = rng.permutation(len(x))  # should the time run out, what is left is a fair sample
    x, p = x[order], p[order]
    pairs = systems.collocate(
        system,
        len(x),
        sampler=lambda _n, _seed: x.reshape(-1, *layout.shape),
        parameters=p if p.shape[1] else None,
        seed=seed,
        max_seconds=clock.share(EVALUATION_SHARE),
    )
    return as_collocation(pairs)[0]


def first_state(split: Split) -> Collocation:
    """One state of the training trajectories, as a point whose derivative nobody knows."""
    group = split.training[0]
    state = snapshots(group.states, 0, slice(0, 1))
    return Collocation(state, np.full_like(state, np.nan), group.parameters[:1])


def joined(one: Collocation, other: Collocation) -> Collocation:
    return Collocation(
        np.concatenate([one.states, other.states]),
        np.concatenate([one.time_derivatives, other.time_derivatives]),
        np.concatenate([one.parameters, other.parameters]),
    )
