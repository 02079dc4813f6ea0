"""Rollouts for forecasts: uniform Runge-Kutta steps whose length accuracy chooses, and dense output at the times asked for.

A forecast of one state is a long chain of tiny products, and torch spends far longer on starting an operation than on a
product of 128 numbers. On the CPU the steps are therefore taken in NumPy, by an evaluator of h compiled from the
`LatentDynamics` into as few and as large products as it can be, in buffers that are there from the start.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import cast

import numpy as np
import torch
from scipy.special import erf
from torch import Tensor, nn

from rom.integrators import hermite, rk4_step
from rom.latent_dynamics import LatentDynamics
from rom.quadratic import full

__all__ = ["CompiledRates", "roll_out"]

KEPT = 2**22  # numbers of the steps that are kept at a time: bounds the memory of a long forecast

# The later nodes and the end of a Runge-Kutta step as combinations of (z, dt k1, dt k2, dt k3, dt k4).
NODES = ((1.0, 0.5), (1.0, 0.0, 0.5), (1.0, 0.0, 0.0, 1.0), (1.0, 1 / 6, 1 / 3, 1 / 3, 1 / 6))

March = Callable[[Tensor, int], tuple[Tensor, Tensor]]


def roll_out(
    dynamics: LatentDynamics,
    z0: Tensor,
    times: np.ndarray,
    parameters: Tensor | None,
    max_step: float,
    contains: Callable[[Tensor], Tensor],
) -> tuple[Tensor, Tensor]:
    """Latent states (time, trajectory, d) from z0 (trajectory, d) at `times` (T,), and whether they stayed inside.

    The span of `times` is marched through in the fewest equal steps that are no longer than `max_step`; the states in
    between are interpolated to the order of the method. So the cost and the error of the steps do not depend on how many
    times are asked for. The flags (time, trajectory) say that `contains` holds at all ends of steps up to the time, that
    of the step around it included: they do not depend on the other times either.
    """
    latent = torch.empty((len(times), *z0.shape), dtype=z0.dtype, device=z0.device)
    inside = torch.empty((len(times), len(z0)), dtype=torch.bool, device=z0.device)
    latent[0], inside[0] = z0, contains(z0)
    span = float(times[-1] - times[0])
    if span == 0.0:
        return latent, inside
    n_steps = max(1, math.ceil(span / max_step - 1e-6))
    dt = span / n_steps
    on_cpu = z0.device.type == "cpu"
    march = numpy_march(dynamics, parameters, len(z0), dt) if on_cpu else torch_march(dynamics, parameters, dt)
    # A time at the end of a step, up to rounding, belongs to that step: what overflows later cannot reach it.
    positions = (times - times[0]) / dt
    steps = np.clip(np.ceil(positions - 1e-9).astype(int) - 1, 0, n_steps - 1)
    fractions = torch.as_tensor(positions - steps, dtype=z0.dtype, device=z0.device)[:, None, None]
    z, still_inside = z0, inside[0]
    block = max(1, KEPT // z0.numel())
    for first in range(0, n_steps, block):
        last = min(first + block, n_steps)
        states, rates = march(z, last - first)
        within = (contains(states) & still_inside).cumprod(dim=0).bool()
        here = slice(*(1 + np.searchsorted(steps[1:], (first, last))))
        k = torch.as_tensor(steps[here] - first, device=z0.device)
        latent[here] = hermite(fractions[here], dt, states[k], states[k + 1], rates[k], rates[k + 1])
        inside[here] = within[k + 1]
        z, still_inside = states[-1], within[-1]
    return latent, inside


def torch_march(dynamics: LatentDynamics, parameters: Tensor | None, dt: float) -> March:
    """A march in torch, where the model lives: (z (trajectory, d), K steps) to states and rates (K + 1, trajectory, d)."""
    rhs = dynamics.merged(parameters)

    def march(z: Tensor, n_steps: int) -> tuple[Tensor, Tensor]:
        states, rates, step = [z], [rhs(z)], z.new_tensor(dt)
        for _ in range(n_steps):
            states.append(rk4_step(rhs, states[-1], step, rates[-1]))
            rates.append(rhs(states[-1]))
        return torch.stack(states), torch.stack(rates)

    return march


def numpy_march(dynamics: LatentDynamics, parameters: Tensor | None, n_states: int, dt: float) -> March:
    """The same march in NumPy, for models on the CPU."""
    # One state is a vector: products with a matrix of one column are slower.
    batch = (n_states,) if n_states > 1 else ()
    compiled = CompiledRates(dynamics, parameters, batch)
    d, dtype = len(compiled.state), compiled.state.dtype
    slots = np.empty((5, d, *batch), dtype)  # z, k1, k2, k3, k4
    flat_slots, flat_node = slots.reshape(5, -1), compiled.state.reshape(-1)
    *stages, whole_step = (np.array([row[0], *(dt * c for c in row[1:])], dtype).dot for row in NODES)
    stages = [(stage, flat_slots[: k + 2], slots[k + 2]) for k, stage in enumerate(stages)]

    def march(z: Tensor, n_steps: int) -> tuple[Tensor, Tensor]:
        states, rates = (np.empty((n_steps + 1, d, *batch), dtype) for _ in range(2))
        states[0] = z.numpy().T.reshape(d, *batch)
        flat_states = states.reshape(n_steps + 1, -1)
        with np.errstate(all="ignore"):  # the forecast flags what overflows
            for k in range(n_steps):
                slots[0] = compiled.state[...] = states[k]
                compiled(slots[1])
                for combine, so_far, slope in stages:
                    combine(so_far, flat_node)
                    compiled(slope)
                rates[k] = slots[1]
                whole_step(flat_slots, flat_states[k + 1])
            compiled.state[...] = states[-1]
            compiled(rates[-1])
        states, rates = (torch.from_numpy(a.reshape(n_steps + 1, d, n_states)).mT for a in (states, rates))
        return states, rates

    return march


class CompiledRates:
    """h(z; mu) of a `LatentDynamics` in NumPy, features first: z (d, *batch) is written to `state`, h read from a call.

    With y = (z, mu, 1) all affine maps are products: biases and the constant mu cost nothing, the normalisation of the
    network is part of its first layer, its gain part of the last, and the linear part a slice of the quadratic one. What
    remains is a product and an activation for each hidden layer, and one product with (last hidden layer, y x y).
    `parameters` (trajectory, p) belong to a batch (trajectory,), or (1, p) to the batch () of one state.
    """

    def __init__(self, dynamics: LatentDynamics, parameters: Tensor | None, batch: tuple[int, ...]):
        dtype = dynamics.linear.weight.detach().numpy().dtype
        linear = affine(dynamics.linear)  # (d, k + 1), k = d + p
        d, m = linear.shape
        polynomial = linear
        if dynamics.quadratic is not None:
            products = np.zeros((d, m, m))
            products[:, :-1, :-1] = full(numbers(dynamics.quadratic.weight), m - 1).reshape(d, m - 1, m - 1)
            products[:, :, -1] = linear
            polynomial = products.reshape(d, -1)
        hidden: list[np.ndarray] = []
        activation = np.tanh
        if dynamics.correction is not None:
            network = dynamics.correction
            *hidden, output = (affine(cast(nn.Linear, layer)) for layer in network.layers)
            hidden[0][:, :-1] *= numbers(network.inverse_spread)
            hidden[0][:, -1] -= hidden[0][:, :-1] @ numbers(network.shift)
            output *= numbers(network.gain)
            polynomial[:, -1] += output[:, -1]
            polynomial = np.hstack([output[:, :-1], polynomial])
            activation = IN_PLACE[network.activation]
        # Methods of the matrices, here and below: np.dot takes half as long again for such short vectors.
        self._output = polynomial.astype(dtype).dot
        self._features = np.ones((polynomial.shape[1], *batch), dtype)
        y, self._outer_product = self._features[-m:], None
        if dynamics.quadratic is not None:
            y = np.ones((m, *batch), dtype)
            # NumPy forms an outer product of two short vectors faster as a product of matrices.
            multiply = partial(np.multiply, y[:, None]) if batch else y[:, None].dot
            self._outer_product = partial(multiply, y[None], self._features[-m * m :].reshape(m, m, *batch))
        self.state = y[:d]
        if parameters is not None:
            y[d:-1] = parameters.numpy().T.reshape(m - 1 - d, *batch)
        self._hidden = []
        inputs = y
        for k, weight in enumerate(hidden, start=1):
            width = len(weight)
            target = self._features if k == len(hidden) else np.ones((width + 1, *batch), dtype)
            sums = np.empty((width, *batch), dtype)
            self._hidden.append((weight.astype(dtype).dot, inputs, sums, activation, target[:width]))
            inputs = target

    def __call__(self, out: np.ndarray) -> None:
        """Write h at `state` to `out` (d, *batch), which must be contiguous."""
        for product, inputs, sums, activation, outputs in self._hidden:
            product(inputs, sums)
            activation(sums, outputs)
        if self._outer_product is not None:
            self._outer_product()
        self._output(self._features, out)


def numbers(tensor: Tensor) -> np.ndarray:
    return tensor.detach().double().numpy()


def affine(layer: nn.Linear) -> np.ndarray:
    """Weight and bias as one matrix (n_out, n_in + 1) in float64, which acts on (inputs, 1)."""
    return np.column_stack([numbers(layer.weight), numbers(layer.bias)])


def silu(x: np.ndarray, out: np.ndarray) -> None:
    np.negative(x, out)
    np.exp(out, out)
    out += 1.0
    np.divide(x, out, out)


def gelu(x: np.ndarray, out: np.ndarray) -> None:
    np.multiply(x, math.sqrt(0.5), out)
    erf(out, out)
    out += 1.0
    out *= x
    out *= 0.5


def relu(x: np.ndarray, out: np.ndarray) -> None:
    np.maximum(x, 0.0, out=out)


IN_PLACE = {"tanh": np.tanh, "silu": silu, "gelu": gelu, "relu": relu}
