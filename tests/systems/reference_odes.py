"""References of the built-in systems of ordinary differential equations."""

from __future__ import annotations

import mpmath
import numpy as np
from reference import Reference, from_solution, taylor
from scipy.special import ellipj, ellipk

import systems


def duffing() -> Reference:
    """In a well, x = a dn(a t / sqrt 2, m) with m = 2 - 2 / a^2."""
    a = 1.3
    m, c = 2 - 2 / a**2, a / np.sqrt(2)

    def solution(t):
        sn, cn, dn, _ = ellipj(c * t, m)
        return np.array([a * dn, -a * c * m * sn * cn])

    return from_solution(systems.Duffing(), "closed form (elliptic functions)", solution, np.linspace(0, 20, 41))


def pendulum() -> Reference:
    """Released at rest from the angle a: sin(x / 2) = k sn(K - t), k = sin(a / 2)."""
    k = np.sin(0.5 * 2.0)

    def solution(t):
        sn, cn, _, _ = ellipj(ellipk(k * k) - t, k * k)
        return np.array([2 * np.arcsin(k * sn), -2 * k * cn])

    return from_solution(systems.Pendulum(), "closed form (elliptic functions)", solution, np.linspace(0, 20, 41))


def van_der_pol() -> Reference:
    m = mpmath.mpf("1.4")
    system = systems.VanDerPol(damping=1.4)
    return taylor(system, lambda x, y: [y, m * (1 - x * x) * y - x], [2.0, 0.5], np.linspace(0, 8, 9))


def lorenz() -> Reference:
    def rates(x, y, z):
        return [9 * (y - x), x * (27 - z) - y, x * y - mpmath.mpf("2.5") * z]

    return taylor(systems.Lorenz(sigma=9.0, rho=27.0, beta=2.5), rates, [1.0, 2.0, 20.0], np.linspace(0, 2, 5))


def rossler() -> Reference:
    def rates(x, y, z):
        return [-y - z, x + mpmath.mpf("0.17") * y, mpmath.mpf("0.25") + z * (x - 5)]

    return taylor(systems.Rossler(a=0.17, b=0.25, c=5.0), rates, [4.0, 3.0, 0.5], np.linspace(0, 8, 9))


def lorenz96() -> Reference:
    def rates(*x):
        n = len(x)
        return [(x[(i + 1) % n] - x[i - 2]) * x[i - 1] - x[i] + 7 for i in range(n)]

    x0 = [8.0 + 0.1 * i for i in range(6)]
    return taylor(systems.Lorenz96(n=6, forcing=7.0), rates, x0, np.linspace(0, 1, 3))
