"""Collect the data of a fit: what was passed is used as it is, what is missing is simulated or evaluated."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace

import numpy as np

import systems
from rom.data.layout import Layout
from rom.data.lazy import is_large
from rom.data.noise import noise_share
from rom.data.split import Split, split_trajectories
from rom.data.trajectories import Collocation, Trajectories
from rom.fitting.common_layout import common_layout, with_time
from rom.fitting.consistency import warn_if_rhs_disagrees
from rom.fitting.evaluate_rhs import RhsRequest, at_trajectories
from rom.fitting.generate import as_datasets, collocate, simulate
from rom.fitting.given_data import GivenData
from rom.training.run import FitRun
from rom.utils.errors import RomValueError
from rom.utils.random import FitStream

__all__ = ["FitData", "collect_data"]

log = logging.getLogger("rom")

DEFAULT_COLLOCATION = 16_384  # points, if no data were passed and no number was given
NOISY = 0.05  # share of noise in the variance above which trajectories harm more than they help beside points


@dataclass(frozen=True)
class FitData:
    """All data of a fit.

    Attributes
    ----------
    split : Split
        Trajectories for training, and held-out ones.
    collocation : Collocation or None
        Collocation pairs.
    layout : Layout
        Labels of a state, and names of parameters and inputs.
    n_trajectory_points : int
        How many of the pairs are states of the training trajectories.
    evaluations : int
        Number of states at which f was evaluated.
    origin : dict of str
        Where "trajectories" and "collocation" came from, for the history.
    rhs_request : RhsRequest or None
        Points on and near trajectories that are too large to be kept. f is evaluated there while they are projected.
    misfit : tuple of float
        Variance of the errors of the values of each field, if states are coefficients in a function space.
    lost_in_space : float
        Share of the variance of the values that this space does not hold.
    """

    split: Split
    collocation: Collocation | None
    layout: Layout
    n_trajectory_points: int = 0
    evaluations: int = 0
    origin: dict[str, str] = field(default_factory=dict)
    rhs_request: RhsRequest | None = None
    misfit: tuple[float, ...] = ()
    lost_in_space: float = 0.0

    @property
    def has_points(self) -> bool:
        """Whether there are collocation pairs, or will be once the trajectories are projected."""
        return self.collocation is not None or self.rhs_request is not None


@dataclass(frozen=True)
class TrajectorySet:
    """Groups of trajectories, their labels and origin; `cut_short` if there was no time for as many as wanted."""

    groups: list[Trajectories] = field(default_factory=list)
    layout: Layout | None = None
    origin: str = "none"
    cut_short: bool = False


@dataclass(frozen=True)
class PointSet:
    """Collocation pairs, their labels and origin, and the number of evaluations of f.

    `n_streamed` points are not evaluated yet: they lie near trajectories that pass block by block.
    """

    pairs: Collocation | None = None
    layout: Layout | None = None
    origin: str = "none"
    evaluations: int = 0
    n_streamed: int = 0


def collect_data(given: GivenData, n_collocation: int | None, n_trajectories: int | None, run: FitRun) -> FitData:
    """Collect the data of a fit.

    Parameters
    ----------
    given : GivenData
        The system, and the data that were passed.
    n_collocation, n_trajectories : int or None
        How many points to evaluate and trajectories to simulate, as passed to `rom.fit`.
    run : FitRun
        Configuration, seed and time budget.

    Returns
    -------
    FitData
        Training and held-out trajectories, and collocation pairs.

    Raises
    ------
    RomValueError
        If there are no data at all, or they contradict each other or the system.
    """
    simulation_seed, collocation_seed = generation_seeds(run.seed)
    runs = given_or_simulated_trajectories(given, n_trajectories, simulation_seed, run)
    split = split_trajectories(runs.groups, run.seed)
    points = given_or_evaluated_points(given, runs, split, n_collocation, collocation_seed, run)
    if not runs.groups and points.pairs is None:
        raise RomValueError(
            "there is nothing to fit: no trajectories and no collocation points; pass some, raise n_trajectories or "
            "n_collocation, or raise max_seconds if there was no time for them"
        )
    given.reader.warn_of_loss()
    layout, n_probes = layout_of_all(given, runs, points, split, run)
    points = replace(points, evaluations=points.evaluations + n_probes)
    if runs.origin == "given" and points.pairs is not None and is_noisy(split):
        runs, split = TrajectorySet(origin="set aside"), split_trajectories([], run.seed)
    data = FitData(
        split,
        points.pairs,
        layout,
        evaluations=points.evaluations,
        origin={"trajectories": runs.origin, "collocation": points.origin},
        misfit=given.reader.misfit,
        lost_in_space=given.reader.lost,
    )
    return with_points_on_trajectories(data, given.system, points.n_streamed, run)


def given_or_simulated_trajectories(
    given: GivenData, n_trajectories: int | None, seed: int, run: FitRun
) -> TrajectorySet:
    """Return the trajectories that were passed, or else simulate as many as are asked for."""
    if given.trajectories is not None:
        return TrajectorySet(given.trajectories, given.trajectory_layout, "given")
    default = 0 if given.system is None or not given.nothing else given.system.default_n_trajectories
    wanted = default if n_trajectories is None else n_trajectories
    if given.system is None or wanted == 0:
        return TrajectorySet()
    simulated = simulate(given.system, wanted, seed, run)
    if simulated is None:
        return TrajectorySet(cut_short=True)
    groups, layout = given.reader.read_trajectories(simulated)
    return TrajectorySet(groups, layout, "simulated", cut_short=simulated.sizes["trajectory"] < wanted)


def given_or_evaluated_points(
    given: GivenData, runs: TrajectorySet, split: Split, n_collocation: int | None, seed: int, run: FitRun
) -> PointSet:
    """Return the collocation pairs that were passed, or else evaluate f at as many points as are asked for."""
    if given.pairs is not None:
        return PointSet(given.pairs, given.pair_layout, "given")
    default = DEFAULT_COLLOCATION if given.nothing else 0
    wanted = default if n_collocation is None else n_collocation
    if given.system is None or wanted == 0:
        return PointSet()
    near = points_lie_near_trajectories(given.system, split, runs.cut_short)
    if near and is_large(split.training) and given.labelling_system is not None:
        return PointSet(origin="evaluated", n_streamed=wanted)
    datasets = []
    if split.training and runs.layout is not None:
        datasets = given.reader.for_system(as_datasets(split.training, runs.layout), given.system)
    dataset, evaluations = collocate(given.system, wanted, datasets, runs.layout, seed, run, near_trajectories=near)
    pairs, layout = given.reader.read_collocation(dataset)
    return PointSet(pairs, layout, "evaluated", evaluations)


def points_lie_near_trajectories(system: systems.System, split: Split, cut_short: bool) -> bool:
    """Return whether points lie near the training trajectories, and not where the system's sampler puts them.

    So if there is no sampler; if there was no time for more trajectories, since the sampler integrates flows too; and
    for a system with inputs, which are constant along the flows of the sampler.
    """
    return bool(split.training) and (system.sampler is None or bool(system.inputs) or cut_short)


def layout_of_all(
    given: GivenData, runs: TrajectorySet, points: PointSet, split: Split, run: FitRun
) -> tuple[Layout, int]:
    """Return the labels that all data share, and the number of evaluations of f spent on whether it depends on time."""
    kinds = (
        ("simulated trajectories" if runs.origin == "simulated" else "trajectories", runs.layout),
        ("collocation", points.layout),
    )
    layout = common_layout(given.labelling_system, [(name, own) for name, own in kinds if own is not None])
    if given.system is None:
        return layout, 0
    return with_time(given.system, layout, points.pairs, split, ask=run.config.evaluate_system)


def is_noisy(split: Split) -> bool:
    """Return whether the training trajectories are so noisy that collocation points alone are better, and warn."""
    share = noise_share(split.training)
    if share > NOISY:
        log.warning(
            "trajectories: %.0f %% of their variance is noise, so they are set aside, and the model is fitted to the "
            "collocation points alone. Smooth the trajectories, or pass no collocation points to fit them as they are",
            100 * share,
        )
    return share > NOISY


def with_points_on_trajectories(data: FitData, system: systems.System | None, n_streamed: int, run: FitRun) -> FitData:
    """Add f at states of the training trajectories: physics matters most where the flow goes.

    At most as many states are added as there are points. Trajectories that are too large to be kept get a request
    instead, which is met when they are projected; `n_streamed` points on and near them belong to it too.
    """
    if system is None or (data.collocation is None and not n_streamed):
        return data
    n_exact = n_streamed // 2
    if run.config.evaluate_system:
        data = replace(data, evaluations=data.evaluations + compare_with_rhs(data, system, run))
        training, pairs = data.split.training, data.collocation
        if training and pairs is not None and not is_large(training, pairs.states.size):
            extra = at_trajectories(system, training, data.layout, len(pairs), run)
            return replace(
                data,
                collocation=pairs.joined(extra),
                n_trajectory_points=len(extra),
                evaluations=data.evaluations + len(extra),
            )
        if training:
            n_exact += n_streamed if pairs is None else len(pairs)
    if n_exact + n_streamed == 0:
        return data
    seconds = run.budget.for_evaluation()
    n_near = n_streamed - n_streamed // 2
    return replace(data, rhs_request=RhsRequest(system, data.layout, n_exact, n_near, n_streamed, run.seed, seconds))


def compare_with_rhs(data: FitData, system: systems.System, run: FitRun) -> int:
    """Warn if data that were passed contradict f of the system, and return the number of evaluations of f."""
    given = []
    if data.origin["collocation"] == "given":
        given.append(data.collocation)
    if data.origin["trajectories"] == "given":
        given.append(data.split.training)
    return sum(warn_if_rhs_disagrees(system, kind, data.layout, run.seed, run.budget) for kind in given)


def generation_seeds(seed: int) -> tuple[int, int]:
    """Return seeds for trajectories and collocation points.

    They differ from each other and from seeds that a user would choose. With equal ones the collocation points would
    start from the initial states of the trajectories, the held-out ones included, and `sample_initial(n, seed)` would
    return states of the training as test data.
    """
    first, second = np.random.SeedSequence([seed, FitStream.GENERATION_SEEDS]).generate_state(2)
    return int(first), int(second)
