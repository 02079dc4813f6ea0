"""Full-order solvers that a forecast is compared with, each with settings from coarse to fine.

A solver is called as solver(field, x0, times, setting) with x0 (N, *shape) and returns states (N, T, *shape). Those with
fixed steps take `setting` as their longest step, the others as their relative tolerance.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.integrate import solve_ivp

from problems.fields import Field
from systems import LawsonDormandPrince
from systems.integrators import IntegrationFailure, march

RTOL = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
STEPS = tuple(0.2 * 0.5**k for k in range(10))
BLOCK = 32  # states that are integrated together: as many as a core's cache holds


@dataclass(frozen=True)
class Solver:
    """A solver with its settings from coarse to fine, the states per block, and the fields that it suits."""

    name: str
    solve: Callable[[Field, np.ndarray, np.ndarray, float], np.ndarray]
    settings: tuple[float, ...]
    block: int
    suits: Callable[[Field], bool] = lambda field: True  # noqa: ARG005

    def __call__(self, field: Field, x0: np.ndarray, times: np.ndarray, setting: float) -> np.ndarray:
        """Return states (N, T, *shape); they are not a number if the solver fails."""
        blocks = [x0[i : i + self.block] for i in range(0, len(x0), self.block)]
        # Settings that are too coarse overflow, or end in an error of linear algebra.
        with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
            try:
                return np.concatenate([self.solve(field, block, times, setting) for block in blocks])
            except (IntegrationFailure, ArithmeticError, ValueError, RuntimeError):
                return np.full((len(x0), len(times), *x0.shape[1:]), np.nan)


def exponential_runge_kutta(field: Field, x0: np.ndarray, times: np.ndarray, step: float) -> np.ndarray:
    """Solve with Lawson's integrating factor on the classical Runge-Kutta method, with fixed steps."""
    modes = [field.forward(x0)]
    for interval in np.diff(times):
        n_steps = math.ceil(interval / step - 1e-9)
        h = interval / n_steps
        half = np.exp(0.5 * h * field.symbol)
        y = modes[-1]
        for _ in range(n_steps):
            y = lawson_step(field, y, h, half)
        modes.append(y)
    return field.backward(np.stack(modes, axis=1))


def lawson_step(field: Field, y: np.ndarray, h: float, half: np.ndarray) -> np.ndarray:
    """Take one such step of length h from modes y; half is exp(h L / 2)."""
    k1 = field.nonlinear(y)
    moved = half * y
    k2 = field.nonlinear(moved + (0.5 * h) * (half * k1))
    k3 = field.nonlinear(moved + (0.5 * h) * k2)
    k4 = field.nonlinear(half * (moved + h * k3))
    return half * (moved + (h / 6.0) * (half * k1 + 2.0 * (k2 + k3))) + (h / 6.0) * k4


def semi_implicit(field: Field, x0: np.ndarray, times: np.ndarray, step: float) -> np.ndarray:
    """Solve with SBDF2 (Ascher, Ruuth & Wetton 1995), with fixed steps on uniform times.

    L is implicit and N extrapolated; there is one evaluation of N per step.
    """
    per_interval = math.ceil(np.max(np.diff(times)) / step - 1e-9)
    h = (times[1] - times[0]) / per_interval
    inverse = 1.0 / (3.0 - 2.0 * h * field.symbol)
    before = field.forward(x0)
    n_before = field.nonlinear(before)
    y = lawson_step(field, before, h, np.exp(0.5 * h * field.symbol))
    modes = [before]
    for step_number in range(1, per_interval * (len(times) - 1) + 1):
        if step_number % per_interval == 0:
            modes.append(y)
        n = field.nonlinear(y)
        before, y, n_before = y, inverse * (4.0 * y - before + (2.0 * h) * (2.0 * n - n_before)), n
    return field.backward(np.stack(modes, axis=1))


def adaptive_lawson(field: Field, x0: np.ndarray, times: np.ndarray, rtol: float) -> np.ndarray:
    """Solve with the solver of `systems.simulate` for systems with a stiff linear part."""
    y0 = field.forward(x0)
    rows = y0.reshape(len(x0), -1)

    def rhs(_t, flat):
        return field.nonlinear(flat.reshape(y0.shape)).ravel()

    repeats = rows.shape[1] // field.symbol.size  # of the symbol, once for every component
    symbol = np.tile(field.symbol.ravel(), repeats)[None]
    # So that the norm is the root mean square of the modes of one component: it has the scale of the states.
    grid = math.prod(field.shape[-field.n_axes :])
    weights = np.full(rows.shape[1], 2.0 / grid**2 / repeats)
    solver = LawsonDormandPrince(
        rhs, times[0], rows.ravel(), times[1], symbol=symbol, weights=weights, rtol=rtol, atol=0.1 * rtol
    )
    modes = march(solver, times)
    return np.moveaxis(field.backward(modes.reshape(len(times), *y0.shape)), 0, 1)


def scipy_solver(method: str, **options) -> Callable:
    """Return a solver that calls `solve_ivp`.

    All states of a block are one system, so that they share their steps.
    """

    def solve(field: Field, x0: np.ndarray, times: np.ndarray, rtol: float) -> np.ndarray:
        settings = dict(options)
        if method in ("BDF", "Radau"):
            settings["jac"] = lambda _t, y: field.jacobian(y)
        solution = solve_ivp(
            lambda _t, y: field.rhs(y.reshape(x0.shape)).ravel(), (times[0], times[-1]), x0.ravel(), method,
            t_eval=times, rtol=rtol, atol=0.1 * rtol, **settings,
        )  # fmt: skip
        if not solution.success:
            raise IntegrationFailure(solution.message)
        return np.moveaxis(solution.y.T.reshape(len(times), *x0.shape), 0, 1)

    return solve


def folded_lsoda(field: Field, x0: np.ndarray, times: np.ndarray, rtol: float) -> np.ndarray:
    """Solve one state on a periodic line with LSODA and a banded Jacobian.

    The line is folded in two, so that neighbours are two places apart.
    """
    n = x0.size
    order = np.empty(n, dtype=int)
    order[0::2] = np.arange((n + 1) // 2)
    order[1::2] = np.arange(n - 1, (n - 1) // 2, -1)
    back = np.argsort(order)
    solution = solve_ivp(
        lambda _t, y: field.rhs(y[back])[order], (times[0], times[-1]), x0.ravel()[order], "LSODA",
        t_eval=times, rtol=rtol, atol=0.1 * rtol, lband=2, uband=2,
    )  # fmt: skip
    if not solution.success:
        raise IntegrationFailure(solution.message)
    return solution.y.T[:, back].reshape(1, len(times), *x0.shape[1:])


def has_jacobian(field: Field) -> bool:
    """Return whether a field has a sparse Jacobian."""
    return field.jacobian is not None


def on_a_line(field: Field) -> bool:
    """Return whether a field has a sparse Jacobian and one dimension."""
    return has_jacobian(field) and len(field.shape) == 1


# The likely winners first: they tell how long the others may take.
SOLVERS = (
    Solver("SBDF2, fixed steps", semi_implicit, STEPS, BLOCK),
    Solver("Lawson RK4, fixed steps", exponential_runge_kutta, STEPS, BLOCK),
    Solver("Lawson RK5(4)", adaptive_lawson, RTOL, BLOCK),
    Solver("RK23", scipy_solver("RK23"), RTOL, BLOCK),
    Solver("RK45", scipy_solver("RK45"), RTOL, BLOCK),
    Solver("LSODA, banded Jacobian", folded_lsoda, RTOL, 1, on_a_line),
    Solver("BDF, sparse Jacobian", scipy_solver("BDF"), RTOL, 1, has_jacobian),
    Solver("Radau, sparse Jacobian", scipy_solver("Radau"), RTOL, 1, has_jacobian),
)
REFERENCE = adaptive_lawson, 1e-8
