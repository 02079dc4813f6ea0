"""Encoders, decoders and latent dynamics: what is zero at the start, row by row, and without a global side effect."""

import pytest
import torch
from torch import nn

from rom.config import FitConfig
from rom.models.build import add_posterior, build_networks
from rom.networks.jvp import push_forward
from rom.networks.mlp import ACTIVATIONS, MLP
from rom.networks.quadratic import full

ACTIVATION_AND_SCALES = [(a, m) for a in ACTIVATIONS for m in (False, True)]


@pytest.mark.parametrize(("activation", "multiscale"), ACTIVATION_AND_SCALES)
@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_push_forward_is_the_directional_derivative(random_networks, normal, activation, multiscale, part):
    networks = random_networks(6, 2, activation=activation, multiscale=multiscale)
    network = getattr(networks, part)
    n_in = 6 if part == "encoder" else 2
    # relu is kinked: steps shorter than the distance to the next kink, so that both sides lie on one plane.
    points, tangents, h = 0.1 * normal(4, n_in, seed=2), normal(4, n_in, seed=3), 1e-6
    values, derivatives = push_forward(network, points, tangents)
    by_differences = (network(points + h * tangents) - network(points - h * tangents)) / (2 * h)
    torch.testing.assert_close(values, network(points), rtol=0, atol=1e-14)
    torch.testing.assert_close(derivatives, by_differences, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("activation", "multiscale"), ACTIVATION_AND_SCALES)
def test_networks_are_row_wise(random_networks, normal, activation, multiscale):
    networks = random_networks(6, 2, activation=activation, multiscale=multiscale)
    points, tangents = normal(5, 6, seed=2), normal(5, 6, seed=3)
    together = push_forward(networks.encoder, points, tangents)
    for row in range(5):
        alone = push_forward(networks.encoder, points[row : row + 1], tangents[row : row + 1])
        for batch, single in zip(together, alone, strict=True):
            torch.testing.assert_close(batch[row], single[0], rtol=0, atol=1e-13)
    z = normal(5, 2, seed=4)
    torch.testing.assert_close(networks.decoder(z)[3], networks.decoder(z[3]), rtol=0, atol=1e-13)
    torch.testing.assert_close(networks.latent_dynamics(z)[3], networks.latent_dynamics(z[3]), rtol=0, atol=1e-13)


def test_corrections_start_at_zero(normal):
    mlp = MLP(3, 2, (8,), generator=torch.Generator().manual_seed(0))
    assert not mlp(normal(4, 3, dtype=torch.float32)).any()


def test_normalisation_keeps_small_directions_bounded(normal):
    inputs = normal(1000, 2) * torch.tensor([1.0, 1e-9]) + 5.0
    mlp = MLP(2, 1, (4,)).double()
    mlp.normalise_to(inputs)
    scaled = (inputs - mlp.shift) * mlp.inverse_spread
    assert scaled[:, 0].std().item() == pytest.approx(1.0)
    assert scaled[:, 1].std().item() < 1e-6  # at least a hundredth of the largest spread: rounding is not blown up


def test_the_parameters_enter_the_latent_dynamics(random_networks, normal):
    networks = random_networks(4, 2, 1)
    z, mu = normal(3, 2), normal(3, 1, seed=5)
    rate = networks.latent_dynamics(z, mu)
    assert not torch.allclose(rate, networks.latent_dynamics(z, mu + 1.0))
    torch.testing.assert_close(networks.latent_dynamics(z, mu[:1]), networks.latent_dynamics(z, mu[:1].expand(3, 1)))


@pytest.mark.parametrize(
    "terms", [("linear",), ("linear", "quadratic"), ("linear", "neural"), ("linear", "quadratic", "neural")]
)
def test_parts_of_the_latent_dynamics_can_be_left_out(terms):
    dynamics = build_networks(FitConfig(latent_terms=terms), 4, 2, 0).latent_dynamics
    assert (dynamics.quadratic is not None) == ("quadratic" in terms)
    assert (dynamics.correction is not None) == ("neural" in terms)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_networks_are_of_one_dtype(dtype):
    networks = build_networks(FitConfig(dtype=dtype, hidden=(4,)), 4, 2, 1)
    assert {t.dtype for t in networks.state_dict().values()} == {getattr(torch, dtype)}


def test_same_seed_same_networks_and_no_global_random_state():
    before = torch.get_rng_state()
    one, two, other = (build_networks(FitConfig(hidden=(4,)), 4, 2, 0, seed=s).state_dict() for s in (1, 1, 2))
    assert all(torch.equal(one[k], two[k]) for k in one)
    assert any(not torch.equal(one[k], other[k]) for k in one)
    assert torch.equal(before, torch.get_rng_state())


def torch_activation(name):
    """The activation as torch itself has it, under its own name."""
    return getattr(torch, name, None) or getattr(nn.functional, name)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_an_mlp_is_what_its_name_says(normal, activation):
    """Merged weights change nothing: gain * W2 a(W1 (x - shift) / spread + b1) + b2, with torch's own activation."""
    mlp = MLP(3, 2, (8, 8), activation, generator=torch.Generator().manual_seed(0)).double()
    inputs = normal(50, 3) * 2.0 + 1.0
    mlp.normalise_to(inputs)
    with torch.no_grad():
        mlp.gain.fill_(0.3)
        mlp.layers[-1].weight.copy_(normal(2, 8, seed=4))
        mlp.layers[-1].bias.copy_(normal(2, seed=5))
    plain = torch_activation(activation)
    x = (inputs - mlp.shift) * mlp.inverse_spread
    first, second, last = mlp.layers
    expected = mlp.gain * last(plain(second(plain(first(x)))))
    torch.testing.assert_close(mlp(inputs), expected, rtol=0, atol=1e-13)
    weights = list(mlp.parameters())
    gradients = torch.autograd.grad(mlp(inputs).square().sum(), weights)
    for found, right in zip(gradients, torch.autograd.grad(expected.square().sum(), weights), strict=True):
        torch.testing.assert_close(found, right, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("terms", [("linear",), ("linear", "quadratic"), ("linear", "neural"), ("quadratic", "neural")])
@pytest.mark.parametrize("n_parameters", [0, 2])
def test_latent_dynamics_are_the_sum_of_their_parts(random_networks, normal, terms, n_parameters):
    dynamics = random_networks(6, 3, latent_terms=terms, n_parameters=n_parameters).latent_dynamics
    z, mu = normal(5, 3), normal(5, n_parameters, seed=1)
    y = torch.cat([z, mu], dim=1)
    expected = dynamics.linear(y)
    if "quadratic" in terms:
        form = torch.from_numpy(full(dynamics.quadratic.weight.detach().numpy(), y.shape[1]))
        expected = expected + torch.einsum("ni,nj->nij", y, y).flatten(1) @ form.mT
    if "neural" in terms:
        expected = expected + dynamics.correction(y)
    torch.testing.assert_close(dynamics(z, mu), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("layer_norm", "residual"), [(True, False), (False, True), (True, True)])
def test_norms_and_residuals_are_what_their_names_say(normal, activation, layer_norm, residual):
    """x + a(LN(W x + b)) where widths are equal, with merged weights or without; and its derivatives."""
    settings = {"layer_norm": layer_norm, "residual": residual, "generator": torch.Generator().manual_seed(0)}
    mlp = MLP(4, 2, (8, 8, 5, 5), activation, **settings).double()
    inputs = 2.0 * normal(20, 4) + 1.0
    mlp.normalise_to(inputs)
    with torch.no_grad():
        for k, parameter in enumerate([mlp.gain, *mlp.norms.parameters(), *mlp.layers[-1].parameters()]):
            parameter.add_(0.3 * normal(parameter.numel(), seed=k).reshape(parameter.shape))

    def plain(inputs):
        x = (inputs - mlp.shift) * mlp.inverse_spread
        for k, layer in enumerate(mlp.layers[:-1]):
            sums = mlp.norms[k](layer(x)) if layer_norm else layer(x)
            outputs = torch_activation(activation)(sums)
            x = x + outputs if residual and k in (1, 3) else outputs
        return mlp.gain * mlp.layers[-1](x)

    torch.testing.assert_close(mlp(inputs), plain(inputs), rtol=0, atol=1e-12)
    tangents = normal(20, 4, seed=9)
    expected = torch.func.jvp(plain, (inputs,), (tangents,))
    for found, right in zip(push_forward(mlp, inputs, tangents), expected, strict=True):
        torch.testing.assert_close(found, right, rtol=0, atol=1e-12)
    weights = list(mlp.parameters())
    gradients = torch.autograd.grad(
        push_forward(mlp, inputs, tangents)[1].square().sum(), weights, materialize_grads=True
    )
    rights = torch.autograd.grad(expected[1].square().sum(), weights, materialize_grads=True)
    for found, right in zip(gradients, rights, strict=True):
        torch.testing.assert_close(found, right, rtol=1e-9, atol=1e-9)


def test_norms_and_residuals_leave_the_other_weights_as_they_are():
    made = [MLP(3, 2, (8, 8), "tanh", False, torch.Generator().manual_seed(0), norm, norm) for norm in (False, True)]
    plain, other = (mlp.state_dict() for mlp in made)
    assert set(other) - set(plain) == {f"norms.{k}.{name}" for k in (0, 1) for name in ("weight", "bias")}
    assert all(torch.equal(plain[name], other[name]) for name in plain)


def test_closed_form_and_correction_divide_the_parameters(random_networks, normal):
    networks = random_networks(6, 2, hidden=(4,), n_parameters=1)
    add_posterior(networks, FitConfig(hidden=(4,)), normal(10, 6), seed=0)
    names = {id(parameter): name for name, parameter in networks.named_parameters()}
    closed_form = [names[id(parameter)] for parameter in networks.closed_form_parameters()]
    corrections = [names[id(parameter)] for parameter in networks.correction_parameters()]
    assert closed_form == [name for name in names.values() if name.split(".")[1] in ("linear", "quadratic")]
    assert corrections == [name for name in names.values() if name not in closed_form]
    assert any(name.startswith("posterior") for name in corrections)
    assert not build_networks(FitConfig(hidden=(), latent_hidden=()), 4, 2, 0).correction_parameters()
