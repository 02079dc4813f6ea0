"""A system of which f is known by its values alone."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import array_api_compat
import numpy as np

from systems.checks import numeric
from systems.errors import EvaluationError, SystemsTypeError, SystemsValueError, in_words
from systems.io.provenance import fingerprint
from systems.mass_matrix import Mass
from systems.parameter import Parameter
from systems.sampling import Sampler
from systems.system import System

__all__ = ["BlackBox"]


@dataclass
class _Batching:
    """Whether f takes batches; None as long as that is not known."""

    batched: bool | None


@dataclass(frozen=True, eq=False, repr=False)
class BlackBox(System):
    """A system of which f is known by its values alone; made by `from_rhs`.

    Attributes
    ----------
    f : callable
        The function.
    sizes : dict of str to int
        The length of each dimension of a state.
    grid : dict of str to numpy.ndarray
        The coordinate of each dimension.
    declared, driven : tuple of Parameter
        Constant parameters, and inputs.
    arguments : tuple of str
        The order of f's arguments.
    batched : bool or None
        Whether f takes batches; None to find out.
    states : callable or None
        The sampler of initial and collocation states.
    mass : Mass or None
        The mass matrix.
    typical_time : float
        A typical time of the system.
    period : float or None
        The period of f in t.
    default_method : str or None
        The solver that suits f.
    lengths : dict of str to float
        The period of states along dimensions along which they repeat.
    """

    f: Callable[..., Any]
    sizes: dict[str, int]
    grid: dict[str, np.ndarray]
    declared: tuple[Parameter, ...]
    driven: tuple[Parameter, ...]
    arguments: tuple[str, ...]
    batched: bool | None = None
    states: Sampler | None = None
    mass: Mass | None = None
    typical_time: float = 1.0
    period: float | None = None  # pyright: ignore[reportIncompatibleVariableOverride]
    default_method: str | None = None  # pyright: ignore[reportIncompatibleVariableOverride]
    lengths: dict[str, float] = field(default_factory=dict)
    _batching: _Batching = field(init=False)

    is_black_box: ClassVar[bool] = True

    def __post_init__(self):
        object.__setattr__(self, "_batching", _Batching(self.batched))

    def __repr__(self):
        sizes = ", ".join(f"{dim}: {size}" for dim, size in self.sizes.items())
        return f"from_rhs({self.name}({', '.join(self.arguments)}), {sizes})"

    @property
    def name(self) -> str:
        """Name of the function."""
        return getattr(self.f, "__name__", type(self.f).__name__)

    @property
    def dims(self) -> tuple[str, ...]:
        """Name of each dimension of a state."""
        return tuple(self.sizes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each dimension of a state."""
        return tuple(self.sizes.values())

    @property
    def coords(self) -> dict[str, np.ndarray]:
        """Coordinate of each dimension."""
        return dict(self.grid)

    @property
    def periods(self) -> dict[str, float]:
        """Period of states along dimensions along which they repeat."""
        return dict(self.lengths)

    @property
    def time_scale(self) -> float:
        """A typical time of the system."""
        return self.typical_time

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Constant parameters, then inputs."""
        return self.declared + self.driven

    @property
    def takes_time(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether f has the argument t."""
        return "t" in self.arguments

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return tuple(p.name for p in self.driven)

    def _sampler(self) -> Sampler | None:
        return self.states

    def _dwell(self, t):
        # The unit of time is unknown, so inputs change some times along a trajectory, and for several of the times each.
        return max(0.1 * float(t[-1] - t[0]), 3.0 * float(np.diff(t).max()))

    def _initial(self, n, seed):
        """Return states of the sampler; raise an error if there is none or it returns a wrong shape."""
        if self.states is None:
            raise SystemsValueError(
                f"{self._called} has no initial states of its own: give initial=... (an array of states) to "
                "simulate, or sampler=... to from_rhs, for instance systems.Box(low, high)"
            )
        states = numeric("states of the sampler", self.states(n, seed))
        if states.shape != (n, *self.shape):
            raise SystemsValueError(
                f"the sampler of {self._called} must return shape {(n, *self.shape)}, got {states.shape}"
            )
        return states

    def _rhs(self, x, mu, t, xp):  # noqa: ARG002
        """Return dx/dt from f, called with a batch or with one state at a time, and from the mass matrix."""
        if not array_api_compat.is_numpy_array(x):
            raise SystemsTypeError(
                f"{self._called} is a black box and takes NumPy arrays, got {type(x).__name__}; "
                "for a tensor give x.detach().cpu().numpy(), without gradients"
            )
        batch = x.shape[: x.ndim - len(self.shape)]
        states = np.array(x, dtype=float).reshape(-1, *self.shape)
        mu = np.broadcast_to(np.asarray(mu, dtype=float), (*batch, len(self.parameters)))
        mu = mu.reshape(len(states), len(self.parameters))
        if batch and self._takes_batches(states, mu, t):
            values = self._call(states, mu, t, where=f"a batch of {len(states)} states")
        else:
            values = np.empty_like(states)
            for i, (state, parameters) in enumerate(zip(states, mu, strict=True)):
                values[i] = self._call(state, parameters, t, where=f"state {i}" if batch else "a single state")
        if self.mass is not None:
            values = self.mass.solve(states, values)
        return values.reshape(x.shape).astype(x.dtype, copy=False)

    def _describe(self):
        # Functions of two processes cannot be compared, but what they were declared with can.
        return {
            "system": self.name,
            "fields": {
                "sizes": self.sizes,
                "arguments": list(self.arguments),
                "coords": {dim: fingerprint(values) for dim, values in self.grid.items()},
            },
            "defaults": {p.name: float(p.default) for p in self.parameters},
        }

    def _afresh(self):
        return replace(self)

    def _batches(self, x):
        mu = np.broadcast_to(self.parameter_values(), (len(x), len(self.parameters)))
        return self._takes_batches(np.asarray(x, dtype=float), mu, 0.0)

    def _call(self, x: np.ndarray, mu: np.ndarray, t: Any, where: str) -> np.ndarray:
        """Return f of one state or of a batch of states.

        `where` names the states in error messages.
        """
        # Copies of arguments and result: f may work in place, or return the same buffer at every call.
        p = len(self.declared)
        given = {"x": x.copy(), "t": float(t), "out": np.full_like(x, np.nan)}
        given |= {"mu": mu[..., :p].copy(), "u": mu[..., p:].copy()}
        try:
            result = self.f(*(given[name] for name in self.arguments))
        except Exception as error:
            raise EvaluationError(
                f"{self.name}({', '.join(self.arguments)}) failed on {where}: {in_words(error)}"
            ) from error
        if result is None and "out" not in self.arguments:
            raise EvaluationError(f"{self.name} returned None for {where}; does it end with return?")
        try:
            values = np.array(given["out"] if "out" in self.arguments else result)
        except (TypeError, ValueError) as error:
            raise EvaluationError(f"{self.name} must return an array, got {type(result).__name__}") from error
        if values.dtype.kind not in "fiu":
            raise EvaluationError(
                f"{self.name} must return real numbers of shape {x.shape}, got {values.dtype} from {where}"
            )
        values = values.astype(float)
        if values.shape != x.shape:
            raise EvaluationError(f"{self.name} returned shape {values.shape} for {where}, expected {x.shape}")
        return values

    def _takes_batches(self, states: np.ndarray, mu: np.ndarray, t: Any) -> bool:
        """Return whether f of several states equals f of each of them.

        This is tried once, on real states.

        At zeros, or at equal states, almost any function would pass. If a batch has as many states as a state has entries, f may
        mix up the axes and still pass. Hence the states at hand, and two sizes of batch.
        """
        if self._batching.batched is None and len(states) >= 2 and not np.array_equal(states[0], states[1]):
            single = [self._call(states[i], mu[i], t, where=f"state {i}") for i in range(2)]
            self._batching.batched = all(
                self._agrees(np.array(rows), states, mu, t, single) for rows in ([0, 1], [1, 0, 1])
            )
        return bool(self._batching.batched)

    def _agrees(self, rows: np.ndarray, states: np.ndarray, mu: np.ndarray, t: Any, single: list) -> bool:
        """Return whether f of the batch states[rows] equals single values of f."""
        expected = np.stack([single[i] for i in rows])
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                values = self._call(states[rows], mu[rows], t, where="a trial batch")
        except EvaluationError:
            return False
        scale = np.abs(expected[np.isfinite(expected)]).max(initial=0.0)
        return bool(np.allclose(values, expected, rtol=1e-9, atol=1e-12 * scale, equal_nan=True))
