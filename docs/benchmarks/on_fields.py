"""Networks on fields beside the default ones: one fit with each, and what there is to compare."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

import clock
import report as tables
import rom
import systems
from plots import STYLES
from runs import Run

COLUMNS = {
    "forecast, fitted": "relative error of the forecast",
    "forecast, worst": "of the worst test",
    "forecast, closed form": "of the closed form",
    "reconstruction, fitted": "of psi(phi(x))",
    "reconstruction, closed form": "of the closed form",
    "reconstruction, subspace": "of the best subspace",
    "training seconds": "training, s",
    "processor seconds": "whole fit, processor s",
    "steps": "steps",
    "weights": "weights of encoder and decoder",
}


def measured(
    system: systems.System,
    train: xr.Dataset,
    pairs: xr.Dataset,
    tests: xr.Dataset,
    run: Run,
    config: rom.FitConfig,
    latent_dim: int,
) -> dict[str, Any]:
    """Figures of one `rom.fit` with the seed and the seconds of `run`; errors over the trajectories are medians over `tests`."""
    started, used = time.perf_counter(), clock.seconds()
    model = rom.fit(
        system, trajectories=train, collocation=pairs, latent_dim=latent_dim, config=config, seed=run.seed,
        max_seconds=run.get("seconds"), verbose=False,
    )  # fmt: skip
    wall, used = time.perf_counter() - started, clock.seconds() - used
    closed_form = rom.closed_form_of(model)
    errors = rom.evaluate(model, tests)
    by_trajectory = errors["trajectory_relative_error"]
    truth = tests["state"].values
    subspace = projected(train["state"].values, truth, latent_dim)
    facts = model.history.attrs
    return {
        "forecast, fitted": float(by_trajectory.sel(rom="fitted").median()),
        "forecast, worst": float(by_trajectory.sel(rom="fitted").max()),
        "forecast, closed form": float(by_trajectory.sel(rom="closed_form").median()),
        "reconstruction, fitted": relative_error(reconstructed(model, truth), truth),
        "reconstruction, closed form": relative_error(reconstructed(closed_form, truth), truth),
        "reconstruction, subspace": relative_error(subspace, truth),
        "training seconds": facts["training_seconds"],
        "fit seconds": wall,
        "processor seconds": used,
        "steps": facts["steps"],
        "POD rank": model.rank,
        "weights": model.n_weights["encoder"] + model.n_weights["decoder"],
        "validation error": facts["validation_error"],
        "validation error, closed form": facts["closed_form_validation_error"],
        "times": tests["time"].values.tolist(),
        "error by time, fitted": errors["relative_error"].sel(rom="fitted").values.tolist(),
        "error by time, closed form": errors["relative_error"].sel(rom="closed_form").values.tolist(),
    } | ({} if run.seed else pictures(model, tests))


def reconstructed(model: rom.ReducedOrderModel, states: np.ndarray) -> np.ndarray:
    """psi(phi(x)) of states (trajectory, time, *shape)."""
    return np.stack([model.decode(model.encode(some)) for some in states])


def relative_error(approximation: np.ndarray, states: np.ndarray) -> float:
    """Over all times of a trajectory, the median over trajectories."""
    axes = tuple(range(1, states.ndim))
    return float(np.median(np.sqrt(((approximation - states) ** 2).sum(axes) / (states**2).sum(axes))))


def projected(train: np.ndarray, states: np.ndarray, d: int) -> np.ndarray:
    """`states` on the first d POD modes of the training states."""
    rows = train.reshape(train.shape[0] * train.shape[1], -1)
    mean = rows.mean(axis=0)
    rows = rows - mean
    if len(rows) > rows.shape[1]:
        basis = np.linalg.eigh(rows.T @ rows)[1][:, -d:]
    else:
        basis = np.linalg.qr(rows.T @ np.linalg.eigh(rows @ rows.T)[1][:, -d:])[0]
    flat = states.reshape(*states.shape[:2], -1) - mean
    return (mean + flat @ basis @ basis.T).reshape(states.shape)


def pictures(model: rom.ReducedOrderModel, tests: xr.Dataset) -> dict[str, Any]:
    """The first field of the first test at three times: the truth, and the forecast."""
    first = tests.isel(trajectory=0)
    forecast = model.forecast(first["state"][0], first["time"].values)
    some = [0, len(first["time"]) // 2, -1]
    truth, guess = (x["state"].values[some] for x in (first, forecast))
    if "component" in tests["state"].dims:
        truth, guess = truth[:, 0], guess[:, 0]
    times = first["time"].values[some].tolist()
    return {"pictures": [times, np.round(truth, 3).tolist(), np.round(guess, 3).tolist()]}


def report(records: Mapping[Run, Mapping[str, Any]]) -> str:
    return tables.table(records, COLUMNS)


def error_plot(records: Mapping[Run, Mapping[str, Any]], path: Path) -> None:
    """Relative errors over time: all seeds of each network, and the closed form of the first."""
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    labelled: set[str] = set()
    for run, figures in records.items():
        name = run.get("network")
        colour = STYLES[name][0]
        axes.plot(
            figures["times"],
            figures["error by time, fitted"],
            color=colour,
            label=None if name in labelled else name,
        )
        if not labelled:
            style = {"color": "0.6", "linestyle": "--", "label": "closed form"}
            axes.plot(figures["times"], figures["error by time, closed form"], **style)
        labelled.add(name)
    axes.set(xlabel="time", ylabel="relative error, all tests", yscale="log")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside upper right", ncols=4, fontsize=8, frameon=False)
    figure.savefig(path, dpi=120)


def field_plot(records: Mapping[Run, Mapping[str, Any]], path: Path, triangulation: Any = None) -> None:
    """A test at three times: the truth above, below it the forecast of each network, of the first seed."""
    shown = {run.get("network"): figures["pictures"] for run, figures in records.items() if "pictures" in figures}
    if not shown:
        return
    (times, truth, _), *_ = shown.values()
    rows = {"full-order model": truth} | {name: guess for name, (_, _, guess) in shown.items()}
    figure = Figure(figsize=(2.6 * len(times), 2.3 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), len(times), squeeze=False)
    for j, t in enumerate(times):
        low, high = np.min(truth[j]), np.max(truth[j])
        for i, (name, fields) in enumerate(rows.items()):
            axes = grid[i, j]
            if triangulation is None:
                image = axes.imshow(fields[j], origin="lower", vmin=low, vmax=high, cmap="viridis")
            else:
                image = axes.tripcolor(triangulation, fields[j], vmin=low, vmax=high, shading="gouraud")
                axes.set_aspect("equal")
            axes.set(xticks=[], yticks=[])
            if j == 0:
                axes.set_ylabel(name)
            if i == 0:
                axes.set_title(f"t = {t:g}")
        figure.colorbar(image, ax=grid[:, j], location="bottom", shrink=0.8)
    figure.savefig(path, dpi=120)
