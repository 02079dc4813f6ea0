"""The lifted Duffing oscillator, x = A z^3 with 128 components, as in a course and as in a paper."""

from __future__ import annotations

import numpy as np

import systems
from problems import POINTS, TEST, TRAIN, Problem

LOW, HIGH = np.array([-1.5, -1.0]), np.array([1.5, 1.0])  # of the sampled box of z
BASINS = ("left", "right", "outer")


def course(seed: int, quick: bool = False) -> Problem:
    """Return the problem of a public course.

    Training: 600 trajectories x 11 times on [0, 1] from z1 in [-1.5, 0.5]; 10,000 points with z1 in [0.5, 1.5]; z2 in [-1, 1].

    Tests: 100 trajectories from the whole box, at 21 times on [0, 1] and on [0, 2].
    """
    system = systems.LiftedDuffing()
    rng = np.random.default_rng([seed, 11])

    def states(n: int, low: float, high: float) -> np.ndarray:
        return system.decode(np.column_stack([rng.uniform(low, high, n), rng.uniform(LOW[1], HIGH[1], n)]))

    times = np.linspace(0, 1, 11)
    train = systems.simulate(system, t=times, initial=states(60 if quick else 600, -1.5, 0.5))
    points = states(1000 if quick else 10_000, 0.5, 1.5)
    initial = states(20 if quick else 100, -1.5, 1.5)
    test = {}
    for horizon in (1, 2):
        t = np.linspace(0, horizon, 21)
        test[f"[0, {horizon}]"] = (t, systems.simulate(system, t=t, initial=initial)["state"].values)
    return Problem("duffing_course", system, times, train["state"].values, (points, system.rhs(points)), test)


def paper(seed: int, quick: bool = False) -> Problem:
    """Return the problem of the paper, with a quarter of its data.

    Training: 1,536 trajectories of the left basin, 51 snapshots of 0.1; 12,500 points of the right basin and of the outer one.

    Tests: 100 trajectories of each basin over ten training horizons, to t = 50. All states at t = 0 and all points are
    uniform within their basin's part of the box z in [-1.5, 1.5] x [-1, 1]. After Sholokhov et al. 2023, with a quarter
    of its data.
    """
    system = systems.LiftedDuffing()
    shrink = 32 if quick else 1
    times = np.linspace(0.0, 5.0, 51)
    initial = system.decode(in_basin("left", 1536 // shrink, [TRAIN + seed]))
    train = systems.simulate(system, t=times, initial=initial)
    points = system.decode(
        np.concatenate([in_basin(basin, 12_500 // shrink, [POINTS + seed]) for basin in ("right", "outer")])
    )
    long = np.linspace(0.0, 50.0, 501)
    test = {}
    for basin in BASINS:
        initial = system.decode(in_basin(basin, 8 if quick else 100, [TEST + seed]))
        test[basin] = (long, systems.simulate(system, t=long, initial=initial)["state"].values)
    return Problem("duffing_paper", system, times, train["state"].values, (points, system.rhs(points)), test, (51, 101))


def in_basin(basin: str, n: int, seed: list[int]) -> np.ndarray:
    """Draw states z (n, 2), uniform in the part of the box that belongs to a basin.

    The energy z2^2/2 - z1^2/2 + z1^4/4 tells the basins apart.

    Below zero the oscillator stays in one of the two wells, above it goes around both.
    """
    rng = np.random.default_rng([*seed, BASINS.index(basin)])
    z = np.empty((0, 2))
    while len(z) < n:
        drawn = rng.uniform(LOW, HIGH, (4 * n, 2))
        energy = drawn[:, 1] ** 2 / 2 - drawn[:, 0] ** 2 / 2 + drawn[:, 0] ** 4 / 4
        inside = {
            "left": (energy < 0) & (drawn[:, 0] < 0),
            "right": (energy < 0) & (drawn[:, 0] > 0),
            "outer": energy > 0,
        }
        z = np.concatenate([z, drawn[inside[basin]]])
    return z[:n]


def leaves_box(system: systems.LiftedDuffing, states: np.ndarray) -> np.ndarray:
    """Return which trajectories (N,) of states (N, T, n) leave the sampled box of z at some time."""
    z = system.encode(states)
    return ((z < LOW) | (z > HIGH)).any(axis=(1, 2))
