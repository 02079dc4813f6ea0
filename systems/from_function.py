"""Systems from a user's own function f, of which only values are needed."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from systems.black_box import BlackBox
from systems.checks import (
    checked_dims,
    require_choice,
    require_flag,
    require_integer,
    require_method,
    require_number,
)
from systems.errors import SystemsTypeError, SystemsValueError, nearest
from systems.mass_matrix import Mass
from systems.parameter import Parameter
from systems.sampling import Sampler
from systems.system import System

__all__ = ["from_rhs"]

# Names of the arguments that f may take.
ARGUMENTS = ("x", "t", "mu", "u", "out")


def from_rhs(
    f: Callable[..., Any], n_states: int | None = None, *, shape: Sequence[int] | None = None,
    dims: Sequence[str] | None = None, coords: Mapping[str, Any] | None = None,
    parameters: Sequence[Parameter] | Mapping[str, Any] | None = None, batched: bool | None = None,
    arguments: Sequence[str] | None = None, sampler: Sampler | None = None, mass: Any = None,
    inputs: Sequence[Parameter] | Mapping[str, Any] | None = None, period: float | None = None,
    method: str | None = None,
) -> System:  # fmt: skip
    """Make a system from a function that returns dx/dt.

    The function may be NumPy, Fortran through f2py, C through ctypes, or a solver.

    Most calls need `f`, `n_states` (or `shape`) and `sampler` only. Only values of f are used, never its derivatives.

    Parameters
    ----------
    f : callable
        Returns dx/dt for a NumPy state x of the given shape in float64.
    n_states : int, optional
        The number of entries of a one-dimensional state. Give either `n_states` or `shape`.
    shape : sequence of int, optional
        The shape of a state.
    dims : sequence of str, optional
        The name of each dimension. By default ``("state_index",)``, or ``("axis_0", "axis_1", ...)``.
    coords : mapping, optional
        The coordinate of each dimension, a 1-D array; by default 0, 1, .... A DataArray with the attribute ``period`` says
        that states repeat after that length.
    parameters : mapping or sequence of Parameter, optional
        The constant parameters of f: a Parameter, ``(default, low, high)``, or a default for each name.
    batched : bool, optional
        Whether f also takes many states ``(batch, *shape)`` and returns as many derivatives. By default this is found out on
        the first real states, by comparing batches of 2 and 3 states with single states.
    arguments : sequence of str, optional
        The order of f's arguments, some of "x", "t", "mu", "u" and "out", such as ``("t", "x")``. By default it is read from
        their names; other names are taken as x, then mu if there are parameters and u if there are inputs, after a first
        argument named t or time. For a batch of states, mu is (batch, p) and u is (batch, m). An f with "out" writes dx/dt
        into that array, as Fortran and C do, and what it returns is ignored.
    sampler : callable, optional
        Collocation states and initial states, called as ``sampler(n, seed)``, which returns ``(n, *shape)``.
    mass : array_like, sparse matrix or callable, optional
        The invertible matrix M of ``M dx/dt = f(x)``, (n, n), where n is the number of entries of a state; or a function of
        one state that returns it.
    inputs : mapping or sequence of Parameter, optional
        The parameters of f that change in time, declared as `parameters` are. f takes their values u (m,) at the time of
        the state. Random inputs are drawn from their ranges.
    period : float, optional
        The period of f in t, if f depends on t periodically.
    method : str, optional
        A solver of `scipy.integrate.solve_ivp` that suits f and that `simulate` uses unless another one is given: "BDF",
        "Radau" or "LSODA" if f is stiff.

    Returns
    -------
    System
        A system with ``is_black_box`` true. Its ``rhs`` takes NumPy arrays only. It raises EvaluationError, chained to f's
        own exception, if f fails or returns another shape.

    Raises
    ------
    SystemsTypeError, SystemsValueError
        If an argument cannot be used, or the meaning of f's arguments is not clear.

    See Also
    --------
    driven : Inputs from parameters of any system.
    System : The base of systems with more than values of f.

    Examples
    --------
    >>> import numpy as np
    >>> import systems
    >>> def swing(x, mu):
    ...     return np.array([x[1], -np.sin(x[0]) - mu[0] * x[1]])
    >>> pendulum = systems.from_rhs(
    ...     swing, 2, parameters={"damping": (0.1, 0.0, 0.5)}, sampler=systems.Box((-1.0, -1.0), (1.0, 1.0))
    ... )
    >>> pendulum.rhs(np.array([0.0, 1.0]))
    array([ 1. , -0.1])
    >>> systems.simulate(pendulum, 3, [0.0, 1.0]).sizes["trajectory"]
    3
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


def _shape(n_states: Any, shape: Any) -> tuple[int, ...]:
    """Return the shape of a state from the two arguments that can state it."""
    if (n_states is None) == (shape is None):
        raise SystemsValueError("give the size of a state: either n_states or shape")
    if n_states is not None:
        return (require_integer("n_states", n_states, low=1),)
    if isinstance(shape, int) or not isinstance(shape, Sequence) or not shape:
        raise SystemsTypeError(f"shape must be a tuple of lengths, got {shape!r}")
    return tuple(require_integer(f"shape[{i}]", size, low=1) for i, size in enumerate(shape))


def _default_dims(shape: tuple[int, ...]) -> tuple[str, ...]:
    """Return names for the dimensions of a state."""
    return ("state_index",) if len(shape) == 1 else tuple(f"axis_{i}" for i in range(len(shape)))


def _coords(coords: Mapping[str, Any] | None, dims: tuple[str, ...], shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Return the coordinate of each dimension; 0, 1, ... if none is given."""
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
    """Return the attribute ``period`` of those coordinates that have one, checked."""
    periods = {}
    for dim, values in (coords or {}).items():
        attrs = getattr(values, "attrs", None)  # of a DataArray
        if isinstance(attrs, Mapping) and attrs.get("period") is not None:
            name = f"coords[{dim!r}].attrs['period']"
            periods[dim] = require_number(name, attrs["period"], low=0.0, exclusive=True)
    return periods


def _parameters(parameters: Any, called: str) -> tuple[Parameter, ...]:
    """Return the parameters that a mapping or a sequence declares.

    `called` is the argument in error messages.
    """
    if parameters is None:
        return ()
    if isinstance(parameters, Mapping):
        parameters = [_parameter(name, value, called) for name, value in parameters.items()]
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


def _parameter(name: str, value: Any, called: str) -> Parameter:
    """Return the parameter that one entry of a mapping declares."""
    if isinstance(value, Parameter):
        if value.name != name:
            raise SystemsValueError(
                f"{called}[{name!r}] holds a Parameter named {value.name!r}; give both the same name"
            )
        return value
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 3:
        default, low, high = (require_number(f"{called}[{name!r}][{i}]", v) for i, v in enumerate(value))
        return Parameter(name, default, low, high)
    if isinstance(value, int | float | np.number):
        return Parameter(name, float(value), float(value), float(value))
    raise SystemsTypeError(f"{called}[{name!r}] must be a Parameter, (default, low, high) or number, got {value!r}")


def _arguments(
    f: Callable[..., Any], arguments: Any, declared: tuple[Parameter, ...], driven: tuple[Parameter, ...]
) -> tuple[str, ...]:
    """Return the order of f's arguments, as stated or as read from its signature."""
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
    if set(by_name) == set(order):  # the names of f(x, u, mu) say what they are
        order = by_name
    if len(order) == len(plain):
        meaning = dict(zip(plain, order, strict=True)) | {"out": "out"}
        return tuple(meaning[name] for name in names)
    having = [
        f"{what} {[p.name for p in some]}" for what, some in (("parameters", declared), ("inputs", driven)) if some
    ]
    having = f"with {' and '.join(having)}" if having else "without declared parameters"
    raise SystemsValueError(f"f takes ({', '.join(names)}), {having}: their meaning is not clear; {ask}")


def _stated_arguments(arguments: Any, declared: Mapping[str, tuple[str, tuple[Parameter, ...]]]) -> tuple[str, ...]:
    """Return the order that the user states.

    Raise an error unless it has x and exactly what is declared.
    """
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
            raise SystemsValueError(f"{what} are declared, so arguments must hold {name!r}, or f would not get them")
    return order
