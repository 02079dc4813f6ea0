"""What a system is: dx/dt = f(x; mu, t), with labelled dimensions, named parameters, and initial states."""

from __future__ import annotations

import abc
import dataclasses
import importlib.util
import math
from collections.abc import Mapping
from typing import Any, final

import array_api_compat
import numpy as np
import xarray as xr

from systems.checks import checked_times, require_integer, require_number, require_seed
from systems.errors import EvaluationError, SystemsTypeError, SystemsValueError, nearest
from systems.input_signals import random_signals
from systems.integrators import Formulation
from systems.sampling import InitialStates, Mixture, Sampler, ShortFlows, child_seed


@dataclasses.dataclass(frozen=True)
class Parameter:
    """A named parameter of a system, with its default and the range from which it is sampled.

    Raises SystemsValueError unless low <= default <= high, all finite; SystemsTypeError for what is no number.
    """

    name: str
    default: float
    low: float
    high: float
    units: str = ""

    def __post_init__(self):
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise SystemsValueError(f"a parameter's name must be a Python identifier, got {self.name!r}")
        for field in ("default", "low", "high"):
            require_number(f"{field} of the parameter {self.name!r}", getattr(self, field))
        if not self.low <= self.default <= self.high:
            raise SystemsValueError(
                f"parameter {self.name!r} needs low <= default <= high, got {self.low} <= {self.default} <= {self.high}"
            )

    @classmethod
    def around(cls, name: str, default: float, low: float, high: float) -> Parameter:
        """A parameter with its usual range, which is wider if the default lies outside."""
        return cls(name, default, min(low, default), max(high, default))


def like(array: np.ndarray, x: Any, xp: Any) -> Any:
    """A NumPy array as an array of x's namespace, dtype and device."""
    return xp.asarray(array, dtype=x.dtype, device=array_api_compat.device(x))


def as_floating(x: Any, name: str) -> tuple[Any, Any]:
    """x and its array namespace; an error unless x is an array of real floating-point numbers."""
    try:
        xp = array_api_compat.array_namespace(x)
    except TypeError as error:
        raise SystemsTypeError(
            f"{name} must be a NumPy, torch or other array, got {type(x).__name__}; use numpy.asarray"
        ) from error
    if not xp.isdtype(x.dtype, "real floating"):
        raise SystemsTypeError(
            f"{name} must hold real floating-point numbers, got {x.dtype}; convert it, as by astype(float)"
        )
    return x, xp


class System(abc.ABC):
    """Known dynamics dx/dt = f(x; mu, t).

    A new system is a frozen dataclass that defines `name`, `dims`, `shape`, `_rhs`, and `_initial` or `_initial_at`, and
    replaces what it knows better of the other underscored methods and of the data below. The public methods
    are final.

    name: what it is called.
    dims: name of each dimension of a state. shape: its lengths. coords: dimension -> 1-D coordinate.
    periods: dimension -> length after which states repeat, of those along which they do; data say so in the attribute
    `period` of the coordinate.
    parameters: named, with default and range. time_scale: a typical time, in the system's units.
    citation: where the equations come from.
    default_times, default_n_trajectories: what `simulate` takes when it is not told.
    is_black_box: f gives values only, from NumPy arrays only.
    samples_parameters: trajectories differ by their parameters, so `simulate` and `collocate` sample these unless told
    otherwise.
    inputs: names of the parameters that change in time, which `simulate` draws as signals unless told otherwise.
    takes_time: whether f may depend on t; `depends_on_time` asks f itself.
    period: of f in t, where it depends on time and does so periodically.
    default_method: what `simulate` integrates f with unless told otherwise, where the usual choice does not suit it.
    """

    citation: str = ""
    is_black_box: bool = False
    samples_parameters: bool = False
    takes_time: bool = True
    period: float | None = None
    default_method: str | None = None
    default_n_trajectories: int = 64

    # What a system defines

    @property
    @abc.abstractmethod
    def name(self) -> str: ...

    @property
    @abc.abstractmethod
    def dims(self) -> tuple[str, ...]: ...

    @property
    @abc.abstractmethod
    def shape(self) -> tuple[int, ...]: ...

    @abc.abstractmethod
    def _rhs(self, x: Any, mu: Any, t: Any, xp: Any) -> Any:
        """f, in the functions of the array-API namespace xp alone.

        x: (..., *shape), real. mu: (..., p), of x's dtype and device. t: a number. Returns the shape and
        dtype of x.
        """

    def _initial(self, n: int, seed: int) -> np.ndarray:
        """n initial states (n, *shape), float64; the i-th depends on (seed, i) alone."""
        raise NotImplementedError(f"{type(self).__name__} must define _initial(n, seed) or _initial_at(mu, seed)")

    def _initial_at(self, mu: np.ndarray, seed: int) -> np.ndarray:
        """Initial states (n, *shape), float64, for parameters mu (n, p); the i-th depends on (seed, i, mu[i]) alone."""
        return self._initial(len(mu), seed)

    # What a system may know better

    @property
    def coords(self) -> dict[str, np.ndarray]:
        return {dim: np.arange(size) for dim, size in zip(self.dims, self.shape, strict=True)}

    @property
    def periods(self) -> dict[str, float]:
        return {}

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return ()

    @property
    def inputs(self) -> tuple[str, ...]:
        return ()

    @property
    def time_scale(self) -> float:
        return 1.0

    @property
    def default_times(self) -> np.ndarray:
        return np.linspace(0.0, 10.0 * self.time_scale, 101)

    def _sampler(self) -> Sampler | None:
        """Where collocation states come from: by default initial states, and short flows from them."""
        return Mixture((InitialStates(self), ShortFlows(self)))

    def _formulation(self, mu: np.ndarray | None) -> Formulation | None:  # noqa: ARG002
        """Coordinates in which the system is easier to integrate, for parameters (p,) or (batch, p)."""
        return None

    def _batches(self, x: np.ndarray) -> bool:  # noqa: ARG002
        return True

    def _dwell(self, t: np.ndarray) -> float:  # noqa: ARG002
        """The typical time between changes of inputs that are sampled at the times t."""
        return self.time_scale

    def _afresh(self) -> System:
        """The same system without what it has found out while it was used."""
        return self

    # What a system is used for

    @property
    @final
    def n_states(self) -> int:
        """How many numbers a state has."""
        return math.prod(self.shape)

    @property
    @final
    def sampler(self) -> Sampler | None:
        """The default sampler of collocation states; None where none is known (a black box without one)."""
        return self._sampler()

    @final
    def rhs(self, x: Any, mu: Any = None, t: Any = 0.0) -> Any:
        """f(x; mu, t), the time derivative at each state.

        x: (..., *shape), real floating-point: NumPy, torch, another standard array, or a DataArray.
        mu: (..., p) with leading axes that broadcast against those of x, a mapping from names to numbers or
        arrays (what is missing takes its default), or None for the defaults.
        Returns an array of x's kind, dtype and device, with the leading axes of both. For small spatial scales use
        float64: differences of neighbours in float32 lose most of their digits.

        Raises SystemsTypeError, SystemsValueError.
        """
        if isinstance(x, xr.DataArray):
            if not set(self.dims) <= set(x.dims):
                raise SystemsValueError(f"x must have the dimensions {self.dims} of {self._called}, got {x.dims}")
            x = x.transpose(..., *self.dims)
            return x.copy(data=self.rhs(x.values, mu, t))
        x, xp = as_floating(x, "x")
        k = len(self.shape)
        if x.ndim < k or tuple(x.shape[x.ndim - k :]) != self.shape:
            expected = ", ".join(map(str, self.shape))
            raise SystemsValueError(f"x must have shape (..., {expected}) for {self._called}, got {tuple(x.shape)}")
        mu = self._parameter_array(mu, x, xp)
        own, others = tuple(x.shape[: x.ndim - k]), tuple(mu.shape[:-1])
        try:
            leading = np.broadcast_shapes(own, others)
        except ValueError as error:
            raise SystemsValueError(
                f"the leading axes {own} of x and {others} of mu do not fit together for {self._called}"
            ) from error
        if leading != own:
            x = xp.broadcast_to(x, (*leading, *self.shape))
        return self._rhs(x, mu, t, xp)

    @final
    def sample_parameters(self, n: int, seed: int = 0) -> np.ndarray:
        """n parameters (n, p), uniform in their ranges, in their units; the i-th depends on (seed, i) alone.

        Raises SystemsTypeError, SystemsValueError for an n or a seed that is no count.
        """
        low, high = (np.array([getattr(p, end) for p in self.parameters], dtype=float) for end in ("low", "high"))
        rng = np.random.default_rng(child_seed(require_seed(seed), 7))
        return low + (high - low) * rng.random((require_integer("n", n, low=1), len(low)))

    @final
    def sample_initial(self, n: int, seed: int = 0, mu: Any = None) -> xr.DataArray:
        """n initial states, labelled (trajectory, *dims); the i-th depends on (seed, i), and its parameters, alone.

        mu: parameters (n, p), (p,) or a mapping, for systems whose initial states depend on them. By default the
        system's own, or `sample_parameters(n, seed)` where `samples_parameters`.

        Raises SystemsTypeError, SystemsValueError: also where initial states at the parameters are not finite.
        """
        n, seed = require_integer("n", n, low=1), require_seed(seed)
        if mu is None and self.samples_parameters:
            mu = self.sample_parameters(n, seed)
        values = self.parameter_values(mu)
        if not np.isfinite(values).all():
            raise SystemsValueError(f"mu must be finite, got {values}")
        if values.ndim > 2 or (values.ndim == 2 and len(values) != n):
            raise SystemsValueError(f"mu must have shape ({n}, p) or (p,) for {n} initial states, got {values.shape}")
        with np.errstate(all="ignore"):
            states = self._initial_at(np.broadcast_to(values, (n, values.shape[-1])), seed)
        if not np.isfinite(states).all():
            named = ", ".join(f"{p.name} = {p.default:g}" for p in self.parameters)
            raise SystemsValueError(
                f"initial states of {self._called} are not finite ({named}): its parameters lie where flows blow up"
            )
        return xr.DataArray(
            states, dims=("trajectory", *self.dims), name="state",
            coords={"trajectory": np.arange(n), **self._labelled_coords()},
        )  # fmt: skip

    @final
    def batches(self, x: np.ndarray) -> bool:
        """Whether f takes several states at once; x: (batch, *shape), on which a black box is tried."""
        return self._batches(x)

    @final
    def depends_on_time(self, x: np.ndarray, times: np.ndarray) -> bool:
        """Whether f depends on t: declared by a `period`, or told by its values at states (n, *shape) and `times` (T,).

        Parameters and inputs are drawn from their ranges: at its default an input may switch off what depends on time.
        """
        if not self.takes_time or self.period is not None:
            return self.takes_time
        mu = self.sample_parameters(len(x), 0) if self.parameters else None
        first, *others = (self.rhs(x, mu, time) for time in times)
        return not all(np.allclose(first, other, rtol=1e-9, atol=0.0, equal_nan=True) for other in others)

    @final
    def sample_inputs(self, n: int, t: Any, seed: int = 0) -> xr.DataArray:
        """n random signals of the inputs within their ranges, as by `signals`: levels that change at random times.

        Returns a DataArray (trajectory, time, input) at the times t. Even ones move from level to level in straight
        lines, odd ones jump; the i-th depends on (seed, i) and t alone.

        Raises SystemsTypeError, SystemsValueError; also where the system has no inputs.
        """
        if not self.inputs:
            raise SystemsValueError(
                f"{self._called} has no inputs; systems.driven makes inputs of some of its parameters"
            )
        bounds = {p.name: (p.low, p.high) for p in self.parameters}
        for name in self.inputs:
            if bounds[name][0] == bounds[name][1]:
                raise SystemsValueError(
                    f"the input {name!r} of {self._called} has no range to be drawn from: declare it as (default, low, high), "
                    "or give inputs=..."
                )
        low, high = zip(*(bounds[name] for name in self.inputs), strict=True)
        t = checked_times("t", t)
        args = require_integer("n", n, low=1), t, self._dwell(t), child_seed(require_seed(seed), 8)
        return random_signals(self.inputs, low, high, *args).labelled()

    @final
    def verify(self, seed: int = 0) -> None:
        """Check the contract on a few initial states: run it on a system of your own.

        Shapes, dtypes (float64, and float32 unless a black box), finite values, batches against single
        states, and, where torch is installed and f is no black box, that torch gives the same values and no
        other dtype.

        Raises EvaluationError that says what is wrong.
        """

        def check(holds: bool, message: str) -> None:
            if not holds:
                raise EvaluationError(f"{self.name}: {message}")

        x = np.asarray(self.sample_initial(3, seed).values)
        check(x.shape == (3, *self.shape), f"sample_initial(3) has shape {x.shape}, expected {(3, *self.shape)}")
        check(x.dtype == np.float64, f"sample_initial must return float64, got {x.dtype}")
        check(bool(np.isfinite(x).all()), "sample_initial returned values that are not finite")
        two = self.sample_initial(2, seed).values
        check(
            bool(np.array_equal(x[:2], two)),
            "sample_initial(2) differs from the first 2 of sample_initial(3): the i-th state must depend on (seed, i) "
            "alone, so draw all numbers in one call with n first, as by rng.random((n, ...))",
        )
        for dim, size in zip(self.dims, self.shape, strict=True):
            coord = self.coords.get(dim)
            check(
                coord is not None and coord.shape == (size,),
                f"coords[{dim!r}] must be 1-D with {size} entries",
            )
        before = x.copy()
        f = self.rhs(x)
        check(bool(np.array_equal(x, before)), "rhs changes x in place")
        check(isinstance(f, np.ndarray), f"rhs of a NumPy array returned {type(f).__name__}")
        check(f.shape == x.shape, f"rhs of states {x.shape} returned shape {f.shape}")
        check(f.dtype == np.float64, f"rhs of float64 returned {f.dtype}")
        check(bool(np.isfinite(f).all()), "rhs is not finite at an initial state")
        scale = float(np.abs(f).max()) + np.finfo(float).tiny
        single = np.stack([self.rhs(one) for one in x])
        check(
            bool(np.abs(single - f).max() <= 1e-10 * scale),
            "rhs of a batch differs from rhs of single states",
        )
        if self.is_black_box:
            return
        small = self.rhs(x.astype(np.float32))
        check(small.dtype == np.float32, f"rhs of float32 returned {small.dtype}")
        if importlib.util.find_spec("torch") is not None:
            import torch

            for dtype in (torch.float64, torch.float32):
                g = self.rhs(torch.asarray(x, dtype=dtype))
                check(isinstance(g, torch.Tensor), f"rhs of a torch tensor returned {type(g).__name__}")
                check(g.dtype == dtype, f"rhs of {dtype} returned {g.dtype}")
            difference = float(np.abs(self.rhs(torch.asarray(x)).numpy() - f).max())
            check(
                difference <= 1e-10 * scale,
                f"torch and NumPy differ by {difference:.3g} (f is up to {scale:.3g})",
            )

    @final
    def parameter_values(self, mu: Any = None) -> np.ndarray:
        """Parameters (..., p), float64, from None, a mapping of names, or an array, as `rhs` takes them."""
        return np.asarray(self._parameter_array(mu, np.zeros(0), np), dtype=float)

    def _parameter_array(self, mu: Any, x: Any, xp: Any) -> Any:
        parameters = self.parameters
        if mu is None:
            return like(np.array([p.default for p in parameters], dtype=float), x, xp)
        names = [p.name for p in parameters]
        if isinstance(mu, xr.DataArray):
            mu = mu.values
        if isinstance(mu, Mapping):
            for key in mu:
                if key not in names:
                    raise SystemsValueError(f"{self._called} has no parameter {key!r}; {nearest(key, names)}")
            values = [_to(mu.get(p.name, p.default), x, xp, p.name) for p in parameters]
            if not values:
                return like(np.zeros(0), x, xp)
            return xp.stack(xp.broadcast_arrays(*values), axis=-1)
        mu = _to(mu, x, xp, "mu")
        if mu.ndim == 0 or mu.shape[-1] != len(names):
            raise SystemsValueError(
                f"mu must have shape (..., {len(names)}) for the parameters {names} of {self._called}, "
                f"got {tuple(mu.shape)}"
            )
        return mu

    @property
    def _called(self) -> str:
        """The system in a sentence; its name alone may be that of a function."""
        return f"the system {self.name!r}"

    def _labelled_coords(self) -> dict[str, Any]:
        # The built-in systems are dimensionless; what the numbers of a user's code mean is not known here.
        attrs = {} if self.is_black_box else {"units": "1"}
        own = {dim: {"period": float(length)} for dim, length in self.periods.items()}
        return {dim: (dim, np.asarray(value), attrs | own.get(dim, {})) for dim, value in self.coords.items()}

    def _describe(self) -> dict[str, Any]:
        """What identifies the system in the provenance of data, ready for JSON: its name, fields and parameters."""
        fields = dataclasses.fields(self) if dataclasses.is_dataclass(self) else ()
        values = {field.name: getattr(self, field.name) for field in fields if field.init}
        plain = (str, int, float, bool, type(None))
        return {
            "system": self.name,
            "fields": {k: v if isinstance(v, plain) else repr(v) for k, v in values.items()},
            "defaults": {p.name: float(p.default) for p in self.parameters},
        }


def _to(value: Any, x: Any, xp: Any, name: str) -> Any:
    """A number or array as an array of x's namespace, dtype and device (gradients of a tensor are kept)."""
    try:
        if array_api_compat.is_array_api_obj(value) and array_api_compat.array_namespace(value) is xp:
            return array_api_compat.to_device(xp.astype(value, x.dtype), array_api_compat.device(x))
        return xp.asarray(np.asarray(value, dtype=float), dtype=x.dtype, device=array_api_compat.device(x))
    except (TypeError, ValueError) as error:
        raise SystemsTypeError(f"{name} must be a number or an array of numbers, got {value!r}") from error
