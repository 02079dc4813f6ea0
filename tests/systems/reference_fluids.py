"""References of the built-in systems of fluids."""

from __future__ import annotations

import numpy as np
from reference import Reference
from scipy.optimize import brentq

import systems


def navier_stokes(n: int = 32) -> Reference:
    """Rates of two waves, which exchange vorticity; the trajectory is that of Taylor-Green vortices, which decay.

    With w = cos(k.x) + b cos(l.x) the advection is b (k x l) (1/l^2 - 1/k^2) sin(k.x) sin(l.x).
    """
    nu = 0.05
    system = systems.NavierStokes2D(n=n, viscosity=nu)
    y, x = np.meshgrid(system.coords["y"], system.coords["x"], indexing="ij")
    (k_x, k_y), (l_x, l_y), b = (2, 1), (1, -3), 0.7
    k, m = k_x * x + k_y * y, l_x * x + l_y * y
    kk, ll = k_x**2 + k_y**2, l_x**2 + l_y**2
    advection = b * (k_x * l_y - k_y * l_x) * (1 / ll - 1 / kk) * np.sin(k) * np.sin(m)
    states = np.cos(k) + b * np.cos(m)
    rates = -advection - nu * (kk * np.cos(k) + ll * b * np.cos(m))

    def solution(t):
        return 2 * np.cos(x) * np.cos(y) * np.exp(-2 * nu * t)

    t = np.linspace(0, 10, 6)
    trajectory = np.stack([solution(s) for s in t])
    return Reference(system, "closed form (two waves; Taylor-Green)", states[None], rates[None], t, trajectory)


def euler(n: int = 256) -> Reference:
    """Rates of a density wave that is carried along; the trajectory is the exact solution of Sod's Riemann problem."""
    system = systems.Euler1D(n=n)
    x = system.coords["x"]
    # Constant near the open ends.
    bump = np.exp(-(((x - 0.5) / 0.1) ** 2))
    density, slope = 1 + 0.5 * bump, -0.5 * bump * 2 * (x - 0.5) / 0.01
    states = system.conserved(density, 0.7, 1.0)
    rates = -0.7 * slope * np.array([1.0, 0.7, 0.5 * 0.7**2])[:, None]
    t = np.array([0.0, 0.1, 0.2])
    trajectory = np.stack([sod(system, x, s) for s in t])
    return Reference(
        system,
        "closed form (carried wave; Sod's Riemann problem)",
        states[None],
        rates[None],
        t,
        trajectory,
        {"pressure": 1.0},
    )


def sod(system: systems.Euler1D, x: np.ndarray, t: float) -> np.ndarray:
    """The exact solution for (density, pressure) = (1, 1) and (0.125, 0.1) at rest: Toro, sec. 4.3."""
    g = 1.4
    (r_l, p_l), (r_r, p_r) = (1.0, 1.0), (0.125, 0.1)
    c_l, c_r = np.sqrt(g * p_l / r_l), np.sqrt(g * p_r / r_r)

    def right(p):  # velocity behind a shock
        return (p - p_r) * np.sqrt(2 / (g + 1) / r_r / (p + (g - 1) / (g + 1) * p_r))

    def left(p):  # velocity behind a rarefaction
        return 2 * c_l / (g - 1) * (1 - (p / p_l) ** ((g - 1) / (2 * g)))

    p = brentq(lambda p: left(p) - right(p), p_r, p_l)
    u, r_contact = left(p), r_l * (p / p_l) ** (1 / g)
    q = p / p_r
    r_shock = r_r * (q + (g - 1) / (g + 1)) / (q * (g - 1) / (g + 1) + 1)
    shock = c_r * np.sqrt((g + 1) / (2 * g) * q + (g - 1) / (2 * g))
    s = (x - 0.5) / t if t > 0 else np.where(x < 0.5, -np.inf, np.inf)
    head, tail = -c_l, u - c_l * (p / p_l) ** ((g - 1) / (2 * g))
    fan_u = 2 / (g + 1) * (c_l + np.clip(s, head, tail))
    fan_c = c_l - (g - 1) / 2 * fan_u
    fan_r = r_l * (fan_c / c_l) ** (2 / (g - 1))
    fan_p = p_l * (fan_c / c_l) ** (2 * g / (g - 1))
    where = [s < head, s < tail, s < u, s < shock]
    density = np.select(where, [r_l, fan_r, r_contact, r_shock], r_r)
    velocity = np.select(where, [0.0, fan_u, u, u], 0.0)
    pressure = np.select(where, [p_l, fan_p, p, p], p_r)
    return system.conserved(density, velocity, pressure)
