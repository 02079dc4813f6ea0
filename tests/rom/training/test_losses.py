"""The losses vanish where encoder, dynamics and decoder are known exactly, and cannot be lowered by shrinking z."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from rom.config import FitConfig, LossWeights
from rom.data.read_collocation import as_collocation
from rom.data.read_trajectories import as_trajectories
from rom.data.split import split_trajectories
from rom.dynamics.runge_kutta import no_forcing, rk4_rollout
from rom.fitting.collect import FitData
from rom.fitting.prepare import prepare
from rom.models.build import build_networks
from rom.networks.encoder_decoder import Networks
from rom.training.batches import CollocationTable, SnapshotTable, Windows
from rom.training.losses import LossScales, data_losses, latent_mismatch, physics_losses


@pytest.fixture(scope="module")
def prepared(runs, pairs):
    (groups, layout), (collocation, _) = as_trajectories(runs), as_collocation(pairs)
    return prepare(FitData(split_trajectories(groups, seed=0), collocation, layout), FitConfig(), 3)


@pytest.fixture(scope="module")
def oracle(linear, prepared) -> Networks:
    """The exact encoder z = A^T x, dynamics dz/dt = B z and decoder x = A z, in POD coordinates and scaled time."""
    projection = prepared.projection
    basis, mean, scale = projection.basis.numpy(), projection.mean.numpy(), float(projection.scale)
    lift = linear.lift
    networks = build_networks(FitConfig(dtype="float64", hidden=(8,), latent_hidden=(8,)), projection.rank, 3, 0)
    exact = {
        networks.encoder.linear: (scale * lift.T @ basis, lift.T @ mean),
        networks.latent_dynamics.linear: (prepared.time_scale * linear.latent_matrix, np.zeros(3)),
        networks.decoder.linear: (basis.T @ lift / scale, -basis.T @ mean / scale),
    }
    with torch.no_grad():
        for layer, (weight, bias) in exact.items():
            layer.weight.copy_(torch.from_numpy(weight))
            layer.bias.copy_(torch.from_numpy(bias))
    return networks


def five_losses(networks, prepared) -> dict[str, torch.Tensor]:
    snapshots = SnapshotTable.of(prepared.training)
    windows = snapshots.draw(16, snapshots.longest_window, torch.Generator().manual_seed(0))
    return data_losses(networks, windows, prepared.loss_scales, substeps=8) | physics_losses(
        networks, prepared.collocation, prepared.loss_scales
    )


def test_all_five_losses_vanish_on_the_oracle(oracle, prepared):
    losses = five_losses(oracle, prepared)
    assert set(losses) == {name for name, weight in LossWeights().to_dict().items() if weight > 0}
    assert {name: value.item() for name, value in losses.items() if value.item() >= 1e-12} == {}


@pytest.mark.parametrize(
    ("part", "rising"),
    [
        (
            "encoder",
            {
                "reconstruction",
                "prediction",
                "latent_physics",
                "decoded_physics",
                "collocation_reconstruction",
            },
        ),
        ("latent_dynamics", {"prediction", "latent_physics", "decoded_physics"}),
        ("decoder", {"reconstruction", "prediction", "decoded_physics", "collocation_reconstruction"}),
    ],
)
def test_a_wrong_part_raises_the_losses_that_see_it(oracle, prepared, part, rising):
    weight = getattr(oracle, part).linear.weight
    exact = weight.clone()
    with torch.no_grad():
        # A shear: unlike a scaling, it cannot be mistaken for another choice of z.
        weight[0] += 0.1 * exact[1]
        losses = five_losses(oracle, prepared)
        weight.copy_(exact)
    assert {name for name, value in losses.items() if value.item() > 1e-6} == rising


def test_losses_in_x_are_shares_of_the_variance(oracle, prepared):
    """A decoder that always answers the mean loses all of the variance: its loss is one."""

    def mean(z):
        return z.new_zeros(*z.shape[:-1], 3)

    states = prepared.collocation.coordinates
    points = CollocationTable.without_parameters(states - states.mean(dim=0), prepared.collocation.derivatives)
    spreads = LossScales(states.var(dim=0, unbiased=False).mean().item(), prepared.loss_scales.derivatives)
    losses = physics_losses(SimpleNamespace(**dict(oracle.named_children()) | {"decoder": mean}), points, spreads)
    assert losses["collocation_reconstruction"].item() == pytest.approx(1.0, rel=1e-12)


@pytest.fixture
def velocity_and_rate(random_networks, normal):
    """dphi/dx f and h(phi(x)) of wrong networks when z is scaled by s: both are multiplied by s."""
    networks = random_networks(6, 2)
    points, derivatives = normal(64, 6, seed=1), normal(64, 6, seed=2)

    def scaled(s):
        latent, velocity = torch.func.jvp(networks.encoder, (points,), (derivatives,))
        return s * velocity, s * networks.latent_dynamics(latent)

    return scaled


def test_latent_mismatch_has_no_gradient_along_a_scaling_of_z(velocity_and_rate):
    s = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    loss = latent_mismatch(*velocity_and_rate(s))
    (gradient,) = torch.autograd.grad(loss, s)
    assert loss.item() > 0.1
    assert abs(gradient.item()) < 1e-9 * loss.item()


def test_with_a_detached_divisor_shrinking_z_would_pay(velocity_and_rate):
    """The contrast: the same quotient, but with the variance as a constant, falls as s falls."""
    s = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    velocity, rate = velocity_and_rate(s)
    loss = (velocity - rate).square().mean() / velocity.var(dim=0, unbiased=False).mean().detach()
    (gradient,) = torch.autograd.grad(loss, s)
    assert gradient.item() == pytest.approx(2 * loss.item() / s.item(), rel=1e-9)


@pytest.mark.parametrize("s", [1e-3, 1.0, 1e3])
def test_latent_mismatch_does_not_change_with_the_scale_of_z(velocity_and_rate, s):
    expected = latent_mismatch(*velocity_and_rate(1.0))
    torch.testing.assert_close(latent_mismatch(*velocity_and_rate(s)), expected, rtol=1e-5, atol=0)


def test_latent_mismatch_is_finite_where_nothing_moves():
    still = torch.zeros(4, 2)
    assert latent_mismatch(still, still).item() == 0.0


def test_gradient_of_the_physics_losses_passes_through_the_jvp(random_networks, normal, prepared):
    """By differences along one direction of all weights at once."""
    networks = random_networks(3, 2)
    points = CollocationTable.without_parameters(normal(16, 3, seed=1), normal(16, 3, seed=2))
    weights = list(networks.parameters())
    direction = [normal(*w.shape, seed=k) for k, w in enumerate(weights)]

    def total(h):
        with torch.no_grad():
            for weight, along in zip(weights, direction, strict=True):
                weight += h * along
        value = sum(physics_losses(networks, points, prepared.loss_scales).values())
        gradients = torch.autograd.grad(value, weights)
        with torch.no_grad():
            for weight, along in zip(weights, direction, strict=True):
                weight -= h * along
        return value.item(), sum((g * d).sum().item() for g, d in zip(gradients, direction, strict=True))

    h = 1e-6
    by_differences = (total(h)[0] - total(-h)[0]) / (2 * h)
    assert total(0.0)[1] == pytest.approx(by_differences, rel=1e-6)


def test_a_long_window_is_looked_at_in_a_few_states_with_its_last(random_networks, normal):
    """12 intervals, every third: what lies between may be anything, the first and the last may not."""
    networks = random_networks(4, 2)
    intervals = torch.full((12, 3, 1), 0.1, dtype=torch.float64)
    states = normal(13, 3, 4)

    def losses(changed):
        other = states.clone()
        other[changed] += 1.0
        return data_losses(networks, Windows.without_parameters(other, intervals), LossScales(1.0, 1.0), substeps=1)

    for k in (1, 2, 4, 5, 11):
        assert losses(k) == losses(slice(0))
    for k in (0, 3, 12):
        assert losses(k)["reconstruction"] != losses(slice(0))["reconstruction"]
    latent = rk4_rollout(networks.latent_dynamics, networks.encoder(states[0]), intervals, no_forcing(intervals))
    expected = (networks.decoder(latent[3::3]) - states[3::3]).square().mean()
    torch.testing.assert_close(losses(slice(0))["prediction"], expected)
