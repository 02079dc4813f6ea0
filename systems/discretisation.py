"""Derivatives in space, each of them once: differences along the last axis, and modes of periodic fields.

Differences are written in the functions of the array-API namespace `xp` alone, and act on arrays (..., n) of any kind.
`h` is the spacing of the points.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

Boundary = Literal["dirichlet", "neumann"]


def padded(u: Any, boundary: Boundary, xp: Any) -> Any:
    """u (..., n) with one more value at each end, (..., n + 2).

    dirichlet: zero, one spacing beyond the last point. neumann: the last value again, so that the slope half a spacing
    beyond the last point is zero (points are centres of cells).
    """
    if boundary == "dirichlet":
        left, right = xp.zeros_like(u[..., :1]), xp.zeros_like(u[..., -1:])
    else:
        left, right = u[..., :1], u[..., -1:]
    return xp.concat((left, u, right), axis=-1)


def second_difference(u: Any, h: float, boundary: Boundary, xp: Any) -> Any:
    """u_xx (..., n), of second order, by three points."""
    wide = padded(u, boundary, xp)
    return (wide[..., 2:] - 2 * u + wide[..., :-2]) / h**2


def second_difference_eigenvalues(n: int, h: float, boundary: Boundary) -> np.ndarray:
    """Eigenvalues (n,) of `second_difference`, in the order of the transform that makes it diagonal.

    dirichlet: `dst` of type 1. neumann: `dct` of type 2.
    """
    angles = np.pi / (n + 1) * np.arange(1, n + 1) if boundary == "dirichlet" else np.pi / n * np.arange(n)
    return -((2 / h * np.sin(angles / 2)) ** 2)


def upwind_difference(u: Any, speed: Any, h: float, xp: Any) -> Any:
    """speed * u_x (..., n), periodic, of third order, by four points of which two lie upwind.

    The error is a fourth derivative with the sign of diffusion: waves too short for the grid decay.
    """
    back, ahead = xp.roll(u, 1, axis=-1), xp.roll(u, -1, axis=-1)
    from_left = 2 * ahead + 3 * u - 6 * back + xp.roll(u, 2, axis=-1)
    from_right = 6 * ahead - 3 * u - 2 * back - xp.roll(u, -2, axis=-1)
    return speed / (6 * h) * xp.where(speed > 0, from_left, from_right)


def wavenumbers(n: int, length: float) -> np.ndarray:
    """Wavenumbers (n,) of the modes of `fft`, in radians per unit of length."""
    return 2 * np.pi / length * np.fft.fftfreq(n, 1 / n)


def half_wavenumbers(n: int, length: float) -> np.ndarray:
    """Wavenumbers (n // 2 + 1,) of the modes of `rfft`, in radians per unit of length."""
    return 2 * np.pi / length * np.arange(n // 2 + 1)
