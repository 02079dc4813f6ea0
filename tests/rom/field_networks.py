"""What every network that acts on fields must do, as checks that its tests share."""

import torch

from rom.networks.jvp import push_forward


def awake(network, seed=7):
    """`network` in float64 with no parameter zero, as after some training."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            if not parameter.any():
                parameter.normal_(std=0.3, generator=generator)
    return network.double()


def check_derivatives(network, points, tangents, h=1e-5):
    """The derivative along `tangents` is that of central differences, and so are the gradients of the weights through it."""
    values, derivatives = push_forward(network, points, tangents)
    by_differences = (network(points + h * tangents) - network(points - h * tangents)) / (2 * h)
    torch.testing.assert_close(values, network(points), rtol=0, atol=1e-12)
    torch.testing.assert_close(derivatives, by_differences, rtol=1e-6, atol=1e-6)
    weights = list(network.parameters())
    found = torch.autograd.grad(derivatives.square().mean(), weights, materialize_grads=True)
    expected = torch.autograd.grad(by_differences.square().mean(), weights, materialize_grads=True)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def check_row_wise(network, points):
    """No row of a batch has an influence on another."""
    together = network(points)
    for row in range(len(points)):
        torch.testing.assert_close(together[row], network(points[row : row + 1])[0], rtol=0, atol=1e-12)


def check_jacobian(encoder, fields, latent_dim):
    """The Jacobian by vmap of vjp, row by row, is that of its products with tangents."""
    values, pull_back = torch.func.vjp(encoder, fields)
    basis = torch.eye(latent_dim, dtype=fields.dtype)[:, None].expand(-1, *values.shape)
    (jacobian,) = torch.func.vmap(pull_back)(basis)  # (d, B, channels, *shape)
    tangents = torch.ones_like(fields)
    products = (jacobian * tangents).flatten(2).sum(dim=2).mT
    torch.testing.assert_close(products, push_forward(encoder, fields, tangents)[1], rtol=1e-9, atol=1e-11)


def check_start(make):
    """Zero at the start, of one dtype, the same for the same seed, and without touching torch's global generator.

    `make(generator)` returns pairs of a network and points for it.
    """
    before = torch.get_rng_state()
    runs = [make(torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(before, torch.get_rng_state())
    for (one, points), (two, _), (other, _) in zip(*runs, strict=True):
        states = [network.state_dict() for network in (one, two, other)]
        assert all(torch.equal(states[0][k], states[1][k]) for k in states[0])
        assert any(not torch.equal(states[0][k], states[2][k]) for k in states[0])
        for dtype in (torch.float32, torch.float64):
            network = one.to(dtype)
            assert {t.dtype for t in network.state_dict().values() if t.is_floating_point()} == {dtype}
            values, derivatives = push_forward(network, points.to(dtype), points.to(dtype))
            assert values.dtype == derivatives.dtype == dtype
            assert not values.any()
