"""Diffusion and reactions: heat, Allen-Cahn, FitzHugh-Nagumo, lambda-omega."""

# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy.fft

from systems.arrays import like
from systems.catalogue.periodic import PeriodicSystem, random_waves
from systems.checks import require_integer, require_number, require_numbers
from systems.discretisation import second_difference, second_difference_eigenvalues
from systems.integrators import Formulation
from systems.parameter import Parameter
from systems.system import System

__all__ = ["AllenCahn", "FitzHughNagumo", "Heat", "LambdaOmega"]


@dataclass(frozen=True)
class Heat(System):
    """The heat equation.

    ``u_t = diffusivity u_xx`` on [0, 1] with u = 0 at both ends. It is linear, with the solution ``sum over k of
    b_k exp(-diffusivity (k pi)^2 t) sin(k pi x)``, so any reduced-order model should be accurate on it. All quantities are
    dimensionless.

    Good values: n = 128 and diffusivity 0.1.

    Parameters
    ----------
    n : int, default 128
        The number of inner grid points, at least 3.
    diffusivity : float, default 0.1
        Above 0; sampled from [0.05, 0.2].

    Raises
    ------
    SystemsTypeError, SystemsValueError
        If an argument cannot be used.

    Notes
    -----
    Space is discretised by second differences; `simulate` integrates their eigenvectors exactly. Initial states are sums of
    five sines with coefficients N(0, 1) / k.

    References
    ----------
    J. Fourier, Theorie analytique de la chaleur (1822).

    Examples
    --------
    >>> import systems
    >>> runs = systems.simulate(systems.Heat(n=31), 3, [0.0, 0.1, 0.2])
    >>> runs["state"].shape
    (3, 3, 31)
    """

    n: int = 128
    diffusivity: float = 0.1

    name: ClassVar[str] = "Heat"
    dims: ClassVar[tuple[str, ...]] = ("x",)
    time_scale: ClassVar[float] = 1.0
    citation: ClassVar[str] = "Fourier, J. (1822). Theorie analytique de la chaleur."

    def __post_init__(self):
        require_integer("n", self.n, low=3)
        require_numbers(self, "diffusivity", low=0.0, exclusive=True)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a state."""
        return (self.n,)

    @property
    def coords(self) -> dict[str, np.ndarray]:
        """Inner grid points."""
        return {"x": np.arange(1, self.n + 1) / (self.n + 1)}

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Diffusivity with its range."""
        return (Parameter.around("diffusivity", self.diffusivity, 0.05, 0.2),)

    @property
    def default_times(self) -> np.ndarray:
        """50 steps of 0.02."""
        return np.linspace(0.0, 1.0, 51)

    def _rhs(self, x, mu, t, xp):  # noqa: ARG002
        return mu[..., :1] * second_difference(x, 1 / (self.n + 1), "dirichlet", xp)

    def _formulation(self, mu):
        """Return the formulation in sines, the eigenvectors of the second difference."""
        diffusivity = np.atleast_2d(self.parameter_values(mu))
        return Formulation(
            forward=lambda x: np.asarray(scipy.fft.dst(x, type=1, norm="ortho")),
            backward=lambda y: np.asarray(scipy.fft.idst(np.real(y), type=1, norm="ortho")),
            rhs=lambda t, y: np.zeros_like(y),  # noqa: ARG005
            symbol=diffusivity * second_difference_eigenvalues(self.n, 1 / (self.n + 1), "dirichlet"),
            weights=np.full(self.n, 1 / self.n),
        )

    def _initial(self, n, seed):
        coefficients = np.random.default_rng(seed).standard_normal((n, 5, 1))
        return sum(coefficients[:, k - 1] / k * np.sin(k * np.pi * self.coords["x"]) for k in range(1, 6))


@dataclass(frozen=True)
class AllenCahn(PeriodicSystem):
    """The Allen-Cahn equation: phases that separate, and fronts between them.

    ``u_t = width^2 u_xx + u - u^3``, periodic on [-1, 1). It is the gradient flow of the mean of
    ``width^2 u_x^2 / 2 + (1 - u^2)^2 / 4``, which never grows. Fronts form in about three time units and then rest for times
    that grow exponentially with their distance. All quantities are dimensionless.

    Good values: n = 256 and width 0.05.

    Parameters
    ----------
    n : int, default 256
        The number of grid points, at least 4.
    width : float, default 0.05
        The width of fronts, > 0; sampled from [0.03, 0.1].

    Raises
    ------
    SystemsTypeError, SystemsValueError
        If an argument cannot be used.

    Notes
    -----
    Space is discretised by Fourier modes; u^3 is computed at the grid points. Initial states are random waves of eight modes
    of size 0.3 / k.

    References
    ----------
    S. M. Allen and J. W. Cahn, Acta Metall. 27 (1979) 1085.

    Examples
    --------
    >>> import systems
    >>> systems.AllenCahn(n=64).sample_initial(3).shape
    (3, 64)
    """

    n: int = 256
    width: float = 0.05

    lengths: ClassVar[tuple[float, ...]] = (2.0,)
    origin: ClassVar[float] = -1.0
    name: ClassVar[str] = "AllenCahn"
    dims: ClassVar[tuple[str, ...]] = ("x",)
    time_scale: ClassVar[float] = 1.0
    citation: ClassVar[str] = (
        "Allen, S. M., & Cahn, J. W. (1979). A microscopic theory for antiphase boundary motion and its application to "
        "antiphase domain coarsening. Acta Metall. 27(6), 1085-1095."
    )

    def __post_init__(self):
        require_integer("n", self.n, low=4)
        require_numbers(self, "width", low=0.0, exclusive=True)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Width with its range."""
        return (Parameter.around("width", self.width, 0.03, 0.1),)

    def _growth(self, modes, mu):
        return 1.0 - mu[0] ** 2 * modes.squared_wavenumber()

    def _nonlinear(self, y, modes, mu):  # noqa: ARG002
        return -modes.forward(modes.backward(y) ** 3)

    def _initial(self, n, seed):
        return random_waves(self.coords["x"], 2.0, 0.3 / np.arange(1, 9), n, seed)


@dataclass(frozen=True)
class FitzHughNagumo(System):
    """FitzHugh-Nagumo: a nerve that is stimulated at its left end by `current`.

    On [0, 1], ``eps v_t = eps^2 v_xx + v (v - 0.1) (1 - v) - w + c`` and ``w_t = 0.5 v - gamma w + c``, with
    ``v_x(0) = -current``, ``v_x(1) = 0``, eps = 0.015, gamma = 2 and c = 0.05. A state is (component, x): v, then w. All
    quantities are dimensionless.

    Good values: n = 512. From rest the whole nerve pulses once in about two time units, also without a current, because c
    drives it.

    Parameters
    ----------
    n : int, default 512
        The number of cells, at least 3.
    current : float, default 0.0
        The stimulus; sampled from [0, 20]. It can be an input (`driven`): that of the source is a pulse in time,
        50,000 t^3 exp(-15 t).

    Raises
    ------
    SystemsTypeError, SystemsValueError
        If an argument cannot be used.

    Notes
    -----
    Space is discretised by second differences in cells, whose centres are the coordinate. The system is stiff: diffusion has
    rates up to 4 eps n^2, which `simulate` integrates implicitly (LSODA with a banded Jacobian).

    Initial states are smooth, random and small; the source starts at zero. Collocation states are these, and states on flows
    at the default parameters.

    References
    ----------
    S. Chaturantabut and D. C. Sorensen, SIAM J. Sci. Comput. 32 (2010) 2737, sec. 3.3.

    Examples
    --------
    >>> import systems
    >>> nerve = systems.driven(systems.FitzHughNagumo(n=32), "current")
    >>> pulse = {"current": lambda t: 50_000 * t**3 * 2.718**(-15 * t)}
    >>> systems.simulate(nerve, 1, [0.0, 0.1, 0.2], inputs=pulse)["state"].shape
    (1, 3, 2, 32)
    """

    n: int = 512
    current: float = 0.0

    EPS: ClassVar[float] = 0.015
    B: ClassVar[float] = 0.5
    GAMMA: ClassVar[float] = 2.0
    C: ClassVar[float] = 0.05
    name: ClassVar[str] = "FitzHughNagumo"
    dims: ClassVar[tuple[str, ...]] = ("component", "x")
    time_scale: ClassVar[float] = 2.0
    citation: ClassVar[str] = (
        "Chaturantabut, S., & Sorensen, D. C. (2010). Nonlinear model reduction via discrete empirical interpolation. "
        "SIAM J. Sci. Comput. 32(5), 2737-2764."
    )

    def __post_init__(self):
        require_integer("n", self.n, low=3)
        require_number("current", self.current)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a state."""
        return (2, self.n)

    @property
    def coords(self) -> dict[str, np.ndarray]:
        """Names of the components, and centres of the cells."""
        return {"component": np.array(["v", "w"]), "x": (np.arange(self.n) + 0.5) / self.n}

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Current with its range."""
        return (Parameter.around("current", self.current, 0.0, 20.0),)

    @property
    def default_times(self) -> np.ndarray:
        """160 steps of 0.05."""
        return np.linspace(0.0, 8.0, 161)

    def _rhs(self, x, mu, t, xp):  # noqa: ARG002
        v, w = x[..., 0, :], x[..., 1, :]
        first = like(np.arange(self.n) == 0, x, xp)
        cubic = v * (v - 0.1) * (1 - v)
        diffusion = self.EPS * second_difference(v, 1 / self.n, "neumann", xp)
        v_t = (cubic - w + self.C) / self.EPS + (self.EPS * self.n) * mu[..., :1] * first + diffusion
        return xp.stack(xp.broadcast_arrays(v_t, self.B * v - self.GAMMA * w + self.C), axis=-2)

    def _formulation(self, mu):
        """Return v and w of each cell side by side.

        They depend on those of the two neighbouring cells alone, so the Jacobian is banded.

        The current enters one cell, and so excites all cosines: integrating these with exact diffusion takes forty times as long.
        """

        def forward(x):
            return x.swapaxes(-2, -1).reshape(len(x), -1)

        def backward(y):
            return y.reshape(len(y), self.n, 2).swapaxes(-2, -1)

        return Formulation(forward, backward, rhs=lambda t, y: forward(self.rhs(backward(y), mu, t)), bands=(2, 2))

    def _initial(self, n, seed):
        # Cosines fit the ends, where the slope is zero.
        normal = np.random.default_rng(seed).standard_normal((n, 2, 4, 1))
        waves = sum(normal[:, :, k] / (k + 1) * np.cos(k * np.pi * self.coords["x"]) for k in range(4))
        return np.array([[0.1], [0.02]]) * waves


@dataclass(frozen=True)
class LambdaOmega(PeriodicSystem):
    """The lambda-omega reaction-diffusion system: spiral waves.

    With ``s = u^2 + v^2``, ``u_t = (1 - s) u + rotation s v + diffusion (u_xx + u_yy)`` and
    ``v_t = (1 - s) v - rotation s u + diffusion (v_xx + v_yy)``, periodic on [-10, 10)^2. A state is (component, y, x). All
    quantities are dimensionless.

    Good values: n = 64, rotation 1 and diffusion 0.1. Away from the cores of the spirals s is about 0.9, and one turn takes
    about 6.9 time units. In the long run the states lie on a manifold of two dimensions.

    Parameters
    ----------
    n : int, default 64
        The number of grid points in each direction, at least 4.
    diffusion : float, default 0.1
        Above 0; sampled from [0.05, 0.2].
    rotation : float, default 1.0
        The frequency of waves of unit size; sampled from [0.8, 1.2].

    Raises
    ------
    SystemsTypeError, SystemsValueError
        If an argument cannot be used.

    Notes
    -----
    Space is discretised by Fourier modes; products are computed at the grid points. Initial states are four spirals at a
    distance of 10, whose neighbours turn in opposite directions. Their position and phase are random.

    References
    ----------
    K. Champion, B. Lusch, J. N. Kutz and S. L. Brunton, PNAS 116 (2019) 22445, after N. Kopell and L. N. Howard (1973).

    Examples
    --------
    >>> import systems
    >>> systems.LambdaOmega(n=16).sample_initial(2).dims
    ('trajectory', 'component', 'y', 'x')
    """

    n: int = 64
    diffusion: float = 0.1
    rotation: float = 1.0

    lengths: ClassVar[tuple[float, ...]] = (20.0, 20.0)
    origin: ClassVar[float] = -10.0
    fields: ClassVar[tuple[str, ...]] = ("u", "v")
    name: ClassVar[str] = "LambdaOmega"
    dims: ClassVar[tuple[str, ...]] = ("component", "y", "x")
    time_scale: ClassVar[float] = 6.9
    citation: ClassVar[str] = (
        "Champion, K., Lusch, B., Kutz, J. N., & Brunton, S. L. (2019). Data-driven discovery of coordinates and "
        "governing equations. PNAS 116, 22445-22451."
    )
    default_n_trajectories: ClassVar[int] = 16

    def __post_init__(self):
        require_integer("n", self.n, low=4)
        require_numbers(self, "diffusion", low=0.0, exclusive=True)
        require_number("rotation", self.rotation)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Diffusion and rotation with their ranges."""
        return (
            Parameter.around("diffusion", self.diffusion, 0.05, 0.2),
            Parameter.around("rotation", self.rotation, 0.8, 1.2),
        )

    @property
    def default_times(self) -> np.ndarray:
        """200 steps of 0.1."""
        return np.linspace(0.0, 20.0, 201)

    def _growth(self, modes, mu):
        return 1.0 - mu[0] * modes.squared_wavenumber()

    def _nonlinear(self, y, modes, mu):
        x, xp = modes.backward(y), modes.xp
        u, v = x[..., :1, :, :], x[..., 1:, :, :]
        s = u * u + v * v
        return modes.forward(s * (mu[1] * xp.concat((v, -u), axis=-3) - x))

    def _initial(self, n, seed):
        y, x = np.meshgrid(self.coords["y"], self.coords["x"], indexing="ij")
        centre, phase = np.split(np.random.default_rng(seed).random((n, 3, 1, 1)), [2], axis=1)
        # Spirals at the four common zeros of two sines, which are periodic and change sign between neighbours.
        a, b = (
            np.sin(2 * np.pi / 20 * (coordinate - 10 * (centre[:, i] - 0.5))) for i, coordinate in enumerate((x, y))
        )
        radius = np.sqrt(a * a + b * b) * 20 / (2 * np.pi)
        angle = np.arctan2(b, a) - radius + 2 * np.pi * phase[:, 0]
        return np.tanh(radius)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
