"""Derivatives in space: differences, and wavenumbers of periodic fields.

Differences use the functions of the array-API namespace `xp` alone, and act on arrays (..., n) of any kind. `h` is the
spacing of the points.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

__all__ = [
    "Boundary",
    "half_wavenumbers",
    "padded",
    "second_difference",
    "second_difference_eigenvalues",
    "upwind_difference",
    "wavenumbers",
]

# What lies beyond the ends of a field.
Boundary = Literal["dirichlet", "neumann"]


def padded(u: Any, boundary: Boundary, xp: Any) -> Any:
    """Return u (..., n) with one more value at each end, (..., n + 2).

    Parameters
    ----------
    u : array
        Values (..., n).
    boundary : {"dirichlet", "neumann"}
        "dirichlet": zero at one spacing beyond the last point. "neumann": the last value again, so that the slope is zero
        half a spacing beyond the last point (points are centres of cells).
    xp : module
        The array namespace.
    """
    if boundary == "dirichlet":
        left, right = xp.zeros_like(u[..., :1]), xp.zeros_like(u[..., -1:])
    else:
        left, right = u[..., :1], u[..., -1:]
    return xp.concat((left, u, right), axis=-1)


def second_difference(u: Any, h: float, boundary: Boundary, xp: Any) -> Any:
    """Return u_xx (..., n), of second order, from three points."""
    wide = padded(u, boundary, xp)
    return (wide[..., 2:] - 2 * u + wide[..., :-2]) / h**2


def second_difference_eigenvalues(n: int, h: float, boundary: Boundary) -> np.ndarray:
    """Return the eigenvalues (n,) of `second_difference`.

    They are in the order of the transform that makes it diagonal: ``dst`` of type 1 for "dirichlet", ``dct`` of type 2 for
    "neumann".
    """
    angles = np.pi / (n + 1) * np.arange(1, n + 1) if boundary == "dirichlet" else np.pi / n * np.arange(n)
    return -((2 / h * np.sin(angles / 2)) ** 2)


def upwind_difference(u: Any, speed: Any, h: float, xp: Any) -> Any:
    """Return speed * u_x (..., n) of periodic u, of third order.

    It uses four points, of which two lie upwind.

    The error is a fourth derivative with the sign of diffusion: waves that are too short for the grid decay.
    """
    back, ahead = xp.roll(u, 1, axis=-1), xp.roll(u, -1, axis=-1)
    from_left = 2 * ahead + 3 * u - 6 * back + xp.roll(u, 2, axis=-1)
    from_right = 6 * ahead - 3 * u - 2 * back - xp.roll(u, -2, axis=-1)
    return speed / (6 * h) * xp.where(speed > 0, from_left, from_right)


def wavenumbers(n: int, length: float) -> np.ndarray:
    """Return wavenumbers (n,) of the modes of ``fft``, in radians per unit length."""
    return 2 * np.pi / length * np.fft.fftfreq(n, 1 / n)


def half_wavenumbers(n: int, length: float) -> np.ndarray:
    """Return wavenumbers (n // 2 + 1,) of ``rfft``, in radians per unit length."""
    return 2 * np.pi / length * np.arange(n // 2 + 1)
