"""Errors of forecasts, the same for every method."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

import clock
from methods import Forecaster
from problems import Problem

More = Callable[[Problem, str, np.ndarray], dict[str, Any]]  # further figures of a test's forecast


def measured(problem: Problem, fit: Callable[[], Forecaster], more: More | None = None) -> dict[str, Any]:
    """Return the figures of one fit: its seconds, its facts, and the errors of its forecasts."""
    started = clock.seconds()
    forecaster = fit()
    figures = {"fit seconds": clock.seconds() - started} | forecaster.facts
    if forecaster.start is not None:
        start = errors(problem, forecaster.start)
        figures |= {f"start: {name}": value for name, value in start.items() if name.startswith("mse, ")}
    return figures | errors(problem, forecaster, more)


def stages(problem: Problem, fitted: Iterable[tuple[float, Forecaster]], more: More | None = None) -> dict[str, Any]:
    """Return the figures of one fit after several times: {"at 60 s": {...}, ...}."""
    return {f"at {seconds:g} s": one.facts | errors(problem, one, more) for seconds, one in fitted}


def errors(problem: Problem, forecaster: Forecaster, more: More | None = None) -> dict[str, Any]:
    """Return errors and seconds of the forecasts of every test."""
    figures: dict[str, Any] = {}
    for name, (times, states) in problem.test.items():
        mu = (problem.test_parameters[name],) if name in problem.test_parameters else ()
        elapsed = []
        while len(elapsed) < 2 or (len(elapsed) < 10 and sum(elapsed) < 0.5):  # the first calls may have to warm up
            started = clock.seconds()
            forecast = forecaster(states[:, 0], times, *mu)
            elapsed.append(clock.seconds() - started)
        figures |= square_errors(problem, name, forecast) | {f"forecast seconds, {name}": min(elapsed)}
        figures |= more(problem, name, forecast) if more else {}
    return figures


def square_errors(problem: Problem, name: str, approximation: np.ndarray) -> dict[str, Any]:
    """Return mean square errors over all times up to each horizon: of all trajectories, and of the median one."""
    times, states = problem.test[name]
    with np.errstate(all="ignore"):  # what diverged may overflow
        square = ((approximation - states) ** 2).mean(axis=2)  # (trajectory, time)
    figures: dict[str, Any] = {f"variance, {name}": problem.scale[name]}
    for count in (*problem.horizons, len(times)):
        by_trajectory = square[:, :count].mean(axis=1)
        figures[f"mse, {name}, {count}"] = float(by_trajectory.mean())
        figures[f"median trajectory, {name}, {count}"] = float(np.median(by_trajectory))
    return figures
