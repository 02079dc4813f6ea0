"""What a reference is, and ways to make one: closed forms, Taylor series, a second discretisation with a second solver."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import mpmath
import numpy as np
from scipy.integrate import solve_ivp

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


def taylor(system: systems.System, rates: Callable[..., list], x0: list[float], t: np.ndarray) -> Reference:
    """A second solver, Taylor series of twenty digits, for an f that is written again component by component."""
    with mpmath.workdps(20):
        solve = mpmath.odefun(lambda _, x: rates(*x), 0, x0)
        trajectory = np.array([[float(v) for v in solve(s)] for s in t])
    states = np.asarray(system.sample_initial(8, seed=5).values)
    exact = np.array([[float(v) for v in rates(*map(mpmath.mpf, x))] for x in states])
    return Reference(system, "second code, Taylor series of 20 digits", states, exact, t, trajectory)


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
