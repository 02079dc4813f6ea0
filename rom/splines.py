"""Time derivatives along trajectories by interpolating splines, and where these can be trusted."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import make_interp_spline

__all__ = ["FEWEST_SNAPSHOTS", "spline_derivatives", "trusted_derivatives"]

DEGREES = (5, 3)  # of splines whose derivatives are compared
FEWEST_SNAPSHOTS = max(DEGREES) + 1
AGREEMENT = 1e-2  # of these two, in shares of the root mean square, from which they are believed


def spline_derivatives(times: np.ndarray, states: np.ndarray, degree: int = 5) -> np.ndarray:
    """Time derivatives of states (T, ..., r) at `times` (T,), by a spline of the highest odd degree up to `degree`."""
    degree = min(degree, len(times) - 1)
    spline = make_interp_spline(times, states, k=degree - (degree % 2 == 0), axis=0)
    return np.ascontiguousarray(spline.derivative()(times))


def trusted_derivatives(times: np.ndarray, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Time derivatives (T, ..., r), and where (T, ...) splines of two degrees agree about them.

    Noise, and snapshots that are too far apart, are told by their disagreement; not those that follow each other at
    nearly a whole period of an oscillation.
    """
    fine, coarse = (spline_derivatives(times, states, degree) for degree in DEGREES)
    return fine, np.square(fine - coarse).mean(axis=-1) <= AGREEMENT**2 * np.square(fine).mean()
