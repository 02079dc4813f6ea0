"""Inviscid Burgers' equation over two parameters of its initial state, as in papers on latent-space dynamics.

u_t + u u_x = 0 on [-3, 3), periodic; u(x, 0) = a exp(-x^2 / (2 w^2)), a in [0.7, 0.9], w in [0.9, 1.1]. Space: first-order
upwind, u_i (u_i - u_{i-1}) / dx; time: 1,000 steps of backward Euler to t = 1. The source has 1,001 points, with
both ends of the period; here are the 1,000 points that differ. Reference: He, Choi, Fries, Belof & Chen, J. Comput. Phys. 489 (2023)
112267, and its public code.
"""

from __future__ import annotations

import time

import numpy as np

import systems
from problems import Problem

N_POINTS, N_STEPS, T_END = 1000, 1000, 1.0
AMPLITUDES, WIDTHS = (0.7, 0.9), (0.9, 1.1)
EVERY = 10  # time steps between the states that are tested: 441 whole solutions would be 3.5 GB
BLOCK = 16  # solutions at a time: their states fit a core's cache


def grid(quick: bool = False) -> Problem:
    """Return the problem: 4 x 4 parameters at all 1,001 times for training, 21 x 21 at 101 times for tests."""
    train, fine = parameter_grid(4), parameter_grid(5 if quick else 21)
    times = np.linspace(0.0, T_END, N_STEPS + 1)
    states = solve(train, 1)
    test = {"grid": (times[::EVERY], solve(fine, EVERY))}
    return Problem("inviscid", system(), times, states, None, test, parameters=train, test_parameters={"grid": fine})


def system() -> systems.System:
    """Return the same discretisation in space as a system.

    The parameters a and w enter by the initial state only.
    """
    dx = 6.0 / N_POINTS

    def f(u, mu):  # noqa: ARG001
        return -u * (u - np.roll(u, 1, axis=-1)) / dx

    box = {"a": (0.8, *AMPLITUDES), "w": (1.0, *WIDTHS)}
    return systems.from_rhs(f, N_POINTS, dims=("x",), parameters=box, batched=True)


def parameter_grid(count: int) -> np.ndarray:
    """Return a grid of a and w, (count^2, 2)."""
    return np.stack(np.meshgrid(np.linspace(*AMPLITUDES, count), np.linspace(*WIDTHS, count)), axis=-1).reshape(-1, 2)


def initial(parameters: np.ndarray) -> np.ndarray:
    """Return initial states (N, N_POINTS) for parameters (N, 2)."""
    x = -3.0 + 6.0 / N_POINTS * np.arange(N_POINTS)
    a, w = parameters[:, :1], parameters[:, 1:]
    return a * np.exp(-(x**2) / (2 * w**2))


def solve(parameters: np.ndarray, every: int) -> np.ndarray:
    """Return solutions (N, N_STEPS // every + 1, N_POINTS) at every `every`-th time step."""
    states = np.empty((len(parameters), N_STEPS // every + 1, N_POINTS))
    for start in range(0, len(parameters), BLOCK):
        u = before = initial(parameters[start : start + BLOCK])
        states[start : start + BLOCK, 0] = u
        for step in range(1, N_STEPS + 1):
            u, before = backward_euler(u, 2 * u - before), u
            if step % every == 0:
                states[start : start + BLOCK, step // every] = u
    return states


def seconds_of_one() -> float:
    """Return the seconds of the full-order model for one parameter, solved in blocks."""
    started = time.perf_counter()
    solve(np.tile(np.array([[0.8, 1.0]]), (BLOCK, 1)), EVERY)
    return (time.perf_counter() - started) / BLOCK


def backward_euler(u: np.ndarray, guess: np.ndarray) -> np.ndarray:
    """Return the solution v of v_i + c v_i (v_i - v_{i-1}) = u_i, c = dt / dx, for states u (N, n) >= 0.

    Given v_{i-1}, v_i is the root of a quadratic. Sweeps over all points at once contract by c v / (1 + c v) < 0.15 each.
    """
    c = T_END / N_STEPS * N_POINTS / 6.0
    v = guess
    for _ in range(30):
        half = 0.5 * (1.0 - c * np.roll(v, 1, axis=1))
        new = u / (half + np.sqrt(half * half + c * u))  # the root written without cancellation
        if np.abs(new - v).max() < 1e-13:
            return new
        v = new
    raise RuntimeError("the sweeps of backward Euler do not converge")
