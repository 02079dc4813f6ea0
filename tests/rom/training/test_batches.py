"""Batches: windows are pieces of their own trajectory, and a step's batch depends on (seed, step) alone."""

import pytest
import torch

from rom.training.batches import CollocationTable, Rollouts, SnapshotTable
from rom.utils.random import step_generator


def rollouts(n_times, n, first, step):
    """Trajectories whose state holds (index of the trajectory, time)."""
    times = step * torch.arange(n_times, dtype=torch.float64) ** 1.5
    index = torch.arange(first, first + n, dtype=torch.float64)
    coordinates = torch.stack(torch.broadcast_tensors(index[None, :], times[:, None]), dim=-1)
    forcing = torch.zeros(n_times - 1, 3, n, 0, dtype=torch.float64)
    return Rollouts(times.diff(), coordinates, index[:, None] * 10, forcing)


@pytest.fixture
def table():
    return SnapshotTable.of([rollouts(6, 3, 0, 1.0), rollouts(9, 2, 3, 0.5)])


@pytest.mark.parametrize("n_intervals", [1, 3, 5])
def test_windows_are_consecutive_snapshots_of_one_trajectory(table, n_intervals):
    windows = table.draw(200, n_intervals, torch.Generator().manual_seed(0))
    trajectory, time = windows.coordinates[..., 0], windows.coordinates[..., 1]
    assert windows.coordinates.shape == (n_intervals + 1, 200, 2)
    assert torch.equal(trajectory, trajectory[:1].expand_as(trajectory))
    torch.testing.assert_close(windows.intervals[..., 0], time.diff(dim=0))
    torch.testing.assert_close(windows.parameters[:, 0], 10 * trajectory[0])
    assert set(trajectory[0].tolist()) == {0.0, 1.0, 2.0, 3.0, 4.0}


def test_every_start_is_drawn(table):
    windows = table.draw(500, 5, torch.Generator().manual_seed(0))
    long = windows.coordinates[0, windows.coordinates[0, :, 0] >= 3, 1]
    assert len(set(long.tolist())) == 4  # nine snapshots hold four windows of six


def test_longest_window_is_that_of_the_shortest_trajectory(table):
    assert table.longest_window == 5


def test_intervals_keep_their_digits_on_long_trajectories():
    """In float32 the time since the start loses the digits of a short interval; the intervals themselves do not."""
    intervals = torch.full((100_000,), 0.0123, dtype=torch.float32)
    table = SnapshotTable.of([Rollouts.without_parameters(intervals, torch.zeros(100_001, 1, 1))])
    windows = table.draw(100, 20, torch.Generator().manual_seed(0))
    torch.testing.assert_close(windows.intervals, torch.full((20, 100, 1), 0.0123), rtol=1e-6, atol=0)


def test_collocation_points_keep_their_derivative_and_parameters():
    x = torch.arange(100.0)[:, None]
    table = CollocationTable(x, 2 * x, 3 * x)
    batch = table.draw(10, torch.Generator().manual_seed(0))
    assert len(batch) == 10
    assert torch.equal(batch.derivatives, 2 * batch.coordinates)
    assert torch.equal(batch.parameters, 3 * batch.coordinates)
    assert table.draw(100, torch.Generator()) is table


def test_a_batch_depends_on_seed_and_step_alone():
    draw = lambda seed, step: torch.rand(3, generator=step_generator(seed, step)).tolist()  # noqa: E731
    assert draw(1, 7) == draw(1, 7)
    assert draw(1, 7) != draw(1, 8)
    assert draw(1, 7) != draw(2, 7)
