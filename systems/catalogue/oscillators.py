"""Oscillators with one degree of freedom."""

# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from systems.checks import require_numbers
from systems.parameter import Parameter
from systems.sampling import Box, Sampler
from systems.system import System

__all__ = ["Duffing", "Oscillator", "Pendulum", "VanDerPol"]


class Oscillator(System):
    """Base of systems of position and velocity: x1' = x2, x2' = ``_acceleration``."""

    dims: ClassVar[tuple[str, ...]] = ("component",)
    shape: ClassVar[tuple[int, ...]] = (2,)
    REGION: ClassVar[tuple[tuple[float, float], tuple[float, float]]]

    def _acceleration(self, x1: Any, x2: Any, mu: Any, xp: Any) -> Any:
        """Return x2' from position, velocity and parameters."""
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
    """The Duffing oscillator with two wells.

    ``x1' = x2, x2' = x1 - x1^3 - damping x2 + force``. All quantities are dimensionless.

    Good values: damping and force 0, which conserves the energy ``x2^2/2 - x1^2/2 + x1^4/4``. With damping almost every orbit
    ends in one of two points. Small oscillations in a well have the period 2 pi / sqrt(2) = 4.4.

    Parameters
    ----------
    damping : float, default 0.0
        Sampled from [0, 0.5].
    force : float, default 0.0
        A constant force; sampled from [-0.5, 0.5]. It can be an input (`driven`).

    Raises
    ------
    SystemsTypeError, SystemsValueError
        If an argument is not a finite number.

    Notes
    -----
    Initial and collocation states are uniform in [-1.5, 1.5] x [-1, 1], which holds both wells, the saddle and outer orbits.

    References
    ----------
    J. Guckenheimer and P. Holmes, Nonlinear Oscillations, Dynamical Systems, and Bifurcations of Vector Fields (Springer,
    1983), sec. 2.2.

    Examples
    --------
    >>> import numpy as np
    >>> import systems
    >>> systems.Duffing(damping=0.1).rhs(np.array([1.0, 1.0]))
    array([ 1. , -0.1])
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
        """Damping and force with their ranges."""
        return Parameter.around("damping", self.damping, 0.0, 0.5), Parameter.around("force", self.force, -0.5, 0.5)

    def _acceleration(self, x1, x2, mu, xp):  # noqa: ARG002
        return x1 - x1**3 - mu[..., 0] * x2 + mu[..., 1]


@dataclass(frozen=True)
class VanDerPol(Oscillator):
    """The Van der Pol oscillator: a limit cycle.

    ``x1' = x2, x2' = damping (1 - x1^2) x2 - x1``. All quantities are dimensionless.

    Good values: damping 1, with a limit cycle of period 6.6633 and amplitude 2.0086. From about 100 on the system is stiff,
    and `simulate` needs ``method="Radau"`` or ``"BDF"``.

    Parameters
    ----------
    damping : float, default 1.0
        Sampled from [0.5, 3].

    Raises
    ------
    SystemsTypeError, SystemsValueError
        If an argument is not a finite number.

    Notes
    -----
    Initial and collocation states are uniform in [-3, 3]^2, around the limit cycle.

    References
    ----------
    B. van der Pol, Philos. Mag. 2 (1926) 978.

    Examples
    --------
    >>> import systems
    >>> systems.simulate(systems.VanDerPol(), 3, [0.0, 1.0, 2.0])["state"].shape
    (3, 3, 2)
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
        """Damping with its range."""
        return (Parameter.around("damping", self.damping, 0.5, 3.0),)

    def _acceleration(self, x1, x2, mu, xp):  # noqa: ARG002
        return mu[..., 0] * (1 - x1**2) * x2 - x1


@dataclass(frozen=True)
class Pendulum(Oscillator):
    """The pendulum.

    ``x1' = x2, x2' = -sin(x1) - damping x2 + torque``, where x1 is the angle and time is in units of sqrt(l / g).

    Good values: damping and torque 0, which conserves the energy ``x2^2/2 - cos(x1)``. Small oscillations have the period
    2 pi; those of amplitude a have 4 K(sin^2(a / 2)), where K is the complete elliptic integral of the first kind.

    Parameters
    ----------
    damping : float, default 0.0
        Sampled from [0, 0.5].
    torque : float, default 0.0
        A constant torque; sampled from [-0.5, 0.5]. It can be an input (`driven`).

    Raises
    ------
    SystemsTypeError, SystemsValueError
        If an argument is not a finite number.

    Notes
    -----
    Initial and collocation states are uniform in [-2.5, 2.5] x [-2, 2]; some of them turn over.

    References
    ----------
    S. H. Strogatz, Nonlinear Dynamics and Chaos (Westview, 2nd ed. 2015), sec. 6.7.

    Examples
    --------
    >>> import systems
    >>> systems.Pendulum().sample_initial(3).dims
    ('trajectory', 'component')
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
        """Damping and torque with their ranges."""
        return Parameter.around("damping", self.damping, 0.0, 0.5), Parameter.around("torque", self.torque, -0.5, 0.5)

    def _acceleration(self, x1, x2, mu, xp):
        return -xp.sin(x1) - mu[..., 0] * x2 + mu[..., 1]
