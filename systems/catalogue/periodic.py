"""Periodic fields by Fourier modes: what Burgers, Kuramoto-Sivashinsky, Navier-Stokes and others share."""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from systems.arrays import like
from systems.discretisation import half_wavenumbers, wavenumbers
from systems.integrators import Formulation
from systems.system import System


@dataclass(frozen=True)
class Modes:
    """Fourier modes (..., *half grid) of real fields (..., *grid), in one array namespace.

    k: the wavenumbers along each axis, in radians per unit of length; they broadcast against modes.
    resolved: one for the modes that are less than a third of the grid's along every axis, zero for the others. Products
    of two fields without the others are free of aliasing there (the 2/3 rule).
    """

    grid: tuple[int, ...]
    k: tuple[Any, ...]
    resolved: Any
    xp: Any

    @property
    def _axes(self) -> tuple[int, ...]:
        return tuple(range(-len(self.grid), 0))

    def forward(self, u: Any) -> Any:
        """Modes of fields."""
        return self.xp.fft.rfftn(u, axes=self._axes)

    def backward(self, modes: Any) -> Any:
        """Fields of modes."""
        return self.xp.fft.irfftn(modes, s=self.grid, axes=self._axes)

    def squared_wavenumber(self) -> Any:
        """|k|^2."""
        return sum(k * k for k in self.k)

    def gradient(self, y: Any) -> tuple[Any, ...]:
        """Fields of the derivative along each axis, of the fields with modes y."""
        return tuple(self.backward(1j * (k * y)) for k in self.k)

    def self_advection(self, y: Any) -> Any:
        """Modes of -u u_x = -(u^2 / 2)_x of the field u on one axis with modes y, of resolved modes alone."""
        (k,) = self.k
        u = self.backward(y * self.resolved)
        return -1j * (self.forward(u * u) * (0.5 * k * self.resolved))


class PeriodicSystem(System):
    """Periodic fields, x_t = L x + N(x), whose linear part L is diagonal in Fourier modes.

    A subclass defines `lengths`, `_growth` and `_nonlinear`, each once: f and the formulation that `simulate` integrates,
    with L exact, both come from them. Derivatives are exact on the modes.

    lengths: the period along each axis of the grid. origin: the first coordinate along each.
    n: how many points each axis has; another grid needs a `shape` of its own.
    fields: the names of several fields, which have the first axis of a state; none for a single field.
    _growth(modes, mu): L on the modes, real; more fields than one have it along their axis, or all the same.
    _nonlinear(y, modes, mu): the modes of N from the modes y (..., *fields, *half grid) of the fields.
    _dispersion(modes, mu): the imaginary part of L; None where there is none.

    `modes` transforms (`modes.forward(u)`, `modes.backward(y)`, `modes.gradient(y)`) and holds the wavenumbers along each
    axis, `modes.k`, and one or zero for modes that are resolved or not, `modes.resolved`. `mu` is a tuple of one array for each of
    `parameters`, which broadcasts against modes and fields. Arrays may be of NumPy or torch: what combines or transforms
    them is taken from their namespace `modes.xp`, such as `modes.xp.stack`.
    """

    origin: float = 0.0
    fields: tuple[str, ...] = ()

    @property
    @abc.abstractmethod
    def lengths(self) -> tuple[float, ...]:
        """The period along each of the last dimensions of a state, which are those of the grid."""

    @abc.abstractmethod
    def _growth(self, modes: Modes, mu: tuple[Any, ...]) -> Any:
        """The real part of L on the modes; mu: each parameter, shaped so that it broadcasts against modes."""

    def _dispersion(self, modes: Modes, mu: tuple[Any, ...]) -> Any:  # noqa: ARG002
        """The imaginary part of L on the modes, odd in k and zero at the highest mode of an even grid; None for none."""
        return None

    @abc.abstractmethod
    def _nonlinear(self, y: Any, modes: Modes, mu: tuple[Any, ...]) -> Any:
        """The modes of N of the fields with modes y (..., *fields, *half grid)."""

    @property
    def shape(self) -> tuple[int, ...]:
        grid = len(self.lengths) * (self.n,)  # pyright: ignore[reportAttributeAccessIssue] - a field of the subclass
        return (len(self.fields), *grid) if self.fields else grid

    @property
    def _grid(self) -> tuple[int, ...]:
        return self.shape[len(self.shape) - len(self.lengths) :]

    @property
    def coords(self) -> dict[str, np.ndarray]:
        axes = zip(self.dims[len(self.dims) - len(self.lengths) :], self._grid, self.lengths, strict=True)
        grid = {dim: self.origin + length / n * np.arange(n) for dim, n, length in axes}
        return grid if not self.fields else {self.dims[0]: np.array(self.fields)} | grid

    @property
    def periods(self) -> dict[str, float]:
        return dict(zip(self.dims[len(self.dims) - len(self.lengths) :], map(float, self.lengths), strict=True))

    @cached_property
    def _wavenumbers(self) -> tuple[np.ndarray, ...]:
        *full, half = zip(self._grid, self.lengths, strict=True)
        k = [wavenumbers(n, length) for n, length in full] + [half_wavenumbers(*half)]
        return tuple(np.meshgrid(*k, indexing="ij", sparse=True))

    @cached_property
    def _resolved(self) -> np.ndarray:
        *full, half = self._grid
        index = [np.abs(np.fft.fftfreq(n, 1 / n)) for n in full] + [np.arange(half // 2 + 1)]
        kept = [3 * i < n for i, n in zip(index, self._grid, strict=True)]
        return np.all(np.broadcast_arrays(*np.meshgrid(*kept, indexing="ij", sparse=True)), axis=0).astype(float)

    def _modes(self, x: Any, xp: Any) -> Modes:
        """The modes of fields x, in their namespace, precision and device."""
        return Modes(self._grid, tuple(like(k, x, xp) for k in self._wavenumbers), like(self._resolved, x, xp), xp)

    def _spread(self, mu: Any, xp: Any) -> tuple[Any, ...]:
        """Each of the parameters (..., p) with the axes of a state behind the leading ones."""
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
        """Weights of |modes|^2 whose sum is the mean square of a state: modes k and -k are held once."""
        n = self._grid[-1]
        weights = np.full(n // 2 + 1, 2.0)
        weights[0] = 1.0
        if n % 2 == 0:
            weights[-1] = 1.0
        return weights / (math.prod(self._grid) * self.n_states)


def lawson_steps(system: PeriodicSystem, x: np.ndarray, h: float, n_steps: int) -> np.ndarray:
    """States (batch, *shape) after n_steps of length h of Lawson's classical fourth-order method.

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
    """n sums (n, len(coord)) over k of a_k (g cos(2 pi k x / length) + g' sin(...)), g and g' standard normal.

    amplitudes: a_1, a_2, ...
    """
    normal = np.random.default_rng(seed).standard_normal((n, 2, len(amplitudes)))
    waves = np.zeros((n, len(coord)))
    # Term by term: the rounding of a matrix product may depend on how many rows it has.
    for k, amplitude in enumerate(amplitudes, start=1):
        phase = 2 * np.pi * k / length * coord
        waves += amplitude * (normal[:, 0, k - 1, None] * np.cos(phase) + normal[:, 1, k - 1, None] * np.sin(phase))
    return waves
