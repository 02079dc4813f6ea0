"""Periodic fields with f, its sparse Jacobian and f in Fourier space, as their fastest solvers need them.

Every equation is x' = L x + N(x) with a linear part L that Fourier modes make diagonal. Discretisations: Fourier modes
(`burgers`, that of `systems.Burgers`) or second-order central differences (the others). Sources: the two-dimensional
Brusselator is BRUSS-2D of Hairer & Wanner, Solving Ordinary Differential Equations II, sec. IV.10, with its source of u
switched on from the start and smooth random initial states.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.fft
import scipy.signal
import scipy.sparse as sparse

import systems

VISCOSITY = 0.01  # of Burgers' equation in one dimension
VISCOSITY_2D = 0.03
DIFFUSION = 0.1  # of the Brusselator
A, B = 1.0, 3.4  # of the Brusselator


@dataclass(frozen=True)
class Field:
    """One discretisation of an equation, for states (..., *shape) with the last `n_axes` axes in space.

    rhs: f. jacobian: of one flat state, sparse; None where f is dense.
    symbol: L on the modes (of `rfftn` over the axes in space). nonlinear: modes of N(x) from modes of x.
    initial: (n, seed) -> states on this grid; on grids of other sizes the same functions.
    """

    name: str
    shape: tuple[int, ...]
    n_axes: int
    rhs: Callable[[np.ndarray], np.ndarray]
    symbol: np.ndarray
    nonlinear: Callable[[np.ndarray], np.ndarray]
    initial: Callable[[int, int], np.ndarray]
    jacobian: Callable[[np.ndarray], sparse.csc_array] | None = None

    @property
    def axes(self) -> tuple[int, ...]:
        """The axes in space."""
        return tuple(range(-self.n_axes, 0))

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Return the modes of states."""
        return np.asarray(scipy.fft.rfftn(x, axes=self.axes))

    def backward(self, modes: np.ndarray) -> np.ndarray:
        """Return the states of modes."""
        return np.asarray(scipy.fft.irfftn(modes, s=self.shape[-self.n_axes :], axes=self.axes))

    def resampled(self, x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Interpolate states (..., *self.shape) to a grid of another size by trigonometric polynomials."""
        for axis in self.axes:
            if x.shape[axis] != shape[axis]:
                x = np.asarray(scipy.signal.resample(x, shape[axis], axis=axis))
        return x


# -- Burgers' equation in one dimension ---------------------------------------------------------------------------------


def burgers(n: int) -> Field:
    """Return `systems.Burgers`: Fourier modes with the 2/3 rule."""
    system = systems.Burgers(n=n, viscosity=VISCOSITY)
    k = np.arange(n // 2 + 1)
    kept = int((3 * k < n).sum())
    half_derivative = -0.5j * k[:kept]

    def nonlinear(modes):
        smooth = scipy.fft.irfft(modes[..., :kept], n=n)
        change = np.zeros_like(modes)
        change[..., :kept] = half_derivative * scipy.fft.rfft(smooth * smooth)[..., :kept]
        return change

    def initial(count, seed):
        return system.sample_initial(count, seed).values

    return Field(f"Fourier modes, {n}", (n,), 1, system.rhs, -VISCOSITY * k**2.0, nonlinear, initial)


def burgers_differences(n: int) -> Field:
    """Return the same equation with central differences of the flux."""
    h = 2 * np.pi / n
    first, second = difference_matrices(n, h)

    def rhs(u):
        return -0.5 * central(u * u, -1, h) + VISCOSITY * second_difference(u, -1, h)

    def jacobian(u):
        return (VISCOSITY * second - first * u).tocsc()  # scales the columns of the difference

    def nonlinear(modes):
        return -0.5j * wave * scipy.fft.rfft(np.square(scipy.fft.irfft(modes, n=n)))

    wave = np.sin(np.arange(n // 2 + 1) * h) / h
    symbol = VISCOSITY * eigenvalues(n, h)[: n // 2 + 1]
    return Field(f"central differences, {n}", (n,), 1, rhs, symbol, nonlinear, burgers(n).initial, jacobian)


# -- Burgers' equations in two dimensions -------------------------------------------------------------------------------


def burgers_2d(n: int) -> Field:
    """Return Burgers' equations in two dimensions.

    u_t = -u u_x - v u_y + nu (u_xx + u_yy), the same for v; periodic on [0, 2 pi)^2, x is the last axis.

    Initial states are u = a sin x cos y and v = b cos(x + 2 y), with a and b uniform in [-0.5, 0.5].
    """
    h = 2 * np.pi / n
    first, second = difference_matrices(n, h)
    one = sparse.eye_array(n)
    d_x, d_y = sparse.kron(one, first), sparse.kron(first, one)
    diffusion = VISCOSITY_2D * (sparse.kron(one, second) + sparse.kron(second, one))

    def advection(x):
        return -(x[..., :1, :, :] * central(x, -1, h) + x[..., 1:, :, :] * central(x, -2, h))

    def rhs(x):
        return advection(x) + VISCOSITY_2D * (second_difference(x, -1, h) + second_difference(x, -2, h))

    def jacobian(x):
        u, v = x.reshape(2, -1)
        flow = diffusion - d_x.multiply(u[:, None]) - d_y.multiply(v[:, None])
        u_x, u_y, v_x, v_y = (sparse.diags_array(d @ w) for w in (u, v) for d in (d_x, d_y))
        return sparse.block_array([[flow - u_x, -u_y], [-v_x, flow - v_y]]).tocsc()

    def initial(count, seed):
        a = np.random.default_rng(seed).uniform(-0.5, 0.5, (count, 2, 1, 1))
        y, x = np.meshgrid(h * np.arange(n), h * np.arange(n), indexing="ij")
        u, v = a[:, 0] * np.sin(x) * np.cos(y), a[:, 1] * np.cos(x + 2 * y)
        return np.stack([u, v], axis=1)

    symbol = VISCOSITY_2D * (eigenvalues(n, h)[:, None] + eigenvalues(n, h)[: n // 2 + 1])
    return with_nonlinear(f"central differences, {n} x {n}", (2, n, n), rhs, symbol, advection, initial, jacobian)


# -- Brusselator in two dimensions --------------------------------------------------------------------------------------


def brusselator(n: int) -> Field:
    """Return the Brusselator in two dimensions.

    u_t = A + u^2 v - (B + 1) u + D (u_xx + u_yy) + s, v_t = B u - u^2 v + D (v_xx + v_yy); periodic on [0, 1)^2.

    s is 5 in a disc of radius 0.1 around (0.3, 0.6), and 0 elsewhere. The diffusion makes it stiff: its largest rate is
    8 D n^2, that of the reactions about 10.
    """
    h = 1.0 / n
    y, x = np.meshgrid(h * np.arange(n), h * np.arange(n), indexing="ij")
    constant = A + 5.0 * ((x - 0.3) ** 2 + (y - 0.6) ** 2 <= 0.01)
    _, second = difference_matrices(n, h)
    one = sparse.eye_array(n)
    diffusion = DIFFUSION * (sparse.kron(one, second) + sparse.kron(second, one))

    def reactions(x):
        u, v = x[..., 0, :, :], x[..., 1, :, :]
        product = u * u * v
        return np.stack([constant + product - (B + 1.0) * u, B * u - product], axis=-3)

    def rhs(x):
        return reactions(x) + DIFFUSION * (second_difference(x, -1, h) + second_difference(x, -2, h))

    def jacobian(x):
        u, v = x.reshape(2, -1)
        uv, uu = sparse.diags_array(2 * u * v), sparse.diags_array(u * u)
        identity = sparse.eye_array(n * n)
        return sparse.block_array(
            [[diffusion + uv - (B + 1.0) * identity, uu], [B * identity - uv, diffusion - uu]]
        ).tocsc()

    def initial(count, seed):
        rng = np.random.default_rng(seed)
        waves = np.zeros((count, 2, n, n))
        for p, q in ((0, 0), (1, 0), (0, 1)):
            a, phase = 0.2 * rng.random((count, 2, 1, 1)), 2 * np.pi * rng.random((count, 2, 1, 1))
            waves += a * np.cos(2 * np.pi * (p * x + q * y) + phase)
        return np.array([1.0, B])[:, None, None] * (1.0 + waves)

    symbol = DIFFUSION * (eigenvalues(n, h)[:, None] + eigenvalues(n, h)[: n // 2 + 1])
    return with_nonlinear(f"central differences, {n} x {n}", (2, n, n), rhs, symbol, reactions, initial, jacobian)


# -- differences --------------------------------------------------------------------------------------------------------


def with_nonlinear(name, shape, rhs, symbol, of_states, initial, jacobian) -> Field:
    """Return a field in two dimensions whose N is evaluated on the grid."""

    def nonlinear(modes):
        x = scipy.fft.irfftn(modes, s=shape[-2:], axes=(-2, -1))
        return np.asarray(scipy.fft.rfftn(of_states(x), axes=(-2, -1)))

    return Field(name, shape, 2, rhs, symbol, nonlinear, initial, jacobian)


def central(x: np.ndarray, axis: int, h: float) -> np.ndarray:
    """Return the central first difference along a periodic axis.

    Slices are twice as fast as `np.roll`.
    """
    x = np.moveaxis(x, axis, 0)
    out = np.empty_like(x)
    np.subtract(x[2:], x[:-2], out=out[1:-1])
    np.subtract(x[1:2], x[-1:], out=out[:1])
    np.subtract(x[:1], x[-2:-1], out=out[-1:])
    out *= 0.5 / h
    return np.moveaxis(out, 0, axis)


def second_difference(x: np.ndarray, axis: int, h: float) -> np.ndarray:
    """Return the central second difference along a periodic axis."""
    x = np.moveaxis(x, axis, 0)
    out = -2.0 * x
    out[1:] += x[:-1]
    out[:-1] += x[1:]
    out[0] += x[-1]
    out[-1] += x[0]
    out *= 1.0 / h**2
    return np.moveaxis(out, 0, axis)


def difference_matrices(n: int, h: float) -> tuple[sparse.sparray, sparse.sparray]:
    """Return `central` and `second_difference` as periodic (n, n) matrices."""
    ones = np.ones(n)
    offsets = (1, -1, 1 - n, n - 1)
    first = sparse.diags_array([ones[1:], -ones[1:], ones[:1], -ones[:1]], offsets=offsets, shape=(n, n)) / (2 * h)
    neighbours = sparse.diags_array([ones[1:], ones[1:], ones[:1], ones[:1]], offsets=offsets, shape=(n, n))
    return first.tocsr(), ((neighbours - 2 * sparse.eye_array(n)) / h**2).tocsr()


def eigenvalues(n: int, h: float) -> np.ndarray:
    """Return the eigenvalues of `second_difference` on the n modes, in the order of the FFT."""
    return (2.0 * np.cos(2 * np.pi * np.arange(n) / n) - 2.0) / h**2
