"""Pictures of how a training went."""

import warnings

import numpy as np
import pytest
import xarray as xr
from rotating_model import legend_texts, pixels

import rom
from rom.plotting import plot_history


def history(steps=5, dims=(2, 4, 8)):
    step = 10 * np.arange(1, steps + 1)
    falling = 0.1 * np.exp(-step / 20)
    names = ("reconstruction", "prediction", "latent_physics", "decoded_physics", "collocation_reconstruction")
    columns = {f"loss_{name}": ("step", (k + 1) * falling) for k, name in enumerate(names)} if steps else {}
    columns |= {"validation_error": ("step", falling), "best_validation_error": ("step", falling)}
    columns["closed_form_error"] = ("latent_dim", 0.1 / np.asarray(dims) ** 2)
    attrs = {"latent_dim": dims[-1], "validated_on": "held-out trajectories", "closed_form_validation_error": 0.05}
    return xr.Dataset(columns, {"step": step, "latent_dim": list(dims)}, attrs)


@pytest.mark.parametrize(
    ("steps", "dims", "titles"),
    [
        (5, (2, 4, 8), ["Error on held-out trajectories", "Training losses", "Choice of the latent dimension"]),
        (5, (8,), ["Error on held-out trajectories", "Training losses"]),
        (0, (8,), ["Choice of the latent dimension"]),
    ],
)
def test_a_history_shows_what_there_is(tmp_path, steps, dims, titles):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = plot_history(history(steps, dims), tmp_path / "history.png")
    assert [ax.get_title() for ax in figure.axes] == titles
    assert pixels(figure).std() > 5
    assert (tmp_path / "history.png").exists()


def test_the_closed_form_and_all_losses_are_named():
    words = legend_texts(plot_history(history()))
    assert {"closed-form ROM", "kept so far", "latent physics", "collocation reconstruction", "chosen: 8"} <= set(words)


def test_only_a_history_is_drawn():
    with pytest.raises(rom.RomTypeError, match="history of a model or an autoencoder, got another Dataset"):
        plot_history(xr.Dataset())


def test_the_history_of_an_autoencoder(small):
    samples = np.random.default_rng(0).standard_normal((200, 5))
    history = rom.fit_autoencoder(samples, 2, config=small).history
    assert [ax.get_title() for ax in plot_history(history).axes] == ["Error on held-out samples", "Training losses"]
    linear = rom.fit_autoencoder(samples, 2, config=rom.FitConfig(hidden=(), quadratic_decoder=False)).history
    with pytest.raises(rom.RomValueError, match="took no steps of training"):
        plot_history(linear)
