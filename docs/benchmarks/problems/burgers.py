"""Burgers' equation, 128 points, nu = 0.01, with harmonic initial states or sums of two bumps."""

from __future__ import annotations

import numpy as np

import systems
from problems import POINTS, TEST, TRAIN, Problem

SNAPSHOTS = 20  # of 0.1, in training; tests go on for ten times as many
HORIZONS = (20, 40)
ERRORS = {f"mse, harmonic, {count}": f"{count} snapshots" for count in (*HORIZONS, 10 * SNAPSHOTS)}  # figure -> words


def harmonic(seed: int, quick: bool = False) -> Problem:
    """Return the problem with harmonic initial states for training and tests.

    256 trajectories of 20 snapshots, 16,384 points of the system's own sampler; 64 test trajectories of 200 snapshots.
    """
    system = systems.Burgers(n=128, viscosity=0.01)
    return problem(system, system, seed, 32 if quick else 256, 2048 if quick else 16_384, quick)


def bumps(seed: int, n_trajectories: int, n_points: int, noise: float = 0.0, quick: bool = False) -> Problem:
    """Return the problem with trajectories from two bumps, and harmonic collocation points and tests.

    The points are those of the harmonic Burgers' own sampler: one in five an initial state, the others along flows from such.
    `noise`: standard deviation of what is added to the states of the training trajectories.
    """
    source = systems.Burgers(n=128, viscosity=0.01, initial="bumps")
    return problem(
        source, systems.Burgers(n=128, viscosity=0.01), seed, n_trajectories, n_points, quick, noise
    )  # fmt: skip


def problem(
    source: systems.System, target: systems.System, seed: int, n_trajectories: int, n_points: int, quick: bool,
    noise: float = 0.0,
) -> Problem:  # fmt: skip
    """Return the problem with trajectories of `source`, points and tests of `target`."""
    times, long = np.arange(SNAPSHOTS) * 0.1, np.arange(10 * SNAPSHOTS) * 0.1
    states = systems.simulate(source, n_trajectories, times, seed=TRAIN + seed)["state"].values
    states = states + noise * np.random.default_rng([seed, 12]).standard_normal(states.shape)
    collocation = None
    if n_points:
        pairs = systems.collocate(target, n_points, seed=POINTS + seed)
        collocation = (pairs["state"].values, pairs["time_derivative"].values)
    test = systems.simulate(target, 8 if quick else 64, long, seed=TEST + seed)["state"].values
    return Problem("burgers", target, times, states, collocation, {"harmonic": (long, test)}, HORIZONS)
