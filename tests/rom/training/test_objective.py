"""Objectives and their scores: what every objective does unless it says otherwise, and what decides between two states."""

import dataclasses

import pytest
import torch

from rom.config import FitConfig, LossWeights
from rom.training.autoencoder_objective import AutoencoderObjective
from rom.training.batches import CollocationTable, Rollouts, SnapshotTable
from rom.training.forecast_objective import ForecastObjective, TrainingData
from rom.training.losses import LossScales
from rom.training.objective import Objective
from rom.training.score import AutoencoderScore, ForecastScore
from rom.training.validation import HeldOut

GOOD = ForecastScore(error=0.04, typical=0.2, physics=1.0, median=0.2)


class Nothing(Objective):
    """An objective without rollouts, whose data do not grow."""

    validated_on = "nothing"
    advice = "Try something."

    def losses(self, networks, generator, progress):  # noqa: ARG002
        return {}

    def validate(self, networks):  # noqa: ARG002
        return GOOD


def test_without_rollouts_there_is_no_window_and_nothing_is_added():
    objective = Nothing()
    assert objective.window(0.5) == 0
    assert objective.renew([], 0.5, None) is None
    objective.resume([3, 2])


def test_a_useless_model_is_warned_about_with_what_may_help():
    useless = dataclasses.replace(GOOD, median=1.5)
    assert Nothing().warnings(GOOD, GOOD) == []
    (warning,) = Nothing().warnings(useless, GOOD)
    assert warning.endswith("its median relative error on nothing is 1.5. Try something.")


def test_worse_forecasts_do_not_count_unless_the_physics_is_much_better():
    start = GOOD
    worse = dataclasses.replace(start, typical=0.21, physics=0.5)
    assert worse.criterion < start.criterion
    assert not worse.beats(start, start)
    assert dataclasses.replace(worse, physics=0.3).beats(start, start)


def test_an_autoencoder_is_judged_by_all_its_losses():
    start = AutoencoderScore(error=0.5, reconstruction=0.04)
    assert start.relative_error == pytest.approx(0.2)
    assert AutoencoderScore(error=0.4, reconstruction=0.09).beats(start, start)
    assert not AutoencoderScore(error=0.5, reconstruction=0.01).beats(start, start)


def test_every_loss_has_a_weight(random_networks, normal):
    weights = LossWeights(denoising=0.1, contractive=0.1, sparse=0.1, sparse_kl=0.1, smoothness=0.1)
    snapshots = SnapshotTable.of([Rollouts.without_parameters(torch.ones(9, dtype=torch.float64), normal(10, 3, 5))])
    points = CollocationTable.without_parameters(normal(30, 5), normal(30, 5))
    data = TrainingData(snapshots, points, LossScales(1.0, 1.0), 1)
    config = FitConfig(dtype="float64")
    forecast = ForecastObjective(data, HeldOut("nothing"), weights, config, n_states=5)
    autoencoder = AutoencoderObjective(normal(30, 5), normal(30, 5), weights, config, 5, seed=0)
    for objective in (forecast, autoencoder):
        losses = objective.losses(random_networks(5, 2), torch.Generator().manual_seed(0), 0.5)
        assert all(weights.of(name) >= 0.0 for name in losses)


def test_a_loss_without_a_weight_is_refused():
    with pytest.raises(KeyError, match="the loss 'entropy' has no weight: add a field of this name to LossWeights"):
        LossWeights().of("entropy")
