"""Viscous Burgers' equation, periodic in one and two dimensions."""

# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from systems.catalogue.periodic import PeriodicSystem
from systems.checks import require_choice, require_integer, require_numbers
from systems.flow_sampling import InitialStates, ShortFlows
from systems.parameter import Parameter
from systems.sampling import Mixture, Sampler

__all__ = ["Burgers", "Burgers2D"]

# Families of initial states.
INITIAL_STATES = ("harmonic", "gaussian", "bumps", "mixed")


@dataclass(frozen=True)
class Burgers(PeriodicSystem):
    """Viscous Burgers' equation, periodic in one dimension.

    ``u_t = -u u_x + nu u_xx`` on [-pi, pi), where pi is not a grid point. All quantities are dimensionless.

    Good values: n = 1024 and viscosity 0.01, where the modes of the fronts fall by six orders of magnitude before they are
    cut off. With n = 128, as in the source, the fronts are slightly under-resolved.

    Parameters
    ----------
    n : int, default 1024
        The number of grid points, at least 4.
    viscosity : float, default 0.01
        nu > 0; sampled from half to twice its value.
    initial : {"harmonic", "gaussian", "bumps", "mixed"}, default "harmonic"
        The family of initial states: see Notes.

    Raises
    ------
    SystemsTypeError, SystemsValueError
        If an argument cannot be used.

    Notes
    -----
    Space is discretised by Fourier modes: ``f = -(u_s^2 / 2)_x + nu u_xx``, where u_s is u without its modes
    ``abs(k) >= n/3``, and the same modes of the product are left out (the 2/3 rule). This is Galerkin's method without
    aliasing. It conserves the mean exactly, and the flux neither produces nor removes energy; the modes that are left out
    only decay.

    Initial states: "harmonic" is the sum over k = 1..5 of ``a_k cos(k x) + b_k sin(k x)`` with coefficients 0.1 N(0, 1).
    "gaussian" is one periodic bump ``h exp((cos(x - c) - 1) / w^2)`` with h in [0.25, 0.75], c anywhere, and w in [0.2, 0.6].
    "bumps" is the sum of two of them. "mixed" takes the three families in turn.

    Collocation states are initial states (one in five) and states on flows from them over the default times: 20 steps of
    0.1, in which fronts form and begin to merge.

    References
    ----------
    A. Sholokhov, Y. Liu, H. Mansour and S. Nabi, "Physics-informed neural ODE (PINODE)", Sci. Rep. 13 (2023) 10166. The
    families of initial states follow it; the ranges of the bumps are chosen here.

    Examples
    --------
    >>> import systems
    >>> burgers = systems.Burgers(n=64, viscosity=0.05)
    >>> runs = systems.simulate(burgers, 4, seed=1)
    >>> dict(runs.sizes)
    {'trajectory': 4, 'time': 21, 'x': 64}
    """

    n: int = 1024
    viscosity: float = 0.01
    initial: str = "harmonic"

    HARMONICS: ClassVar[int] = 5
    lengths: ClassVar[tuple[float, ...]] = (2 * np.pi,)
    origin: ClassVar[float] = -np.pi
    name: ClassVar[str] = "Burgers"
    dims: ClassVar[tuple[str, ...]] = ("x",)
    time_scale: ClassVar[float] = 1.0
    citation: ClassVar[str] = (
        "Sholokhov, A., Liu, Y., Mansour, H., & Nabi, S. (2023). Physics-informed neural ODE (PINODE): "
        "embedding physics into models using collocation points. Sci. Rep. 13, 10166."
    )

    def __post_init__(self):
        require_integer("n", self.n, low=4)
        require_numbers(self, "viscosity", low=0.0, exclusive=True)
        require_choice("initial", self.initial, INITIAL_STATES)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Viscosity with its range."""
        return (Parameter("viscosity", self.viscosity, 0.5 * self.viscosity, 2 * self.viscosity),)

    @property
    def default_times(self) -> np.ndarray:
        """20 steps of 0.1."""
        return np.linspace(0.0, 2.0, 21)

    def _growth(self, modes, mu):
        return -mu[0] * modes.squared_wavenumber()

    def _nonlinear(self, y, modes, mu):  # noqa: ARG002
        return modes.self_advection(y)

    def _initial(self, n, seed):
        families = {"harmonic": self._harmonic, "gaussian": self._gaussian, "bumps": self._bumps}
        if self.initial != "mixed":
            return families[self.initial](n, seed)
        return Mixture(tuple(families.values()))(n, seed)

    def _harmonic(self, n, seed):
        """Return n sums of five harmonics."""
        coefficients = 0.1 * np.random.default_rng(seed).standard_normal((n, 2 * self.HARMONICS))
        phase = np.arange(1, self.HARMONICS + 1)[:, None] * self.coords["x"]
        basis = np.concatenate([np.cos(phase), np.sin(phase)])
        # Term by term: the rounding of a matrix product may depend on how many rows it has.
        return sum(coefficients[:, j, None] * basis[j] for j in range(len(basis)))

    def _gaussian(self, n, seed):
        """Return n states of one bump."""
        return self._sum_of_bumps(n, seed, 1)

    def _bumps(self, n, seed):
        """Return n states of two bumps."""
        return self._sum_of_bumps(n, seed, 2)

    def _sum_of_bumps(self, n, seed, count):
        """Return n sums of `count` bumps."""
        height, centre, width = np.moveaxis(np.random.default_rng(seed).random((n, count, 3, 1)), 2, 0)
        height, centre, width = 0.25 + 0.5 * height, 2 * np.pi * centre, 0.2 + 0.4 * width
        return (height * np.exp((np.cos(self.coords["x"] - centre) - 1) / width**2)).sum(axis=1)

    def _sampler(self) -> Sampler:
        # Many flows with few points each, because points from many initial states are worth more. With 16,384 points
        # the error of a model is half of that for equal shares of initial states and flows with 8 points each.
        return Mixture((InitialStates(self), ShortFlows(self)), weights=(0.2, 0.8))


@dataclass(frozen=True)
class Burgers2D(PeriodicSystem):
    """Viscous Burgers' equations, periodic in two dimensions.

    ``u_t = -u u_x - v u_y + nu (u_xx + u_yy)`` on [0, 2 pi)^2, and the same for v. A state is (component, y, x). All
    quantities are dimensionless.

    Good values: n = 64 and viscosity 0.03, for times up to 2, when fronts have formed.

    Parameters
    ----------
    n : int, default 64
        The number of grid points in each direction, at least 4.
    viscosity : float, default 0.03
        nu > 0; sampled from half to twice its value.

    Raises
    ------
    SystemsTypeError, SystemsValueError
        If an argument cannot be used.

    Notes
    -----
    Space is discretised by Fourier modes with the 2/3 rule. Initial states are random gradients of the modes (1, 0), (0, 1),
    (1, 1) and (1, -1). Every second one also has a rotational part of the same modes.

    References
    ----------
    C. A. J. Fletcher, Int. J. Numer. Methods Fluids 3 (1983) 213. The initial states are chosen here.

    Examples
    --------
    >>> import systems
    >>> systems.Burgers2D(n=16).sample_initial(3).shape
    (3, 2, 16, 16)
    """

    n: int = 64
    viscosity: float = 0.03

    lengths: ClassVar[tuple[float, ...]] = (2 * np.pi, 2 * np.pi)
    fields: ClassVar[tuple[str, ...]] = ("u", "v")
    name: ClassVar[str] = "Burgers2D"
    dims: ClassVar[tuple[str, ...]] = ("component", "y", "x")
    time_scale: ClassVar[float] = 1.0
    citation: ClassVar[str] = (
        "Fletcher, C. A. J. (1983). Generating exact solutions of the two-dimensional Burgers' equations. "
        "Int. J. Numer. Methods Fluids 3(3), 213-216."
    )
    default_n_trajectories: ClassVar[int] = 32

    def __post_init__(self):
        require_integer("n", self.n, low=4)
        require_numbers(self, "viscosity", low=0.0, exclusive=True)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Viscosity with its range."""
        return (Parameter("viscosity", self.viscosity, 0.5 * self.viscosity, 2 * self.viscosity),)

    @property
    def default_times(self) -> np.ndarray:
        """20 steps of 0.1."""
        return np.linspace(0.0, 2.0, 21)

    def _growth(self, modes, mu):
        return -mu[0] * modes.squared_wavenumber()

    def _nonlinear(self, y, modes, mu):  # noqa: ARG002
        y = y * modes.resolved
        velocity, (slope_y, slope_x) = modes.backward(y), modes.gradient(y)
        u, v = velocity[..., :1, :, :], velocity[..., 1:, :, :]
        return -modes.forward(u * slope_x + v * slope_y) * modes.resolved

    def _initial(self, n, seed):
        y, x = np.meshgrid(self.coords["y"], self.coords["x"], indexing="ij")
        strength = np.random.default_rng(seed).standard_normal((n, 2, 2, 4, 1, 1)) * 0.15
        strength[:, 1] *= (np.arange(n) % 2)[:, None, None, None, None]
        states = np.zeros((n, 2, self.n, self.n))
        for j, (p, q) in enumerate([(1, 0), (0, 1), (1, 1), (1, -1)]):
            phase = p * x + q * y
            for i, wave in enumerate((np.cos(phase), np.sin(phase))):
                along, around = strength[:, 0, i, j], strength[:, 1, i, j]
                states[:, 0] += (along * p - around * q) * wave
                states[:, 1] += (along * q + around * p) * wave
        return states
