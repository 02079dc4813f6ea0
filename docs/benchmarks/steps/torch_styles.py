"""One training step in plain torch, with networks on full states and rollouts by torchdiffeq."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torchdiffeq import odeint

from steps.arrays import HIDDEN, LATENT_HIDDEN, Arrays, at_full_order

FLOOR = 1e-12  # added to the variance of dz/dt, as in `rom.training.losses`


class Network(nn.Module):
    """An affine map plus a tanh network."""

    def __init__(self, arrays: Arrays, part: str, n_hidden: int, dtype: torch.dtype):
        super().__init__()

        def layer(name: str) -> nn.Linear:
            weight = torch.tensor(arrays[f"{part}.{name}.weight"], dtype=dtype)
            linear = nn.Linear(weight.shape[1], weight.shape[0], dtype=dtype)
            linear.weight.data, linear.bias.data = weight, torch.tensor(arrays[f"{part}.{name}.bias"], dtype=dtype)
            return linear

        self.linear = layer("linear")
        layers = [module for k in range(n_hidden) for module in (layer(str(k)), nn.Tanh())]
        self.layers = nn.Sequential(*layers, layer(str(n_hidden)))

    def forward(self, x: Tensor) -> Tensor:
        """Return the values at x."""
        return self.linear(x) + self.layers(x)


def derivative_by_rows(encoder: nn.Module, x: Tensor, f: Tensor) -> tuple[Tensor, Tensor]:
    """Return phi(x) and dphi/dx f, with one `autograd.grad` for each row of dphi/dx."""
    x = x.requires_grad_()
    z = encoder(x)
    rows = [torch.autograd.grad(z[:, i].sum(), x, create_graph=True)[0] for i in range(z.shape[1])]
    return z, torch.stack([(row * f).sum(dim=1) for row in rows], dim=1)


def derivative_by_two_products(decoder: nn.Module, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """Return psi(z) and dpsi/dz h by two reverse passes.

    One pass for each of the n rows would take far too long.
    """
    if not z.requires_grad:
        z = z.requires_grad_()
    x = decoder(z)
    dummy = torch.zeros_like(x, requires_grad=True)
    pulled = torch.autograd.grad(x, z, dummy, create_graph=True)[0]
    return x, torch.autograd.grad(pulled, dummy, h, create_graph=True)[0]


def forward_mode(network: nn.Module, points: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
    """Return values and directional derivatives by forward mode."""
    values, derivatives = torch.func.jvp(network, (points,), (tangents,))[:2]
    return values, derivatives


def make(arrays: Arrays, dtype: torch.dtype, encoder_derivative: Callable, decoder_derivative: Callable) -> Callable:
    """Return a step: a function without arguments that returns the loss and leaves gradients in the networks."""
    full = at_full_order(arrays)
    encoder = Network(full, "encoder", len(HIDDEN), dtype)
    dynamics = Network(full, "dynamics", len(LATENT_HIDDEN), dtype)
    decoder = Network(full, "decoder", len(HIDDEN), dtype)
    windows, points, derivatives = (
        torch.tensor(full[name], dtype=dtype) for name in ("windows", "points", "derivatives")
    )
    times = torch.arange(len(windows), dtype=dtype) * float(full["interval"])
    spread_x, spread_f = map(float, full["spreads"])
    parameters = [p for network in (encoder, dynamics, decoder) for p in network.parameters()]

    def losses() -> Tensor:
        rollout = odeint(lambda _t, z: dynamics(z), encoder(windows[0]), times, method="rk4")
        reconstruction = (decoder(encoder(windows)) - windows).square().mean() / spread_x
        prediction = (decoder(rollout[1:]) - windows[1:]).square().mean() / spread_x
        z, velocity = encoder_derivative(encoder, points.detach(), derivatives)
        rate = dynamics(z)
        latent_physics = (velocity - rate).square().mean() / (velocity.var(dim=0, unbiased=False).mean() + FLOOR)
        x, decoded_velocity = decoder_derivative(decoder, z, rate)
        decoded_physics = (decoded_velocity - derivatives).square().mean() / spread_f
        collocation = (x - points).square().mean() / spread_x
        return reconstruction + prediction + latent_physics + decoded_physics + collocation

    def step() -> float:
        for parameter in parameters:
            parameter.grad = None
        loss = losses()
        loss.backward()
        return loss.item()

    return step


def homework(arrays: Arrays) -> Callable:
    """Return the step in float64 with derivatives by reverse mode."""
    return make(arrays, torch.float64, derivative_by_rows, derivative_by_two_products)


def homework_float32(arrays: Arrays) -> Callable:
    """Return the same step in float32."""
    return make(arrays, torch.float32, derivative_by_rows, derivative_by_two_products)


def func_jvp(arrays: Arrays) -> Callable:
    """Return the step in float32 with derivatives by forward mode."""
    return make(arrays, torch.float32, forward_mode, forward_mode)
