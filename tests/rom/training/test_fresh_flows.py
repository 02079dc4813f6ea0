"""Fresh collocation points along flows, while a training is under way."""

import dataclasses
import math

import numpy as np
import pytest
import torch

import rom
import systems
from rom.data.read_collocation import as_collocation
from rom.data.read_trajectories import as_trajectories
from rom.data.split import split_trajectories
from rom.fitting import training_data
from rom.fitting.collect import FitData
from rom.fitting.initial_model import InitialModel
from rom.fitting.prepare import prepare
from rom.fitting.step_size import StepSize
from rom.fitting.training_data import fresh_flows
from rom.training.fresh_flows import block_sizes


@pytest.fixture(scope="module")
def material(runs, pairs):
    groups, layout = as_trajectories(runs)
    return FitData(split_trajectories(groups, 0), as_collocation(pairs)[0], layout)


@pytest.fixture(scope="module")
def prepared(material):
    return prepare(material, rom.FitConfig(), 3)


@pytest.fixture(scope="module")
def sampler(fit_run):
    """A maker of the sampler of flows in pieces of four intervals."""

    def make(system, data, prepared, interval=0.1, limited=True):
        start = InitialModel(None, error=0.0, step=StepSize(substeps=1, stride=1, max_step=interval), errors={})
        run = fit_run(rom.FitConfig(window=4), limit=60.0 if limited else None)
        return fresh_flows(system, data, prepared, start, run)

    return make


@pytest.fixture(scope="module")
def renewal(linear, material, prepared, sampler):
    return sampler(linear, material, prepared, interval=0.1 / prepared.time_scale)


def test_fresh_points_obey_the_dynamics(linear, prepared, renewal):
    """In POD coordinates and scaled time: lifting them back gives states x and f(x)."""
    points = renewal.draw(0, math.inf).points
    projection = prepared.projection
    states = projection.lift(points.coordinates).numpy()
    rates = (points.derivatives @ projection.basis.T).numpy() * float(projection.scale) / prepared.time_scale
    np.testing.assert_allclose(rates, linear.rhs(states), atol=1e-9)


def test_fresh_pieces_are_trajectories(linear, prepared, renewal):
    """Of the steps asked for, within the span of the training, as exact as their tolerance."""
    fresh = renewal.draw(0, math.inf)
    assert fresh.rollouts.coordinates.shape[0] == 5
    np.testing.assert_allclose(fresh.rollouts.intervals * prepared.time_scale, 0.1)
    states = prepared.projection.lift(fresh.rollouts.coordinates).numpy()
    again = systems.simulate(linear, initial=states[0], t=np.arange(5) * 0.1)["state"].values
    np.testing.assert_allclose(np.moveaxis(again, 1, 0), states, atol=1e-2 * states.std())
    assert renewal.span == pytest.approx(2.0)


def test_as_many_as_there_are_points(renewal, prepared):
    count = len(renewal.draw(0, math.inf).points)
    assert len(prepared.collocation) <= count < len(prepared.collocation) + 5 * 64


def test_each_renewal_is_new_and_repeatable(renewal):
    first, again, second = (renewal.draw(k, math.inf).points.coordinates for k in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, second)


def test_without_time_there_are_none(renewal):
    assert renewal.draw(0, 0.0) is None


def test_a_flow_that_fails_ends_no_training(material, prepared, caplog, sampler):
    @dataclasses.dataclass(frozen=True)
    class Explosive(systems.LiftedLinear):
        def _latent_rhs(self, z, mu, t, xp):  # noqa: ARG002
            return z / 0.0 if isinstance(z, np.ndarray) else z

    with np.errstate(all="ignore"):
        broken = sampler(Explosive(n=12), material, prepared)
        assert broken.draw(0, math.inf) is None
    assert "no fresh points along flows" in caplog.text


def test_only_where_the_flow_is_known(linear, material, prepared, pendulum, sampler):
    assert sampler(None, material, prepared) is None
    unknown_states = dataclasses.replace(pendulum, states=None)
    assert sampler(unknown_states, material, prepared) is None
    no_points = dataclasses.replace(material, collocation=None)
    assert sampler(linear, no_points, prepare(no_points, rom.FitConfig(), 3)) is None


def test_of_a_black_box_only_where_time_is_limited(linear, material, prepared, sampler):
    box = systems.from_rhs(lambda x: linear.rhs(x), 12, sampler=linear.sampler)
    assert sampler(box, material, prepared, limited=False) is None
    renewal = sampler(box, material, prepared)
    fresh = renewal.draw(0, 5.0)
    states = prepared.projection.lift(fresh.points.coordinates).numpy()
    rates = prepared.projection.project_derivative(torch.from_numpy(linear.rhs(states))) * prepared.time_scale
    torch.testing.assert_close(fresh.points.derivatives, rates)


def test_the_history_counts_them(linear, runs, pairs, small):
    model = rom.fit(linear, trajectories=runs, collocation=pairs, latent_dim=3, config=small)
    facts = model.history.attrs
    assert facts["n_fresh_points"] > 0
    checks = 8 + 7 + 8  # whether f depends on time, and agrees with the runs and the points
    assert facts["f_evaluations"] == facts["n_trajectory_points"] + checks + facts["n_fresh_points"]
    forbidden = dataclasses.replace(small, evaluate_system=False)
    model = rom.fit(linear, trajectories=runs, collocation=pairs, latent_dim=3, config=forbidden)
    assert model.history.attrs["f_evaluations"] == model.history.attrs["n_fresh_points"] == 0


def test_a_resumed_training_has_the_same_points(linear, runs, pairs, small, tmp_path):
    def fit(**settings):
        return rom.fit(linear, trajectories=runs, collocation=pairs, latent_dim=3, config=small, **settings)

    class KilledError(Exception):
        pass

    def kill(progress):
        if progress.step >= 20:
            raise KilledError

    with pytest.raises(KilledError):
        fit(checkpoint=tmp_path / "c", callbacks=[kill])
    whole, resumed = fit(), fit(checkpoint=tmp_path / "c")
    for name in ("validation_error", "loss_latent_physics"):
        np.testing.assert_array_equal(resumed.history[name], whole.history[name], err_msg=name)


def test_flows_have_the_intervals_of_the_windows(linear, runs, pairs, small, monkeypatch):
    """Also where an interval takes several Runge-Kutta steps."""
    drawn = []
    original = training_data.fresh_flows
    monkeypatch.setattr(
        "rom.fitting.training_data.fresh_flows",
        lambda *args, **kwargs: drawn.append(original(*args, **kwargs)) or drawn[-1],
    )
    model = rom.fit(
        linear, trajectories=runs.isel(time=slice(0, None, 10)), collocation=pairs, latent_dim=3, config=small
    )
    assert model.history.attrs["substeps"] > 1
    assert drawn[0].step == pytest.approx(1.0)


def test_an_f_that_fails_on_flows_ends_no_training(linear, material, prepared, caplog, sampler):
    def fails(x):
        if len(np.shape(x)) > 1 and len(x) > 8:
            raise RuntimeError("licence lost")
        return linear.rhs(x)

    box = systems.from_rhs(fails, 12, sampler=linear.sampler)
    renewal = sampler(box, material, prepared)
    assert renewal.draw(0, 5.0) is None
    assert "no fresh points along flows" in caplog.text


def test_a_resumed_training_draws_no_more_than_before(renewal):
    whole, part = renewal.draw(3, math.inf), renewal.draw(3, math.inf, enough=8)
    assert len(part.rollouts) == 8 < len(whole.rollouts)
    torch.testing.assert_close(part.rollouts.coordinates, whole.rollouts.coordinates[:, :8])


def test_a_checkpoint_with_flows_needs_the_system_again(linear, runs, pairs, small, tmp_path):
    def stopped(progress):
        return progress.step >= 20

    settings = {
        "trajectories": runs,
        "collocation": pairs,
        "latent_dim": 3,
        "config": small,
        "checkpoint": tmp_path / "c",
    }
    rom.fit(linear, callbacks=[stopped], **settings)
    box = systems.from_rhs(lambda x: linear.rhs(x), 12, sampler=linear.sampler)
    with pytest.raises(rom.RomValueError, match="was made with fresh flows, which this call cannot draw"):
        rom.fit(box, **settings)


@pytest.mark.parametrize("n_flows", [1, 8, 50, 318])
def test_flows_come_in_blocks_that_grow_to_the_exact_number(n_flows):
    sizes = []
    for size in block_sizes(n_flows):
        if sum(sizes) >= n_flows:
            break
        sizes.append(size)
    assert sum(sizes) == n_flows
    assert max(sizes) <= 64
    assert sizes[0] == min(8, n_flows)


def test_flows_that_fail_are_replaced(material, prepared, sampler):
    """Half of the initial states lie where f is not finite; as many flows come as without these."""
    linear = systems.LiftedLinear(n=12)

    def f(x):
        return np.where(linear.encode(x)[..., 2:] > 0, np.nan, linear.rhs(x))

    system = systems.from_rhs(f, 12, sampler=lambda n, seed: linear.sample_initial(n, seed).values)
    renewal = sampler(system, material, prepared, 0.1 / prepared.time_scale)
    assert len(renewal.draw(0, math.inf).rollouts) == -(-len(prepared.collocation) // 5)
