"""References of the built-in systems of transport, waves and diffusion."""

from __future__ import annotations

import numpy as np
from reference import Reference, fourier_derivative, from_solution, second_solver
from scipy.optimize import brentq

import systems


def advection(n: int = 256) -> Reference:
    system = systems.Advection(n=n, speed=-0.8)
    x = system.coords["x"]

    def solution(t):
        return np.exp(np.sin(2 * np.pi * (x + 0.8 * t)))

    return from_solution(system, "closed form (translation)", solution, np.linspace(0, 1, 6))


def heat(n: int = 128) -> Reference:
    system = systems.Heat(n=n, diffusivity=0.15)
    x = system.coords["x"]

    def solution(t):
        return sum(
            b * np.exp(-0.15 * (k * np.pi) ** 2 * t) * np.sin(k * np.pi * x) for k, b in ((1, 1.0), (2, -0.7), (4, 0.4))
        )

    return from_solution(system, "closed form (sines)", solution, np.linspace(0, 1, 6))


def burgers(n: int = 256) -> Reference:
    nu = 0.1
    system = systems.Burgers(n=n, viscosity=nu)
    x = system.coords["x"]

    def solution(t):
        a, b = np.exp(-nu * t), 0.3 * np.exp(-4 * nu * t)
        return -2 * nu * (2 * b * np.cos(2 * x) - a * np.sin(x)) / (1.6 + a * np.cos(x) + b * np.sin(2 * x))

    return from_solution(system, "closed form (Cole-Hopf)", solution, np.linspace(0, 5, 6))


def burgers_2d(n: int = 64) -> Reference:
    nu = 0.1
    system = systems.Burgers2D(n=n, viscosity=nu)
    y, x = np.meshgrid(system.coords["y"], system.coords["x"], indexing="ij")

    def solution(t):
        a, b = np.exp(-2 * nu * t), 0.4 * np.exp(-nu * t)
        potential = 2.0 + a * np.cos(x + y) + b * np.sin(y)
        return -2 * nu * np.stack([-a * np.sin(x + y), -a * np.sin(x + y) + b * np.cos(y)]) / potential

    return from_solution(system, "closed form (Cole-Hopf)", solution, np.linspace(0, 2, 5))


def inviscid_burgers(n: int = 1000) -> Reference:
    system = systems.InviscidBurgers(n=n)  # its parameters set the initial state only
    x = system.coords["x"]

    def start(s):
        s = (s + 3) % 6 - 3
        return 0.8 * np.exp(-(s**2) / 2)

    def solution(t):
        feet = [brentq(lambda s, x=x_i: s + t * start(s) - x, x_i - t - 1e-9, x_i + 1e-9, xtol=1e-13) for x_i in x]
        return start(np.array(feet))

    t = np.linspace(0, 1, 5)
    trajectory = np.stack([solution(s) for s in t])
    u = start(x)
    return Reference(
        system, "closed form (characteristics)", u[None], (u * x * u)[None], t, trajectory, {"amplitude": 0.8}
    )


def forced_burgers(n: int = 256) -> Reference:
    system = systems.ForcedBurgers(n=n)
    x, a, b = system.coords["x"], 4.5, 0.02
    steady = np.sqrt(a * a + 0.04 / b * (np.exp(b * x) - 1))
    # u = a + c x has the rate -c u + source; cells next to the ends see the inflow a, and no outflow.
    u = a + 0.05 * x
    rates = -0.05 * u + 0.02 * np.exp(b * x)
    t = np.array([0.0, 1.0, 100.0])
    trajectory = np.stack([steady, steady, steady])
    return Reference(
        system, "closed form (steady state)", u[None], rates[None], t, trajectory, {"inflow": a, "growth": b}
    )


def korteweg_de_vries(n: int = 256) -> Reference:
    system = systems.KortewegDeVries(n=n)
    x = system.coords["x"]

    def solution(t, c=2.0):
        images = [np.cosh(0.5 * np.sqrt(c) * (x - 10 - c * t - 40 * m)) ** -2 for m in range(-2, 4)]
        return 0.5 * c * sum(images)

    return from_solution(system, "closed form (soliton)", solution, np.linspace(0, 10, 6))


def kuramoto_sivashinsky(n: int = 96) -> Reference:
    system = systems.KuramotoSivashinsky(n=n)
    d = fourier_derivative(n, 22.0)
    second = d @ d
    linear = -second - second @ second
    x = system.coords["x"] * 2 * np.pi / 22.0
    x0 = np.cos(x) + 0.5 * np.sin(2 * x)
    return second_solver(
        system, "second discretisation (matrices), Radau", lambda u: linear @ u - u * (d @ u),
        lambda u: linear - np.diag(d @ u) - u[:, None] * d, x0, np.linspace(0, 20, 5),
    )  # fmt: skip


def allen_cahn(n: int = 256) -> Reference:
    system = systems.AllenCahn(n=n, width=0.07)
    d = fourier_derivative(n, 2.0)
    linear = 0.07**2 * (d @ d) + np.eye(n)
    x0 = np.sin(np.pi * system.coords["x"]) * 0.6 + 0.3 * np.cos(3 * np.pi * system.coords["x"])
    return second_solver(
        system, "second discretisation (matrices), Radau", lambda u: linear @ u - u**3,
        lambda u: linear - np.diag(3 * u**2), x0, np.linspace(0, 10, 5),
    )  # fmt: skip


def fitzhugh_nagumo(n: int = 64) -> Reference:
    system = systems.FitzHughNagumo(n=n)
    current, eps = 10.0, 0.015
    second = (np.eye(n, k=1) + np.eye(n, k=-1) - 2 * np.eye(n)) * n**2
    second[0, 0] = second[-1, -1] = -(n**2)

    def rates(x):
        v, w = x[:n], x[n:]
        v_t = eps * (second @ v) + (v * (v - 0.1) * (1 - v) - w + 0.05) / eps
        v_t[0] += eps * n * current
        return np.concatenate([v_t, 0.5 * v - 2 * w + 0.05])

    def jacobian(x):
        v = x[:n]
        slope = np.diag((-3 * v**2 + 2.2 * v - 0.1) / eps)
        return np.block([[eps * second + slope, -np.eye(n) / eps], [0.5 * np.eye(n), -2 * np.eye(n)]])

    x0 = np.stack([0.1 * np.cos(np.pi * system.coords["x"]), 0.0 * system.coords["x"]])
    return second_solver(
        system, "second code (matrices), Radau", rates, jacobian, x0, np.linspace(0, 2, 5), {"current": current}
    )


def lambda_omega(n: int = 32) -> Reference:
    """A plane wave of wavenumber k: u + i v = A exp(i (k x - w t)), the rotation times A^2 as frequency, A^2 = 1 - d k^2."""
    system = systems.LambdaOmega(n=n, diffusion=0.08, rotation=1.1)
    x = np.broadcast_to(system.coords["x"], (n, n))
    k = 2 * np.pi / 20 * 2
    a = np.sqrt(1 - 0.08 * k * k)

    def solution(t):
        phase = k * x - 1.1 * a * a * t
        return a * np.stack([np.cos(phase), np.sin(phase)])

    return from_solution(system, "closed form (plane wave)", solution, np.linspace(0, 10, 6))
