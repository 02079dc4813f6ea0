"""Burgers' equation: viscous and periodic in one and two dimensions, inviscid, and forced with an inflow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from systems.arrays import like
from systems.catalogue.periodic import PeriodicSystem
from systems.checks import require_choice, require_integer, require_numbers
from systems.flow_sampling import InitialStates, ShortFlows
from systems.parameter import Parameter
from systems.sampling import Mixture, Sampler
from systems.system import System

INITIAL_STATES = ("harmonic", "gaussian", "bumps", "mixed")


@dataclass(frozen=True)
class Burgers(PeriodicSystem):
    """Viscous Burgers' equation, u_t = -u u_x + nu u_xx, periodic on [-pi, pi); pi is not a grid point.

    Good values: n = 1024 and viscosity 0.01 (the modes of the fronts fall by six orders of magnitude before
    they are cut); n = 128, as in the source, leaves the fronts a little under-resolved. The default times are
    20 steps of 0.1, in which fronts form and begin to merge.

    Space is discretised by Fourier modes: f = -(u_s^2 / 2)_x + nu u_xx, where u_s is u without its modes
    |k| >= n/3, and the same modes of the product are left out (the 2/3 rule). This is Galerkin's method,
    without aliasing: it conserves the mean exactly, and the flux neither makes nor takes energy; the modes
    left out only decay.

    initial: "harmonic", ten modes: the sum over k = 1..5 of a_k cos kx + b_k sin kx, with coefficients
    0.1 N(0, 1); "gaussian", one periodic bump h exp((cos(x - c) - 1) / w^2) with h in [0.25, 0.75], c
    anywhere, w in [0.2, 0.6]; "bumps", the sum of two such; "mixed", the three families in turn.

    Collocation states are initial states, one in five, and states along flows from them over the default times.

    Source of the problem: Sholokhov, Liu, Mansour and Nabi, Sci. Rep. 13 (2023) 10166 (the families
    follow it; the ranges of the bumps are chosen here).
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
        return (Parameter("viscosity", self.viscosity, 0.5 * self.viscosity, 2 * self.viscosity),)

    @property
    def default_times(self) -> np.ndarray:
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
        coefficients = 0.1 * np.random.default_rng(seed).standard_normal((n, 2 * self.HARMONICS))
        phase = np.arange(1, self.HARMONICS + 1)[:, None] * self.coords["x"]
        basis = np.concatenate([np.cos(phase), np.sin(phase)])
        # Term by term: the rounding of a matrix product may depend on how many rows it has.
        return sum(coefficients[:, j, None] * basis[j] for j in range(len(basis)))

    def _gaussian(self, n, seed):
        return self._sum_of_bumps(n, seed, 1)

    def _bumps(self, n, seed):
        return self._sum_of_bumps(n, seed, 2)

    def _sum_of_bumps(self, n, seed, count):
        height, centre, width = np.moveaxis(np.random.default_rng(seed).random((n, count, 3, 1)), 2, 0)
        height, centre, width = 0.25 + 0.5 * height, 2 * np.pi * centre, 0.2 + 0.4 * width
        return (height * np.exp((np.cos(self.coords["x"] - centre) - 1) / width**2)).sum(axis=1)

    def _sampler(self) -> Sampler:
        # Many flows with few points each: what counts is how many different initial states the points come from.
        # Measured with 16,384 points: half the error of half initial states and half long flows with 8 points each.
        return Mixture((InitialStates(self), ShortFlows(self)), weights=(0.2, 0.8))


@dataclass(frozen=True)
class Burgers2D(PeriodicSystem):
    """Burgers' equations in two dimensions, u_t = -u u_x - v u_y + nu (u_xx + u_yy), the same for v, periodic.

    A state is (component, y, x) on [0, 2 pi)^2. Good values: n = 64 and viscosity 0.03; time up to 2, when fronts have
    formed. Fourier modes with the 2/3 rule.

    Initial states are random gradients of the modes (1, 0), (0, 1), (1, 1) and (1, -1); every second one has a
    rotational part of the same modes as well.

    Source: Fletcher, Int. J. Numer. Methods Fluids 3 (1983) 213; the initial states are chosen here.
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
        return (Parameter("viscosity", self.viscosity, 0.5 * self.viscosity, 2 * self.viscosity),)

    @property
    def default_times(self) -> np.ndarray:
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


@dataclass(frozen=True)
class InviscidBurgers(System):
    """Inviscid Burgers' equation, u_t + u u_x = 0, periodic on [-3, 3), over two parameters of its initial state.

    u(x, 0) = amplitude exp(-x^2 / (2 width^2)), amplitude in [0.7, 0.9], width in [0.9, 1.1]: the test problem of the
    papers on latent-space dynamics. A shock forms at t = width exp(1/2) / amplitude, 1.6 to 2.6; default times end at 1.

    Space is discretised by first-order upwind differences of the flux u^2/2, which conserve the mean; the sources take
    u u_x, which is the same until a shock forms, to first order. Good values: n = 1000.

    Parameters are sampled unless given; collocation states are initial states and states along flows.

    Source: He, Choi, Fries, Belof and Chen, J. Comput. Phys. 489 (2023) 112267.
    """

    n: int = 1000
    amplitude: float = 0.8
    width: float = 1.0

    name: ClassVar[str] = "InviscidBurgers"
    dims: ClassVar[tuple[str, ...]] = ("x",)
    time_scale: ClassVar[float] = 2.0
    citation: ClassVar[str] = (
        "He, X., Choi, Y., Fries, W. D., Belof, J. L., & Chen, J.-S. (2023). gLaSDI: Parametric physics-informed greedy "
        "latent space dynamics identification. J. Comput. Phys. 489, 112267."
    )
    default_n_trajectories: ClassVar[int] = 16
    samples_parameters: ClassVar[bool] = True

    def __post_init__(self):
        require_integer("n", self.n, low=4)
        require_numbers(self, "amplitude", "width", low=0.0, exclusive=True)

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.n,)

    @property
    def coords(self) -> dict[str, np.ndarray]:
        return {"x": -3.0 + 6.0 / self.n * np.arange(self.n)}

    @property
    def periods(self) -> dict[str, float]:
        return {"x": 6.0}

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return Parameter.around("amplitude", self.amplitude, 0.7, 0.9), Parameter.around("width", self.width, 0.9, 1.1)

    @property
    def default_times(self) -> np.ndarray:
        return np.linspace(0.0, 1.0, 101)

    def _rhs(self, x, mu, t, xp):  # noqa: ARG002
        flux = upwind_flux(x, xp.roll(x, -1, axis=-1), xp)
        return (xp.roll(flux, 1, axis=-1) - flux) * (self.n / 6.0)

    def _initial_at(self, mu, seed):  # noqa: ARG002
        amplitude, width = mu[:, :1], mu[:, 1:]
        return amplitude * np.exp(-(self.coords["x"] ** 2) / (2 * width**2))


@dataclass(frozen=True)
class ForcedBurgers(System):
    """Inviscid Burgers' equation with an inflow and a source: u_t + (u^2/2)_x = 0.02 exp(growth x) on [0, 100].

    u(0, t) = inflow, u(x, 0) = 1. A front runs in from the left, at about (1 + inflow) / 2: no linear space of few
    dimensions holds it, which makes this the usual test of nonlinear manifolds. Good values: n = 256 cells, time up to
    35, inflow in [4.25, 5.5] and growth in [0.015, 0.03].

    Space is discretised by Godunov's method of first order in cells, whose centres are the coordinate.

    Parameters are sampled unless given; collocation states are initial states and states along flows, at sampled
    parameters.

    Source: Lee and Carlberg, J. Comput. Phys. 404 (2020) 108973, sec. 7.1, after Rewienski and White (2003).
    """

    n: int = 256
    inflow: float = 4.875
    growth: float = 0.0225

    LENGTH: ClassVar[float] = 100.0
    name: ClassVar[str] = "ForcedBurgers"
    dims: ClassVar[tuple[str, ...]] = ("x",)
    time_scale: ClassVar[float] = 20.0
    citation: ClassVar[str] = (
        "Lee, K., & Carlberg, K. T. (2020). Model reduction of dynamical systems on nonlinear manifolds using deep "
        "convolutional autoencoders. J. Comput. Phys. 404, 108973."
    )
    default_n_trajectories: ClassVar[int] = 80
    samples_parameters: ClassVar[bool] = True

    def __post_init__(self):
        require_integer("n", self.n, low=4)
        require_numbers(self, "inflow", "growth", low=0.0, exclusive=True)

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.n,)

    @property
    def coords(self) -> dict[str, np.ndarray]:
        return {"x": self.LENGTH / self.n * (np.arange(self.n) + 0.5)}

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return Parameter.around("inflow", self.inflow, 4.25, 5.5), Parameter.around("growth", self.growth, 0.015, 0.03)

    @property
    def default_times(self) -> np.ndarray:
        return np.linspace(0.0, 35.0, 101)

    def _rhs(self, x, mu, t, xp):  # noqa: ARG002
        inflow = xp.broadcast_to(mu[..., :1], (*x.shape[:-1], 1))
        left = xp.concat((inflow, x), axis=-1)
        right = xp.concat((x, x[..., -1:]), axis=-1)
        flux = upwind_flux(left, right, xp)
        source = 0.02 * xp.exp(mu[..., 1:] * like(self.coords["x"], x, xp))
        return (flux[..., :-1] - flux[..., 1:]) * (self.n / self.LENGTH) + source

    def _initial_at(self, mu, seed):  # noqa: ARG002
        return np.ones((len(mu), self.n))


def upwind_flux(left: Any, right: Any, xp: Any) -> Any:
    """Flux u^2/2 between two constant states, by the exact solution of their Riemann problem (Godunov's method)."""
    zero = xp.zeros_like(left)
    from_left, from_right = xp.maximum(left, zero), xp.minimum(right, zero)
    return xp.maximum(0.5 * from_left * from_left, 0.5 * from_right * from_right)
