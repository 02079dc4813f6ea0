"""Spirals of the lambda-omega system with random phases, at fixed or at random centres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import systems

TIMES = np.linspace(0.0, 10.0, 51)


@dataclass(frozen=True)
class FixedSpirals(systems.LambdaOmega):
    """Spirals at the places that the source has; only their phase is random.

    Turning (u, v) by an angle is a symmetry, so all states of all trajectories are known by two numbers: the phase, and the
    time since the start.
    """

    def _initial(self, n, seed):
        y, x = np.meshgrid(self.coords["y"], self.coords["x"], indexing="ij")
        phase = 2 * np.pi * np.random.default_rng(seed).random((n, 1, 1))
        a, b = np.sin(2 * np.pi * x / 20), np.sin(2 * np.pi * y / 20)
        radius = np.hypot(a, b) * 20 / (2 * np.pi)
        angle = np.arctan2(b, a) - radius + phase
        return np.tanh(radius) * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def system(centres: str, n: int) -> systems.System:
    """Return the problem with "fixed" or "random" centres, on n x n points."""
    return {"fixed": FixedSpirals, "random": systems.LambdaOmega}[centres](n=n)
