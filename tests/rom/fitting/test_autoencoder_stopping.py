"""rom.fit_autoencoder: stopping, resuming, limits of time."""

import logging

import numpy as np
import pytest
import torch
from autoencoder_samples import circle, same_weights
from torch import nn

import rom
from rom.config import LossWeights
from rom.utils.files import read_sealed, write_sealed


class Killed(Exception):  # noqa: N818 - no error of the package
    """What a test raises to end a fit in the middle."""


def at_step(step, error):
    def callback(progress):
        if progress.step >= step:
            raise error

    return callback


@pytest.mark.parametrize("optimizer", ["adam", "soap"])
@pytest.mark.parametrize(
    "weights", [LossWeights(), LossWeights(variational=0.01, denoising=0.1)], ids=["plain", "both"]
)
def test_a_killed_training_resumes_bit_by_bit(fit, tmp_path, optimizer, weights):
    settings = {"optimizer": optimizer, "weights": weights}
    whole, path = fit(**settings), tmp_path / "c"
    with pytest.raises(Killed):
        fit(checkpoint=path, callbacks=[at_step(20, Killed)], **settings)
    resumed = fit(checkpoint=path, **settings)
    assert same_weights(resumed, whole)
    for name in ("step", "validation_error", "loss_reconstruction", "learning_rate"):
        np.testing.assert_array_equal(resumed.history[name], whole.history[name])


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 1},
        {"latent_dim": 1},
        {"hidden": (17,)},
        {"weights": LossWeights(sparse=0.1)},
        {"data": circle(401)},
        {"modules": (nn.Linear(4, 2), nn.Linear(2, 4))},
    ],
    ids=["seed", "latent_dim", "hidden", "weights", "data", "modules"],
)
def test_a_checkpoint_of_another_fit_is_refused(fit, tmp_path, other):
    fit(checkpoint=tmp_path / "c")
    with pytest.raises(rom.RomValueError, match="was made from other data, configuration or seed; repeat the call"):
        fit(checkpoint=tmp_path / "c", **other)


def test_ctrl_c_returns_the_best_autoencoder_marked_interrupted(fit, caplog):
    with caplog.at_level(logging.WARNING, logger="rom"):
        autoencoder = fit(callbacks=[at_step(20, KeyboardInterrupt)])
    attrs = autoencoder.history.attrs
    assert (attrs["stopped"], attrs["interrupted"], attrs["steps"]) == ("interrupted", True, 20)
    assert attrs["validation_error"] <= attrs["closed_form_validation_error"]
    assert "interrupted at step 20; keeping the best model" in caplog.text


def test_a_callback_sees_the_progress_and_can_stop(fit):
    seen = []

    def callback(progress):
        seen.append(progress)
        return progress.step >= 20

    autoencoder = fit(callbacks=[callback], weights=LossWeights(sparse=0.1))
    assert [progress.step for progress in seen] == [10, 20]
    assert set(seen[0].losses) == {"reconstruction", "sparse"}
    assert autoencoder.history.attrs["stopped"] == "callback"


def test_time_is_kept(fit):
    autoencoder = fit(max_seconds=2.0, steps=None)
    assert 1.0 < autoencoder.history.attrs["seconds"] < 2.5
    assert autoencoder.history.attrs["stopped"] == "finished"


def test_without_time_the_closed_form_is_returned(fit, caplog):
    autoencoder = fit(max_seconds=1e-3)
    assert autoencoder.history.attrs["steps"] == 0
    assert "no time for training: the result is the closed-form model" in caplog.text


def test_equal_seeds_give_equal_autoencoders_and_no_global_state_is_touched(fit):
    before = torch.get_rng_state()
    assert same_weights(fit(), fit())
    assert torch.equal(torch.get_rng_state(), before)
    assert not same_weights(fit(), fit(seed=1))


def test_a_checkpoint_of_another_version_is_refused(fit, tmp_path):
    path = tmp_path / "c"
    with pytest.raises(Killed):
        fit(checkpoint=path, callbacks=[at_step(20, Killed)])
    document, tensors = read_sealed(path, "checkpoint")
    items = dict(document["state"]["items"])
    training = dict(items["training"]["items"])
    training["best"] = {"items": [["error", 0.1], ["of_another_version", 1.0]]}
    items["training"] = {"items": [list(item) for item in training.items()]}
    state = {"items": [list(item) for item in items.items()]}
    write_sealed(path, "checkpoint", {"fingerprint": document["fingerprint"], "state": state}, tensors)
    with pytest.raises(rom.RomFileError, match="another version of this package; delete it"):
        fit(checkpoint=path)
