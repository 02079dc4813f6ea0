"""The training loop through rom.fit: resuming, stopping, interruption, recovery; and its schedule."""

import dataclasses
import logging
import math

import numpy as np
import pytest
import torch

import rom
from rom.config import LossWeights
from rom.training import forecast_objective
from rom.training.batches import Rollouts, SnapshotTable
from rom.training.forecast_objective import ForecastObjective, TrainingData
from rom.training.loop import Schedule
from rom.training.losses import LossScales
from rom.training.optimiser import make_optimiser, rate_factor
from rom.training.score import ForecastScore
from rom.training.validation import HeldOut
from rom.utils.errors import RomFileError

X0 = np.array([0.3, -0.4])


class Killed(Exception):  # noqa: N818 - no error of the package
    """What a test raises to end a fit in the middle."""


@pytest.fixture
def fit(pendulum_runs, pendulum_pairs, small):
    """rom.fit on a problem that training improves, with settings of FitConfig among its arguments."""
    small = dataclasses.replace(small, hidden=())

    def run(**arguments):
        names = {field.name for field in dataclasses.fields(small)}
        settings = {name: arguments.pop(name) for name in list(arguments) if name in names}
        data = {"trajectories": pendulum_runs, "collocation": pendulum_pairs} | arguments
        return rom.fit(None, latent_dim=2, config=dataclasses.replace(small, **settings), **data)

    return run


def same_weights(one, other) -> bool:
    a, b = one._state.state_dict(), other._state.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def at_step(step, action):
    """A callback that does something once training has come to `step`."""

    def callback(progress):
        if progress.step >= step:
            return action()
        return None

    return callback


def raising(error):
    def action():
        raise error

    return action


# Checkpoints


@pytest.mark.parametrize("optimizer", ["adam", "soap"])
@pytest.mark.parametrize(("steps", "validations", "killed_at"), [(40, 4, 20), (60, 25, 30), (50, 7, 29)])
def test_a_killed_training_resumes_bit_by_bit(fit, tmp_path, optimizer, steps, validations, killed_at):
    settings = {"optimizer": optimizer, "steps": steps, "validations": validations}
    whole = fit(**settings)
    path = tmp_path / "c"
    with pytest.raises(Killed):
        fit(checkpoint=path, callbacks=[at_step(killed_at, raising(Killed))], **settings)
    assert path.exists()
    resumed = fit(checkpoint=path, **settings)
    assert same_weights(resumed, whole)
    for name in ("step", "validation_error", "loss_prediction", "learning_rate", "window"):
        np.testing.assert_array_equal(resumed.history[name], whole.history[name])
    assert resumed.history.attrs["steps"] == steps


def test_a_checkpoint_does_not_change_the_training(fit, tmp_path):
    assert same_weights(fit(checkpoint=tmp_path / "c"), fit())


def test_a_finished_training_is_not_repeated(fit, tmp_path):
    first = fit(checkpoint=tmp_path / "c")
    steps = []
    again = fit(checkpoint=tmp_path / "c", callbacks=[lambda progress: steps.append(progress.step)])
    assert same_weights(first, again)
    assert steps == []


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 1},
        {"steps": 41},
        {"hidden": (17,)},
        {"weights": LossWeights(prediction=0.5)},
        {"trajectories": "shorter"},
        {"trajectories": "slower"},
        {"collocation": "fewer"},
        {"collocation": "another f"},
    ],
    ids=str,
)
def test_a_checkpoint_of_another_fit_is_refused(fit, tmp_path, pendulum_runs, pendulum_pairs, other):
    runs, pairs = pendulum_runs, pendulum_pairs
    fit(checkpoint=tmp_path / "c")
    changed = {
        "shorter": lambda: runs.isel(time=slice(20)),
        "slower": lambda: runs.assign_coords(time=runs["time"] * 2),
        "fewer": lambda: pairs.isel(point=slice(100)),
        "another f": lambda: pairs.assign(time_derivative=1.01 * pairs["time_derivative"]),
    }
    other = {name: changed[value]() if isinstance(value, str) else value for name, value in other.items()}
    with pytest.raises(rom.RomValueError, match="was made from other data, configuration or seed; repeat the call"):
        fit(checkpoint=tmp_path / "c", **other)


def test_files_that_are_no_checkpoint_are_refused(fit, tmp_path, model):
    path = tmp_path / "c"
    path.write_bytes(b"nonsense")
    with pytest.raises(RomFileError, match="is not a checkpoint of this package"):
        fit(checkpoint=path)
    path.unlink()
    model.save(path)
    with pytest.raises(RomFileError, match="is a model, not a checkpoint"):
        fit(checkpoint=path)
    path.unlink()
    fit(checkpoint=path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(RomFileError, match="truncated or altered"):
        fit(checkpoint=path)


# Stopping


def test_a_callback_sees_the_progress_and_can_stop(fit):
    seen = []

    def callback(progress):
        seen.append(progress)
        return progress.step >= 20

    model = fit(callbacks=[callback])
    assert [progress.step for progress in seen] == [10, 20]
    assert all(isinstance(progress, rom.Progress) for progress in seen)
    assert set(seen[0].losses) == {name for name, weight in LossWeights().to_dict().items() if weight > 0}
    assert seen[1].best_validation_error <= seen[1].validation_error
    attrs = model.history.attrs
    assert (attrs["stopped"], attrs["steps"], attrs["interrupted"]) == ("callback", 20, False)


def test_every_callback_is_called_even_when_one_stops(fit):
    called = []
    fit(callbacks=[lambda _: True, lambda progress: called.append(progress.step)])
    assert called == [10]


def test_ctrl_c_returns_the_best_model_marked_interrupted(fit, caplog):
    with caplog.at_level(logging.WARNING, logger="rom"):
        model = fit(callbacks=[at_step(20, raising(KeyboardInterrupt))])
    attrs = model.history.attrs
    assert (attrs["stopped"], attrs["interrupted"], attrs["steps"]) == ("interrupted", True, 20)
    assert attrs["validation_error"] <= attrs["closed_form_validation_error"] * (1 + 1e-4)
    assert "interrupted at step 20; keeping the best model" in caplog.text
    assert np.isfinite(model.forecast(X0, [0.0, 1.0])["state"]).all()


def test_an_interrupted_training_can_be_resumed(fit, tmp_path):
    fit(checkpoint=tmp_path / "c", callbacks=[at_step(20, raising(KeyboardInterrupt))])
    assert same_weights(fit(checkpoint=tmp_path / "c"), fit())


def test_any_other_error_of_a_callback_is_the_callers(fit):
    with pytest.raises(Killed):
        fit(callbacks=[at_step(0, raising(Killed))])


def found(value):
    return ForecastScore(error=value, typical=value, physics=1.0, median=value)


@pytest.mark.parametrize(("median", "warned"), [(0.99, False), (1.0, True)])
def test_a_model_that_is_no_better_than_a_constant_is_told(fit, monkeypatch, caplog, median, warned):
    """By the median: a single rollout that breaks off would lift the mean above one."""
    monkeypatch.setattr(forecast_objective, "validate", lambda *_: ForecastScore(2.0, 1.6, 1.0, median))
    fit()
    told = [r.message for r in caplog.records if "no better than a constant" in r.message]
    assert len(told) == warned
    assert not told or "its median relative error on held-out trajectories is 1." in told[0]


def test_points_whose_rates_are_noise_are_told(small, caplog):
    states, rates = np.random.default_rng(0).standard_normal((2, 200, 2))
    rom.fit(None, collocation=(states, rates), latent_dim=2, config=small, verbose=False)
    assert "its median relative error on held-out collocation points is" in caplog.text


def test_patience_ends_a_training_that_does_not_improve(fit, monkeypatch):
    errors = iter([1.0, 0.5, 0.6, 0.4, 0.7, 0.8, 0.9, 0.1])
    monkeypatch.setattr(forecast_objective, "validate", lambda *_: found(next(errors)))
    model = fit(patience=3, validations=8)
    attrs = model.history.attrs
    assert attrs["stopped"] == "patience"
    assert (attrs["best_step"], attrs["steps"], attrs["validation_error"]) == (15, 30, 0.4)


def test_the_best_state_is_returned_not_the_last(fit, monkeypatch):
    errors = iter([1.0, 0.5, 0.6, 0.7, 0.8])
    monkeypatch.setattr(forecast_objective, "validate", lambda *_: found(next(errors)))
    best = fit()
    monkeypatch.undo()
    errors = iter([1.0, 0.5])
    monkeypatch.setattr(forecast_objective, "validate", lambda *_: found(next(errors)))
    stopped = fit(callbacks=[lambda _: True])
    assert best.history.attrs["best_step"] == 10
    assert all(
        torch.equal(a, b)
        for a, b in zip(best._state.networks.parameters(), stopped._state.networks.parameters(), strict=True)
    )


def test_the_score_decides_and_the_error_is_reported(fit, monkeypatch):
    scores = [(0.5, 1.0), (0.3, 0.8), (0.4, 0.2), (0.1, 0.9), (0.2, 0.3)]
    looks = iter([ForecastScore(error, score, physics=1.0, median=score) for error, score in scores])
    monkeypatch.setattr(forecast_objective, "validate", lambda *_: next(looks))
    history = fit().history
    assert (history.attrs["best_step"], history.attrs["validation_error"]) == (20, 0.4)
    assert history["best_validation_error"].values.tolist() == [0.3, 0.4, 0.4, 0.4]


@pytest.mark.parametrize(("physics", "kept"), [(0.7, False), (0.3, True)])
def test_forecasts_worse_than_the_closed_forms_need_much_better_physics(fit, monkeypatch, physics, kept, caplog):
    looks = iter([ForecastScore(0.5, 0.7, 1.0, 0.7), *4 * [ForecastScore(0.6, 0.71, physics, 0.7)]])
    monkeypatch.setattr(forecast_objective, "validate", lambda *_: next(looks))
    assert (fit().history.attrs["best_step"] > 0) == kept
    assert ("worse than that of the closed form" in caplog.text) == kept


# Recovery


def losses_that_are_nan(monkeypatch, steps):
    """Make the physics losses NaN at the steps (counted from 0) that `steps` holds."""
    calls = {"n": -1}
    true = forecast_objective.physics_losses

    def spoilt(*arguments):
        calls["n"] += 1
        losses = true(*arguments)
        if calls["n"] in steps:
            losses["latent_physics"] = losses["latent_physics"] * torch.nan
        return losses

    monkeypatch.setattr(forecast_objective, "physics_losses", spoilt)


def test_a_few_nan_steps_are_left_out(fit, monkeypatch):
    losses_that_are_nan(monkeypatch, {3, 4, 17})
    model = fit()
    assert model.history.attrs["recoveries"] == 0
    assert model.history.attrs["steps"] == 40
    assert np.isfinite(model.forecast(X0, [0.0, 1.0])["state"]).all()


def test_nan_in_a_row_goes_back_to_the_best_state_at_half_the_rate(fit, monkeypatch, caplog):
    losses_that_are_nan(monkeypatch, {12, 13, 14})
    with caplog.at_level(logging.WARNING, logger="rom"):
        model = fit()
    assert "no finite gradient at step 14: back to the best state, learning rate halved" in caplog.text
    assert model.history.attrs["recoveries"] == 1
    monkeypatch.undo()
    undisturbed = fit()
    ratio = model.history["learning_rate"].values / undisturbed.history["learning_rate"].values
    np.testing.assert_allclose(ratio, [1.0, 0.5, 0.5, 0.5])
    assert all(torch.isfinite(p).all() for p in model._state.networks.parameters())


@pytest.mark.parametrize("optimizer", ["adam", "soap"])
def test_nan_for_good_returns_the_closed_form(fit, monkeypatch, optimizer):
    losses_that_are_nan(monkeypatch, range(10**6))
    model = fit(optimizer=optimizer, validations=2)
    attrs = model.history.attrs
    assert attrs["stopped"] in ("diverged", "finished")
    assert attrs["recoveries"] > 5
    assert attrs["best_step"] == 0
    assert attrs["validation_error"] == pytest.approx(attrs["closed_form_validation_error"], rel=1e-2, abs=1e-9)


def test_a_weight_of_zero_silences_a_loss_that_is_not_finite(fit, monkeypatch):
    losses_that_are_nan(monkeypatch, range(10**6))
    model = fit(weights=LossWeights(latent_physics=0.0))
    assert model.history.attrs["recoveries"] == 0


# Weights


def test_weights_of_zero_train_nothing_of_that_kind(fit):
    physics = LossWeights(reconstruction=0.0, prediction=0.0)
    model = fit(weights=physics)
    assert model.history.attrs["steps"] == 40
    assert not same_weights(model, fit())


# Schedule


def test_learning_rate_warms_up_and_falls_to_zero():
    rates = [rate_factor(k / 1000) for k in range(1001)]
    peak = int(np.argmax(rates))
    assert 0 < rates[0] < 0.1
    assert 0.01 <= peak / 1000 <= 0.05
    assert rates[peak] > 0.95
    assert np.all(np.diff(rates[peak:]) <= 0)
    assert rates[-1] == pytest.approx(0.0, abs=1e-12)


@pytest.fixture
def objective_of(small):
    table = SnapshotTable.of([Rollouts.without_parameters(torch.ones(9), torch.zeros(10, 2, 1))])

    def make(**settings):
        config = dataclasses.replace(small, **settings)
        data = TrainingData(table, None, LossScales(1.0, 1.0), 1)
        return ForecastObjective(data, HeldOut("none"), LossWeights(), config)

    return make


def test_window_grows_from_a_quarter_to_the_whole(objective_of):
    lengths = [objective_of(window=8).window(p) for p in (0.0, 0.1, 0.25, 0.5, 1.0)]
    assert lengths[0] == 2
    assert lengths == sorted(lengths)
    assert lengths[3:] == [8, 8]
    assert objective_of(window=100).window(1.0) == 9  # no more than there is


def test_progress_is_by_steps_or_by_the_clock():
    assert Schedule(steps=200).progress(50, 1e6) == 0.25
    assert Schedule(steps=None).progress(500, 1e6) == 0.25  # 2,000 steps
    assert Schedule(steps=None, seconds=10.0).progress(10**6, 5.0) == 0.5
    assert Schedule(steps=100, seconds=10.0).progress(10, 5.0) == 0.5
    assert Schedule(steps=100, seconds=10.0).progress(90, 5.0) == 0.9


@pytest.mark.parametrize("name", ["adam", "soap"])
def test_closed_form_parts_learn_more_slowly(random_networks, name):
    networks = random_networks(4, 2)
    optimiser = make_optimiser(networks, name, 1e-2)
    held = sum(len(group["params"]) for group in optimiser.param_groups)
    assert held == len(list(networks.parameters()))
    shares = {id(p): group["share"] for group in optimiser.param_groups for p in group["params"]}
    assert shares[id(networks.encoder.linear.weight)] < shares[id(networks.encoder.correction.layers[0].weight)] == 1.0


def test_gradients_are_clipped(fit):
    """With a tiny norm allowed, Adam's first steps are as long as ever, but nothing fails."""
    assert math.isfinite(fit(gradient_clip=1e-6).history.attrs["validation_error"])
