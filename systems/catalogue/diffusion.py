"""Diffusion and reactions: heat, Allen-Cahn, FitzHugh-Nagumo, lambda-omega."""

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


@dataclass(frozen=True)
class Heat(System):
    """The heat equation, u_t = diffusivity u_xx, on [0, 1] with u = 0 at both ends.

    Linear, with the solution sum_k b_k exp(-diffusivity (k pi)^2 t) sin(k pi x): any ROM should get it right. Good values:
    n = 128 points inside, diffusivity 0.1.

    Space is discretised by second differences; `simulate` integrates their eigenvectors exactly. Initial states are sums
    of five sines with coefficients N(0, 1) / k.
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
        return (self.n,)

    @property
    def coords(self) -> dict[str, np.ndarray]:
        return {"x": np.arange(1, self.n + 1) / (self.n + 1)}

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return (Parameter.around("diffusivity", self.diffusivity, 0.05, 0.2),)

    @property
    def default_times(self) -> np.ndarray:
        return np.linspace(0.0, 1.0, 51)

    def _rhs(self, x, mu, t, xp):  # noqa: ARG002
        return mu[..., :1] * second_difference(x, 1 / (self.n + 1), "dirichlet", xp)

    def _formulation(self, mu):
        """Sines, the eigenvectors of the second difference."""
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
    """The Allen-Cahn equation, u_t = width^2 u_xx + u - u^3, periodic on [-1, 1): phases that part, and fronts.

    The gradient flow of the mean of width^2 u_x^2 / 2 + (1 - u^2)^2 / 4, which never grows. Fronts have the width
    `width`, form in about three time units and then rest for times that grow exponentially with their distance. Good
    values: n = 256, width 0.05.

    Fourier modes; u^3 is taken at the points of the grid. Initial states are random waves of eight modes of size 0.3 / k.

    Source: Allen and Cahn, Acta Metall. 27 (1979) 1085.
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
        return (Parameter.around("width", self.width, 0.03, 0.1),)

    def _growth(self, modes, mu):
        return 1.0 - mu[0] ** 2 * modes.squared_wavenumber()

    def _nonlinear(self, y, modes, mu):  # noqa: ARG002
        return -modes.forward(modes.backward(y) ** 3)

    def _initial(self, n, seed):
        return random_waves(self.coords["x"], 2.0, 0.3 / np.arange(1, 9), n, seed)


@dataclass(frozen=True)
class FitzHughNagumo(System):
    """FitzHugh-Nagumo: a nerve on [0, 1] that is stimulated at its left end by `current`.

    eps v_t = eps^2 v_xx + v (v - 0.1) (1 - v) - w + c, w_t = 0.5 v - gamma w + c, v_x(0) = -current, v_x(1) = 0, with
    eps = 0.015, gamma = 2, c = 0.05. A state is (component, x): v, then w. Good values: n = 512 cells. From rest the whole
    nerve pulses once in about two time units, without a current too (c drives it). `current` can be an input
    (`systems.driven`); that of the source is a pulse in time, 50,000 t^3 exp(-15 t).

    Space is discretised by second differences in cells, whose centres are the coordinate. Stiff: diffusion has rates up
    to 4 eps n^2, which `simulate` integrates implicitly (LSODA with a banded Jacobian).

    Initial states are smooth, random and small (the source starts at zero); collocation states are these and states along
    flows at the default parameters.

    Source: Chaturantabut and Sorensen, SIAM J. Sci. Comput. 32 (2010) 2737, sec. 3.3.
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
        return (2, self.n)

    @property
    def coords(self) -> dict[str, np.ndarray]:
        return {"component": np.array(["v", "w"]), "x": (np.arange(self.n) + 0.5) / self.n}

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return (Parameter.around("current", self.current, 0.0, 20.0),)

    @property
    def default_times(self) -> np.ndarray:
        return np.linspace(0.0, 8.0, 161)

    def _rhs(self, x, mu, t, xp):  # noqa: ARG002
        v, w = x[..., 0, :], x[..., 1, :]
        first = like(np.arange(self.n) == 0, x, xp)
        cubic = v * (v - 0.1) * (1 - v)
        diffusion = self.EPS * second_difference(v, 1 / self.n, "neumann", xp)
        v_t = (cubic - w + self.C) / self.EPS + (self.EPS * self.n) * mu[..., :1] * first + diffusion
        return xp.stack(xp.broadcast_arrays(v_t, self.B * v - self.GAMMA * w + self.C), axis=-2)

    def _formulation(self, mu):
        """v and w of a cell side by side, which are coupled to those of the two cells next to it alone.

        The current, which enters one cell, has all cosines: integrating these with diffusion exact takes forty times as long.
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
    """The lambda-omega reaction-diffusion system on [-10, 10)^2, periodic: spiral waves.

    u_t = (1 - s) u + rotation s v + diffusion (u_xx + u_yy), v_t = (1 - s) v - rotation s u + diffusion (v_xx + v_yy),
    s = u^2 + v^2. A state is (component, y, x). Good values: n = 64, rotation 1, diffusion 0.1; away from the cores of
    the spirals u^2 + v^2 is about 0.9, and one turn takes about 6.9 time units: in the long run two dimensions hold it.

    Fourier modes; the products are taken at the points of the grid. Initial states are four spirals, 10 apart, of which
    neighbours turn in opposite senses; where they lie and their phase are random.

    Source: Champion, Lusch, Kutz and Brunton, PNAS 116 (2019) 22445, after Kopell and Howard (1973).
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
        return (
            Parameter.around("diffusion", self.diffusion, 0.05, 0.2),
            Parameter.around("rotation", self.rotation, 0.8, 1.2),
        )

    @property
    def default_times(self) -> np.ndarray:
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
        # Spirals at the four common zeros of two sines, which are periodic and change sign from one to the next.
        a, b = (
            np.sin(2 * np.pi / 20 * (coordinate - 10 * (centre[:, i] - 0.5))) for i, coordinate in enumerate((x, y))
        )
        radius = np.sqrt(a * a + b * b) * 20 / (2 * np.pi)
        angle = np.arctan2(b, a) - radius + 2 * np.pi * phase[:, 0]
        return np.tanh(radius)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
