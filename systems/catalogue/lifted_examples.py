"""Lifted systems: Duffing, Lorenz, and a linear one."""

# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from systems.arrays import like
from systems.catalogue.chaotic import Lorenz, lorenz_rhs
from systems.catalogue.lifted import LiftedSystem, superpose
from systems.checks import require_integer, require_numbers, require_seed
from systems.flow_sampling import InitialStates, Lifted
from systems.parameter import Parameter
from systems.sampling import Box, Gaussian, Mixture, Sampler

__all__ = ["LiftedDuffing", "LiftedLinear", "LiftedLorenz"]


@dataclass(frozen=True)
class LiftedDuffing(LiftedSystem):
    """The undamped Duffing oscillator, lifted by cubes.

    ``x = A z^3`` elementwise, with ``z1' = z2, z2' = z1 - z1^3``. The energy ``z2^2/2 - z1^2/2 + z1^4/4`` is conserved; small
    oscillations in a well have the period 2 pi / sqrt(2) = 4.4. All quantities are dimensionless.

    Good values: n = 128 and the default bounds, which hold both wells, the saddle at 0 and the outer orbits.

    Parameters
    ----------
    n : int, default 128
        The number of states, at least 2.
    seed : int, default 0
        The seed of A (n, 2), which is standard normal.
    low, high : tuple of float, default (-1.5, -1.0) and (1.5, 1.0)
        The box of z from which initial and collocation states are drawn.

    Raises
    ------
    SystemsTypeError, SystemsValueError
        If an argument cannot be used.

    Notes
    -----
    The encoder is a cube root, steep near z1 = 0 and z2 = 0, where f is not Lipschitz continuous in x and has no derivative by
    automatic differentiation. That makes the problem hard to learn, and is why `simulate` integrates z. The default times are
    50 steps of 0.1.

    References
    ----------
    A. Sholokhov, Y. Liu, H. Mansour and S. Nabi, Sci. Rep. 13 (2023) 10166.

    Examples
    --------
    >>> import systems
    >>> systems.simulate(systems.LiftedDuffing(n=32), 3, [0.0, 1.0])["state"].shape
    (3, 2, 32)
    """

    n: int = 128
    seed: int = 0
    low: tuple[float, float] = (-1.5, -1.0)
    high: tuple[float, float] = (1.5, 1.0)

    name: ClassVar[str] = "LiftedDuffing"
    latent_dim: ClassVar[int] = 2
    time_scale: ClassVar[float] = 4.4
    citation: ClassVar[str] = (
        "Sholokhov, A., Liu, Y., Mansour, H., & Nabi, S. (2023). Physics-informed neural ODE (PINODE): "
        "embedding physics into models using collocation points. Sci. Rep. 13, 10166."
    )

    def __post_init__(self):
        require_integer("n", self.n, low=2)
        require_seed(self.seed)
        Box(self.low, self.high)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a state."""
        return (self.n,)

    @property
    def default_times(self) -> np.ndarray:
        """50 steps of 0.1."""
        return np.linspace(0.0, 5.0, 51)

    @cached_property
    def lift(self) -> np.ndarray:
        """The matrix A (n, 2)."""
        return np.random.default_rng(self.seed).standard_normal((self.n, 2))

    @cached_property
    def _inverse(self) -> np.ndarray:
        """The pseudo-inverse of A, (2, n)."""
        return np.linalg.pinv(self.lift)

    def _encode(self, x, xp):
        cube = x @ like(self._inverse.T, x, xp)
        return xp.copysign(xp.abs(cube) ** (1 / 3), cube)

    def _decode(self, z, xp):
        return superpose(z**3, like(self.lift.T, z, xp))

    def _push(self, z, dz, xp):
        return superpose(3 * z**2 * dz, like(self.lift.T, z, xp))

    def _latent_rhs(self, z, mu, t, xp):  # noqa: ARG002
        z1, z2 = z[..., 0], z[..., 1]
        return xp.stack((z2, z1 - z1**3), axis=-1)

    def _initial(self, n, seed):
        return self.decode(Box(self.low, self.high)(n, seed))

    def _sampler(self) -> Sampler:
        return Lifted(self, Box(self.low, self.high))


@dataclass(frozen=True)
class LiftedLorenz(LiftedSystem):
    """The Lorenz system, lifted to n states by six Legendre modes on [-1, 1].

    ``x(s) = P0 z1 + P1 z2 + P2 z3 + P3 z1^3 + P4 z2^3 + P5 z3^3``, with z the Lorenz variables divided by 40. z is a linear
    function of x, but no three linear modes hold x: the manifold is curved. All quantities are dimensionless.

    Good values: n = 128, as in the source, and the parameters of `Lorenz`.

    Parameters
    ----------
    n : int, default 128
        The number of states, at least 6.
    sigma, rho, beta : float, default 10.0, 28.0 and 8/3
        As in `Lorenz`.

    Raises
    ------
    SystemsTypeError, SystemsValueError
        If an argument cannot be used.

    Notes
    -----
    Initial states and times are those of `Lorenz`; collocation states are those of `Lorenz`, lifted.

    References
    ----------
    K. Champion, B. Lusch, J. N. Kutz and S. L. Brunton, PNAS 116 (2019) 22445, and its public code.

    Examples
    --------
    >>> import systems
    >>> systems.LiftedLorenz(n=32).sample_initial(3).dims
    ('trajectory', 's')
    """

    n: int = 128
    sigma: float = 10.0
    rho: float = 28.0
    beta: float = 8 / 3

    SCALE: ClassVar[float] = 40.0
    name: ClassVar[str] = "LiftedLorenz"
    dims: ClassVar[tuple[str, ...]] = ("s",)
    latent_dim: ClassVar[int] = 3
    time_scale: ClassVar[float] = 1.1
    citation: ClassVar[str] = (
        "Champion, K., Lusch, B., Kutz, J. N., & Brunton, S. L. (2019). Data-driven discovery of coordinates "
        "and governing equations. PNAS 116, 22445-22451."
    )

    def __post_init__(self):
        require_integer("n", self.n, low=6)
        require_numbers(self, "sigma", "rho", "beta")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a state."""
        return (self.n,)

    @property
    def coords(self) -> dict[str, np.ndarray]:
        """Points s at which the modes are evaluated."""
        return {"s": np.linspace(-1.0, 1.0, self.n)}

    @property
    def lorenz(self) -> Lorenz:
        """The system that z follows, in its own units."""
        return Lorenz(self.sigma, self.rho, self.beta)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Parameters of the Lorenz system with their ranges."""
        return self.lorenz.parameters

    @property
    def default_times(self) -> np.ndarray:
        """Default times of the Lorenz system."""
        return self.lorenz.default_times

    @cached_property
    def modes(self) -> np.ndarray:
        """P0 to P5 at the coordinate s, (6, n)."""
        return np.polynomial.legendre.legvander(self.coords["s"], 5).T

    @cached_property
    def _inverse(self) -> np.ndarray:
        """The linear map (n, 3) from x to z."""
        return np.linalg.pinv(self.modes)[:, :3]

    def _encode(self, x, xp):
        return x @ like(self._inverse, x, xp)

    def _decode(self, z, xp):
        return superpose(xp.concat((z, z**3), axis=-1), like(self.modes, z, xp))

    def _push(self, z, dz, xp):
        return superpose(xp.concat(xp.broadcast_arrays(dz, 3 * z**2 * dz), axis=-1), like(self.modes, z, xp))

    def _latent_rhs(self, z, mu, t, xp):  # noqa: ARG002
        return lorenz_rhs(z * self.SCALE, mu, xp) / self.SCALE

    def _initial(self, n, seed):
        return self.decode(InitialStates(self.lorenz)(n, seed) / self.SCALE)

    def _sampler(self) -> Sampler:
        box = Box(low=np.array((-25.0, -30.0, 0.0)) / self.SCALE, high=np.array((25.0, 30.0, 55.0)) / self.SCALE)
        return Mixture((InitialStates(self), Lifted(self, box)))


@dataclass(frozen=True)
class LiftedLinear(LiftedSystem):
    """A stable linear system, lifted by a matrix.

    ``x = A z`` with ``z' = B z``. Encoder, dynamics and decoder are known exactly and are linear, so every loss of a
    reduced-order model must vanish on it. All quantities are dimensionless.

    Good values: n = 128 and eigenvalues -0.1 +- 2i and -0.5, the defaults.

    Parameters
    ----------
    n : int, default 128
        The number of states, at least 3.
    seed : int, default 0
        The seed of A (n, 3), which has orthonormal columns.
    decay, omega : float, default 0.1 and 2.0
        B has the eigenvalues -decay +- i omega; decay > 0.
    rate : float, default 0.5
        B has the eigenvalue -rate; rate > 0.

    Raises
    ------
    SystemsTypeError, SystemsValueError
        If an argument cannot be used.

    Notes
    -----
    Initial and collocation states are x = A z with z standard normal.

    Examples
    --------
    >>> import numpy as np
    >>> import systems
    >>> lifted = systems.LiftedLinear(n=8)
    >>> z = np.array([1.0, 0.0, 1.0])
    >>> np.allclose(lifted.rhs(lifted.decode(z)), lifted.decode(lifted.latent_rhs(z)))
    True
    """

    n: int = 128
    seed: int = 0
    decay: float = 0.1
    omega: float = 2.0
    rate: float = 0.5

    name: ClassVar[str] = "LiftedLinear"
    latent_dim: ClassVar[int] = 3
    time_scale: ClassVar[float] = 1.0
    citation: ClassVar[str] = "A test problem with a closed-form solution, x(t) = A exp(B t) z(0)."

    def __post_init__(self):
        require_integer("n", self.n, low=3)
        require_seed(self.seed)
        require_numbers(self, "omega")
        require_numbers(self, "decay", "rate", low=0.0, exclusive=True)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a state."""
        return (self.n,)

    @property
    def default_times(self) -> np.ndarray:
        """50 steps of 0.1."""
        return np.linspace(0.0, 5.0, 51)

    @cached_property
    def lift(self) -> np.ndarray:
        """The matrix A (n, 3) with A^T A = 1; the encoder is A^T."""
        q, r = np.linalg.qr(np.random.default_rng(self.seed).standard_normal((self.n, 3)))
        return q * np.sign(np.diag(r))

    @cached_property
    def latent_matrix(self) -> np.ndarray:
        """The matrix B (3, 3)."""
        return np.array([[-self.decay, -self.omega, 0.0], [self.omega, -self.decay, 0.0], [0.0, 0.0, -self.rate]])

    def _encode(self, x, xp):
        return x @ like(self.lift, x, xp)

    def _decode(self, z, xp):
        return superpose(z, like(self.lift.T, z, xp))

    def _push(self, z, dz, xp):  # noqa: ARG002
        return self._decode(dz, xp)

    def _latent_rhs(self, z, mu, t, xp):  # noqa: ARG002
        return z @ like(self.latent_matrix.T, z, xp)

    def _initial(self, n, seed):
        return self.decode(Gaussian(mean=np.zeros(3), std=np.ones(3))(n, seed))

    def _sampler(self) -> Sampler:
        return InitialStates(self)
