"""POD against the singular value decomposition, and what a shift must not touch."""

import logging

import numpy as np
import pytest
import torch

from rom.reduction.pod import fit_projection


def snapshots_with_decay(n_snapshots, n_states, seed=0):
    rng = np.random.default_rng(seed)
    k = min(n_snapshots, n_states)
    left = np.linalg.qr(rng.standard_normal((n_snapshots, k)))[0]
    right = np.linalg.qr(rng.standard_normal((n_states, k)))[0]
    return left * 10.0 ** -np.arange(k) * 30 @ right.T + rng.standard_normal(n_states)


@pytest.mark.parametrize(("n_snapshots", "n_states"), [(40, 12), (12, 40)], ids=["tall", "wide"])
@pytest.mark.parametrize("tolerance", [1e-1, 1e-3, 1e-5, 1e-7])
def test_pod_is_the_truncated_singular_value_decomposition(n_snapshots, n_states, tolerance):
    snapshots = snapshots_with_decay(n_snapshots, n_states)
    projection = fit_projection(snapshots, tolerance, min_rank=1, max_rank=64)
    centred = snapshots - snapshots.mean(axis=0)
    _, sigma, right = np.linalg.svd(centred, full_matrices=False)
    lost = 1 - np.cumsum(sigma**2) / np.sum(sigma**2)
    expected = int(np.argmax(lost <= tolerance)) + 1

    assert projection.rank == expected
    assert projection.lost_energy == pytest.approx(lost[expected - 1], abs=1e-14)
    basis = projection.basis.numpy()
    np.testing.assert_allclose(basis.T @ basis, np.eye(expected), atol=1e-13)
    np.testing.assert_allclose(basis @ basis.T, right[:expected].T @ right[:expected], atol=1e-9)
    x = torch.from_numpy(snapshots)
    error = (projection.lift(projection.project(x)) - x).square().sum().item()
    assert error == pytest.approx(np.sum(sigma[expected:] ** 2), rel=1e-6)


def test_derivatives_are_never_shifted():
    snapshots = snapshots_with_decay(30, 10) + 100.0
    projection = fit_projection(snapshots, 1e-12, 1, 64)
    assert not projection.project_derivative(torch.zeros(2, 10, dtype=torch.float64)).any()
    x, velocity, h = torch.from_numpy(snapshots[:5]), torch.from_numpy(snapshots[5:10]), 1e-3
    by_differences = (projection.project(x + h * velocity) - projection.project(x - h * velocity)) / (2 * h)
    torch.testing.assert_close(projection.project_derivative(velocity), by_differences, rtol=1e-9, atol=1e-9)


def test_full_rank_is_the_identity_and_loses_nothing():
    snapshots = np.random.default_rng(0).standard_normal((50, 6))
    projection = fit_projection(snapshots, 0.0, min_rank=6, max_rank=64)
    assert torch.equal(projection.basis, torch.eye(6, dtype=torch.float64))
    assert projection.lost_energy == 0.0
    x = torch.from_numpy(snapshots)
    torch.testing.assert_close(projection.lift(projection.project(x)), x, rtol=0, atol=1e-14)


def test_full_rank_with_fewer_latent_states_puts_the_most_energy_first():
    """The closed-form encoder takes the first d coordinates: of the identity these would be any."""
    snapshots = np.random.default_rng(0).standard_normal((50, 6)) * 10.0 ** np.arange(-5, 1)
    projection = fit_projection(snapshots, 0.0, min_rank=2, max_rank=64)
    assert (projection.rank, projection.lost_energy) == (6, 0.0)
    variance = projection.project(torch.from_numpy(snapshots)).var(dim=0)
    assert (variance.diff() < 0).all()
    assert variance[0] > 0.98 * variance.sum()


def test_first_coordinate_has_unit_variance():
    projection = fit_projection(snapshots_with_decay(60, 10) * 1e5, 1e-6, 1, 64)
    w = projection.project(torch.from_numpy(snapshots_with_decay(60, 10) * 1e5))
    assert w[:, 0].var(unbiased=False).item() == pytest.approx(1.0, rel=1e-10)


def test_rank_is_raised_to_the_latent_dimension_with_a_message(caplog):
    snapshots = snapshots_with_decay(40, 12)
    with caplog.at_level(logging.INFO, logger="rom"):
        projection = fit_projection(snapshots, 1e-1, min_rank=5, max_rank=64)
    assert projection.rank == 5
    assert "POD rank raised to 5" in caplog.text


@pytest.mark.parametrize(("min_rank", "max_rank", "expected"), [(1, 3, 3), (9, 64, 5), (1, 64, 5)])
def test_rank_is_bounded_by_snapshots_and_by_max_rank(min_rank, max_rank, expected):
    snapshots = np.random.default_rng(0).standard_normal((6, 20))
    assert fit_projection(snapshots, 0.0, min_rank, max_rank).rank == expected


def test_states_that_never_change_do_not_divide_by_zero():
    projection = fit_projection(np.ones((5, 4)), 1e-8, 1, 64)
    assert torch.isfinite(projection.project(torch.ones(1, 4, dtype=torch.float64))).all()


def test_rank_is_that_which_the_data_span():
    rng = np.random.default_rng(0)
    snapshots = rng.standard_normal((40, 3)) @ rng.standard_normal((3, 12))
    assert fit_projection(snapshots, 0.0, min_rank=8, max_rank=64).rank == 3


def test_units_of_components_take_part_in_all_three_maps():
    """In units, the projection is that of x / unit, derivatives are not shifted, and lifting comes back."""
    snapshots = snapshots_with_decay(60, 10) + 3.0
    unit = np.repeat([1e5, 1e-2], 5)
    plain = fit_projection(snapshots, 1e-6, 1, 64)
    projection = fit_projection(snapshots * unit / unit, 1e-6, 1, 64).of_units(unit)
    x = torch.from_numpy(snapshots * unit)
    torch.testing.assert_close(projection.project(x), plain.project(torch.from_numpy(snapshots)))
    torch.testing.assert_close(
        projection.lift(projection.project(x)) / torch.from_numpy(unit),
        plain.lift(plain.project(torch.from_numpy(snapshots))),
    )
    torch.testing.assert_close(
        projection.project_derivative(x[1:] - x[:-1]), projection.project(x[1:]) - projection.project(x[:-1])
    )
    kept, whole = projection.share_kept(x - x.mean(dim=0))
    assert 1 - 1e-5 < kept / whole <= 1 + 1e-12
