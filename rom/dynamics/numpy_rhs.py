"""h in NumPy, for forecasts on the CPU: compiled from a `LatentDynamics` into few and large products in ready buffers."""

from __future__ import annotations

import math
from functools import partial
from typing import cast

import numpy as np
from scipy.special import erf
from torch import Tensor, nn

from rom.networks.latent_dynamics import LatentDynamics
from rom.networks.quadratic import full

__all__ = ["NumpyLatentRhs"]


class NumpyLatentRhs:
    """h(z; mu) of a `LatentDynamics` in NumPy, features first: z (d, *batch) is written to `state`, h read from a call.

    With y = (z, mu, 1) all affine maps are products: biases and the constant mu cost nothing, the normalisation of the
    network is part of its first layer, its gain part of the last, and the linear part a slice of the quadratic one. What
    remains is a product and an activation for each hidden layer, and one product with (last hidden layer, y x y).
    `parameters` (trajectory, p) belong to a batch (trajectory,), or (1, p) to the batch () of one state. `n_forcing` more
    numbers follow them where the dynamics are driven.
    """

    def __init__(self, dynamics: LatentDynamics, parameters: Tensor, batch: tuple[int, ...], n_forcing: int = 0):
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
        self._forcing = y[m - 1 - n_forcing : m - 1]
        y[d : m - 1 - n_forcing] = parameters.numpy().T.reshape(m - 1 - n_forcing - d, *batch)
        self._hidden = []
        inputs = y
        for k, weight in enumerate(hidden, start=1):
            width = len(weight)
            target = self._features if k == len(hidden) else np.ones((width + 1, *batch), dtype)
            sums = np.empty((width, *batch), dtype)
            self._hidden.append((weight.astype(dtype).dot, inputs, sums, activation, target[:width]))
            inputs = target

    def at(self, state: np.ndarray, forcing: np.ndarray, out: np.ndarray) -> None:
        """Write h at a state (d, *batch) and forcing (q, *batch) to `out` (d, *batch)."""
        self.state[...] = state
        self._forcing[...] = forcing
        self(out)

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


def elu(x: np.ndarray, out: np.ndarray) -> None:
    np.minimum(x, 0.0, out=out)
    np.expm1(out, out)
    out += np.maximum(x, 0.0)


def softplus(x: np.ndarray, out: np.ndarray) -> None:
    np.logaddexp(x, 0.0, out)


IN_PLACE = {
    "tanh": np.tanh,
    "silu": silu,
    "gelu": gelu,
    "relu": relu,
    "elu": elu,
    "softplus": softplus,
    "sin": np.sin,
}
