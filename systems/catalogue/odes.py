"""Systems of ordinary differential equations: oscillators and chaos."""

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


def rk4(rhs: Callable[[np.ndarray], np.ndarray], x: np.ndarray, h: float, n_steps: int) -> np.ndarray:
    """x after n_steps of length h of the classical Runge-Kutta method.

    For initial states on an attractor, to which any accurate path will do: the steps are fixed, so that no state
    depends on the others of its batch.
    """
    for _ in range(n_steps):
        k1 = rhs(x)
        k2 = rhs(x + h / 2 * k1)
        k3 = rhs(x + h / 2 * k2)
        k4 = rhs(x + h * k3)
        x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return x


class Oscillator(System):
    """Two states, position and velocity: x1' = x2, x2' = `_acceleration`."""

    dims: ClassVar[tuple[str, ...]] = ("component",)
    shape: ClassVar[tuple[int, ...]] = (2,)
    REGION: ClassVar[tuple[tuple[float, float], tuple[float, float]]]

    def _acceleration(self, x1: Any, x2: Any, mu: Any, xp: Any) -> Any:
        raise NotImplementedError

    def _rhs(self, x, mu, t, xp):  # noqa: ARG002
        x1, x2 = x[..., 0], x[..., 1]
        return xp.stack(xp.broadcast_arrays(x2, self._acceleration(x1, x2, mu, xp)), axis=-1)

    def _initial(self, n, seed):
        return self._sampler()(n, seed)

    def _sampler(self) -> Sampler:
        return Box(*self.REGION)


@dataclass(frozen=True)
class Duffing(Oscillator):
    """The Duffing oscillator with two wells: x1' = x2, x2' = x1 - x1^3 - damping x2 + force.

    Good values: undamped and unforced, with energy x2^2/2 - x1^2/2 + x1^4/4 conserved; with damping almost every orbit ends
    in one of two points. `force` is constant so far: the chaos of a force that oscillates is not offered. Small
    oscillations in a well have the period 2 pi / sqrt(2) = 4.4.

    Initial and collocation states are uniform in [-1.5, 1.5] x [-1, 1]: both wells, the saddle and outer orbits.

    Source: Guckenheimer and Holmes, Nonlinear Oscillations, Dynamical Systems, and Bifurcations of Vector Fields
    (Springer, 1983), sec. 2.2.
    """

    damping: float = 0.0
    force: float = 0.0

    REGION = ((-1.5, -1.0), (1.5, 1.0))
    name: ClassVar[str] = "Duffing"
    time_scale: ClassVar[float] = 4.4
    citation: ClassVar[str] = (
        "Guckenheimer, J., & Holmes, P. (1983). Nonlinear Oscillations, Dynamical Systems, and Bifurcations of "
        "Vector Fields. Springer, sec. 2.2."
    )

    def __post_init__(self):
        require_numbers(self, "damping", "force")

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return Parameter.around("damping", self.damping, 0.0, 0.5), Parameter.around("force", self.force, -0.5, 0.5)

    def _acceleration(self, x1, x2, mu, xp):  # noqa: ARG002
        return x1 - x1**3 - mu[..., 0] * x2 + mu[..., 1]


@dataclass(frozen=True)
class VanDerPol(Oscillator):
    """The Van der Pol oscillator: x1' = x2, x2' = damping (1 - x1^2) x2 - x1.

    Good values: damping 1, with a limit cycle of period 6.6633 and amplitude 2.0086; from about 100 on the system is
    stiff and `simulate` needs method="Radau" or "BDF".

    Initial and collocation states are uniform in [-3, 3]^2, around the limit cycle.

    Source: van der Pol, Philos. Mag. 2 (1926) 978.
    """

    damping: float = 1.0

    REGION = ((-3.0, -3.0), (3.0, 3.0))
    name: ClassVar[str] = "VanDerPol"
    time_scale: ClassVar[float] = 6.6633
    citation: ClassVar[str] = "van der Pol, B. (1926). On relaxation-oscillations. Philos. Mag. 2(11), 978-992."

    def __post_init__(self):
        require_numbers(self, "damping")

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return (Parameter.around("damping", self.damping, 0.5, 3.0),)

    def _acceleration(self, x1, x2, mu, xp):  # noqa: ARG002
        return mu[..., 0] * (1 - x1**2) * x2 - x1


@dataclass(frozen=True)
class Pendulum(Oscillator):
    """The pendulum: x1' = x2, x2' = -sin(x1) - damping x2 + torque, with x1 the angle and time in sqrt(l / g).

    Good values: undamped, with energy x2^2/2 - cos(x1) conserved. Small oscillations have the period 2 pi; of amplitude
    a it is 4 K(sin^2(a / 2)), K the complete elliptic integral of the first kind.

    Initial and collocation states are uniform in [-2.5, 2.5] x [-2, 2]; some of them turn over.

    Source: Strogatz, Nonlinear Dynamics and Chaos (Westview, 2nd ed. 2015), sec. 6.7.
    """

    damping: float = 0.0
    torque: float = 0.0

    REGION = ((-2.5, -2.0), (2.5, 2.0))
    name: ClassVar[str] = "Pendulum"
    time_scale: ClassVar[float] = 6.2832
    citation: ClassVar[str] = "Strogatz, S. H. (2015). Nonlinear Dynamics and Chaos, 2nd ed. Westview, sec. 6.7."

    def __post_init__(self):
        require_numbers(self, "damping", "torque")

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return Parameter.around("damping", self.damping, 0.0, 0.5), Parameter.around("torque", self.torque, -0.5, 0.5)

    def _acceleration(self, x1, x2, mu, xp):
        return -xp.sin(x1) - mu[..., 0] * x2 + mu[..., 1]


def lorenz_rhs(x: Any, mu: Any, xp: Any) -> Any:
    x1, x2, x3 = x[..., 0], x[..., 1], x[..., 2]
    sigma, rho, beta = mu[..., 0], mu[..., 1], mu[..., 2]
    return xp.stack(xp.broadcast_arrays(sigma * (x2 - x1), x1 * (rho - x3) - x2, x1 * x2 - beta * x3), axis=-1)


@dataclass(frozen=True)
class Lorenz(System):
    """The Lorenz (1963) system: x1' = sigma (x2 - x1), x2' = x1 (rho - x3) - x2, x3' = x1 x2 - beta x3.

    Good values: the classical sigma = 10, rho = 28, beta = 8/3 are chaotic, with a largest Lyapunov exponent
    of 0.906 (one Lyapunov time is 1.1). A step of 0.02 resolves the attractor; the default times cover seven
    Lyapunov times.

    Initial states lie on the attractor, to rounding: they have run for 10 time units, at the default
    parameters, from a normal distribution around it, and its neighbourhood contracts as exp(-14.6 t).
    Collocation states are half of these, and half uniform in a box around the attractor.

    Source: Lorenz, J. Atmos. Sci. 20 (1963) 130.
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
        return (
            Parameter.around("sigma", self.sigma, 9.0, 11.0),
            Parameter.around("rho", self.rho, 25.0, 35.0),
            Parameter.around("beta", self.beta, 2.4, 3.0),
        )

    @property
    def default_times(self) -> np.ndarray:
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
    """The Rossler system: x1' = -x2 - x3, x2' = x1 + a x2, x3' = b + x3 (x1 - c).

    Good values: a = b = 0.2, c = 5.7 are chaotic, with a largest Lyapunov exponent of 0.071 and turns of about 5.9 time
    units. x3 rests near zero and leaps to about 23 in part of each turn: the latent region must hold the leaps.

    Initial states lie on the attractor: they have run for 100 time units from near it. Collocation states are half of
    these, and half uniform in a box around the attractor.

    Source: Rossler, Phys. Lett. A 57 (1976) 397.
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
    """The Lorenz (1996) system on a ring: x_i' = (x_{i+1} - x_{i-2}) x_{i-1} - x_i + forcing.

    Good values: n = 40 and forcing 8, chaotic with 13 positive Lyapunov exponents, the largest about 1.7: no model of few
    dimensions holds it. With forcing 4 waves travel around the ring almost periodically.

    Initial states lie on the attractor: they have run for 20 time units from near the unstable equilibrium, all equal to
    the forcing.

    Source: Lorenz, Predictability: a problem partly solved, Proc. ECMWF Seminar on Predictability 1 (1996) 1.
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
        return (self.n,)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return (Parameter.around("forcing", self.forcing, 4.0, 10.0),)

    def _rhs(self, x, mu, t, xp):  # noqa: ARG002
        ahead, back, far_back = (xp.roll(x, shift, axis=-1) for shift in (-1, 1, 2))
        return (ahead - far_back) * back - x + mu[..., :1]

    def _initial(self, n, seed):
        mean = np.full(self.n, self.forcing)
        return rk4(self.rhs, Gaussian(mean, np.ones(self.n))(n, seed), 0.02, 1000)
