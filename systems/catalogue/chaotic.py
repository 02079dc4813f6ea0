"""Chaotic systems of ordinary differential equations."""

# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from systems.checks import require_integer, require_number, require_numbers
from systems.flow_sampling import InitialStates
from systems.parameter import Parameter
from systems.sampling import Box, Gaussian, Mixture, Sampler
from systems.system import System

__all__ = ["Lorenz", "Lorenz96", "Rossler", "lorenz_rhs", "rk4"]


def rk4(rhs: Callable[[np.ndarray], np.ndarray], x: np.ndarray, h: float, n_steps: int) -> np.ndarray:
    """Return x after n_steps of length h of the classical Runge-Kutta method.

    It brings initial states to an attractor, for which any accurate path will do. The steps are fixed, so that no state
    depends on the others of its batch.
    """
    for _ in range(n_steps):
        k1 = rhs(x)
        k2 = rhs(x + h / 2 * k1)
        k3 = rhs(x + h / 2 * k2)
        k4 = rhs(x + h * k3)
        x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return x


def lorenz_rhs(x: Any, mu: Any, xp: Any) -> Any:
    """Return f of the Lorenz system at states (..., 3) for parameters (..., 3)."""
    x1, x2, x3 = x[..., 0], x[..., 1], x[..., 2]
    sigma, rho, beta = mu[..., 0], mu[..., 1], mu[..., 2]
    return xp.stack(xp.broadcast_arrays(sigma * (x2 - x1), x1 * (rho - x3) - x2, x1 * x2 - beta * x3), axis=-1)


@dataclass(frozen=True)
class Lorenz(System):
    """The Lorenz (1963) system.

    ``x1' = sigma (x2 - x1), x2' = x1 (rho - x3) - x2, x3' = x1 x2 - beta x3``. All quantities are dimensionless.

    Good values: the classical sigma = 10, rho = 28 and beta = 8/3, which are chaotic with a largest Lyapunov exponent of 0.906
    (one Lyapunov time is 1.1). A step of 0.02 resolves the attractor; the default times cover seven Lyapunov times.

    Parameters
    ----------
    sigma : float, default 10.0
        Sampled from [9, 11].
    rho : float, default 28.0
        Sampled from [25, 35].
    beta : float, default 8/3
        Sampled from [2.4, 3].

    Raises
    ------
    SystemsTypeError, SystemsValueError
        If an argument is not a finite number.

    Notes
    -----
    Initial states lie on the attractor, to rounding: they have run for 10 time units, at the default parameters, from a normal
    distribution around it, and its neighbourhood contracts as exp(-14.6 t). Collocation states are half of these, and half
    uniform in a box around the attractor.

    References
    ----------
    E. N. Lorenz, J. Atmos. Sci. 20 (1963) 130.

    Examples
    --------
    >>> import numpy as np
    >>> import systems
    >>> systems.Lorenz().rhs(np.array([1.0, 1.0, 0.0]))
    array([ 0., 27.,  1.])
    """

    sigma: float = 10.0
    rho: float = 28.0
    beta: float = 8 / 3

    name: ClassVar[str] = "Lorenz"
    dims: ClassVar[tuple[str, ...]] = ("component",)
    shape: ClassVar[tuple[int, ...]] = (3,)
    time_scale: ClassVar[float] = 1.1
    citation: ClassVar[str] = "Lorenz, E. N. (1963). Deterministic nonperiodic flow. J. Atmos. Sci. 20, 130-141."

    def __post_init__(self):
        require_numbers(self, "sigma", "rho", "beta")

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Parameters with their ranges."""
        return (
            Parameter.around("sigma", self.sigma, 9.0, 11.0),
            Parameter.around("rho", self.rho, 25.0, 35.0),
            Parameter.around("beta", self.beta, 2.4, 3.0),
        )

    @property
    def default_times(self) -> np.ndarray:
        """400 steps of 0.02."""
        return np.linspace(0.0, 8.0, 401)

    def _rhs(self, x, mu, t, xp):  # noqa: ARG002
        return lorenz_rhs(x, mu, xp)

    def _initial(self, n, seed):
        x = Gaussian(mean=(0.0, 0.0, 25.0), std=(8.0, 9.0, 8.0))(n, seed)
        return rk4(self.rhs, x, 0.01, 1000)

    def _sampler(self) -> Sampler:
        return Mixture((InitialStates(self), Box(low=(-25.0, -30.0, 0.0), high=(25.0, 30.0, 55.0))))


@dataclass(frozen=True)
class Rossler(System):
    """The Rossler system.

    ``x1' = -x2 - x3, x2' = x1 + a x2, x3' = b + x3 (x1 - c)``. All quantities are dimensionless.

    Good values: a = b = 0.2 and c = 5.7, which are chaotic with a largest Lyapunov exponent of 0.071 and turns of about 5.9
    time units. x3 stays near zero and rises to about 23 in a part of each turn, which a latent region must include.

    Parameters
    ----------
    a : float, default 0.2
        Sampled from [0.15, 0.25].
    b : float, default 0.2
        Sampled from [0.1, 0.3].
    c : float, default 5.7
        Sampled from [4, 7].

    Raises
    ------
    SystemsTypeError, SystemsValueError
        If an argument is not a finite number.

    Notes
    -----
    Initial states lie on the attractor: they have run for 100 time units from near it. Collocation states are half of these,
    and half uniform in a box around the attractor.

    References
    ----------
    O. E. Rossler, Phys. Lett. A 57 (1976) 397.

    Examples
    --------
    >>> import numpy as np
    >>> import systems
    >>> systems.Rossler().rhs(np.array([1.0, 1.0, 0.0]))
    array([-1. ,  1.2,  0.2])
    """

    a: float = 0.2
    b: float = 0.2
    c: float = 5.7

    name: ClassVar[str] = "Rossler"
    dims: ClassVar[tuple[str, ...]] = ("component",)
    shape: ClassVar[tuple[int, ...]] = (3,)
    time_scale: ClassVar[float] = 5.9
    citation: ClassVar[str] = "Rossler, O. E. (1976). An equation for continuous chaos. Phys. Lett. A 57(5), 397-398."

    def __post_init__(self):
        require_numbers(self, "a", "b", "c")

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Parameters with their ranges."""
        return (
            Parameter.around("a", self.a, 0.15, 0.25),
            Parameter.around("b", self.b, 0.1, 0.3),
            Parameter.around("c", self.c, 4.0, 7.0),
        )

    def _rhs(self, x, mu, t, xp):  # noqa: ARG002
        x1, x2, x3 = x[..., 0], x[..., 1], x[..., 2]
        a, b, c = mu[..., 0], mu[..., 1], mu[..., 2]
        return xp.stack(xp.broadcast_arrays(-x2 - x3, x1 + a * x2, b + x3 * (x1 - c)), axis=-1)

    def _initial(self, n, seed):
        x = Gaussian(mean=(0.0, 0.0, 0.0), std=(4.0, 4.0, 0.0))(n, seed)
        return rk4(self.rhs, x, 0.02, 5000)

    def _sampler(self) -> Sampler:
        return Mixture((InitialStates(self), Box(low=(-11.0, -13.0, 0.0), high=(14.0, 10.0, 25.0))))


@dataclass(frozen=True)
class Lorenz96(System):
    """The Lorenz (1996) system on a ring.

    ``x_i' = (x_{i+1} - x_{i-2}) x_{i-1} - x_i + forcing``. All quantities are dimensionless.

    Good values: n = 40 and forcing 8, which are chaotic with 13 positive Lyapunov exponents, the largest about 1.7: no model of
    few dimensions represents it. With forcing 4, waves travel around the ring almost periodically.

    Parameters
    ----------
    n : int, default 40
        The number of sites, at least 4.
    forcing : float, default 8.0
        Sampled from [4, 10].

    Raises
    ------
    SystemsTypeError, SystemsValueError
        If an argument cannot be used.

    Notes
    -----
    Initial states lie on the attractor: they have run for 20 time units from near the unstable equilibrium, where all sites
    equal the forcing.

    References
    ----------
    E. N. Lorenz, "Predictability: a problem partly solved", Proc. ECMWF Seminar on Predictability 1 (1996) 1.

    Examples
    --------
    >>> import systems
    >>> systems.Lorenz96(n=8).sample_initial(3).shape
    (3, 8)
    """

    n: int = 40
    forcing: float = 8.0

    name: ClassVar[str] = "Lorenz96"
    dims: ClassVar[tuple[str, ...]] = ("site",)
    time_scale: ClassVar[float] = 0.6
    citation: ClassVar[str] = (
        "Lorenz, E. N. (1996). Predictability: a problem partly solved. Proc. ECMWF Seminar on Predictability 1, 1-18."
    )

    def __post_init__(self):
        require_integer("n", self.n, low=4)
        require_number("forcing", self.forcing)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a state."""
        return (self.n,)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Forcing with its range."""
        return (Parameter.around("forcing", self.forcing, 4.0, 10.0),)

    def _rhs(self, x, mu, t, xp):  # noqa: ARG002
        ahead, back, far_back = (xp.roll(x, shift, axis=-1) for shift in (-1, 1, 2))
        return (ahead - far_back) * back - x + mu[..., :1]

    def _initial(self, n, seed):
        mean = np.full(self.n, self.forcing)
        return rk4(self.rhs, Gaussian(mean, np.ones(self.n))(n, seed), 0.02, 1000)
