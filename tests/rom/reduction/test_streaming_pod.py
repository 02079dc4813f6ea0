"""POD in one pass: against the singular value decomposition of all snapshots, and against its rivals in the same memory."""

import numpy as np
import pytest
import torch

from rom.reduction.pod import fit_projection
from rom.reduction.streaming_pod import CUT_SHARE, Scatter, streamed_projection

pytestmark = pytest.mark.usefixtures("small_buffers")

DECAYS = {
    "exponential": lambda k: 10.0 ** (-k / 10),
    "algebraic": lambda k: 1.0 / (1 + k),
    "slow": lambda k: (1.0 + k) ** -0.5,
    "a_floor_of_noise": lambda k: np.where(k < 10, 1.0, 3e-3),
}


@pytest.fixture
def small_buffers(monkeypatch):
    """F is compressed many times, as it would be for long states."""
    monkeypatch.setattr("rom.reduction.streaming_pod.MAX_NEW_ROWS", 32)
    monkeypatch.setattr("rom.reduction.streaming_pod.SHORT_STATE", 64)


def snapshots(decay, n_snapshots=900, n_states=600, seed=0):
    rng = np.random.default_rng(seed)
    k = min(n_snapshots, n_states)
    left = np.linalg.qr(rng.standard_normal((n_snapshots, k)))[0]
    right = np.linalg.qr(rng.standard_normal((n_states, k)))[0]
    return 30 * (left * decay(np.arange(k))) @ right.T + rng.standard_normal(n_states)


def travelling(n_snapshots=900, n_states=600):
    """A pulse that goes round, in the order of time: early snapshots know nothing of late ones, and no few modes hold it."""
    x, t = np.linspace(0, 1, n_states, endpoint=False), np.linspace(0, 1, n_snapshots)
    return np.exp(-0.5 * ((np.mod(x - t[:, None] + 0.5, 1) - 0.5) / 0.01) ** 2)


def in_blocks(states, size=70):
    return (states[k : k + size] for k in range(0, len(states), size))


def lost(states, basis):
    """Share of the variance of `states` (N, n) that orthonormal columns `basis` (n, r) lose."""
    centred = states - states.mean(axis=0)
    return 1.0 - np.square(centred @ basis).sum() / np.square(centred).sum()


def optimum(states, rank):
    sigma = np.linalg.svd(states - states.mean(axis=0), compute_uv=False)
    return np.square(sigma[rank:]).sum() / np.square(sigma).sum()


@pytest.mark.parametrize("tolerance", [1e-2, 1e-4, 1e-6])
def test_it_is_the_dense_pod_to_a_hundredth_of_the_tolerance(tolerance):
    states = snapshots(DECAYS["exponential"])
    dense = fit_projection(states, tolerance, 1, 256)
    streamed, deviations = streamed_projection(in_blocks(states), 600, tolerance, 1, 256)
    assert streamed.rank in (dense.rank, dense.rank + 1)  # at most one more, where the tolerance is just met
    assert streamed.lost_energy <= tolerance
    basis = streamed.basis.numpy()
    np.testing.assert_allclose(basis.T @ basis, np.eye(streamed.rank), atol=1e-12)
    torch.testing.assert_close(streamed.mean, dense.mean, rtol=0, atol=1e-12)
    torch.testing.assert_close(streamed.scale, dense.scale, rtol=1e-4, atol=0)
    assert lost(states, basis) == pytest.approx(optimum(states, streamed.rank), abs=CUT_SHARE * tolerance)
    assert lost(states, basis) <= streamed.lost_energy + 1e-12 <= lost(states, basis) + CUT_SHARE * tolerance + 2e-12
    coordinates = streamed.project(torch.from_numpy(states)) * streamed.scale
    torch.testing.assert_close(coordinates.std(dim=0, unbiased=False), torch.tensor(deviations), rtol=0.05, atol=0)


@pytest.mark.parametrize("decay", DECAYS)
def test_the_leading_subspace_is_that_of_the_dense_pod(decay):
    """The largest angle between both subspaces of the first ten directions, where a gap or a fall defines them."""
    states = snapshots(DECAYS[decay])
    dense = fit_projection(states, 0.0, 1, 64).basis.numpy()[:, :10]
    streamed = streamed_projection(in_blocks(states), 600, 1e-6, 1, 64)[0].basis.numpy()[:, :10]
    cosines = np.linalg.svd(dense.T @ streamed, compute_uv=False)
    assert np.sqrt(1.0 - min(cosines[-1], 1.0) ** 2) < (0.1 if decay == "slow" else 1e-2)


@pytest.mark.parametrize("name", [*DECAYS, "travelling"])
@pytest.mark.parametrize("rank", [8, 32])
def test_with_more_directions_than_may_be_kept_it_loses_a_thousandth_more_than_need_be(name, rank):
    states = travelling() if name == "travelling" else snapshots(DECAYS[name])
    projection, _ = streamed_projection(in_blocks(states), 600, 0.0, 1, rank)
    best, found = optimum(states, rank), lost(states, projection.basis.numpy())
    assert best - 1e-12 <= found <= 1.001 * best + 1e-12
    assert found - 1e-12 <= projection.lost_energy <= 1.01 * found + 1e-12, "an upper bound, and a close one"


@pytest.mark.parametrize("name", ["algebraic", "slow", "a_floor_of_noise"])
def test_rivals_lose_more_in_the_same_memory(name):
    """A randomised range finder with two passes, and the POD of as many random snapshots, with twice the rows."""
    states, rank, rows = snapshots(DECAYS[name]), 32, 2 * (32 + 64)
    centred, rng = states - states.mean(axis=0), np.random.default_rng(0)
    found = lost(states, streamed_projection(in_blocks(states), 600, 0.0, 1, rank)[0].basis.numpy())
    range_of = np.linalg.qr(centred.T @ rng.standard_normal((len(centred), rows)))[0]
    randomised = range_of @ np.linalg.svd(centred @ range_of, full_matrices=False)[2][:rank].T
    some = rng.permutation(len(states))[:rows]
    sampled = fit_projection(states[some], 0.0, 1, rank).basis.numpy()
    assert lost(states, randomised) > found
    assert lost(states, sampled) > 1.01 * found


def test_the_order_and_the_size_of_blocks_do_not_matter():
    states = snapshots(DECAYS["exponential"])
    one = streamed_projection(in_blocks(states, 900), 600, 1e-4, 1, 64)[0]
    other = streamed_projection(in_blocks(states[::-1], 1), 600, 1e-4, 1, 64)[0]
    assert one.rank == other.rank
    cosines = torch.linalg.svdvals(one.basis.T @ other.basis)
    assert cosines[:-2].min() > 1 - 1e-6  # the last ones lie at the tolerance


def test_many_short_states():
    at_a_time = 8 * 40 * 100
    states = snapshots(DECAYS["algebraic"], n_states=40)
    dense, streamed = (
        fit_projection(states, 1e-3, 1, 64),
        streamed_projection(in_blocks(states), 40, 1e-3, 1, 64, at_a_time)[0],
    )
    assert streamed.rank == dense.rank
    assert streamed.lost_energy == pytest.approx(dense.lost_energy, abs=1e-5)
    assert torch.linalg.svdvals(streamed.basis.T @ dense.basis).min() > 1 - 1e-4


def test_float32_blocks_and_large_offsets():
    """The scatter is that about the mean, however far away that is."""
    states = snapshots(DECAYS["exponential"])
    far = streamed_projection(in_blocks(states + 1e6), 600, 1e-4, 1, 64)[0]
    near = streamed_projection(in_blocks(states.astype(np.float32)), 600, 1e-4, 1, 64)[0]
    assert far.rank == near.rank == streamed_projection(in_blocks(states), 600, 1e-4, 1, 64)[0].rank


@pytest.mark.parametrize(("count", "n_states"), [(1, 7), (5, 7), (40, 3), (200, 2)])
def test_few_snapshots_and_few_states(count, n_states):
    states = np.random.default_rng(0).standard_normal((count, n_states))
    streamed = streamed_projection(in_blocks(states, 3), n_states, 0.0, 1, 64)[0]
    assert streamed.rank == max(1, min(count - 1, n_states))
    x = torch.from_numpy(states)
    torch.testing.assert_close(streamed.lift(streamed.project(x)), x)


def test_states_that_never_change():
    projection, deviations = streamed_projection(iter([np.ones((5, 4)), np.ones((5, 4))]), 4, 1e-6, 1, 64)
    assert projection.rank == 1
    assert not deviations.any()
    assert torch.isfinite(projection.project(torch.ones(1, 4, dtype=torch.float64))).all()


def test_memory_is_three_times_what_is_kept():
    """Rows of F and of what is merged with it, while the directions that matter grow in number."""
    scatter = Scatter(600, 0.0, 100, 8 * 600 * 16)
    for block in in_blocks(snapshots(DECAYS["slow"])):
        scatter.add(block)
        assert len(scatter._rows) <= scatter._rank + max(16, scatter._rank)
    assert scatter._rank == 100
