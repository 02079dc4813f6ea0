"""Speed of a forecast compared with the fastest full-order solver of equal accuracy."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

import clock
import report as tables
import rom
import systems
from problems import fields
from problems.fields import Field
from runs import OURS, Run
from steps.solvers import BLOCK, REFERENCE, SOLVERS, Solver

TITLE = "A forecast against the best full-order solver of equal accuracy"
NOTE = """
The error of a forecast is its root mean square over all states and times, over that of the states; the reference is the
same discretisation by an adaptive exponential method at rtol 1e-8. The settings of each full-order solver go from
coarse to fine until its error is at most that of the forecast. The forecast is compared with the fastest solver: first
on the grid of the model, then on any grid (initial states are restricted and solutions interpolated trigonometrically,
both within the measured time). A solver that takes thirty times as long as the fastest so far is stopped. "Last time
only" asks both for one state at the end. Seconds are of one thread. They are medians over the initial states if these
are forecast one by one.

Burgers: harmonic initial states, nu = 0.01, 1,024 points, 101 times on [0, 10]; Fourier modes, and central differences
for the solvers that need a sparse Jacobian. Burgers 2D: two components, 128 x 128 points, periodic, nu = 0.03, central
differences, 41 times on [0, 4], initial states from two patterns with a coefficient each. Brusselator: BRUSS-2D of
Hairer & Wanner, stiff by its diffusion, 64 x 64 points, 51 times on [0, 10]. LSODA is left out in two dimensions, where
a band holds most of the Jacobian. Fits: 60 s for Burgers, 120 s for the others, from as many trajectories and
collocation points as the table says; trajectories end at t = 2 for Burgers, and have the times of the task for the
others.
"""


@dataclass(frozen=True)
class Task:
    """What is forecast, and the data that the model is fitted to.

    field: the grid of the model. same_grid: further discretisations on it that may compete.
    coarser: the same on coarser grids.
    """

    field: Field
    same_grid: tuple[Field, ...]
    coarser: tuple[Field, ...]
    times: np.ndarray
    dims: tuple[str, ...]
    n_trajectories: int  # for the fit, with `times`
    n_points: int
    counts: tuple[int, ...]  # of states forecast at once


def task(name: str, quick: bool) -> Task:
    """Return the task with a name."""
    if name == "burgers":
        n = 128 if quick else 1024
        sizes = (32, 64) if quick else (64, 128, 256, 512)
        both = (fields.burgers, fields.burgers_differences)
        coarser = tuple(make(size) for size in sizes for make in both)
        one = fields.burgers(n), (fields.burgers_differences(n),), coarser
        return Task(*one, np.linspace(0.0, 10.0, 101), ("x",), 32, 4096, (1, 256))
    make = {"burgers_2d": fields.burgers_2d, "brusselator": fields.brusselator}[name]
    n = {"burgers_2d": 128, "brusselator": 64}[name] // (2 if quick else 1)
    times = {"burgers_2d": np.linspace(0.0, 4.0, 41), "brusselator": np.linspace(0.0, 10.0, 51)}[name]
    one = make(n), (), (make(n // 4), make(n // 2))
    n_trajectories, n_points = {"burgers_2d": (16, 512), "brusselator": (32, 2048)}[name]
    return Task(*one, times, ("component", "y", "x"), n_trajectories, n_points, (1,))


def runs(quick: bool) -> list[Run]:  # noqa: ARG001 - the same runs, of smaller sizes
    """Return the runs of this case."""
    settings = (("burgers", 16), ("burgers", 32), ("burgers_2d", 16), ("brusselator", 4))
    return [Run(OURS, settings=(("problem", name), ("d", d))) for name, d in settings]


def measure(run: Run, quick: bool) -> dict[str, Any]:
    """Measure one run."""
    torch.set_num_threads(1)
    of = task(run.get("problem"), quick)
    model = fit(of, run.get("problem"), run.get("d"), quick)
    facts = model.history.attrs
    figures: dict[str, Any] = {
        "fit, s": facts["seconds"],
        "POD rank": model.rank,
        "collocation points": facts["n_collocation"],
        "trajectories": facts["n_trajectories"],
    }
    for count in of.counts:
        n_tests = (2 if quick else 5) if count == 1 else (8 if quick else count)
        figures[f"{count} at once"] = against_solvers(model, of, n_tests, alone=count == 1)
    return figures


def fit(of: Task, name: str, latent_dim: int, quick: bool) -> rom.ReducedOrderModel:
    """Fit the model of a task."""
    n_trajectories, n_points = of.n_trajectories, 512 if quick else of.n_points
    settings = {
        "latent_dim": latent_dim,
        "max_seconds": 15.0 if quick else 60.0 if name == "burgers" else 120.0,
        "verbose": False,
    }
    if name == "burgers":
        system = systems.Burgers(n=of.field.shape[0], viscosity=fields.VISCOSITY)
        return rom.fit(system, n_points, n_trajectories=n_trajectories, **settings)
    system = systems.from_rhs(of.field.rhs, shape=of.field.shape, dims=of.dims, batched=True)
    runs = reference(of.field, of.field.initial(n_trajectories, 1), of.times)
    return rom.fit(system, n_points, trajectories=(of.times, runs), **settings)


def reference(field: Field, x0: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return the reference solution (trajectory, time, *shape)."""
    solve, setting = REFERENCE
    return np.concatenate([solve(field, x0[i : i + BLOCK], times, setting) for i in range(0, len(x0), BLOCK)])


def against_solvers(model: rom.ReducedOrderModel, of: Task, n_tests: int, alone: bool) -> dict[str, Any]:
    """Compare forecasts with solvers, for `n_tests` states one by one (`alone`) or all at once."""
    x0 = of.field.initial(n_tests, 9000)
    truth = reference(of.field, x0, of.times)
    figures: dict[str, Any] = {}
    ends = of.times[[0, -1]]
    for label, times, states in (("all times", of.times, truth), ("last time only", ends, truth[:, [0, -1]])):

        def forecast(x, times=times):
            return model.forecast(x, times)["state"].values

        found, seconds = solved(forecast, x0, alone)
        error = relative_error(found, states)
        figures |= {f"error, {label}": error, f"forecast, {label}, s": seconds}
        rows = duels(of, x0, times, states, error, alone) if math.isfinite(error) else []
        figures[f"solvers, {label}"] = {
            f"{row['solver']} on {row['field']}": {name: row[name] for name in ("setting", "seconds", "error")}
            for row in rows
        }
        for grid, chosen in (("same grid", [row for row in rows if row["same grid"]]), ("any grid", rows)):
            # Without an opponent of this accuracy there is no figure.
            for best in sorted(chosen, key=lambda row: row["seconds"])[:1]:
                figures |= {
                    f"FOM, {grid}, {label}": f"{best['solver']} at {best['setting']:.2g}, {best['field']}",
                    f"FOM, {grid}, {label}, s": best["seconds"],
                    f"FOM / forecast, {grid}, {label}": best["seconds"] / seconds,
                }
    figures |= latent_cost(model, of, x0, alone)
    for grid in ("same grid", "any grid"):
        if f"FOM, {grid}, all times, s" in figures:
            figures[f"FOM / latent rollout, {grid}"] = (
                figures[f"FOM, {grid}, all times, s"] / figures["latent rollout, s"]
            )
    return figures


def duels(
    of: Task, x0: np.ndarray, times: np.ndarray, truth: np.ndarray, error: float, alone: bool
) -> list[dict[str, Any]]:
    """Return for each solver and grid the fastest setting with at most `error`, its error and its seconds."""
    rows: list[dict[str, Any]] = []
    same_grid = (of.field, *of.same_grid)
    for solver in SOLVERS:
        for field in (*same_grid, *of.coarser):
            if not solver.suits(field):
                continue
            fastest = min((row["seconds"] for row in rows), default=math.inf)
            row = climb(solver, field, of.field, x0, times, truth, error, alone, limit=max(30.0 * fastest, 0.5))
            if row:
                rows.append(row | {"solver": solver.name, "field": field.name, "same grid": field in same_grid})
    return rows


def climb(
    solver: Solver, field: Field, fine: Field, x0: np.ndarray, times: np.ndarray, truth: np.ndarray, error: float,
    alone: bool, limit: float,
) -> dict[str, Any] | None:  # fmt: skip
    """Return the fastest setting of a solver whose error is at most `error`, or None.

    None means that no setting reaches the error, or that one takes longer than `limit` seconds.

    From coarse to fine, and then between the last two. The climb ends where two finer settings in a row are no better: the
    grid is what limits. (One alone may take the same steps: they end at the output times.)
    """
    strides = [a // b for a, b in zip(fine.shape, field.shape, strict=True)]
    restricted = x0[(slice(None), *(slice(None, None, stride) for stride in strides))]

    def trial(setting: float) -> dict[str, Any]:
        def solve(x):
            return field.resampled(solver(limited(field, limit), x, times, setting), fine.shape)

        found, seconds = solved(solve, restricted, alone)
        return {"setting": setting, "seconds": seconds, "error": relative_error(found, truth)}

    best_so_far, without_gain = math.inf, 0
    for k, setting in enumerate(solver.settings):
        try:
            row = trial(setting)
            if row["error"] <= error:
                between = [trial(math.sqrt(setting * solver.settings[k - 1]))] if k else []
                rows = [row, *(other for other in between if other["error"] <= error)]
                return min(rows, key=lambda one: one["seconds"])
        except TooSlow:
            return None
        without_gain = without_gain + 1 if row["error"] >= 0.95 * best_so_far < math.inf else 0
        if without_gain == 2:
            return None
        best_so_far = min(best_so_far, row["error"])
    return None


class TooSlow(Exception):  # noqa: N818 - no error: a solver that is out of the race
    """The time allowed for a solver is over."""


def limited(field: Field, seconds: float) -> Field:
    """Return the field with functions that raise `TooSlow` after some seconds."""
    deadline = clock.seconds() + seconds

    def watched(function: Callable) -> Callable:
        def call(*arguments):
            if clock.seconds() > deadline:
                raise TooSlow
            return function(*arguments)

        return call

    jacobian = field.jacobian and watched(field.jacobian)
    return replace(field, rhs=watched(field.rhs), nonlinear=watched(field.nonlinear), jacobian=jacobian)


def solved(solve: Callable[[np.ndarray], np.ndarray], x0: np.ndarray, alone: bool) -> tuple[np.ndarray, float]:
    """Solve for all `x0` and return the states and the seconds of one call.

    If the states are solved one by one (`alone`), the seconds are their median.
    """
    solve(x0[:1])
    results, seconds = [], []
    for x in x0[:, None] if alone else [x0]:
        started = clock.seconds()
        results.append(solve(x))
        seconds.append(clock.seconds() - started)
    return np.concatenate(results), statistics.median(seconds)


def relative_error(found: np.ndarray, truth: np.ndarray) -> float:
    """Return the root mean square error over that of the states; infinite where a value is not finite."""
    if not np.isfinite(found).all():
        return math.inf
    return float(np.sqrt(np.mean((found[:, 1:] - truth[:, 1:]) ** 2) / np.mean(truth[:, 1:] ** 2)))


def latent_cost(model: rom.ReducedOrderModel, of: Task, x0: np.ndarray, alone: bool) -> dict[str, float]:
    """Return the seconds of the latent rollout alone, without encoding and decoding, and of one step."""
    rollout, n_steps = latent_rollout(model, of.times)
    _, seconds = solved(lambda z: rollout(z)[None], model.encode(x0), alone)
    return {"latent rollout, s": seconds, "latent steps": n_steps, "us a latent step": 1e6 * seconds / n_steps}


def latent_rollout(model: rom.ReducedOrderModel, times: np.ndarray) -> tuple[Callable[[np.ndarray], np.ndarray], int]:
    """Return the rollout inside `forecast`, from latent states (N, d), and its number of steps.

    There is no public function for it.
    """
    from rom.dynamics.forcing import Forcing
    from rom.dynamics.rollout import roll_out

    state = model._state
    scaled, longest = times / float(state.time_scale), float(state.max_step)
    n_steps = max(1, math.ceil((scaled[-1] - scaled[0]) / longest - 1e-6))

    def rollout(z):
        dynamics, contains = state.networks.latent_dynamics, state.region.contains
        with torch.inference_mode():
            z0, no_parameters, no_forcing = torch.from_numpy(z), torch.zeros(len(z), 0), Forcing.none(len(z))
            return roll_out(dynamics, z0, scaled, no_parameters, longest, contains, no_forcing)[0].numpy()

    return rollout, n_steps


# -- tables -----------------------------------------------------------------------------------------------------------


def report(records: Mapping[Run, Mapping[str, Any]]) -> str:
    """Return the tables of this case."""
    costs, opponents = [], []
    columns = {
        "error": "error, all times", "error at the end": "error, last time only", "all times, s": "forecast, all times, s",
        "last time only, s": "forecast, last time only, s", "latent rollout, s": "latent rollout, s",
        "latent steps": "latent steps", "us a latent step": "us a latent step",
    }  # fmt: skip
    for run, figures in records.items():
        name = f"{run.get('problem')}, d = {run.get('d')}"
        facts = [cell(figures, key) for key in ("trajectories", "collocation points", "POD rank")]
        blocks = {key: block for key, block in figures.items() if isinstance(block, Mapping)} or {"": {}}
        for count, block in blocks.items():
            costs.append((name, count, *facts, *(cell(block, key) for key in columns.values())))
            for grid in ("same grid", "any grid"):
                for times in ("all times", "last time only"):
                    key = f"FOM, {grid}, {times}"
                    latent = cell(block, f"FOM / latent rollout, {grid}") if times == "all times" else ""
                    ratio = cell(block, f"FOM / forecast, {grid}, {times}")
                    solver = block.get(key, tables.NO_RESULT)
                    opponents.append((name, count, times, grid, solver, cell(block, f"{key}, s"), ratio, latent))
    heads = ("problem", "states", "trajectories", "collocation points", "POD rank", *columns)
    opponent_heads = (
        "problem",
        "states",
        "asked for",
        "grids",
        "best solver",
        "s",
        "solver / forecast",
        "solver / latent rollout",
    )
    return "\n\n".join(
        [
            "**forecasts**",
            tables.markdown(heads, costs),
            "**fastest full-order solver with at most the same error** (fixed steps: longest step; others: rtol)",
            tables.markdown(opponent_heads, opponents),
        ]
    )


def cell(figures: Mapping[str, Any], name: str) -> str:
    """Return a figure as text, or a dash if it was not measured."""
    return tables.number(figures[name]) if name in figures else tables.NO_RESULT
