"""From the arguments of `fit` to data: what was passed is checked, what is missing is simulated or collocated."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

import systems
from rom.config import FitConfig
from rom.data.layout import Layout, plain_labels
from rom.data.lazy import LazyStates, is_large
from rom.data.noise import noise_share
from rom.data.readers import reader_for
from rom.data.split import Split, split_trajectories
from rom.data.trajectories import Collocation, Trajectories
from rom.fitting.common_layout import common_layout, driven_as, fill_in_names, with_time
from rom.fitting.consistency import warn_if_rhs_disagrees
from rom.fitting.evaluate_rhs import RhsRequest, evaluate_at, parameters_for
from rom.utils.checks import require_integer, shortened
from rom.utils.errors import RomTypeError, RomValueError
from rom.utils.time_budget import TimeBudget

__all__ = ["FitData", "collect_data"]

log = logging.getLogger("rom")

NOISY = 0.05  # share of their variance from which trajectories harm more than they help beside collocation points
DEFAULT_COLLOCATION = 16_384
FEW_TRAJECTORIES = 8  # by which the price of one is measured where time is limited
TOGETHER = 32  # points that share a time, of an f that depends on it
PROBE = 256  # collocation points whose price is measured where time is limited


@dataclass(frozen=True)
class FitData:
    """All data of a fit: trajectories, collocation pairs, how states are labelled.

    `n_trajectory_points`: how many of the pairs are states of the training trajectories. `evaluations` counts the values
    of f at collocation states; `origin` says where each kind of data came from. `wanted`: the points on and near trajectories
    whose states are too large to be kept; f is asked there when they are projected. `misfit`: variance of the errors of the
    values of each field, where states are coefficients in a function space; `lost_in_space`: the share that this leaves.
    """

    split: Split
    collocation: Collocation | None
    layout: Layout
    n_trajectory_points: int = 0
    evaluations: int = 0
    origin: dict[str, str] = field(default_factory=dict)
    wanted: RhsRequest | None = None
    misfit: tuple[float, ...] = ()
    lost_in_space: float = 0.0


def collect_data(
    system: Any,
    n_collocation: int | None,
    trajectories: Any,
    n_trajectories: int | None,
    collocation: Any,
    config: FitConfig,
    seed: int,
    clock: TimeBudget,
    verbose: bool | None = None,
    accept: Callable[[Layout], Any] = lambda _: None,
) -> FitData:
    """The data of a fit. Arguments are those of `rom.fit`, where the rules are written down.

    accept: refuses states by their layout, and is asked as soon as that is known, before anything is simulated or evaluated.
    """
    check_request(system, n_collocation, trajectories, n_trajectories, collocation)
    simulation_seed, collocation_seed = own_seeds(seed)
    nothing_passed = trajectories is None and collocation is None
    origin = {"trajectories": "none", "collocation": "none"}
    reader = reader_for(config.space, system, trajectories, collocation)
    hurried = False  # for want of time there are fewer trajectories than wanted: flows are dear
    groups: list[Trajectories] = []
    layouts: list[tuple[str, Layout]] = []

    if trajectories is not None:
        groups, layout = reader.read_trajectories(trajectories)
        layout = fill_in_names(layout, system)
        system = driven_as(system, layout)
        layouts.append(("trajectories", layout))
        origin["trajectories"] = "given"
    given_pairs = None if collocation is None else reader.read_collocation(collocation)
    told = layouts if given_pairs is None else [*layouts, ("collocation", fill_in_names(given_pairs[1], system))]
    labelling = reader.labelling_system(system)
    if told:
        accept(common_layout(labelling, told))
    elif labelling is not None:
        accept(plain_layout_of(labelling))
    if trajectories is None and n_trajectories != 0 and (n_trajectories is not None or nothing_passed):
        runs = simulate(system, n_trajectories, simulation_seed, clock, verbose)
        if runs is not None:
            groups, layout = reader.read_trajectories(runs)
            layouts.append(("simulated trajectories", layout))
            origin["trajectories"] = "simulated"
            hurried = runs.sizes["trajectory"] < wanted_trajectories(system, n_trajectories)
    split = split_trajectories(groups, seed)

    pairs: Collocation | None = None
    evaluations = n_near = 0
    if given_pairs is not None:
        pairs, layout = given_pairs
        layout = fill_in_names(layout, system)
        layouts.append(("collocation", layout))
        origin["collocation"] = "given"
    elif n_collocation != 0 and (n_collocation is not None or nothing_passed):
        n_collocation = n_collocation or DEFAULT_COLLOCATION
        layout = layouts[0][1] if layouts else None
        along = follows_trajectories(system, split, hurried)
        if along and is_large(split.training) and labelling is not None:
            n_near = n_collocation
        else:
            near = reader.for_system(labelled(split.training, layouts[0][1]), system) if split.training else None
            dataset, evaluations = collocate(system, n_collocation, near, layout, collocation_seed, clock, along)
            pairs, layout = reader.read_collocation(dataset)
            layouts.append(("collocation", layout))
        origin["collocation"] = "evaluated"

    if not groups and pairs is None:
        raise RomValueError(
            "there is nothing to fit: no trajectories and no collocation points; pass some, raise n_trajectories or "
            "n_collocation, or raise max_seconds if there was no time for them"
        )
    reader.warn_of_loss()
    layout = common_layout(labelling, layouts)
    if system is not None:
        layout, checked = with_time(system, layout, pairs, split, ask=config.evaluate_system)
        evaluations += checked
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
        if pairs is not None and origin["collocation"] == "given":
            evaluations += warn_if_rhs_disagrees(system, pairs, layout, seed, clock)
        if origin["trajectories"] == "given":
            evaluations += warn_if_rhs_disagrees(system, split.training, layout, seed, clock)
        # Where the flow goes is where physics matters most.
        if groups and pairs is not None and not is_large(split.training, pairs.states.size):
            extra = at_trajectories(system, split.training, layout, len(pairs), seed, clock)
            pairs, n_extra = pairs.joined(extra), len(extra)
        elif groups:
            n_exact += n_near if pairs is None else len(pairs)
    wanted = None
    if n_exact + n_near:
        seconds = clock.for_evaluation()
        wanted = RhsRequest(system, layout, n_exact, n_near - n_near // 2, n_near, seed, seconds)
    return FitData(split, pairs, layout, n_extra, evaluations + n_extra, origin, wanted, reader.misfit, reader.lost)


def plain_layout_of(system: systems.System) -> Layout:
    """How the states of a system are labelled, as far as it says so itself."""
    coords = {dim: {"dims": [dim], **plain_labels(np.asarray(c)), "attrs": {}} for dim, c in system.coords.items()}
    return Layout(tuple(system.dims), tuple(system.shape), coords)


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
        if isinstance(count, tuple | list | xr.Dataset):
            meant = "trajectories" if name == "n_trajectories" or trajectories is None else "collocation"
            raise RomTypeError(f"{name} must be an integer, got {shortened(count)}; did you mean {meant}=...?")
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


def wanted_trajectories(system: systems.System, n_trajectories: int | None) -> int:
    return system.default_n_trajectories if n_trajectories is None else n_trajectories


def simulate(
    system: systems.System, n_trajectories: int | None, seed: int, clock: TimeBudget, verbose: bool | None
) -> xr.Dataset | None:
    """Trajectories of the system: as many as `max_seconds` leaves time for, None where that is not a single one."""
    limit = clock.for_simulation()
    wanted = wanted_trajectories(system, n_trajectories)

    def trajectories(count: int, max_seconds: float | None) -> xr.Dataset:
        return systems.simulate(system, count, seed=seed, max_seconds=max_seconds, verbose=verbose)

    if limit is None:
        return trajectories(wanted, None)
    # Many are integrated together, all of which are lost when the time is over: a few first tell what they cost.
    started = clock.elapsed
    try:
        few = trajectories(min(FEW_TRAJECTORIES, wanted), limit)
    except systems.IntegrationError:
        if clock.elapsed - started < limit:
            raise
        log.warning("max_seconds left no time for trajectories; raise it, or pass trajectories")
        return None
    spent = clock.elapsed - started
    affordable = int(FEW_TRAJECTORIES * (limit - spent) / max(spent, 1e-3))
    if min(wanted, affordable) <= FEW_TRAJECTORIES:
        if wanted > FEW_TRAJECTORIES:
            log.warning("max_seconds leaves time for %d of %d trajectories", FEW_TRAJECTORIES, wanted)
        return few
    if affordable < wanted:
        log.warning("max_seconds leaves time for about %d of %d trajectories", affordable, wanted)
    try:
        return trajectories(min(wanted, affordable), limit - spent)
    except systems.IntegrationError:
        return few


def follows_trajectories(system: systems.System, split: Split, hurried: bool) -> bool:
    """Whether points are to lie near the trajectories, where there are some, and not where the system's sampler puts them.

    So without a sampler; where that follows flows and there is no time for more of them (`hurried`); and of a driven system,
    whose flows in the sampler have constant inputs.
    """
    return bool(split.training) and (system.sampler is None or bool(system.inputs) or hurried)


def collocate(
    system: systems.System,
    n: int,
    near: list[xr.Dataset] | None,
    layout: Layout | None,
    seed: int,
    clock: TimeBudget,
    along: bool,
) -> tuple[xr.Dataset, int]:
    """Pairs from the system's own sampler, or `along` the trajectories; how often f was asked.

    Where trajectories come with parameters, each point takes those of one of them, and inputs within their ranges there.
    """
    if system.sampler is None and not along:
        raise RomValueError(
            f"n_collocation: {system.name} has no sampler of states and there are no trajectories to lie near; "
            "pass trajectories=..., or give the system one: from_rhs(..., sampler=systems.Box(low, high))"
        )
    source: dict[str, Any] = {"seed": seed, "near": near} if along else {"seed": seed}
    known = None if near is None or layout is None else known_parameters(system, near, layout, n, seed)

    times = None
    if near is not None and system.period is None:  # points belong to the times of the trajectories
        ends = [group["time"].values[[0, -1]] for group in near]
        first, last = min(t[0] for t in ends), max(t[1] for t in ends)
        times = np.repeat(np.random.default_rng([seed, 12]).uniform(first, last, -(-n // TOGETHER)), TOGETHER)

    def pairs(count: int) -> xr.Dataset:
        parameters = None if known is None else known[:count]
        own = None if times is None else times[:count]
        return systems.collocate(system, count, parameters=parameters, times=own, max_seconds=limit, **source)

    limit = clock.for_evaluation()
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
        dataset["parameters"] = (("trajectory", "parameter"), group.parameters)
        dataset["inputs"] = (("trajectory", "time", "input"), group.inputs)
        datasets.append(dataset)
    return datasets


def known_parameters(
    system: systems.System, near: list[xr.Dataset], layout: Layout, n: int, seed: int
) -> np.ndarray | None:
    """Parameters (n, p) of points: those of some trajectories, and inputs uniform in the ranges that they have there."""
    if not (layout.parameters or layout.inputs):
        return None
    rng = np.random.default_rng([seed, 6])
    rows = np.concatenate([group["parameters"].values for group in near])
    parameters = rows[rng.integers(len(rows), size=n)]
    inputs = np.concatenate([np.concatenate([*group["inputs"].values]) for group in near])
    low, high = inputs.min(axis=0), inputs.max(axis=0)
    return parameters_for(system, layout, parameters, low + (high - low) * rng.random((n, len(low))))


def at_trajectories(
    system: systems.System, groups: list[Trajectories], layout: Layout, n: int, seed: int, clock: TimeBudget
) -> Collocation:
    """f at `n` states of the trajectories, or at all of them: where the flow goes is where physics matters most."""
    rng = np.random.default_rng([seed, 1])
    total = sum(len(g) * len(g.times) for g in groups)
    chosen = np.sort(rng.choice(total, min(n, total), replace=False))
    parts, first = [], 0
    for group in groups:
        for block, within, values in group.blocks():
            i, k = np.divmod(chosen - first, len(group.times))
            here = (i >= block.start) & (i < block.stop) & (k >= within.start) & (k < within.stop)
            i, k = i[here], k[here]
            x = values[i - block.start, k - within.start]
            parts.append((x, group.parameters[i], group.inputs[i, k], group.times[k]))
        first += len(group) * len(group.times)
    states, parameters, inputs, times = (np.concatenate(column) for column in zip(*parts, strict=True))
    limit = clock.for_evaluation()
    return evaluate_at(system, layout, states, parameters, inputs, times, rng, seed, limit)
