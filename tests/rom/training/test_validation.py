"""The numbers that select: errors of rollouts in shares of the variance, and of physics."""

import pytest
import torch

from rom.training.batches import CollocationTable, Rollouts
from rom.training.losses import WORST, LossScales, physics_losses
from rom.training.validation import LONGEST_ROLLOUT, HeldOut, into_segments, validate

SPREADS = LossScales(2.0, 3.0)


def test_error_of_rollouts_is_a_share_of_the_variance(random_networks, normal):
    networks = random_networks(3, 2)
    with torch.no_grad():
        for parameter in networks.latent_dynamics.parameters():
            parameter.zero_()  # nothing moves: the forecast is the reconstruction of the first state
    group = Rollouts.without_parameters(torch.ones(4, dtype=torch.float64), normal(5, 7, 3))
    still = networks.decoder(networks.encoder(group.coordinates[0]))
    expected = (still - group.coordinates).square().mean().item() / 2.0
    held_out = HeldOut("held-out trajectories", [group])
    assert validate(networks, held_out, SPREADS, 1).error == pytest.approx(expected, rel=1e-12)


def test_trajectories_count_the_same_in_groups_and_together(random_networks, normal):
    networks = random_networks(3, 2)
    intervals, coordinates = torch.full((4,), 0.1, dtype=torch.float64), normal(5, 6, 3)
    whole = HeldOut("", [Rollouts.without_parameters(intervals, coordinates)])
    parts = HeldOut(
        "",
        [
            Rollouts.without_parameters(intervals, coordinates[:, :1]),
            Rollouts.without_parameters(intervals, coordinates[:, 1:]),
        ],
    )
    assert validate(networks, whole, SPREADS, 1).error == pytest.approx(validate(networks, parts, SPREADS, 1).error)


def test_a_rollout_that_explodes_costs_the_worst_and_no_more(random_networks, normal):
    networks = random_networks(3, 2)
    with torch.no_grad():
        networks.latent_dynamics.linear.weight.copy_(1e6 * torch.eye(2))
    group = Rollouts.without_parameters(torch.ones(60, dtype=torch.float64), normal(61, 2, 3))
    assert validate(networks, HeldOut("", [group]), SPREADS, 1).error == pytest.approx(WORST)


def test_without_trajectories_it_is_the_sum_of_the_physics_losses(random_networks, normal):
    networks = random_networks(3, 2)
    points = CollocationTable.without_parameters(normal(9, 3), normal(9, 3, seed=1))
    expected = sum(physics_losses(networks, points, SPREADS).values()).item()
    held_out = HeldOut("", collocation=points)
    assert validate(networks, held_out, SPREADS, 1).error == pytest.approx(expected, rel=1e-12)


def test_the_score_is_the_relative_error_times_that_of_the_physics(random_networks, normal):
    """One bad trajectory of five counts with the root of its error; points count though trajectories decide the error."""
    networks = random_networks(3, 2)
    group = Rollouts.without_parameters(torch.full((2,), 0.1, dtype=torch.float64), normal(3, 5, 3))
    points = CollocationTable.without_parameters(normal(9, 3), normal(9, 3, seed=1))
    alone = [
        validate(
            networks,
            HeldOut("", [Rollouts.without_parameters(group.intervals, group.coordinates[:, k : k + 1])]),
            SPREADS,
            1,
        )
        for k in range(5)
    ]
    relative = sum(one.error**0.5 for one in alone) / 5
    physics = sum(physics_losses(networks, points, SPREADS).values()).item()
    found = validate(networks, HeldOut("", [group], points), SPREADS, 1)
    assert (found.typical, found.physics) == (pytest.approx(relative), pytest.approx(physics))
    assert found.criterion == pytest.approx(relative * physics**0.5)
    assert found.error == pytest.approx(sum(one.error for one in alone) / 5)
    assert validate(networks, HeldOut("", [group]), SPREADS, 1).criterion == pytest.approx(relative)


def test_nothing_is_recorded_for_gradients(random_networks, normal):
    networks = random_networks(3, 2)
    held_out = HeldOut("", [Rollouts.without_parameters(torch.ones(2, dtype=torch.float64), normal(3, 2, 3))])
    validate(networks, held_out, SPREADS, 1)
    assert all(p.grad is None for p in networks.parameters())


@pytest.mark.parametrize("n", [LONGEST_ROLLOUT - 1, 2 * LONGEST_ROLLOUT + 1, 5 * LONGEST_ROLLOUT])
def test_stretches_are_equally_long_and_lie_side_by_side(n):
    whole = Rollouts.without_parameters(torch.full((n,), 0.1), torch.arange(n + 1.0)[:, None, None].expand(-1, 3, 1))
    (group,) = into_segments(HeldOut("", [whole])).rollouts
    count, length = len(group) // 3, len(group.intervals)
    assert length <= LONGEST_ROLLOUT
    assert n - count < count * length <= n  # less than an interval a piece is left over
    assert group.coordinates[0, ::3, 0].tolist() == [k * length for k in range(count)]
    assert group.coordinates[-1, ::3, 0].tolist() == [(k + 1) * length for k in range(count)]


def test_stretches_with_other_intervals_stay_apart():
    n = 2 * LONGEST_ROLLOUT
    whole = Rollouts.without_parameters(torch.arange(1.0, n + 1.0), torch.arange(n + 1.0)[:, None, None])
    pieces = into_segments(HeldOut("", [whole])).rollouts
    assert torch.equal(torch.cat([piece.intervals for piece in pieces]), whole.intervals)
    assert [float(piece.coordinates[0]) for piece in pieces] == [0, LONGEST_ROLLOUT]


def test_stretches_take_every_stride_th_snapshot():
    whole = Rollouts.without_parameters(torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]), torch.arange(6.0)[:, None, None])
    (piece,) = into_segments(HeldOut("", [whole]), stride=2).rollouts
    assert piece.coordinates.flatten().tolist() == [0, 2, 4]
    assert piece.intervals.tolist() == [3, 7]


def test_one_rollout_that_breaks_off_moves_the_mean_and_not_the_median(random_networks, normal):
    """Of three trajectories; the third starts where there is no number."""
    coordinates = 0.1 * normal(3, 3, 2)
    coordinates[0, 2] = torch.nan
    group = Rollouts.without_parameters(torch.ones(2, dtype=torch.float64), coordinates)
    networks = random_networks(2, 2)
    with torch.no_grad():
        for parameter in networks.parameters():
            parameter.zero_()  # forecasts of the mean
    found = validate(networks, HeldOut("", [group]), SPREADS, 1)
    assert found.typical > 1.0 > found.median
    assert not found.useless
