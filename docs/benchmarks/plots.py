"""Plots of the benchmark, drawn without a window."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

__all__ = ["STYLES", "lines", "save"]

DPI = 110
COLOURS = 256  # of a saved picture, which is then a third as large

# Colours of Okabe & Ito, which colour-blind readers can tell apart, and markers for print.
STYLES = {
    "ours": ("#d55e00", "o"), "published": ("#0072b2", "s"), "published_today": ("#0072b2", "*"), "linear_latent": ("#56b4e9", "^"),
    "data_only": ("#cc79a7", "v"), "operator_inference": ("#009e73", "D"), "galerkin": ("#e69f00", "P"),
    "dmd": ("#999999", "X"), "projection": ("#000000", ""),
    "static": ("#999999", "X"), "flow": ("#0072b2", "s"), "fresh flows": ("#d55e00", "o"), "on-policy": ("#009e73", "D"),
    "default": ("#0072b2", "s"), "convolutional": ("#d55e00", "o"), "graph": ("#d55e00", "o"),
}  # fmt: skip


def lines(curves: Mapping[str, Sequence[tuple[float, float]]], path: Path, x: str, y: str, log_x: bool = False) -> None:
    """Draw errors on a logarithmic axis, a curve for each method; points that are not finite are left out."""
    if not curves:
        return
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    for method, points in curves.items():
        drawn = [point for point in points if all(map(math.isfinite, point)) and point[1] > 0]
        colour, marker = STYLES[method]
        axes.plot(
            *zip(*drawn, strict=True) if drawn else ([], []),
            color=colour,
            marker=marker,
            label=method.replace("_", " "),
        )
    axes.set(xlabel=x, ylabel=y, yscale="log", xscale="log" if log_x else "linear")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    save(figure, path)


def save(figure: Figure, path: Path) -> None:
    """Write a figure as a small PNG file, with a palette of colours."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=DPI)
    picture = Image.open(buffer).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    picture.save(path, optimize=True)
