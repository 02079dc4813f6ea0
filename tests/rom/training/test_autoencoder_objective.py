"""Validation of an autoencoder: the weighted sum of its losses, whatever the size of the batches."""

import dataclasses

import numpy as np
import pytest
import torch

from rom.config import LossWeights
from rom.training.autoencoder_objective import AutoencoderObjective
from rom.utils.random import torch_generator


@pytest.fixture
def objective(small, random_networks, normal):
    """A maker of objectives on normal samples, and networks for them."""

    def make(n_validating=40, batch=64, **weights):
        config = dataclasses.replace(small, collocation_batch=batch, dtype="float64")
        parts = normal(100, 5), normal(n_validating, 5, seed=1)
        return AutoencoderObjective(*parts, LossWeights(**weights), config, 5, seed=0), random_networks(5, 2)

    return make


def test_validation_is_the_weighted_sum_of_the_losses(objective):
    made, networks = objective(reconstruction=0.5, contractive=0.1, sparse=2.0, smoothness=0.3)
    losses = made.losses_at(networks, made.validating, torch_generator(0), progress=1.0)  # with gradients
    expected = sum(made.weights.to_dict()[name] * loss.item() for name, loss in losses.items())
    assert set(losses) == {"reconstruction", "contractive", "sparse", "smoothness"}
    assert made.validate(networks).error == pytest.approx(expected, rel=1e-9)
    assert made.validate(networks) == made.validate(networks)


def test_validation_in_batches_is_that_of_all_samples(objective):
    whole, networks = objective(n_validating=41, batch=64)
    parts, _ = objective(n_validating=41, batch=10)
    assert parts.validate(networks).error == pytest.approx(whole.validate(networks).error, rel=1e-9)
    assert {len(batch) for batch in parts.validation_batches()} == {8, 9}


def test_large_weights_do_not_hide_what_is_better(objective):
    """A loss that is finite counts as it is, whatever its weight."""
    made, networks = objective(contractive=1e5)
    before = made.validate(networks)
    with torch.no_grad():
        networks.decoder.linear.bias += 1.0
    assert made.validate(networks).error > before.error


def test_a_state_that_is_not_finite_is_the_worst(objective):
    made, networks = objective(sparse=1.0)
    before = made.validate(networks)
    with torch.no_grad():
        networks.encoder.linear.weight.fill_(torch.nan)
    after = made.validate(networks)
    assert np.isfinite(after.error)
    assert after.error > 100 * before.error
