"""From data to tensors: what is held out, how states, times and parameters are scaled."""

import dataclasses

import numpy as np
import pytest
import torch

import rom
from rom.config import FitConfig
from rom.data.read_collocation import as_collocation
from rom.data.read_trajectories import as_trajectories
from rom.data.split import split_trajectories
from rom.fitting.collect import FitData
from rom.fitting.prepare import prepare
from rom.fitting.snapshots import warn_of_lost_rates
from rom.fitting.time_derivatives import derivatives_along, smooth_states
from rom.reduction.pod import fit_projection
from rom.training.batches import CollocationTable, Rollouts


def prepared(trajectories=None, collocation=None, config=None, min_rank=1, seed=0):
    groups, layout = as_trajectories(trajectories) if trajectories is not None else ([], None)
    pairs, other = as_collocation(collocation) if collocation is not None else (None, None)
    material = FitData(split_trajectories(groups, seed), pairs, layout or other)
    return prepare(material, config or FitConfig(), min_rank)


@pytest.fixture
def waves():
    """Times (T,) and states (N, T, 2): sin and cos of the time, each with its own phase."""
    t = np.linspace(0.0, 3.0, 61)
    phase = np.linspace(0, 6, 10)[:, None]
    return t, np.stack([np.sin(t + phase), np.cos(t + phase)], axis=-1)


@pytest.mark.parametrize(("n", "held"), [(1, 0), (3, 0), (4, 1), (10, 1), (30, 3), (2000, 64)])
def test_whole_trajectories_are_held_out(n, held):
    times = np.array([0.0, 1.0])
    states = np.arange(2.0 * n).reshape(n, 2, 1)
    groups, _ = as_trajectories((times, states))
    split = split_trajectories(groups, seed=3)
    parts = [
        np.concatenate([g.states[:, 0, 0] for g in part]) if part else [] for part in (split.training, split.held_out)
    ]
    assert [len(part) for part in parts] == [n - held, held]
    assert sorted(np.concatenate(parts)) == states[:, 0, 0].tolist()


def test_held_out_trajectories_depend_on_the_seed_alone():
    groups, _ = as_trajectories((np.array([0.0, 1.0]), np.arange(80.0).reshape(40, 2, 1)))

    def held(seed):
        return split_trajectories(groups, seed).held_out[0].states[:, 0, 0].tolist()

    assert held(1) == held(1)
    assert held(1) != held(2)


def test_held_out_trajectories_are_nowhere_in_the_training(waves):
    t, x = waves
    x = x + 100.0 * np.arange(10)[:, None, None]  # each trajectory known by its level
    result = prepared((t, x))
    lift = result.projection.lift

    def levels(coordinates):
        return set(np.round(lift(coordinates)[..., 0].flatten().numpy() / 100).astype(int))

    training = set().union(*(levels(group.coordinates) for group in result.training))
    held = set().union(*(levels(group.coordinates) for group in result.held_out.rollouts))
    assert len(held) == 1
    assert training | held == set(range(10))
    assert not training & held


def test_collocation_points_are_held_out_where_trajectories_are_few(waves):
    t, x = waves
    flat = x.reshape(-1, 2)
    result = prepared((t, x[:3]), (flat, flat))
    assert result.held_out.kind == "held-out collocation points"
    assert len(result.held_out.collocation) == 61
    assert len(result.collocation) == 610 - 61


def test_time_is_counted_in_units_of_the_change_of_states(waves):
    t, x = waves
    base = prepared((t, x))
    slow = prepared((1000 * t, x))
    assert slow.time_scale == pytest.approx(1000 * base.time_scale, rel=1e-9)
    torch.testing.assert_close(slow.training[0].intervals, base.training[0].intervals)


def test_projected_derivatives_are_those_of_the_projected_states(waves):
    t, x = waves
    flat, velocity = x.reshape(-1, 2), np.stack([x[..., 1], -x[..., 0]], -1).reshape(-1, 2)
    result = prepared((t, x), (flat, velocity))
    n_pairs = len(result.collocation)
    states, derivatives = (column[n_pairs:] for column in result.rates()[:2])
    assert len(states) > 0, "without a system, derivatives along trajectories are those of splines"
    by_name = {
        tuple(np.round(s, 9)): d
        for s, d in zip(result.collocation.coordinates.tolist(), result.collocation.derivatives, strict=True)
    }
    names = [tuple(np.round(state, 9)) for state in states.tolist()]
    both = [k for k, name in enumerate(names) if name in by_name]  # the other pairs are held out
    assert len(both) > 0.8 * len(names)
    exact = torch.stack([by_name[names[k]] for k in both])
    torch.testing.assert_close(derivatives[both], exact, rtol=0, atol=1e-4)


def test_slow_trajectories_amid_fast_points_keep_their_splines():
    """f grows as the cube of the distance: points far out are ten times as fast as any trajectory."""
    t = np.linspace(0.0, 4.0, 81)
    distance = np.random.default_rng(0).uniform(0.1, 0.5, (12, 1, 1))
    directions = np.random.default_rng(1).standard_normal((12, 1, 2))
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    states = directions / np.sqrt(distance**-2 + 2 * t[:, None])  # x' = -x |x|^2
    points = np.random.default_rng(2).uniform(-2.0, 2.0, (500, 2))
    pairs = (points, -points * np.square(points).sum(axis=1, keepdims=True))
    result = prepared((t, states), pairs)
    assert result.spline_points is not None


@pytest.mark.parametrize(("n_times", "tolerance"), [(41, 1e-5), (81, 1e-6), (161, 1e-7)])
def test_spline_derivatives_converge(n_times, tolerance):
    from rom.training.batches import Rollouts

    t = torch.linspace(0, 3, n_times, dtype=torch.float64)
    derivative = derivatives_along(Rollouts.without_parameters(t.diff(), torch.sin(t)[:, None, None]))
    assert (derivative[:, 0, 0] - torch.cos(t)).abs().max() < tolerance


@pytest.mark.parametrize("n_times", [2, 3, 4, 5])
def test_spline_derivatives_of_short_trajectories(n_times):
    """Exact for a straight line, whatever the degree."""
    from rom.training.batches import Rollouts

    t = torch.linspace(0, 1, n_times, dtype=torch.float64) ** 1.5
    derivative = derivatives_along(Rollouts.without_parameters(t.diff(), (2 * t)[:, None, None]))
    torch.testing.assert_close(derivative, torch.full((n_times, 1, 1), 2.0, dtype=torch.float64))


def test_parameters_are_scaled_to_zero_mean_and_unit_spread(waves):
    t, x = waves
    mu = np.stack([np.linspace(1e6, 2e6, 10), np.full(10, 7.0)], axis=1)
    result = prepared((t, x, mu))
    assert result.input_scaling.mean.tolist() == pytest.approx([1.5e6, 7.0])
    assert result.input_scaling.spread[1] == 1.0  # a parameter that never changes divides by nothing
    values = result.training[0].parameters
    assert values[:, 0].abs().max() < 2.0
    assert not values[:, 1].any()


def test_readonly_and_foreign_arrays(waves):
    t, x = waves
    x = x.astype(">f8")
    x.setflags(write=False)
    assert torch.isfinite(prepared((t, x)).states()).all()


def test_spreads_are_measured_on_the_training_data(waves):
    t, x = waves
    flat = x.reshape(-1, 2)
    result = prepared((t, x), (flat, 3 * flat))
    states = result.states()
    assert result.loss_scales.coordinates == pytest.approx(states.var(dim=0).mean().item())
    assert result.loss_scales.derivatives == pytest.approx(result.collocation.derivatives.square().mean().item())


@pytest.mark.parametrize(
    ("count", "kind"), [(10, "the training collocation points"), (40, "held-out collocation points")]
)
def test_few_points_are_not_held_out(count, kind):
    states = np.random.default_rng(0).standard_normal((count, 2))
    groups = FitData(split_trajectories([], 0), *as_collocation((states, -states)))
    held_out = prepare(groups, rom.FitConfig(), 1).held_out
    assert held_out.kind == kind
    assert len(held_out.collocation) >= 8


def test_a_flow_that_leaves_the_states_is_warned_of(caplog):
    """States on a line and f across it: in POD coordinates nothing moves, and every physics loss is zero."""
    along = np.random.default_rng(0).standard_normal((40, 1))
    states, across = along * np.array([1.0, 0.0]), along * np.array([0.0, 1.0])
    config = rom.FitConfig(energy_tolerance=1e-6)
    prepare(FitData(split_trajectories([], 0), *as_collocation((states, 2.0 * states + 0.1 * across))), config, 1)
    assert not caplog.text
    prepare(FitData(split_trajectories([], 0), *as_collocation((states, states + across))), config, 1)
    assert "50 % of f (of its mean square) points out of the space that the states span" in caplog.text


def test_an_f_that_vanishes_is_no_reason_to_warn(caplog):
    states = np.random.default_rng(0).standard_normal((40, 2))
    warn_of_lost_rates(fit_projection(states, 0.0, 1, 2), as_collocation((states, 0.0 * states))[0])
    assert not caplog.text


# What a spline knows of f along given trajectories


def rollouts_of(t, states, parameters=None):
    coordinates = torch.from_numpy(states).transpose(0, 1).contiguous()
    rollouts = Rollouts.without_parameters(torch.from_numpy(np.diff(t)), coordinates)
    return rollouts if parameters is None else dataclasses.replace(rollouts, parameters=parameters)


def points(n, speed=1.0):
    """n points of circles with that speed."""
    x = np.random.default_rng(1).standard_normal((n, 2))
    return CollocationTable.without_parameters(
        torch.from_numpy(x), torch.from_numpy(speed * np.stack([x[:, 1], -x[:, 0]], axis=1))
    )


def test_smooth_states_have_the_right_derivatives(waves):
    t, states = waves
    table = smooth_states([rollouts_of(t, states)], points(400), np.random.default_rng(0))
    assert 300 < len(table) <= 400
    x, y = table.coordinates.T
    torch.testing.assert_close(table.derivatives, torch.stack([y, -x], dim=1), rtol=0, atol=1e-4)


def test_noise_and_few_snapshots_have_no_smooth_states(waves):
    t, states = waves
    noisy = states + 1e-2 * np.random.default_rng(0).standard_normal(states.shape)
    assert smooth_states([rollouts_of(t, noisy)], points(400), np.random.default_rng(0)) is None
    assert smooth_states([rollouts_of(t[::15], states[:, ::15])], points(400), np.random.default_rng(0)) is None


def test_snapshots_nearly_a_period_apart_have_no_smooth_states(waves):
    """They are as smooth as a slow rotation the other way, which the points contradict."""
    t, states = waves
    assert smooth_states([rollouts_of(50 * t, states)], points(400, speed=1.0), np.random.default_rng(0)) is None
    assert smooth_states([rollouts_of(50 * t, states)], points(400, speed=0.02), np.random.default_rng(0)) is not None


def test_smooth_states_keep_their_parameters(waves):
    t, states = waves
    mu = torch.arange(10.0, dtype=torch.float64)[:, None]
    states = states * (1.0 + mu.numpy()[..., None])
    table = smooth_states([rollouts_of(t, states, mu)], points(100), np.random.default_rng(0))
    torch.testing.assert_close(table.coordinates.norm(dim=1), 1.0 + table.parameters[:, 0], rtol=1e-9, atol=0)


def test_physics_is_trained_on_smooth_states_where_f_is_not_asked(waves):
    _, states = waves
    pairs = (states[:, ::20].reshape(-1, 2), np.stack([states[:, ::20, 1], -states[:, ::20, 0]], -1).reshape(-1, 2))
    both, alone = prepared(waves, pairs), prepared(None, pairs)
    assert len(both.physics_points()) == 2 * len(both.collocation)  # at most as many as there are points
    assert len(alone.physics_points()) == len(alone.collocation)
    assert prepared(waves).physics_points() is None
