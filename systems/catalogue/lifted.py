"""Small systems lifted to many states, whose encoder, latent dynamics and decoder are known: oracles of a ROM."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, final

import numpy as np

from systems.arrays import as_floating, like
from systems.catalogue.odes import Lorenz, lorenz_rhs
from systems.checks import require_integer, require_numbers, require_seed
from systems.errors import SystemsValueError
from systems.flow_sampling import InitialStates, Lifted
from systems.integrators import Formulation
from systems.parameter import Parameter
from systems.sampling import Box, Gaussian, Mixture, Sampler
from systems.system import System


class LiftedSystem(System):
    """States x = decode(z) on a manifold of few latent coordinates z, with dz/dt known: the oracle of a ROM.

    f is the chain rule at z = encode(x), and so is tangent to the manifold. `simulate` integrates z, not x.
    """

    dims: ClassVar[tuple[str, ...]] = ("state_index",)

    @property
    @abc.abstractmethod
    def latent_dim(self) -> int: ...

    @abc.abstractmethod
    def _encode(self, x: Any, xp: Any) -> Any: ...

    @abc.abstractmethod
    def _decode(self, z: Any, xp: Any) -> Any: ...

    @abc.abstractmethod
    def _push(self, z: Any, dz: Any, xp: Any) -> Any:
        """The derivative of decode at z, applied to dz."""

    @abc.abstractmethod
    def _latent_rhs(self, z: Any, mu: Any, t: Any, xp: Any) -> Any: ...

    @final
    def encode(self, x: Any) -> Any:
        """The latent coordinates (..., d) of states (..., n): an array of x's namespace, dtype and device.

        Of a DataArray they are a NumPy array: latent coordinates have no labels.
        """
        x, xp = as_floating(getattr(x, "values", x) if hasattr(x, "dims") else x, "x")
        _check_last(x, self.shape[0], "x", self.name)
        return self._encode(x, xp)

    @final
    def decode(self, z: Any) -> Any:
        """The states (..., n) at latent coordinates (..., d): an array of z's namespace, dtype and device."""
        z, xp = as_floating(z, "z")
        _check_last(z, self.latent_dim, "z", self.name)
        return self._decode(z, xp)

    @final
    def latent_rhs(self, z: Any, mu: Any = None, t: Any = 0.0) -> Any:
        """dz/dt (..., d) at latent coordinates (..., d)."""
        z, xp = as_floating(z, "z")
        _check_last(z, self.latent_dim, "z", self.name)
        return self._latent_rhs(z, self._parameter_array(mu, z, xp), t, xp)

    def _rhs(self, x, mu, t, xp):
        z = self._encode(x, xp)
        return self._push(z, self._latent_rhs(z, mu, t, xp), xp)

    def _formulation(self, mu):
        return Formulation(forward=self.encode, backward=self.decode, rhs=lambda t, z: self.latent_rhs(z, mu, t))


def _check_last(array: Any, size: int, name: str, system: str) -> None:
    if array.ndim == 0 or array.shape[-1] != size:
        raise SystemsValueError(f"{name} must have shape (..., {size}) for {system}, got {tuple(array.shape)}")


def _superpose(weights: Any, rows: Any) -> Any:
    """weights (..., d) @ rows (d, n), term by term: matrix products may round otherwise in other batches."""
    return sum(weights[..., j : j + 1] * rows[j, :] for j in range(rows.shape[0]))


@dataclass(frozen=True)
class LiftedDuffing(LiftedSystem):
    """The undamped Duffing oscillator, lifted: x = A z^3 elementwise, z1' = z2, z2' = z1 - z1^3.

    A is (n, 2), standard normal from `seed`. Good values: n = 128, z1 in [-1.5, 1.5], z2 in [-1, 1] (`low`,
    `high`), which holds both wells, the saddle at 0 and the outer orbits. Energy z2^2/2 - z1^2/2 + z1^4/4 is
    conserved; the small oscillations in a well have the period 2 pi / sqrt(2) = 4.4. The default times are 50
    steps of 0.1.

    The encoder is a cube root: steep near z1 = 0 and z2 = 0, where f is not Lipschitz in x. That makes the
    problem hard to learn, and is why `simulate` integrates z. f has no derivative by automatic
    differentiation there.

    Initial and collocation states are uniform in the box of z.

    Source: Sholokhov, Liu, Mansour and Nabi, Sci. Rep. 13 (2023) 10166.
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
        return (self.n,)

    @property
    def default_times(self) -> np.ndarray:
        return np.linspace(0.0, 5.0, 51)

    @cached_property
    def lift(self) -> np.ndarray:
        """A, (n, 2)."""
        return np.random.default_rng(self.seed).standard_normal((self.n, 2))

    @cached_property
    def _inverse(self) -> np.ndarray:
        return np.linalg.pinv(self.lift)

    def _encode(self, x, xp):
        cube = x @ like(self._inverse.T, x, xp)
        return xp.copysign(xp.abs(cube) ** (1 / 3), cube)

    def _decode(self, z, xp):
        return _superpose(z**3, like(self.lift.T, z, xp))

    def _push(self, z, dz, xp):
        return _superpose(3 * z**2 * dz, like(self.lift.T, z, xp))

    def _latent_rhs(self, z, mu, t, xp):  # noqa: ARG002
        z1, z2 = z[..., 0], z[..., 1]
        return xp.stack((z2, z1 - z1**3), axis=-1)

    def _initial(self, n, seed):
        return self.decode(Box(self.low, self.high)(n, seed))

    def _sampler(self) -> Sampler:
        return Lifted(self, Box(self.low, self.high))


@dataclass(frozen=True)
class LiftedLorenz(LiftedSystem):
    """The Lorenz system, lifted to n states by six Legendre modes P0 to P5 on [-1, 1].

    x(s) = P0 z1 + P1 z2 + P2 z3 + P3 z1^3 + P4 z2^3 + P5 z3^3, with z the Lorenz variables divided by 40.

    Good values: n = 128, as in the source. z is a linear function of x, but no three linear modes hold x: the
    manifold is curved. Initial states and times are those of `Lorenz`; collocation states too, lifted.

    Source: Champion, Lusch, Kutz and Brunton, PNAS 116 (2019) 22445, and its public code.
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
        return (self.n,)

    @property
    def coords(self) -> dict[str, np.ndarray]:
        return {"s": np.linspace(-1.0, 1.0, self.n)}

    @property
    def lorenz(self) -> Lorenz:
        """The system that z follows, in its own units."""
        return Lorenz(self.sigma, self.rho, self.beta)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return self.lorenz.parameters

    @property
    def default_times(self) -> np.ndarray:
        return self.lorenz.default_times

    @cached_property
    def modes(self) -> np.ndarray:
        """P0 to P5 at the coordinate s, (6, n)."""
        return np.polynomial.legendre.legvander(self.coords["s"], 5).T

    @cached_property
    def _inverse(self) -> np.ndarray:
        return np.linalg.pinv(self.modes)[:, :3]

    def _encode(self, x, xp):
        return x @ like(self._inverse, x, xp)

    def _decode(self, z, xp):
        return _superpose(xp.concat((z, z**3), axis=-1), like(self.modes, z, xp))

    def _push(self, z, dz, xp):
        return _superpose(xp.concat(xp.broadcast_arrays(dz, 3 * z**2 * dz), axis=-1), like(self.modes, z, xp))

    def _latent_rhs(self, z, mu, t, xp):  # noqa: ARG002
        return lorenz_rhs(z * self.SCALE, mu, xp) / self.SCALE

    def _initial(self, n, seed):
        return self.decode(InitialStates(self.lorenz)(n, seed) / self.SCALE)

    def _sampler(self) -> Sampler:
        box = Box(low=np.array((-25.0, -30.0, 0.0)) / self.SCALE, high=np.array((25.0, 30.0, 55.0)) / self.SCALE)
        return Mixture((InitialStates(self), Lifted(self, box)))


@dataclass(frozen=True)
class LiftedLinear(LiftedSystem):
    """A stable linear system, lifted by a matrix: x = A z, z' = B z.

    Encoder, dynamics and decoder are known exactly and are linear: every loss of a ROM must vanish on it.
    A (n, 3) has orthonormal columns, drawn from `seed`; B has the eigenvalues -decay +- i omega and -rate.

    Good values: n = 128, eigenvalues -0.1 +- 2i and -0.5. Initial and collocation states are x = A z, z
    standard normal.
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
        return (self.n,)

    @property
    def default_times(self) -> np.ndarray:
        return np.linspace(0.0, 5.0, 51)

    @cached_property
    def lift(self) -> np.ndarray:
        """A, (n, 3), with A^T A = 1: the encoder is A^T."""
        q, r = np.linalg.qr(np.random.default_rng(self.seed).standard_normal((self.n, 3)))
        return q * np.sign(np.diag(r))

    @cached_property
    def latent_matrix(self) -> np.ndarray:
        """B, (3, 3)."""
        return np.array([[-self.decay, -self.omega, 0.0], [self.omega, -self.decay, 0.0], [0.0, 0.0, -self.rate]])

    def _encode(self, x, xp):
        return x @ like(self.lift, x, xp)

    def _decode(self, z, xp):
        return _superpose(z, like(self.lift.T, z, xp))

    def _push(self, z, dz, xp):  # noqa: ARG002
        return self._decode(dz, xp)

    def _latent_rhs(self, z, mu, t, xp):  # noqa: ARG002
        return z @ like(self.latent_matrix.T, z, xp)

    def _initial(self, n, seed):
        return self.decode(Gaussian(mean=np.zeros(3), std=np.ones(3))(n, seed))

    def _sampler(self) -> Sampler:
        return InitialStates(self)
