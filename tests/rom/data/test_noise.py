"""White noise in trajectories is found, and smooth fields are not taken for it."""

import numpy as np
import pytest

import rom
import systems
from rom.data.noise import noise_share
from rom.data.read_trajectories import as_trajectories


@pytest.fixture(scope="module")
def fields():
    return systems.simulate(systems.Burgers(n=64, viscosity=0.05), 40, np.arange(11) * 0.1, seed=3)


def share(times, states):
    return noise_share(as_trajectories((times, states))[0])


@pytest.mark.parametrize("level", [0.02, 0.1, 1.0])
def test_its_share_of_the_variance_is_found(fields, level):
    states = fields["state"].values
    noisy = states + level * np.random.default_rng(0).standard_normal(states.shape)
    expected = level**2 / noisy.var(axis=(0, 1)).mean()
    assert share(fields["time"].values, noisy) == pytest.approx(expected, rel=0.2)


def test_smooth_fields_have_none(fields):
    assert share(fields["time"].values, fields["state"].values) == 0.0


@pytest.mark.parametrize("n", [36, 64])
def test_rough_fields_that_move_smoothly_have_none(n):
    """Lorenz-96: neighbours are hardly correlated, so that its spectrum is as flat as that of noise."""
    lorenz96 = systems.from_rhs(
        lambda x: (np.roll(x, -1, -1) - np.roll(x, 2, -1)) * np.roll(x, 1, -1) - x + 8.0,
        n,
        sampler=systems.Box(-5.0 * np.ones(n), 10.0 * np.ones(n)),
    )
    t = np.concatenate([[0.0], 5.0 + 0.05 * np.arange(41)])
    states = systems.simulate(lorenz96, 16, t, rtol=1e-6, atol=1e-6)["state"].values[:, 1:]
    assert share(t[1:], states) < 0.01
    noisy = states + 2.0 * np.random.default_rng(0).standard_normal(states.shape)
    assert share(t[1:], noisy) == pytest.approx(4.0 / noisy.var(), rel=0.3)


def test_few_components_or_few_states_tell_nothing():
    rng = np.random.default_rng(0)
    assert share(np.arange(5.0), rng.standard_normal((200, 5, 3))) == 0.0
    assert share(np.arange(5.0), rng.standard_normal((6, 5, 32))) == 0.0
    assert noise_share([]) == 0.0


def test_noisy_trajectories_are_set_aside_where_points_know_better(fields, small, caplog):
    burgers = systems.Burgers(n=64, viscosity=0.05)
    states = fields["state"].values
    noisy = states + np.random.default_rng(0).standard_normal(states.shape)
    pairs = systems.collocate(burgers, 300, seed=2)
    hybrid = rom.fit(
        burgers, trajectories=(fields["time"].values, noisy), collocation=pairs, latent_dim=4, config=small
    )
    assert hybrid.history.attrs["trajectories"] == "set aside"
    assert hybrid.history.attrs["validated_on"] == "held-out collocation points"
    assert "noise, so they are set aside" in caplog.text
    data_only = rom.fit(None, trajectories=(fields["time"].values, noisy), latent_dim=4, config=small)
    assert data_only.history.attrs["trajectories"] == "given"
