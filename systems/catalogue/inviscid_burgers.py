"""Inviscid Burgers' equation: periodic, and forced with an inflow."""

# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from systems.arrays import like
from systems.checks import require_integer, require_numbers
from systems.parameter import Parameter
from systems.system import System

__all__ = ["ForcedBurgers", "InviscidBurgers"]


@dataclass(frozen=True)
class InviscidBurgers(System):
    """Inviscid Burgers' equation, periodic, with two parameters of its initial state.

    ``u_t + u u_x = 0`` on [-3, 3) with ``u(x, 0) = amplitude exp(-x^2 / (2 width^2))``: the test problem of the papers on
    latent-space dynamics identification. All quantities are dimensionless.

    Good values: n = 1000, for times up to 1. A shock forms at t = width exp(1/2) / amplitude, between 1.6 and 2.6.

    Parameters
    ----------
    n : int, default 1000
        The number of grid points, at least 4.
    amplitude : float, default 0.8
        The height of the initial state, > 0; sampled from [0.7, 0.9].
    width : float, default 1.0
        The width of the initial state, > 0; sampled from [0.9, 1.1].

    Raises
    ------
    SystemsTypeError, SystemsValueError
        If an argument cannot be used.

    Notes
    -----
    Space is discretised by first-order upwind differences of the flux u^2/2, which conserve the mean. The source takes
    differences of u in ``u u_x``, which agree to first order until a shock forms.

    Parameters are sampled unless they are given. Collocation states are initial states and states on flows.

    References
    ----------
    X. He, Y. Choi, W. D. Fries, J. L. Belof and J.-S. Chen, J. Comput. Phys. 489 (2023) 112267.

    Examples
    --------
    >>> import systems
    >>> runs = systems.simulate(systems.InviscidBurgers(n=100), 4, seed=1)
    >>> runs["parameter"].values.tolist(), runs["parameters"].shape
    (['amplitude', 'width'], (4, 2))
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
        """Shape of a state."""
        return (self.n,)

    @property
    def coords(self) -> dict[str, np.ndarray]:
        """Grid points."""
        return {"x": -3.0 + 6.0 / self.n * np.arange(self.n)}

    @property
    def periods(self) -> dict[str, float]:
        """Period of the grid."""
        return {"x": 6.0}

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Amplitude and width with their ranges."""
        return Parameter.around("amplitude", self.amplitude, 0.7, 0.9), Parameter.around("width", self.width, 0.9, 1.1)

    @property
    def default_times(self) -> np.ndarray:
        """100 steps of 0.01."""
        return np.linspace(0.0, 1.0, 101)

    def _rhs(self, x, mu, t, xp):  # noqa: ARG002
        flux = upwind_flux(x, xp.roll(x, -1, axis=-1), xp)
        return (xp.roll(flux, 1, axis=-1) - flux) * (self.n / 6.0)

    def _initial_at(self, mu, seed):  # noqa: ARG002
        amplitude, width = mu[:, :1], mu[:, 1:]
        return amplitude * np.exp(-(self.coords["x"] ** 2) / (2 * width**2))


@dataclass(frozen=True)
class ForcedBurgers(System):
    """Inviscid Burgers' equation with an inflow and a source.

    ``u_t + (u^2/2)_x = 0.02 exp(growth x)`` on [0, 100] with ``u(0, t) = inflow`` and ``u(x, 0) = 1``. A front enters from the
    left and moves at about (1 + inflow) / 2. No linear space of few dimensions approximates it well, which makes this the
    usual test of nonlinear manifolds. All quantities are dimensionless.

    Good values: n = 256, for times up to 35.

    Parameters
    ----------
    n : int, default 256
        The number of cells, at least 4.
    inflow : float, default 4.875
        The value at the left end, > 0; sampled from [4.25, 5.5].
    growth : float, default 0.0225
        The growth of the source along x, > 0; sampled from [0.015, 0.03].

    Raises
    ------
    SystemsTypeError, SystemsValueError
        If an argument cannot be used.

    Notes
    -----
    Space is discretised by Godunov's method of first order in cells, whose centres are the coordinate. Parameters are sampled
    unless they are given. Collocation states are initial states and states on flows at sampled parameters.

    References
    ----------
    K. Lee and K. T. Carlberg, J. Comput. Phys. 404 (2020) 108973, sec. 7.1, after M. Rewienski and J. White (2003).

    Examples
    --------
    >>> import systems
    >>> systems.simulate(systems.ForcedBurgers(n=32), 2, [0.0, 5.0])["state"].shape
    (2, 2, 32)
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
        """Shape of a state."""
        return (self.n,)

    @property
    def coords(self) -> dict[str, np.ndarray]:
        """Centres of the cells."""
        return {"x": self.LENGTH / self.n * (np.arange(self.n) + 0.5)}

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Inflow and growth with their ranges."""
        return Parameter.around("inflow", self.inflow, 4.25, 5.5), Parameter.around("growth", self.growth, 0.015, 0.03)

    @property
    def default_times(self) -> np.ndarray:
        """100 steps of 0.35."""
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
    """Return the flux u^2/2 between two constant states (Godunov's method).

    It is that of the exact solution of their Riemann problem.
    """
    zero = xp.zeros_like(left)
    from_left, from_right = xp.maximum(left, zero), xp.minimum(right, zero)
    return xp.maximum(0.5 * from_left * from_left, 0.5 * from_right * from_right)
