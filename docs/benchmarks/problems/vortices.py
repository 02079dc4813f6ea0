"""Three vortices in a periodic box, two of one sign and one of the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import systems

STRENGTHS = (3.0, 3.0, -3.0)
RADIUS = 0.5
TIMES = np.linspace(0.0, 10.0, 51)
SPREAD = 0.5  # of a centre around the corner of a triangle, each way


@dataclass(frozen=True)
class Vortices(systems.NavierStokes2D):
    """Three Gaussian vortices, each at a random place around a corner of a triangle.

    Six numbers determine an initial state.
    """

    def _initial(self, n, seed):
        y, x = np.meshgrid(self.coords["y"], self.coords["x"], indexing="ij")
        offsets = np.random.default_rng(seed).uniform(-SPREAD, SPREAD, (n, 3, 2, 1, 1))
        states = np.zeros((n, self.n, self.n))
        for k, strength in enumerate(STRENGTHS):
            corner = np.pi + 1.1 * np.array([np.cos(2 * np.pi * k / 3), np.sin(2 * np.pi * k / 3)])
            square = 0.0
            for axis, coordinate in enumerate(
                (x, y)
            ):  # the distance to the next of all periodic copies, up to rounding
                away = coordinate - corner[axis] - offsets[:, k, axis]
                square = square + ((away + np.pi) % (2 * np.pi) - np.pi) ** 2
            states += strength * np.exp(-square / (2 * RADIUS**2))
        return states - states.mean(axis=(1, 2), keepdims=True)
