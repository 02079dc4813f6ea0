"""One training step in JAX, jitted, in float32, on full states."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

from steps.arrays import HIDDEN, LATENT_HIDDEN, Arrays, at_full_order

FLOOR = 1e-12


class ClassicalRungeKutta(diffrax.AbstractERK):
    """The classical Runge-Kutta method, which diffrax does not have with fixed steps."""

    tableau: ClassVar[diffrax.ButcherTableau] = diffrax.ButcherTableau(
        c=np.array([0.5, 0.5, 1.0]),
        b_sol=np.array([1 / 6, 1 / 3, 1 / 3, 1 / 6]),
        b_error=np.array([0.0, 0.0, 0.0, 0.0]),
        a_lower=(np.array([0.5]), np.array([0.0, 0.5]), np.array([0.0, 0.0, 1.0])),
    )
    interpolation_cls: ClassVar[Callable] = diffrax.ThirdOrderHermitePolynomialInterpolation.from_k

    def order(self, terms):  # noqa: ARG002
        """Return the order of the method."""
        return 4


def network(weights: dict, part: str, n_hidden: int, x: jax.Array) -> jax.Array:
    """Return an affine map plus a tanh network of x."""

    def layer(name: str, y: jax.Array) -> jax.Array:
        return y @ weights[f"{part}.{name}.weight"].T + weights[f"{part}.{name}.bias"]

    y = x
    for k in range(n_hidden):
        y = jnp.tanh(layer(str(k), y))
    return layer("linear", x) + layer(str(n_hidden), y)


def scan_rollout(h: Callable, z0: jax.Array, dt: float, n_steps: int) -> jax.Array:
    """Return latent states (K, B, d) after each step, by `lax.scan`."""

    def one(z, _):
        k1 = h(z)
        k2 = h(z + 0.5 * dt * k1)
        k3 = h(z + 0.5 * dt * k2)
        k4 = h(z + dt * k3)
        z = z + dt / 6 * (k1 + 2 * (k2 + k3) + k4)
        return z, z

    return jax.lax.scan(one, z0, None, length=n_steps)[1]


def diffrax_rollout(h: Callable, z0: jax.Array, dt: float, n_steps: int) -> jax.Array:
    """Return latent states (K, B, d) after each step, by diffrax."""
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(lambda _t, z, _args: h(z)), ClassicalRungeKutta(), 0.0, n_steps * dt, None, z0,
        stepsize_controller=diffrax.StepTo(dt * jnp.arange(n_steps + 1)), saveat=diffrax.SaveAt(steps=True),
        max_steps=n_steps, adjoint=diffrax.RecursiveCheckpointAdjoint(checkpoints=n_steps),
    )  # fmt: skip
    return solution.ys


def make(arrays: Arrays, rollout: Callable) -> Callable:
    """Return the step as a function, with a given rollout."""
    full = {name: jnp.asarray(value, dtype=jnp.float32) for name, value in at_full_order(arrays).items()}
    weights = {name: value for name, value in full.items() if name.endswith((".weight", ".bias"))}
    dt = float(arrays["interval"])
    spread_x, spread_f = map(float, arrays["spreads"])

    def losses(weights, windows, points, derivatives):
        def encoder(x):
            return network(weights, "encoder", len(HIDDEN), x)

        def dynamics(z):
            return network(weights, "dynamics", len(LATENT_HIDDEN), z)

        def decoder(z):
            return network(weights, "decoder", len(HIDDEN), z)

        latent = encoder(windows)
        predicted = rollout(dynamics, latent[0], dt, len(windows) - 1)
        reconstruction = jnp.mean((decoder(latent) - windows) ** 2) / spread_x
        prediction = jnp.mean((decoder(predicted) - windows[1:]) ** 2) / spread_x
        z, velocity = jax.jvp(encoder, (points,), (derivatives,))
        rate = dynamics(z)
        latent_physics = jnp.mean((velocity - rate) ** 2) / (jnp.mean(jnp.var(velocity, axis=0)) + FLOOR)
        x, decoded_velocity = jax.jvp(decoder, (z,), (rate,))
        decoded_physics = jnp.mean((decoded_velocity - derivatives) ** 2) / spread_f
        collocation = jnp.mean((x - points) ** 2) / spread_x
        return reconstruction + prediction + latent_physics + decoded_physics + collocation

    gradient = jax.jit(jax.value_and_grad(losses))

    def step() -> float:
        loss, gradients = gradient(weights, full["windows"], full["points"], full["derivatives"])
        jax.block_until_ready(gradients)
        return float(loss)

    return step


def jax_diffrax(arrays: Arrays) -> Callable:
    """Return the step with the rollout of diffrax."""
    return make(arrays, diffrax_rollout)


def jax_scan(arrays: Arrays) -> Callable:
    """Return the step with the rollout by `lax.scan`."""
    return make(arrays, scan_rollout)
