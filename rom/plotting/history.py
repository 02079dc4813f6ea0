"""Pictures of how a fit went: losses, validation error, the search for the latent dimension."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rom.plotting.forecasts import log_scale
from rom.plotting.style import BLUE, COLOURS, ORANGE, STYLES, Picture, finished
from rom.utils.errors import RomTypeError, RomValueError

__all__ = ["plot_history"]


def plot_history(history: xr.Dataset, path: str | os.PathLike | None = None) -> Figure:
    """How a training went: validation error, losses, and how the latent dimension was chosen.

    history: `model.history`, or that of an autoencoder. path: where to write the picture. The last panel is there where several
    dimensions were tried, the first two where there were steps of training.

    Returns the Figure. Raises `RomTypeError` for anything but a history, `RomError` where the picture cannot
    be written.
    """
    if not isinstance(history, xr.Dataset) or "validation_error" not in history:
        words = "another Dataset" if isinstance(history, xr.Dataset) else type(history).__name__
        raise RomTypeError(f"history must be the history of a model or an autoencoder, got {words}")
    trained, searched = history.sizes.get("step", 0) > 0, history.sizes.get("latent_dim", 1) > 1
    if not trained and "closed_form_error" not in history:
        raise RomValueError("history: this autoencoder took no steps of training, so there is nothing to draw")
    draws = [draw_validation, draw_losses] * trained + [draw_search] * (searched or not trained)
    figure = Picture(figsize=(4.2 * len(draws) + 0.8, 3.8), layout="constrained")
    for ax, draw in zip(figure.subplots(1, len(draws), squeeze=False)[0], draws, strict=True):
        draw(ax, history)
        log_scale(ax, np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in ax.get_lines()]))
        ax.grid(alpha=0.3)
        ax.legend(fontsize="small")
    return finished(figure, path)


# -----------------------------------------------------------------------------------------------------------
# Panels of a history
# -----------------------------------------------------------------------------------------------------------


def draw_validation(ax: Axes, history: xr.Dataset) -> None:
    steps = history["step"].values
    ax.plot(steps, history["validation_error"], color=BLUE, marker="o", ms=3, label="this step")
    best = history["best_validation_error"]
    ax.plot(steps, best, color=ORANGE, ls="--", drawstyle="steps-post", label="kept so far")
    start = history.attrs.get("closed_form_validation_error")
    if start is not None:
        ax.axhline(start, color="black", ls=":", label="closed-form ROM")
    title = f"Error on {history.attrs.get('validated_on', 'held-out data')}"
    ax.set(xlabel="step", ylabel="mean square error / variance", title=title)


def draw_losses(ax: Axes, history: xr.Dataset) -> None:
    names = [str(name) for name in history.data_vars if str(name).startswith("loss_")]
    for name, colour, style in zip(names, COLOURS, STYLES, strict=False):
        values = history[name].values
        if (values > 0).any():
            words = name.removeprefix("loss_").replace("_", " ")
            ax.plot(history["step"], values, color=colour, ls=style, label=words)
    ax.set(xlabel="step", ylabel="share of the variance", title="Training losses")


def draw_search(ax: Axes, history: xr.Dataset) -> None:
    curve = history["closed_form_error"]
    d = history.attrs["latent_dim"]
    ax.plot(curve["latent_dim"], curve, color=BLUE, marker="o", ms=4, label="closed-form ROM")
    if d in curve["latent_dim"].values:
        error = float(curve.sel(latent_dim=d))
        marker: dict[str, Any] = {"marker": "s", "ms": 9, "mfc": "none", "mew": 2, "ls": ""}
        ax.plot(d, error, color=ORANGE, label=f"chosen: {d}", **marker)
    title = "Choice of the latent dimension"
    ax.set(xlabel="latent dimension", ylabel="mean square error / variance", title=title)
