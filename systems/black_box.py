"""from_rhs(): a user's own function f as a system, of which only values are needed."""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import array_api_compat
import numpy as np

from systems.checks import (
    checked_dims,
    numeric,
    require_choice,
    require_flag,
    require_integer,
    require_method,
    require_number,
)
from systems.errors import EvaluationError, SystemsTypeError, SystemsValueError, in_words, nearest
from systems.io.provenance import fingerprint
from systems.mass_matrix import Mass
from systems.parameter import Parameter
from systems.sampling import Sampler
from systems.system import System

ARGUMENTS = ("x", "t", "mu", "u", "out")


def from_rhs(
    f: Callable[..., Any], n_states: int | None = None, *, shape: Sequence[int] | None = None,
    dims: Sequence[str] | None = None, coords: Mapping[str, Any] | None = None,
    parameters: Sequence[Parameter] | Mapping[str, Any] | None = None, batched: bool | None = None,
    arguments: Sequence[str] | None = None, sampler: Sampler | None = None, mass: Any = None,
    inputs: Sequence[Parameter] | Mapping[str, Any] | None = None, period: float | None = None,
    method: str | None = None,
) -> System:  # fmt: skip
    """A system from a right-hand side of your own: NumPy, Fortran through f2py, C through ctypes, a solver.

    f: returns dx/dt for a NumPy state x (*shape), float64. Only its values are ever used.
    n_states, or shape: the size of a state (n_states for one dimension).

    The rest is for special needs.

    dims, coords: name of each dimension, and its coordinate (1-D array); ("state_index",) and 0, 1, ... by
    default. A DataArray with the attribute `period` says that states repeat after that length.
    parameters: Parameters, or a mapping from names to Parameter, (default, low, high), or default.
    batched: whether f also takes many states (batch, *shape) and returns as many. By default this is found on
    the first real states, by comparing batches of 2 and 3 with single states.
    inputs: what drives f from outside and changes in time, declared as parameters are; f takes their values u (m,) at
    the time of the state, and the ranges are those from which they are sampled.
    arguments: the order of f's arguments, of "x", "t", "mu", "u" and "out", such as ("t", "x"). By default they are what
    they are named, or else x, mu where parameters are declared and u where inputs are, after a first one named t or time.
    Where f takes a batch of states (batch, *shape), mu is (batch, p) and u (batch, m). An f with "out" writes
    dx/dt to that array, as Fortran and C do, and what it returns does not count; one named out is taken for it.
    period: of f in t, where it depends on time periodically.
    sampler: where states come from, called as sampler(n, seed) -> (n, *shape): collocation and initial
    states.
    mass: M of M dx/dt = f(x): an array (n, n), a SciPy sparse matrix, or a function of one state that returns either;
    n counts all numbers of a state. It must be invertible.
    method: a solver of `scipy.integrate.solve_ivp` that suits f, which `simulate` takes unless told otherwise: "BDF",
    "Radau" or "LSODA" for a stiff one.

    Returns a System with `is_black_box` true. Its `rhs` takes NumPy arrays alone, and raises EvaluationError,
    chained to f's own exception, if f fails or returns another shape.

    Raises SystemsTypeError, SystemsValueError for arguments that cannot be used.
    """
    if not callable(f):
        raise SystemsTypeError(f"f must be callable, got {f!r}")
    size = _shape(n_states, shape)
    names = checked_dims(dims, size) if dims is not None else _default_dims(size)
    declared = _parameters(parameters, "parameters")
    driven = _parameters(inputs, "inputs")
    both = {p.name for p in declared} & {p.name for p in driven}
    if both:
        raise SystemsValueError(f"inputs and parameters must have different names, but both hold {sorted(both)}")
    if period is not None:
        require_number("period", period, low=0.0, exclusive=True)
    order = _arguments(f, arguments, declared, driven)
    if period is not None and "t" not in order:
        raise SystemsValueError(f"period is given, but f takes {order} and no time; name its first argument t")
    require_flag("batched", batched, optional=True)
    if sampler is not None and not callable(sampler):
        raise SystemsTypeError(f"sampler must be callable as sampler(n, seed), got {sampler!r}")
    return BlackBox(
        f=f, sizes=dict(zip(names, size, strict=True)), grid=_coords(coords, names, size), lengths=_periods(coords), declared=declared,
        driven=driven, arguments=order, batched=batched, states=sampler,
        mass=None if mass is None else Mass.checked(mass, math.prod(size)), period=period,
        default_method=require_method(method),
    )  # fmt: skip


@dataclass
class _Finding:
    """Whether f takes batches, once it is known."""

    batched: bool | None


@dataclass(frozen=True, eq=False, repr=False)
class BlackBox(System):
    """A system of which f is known by its values alone; made by `from_rhs`."""

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
    period: float | None = None
    default_method: str | None = None
    lengths: dict[str, float] = field(default_factory=dict)
    _finding: _Finding = field(init=False)

    is_black_box: ClassVar[bool] = True

    def __post_init__(self):
        object.__setattr__(self, "_finding", _Finding(self.batched))

    def __repr__(self):
        sizes = ", ".join(f"{dim}: {size}" for dim, size in self.sizes.items())
        return f"from_rhs({self.name}({', '.join(self.arguments)}), {sizes})"

    @property
    def name(self) -> str:
        return getattr(self.f, "__name__", type(self.f).__name__)

    @property
    def dims(self) -> tuple[str, ...]:
        return tuple(self.sizes)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.sizes.values())

    @property
    def coords(self) -> dict[str, np.ndarray]:
        return dict(self.grid)

    @property
    def periods(self) -> dict[str, float]:
        return dict(self.lengths)

    @property
    def time_scale(self) -> float:
        return self.typical_time

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return self.declared + self.driven

    @property
    def takes_time(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return "t" in self.arguments

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(p.name for p in self.driven)

    def _sampler(self) -> Sampler | None:
        return self.states

    def _dwell(self, t):
        # Nobody knows its unit of time: some changes along a trajectory, each of which some of the times see.
        return max(0.1 * float(t[-1] - t[0]), 3.0 * float(np.diff(t).max()))

    def _initial(self, n, seed):
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
        if not array_api_compat.is_numpy_array(x):
            raise SystemsTypeError(
                f"{self._called} is a black box and takes NumPy arrays, got {type(x).__name__}; "
                "for a tensor give x.detach().cpu().numpy(), and no gradient will pass"
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
                values[i] = self._call(state, parameters, t, where=f"state {i}" if batch else "the state")
        if self.mass is not None:
            values = self.mass.solve(states, values)
        return values.reshape(x.shape).astype(x.dtype, copy=False)

    def _describe(self):
        # f itself has no name that outlives the process: only what it was declared with can be compared.
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
        # Copies both ways: f may work in place, or return the same buffer at every call.
        p = len(self.declared)
        given = {"x": x.copy(), "t": float(t), "out": np.full_like(x, np.nan)}
        given |= {"mu": mu[..., :p].copy(), "u": mu[..., p:].copy()}
        try:
            result = self.f(*(given[name] for name in self.arguments))
        except Exception as error:
            raise EvaluationError(
                f"{self.name}({', '.join(self.arguments)}) failed on {where}: {in_words(error)}"
            ) from error
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
        """Whether f of several states is what f of each of them is; tried once, on real states.

        At zeros, or equal states, almost any function would pass; a batch of as many states as there are
        numbers in one could pass by mixing them up. Hence the states at hand, and two sizes of batch.
        """
        if self._finding.batched is None and len(states) >= 2 and not np.array_equal(states[0], states[1]):
            single = [self._call(states[i], mu[i], t, where=f"state {i}") for i in range(2)]
            self._finding.batched = all(
                self._agrees(np.array(rows), states, mu, t, single) for rows in ([0, 1], [1, 0, 1])
            )
        return bool(self._finding.batched)

    def _agrees(self, rows: np.ndarray, states: np.ndarray, mu: np.ndarray, t: Any, single: list) -> bool:
        expected = np.stack([single[i] for i in rows])
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                values = self._call(states[rows], mu[rows], t, where="a trial batch")
        except EvaluationError:
            return False
        scale = np.abs(expected[np.isfinite(expected)]).max(initial=0.0)
        return bool(np.allclose(values, expected, rtol=1e-9, atol=1e-12 * scale, equal_nan=True))


def _shape(n_states: Any, shape: Any) -> tuple[int, ...]:
    if (n_states is None) == (shape is None):
        raise SystemsValueError("give the size of a state: either n_states or shape")
    if n_states is not None:
        return (require_integer("n_states", n_states, low=1),)
    if isinstance(shape, int) or not isinstance(shape, Sequence) or not shape:
        raise SystemsTypeError(f"shape must be a tuple of lengths, got {shape!r}")
    return tuple(require_integer(f"shape[{i}]", size, low=1) for i, size in enumerate(shape))


def _default_dims(shape: tuple[int, ...]) -> tuple[str, ...]:
    return ("state_index",) if len(shape) == 1 else tuple(f"axis_{i}" for i in range(len(shape)))


def _coords(coords: Mapping[str, Any] | None, dims: tuple[str, ...], shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    grid = {dim: np.arange(size) for dim, size in zip(dims, shape, strict=True)}
    if coords is None:
        return grid
    if not isinstance(coords, Mapping):
        raise SystemsTypeError(f"coords must be a mapping from dimension to array, got {type(coords).__name__}")
    for dim, values in coords.items():
        if dim not in grid:
            raise SystemsValueError(f"coords has {dim!r}, which is not in dims; {nearest(dim, dims)}")
        values = np.asarray(values)
        if values.shape != grid[dim].shape:
            raise SystemsValueError(f"coords[{dim!r}] must have shape {grid[dim].shape}, got {values.shape}")
        if values.dtype.kind not in "fiuU":
            raise SystemsTypeError(f"coords[{dim!r}] must hold real numbers or text, got {values.dtype}")
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise SystemsValueError(f"coords[{dim!r}] must be finite")
        grid[dim] = values
    return grid


def _periods(coords: Mapping[str, Any] | None) -> dict[str, float]:
    """The attribute `period` of those coordinates that have one, checked."""
    periods = {}
    for dim, values in (coords or {}).items():
        attrs = getattr(values, "attrs", None)  # of a DataArray
        if isinstance(attrs, Mapping) and attrs.get("period") is not None:
            name = f"coords[{dim!r}].attrs['period']"
            periods[dim] = require_number(name, attrs["period"], low=0.0, exclusive=True)
    return periods


def _parameters(parameters: Any, called: str) -> tuple[Parameter, ...]:
    if parameters is None:
        return ()
    if isinstance(parameters, Mapping):
        made = []
        for name, value in parameters.items():
            if isinstance(value, Parameter):
                if value.name != name:
                    raise SystemsValueError(
                        f"{called}[{name!r}] holds a Parameter named {value.name!r}; give both the same name"
                    )
                made.append(value)
            elif isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 3:
                default, low, high = (require_number(f"{called}[{name!r}][{i}]", v) for i, v in enumerate(value))
                made.append(Parameter(name, default, low, high))
            elif isinstance(value, int | float | np.number):
                made.append(Parameter(name, float(value), float(value), float(value)))
            else:
                raise SystemsTypeError(
                    f"{called}[{name!r}] must be a Parameter, (default, low, high) or number, got {value!r}"
                )
        parameters = made
    if isinstance(parameters, str) or not isinstance(parameters, Iterable):
        raise SystemsTypeError(
            f"{called} must be a sequence of systems.Parameter, or a mapping such as {{'nu': (0.1, 0.05, 0.2)}}, "
            f"got {parameters!r}"
        )
    parameters = tuple(parameters)
    for i, parameter in enumerate(parameters):
        if not isinstance(parameter, Parameter):
            raise SystemsTypeError(f"{called}[{i}] must be a systems.Parameter, got {parameter!r}")
    names = [p.name for p in parameters]
    if len(set(names)) != len(names):
        raise SystemsValueError(f"{called} must have different names, got {names}")
    return parameters


def _arguments(
    f: Callable[..., Any], arguments: Any, declared: tuple[Parameter, ...], driven: tuple[Parameter, ...]
) -> tuple[str, ...]:
    """The order of f's arguments, stated or read from its signature."""
    if arguments is not None:
        return _stated_arguments(arguments, {"mu": ("parameters", declared), "u": ("inputs", driven)})
    ask = "state their order, for instance arguments=('t', 'x')"
    try:
        signature = inspect.signature(f)
    except (TypeError, ValueError) as error:
        raise SystemsValueError(f"the arguments of f cannot be read from {f!r}; {ask}") from error
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [p.name for p in signature.parameters.values() if p.kind in kinds and p.default is p.empty]
    plain = [name for name in names if name != "out"]
    timed = len(plain) > 1 and plain[0].lower() in ("t", "time")
    order = [*(["t"] if timed else []), "x", *(["mu"] if declared else []), *(["u"] if driven else [])]
    named = {"time": "t"} | {name: name for name in ARGUMENTS}
    by_name = [named.get(name.lower(), "") for name in plain]
    if set(by_name) == set(order):  # f(x, u, mu): its own names say what is what
        order = by_name
    if len(order) == len(plain):
        meaning = dict(zip(plain, order, strict=True)) | {"out": "out"}
        return tuple(meaning[name] for name in names)
    having = [
        f"{what} {[p.name for p in some]}" for what, some in (("parameters", declared), ("inputs", driven)) if some
    ]
    having = f"with {' and '.join(having)}" if having else "without declared parameters"
    raise SystemsValueError(f"f takes ({', '.join(names)}), {having}: what they are is not clear; {ask}")


def _stated_arguments(arguments: Any, declared: Mapping[str, tuple[str, tuple[Parameter, ...]]]) -> tuple[str, ...]:
    """The order that the user states, which must hold x, and what is declared."""
    if not isinstance(arguments, Iterable):
        raise SystemsTypeError(f"arguments must be a tuple of names, such as ('t', 'x'), got {arguments!r}")
    order = (arguments,) if isinstance(arguments, str) else tuple(arguments)
    for name in order:
        require_choice("name in arguments", name, ARGUMENTS)
    if "x" not in order or len(set(order)) != len(order):
        raise SystemsValueError(f"arguments must hold 'x', and no name twice, got {order}")
    for name, (what, some) in declared.items():
        if name in order and not some:
            raise SystemsValueError(f"arguments holds {name!r}, so declare {what}=... with a default for each")
        if some and name not in order:
            raise SystemsValueError(f"{what} are declared, so arguments must hold {name!r}: f would never see them")
    return order
