"""Runge-Kutta steps of a rollout by NumPy, for forecasts on the CPU.

A forecast of one state is a long chain of tiny products. Torch takes far longer to start an operation than a product of
128 numbers lasts. `NumpyLatentRhs` therefore merges the weights of `LatentDynamics` into as few and as large products as
possible, and computes in buffers that are allocated once. Other names for parts of these buffers (views) save copies:
writing to one array is how the next operation gets its input. All such sharing of memory is in this file.

Arrays have features first: (d, *batch), where `batch` is (trajectory,), or () for a single state, because a product with
a vector is faster than one with a matrix of one column. With k = d + p + q and m = k + 1, the buffers are::

    y         [ z: d | mu: p | u: q | 1 ]            m rows. The rows of mu and the 1 are written once.
                ^ state        ^ forcing             `state` and `forcing` are views of y.
       |
       |  weights of hidden layer 1, which act on (z, mu, u, 1)
       v
    hidden 1  [ activations | 1 ]                    One such buffer for each hidden layer but the last.
       |
       |  weights of the last hidden layer
       v
    features  [ activations of the last hidden layer | y x y: m * m ]
       |
       |  output weights
       v
    dz/dt: d, in an array of the caller

The lower part of `features` holds the outer product y x y, whose last column is y itself. Without a quadratic part
it holds y alone, and then y is a view of `features`.

The loop over equal steps has one buffer more, whose rows are combined by one product for each stage::

    slots     [ z | k1 | k2 | k3 | k4 ]              (5, d, *batch)
                slots[: j] @ weights -> `state`      the state at stage j
                slots @ weights      -> the next row of the states that are returned
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from rom.dynamics.forcing import Forcing
from rom.dynamics.numpy_activations import NUMPY_ACTIVATIONS
from rom.dynamics.step_grid import StepGrid
from rom.dynamics.torch_stepper import Stepper
from rom.networks.latent_dynamics import LatentDynamics
from rom.networks.quadratic import full

__all__ = ["NumpyLatentRhs", "rk4_numpy"]

# The second, third and fourth stage of a Runge-Kutta step and its end, as sums of (z, dt k1, dt k2, dt k3, dt k4).
STAGES = ((1.0, 0.5), (1.0, 0.0, 0.5), (1.0, 0.0, 0.0, 1.0), (1.0, 1 / 6, 1 / 3, 1 / 3, 1 / 6))


def rk4_numpy(dynamics: LatentDynamics, parameters: Tensor, z0: Tensor, grid: StepGrid, forcing: Forcing) -> Stepper:
    """Return a stepper of the classical Runge-Kutta method in NumPy.

    Parameters
    ----------
    dynamics : LatentDynamics
        Right-hand side of the latent ODE, on the CPU.
    parameters : torch.Tensor, shape (trajectory, p)
        Parameters of each trajectory.
    z0 : torch.Tensor, shape (trajectory, d)
        States, of which the number counts.
    grid : StepGrid
        Steps in time. They must be equal if there is no forcing.
    forcing : Forcing
        Inputs and time features.

    Returns
    -------
    Stepper
        Function that takes some of the steps.
    """
    n, batch = len(z0), (len(z0),) if len(z0) > 1 else ()
    rhs = NumpyLatentRhs(dynamics, parameters, batch, forcing.width)
    run = steps_with_forcing(rhs, grid, forcing) if forcing.width else equal_steps(rhs, float(grid.step_lengths[0]))

    def take_steps(z: Tensor, chosen: slice) -> tuple[Tensor, Tensor, Tensor]:
        states = np.empty((chosen.stop - chosen.start + 1, *rhs.state.shape), rhs.state.dtype)
        states[0] = z.numpy().T.reshape(rhs.state.shape)
        with np.errstate(all="ignore"):  # the forecast flags overflows
            before, after = run(states, chosen)
        states, before, after = (torch.from_numpy(a.reshape(len(a), -1, n)).mT for a in (states, before, after))
        return states, before, after

    return take_steps


# Function of states (K + 1, d, *batch), whose first row is given, and of the K steps to take. It writes the other rows and
# returns dz/dt (K, d, *batch) before and after each step.
Loop = Callable[[np.ndarray, slice], tuple[np.ndarray, np.ndarray]]


def equal_steps(rhs: NumpyLatentRhs, dt: float) -> Loop:
    """Return the loop over equal steps without forcing.

    Weights of the stages that are known beforehand make each of them one product, and dz/dt after a step is used again
    as that before the next one.
    """
    dtype = rhs.state.dtype
    slots = np.empty((5, *rhs.state.shape), dtype)  # z, k1, k2, k3, k4
    flat_slots, flat_state = slots.reshape(5, -1), rhs.state.reshape(-1)
    *stages, end = (np.array([row[0], *(dt * c for c in row[1:])], dtype).dot for row in STAGES)
    stages = [(combine, flat_slots[: k + 2], slots[k + 2]) for k, combine in enumerate(stages)]

    def run(states: np.ndarray, chosen: slice) -> tuple[np.ndarray, np.ndarray]:
        rates, flat_states = np.empty_like(states), states.reshape(len(states), -1)
        for k in range(chosen.stop - chosen.start):
            slots[0] = rhs.state[...] = states[k]
            rhs(slots[1])
            for combine, so_far, slope in stages:
                combine(so_far, flat_state)
                rhs(slope)
            rates[k] = slots[1]
            end(flat_slots, flat_states[k + 1])
        rhs.state[...] = states[-1]
        rhs(rates[-1])
        return rates[:-1], rates[1:]

    return run


def steps_with_forcing(rhs: NumpyLatentRhs, grid: StepGrid, forcing: Forcing) -> Loop:
    """Return the loop over steps with forcing, which may differ in length."""
    dtype = rhs.state.dtype

    def run(states: np.ndarray, chosen: slice) -> tuple[np.ndarray, np.ndarray]:
        lengths = grid.step_lengths[chosen].astype(dtype)
        # (K, 3, trajectory, q) becomes (K, 3, q, *batch).
        driving = forcing.on_steps(grid.edges[chosen.start : chosen.stop + 1]).numpy().astype(dtype).swapaxes(2, 3)
        driving = np.ascontiguousarray(driving).reshape(*driving.shape[:3], *states.shape[2:])
        before, after = (np.empty_like(states[1:]) for _ in range(2))
        k2, k3, k4 = (np.empty_like(states[0]) for _ in range(3))
        for k, dt in enumerate(lengths):
            x, k1, half = states[k], before[k], 0.5 * dt
            start, middle, end = driving[k]
            rhs.evaluate(x, start, k1)
            rhs.evaluate(x + half * k1, middle, k2)
            rhs.evaluate(x + half * k2, middle, k3)
            rhs.evaluate(x + dt * k3, end, k4)
            states[k + 1] = x + dt / 6 * (k1 + 2 * (k2 + k3) + k4)
            rhs.evaluate(states[k + 1], end, after[k])
        return before, after

    return run


class NumpyLatentRhs:
    """Right-hand side of the latent ODE in NumPy, in buffers that are allocated once (see the top of this file).

    Parameters
    ----------
    dynamics : LatentDynamics
        The same right-hand side in torch.
    parameters : torch.Tensor, shape (trajectory, p)
        Parameters of each trajectory.
    batch : tuple of int
        (trajectory,), or () for a single state.
    n_forcing : int
        Number q of inputs and time features.

    Attributes
    ----------
    state : numpy.ndarray, shape (d, *batch)
        Write the latent states here before a call.
    forcing : numpy.ndarray, shape (q, *batch)
        Write the forcing here before a call.
    """

    def __init__(self, dynamics: LatentDynamics, parameters: Tensor, batch: tuple[int, ...], n_forcing: int = 0):
        hidden, output, activation = merge_weights(dynamics)
        dtype = dynamics.linear.weight.detach().numpy().dtype
        d, m = dynamics.linear.out_features, dynamics.linear.in_features + 1
        # Methods of the matrices, here and below: np.dot takes half as long again for such short vectors.
        self._output = output.astype(dtype).dot
        self._features = np.ones((output.shape[1], *batch), dtype)
        y, self._outer_product = self._features[-m:], None
        if dynamics.quadratic is not None:
            y = np.ones((m, *batch), dtype)
            # NumPy forms an outer product of two short vectors faster as a product of matrices.
            multiply = partial(np.multiply, y[:, None]) if batch else y[:, None].dot
            self._outer_product = partial(multiply, y[None], self._features[-m * m :].reshape(m, m, *batch))
        first_input = m - 1 - n_forcing
        self.state, self.forcing = y[:d], y[first_input : m - 1]
        y[d:first_input] = parameters.numpy().T.reshape(first_input - d, *batch)
        self._hidden = []
        inputs = y
        for k, weight in enumerate(hidden, start=1):
            width = len(weight)
            target = self._features if k == len(hidden) else np.ones((width + 1, *batch), dtype)
            sums = np.empty((width, *batch), dtype)
            self._hidden.append((weight.astype(dtype).dot, inputs, sums, activation, target[:width]))
            inputs = target

    def evaluate(self, state: np.ndarray, forcing: np.ndarray, out: np.ndarray) -> None:
        """Write dz/dt at a state (d, *batch) and forcing (q, *batch) to `out` (d, *batch)."""
        self.state[...] = state
        self.forcing[...] = forcing
        self(out)

    def __call__(self, out: np.ndarray) -> None:
        """Write dz/dt at `state` and `forcing` to `out` (d, *batch), which must be contiguous."""
        for product, inputs, sums, activation, outputs in self._hidden:
            product(inputs, sums)
            activation(sums, outputs)
        if self._outer_product is not None:
            self._outer_product()
        self._output(self._features, out)


def merge_weights(
    dynamics: LatentDynamics,
) -> tuple[list[np.ndarray], np.ndarray, Callable[[np.ndarray, np.ndarray], object]]:
    """Return the matrices of the hidden layers, the output matrix, and the activation.

    All affine maps are matrices that act on (inputs, 1), so biases cost nothing. The normalisation of the neural
    correction is part of its first layer, its gain part of the output matrix, and the linear part of h is a slice of
    the quadratic one. Matrices are in float64.
    """
    linear = affine_matrix(dynamics.linear)
    d, m = linear.shape
    polynomial = linear
    if dynamics.quadratic is not None:
        products = np.zeros((d, m, m))
        products[:, :-1, :-1] = full(in_float64(dynamics.quadratic.weight), m - 1).reshape(d, m - 1, m - 1)
        products[:, :, -1] = linear
        polynomial = products.reshape(d, -1)
    network = dynamics.correction
    if network is None:
        return [], polynomial, np.tanh
    *hidden, output = (affine_matrix(cast(nn.Linear, layer)) for layer in network.layers)
    hidden[0][:, :-1] *= in_float64(network.inverse_spread)
    hidden[0][:, -1] -= hidden[0][:, :-1] @ in_float64(network.shift)
    output *= in_float64(network.gain)
    polynomial[:, -1] += output[:, -1]
    return hidden, np.hstack([output[:, :-1], polynomial]), NUMPY_ACTIVATIONS[network.activation]


def affine_matrix(layer: nn.Linear) -> np.ndarray:
    """Return weight and bias as one matrix (n_out, n_in + 1) in float64."""
    return np.column_stack([in_float64(layer.weight), in_float64(layer.bias)])


def in_float64(tensor: Tensor) -> np.ndarray:
    """Return the values of a tensor as an array in float64."""
    return tensor.detach().double().numpy()
