"""Regularisers: closed forms, exact derivatives, gradients for every weight, and nothing to gain by shrinking z."""

import math

import pytest
import torch

from rom.networks.mlp import ACTIVATIONS
from rom.training.regularisers import (
    beta_factor,
    contractive,
    denoising,
    kl_to_standard_normal,
    reparametrised,
    smoothness,
    sparse_kl,
    sparse_l1,
)

R, D, SPREAD = 6, 3, 0.7


def terms(encoder, decoder, w, normal):
    """All that must not change with the unit of z."""
    noise, directions = (normal(len(w), k, seed=k).to(w) for k in (R, D))
    z = encoder(w)
    return {
        "denoising": denoising(encoder, decoder, w, 0.1 * noise, SPREAD),
        "contractive": contractive(encoder, w, SPREAD),
        "contractive, probed": contractive(encoder, w, SPREAD, noise.sign()),
        "sparse_l1": sparse_l1(z),
        "sparse_kl": sparse_kl(z, 0.1),
        "smoothness": smoothness(decoder, z, directions, SPREAD),
    }


NAMES = ("denoising", "contractive", "contractive, probed", "sparse_l1", "sparse_kl", "smoothness")


@pytest.fixture
def networks(random_networks):
    return random_networks(R, D)


# -- the unit of z ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_no_gradient_along_a_scaling_of_z(networks, normal, name):
    c = torch.tensor(0.6, dtype=torch.float64, requires_grad=True)
    term = terms(lambda w: c * networks.encoder(w), lambda z: networks.decoder(z / c), normal(64, R), normal)[name]
    (gradient,) = torch.autograd.grad(term, c)
    assert term.item() > 1e-2
    assert abs(gradient.item()) < 1e-9 * term.item()


@pytest.mark.parametrize("c", [1e-3, 1e3])
def test_values_do_not_change_with_the_unit_of_z(networks, normal, c):
    w = normal(64, R)
    expected = terms(networks.encoder, networks.decoder, w, normal)
    found = terms(lambda w: c * networks.encoder(w), lambda z: networks.decoder(z / c), w, normal)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)


def test_the_divergence_fixes_the_unit_of_z(normal):
    mean, log_variance = normal(64, D), torch.zeros(64, D, dtype=torch.float64)
    assert kl_to_standard_normal(2 * mean, log_variance) > kl_to_standard_normal(mean, log_variance)


# -- gradients and types ----------------------------------------------------------------------------------------------


def shifted(weights, along, step):
    with torch.no_grad():
        for weight, direction in zip(weights, along, strict=True):
            weight += step * direction


@pytest.mark.parametrize("activation", [a for a in ACTIVATIONS if a != "relu"])  # which has no second derivative
def test_gradients_are_those_of_differences(random_networks, normal, activation):
    """Along one direction of all weights at once."""
    networks, w, h = random_networks(R, D, activation=activation), normal(32, R), 1e-6
    weights = [*networks.encoder.parameters(), *networks.decoder.parameters()]
    along = [normal(*weight.shape, seed=k) for k, weight in enumerate(weights)]
    slopes = {}
    for name, value in terms(networks.encoder, networks.decoder, w, normal).items():
        gradients = torch.autograd.grad(value, weights, retain_graph=True, allow_unused=True)
        slopes[name] = sum((g * v).sum().item() for g, v in zip(gradients, along, strict=True) if g is not None)
    shifted(weights, along, h)
    above = terms(networks.encoder, networks.decoder, w, normal)
    shifted(weights, along, -2 * h)
    below = terms(networks.encoder, networks.decoder, w, normal)
    by_differences = {name: (above[name] - below[name]).item() / (2 * h) for name in NAMES}
    assert slopes == pytest.approx(by_differences, rel=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_reach_every_matrix(networks, normal, name):
    """Of the encoder, and of the decoder where it is asked, but for its linear path in the curvature."""
    terms(networks.encoder, networks.decoder, normal(32, R), normal)[name].backward()
    seen = ["encoder", "decoder"] if name in ("denoising", "smoothness") else ["encoder"]
    weights = {f"{part}.{k}": w for part in seen for k, w in getattr(networks, part).named_parameters()}
    matrices = {k: w for k, w in weights.items() if w.ndim == 2}
    still = [k for k, w in matrices.items() if w.grad is None or not w.grad.any()]
    assert len(matrices) >= 4
    assert still == (["decoder.linear.weight"] if name == "smoothness" else [])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_type_of_the_data_is_kept(networks, normal, dtype):
    w = normal(32, R)
    expected = terms(networks.encoder, networks.decoder, w, normal)
    found = terms(networks.to(dtype).encoder, networks.decoder, w.to(dtype), normal)
    assert {value.dtype for value in found.values()} == {dtype}
    torch.testing.assert_close({k: v.double() for k, v in found.items()}, expected, rtol=1e-3, atol=0)


def test_all_are_finite_where_nothing_varies():
    """A latent space of one point, as training may leave it in one batch: values and gradients stay numbers."""
    scale = torch.zeros((), requires_grad=True)
    still = torch.ones(8, D) * scale
    values = [
        sparse_l1(still),
        sparse_kl(still, 0.1),
        contractive(lambda w: scale * w[:, :D], torch.ones(8, R), SPREAD),
    ]
    values.append(smoothness(lambda z: z**2, still, torch.ones(8, D), SPREAD))
    for value in values:
        (gradient,) = torch.autograd.grad(value, scale, retain_graph=True)
        assert value.isfinite()
        assert gradient.isfinite()


# -- denoising --------------------------------------------------------------------------------------------------------


def test_denoising_of_a_projection_is_what_it_loses_and_the_noise_that_it_keeps(normal):
    """P (w + e) - w = -(1 - P) w + P e for an orthogonal projection P onto D of R coordinates."""
    basis = torch.linalg.qr(normal(R, D, seed=1))[0]
    w, noise = normal(50, R, seed=2), normal(50, R, seed=3)
    lost, kept = w - w @ basis @ basis.T, noise @ basis
    expected = (lost.square().sum() + kept.square().sum()) / (50 * R * SPREAD)
    torch.testing.assert_close(denoising(lambda x: x @ basis, lambda z: z @ basis.T, w, noise, SPREAD), expected)


# -- contraction ------------------------------------------------------------------------------------------------------


def test_contraction_of_a_linear_encoder_is_its_norm_over_the_variance(normal):
    matrix, w = normal(D, R, seed=1), normal(100, R, seed=2)
    z = w @ matrix.T
    expected = SPREAD * matrix.square().sum() / z.var(dim=0, unbiased=False).sum()
    torch.testing.assert_close(contractive(lambda x: x @ matrix.T, w, SPREAD), expected)


def test_contraction_is_that_of_the_jacobians(networks, normal):
    w = normal(20, R)
    jacobians = torch.func.vmap(torch.func.jacrev(networks.encoder))(w)
    z = networks.encoder(w)
    expected = SPREAD * jacobians.square().sum(dim=(1, 2)).mean() / z.var(dim=0, unbiased=False).sum()
    torch.testing.assert_close(contractive(networks.encoder, w, SPREAD), expected)


@pytest.mark.parametrize("signs", [True, False])
def test_probes_estimate_the_contraction_without_bias(networks, normal, signs):
    """The mean over many draws lies within four standard errors of the exact value, and these are small."""
    w = normal(8, R).repeat(40, 1)
    exact = contractive(networks.encoder, w, SPREAD).item()
    draws = normal(100, len(w), R, seed=5)
    draws = draws.sign() if signs else draws
    values = torch.stack([contractive(networks.encoder, w, SPREAD, probes) for probes in draws]).detach()
    error = values.std().item() / math.sqrt(len(values))
    assert error < 0.02 * exact
    assert abs(values.mean().item() - exact) < 4 * error


def test_all_signs_give_the_exact_contraction(networks, normal):
    """Over all 2^r vectors of signs the estimate is no longer one."""
    w = normal(1, R).expand(2**R, R) + 0.0
    signs = 2.0 * torch.cartesian_prod(*[torch.arange(2, dtype=torch.float64)] * R) - 1.0
    probed = networks.encoder.push_forward(w, signs)[1].square().sum(dim=-1).mean()
    jacobian = torch.func.jacrev(networks.encoder)(w[0])
    torch.testing.assert_close(probed, jacobian.square().sum())


def test_no_encoder_of_normal_data_contracts_more_than_the_leading_coordinate(networks, normal):
    deviations = torch.tensor([3.0, 2.0, 1.0, 1.0, 0.5, 0.5], dtype=torch.float64)
    w = normal(20_000, R) * deviations
    spread = deviations.square().mean().item()
    least = spread / 9.0
    assert contractive(lambda x: x[:, :1], w, spread).item() == pytest.approx(least, rel=0.03)
    bent = contractive(lambda x: x[:, :1] + 0.1 * x[:, :1] ** 3, w, spread).item()
    assert bent > 1.1 * least
    assert contractive(networks.encoder, w, spread).item() > least


# -- sparsity ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [1.0, 0.25, 0.01])
def test_sparse_l1_is_the_root_of_the_share_of_active_numbers(share):
    z = torch.zeros(100, 4, dtype=torch.float64)
    z.view(-1)[: int(400 * share)] = 3.0
    assert sparse_l1(z).item() == pytest.approx(math.sqrt(share), rel=1e-6)


def test_sparse_l1_of_a_normal_distribution(normal):
    assert sparse_l1(normal(100_000, 2)).item() == pytest.approx(math.sqrt(2 / math.pi), rel=1e-2)


def divergence(p, q):
    return p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))


def test_sparse_kl_of_coordinates_that_are_active_at_a_share_of_the_states():
    """With z = c at one state in ten and 0 elsewhere, s^2 = 10 there and the mean activation 10 / 11 / 10 = 1 / 11."""
    z = torch.zeros(100, 2, dtype=torch.float64)
    z[:10, 0], z[5:15, 1] = 7.0, -0.1
    assert sparse_kl(z, 1 / 11).item() == pytest.approx(0.0, abs=1e-9)
    assert sparse_kl(z, 0.3).item() == pytest.approx(divergence(0.3, 1 / 11), rel=1e-6)


def test_sparse_kl_of_a_normal_distribution(normal):
    active = 1 - math.sqrt(math.pi / 2) * math.exp(0.5) * math.erfc(math.sqrt(0.5))
    assert active == pytest.approx(0.344, abs=5e-4)
    assert sparse_kl(normal(200_000, 2), 0.1).item() == pytest.approx(divergence(0.1, active), rel=2e-2)


def test_sparse_kl_does_not_change_with_the_unit_of_one_coordinate(normal):
    z = normal(100, 3)
    units = torch.tensor([1.0, 100.0, 1e-3], dtype=torch.float64)
    torch.testing.assert_close(sparse_kl(units * z, 0.1), sparse_kl(z, 0.1), rtol=1e-5, atol=0)


# -- variational ------------------------------------------------------------------------------------------------------


def test_divergence_is_that_of_the_distributions(normal):
    mean, log_variance = normal(50, D, seed=1), normal(50, D, seed=2)
    encoded = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    prior = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
    expected = torch.distributions.kl_divergence(encoded, prior).mean()
    torch.testing.assert_close(kl_to_standard_normal(mean, log_variance), expected)


def test_divergence_vanishes_at_the_prior_alone(normal):
    zero = torch.zeros(5, D)
    assert kl_to_standard_normal(zero, zero).item() == 0.0
    assert kl_to_standard_normal(zero, 0.1 * normal(5, D, dtype=torch.float32)).item() > 0.0


def test_samples_have_the_mean_and_the_variance_of_the_encoder(normal):
    mean, log_variance = torch.tensor([1.0, -2.0]), torch.tensor([0.0, -3.0])
    samples = reparametrised(mean, log_variance, normal(100_000, 2, dtype=torch.float32))
    torch.testing.assert_close(samples.mean(dim=0), mean, atol=0.02, rtol=0)
    torch.testing.assert_close(samples.var(dim=0).log(), log_variance, atol=0.02, rtol=0)


def test_gradients_pass_through_the_samples(normal):
    mean, log_variance = (normal(4, D, seed=k).requires_grad_() for k in (1, 2))
    epsilon = normal(4, D, seed=3)
    gradients = torch.autograd.grad(reparametrised(mean, log_variance, epsilon).sum(), (mean, log_variance))
    torch.testing.assert_close(gradients[0], torch.ones(4, D, dtype=torch.float64))
    torch.testing.assert_close(gradients[1], 0.5 * (0.5 * log_variance.detach()).exp() * epsilon)


def test_the_weight_in_the_docstring_makes_the_evidence_lower_bound(normal):
    """Of a linear decoder and one sample, by torch.distributions: equal up to the constant of the noise."""
    noise, batch = 0.04, 40
    w, mean, log_variance = normal(batch, R, seed=1), normal(batch, D, seed=2), normal(batch, D, seed=3)
    z = reparametrised(mean, log_variance, normal(batch, D, seed=4))
    decoded = z @ normal(D, R, seed=5)
    log_likelihood = torch.distributions.Normal(decoded, math.sqrt(noise)).log_prob(w).sum(dim=1)
    encoded = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    prior = torch.distributions.Normal(0.0, 1.0)
    bound = (log_likelihood - torch.distributions.kl_divergence(encoded, prior).sum(dim=1)).mean()
    constant = 0.5 * R * math.log(2 * math.pi * noise)
    beta = 2 * noise / SPREAD * D / R
    loss = (w - decoded).square().mean() / SPREAD + beta * kl_to_standard_normal(mean, log_variance)
    torch.testing.assert_close(loss, 2 * noise / (R * SPREAD) * (-bound - constant))


@pytest.mark.parametrize(
    ("progress", "warm_up", "factor"),
    [(0.0, 0.2, 0.0), (0.1, 0.2, 0.5), (0.2, 0.2, 1.0), (0.9, 0.2, 1.0), (0.0, 0.0, 1.0)],
)
def test_beta_rises_linearly_to_the_end_of_the_warm_up(progress, warm_up, factor):
    assert beta_factor(progress, warm_up) == pytest.approx(factor)


# -- smoothness -------------------------------------------------------------------------------------------------------


def test_a_linear_decoder_is_smooth(normal):
    matrix = normal(R, D, seed=1)
    assert smoothness(lambda z: z @ matrix.T, normal(20, D), normal(20, D, seed=2), SPREAD).item() == 0.0


def test_smoothness_of_a_quadratic_decoder(normal):
    """psi_i = z^T H_i z / 2 has the second derivative v^T H_i v along v, everywhere."""
    half = normal(R, D, D, seed=1)
    hessian = half + half.mT
    z, directions = 2.0 * normal(30, D) + 1.0, normal(30, D, seed=2)
    v = directions * z.std(dim=0, unbiased=False)
    expected = torch.einsum("bi,kij,bj->bk", v, hessian, v).square().mean() / SPREAD
    found = smoothness(lambda y: 0.5 * torch.einsum("bi,kij,bj->bk", y, hessian, y), z, directions, SPREAD)
    torch.testing.assert_close(found, expected)


def test_smoothness_is_that_of_the_hessians(networks, normal):
    z, directions = normal(10, D), normal(10, D, seed=2)
    v = directions * z.std(dim=0, unbiased=False)
    hessians = torch.func.vmap(torch.func.hessian(networks.decoder))(z)  # (B, r, d, d)
    expected = torch.einsum("bi,bkij,bj->bk", v, hessians, v).square().mean() / SPREAD
    torch.testing.assert_close(smoothness(networks.decoder, z, directions, SPREAD), expected)
