"""Waves in one dimension: advection, Korteweg-de Vries, Kuramoto-Sivashinsky."""

# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from systems.catalogue.periodic import PeriodicSystem, lawson_steps, random_waves
from systems.checks import require_integer, require_number, require_numbers
from systems.discretisation import upwind_difference
from systems.errors import SystemsValueError
from systems.parameter import Parameter
from systems.system import System

__all__ = ["Advection", "KortewegDeVries", "KuramotoSivashinsky"]


@dataclass(frozen=True)
class Advection(System):
    """Linear advection, periodic.

    ``u_t + speed u_x = 0`` on [0, 1), with the solution ``u(x, t) = u(x - speed t, 0)``. It is simple to solve and hard to
    reduce: for a front the error of the best linear space of d dimensions falls as d^-1/2 only, while a nonlinear manifold
    needs one dimension. All quantities are dimensionless.

    Good values: n = 256 and speed 1, for one period.

    Parameters
    ----------
    n : int, default 256
        The number of grid points, at least 5.
    speed : float, default 1.0
        The speed, of either sign; sampled from [0.5, 1.5].

    Raises
    ------
    SystemsTypeError, SystemsValueError
        If an argument cannot be used.

    Notes
    -----
    Space is discretised by third-order upwind differences. Initial states are bumps
    ``h exp((cos(2 pi (x - c)) - 1) / w^2)`` with h in [0.5, 1], c anywhere, and w in [0.3, 0.6].

    References
    ----------
    M. Ohlberger and S. Rave, Proc. Algoritmy (2016) 1.

    Examples
    --------
    >>> import systems
    >>> systems.simulate(systems.Advection(n=64), 3, [0.0, 0.5, 1.0])["state"].shape
    (3, 3, 64)
    """

    n: int = 256
    speed: float = 1.0

    name: ClassVar[str] = "Advection"
    dims: ClassVar[tuple[str, ...]] = ("x",)
    citation: ClassVar[str] = (
        "Ohlberger, M., & Rave, S. (2016). Reduced basis methods: success, limitations and future challenges. "
        "Proc. Algoritmy, 1-12."
    )

    def __post_init__(self):
        require_integer("n", self.n, low=5)
        require_number("speed", self.speed)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a state."""
        return (self.n,)

    @property
    def coords(self) -> dict[str, np.ndarray]:
        """Grid points."""
        return {"x": np.arange(self.n) / self.n}

    @property
    def periods(self) -> dict[str, float]:
        """Period of the grid."""
        return {"x": 1.0}

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Speed with its range."""
        return (Parameter.around("speed", self.speed, 0.5, 1.5),)

    @property
    def default_times(self) -> np.ndarray:
        """50 steps of 0.02."""
        return np.linspace(0.0, 1.0, 51)

    def _rhs(self, x, mu, t, xp):  # noqa: ARG002
        return -upwind_difference(x, mu[..., :1], 1.0 / self.n, xp)

    def _initial(self, n, seed):
        height, centre, width = np.random.default_rng(seed).random((n, 3, 1)).swapaxes(0, 1)
        height, width = 0.5 + 0.5 * height, 0.3 + 0.3 * width
        return height * np.exp((np.cos(2 * np.pi * (self.coords["x"] - centre)) - 1) / width**2)


@dataclass(frozen=True)
class KortewegDeVries(PeriodicSystem):
    """The Korteweg-de Vries equation: solitons.

    ``u_t + 6 u u_x + u_xxx = 0``, periodic on [0, length). A soliton ``(c/2) sech^2(sqrt(c)/2 (x - c t - x0))`` travels at its
    speed c; two solitons pass through each other and are shifted. The mean, the mean square and the energy are conserved. All
    quantities are dimensionless.

    Good values: length 40 and n = 256, for speeds up to 4.

    Parameters
    ----------
    n : int, default 256
        The number of grid points, at least 4.
    length : float, default 40.0
        The period in x, > 0.

    Raises
    ------
    SystemsTypeError, SystemsValueError
        If an argument cannot be used.

    Notes
    -----
    Space is discretised by Fourier modes with the 2/3 rule; `simulate` integrates the dispersion exactly. Initial states are
    sums of two solitons with speeds in [0.5, 3], anywhere.

    References
    ----------
    N. J. Zabusky and M. D. Kruskal, Phys. Rev. Lett. 15 (1965) 240; L. N. Trefethen, Spectral Methods in MATLAB (SIAM, 2000),
    program 27.

    Examples
    --------
    >>> import systems
    >>> systems.simulate(systems.KortewegDeVries(n=64), 2, [0.0, 0.5])["state"].shape
    (2, 2, 64)
    """

    n: int = 256
    length: float = 40.0

    name: ClassVar[str] = "KortewegDeVries"
    dims: ClassVar[tuple[str, ...]] = ("x",)
    time_scale: ClassVar[float] = 2.0
    citation: ClassVar[str] = (
        "Zabusky, N. J., & Kruskal, M. D. (1965). Interaction of solitons in a collisionless plasma and the recurrence "
        "of initial states. Phys. Rev. Lett. 15, 240-243."
    )

    def __post_init__(self):
        require_integer("n", self.n, low=4)
        require_numbers(self, "length", low=0.0, exclusive=True)

    @property
    def lengths(self) -> tuple[float, ...]:
        """Period in x."""
        return (self.length,)

    @property
    def default_times(self) -> np.ndarray:
        """100 steps of 0.1."""
        return np.linspace(0.0, 10.0, 101)

    def _growth(self, modes, mu):  # noqa: ARG002
        return 0.0 * modes.k[0]

    def _dispersion(self, modes, mu):  # noqa: ARG002
        (k,) = modes.k
        # The highest mode of an even grid is a cosine alone: it has no odd derivative on the grid.
        return modes.xp.where(k < np.pi / self.length * self.n, k**3, modes.xp.zeros_like(k))

    def _nonlinear(self, y, modes, mu):  # noqa: ARG002
        return 6 * modes.self_advection(y)

    def soliton(self, speed: float | np.ndarray, centre: float | np.ndarray) -> np.ndarray:
        """Return one soliton with its periodic images.

        Parameters
        ----------
        speed, centre : float or numpy.ndarray
            Speeds and centres of any shape (...).

        Returns
        -------
        numpy.ndarray
            States (..., n).

        Examples
        --------
        >>> import systems
        >>> kdv = systems.KortewegDeVries()
        >>> round(float(kdv.soliton(2.0, 20.0).max()), 3)  # half the speed
        1.0
        """
        speed, centre = np.broadcast_arrays(np.asarray(speed, float), np.asarray(centre, float))
        distance = self.coords["x"] - centre[..., None]
        waves = [np.cosh(0.5 * np.sqrt(speed[..., None]) * (distance - m * self.length)) ** -2 for m in range(-2, 3)]
        return 0.5 * speed[..., None] * sum(waves)

    def _initial(self, n, seed):
        uniform = np.random.default_rng(seed).random((n, 2, 2))
        return self.soliton(0.5 + 2.5 * uniform[..., 0], self.length * uniform[..., 1]).sum(axis=1)


@dataclass(frozen=True)
class KuramotoSivashinsky(PeriodicSystem):
    """The Kuramoto-Sivashinsky equation: chaos in space and time.

    ``u_t + u u_x + u_xx + u_xxxx = 0``, periodic on [0, length). The mean is conserved and zero. All quantities are
    dimensionless.

    Good values: length 22 and n = 64. The flow is then chaotic, with a largest Lyapunov exponent of 0.043 to 0.048 (one
    Lyapunov time is about 22), on a manifold of 8 dimensions.

    Parameters
    ----------
    n : int, default 64
        The number of grid points, at least about 0.72 per unit of length.
    length : float, default 22.0
        The period in x, > 0.

    Raises
    ------
    SystemsTypeError, SystemsValueError
        If an argument cannot be used, or if n is too small to couple all growing waves to decaying ones.

    Notes
    -----
    Space is discretised by Fourier modes with the 2/3 rule; `simulate` integrates the linear part exactly. Initial states lie
    on the attractor: they have run for 200 time units from random waves.

    References
    ----------
    P. Cvitanovic, R. L. Davidchack and E. Siminos, SIAM J. Appl. Dyn. Syst. 9 (2010) 1; A. J. Linot and M. D. Graham, Phys.
    Rev. E 101 (2020) 062209, for the dimension.

    Examples
    --------
    >>> import numpy as np
    >>> import systems
    >>> waves = systems.KuramotoSivashinsky()
    >>> wave = 0.001 * np.sin(2 * np.pi / 22 * waves.coords["x"])
    >>> float(waves.rhs(wave)[1] / wave[1])  # grows at the rate k^2 - k^4
    0.075
    """

    n: int = 64
    length: float = 22.0

    DAMPED: ClassVar[float] = 1.5  # a wavenumber that decays fast; those below 1 grow
    name: ClassVar[str] = "KuramotoSivashinsky"
    dims: ClassVar[tuple[str, ...]] = ("x",)
    time_scale: ClassVar[float] = 22.0
    citation: ClassVar[str] = (
        "Cvitanovic, P., Davidchack, R. L., & Siminos, E. (2010). On the state space geometry of the "
        "Kuramoto-Sivashinsky flow in a periodic domain. SIAM J. Appl. Dyn. Syst. 9, 1-33."
    )

    def __post_init__(self):
        require_integer("n", self.n, low=4)
        require_numbers(self, "length", low=0.0, exclusive=True)
        needed = math.ceil(3 * self.DAMPED * self.length / (2 * np.pi))
        if self.n < needed:
            raise SystemsValueError(
                f"n must be at least {needed} for length {self.length:g}, got {self.n}: with fewer points the waves that "
                "grow are not all coupled to waves that decay"
            )

    @property
    def lengths(self) -> tuple[float, ...]:
        """Period in x."""
        return (self.length,)

    @property
    def default_times(self) -> np.ndarray:
        """200 steps of 0.25."""
        return np.linspace(0.0, 50.0, 201)

    def _growth(self, modes, mu):  # noqa: ARG002
        square = modes.squared_wavenumber()
        return square - square * square

    def _nonlinear(self, y, modes, mu):  # noqa: ARG002
        return modes.self_advection(y)

    def _initial(self, n, seed):
        start = random_waves(self.coords["x"], self.length, (0.5, 0.5, 0.5, 0.5), n, seed)
        return lawson_steps(self, start, 0.05, 4000)
