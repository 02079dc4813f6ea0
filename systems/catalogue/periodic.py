"""Periodic fields by Fourier modes.

They are the base of Burgers, Kuramoto-Sivashinsky, Navier-Stokes and others.
"""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from systems.arrays import like
from systems.discretisation import half_wavenumbers, wavenumbers
from systems.integrators import Formulation
from systems.system import System

__all__ = ["Modes", "PeriodicSystem", "lawson_steps", "random_waves"]


@dataclass(frozen=True)
class Modes:
    """Fourier modes ``(..., *half grid)`` of real fields ``(..., *grid)``.

    Attributes
    ----------
    grid : tuple of int
        The number of points along each axis.
    k : tuple of array
        The wavenumbers along each axis, in radians per unit of length; they broadcast against modes.
    resolved : array
        One for modes below a third of the grid's along every axis, zero for the others. Products of two fields without the
        others have no aliasing errors in the resolved modes (the 2/3 rule).
    xp : module
        The array namespace.
    """

    grid: tuple[int, ...]
    k: tuple[Any, ...]
    resolved: Any
    xp: Any

    @property
    def _axes(self) -> tuple[int, ...]:
        """The axes of the grid."""
        return tuple(range(-len(self.grid), 0))

    def forward(self, u: Any) -> Any:
        """Return the modes of fields."""
        return self.xp.fft.rfftn(u, axes=self._axes)

    def backward(self, modes: Any) -> Any:
        """Return the fields of modes."""
        return self.xp.fft.irfftn(modes, s=self.grid, axes=self._axes)

    def squared_wavenumber(self) -> Any:
        """Return the squared length of the wavevector of each mode."""
        return sum(k * k for k in self.k)

    def gradient(self, y: Any) -> tuple[Any, ...]:
        """Return fields of the derivative along each axis from modes y."""
        return tuple(self.backward(1j * (k * y)) for k in self.k)

    def self_advection(self, y: Any) -> Any:
        """Return the modes of -u u_x = -(u^2 / 2)_x from the modes y of u.

        u is a field on one axis, of which only resolved modes are used.
        """
        (k,) = self.k
        u = self.backward(y * self.resolved)
        return -1j * (self.forward(u * u) * (0.5 * k * self.resolved))


class PeriodicSystem(System):
    """Base of periodic fields, x_t = L x + N(x), with L diagonal in Fourier modes.

    A subclass is a frozen dataclass that defines `lengths`, ``_growth``, ``_nonlinear`` and ``_initial``. f, and the
    formulation that `simulate` integrates with L exact, both come from them. Derivatives are exact on the modes.

    ``_growth(modes, mu)``
        Returns the real part of L on the modes. If there are several fields it has one for each along their axis, or one
        for all.
    ``_nonlinear(y, modes, mu)``
        Returns the modes of N from the modes y ``(..., *fields, *half grid)`` of the fields.
    ``_dispersion(modes, mu)``
        Returns the imaginary part of L, or None if there is none.

    The argument ``modes`` transforms (``modes.forward(u)``, ``modes.backward(y)``, ``modes.gradient(y)``). It holds the
    wavenumbers along each axis, ``modes.k``, and one or zero for modes that are resolved or not, ``modes.resolved``. ``mu`` is
    a tuple with one array for each of `parameters`, which broadcasts against modes and fields. Arrays may be of NumPy or
    torch, so take functions that combine or transform them from their namespace, such as ``modes.xp.stack``.

    Attributes
    ----------
    n : int
        The number of points of each axis, a field of the subclass; another grid needs a `shape` of its own.
    origin : float
        The first coordinate along each axis.
    fields : tuple of str
        The names of several fields, which have the first axis of a state; empty for a single field.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> import systems
    >>> @dataclass(frozen=True)
    ... class Fisher(systems.PeriodicSystem):
    ...     n: int = 32
    ...     name = "Fisher"
    ...     dims = ("x",)
    ...     lengths = (20.0,)
    ...     def _growth(self, modes, mu):  # u_xx + u
    ...         return 1.0 - modes.squared_wavenumber()
    ...     def _nonlinear(self, y, modes, mu):  # -u^2
    ...         return -modes.forward(modes.backward(y) ** 2)
    ...     def _initial(self, n, seed):
    ...         return np.random.default_rng(seed).random((n, self.n))
    >>> bool(abs(Fisher().rhs(np.ones(32))).max() < 1e-12)  # u = 1 is an equilibrium
    True
    """

    origin: ClassVar[float] = 0.0
    fields: ClassVar[tuple[str, ...]] = ()

    @property
    @abc.abstractmethod
    def lengths(self) -> tuple[float, ...]:
        """Period along each axis of the grid, the last dimensions of a state."""

    @abc.abstractmethod
    def _growth(self, modes: Modes, mu: tuple[Any, ...]) -> Any:
        """Return the real part of L on the modes.

        Each parameter in mu broadcasts against modes.
        """

    def _dispersion(self, modes: Modes, mu: tuple[Any, ...]) -> Any:  # noqa: ARG002
        """Return the imaginary part of L on the modes, or None.

        It must be odd in k, and zero at the highest mode of an even grid.
        """
        return None

    @abc.abstractmethod
    def _nonlinear(self, y: Any, modes: Modes, mu: tuple[Any, ...]) -> Any:
        """Return the modes of N from modes y ``(..., *fields, *half grid)``."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each dimension of a state: several fields first, then the grid."""
        grid = len(self.lengths) * (self.n,)  # pyright: ignore[reportAttributeAccessIssue] - a field of the subclass
        return (len(self.fields), *grid) if self.fields else grid

    @property
    def _grid(self) -> tuple[int, ...]:
        """The number of points along each axis."""
        return self.shape[len(self.shape) - len(self.lengths) :]

    @property
    def coords(self) -> dict[str, np.ndarray]:
        """Names of the fields, if there are several, and grid points."""
        axes = zip(self.dims[len(self.dims) - len(self.lengths) :], self._grid, self.lengths, strict=True)
        grid = {dim: self.origin + length / n * np.arange(n) for dim, n, length in axes}
        return grid if not self.fields else {self.dims[0]: np.array(self.fields)} | grid

    @property
    def periods(self) -> dict[str, float]:
        """Period along each axis of the grid, by its name."""
        return dict(zip(self.dims[len(self.dims) - len(self.lengths) :], map(float, self.lengths), strict=True))

    @cached_property
    def _wavenumbers(self) -> tuple[np.ndarray, ...]:
        """The wavenumbers along each axis, shaped so that they broadcast."""
        *full, half = zip(self._grid, self.lengths, strict=True)
        k = [wavenumbers(n, length) for n, length in full] + [half_wavenumbers(*half)]
        return tuple(np.meshgrid(*k, indexing="ij", sparse=True))

    @cached_property
    def _resolved(self) -> np.ndarray:
        """One for resolved modes and zero for the others."""
        *full, half = self._grid
        index = [np.abs(np.fft.fftfreq(n, 1 / n)) for n in full] + [np.arange(half // 2 + 1)]
        kept = [3 * i < n for i, n in zip(index, self._grid, strict=True)]
        return np.all(np.broadcast_arrays(*np.meshgrid(*kept, indexing="ij", sparse=True)), axis=0).astype(float)

    def _modes(self, x: Any, xp: Any) -> Modes:
        """Return the modes of fields x, in their namespace, precision and device."""
        return Modes(self._grid, tuple(like(k, x, xp) for k in self._wavenumbers), like(self._resolved, x, xp), xp)

    def _spread(self, mu: Any, xp: Any) -> tuple[Any, ...]:
        """Return each parameter (...,) with axes of length one for those of a state."""
        shape = (*mu.shape[:-1], *(1 for _ in self.shape))
        return tuple(xp.reshape(mu[..., i], shape) for i in range(len(self.parameters)))

    def _rhs(self, x, mu, t, xp):  # noqa: ARG002
        modes, mu = self._modes(x, xp), self._spread(mu, xp)
        y = modes.forward(x)
        change = self._growth(modes, mu) * y + self._nonlinear(y, modes, mu)
        dispersion = self._dispersion(modes, mu)
        if dispersion is not None:
            change = change + 1j * (dispersion * y)
        return modes.backward(change)

    def _formulation(self, mu):
        modes, mu = self._modes(np.zeros(0), np), self._spread(self.parameter_values(mu), np)
        shape = (*self.shape[: len(self.shape) - len(self._grid)], *self._resolved.shape)
        symbol, dispersion = self._growth(modes, mu), self._dispersion(modes, mu)
        if dispersion is not None:
            symbol = symbol + 1j * dispersion
        symbol = np.broadcast_to(symbol, np.broadcast_shapes(np.shape(symbol), (1, *shape)))
        return Formulation(
            forward=lambda x: modes.forward(x).reshape(len(x), -1),
            backward=lambda y: modes.backward(y.reshape(len(y), *shape)),
            rhs=lambda t, y: self._nonlinear(y.reshape(len(y), *shape), modes, mu).reshape(y.shape),  # noqa: ARG005
            symbol=symbol.reshape(len(symbol), -1),
            weights=np.broadcast_to(self._parseval(), shape).ravel(),
        )

    def _parseval(self) -> np.ndarray:
        """Return weights of squared modes whose sum is the mean square of a state.

        Modes k and -k are stored once.
        """
        n = self._grid[-1]
        weights = np.full(n // 2 + 1, 2.0)
        weights[0] = 1.0
        if n % 2 == 0:
            weights[-1] = 1.0
        return weights / (math.prod(self._grid) * self.n_states)


def lawson_steps(system: PeriodicSystem, x: np.ndarray, h: float, n_steps: int) -> np.ndarray:
    """Return states after n_steps of length h of Lawson's fourth-order method.

    States are ``(batch, *shape)``; the method is Lawson's form of the classical Runge-Kutta method.

    The steps are fixed, so that no state depends on the others of its batch.
    """
    form = system._formulation(None)
    assert form.symbol is not None
    y, half = form.forward(x), np.exp(h / 2 * form.symbol)
    for _ in range(n_steps):
        a = form.rhs(0.0, y)
        b = form.rhs(0.0, half * (y + h / 2 * a))
        c = form.rhs(0.0, half * y + h / 2 * b)
        d = form.rhs(0.0, half * (half * y + h * c))
        y = half * (half * (y + h / 6 * a) + h / 3 * (b + c)) + h / 6 * d
    return form.backward(y)


def random_waves(coord: np.ndarray, length: float, amplitudes: Any, n: int, seed: int) -> np.ndarray:
    """Return n random waves (n, len(coord)).

    A wave is the sum over k of ``a_k (g cos(2 pi k x / length) + g' sin(2 pi k x / length))``, with g and g' standard normal.

    Parameters
    ----------
    coord : numpy.ndarray
        The grid points x.
    length : float
        The period.
    amplitudes : sequence of float
        a_1, a_2, ....
    n : int
        The number of waves.
    seed : int
        The seed. The i-th wave depends on (seed, i) alone.
    """
    normal = np.random.default_rng(seed).standard_normal((n, 2, len(amplitudes)))
    waves = np.zeros((n, len(coord)))
    # Term by term: the rounding of a matrix product may depend on how many rows it has.
    for k, amplitude in enumerate(amplitudes, start=1):
        phase = 2 * np.pi * k / length * coord
        waves += amplitude * (normal[:, 0, k - 1, None] * np.cos(phase) + normal[:, 1, k - 1, None] * np.sin(phase))
    return waves
