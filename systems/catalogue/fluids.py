"""Fluids: the incompressible Navier-Stokes equations in two dimensions, the Euler equations in one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from systems.catalogue.periodic import PeriodicSystem
from systems.checks import require_integer, require_number, require_numbers
from systems.discretisation import padded
from systems.parameter import Parameter
from systems.system import System


@dataclass(frozen=True)
class NavierStokes2D(PeriodicSystem):
    """The incompressible Navier-Stokes equations in two dimensions as vorticity, periodic on [0, 2 pi)^2.

    w_t + u w_x + v w_y = viscosity (w_xx + w_yy) - forcing k cos(k y), (u, v) = (psi_y, -psi_x), -(psi_xx + psi_yy) = w,
    with k = 4. A state is (y, x). Good values: n = 64 and viscosity 0.01, forcing 0 (vortices that merge and decay), or
    forcing 1, Kolmogorov flow. Without viscosity and forcing, energy and enstrophy are conserved; the mean is zero.

    Fourier modes with the 2/3 rule. Initial states are random, with the energy in wavenumbers around 4 and a root mean
    square speed of about 0.3.

    Source: Canuto, Hussaini, Quarteroni and Zang, Spectral Methods: Evolution to Complex Geometries and Applications to
    Fluid Dynamics (Springer, 2007), ch. 3.
    """

    n: int = 64
    viscosity: float = 0.01
    forcing: float = 0.0

    WAVE: ClassVar[int] = 4
    lengths: ClassVar[tuple[float, ...]] = (2 * np.pi, 2 * np.pi)
    name: ClassVar[str] = "NavierStokes2D"
    dims: ClassVar[tuple[str, ...]] = ("y", "x")
    time_scale: ClassVar[float] = 2.0
    citation: ClassVar[str] = (
        "Canuto, C., Hussaini, M. Y., Quarteroni, A., & Zang, T. A. (2007). Spectral Methods: Evolution to Complex "
        "Geometries and Applications to Fluid Dynamics. Springer, ch. 3."
    )
    default_n_trajectories: ClassVar[int] = 32

    def __post_init__(self):
        require_integer("n", self.n, low=19)  # resolves the initial waves, up to 6
        require_numbers(self, "viscosity", low=0.0, exclusive=True)
        require_number("forcing", self.forcing)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return (
            Parameter("viscosity", self.viscosity, 0.5 * self.viscosity, 2 * self.viscosity),
            Parameter.around("forcing", self.forcing, 0.0, 1.0),
        )

    @property
    def default_times(self) -> np.ndarray:
        return np.linspace(0.0, 10.0, 101)

    def _growth(self, modes, mu):
        return -mu[0] * modes.squared_wavenumber()

    def _nonlinear(self, y, modes, mu):
        (k_y, k_x), square, xp = modes.k, modes.squared_wavenumber(), modes.xp
        y = y * modes.resolved
        # The mean of the stream function is free: any divisor will do for it.
        stream = y / xp.where(square == 0, xp.ones_like(square), square)
        (stream_y, stream_x), (slope_y, slope_x) = modes.gradient(stream), modes.gradient(y)
        advection = modes.forward(stream_y * slope_x - stream_x * slope_y) * modes.resolved
        # A cosine along y of amplitude a is a n^2 / 2 at each of the modes (+-k, 0).
        wave = xp.astype((xp.abs(k_y) == self.WAVE) & (k_x == 0), square.dtype)
        return -advection - (0.5 * self.n**2 * self.WAVE) * mu[1] * wave

    def _initial(self, n, seed):
        y, x = np.meshgrid(self.coords["y"], self.coords["x"], indexing="ij")
        rng, states = np.random.default_rng(seed), np.zeros((n, self.n, self.n))
        waves = [(p, q) for p in range(-6, 7) for q in range(7) if (q > 0 or p > 0) and 4 <= p * p + q * q <= 36]
        normal = rng.standard_normal((n, len(waves), 2, 1, 1))
        for j, (p, q) in enumerate(waves):
            k = np.hypot(p, q)
            size = 0.06 * k * np.exp(-((k - 4) ** 2) / 4)
            phase = p * x + q * y
            states += size * (normal[:, j, 0] * np.cos(phase) + normal[:, j, 1] * np.sin(phase))
        return states


@dataclass(frozen=True)
class Euler1D(System):
    """The Euler equations of an ideal gas on [0, 1], gamma = 1.4: Sod's shock tube, over the state on its left.

    Density, momentum and energy (component, x) are conserved up to the flow through the open ends. At t = 0 the gas
    rests, with pressure and density (`pressure`, `density`) left of x = 0.5, and (0.1, 0.125) right of it. Good values:
    n = 256, pressure and density 1, up to t = 0.2: a rarefaction, a contact and a shock.

    Finite volumes of second order: slopes limited by van Albada's function, of density, velocity and pressure; the flux
    of Harten, Lax and van Leer, with Davis' speeds. The coordinate holds the centres of cells.

    Parameters are sampled unless given; collocation states are initial states and states along flows.

    Source: Sod, J. Comput. Phys. 27 (1978) 1; Toro, Riemann Solvers and Numerical Methods for Fluid Dynamics (Springer,
    3rd ed. 2009), ch. 4, 10 and 14.
    """

    n: int = 256
    pressure: float = 1.0
    density: float = 1.0

    GAMMA: ClassVar[float] = 1.4
    RIGHT: ClassVar[tuple[float, float]] = (0.1, 0.125)
    name: ClassVar[str] = "Euler1D"
    dims: ClassVar[tuple[str, ...]] = ("component", "x")
    time_scale: ClassVar[float] = 0.1
    citation: ClassVar[str] = (
        "Sod, G. A. (1978). A survey of several finite difference methods for systems of nonlinear hyperbolic "
        "conservation laws. J. Comput. Phys. 27, 1-31."
    )
    default_n_trajectories: ClassVar[int] = 16
    samples_parameters: ClassVar[bool] = True

    def __post_init__(self):
        require_integer("n", self.n, low=8)
        require_numbers(self, "pressure", "density", low=0.0, exclusive=True)

    @property
    def shape(self) -> tuple[int, ...]:
        return (3, self.n)

    @property
    def coords(self) -> dict[str, np.ndarray]:
        return {"component": np.array(["density", "momentum", "energy"]), "x": (np.arange(self.n) + 0.5) / self.n}

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return (
            Parameter.around("pressure", self.pressure, 0.8, 1.2),
            Parameter.around("density", self.density, 0.8, 1.2),
        )

    @property
    def default_times(self) -> np.ndarray:
        return np.linspace(0.0, 0.2, 51)

    def conserved(self, density: Any, velocity: Any, pressure: Any) -> np.ndarray:
        """States (..., 3, n) of NumPy arrays of density, velocity and pressure that broadcast to (..., n)."""
        density, velocity, pressure = np.broadcast_arrays(density, velocity, pressure)
        energy = pressure / (self.GAMMA - 1) + 0.5 * density * velocity**2
        return np.stack([density, density * velocity, energy], axis=-2)

    def _rhs(self, x, mu, t, xp):  # noqa: ARG002
        density = x[..., 0, :]
        velocity = x[..., 1, :] / density
        pressure = (self.GAMMA - 1) * (x[..., 2, :] - 0.5 * density * velocity * velocity)
        ends = [reconstruct(u, xp) for u in (density, velocity, pressure)]
        left, right = (tuple(end[side] for end in ends) for side in (0, 1))
        flux = self._flux(left, right, xp)
        return (flux[..., :-1] - flux[..., 1:]) * self.n

    def _flux(self, left, right, xp):
        """Through each face, between states left and right (density, velocity, pressure) of it."""
        sound = [xp.sqrt(self.GAMMA * p / rho) for rho, _, p in (left, right)]
        slowest = xp.minimum(left[1] - sound[0], right[1] - sound[1])
        fastest = xp.maximum(left[1] + sound[0], right[1] + sound[1])
        zero = xp.zeros_like(slowest)
        slowest, fastest = xp.minimum(slowest, zero), xp.maximum(fastest, zero)
        (state_left, flux_left), (state_right, flux_right) = (self._state_and_flux(side, xp) for side in (left, right))
        s, f = slowest[..., None, :], fastest[..., None, :]
        return (f * flux_left - s * flux_right + s * f * (state_right - state_left)) / (f - s)

    def _state_and_flux(self, side, xp):
        density, velocity, pressure = side
        momentum = density * velocity
        energy = pressure / (self.GAMMA - 1) + 0.5 * momentum * velocity
        state = xp.stack((density, momentum, energy), axis=-2)
        flux = xp.stack((momentum, momentum * velocity + pressure, velocity * (energy + pressure)), axis=-2)
        return state, flux

    def _initial_at(self, mu, seed):  # noqa: ARG002
        left = self.coords["x"] < 0.5
        pressure = np.where(left, mu[:, :1], self.RIGHT[0])
        density = np.where(left, mu[:, 1:], self.RIGHT[1])
        return self.conserved(density, 0.0, pressure)


def reconstruct(u: Any, xp: Any) -> tuple[Any, Any]:
    """Values of cells (..., n) on the two sides of each of the n + 1 faces, with open ends.

    The slope is van Albada's mean of the two differences, which is smooth: (a^2 b + b^2 a) / (a^2 + b^2) where they have
    the same sign, else zero.
    """
    wide = padded(padded(u, "neumann", xp), "neumann", xp)
    steps = wide[..., 1:] - wide[..., :-1]
    a, b = steps[..., :-1], steps[..., 1:]
    product = xp.maximum(a * b, xp.zeros_like(a))
    slope = product * (a + b) / (a * a + b * b + 1e-30)
    cells = wide[..., 1:-1]
    return (cells + 0.5 * slope)[..., :-1], (cells - 0.5 * slope)[..., 1:]
