"""Pictures of how a training went."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rom.plotting.figures import new_figure, save_figure, set_log_scale
from rom.plotting.style import BLUE, COLOURS, LINE_STYLES, ORANGE
from rom.utils.errors import RomTypeError, RomValueError

__all__ = ["plot_history"]


def plot_history(history: xr.Dataset, path: str | os.PathLike | None = None) -> Figure:
    """Draw validation errors, training losses, and the choice of the latent dimension.

    Parameters
    ----------
    history : Dataset
        `model.history` of a reduced-order model or an autoencoder.
    path : str or path-like, optional
        File to write the picture to. The suffix sets the format, such as .png, .pdf or .svg.

    Returns
    -------
    Figure
        A matplotlib figure. The first two panels are there if the model was trained, the last one if several latent
        dimensions were tried.

    Raises
    ------
    RomTypeError
        If `history` is not the history of a model.
    RomValueError
        If it contains nothing to draw, or if `path` has an unknown suffix.
    RomError
        If the picture cannot be written.

    Examples
    --------
    >>> import numpy as np, rom
    >>> samples = np.random.default_rng(0).standard_normal((100, 4))
    >>> model = rom.fit_autoencoder(samples, 2, config=rom.FitConfig(steps=3, optimizer="adam"))
    >>> [axes.get_title() for axes in rom.plotting.plot_history(model.history).axes]
    ['Error on held-out samples', 'Training losses']
    """
    if not isinstance(history, xr.Dataset) or "validation_error" not in history:
        words = "another Dataset" if isinstance(history, xr.Dataset) else type(history).__name__
        raise RomTypeError(f"history must be the history of a model or an autoencoder, got {words}")
    trained, searched = history.sizes.get("step", 0) > 0, history.sizes.get("latent_dim", 1) > 1
    if not trained and "closed_form_error" not in history:
        raise RomValueError("history: this autoencoder took no steps of training, so there is nothing to draw")
    panels = [draw_validation, draw_losses] * trained + [draw_search] * (searched or not trained)
    figure = new_figure(4.2 * len(panels) + 0.8, 3.8)
    for ax, draw in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        draw(ax, history)
        set_log_scale(ax, np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in ax.get_lines()]))
        ax.grid(alpha=0.3)
        ax.legend(fontsize="small")
    return save_figure(figure, path)


def draw_validation(ax: Axes, history: xr.Dataset) -> None:
    """Draw the validation error of each step, of the best step so far, and of the closed-form model."""
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
    """Draw the unweighted training losses."""
    names = [str(name) for name in history.data_vars if str(name).startswith("loss_")]
    for name, colour, style in zip(names, COLOURS, LINE_STYLES, strict=False):
        values = history[name].values
        if (values > 0).any():
            words = name.removeprefix("loss_").replace("_", " ")
            ax.plot(history["step"], values, color=colour, ls=style, label=words)
    ax.set(xlabel="step", ylabel="share of the variance", title="Training losses")


def draw_search(ax: Axes, history: xr.Dataset) -> None:
    """Draw the error of the closed-form model over the latent dimension, and mark the chosen dimension."""
    curve = history["closed_form_error"]
    d = history.attrs["latent_dim"]
    ax.plot(curve["latent_dim"], curve, color=BLUE, marker="o", ms=4, label="closed-form ROM")
    if d in curve["latent_dim"].values:
        error = float(curve.sel(latent_dim=d))
        marker: dict[str, Any] = {"marker": "s", "ms": 9, "mfc": "none", "mew": 2, "ls": ""}
        ax.plot(d, error, color=ORANGE, label=f"chosen: {d}", **marker)
    title = "Choice of the latent dimension"
    ax.set(xlabel="latent dimension", ylabel="mean square error / variance", title=title)
