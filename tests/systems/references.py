"""Independent references for the built-in systems: exact rates at some states, and a trajectory, of each.

Closed forms where there are any; otherwise a second discretisation (dense matrices of derivatives, in place of transforms)
or a second solver (Taylor series of twenty digits, Radau). Nothing here calls f of the system that it checks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import mpmath
import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from scipy.special import ellipj, ellipk

import systems


@dataclass(frozen=True)
class Reference:
    """What is known of a system without its code.

    check: where it comes from. states, rates: (N, *shape). t: (T,). trajectory: (T, *shape), from the first state on.
    mu: parameters of the trajectory and the rates.
    """

    system: systems.System
    check: str
    states: np.ndarray
    rates: np.ndarray
    t: np.ndarray
    trajectory: np.ndarray
    mu: dict[str, float] = field(default_factory=dict)

    def error_of_f(self) -> float:
        return difference(self.system.rhs(self.states, self.mu or None), self.rates)

    def error_of_trajectory(self, **settings) -> float:
        runs = systems.simulate(
            self.system, t=self.t, initial=self.trajectory[0], parameters=self.mu or None, verbose=False, **settings
        )
        return difference(runs["state"].values[0], self.trajectory)


def difference(found: np.ndarray, exact: np.ndarray) -> float:
    """Mean absolute difference over the mean absolute value: it stays small where a front is off by a cell."""
    return float(np.abs(found - exact).mean() / np.abs(exact).mean())


def centred(derivative_of: Callable[[float], np.ndarray], t: np.ndarray, h: float = 1e-3) -> np.ndarray:
    """Time derivatives at t (T,) by eight-point differences of a function of time."""
    weights = {1: 4 / 5, 2: -1 / 5, 3: 4 / 105, 4: -1 / 280}
    return np.stack(
        [sum(w * (derivative_of(s + k * h) - derivative_of(s - k * h)) for k, w in weights.items()) / h for s in t]
    )


def from_solution(system, check, solution, t, mu=None) -> Reference:
    """A reference from a function of time that returns the state."""
    trajectory = np.stack([solution(s) for s in t])
    inner = np.linspace(t[0], t[-1], 6)[1:]
    return Reference(
        system, check, np.stack([solution(s) for s in inner]), centred(solution, inner), t, trajectory, mu or {}
    )


# -- ordinary ---------------------------------------------------------------------------------------------------------------


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


def taylor(system: systems.System, rates: Callable[..., list], x0: list[float], t: np.ndarray) -> Reference:
    """A second solver, Taylor series of twenty digits, for an f that is written again component by component."""
    with mpmath.workdps(20):
        solve = mpmath.odefun(lambda _, x: rates(*x), 0, x0)
        trajectory = np.array([[float(v) for v in solve(s)] for s in t])
    states = np.asarray(system.sample_initial(8, seed=5).values)
    exact = np.array([[float(v) for v in rates(*map(mpmath.mpf, x))] for x in states])
    return Reference(system, "second code, Taylor series of 20 digits", states, exact, t, trajectory)


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


# -- linear -----------------------------------------------------------------------------------------------------------------


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


# -- Burgers ----------------------------------------------------------------------------------------------------------------


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


# -- waves ------------------------------------------------------------------------------------------------------------------


def korteweg_de_vries(n: int = 256) -> Reference:
    system = systems.KortewegDeVries(n=n)
    x = system.coords["x"]

    def solution(t, c=2.0):
        images = [np.cosh(0.5 * np.sqrt(c) * (x - 10 - c * t - 40 * m)) ** -2 for m in range(-2, 4)]
        return 0.5 * c * sum(images)

    return from_solution(system, "closed form (soliton)", solution, np.linspace(0, 10, 6))


def fourier_derivative(n: int, length: float) -> np.ndarray:
    """The matrix of the first derivative at n points of a period, n even (Trefethen, Spectral Methods in MATLAB, ch. 3)."""
    i = np.arange(n)
    gap = i[:, None] - i
    with np.errstate(divide="ignore"):
        d = 0.5 * (-1.0) ** gap / np.tan(gap * np.pi / n)
    np.fill_diagonal(d, 0.0)
    return d * 2 * np.pi / length


def second_solver(system, check, rates, jacobian, x0, t, mu=None) -> Reference:
    """A second discretisation with SciPy's implicit Radau method; all states flat."""
    result = solve_ivp(
        lambda _, x: rates(x),
        (t[0], t[-1]),
        x0.ravel(),
        "Radau",
        t_eval=t,
        jac=lambda _, x: jacobian(x),
        rtol=1e-10,
        atol=1e-11,
    )
    trajectory = result.y.T
    exact = np.stack([rates(x) for x in trajectory])
    shape = (len(t), *system.shape)
    return Reference(
        system, check, trajectory.reshape(shape), exact.reshape(shape), t, trajectory.reshape(shape), mu or {}
    )


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


# -- diffusion --------------------------------------------------------------------------------------------------------------


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


# -- fluids -----------------------------------------------------------------------------------------------------------------


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


REFERENCES: dict[str, Callable[..., Reference]] = {
    "Duffing": duffing,
    "VanDerPol": van_der_pol,
    "Pendulum": pendulum,
    "Lorenz": lorenz,
    "Rossler": rossler,
    "Lorenz96": lorenz96,
    "Advection": advection,
    "Heat": heat,
    "Burgers": burgers,
    "Burgers2D": burgers_2d,
    "InviscidBurgers": inviscid_burgers,
    "ForcedBurgers": forced_burgers,
    "KortewegDeVries": korteweg_de_vries,
    "KuramotoSivashinsky": kuramoto_sivashinsky,
    "AllenCahn": allen_cahn,
    "FitzHughNagumo": fitzhugh_nagumo,
    "LambdaOmega": lambda_omega,
    "NavierStokes2D": navier_stokes,
    "Euler1D": euler,
}
