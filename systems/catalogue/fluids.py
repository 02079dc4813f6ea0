"""Fluids: incompressible Navier-Stokes equations in 2-D, Euler equations in 1-D."""

# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from systems.catalogue.periodic import PeriodicSystem
from systems.checks import require_integer, require_number, require_numbers
from systems.discretisation import padded
from systems.parameter import Parameter
from systems.system import System

__all__ = ["Euler1D", "NavierStokes2D"]


@dataclass(frozen=True)
class NavierStokes2D(PeriodicSystem):
    """The incompressible Navier-Stokes equations in two dimensions, as vorticity.

    ``w_t + u w_x + v w_y = viscosity (w_xx + w_yy) - forcing k cos(k y)``, periodic on [0, 2 pi)^2, with the velocity
    ``(u, v) = (psi_y, -psi_x)``, the stream function ``-(psi_xx + psi_yy) = w``, and k = 4. A state is (y, x). Without
    viscosity and forcing, energy and enstrophy are conserved. The mean is zero. All quantities are dimensionless.

    Good values: n = 64 and viscosity 0.01, with forcing 0 (vortices that merge and decay) or 1 (Kolmogorov flow).

    Parameters
    ----------
    n : int, default 64
        The number of grid points in each direction, at least 19 to resolve the initial waves.
    viscosity : float, default 0.01
        Above 0; sampled from half to twice its value.
    forcing : float, default 0.0
        The strength of the Kolmogorov forcing; sampled from [0, 1].

    Raises
    ------
    SystemsTypeError, SystemsValueError
        If an argument cannot be used.

    Notes
    -----
    Space is discretised by Fourier modes with the 2/3 rule. Initial states are random, with the energy in wavenumbers around 4
    and a root mean square speed of about 0.3.

    References
    ----------
    C. Canuto, M. Y. Hussaini, A. Quarteroni and T. A. Zang, Spectral Methods: Evolution to Complex Geometries and Applications
    to Fluid Dynamics (Springer, 2007), ch. 3.

    Examples
    --------
    >>> import systems
    >>> systems.simulate(systems.NavierStokes2D(n=32), 2, [0.0, 0.5])["state"].shape
    (2, 2, 32, 32)
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
        """Viscosity and forcing with their ranges."""
        return (
            Parameter("viscosity", self.viscosity, 0.5 * self.viscosity, 2 * self.viscosity),
            Parameter.around("forcing", self.forcing, 0.0, 1.0),
        )

    @property
    def default_times(self) -> np.ndarray:
        """100 steps of 0.1."""
        return np.linspace(0.0, 10.0, 101)

    def _growth(self, modes, mu):
        return -mu[0] * modes.squared_wavenumber()

    def _nonlinear(self, y, modes, mu):
        (k_y, k_x), square, xp = modes.k, modes.squared_wavenumber(), modes.xp
        y = y * modes.resolved
        # The mean of the stream function is arbitrary, so its divisor may be anything but zero.
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
    """The Euler equations of an ideal gas in one dimension: Sod's shock tube.

    Density, momentum and energy (component, x) on [0, 1], with gamma = 1.4, are conserved up to the flow through the open
    ends. At t = 0 the gas rests, with the given pressure and density left of x = 0.5, and pressure 0.1 and density 0.125 right
    of it. All quantities are dimensionless.

    Good values: n = 256, pressure and density 1, for times up to 0.2: a rarefaction, a contact and a shock.

    Parameters
    ----------
    n : int, default 256
        The number of cells, at least 8.
    pressure : float, default 1.0
        The initial pressure on the left, > 0; sampled from [0.8, 1.2].
    density : float, default 1.0
        The initial density on the left, > 0; sampled from [0.8, 1.2].

    Raises
    ------
    SystemsTypeError, SystemsValueError
        If an argument cannot be used.

    Notes
    -----
    Space is discretised by finite volumes of second order: the slopes of density, velocity and pressure are limited by van
    Albada's function, and the flux is that of Harten, Lax and van Leer with Davis' speeds. The coordinate holds the centres of
    the cells.

    Parameters are sampled unless they are given. Collocation states are initial states and states on flows.

    References
    ----------
    G. A. Sod, J. Comput. Phys. 27 (1978) 1; E. F. Toro, Riemann Solvers and Numerical Methods for Fluid Dynamics (Springer,
    3rd ed. 2009), ch. 4, 10 and 14.

    Examples
    --------
    >>> import systems
    >>> systems.simulate(systems.Euler1D(n=32), 2, [0.0, 0.1])["state"].shape
    (2, 2, 3, 32)
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
        """Shape of a state."""
        return (3, self.n)

    @property
    def coords(self) -> dict[str, np.ndarray]:
        """Names of the components, and centres of the cells."""
        return {"component": np.array(["density", "momentum", "energy"]), "x": (np.arange(self.n) + 0.5) / self.n}

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Pressure and density with their ranges."""
        return (
            Parameter.around("pressure", self.pressure, 0.8, 1.2),
            Parameter.around("density", self.density, 0.8, 1.2),
        )

    @property
    def default_times(self) -> np.ndarray:
        """50 steps of 0.004."""
        return np.linspace(0.0, 0.2, 51)

    def conserved(self, density: Any, velocity: Any, pressure: Any) -> np.ndarray:
        """Return states of conserved variables.

        Parameters
        ----------
        density, velocity, pressure : array_like
            Values that broadcast to (..., n).

        Returns
        -------
        numpy.ndarray
            States (..., 3, n) of density, momentum and energy.

        Examples
        --------
        >>> import numpy as np
        >>> import systems
        >>> systems.Euler1D().conserved(np.ones(3), 0.5, 1.0)
        array([[1.   , 1.   , 1.   ],
               [0.5  , 0.5  , 0.5  ],
               [2.625, 2.625, 2.625]])
        """
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
        """Return the flux through each face.

        `left` and `right` are density, velocity and pressure on the two sides of it.
        """
        sound = [xp.sqrt(self.GAMMA * p / rho) for rho, _, p in (left, right)]
        slowest = xp.minimum(left[1] - sound[0], right[1] - sound[1])
        fastest = xp.maximum(left[1] + sound[0], right[1] + sound[1])
        zero = xp.zeros_like(slowest)
        slowest, fastest = xp.minimum(slowest, zero), xp.maximum(fastest, zero)
        (state_left, flux_left), (state_right, flux_right) = (self._state_and_flux(side, xp) for side in (left, right))
        s, f = slowest[..., None, :], fastest[..., None, :]
        return (f * flux_left - s * flux_right + s * f * (state_right - state_left)) / (f - s)

    def _state_and_flux(self, side, xp):
        """Return conserved variables (..., 3, faces) and their flux on one side."""
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
    """Return values of cells (..., n) on the two sides of each face.

    There are n + 1 faces; the ends are open.

    The slope is van Albada's mean of the two differences, which is smooth: ``(a^2 b + b^2 a) / (a^2 + b^2)`` if they have the
    same sign, and zero otherwise.
    """
    wide = padded(padded(u, "neumann", xp), "neumann", xp)
    steps = wide[..., 1:] - wide[..., :-1]
    a, b = steps[..., :-1], steps[..., 1:]
    product = xp.maximum(a * b, xp.zeros_like(a))
    slope = product * (a + b) / (a * a + b * b + 1e-30)
    cells = wide[..., 1:-1]
    return (cells + 0.5 * slope)[..., :-1], (cells - 0.5 * slope)[..., 1:]
