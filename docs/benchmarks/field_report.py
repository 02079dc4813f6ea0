"""Tables and plots of cases that compare networks on fields with the default network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import report as tables
from plots import STYLES, save
from runs import Run

__all__ = ["COLUMNS", "error_plot", "field_plot", "report"]

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


def report(records: Mapping[Run, Mapping[str, Any]]) -> str:
    """Return the table of figures of all runs."""
    return tables.table(records, COLUMNS)


def error_plot(records: Mapping[Run, Mapping[str, Any]], path: Path) -> None:
    """Draw relative errors over time: all seeds of each network, and the closed form of the first seed."""
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
    save(figure, path)


def field_plot(records: Mapping[Run, Mapping[str, Any]], path: Path, triangulation: Any = None) -> None:
    """Draw a test at three times: the truth above, below it the forecast of each network."""
    shown = {run.get("network"): figures["pictures"] for run, figures in records.items() if "pictures" in figures}
    if not shown:
        return
    first = next(iter(shown.values()))
    times, truth = first["times"], first["truth"]
    rows = {"full-order model": truth} | {name: one["forecast"] for name, one in shown.items()}
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
    save(figure, path)
