"""Hold-out of trajectories, points and samples."""

import numpy as np
import pytest

from rom.data.split import split_groups, split_points


@pytest.mark.parametrize(("n", "count"), [(10, 1), (19, 1), (20, 2), (1000, 100), (100_000, 4096)])
def test_a_tenth_validates_and_another_calibrates(n, count):
    part = split_groups(np.arange(n), np.random.default_rng(0))
    assert np.bincount(part).tolist() == [n - 2 * count, count, count]


def test_groups_stay_together():
    group = np.tile(np.arange(20), 7)
    part = split_groups(group, np.random.default_rng(0))
    assert np.bincount(part).tolist() == [7 * 16, 7 * 2, 7 * 2]
    assert all(len(set(part[group == k])) == 1 for k in range(20))


def test_even_a_group_larger_than_a_part_may_be_is_held_out():
    assert np.bincount(split_groups(np.repeat(np.arange(10), 5000), np.random.default_rng(0))).tolist() == [
        40_000,
        5000,
        5000,
    ]


@pytest.mark.parametrize(
    ("n", "has_trajectories", "held"),
    [(0, False, 0), (23, False, 0), (24, False, 8), (24, True, 0), (79, True, 0), (80, True, 8), (100_000, True, 4096)],
)
def test_a_tenth_of_the_points_is_held_out_unless_they_are_too_few(n, has_trajectories, held):
    training, held_out = split_points(n, has_trajectories, np.random.default_rng(0))
    assert len(held_out) == held
    assert sorted([*training, *held_out]) == list(range(n))
