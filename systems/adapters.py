"""Systems of the packages dysts, py-pde and pyMOR.

Their functions are called as they are.
"""

from __future__ import annotations

import copy
import dataclasses
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from systems.black_box import BlackBox
from systems.checks import require_choice, require_integer, require_seed
from systems.errors import SystemsImportError, SystemsTypeError, SystemsValueError, nearest
from systems.from_function import from_rhs
from systems.integrators import integrate
from systems.sampling import Sampler
from systems.system import System

__all__ = ["from_dysts", "from_pde", "from_pymor"]

# Periods of the orbit from which initial states of dysts are drawn, and snapshots in each.
TURNS, PER_TURN = 50, 100


def from_dysts(flow: Any) -> System:
    """Make a system from a chaotic flow of the package dysts.

    Parameters are those of the flow, with ranges of 10 % on both sides of their values. Initial states lie on the attractor: on
    the orbit of the flow's own initial state, over 50 of its periods. The time scale is its period.

    Parameters
    ----------
    flow : dysts.base.DynSys or str
        The flow, or its name, such as "Rossler".

    Returns
    -------
    System
        A black box: values of f from NumPy arrays.

    Raises
    ------
    SystemsImportError
        If dysts is not installed.
    SystemsTypeError
        If `flow` is not a flow.
    SystemsValueError
        If the name is unknown, or the flow has a delay.

    References
    ----------
    W. Gilpin, "Chaos as an interpretable benchmark for forecasting and data-driven modelling", NeurIPS Datasets and Benchmarks
    (2021).

    Examples
    --------
    >>> import systems
    >>> chaos = systems.from_dysts("Rossler")  # doctest: +SKIP
    >>> runs = systems.simulate(chaos, 8)  # doctest: +SKIP
    """
    flows = _imported("dysts.flows", "dysts")
    base = _imported("dysts.base", "dysts")
    if isinstance(flow, str):
        known = [
            name for name, kind in vars(flows).items()
            if isinstance(kind, type) and issubclass(kind, base.BaseDyn) and kind.__module__ == flows.__name__
        ]  # fmt: skip
        require_choice("flow", flow, known)
        flow = getattr(flows, flow)()
    if isinstance(flow, base.DynSysDelay):
        raise SystemsValueError(f"{flow.name} has a delay: its state is a function of time, not a few numbers")
    if not isinstance(flow, base.DynSys):
        raise SystemsTypeError(f"flow must be a dysts.base.DynSys or the name of one, got {type(flow).__name__}")
    numbers = {name: float(value) for name, value in sorted(flow.params.items()) if np.ndim(value) == 0}
    f = _DystsRates(flow, tuple(numbers))
    ranges = {name: (value, *sorted((0.9 * value, 1.1 * value))) for name, value in numbers.items()}
    system = from_rhs(
        f,
        int(flow.dimension),
        dims=("component",),
        parameters=ranges,
        arguments=("x", "t", "mu") if ranges else ("x", "t"),
    )
    assert isinstance(system, BlackBox)
    orbit = Orbit(system, np.asarray(flow.ic, dtype=float), TURNS * float(flow.period), TURNS * PER_TURN)
    return dataclasses.replace(system, states=orbit, typical_time=float(flow.period))


def from_pde(equation: Any, state: Any, *, sampler: Sampler | None = None, t: float | None = None) -> System:
    """Make a system from a partial differential equation of the package py-pde.

    Dimensions are ("component", axes of the grid), without the first for a scalar field. Fields of a collection keep their
    labels.

    Parameters
    ----------
    equation : pde.PDEBase
        An equation without noise.
    state : pde field or FieldCollection
        Real fields whose grid and boundary conditions are used; their values are not.
    sampler : callable, optional
        Where states come from, called as ``sampler(n, seed)``, which returns ``(n, *state.data.shape)``.
    t : float, optional
        The time at which an equation that depends on time is frozen.

    Returns
    -------
    System
        A black box: values of f from NumPy arrays.

    Raises
    ------
    SystemsImportError
        If py-pde is not installed.
    SystemsTypeError
        If `equation` or `state` is of the wrong type.
    SystemsValueError
        If the equation has noise, is complex, or depends on time and `t` is not given.

    References
    ----------
    D. Zwicker, "py-pde: A Python package for solving partial differential equations", JOSS 5 (2020) 2158.

    Examples
    --------
    >>> import pde, systems  # doctest: +SKIP
    >>> field = pde.ScalarField.random_uniform(pde.CartesianGrid([(0, 1)], 64))  # doctest: +SKIP
    >>> diffusion = systems.from_pde(pde.DiffusionPDE(0.1), field)  # doctest: +SKIP
    """
    pde = _imported("pde", "py-pde")
    if not isinstance(equation, pde.PDEBase):
        raise SystemsTypeError(f"equation must be a pde.PDEBase, got {type(equation).__name__}")
    if not isinstance(state, _imported("pde.fields.base", "py-pde").FieldBase):
        raise SystemsTypeError(f"state must be a field of py-pde, got {type(state).__name__}")
    if equation.is_sde:
        raise SystemsValueError("equation has noise, but f must be a function of the state; set noise=0")
    if equation.complex_valued or np.iscomplexobj(state.data):
        raise SystemsValueError("equation is complex; write it for the real and the imaginary part as two fields")
    if equation.explicit_time_dependence and t is None:
        raise SystemsValueError("equation depends on time, and systems are autonomous; give t to freeze it at a time")
    axes, shape = state.grid.axes, state.data.shape
    dims = (*(f"component_{i}" for i in range(len(shape) - len(axes) - 1)), "component")[: len(shape) - len(axes)]
    coords: dict[str, Any] = dict(zip(axes, map(np.asarray, state.grid.axes_coords), strict=True))
    labels = getattr(state, "labels", None)
    if labels is not None and all(labels) and len(dims) == 1 and len(labels) == shape[0]:
        coords["component"] = np.array(list(labels))
    return from_rhs(
        _PdeRates(equation, state, 0.0 if t is None else t), shape=shape, dims=(*dims, *axes), coords=coords,
        batched=False, arguments=("x",), sampler=sampler,
    )  # fmt: skip


def from_pymor(model: Any, parameters: Mapping[str, Any] | None = None) -> System:
    """Make a system from an instationary model of pyMOR in NumPy vectors.

    The equation is ``M dx/dt + A(x; mu) = b(mu)``, with M, A and b the model's ``mass``, ``operator`` and ``rhs``. Initial
    states are the model's own, at parameters in their ranges.

    Parameters
    ----------
    model : pymor.models.basic.InstationaryModel
        The model.
    parameters : mapping, optional
        ``(default, low, high)`` of each of the model's parameters. A parameter of dimension k becomes name_0, ..., name_k-1.
        The ``ranges`` of a pymor ParameterSpace can be given too, with (low, high); the default is then their mean.

    Returns
    -------
    System
        A black box: values of f from NumPy arrays.

    Raises
    ------
    SystemsImportError
        If pyMOR is not installed.
    SystemsTypeError
        If `model` is of the wrong type.
    SystemsValueError
        If the model does not have NumPy vectors, depends on time, or has parameters without ranges.

    References
    ----------
    R. Milk, S. Rave and F. Schindler, SIAM J. Sci. Comput. 38 (2016) S194.

    Examples
    --------
    >>> from pymor.models.examples import heat_equation_example  # doctest: +SKIP
    >>> import systems
    >>> plate = systems.from_pymor(heat_equation_example(), {"top": (1.0, 0.5, 2.0)})  # doctest: +SKIP
    """
    basic = _imported("pymor.models.basic", "pymor")
    vectors = _imported("pymor.vectorarrays.numpy", "pymor")
    to_matrix = _imported("pymor.algorithms.to_matrix", "pymor").to_matrix
    if not isinstance(model, basic.InstationaryModel):
        raise SystemsTypeError(f"model must be a pymor InstationaryModel, got {type(model).__name__}")
    if not isinstance(model.solution_space, vectors.NumpyVectorSpace):
        raise SystemsValueError(f"model must have NumPy vectors, got {type(model.solution_space).__name__}")
    parts = [part for part in (model.operator, model.rhs) if part is not None]
    if any("t" in part.parameters for part in parts):
        raise SystemsValueError("model depends on time, and systems are autonomous; fix its inputs first")
    if model.mass is not None and model.mass.parametric:
        raise SystemsValueError("model has a mass matrix that depends on parameters; fix these first")
    sizes = {name: size for name, size in model.parameters.items() if name != "t"}
    ranges = _ranges(sizes, parameters or {})
    # An identity needs no factorisation.
    mass = None if model.mass is None or type(model.mass).__name__ == "IdentityOperator" else to_matrix(model.mass)
    return from_rhs(
        _PymorRates(model, tuple(sizes.items())), model.solution_space.dim, dims=("dof",), parameters=ranges,
        arguments=("x", "mu") if ranges else ("x",), batched=True, mass=mass,
        sampler=_PymorStates(model, tuple(sizes.items()), tuple(r[1:] for r in ranges.values())),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Orbit:
    """States at random times of one trajectory.

    Attributes
    ----------
    system : System
        The system.
    start : numpy.ndarray
        The first state.
    span : float
        The length of the trajectory.
    n_snapshots : int
        The number of times from which the samples are drawn.
    """

    system: System
    start: np.ndarray
    span: float
    n_snapshots: int

    def __call__(self, n: int, seed: int) -> np.ndarray:
        """Return n states (n, component)."""
        return self._states[
            np.random.default_rng(require_seed(seed)).integers(self.n_snapshots, size=require_integer("n", n, low=1))
        ]

    @cached_property
    def _states(self) -> np.ndarray:
        """The states at all times."""
        t = np.linspace(0.0, self.span, self.n_snapshots)
        return integrate(self.system, self.start[None], t, rtol=1e-6, atol=1e-9)[0]


@dataclass(frozen=True)
class _DystsRates:
    """The function f of a flow of dysts."""

    flow: Any
    names: tuple[str, ...]

    @property
    def __name__(self) -> str:
        return str(self.flow.name)

    def __call__(self, x: np.ndarray, t: float, mu: np.ndarray | None = None) -> np.ndarray:
        flow = self.flow
        if mu is not None:
            flow = copy.copy(flow)
            flow.params = flow.params | dict(zip(self.names, mu.T, strict=True))
            flow.__dict__.update(flow.params)
            flow.param_list = [flow.params[name] for name in sorted(flow.params)]
        # Components come first, and some are one number for all states. If a flow takes single states only, this fails
        # or differs for a batch, and f is then called for each state.
        return np.stack(np.broadcast_arrays(*flow.rhs(x, t)), axis=-1)


@dataclass(frozen=True, eq=False)
class _PdeRates:
    """The function f of an equation of py-pde."""

    equation: Any
    state: Any
    t: float

    @property
    def __name__(self) -> str:
        return type(self.equation).__name__

    @cached_property
    def _rates(self) -> Any:
        """The function that py-pde makes."""
        return self.equation.make_pde_rhs(self.state, backend="numpy")

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return self._rates(x, self.t)

    def __getstate__(self):
        return {"equation": self.equation, "state": self.state, "t": self.t}


@dataclass(frozen=True, eq=False)
class _PymorRates:
    """The function b(mu) - A(x; mu) of a pyMOR model, for states (N, n).

    There is one mu for all states, or one for each.
    """

    model: Any
    sizes: tuple[tuple[str, int], ...]

    @property
    def __name__(self) -> str:
        return str(self.model.name or type(self.model).__name__)

    def __call__(self, x: np.ndarray, mu: np.ndarray | None = None) -> np.ndarray:
        states = np.atleast_2d(x)
        rows = np.zeros((1, 0)) if mu is None else np.unique(np.atleast_2d(mu), axis=0)
        rates = np.empty_like(states)
        for row in rows:  # all states that share their parameters at once
            here = slice(None) if len(rows) == 1 else (mu == row).all(axis=1)
            at = _parsed(self.model, self.sizes, row)
            u = self.model.solution_space.from_numpy(states[here].T)
            rates[here] = -self.model.operator.apply(u, mu=at).to_numpy().T
            if self.model.rhs is not None:
                rates[here] += self.model.rhs.as_range_array(mu=at).to_numpy().T
        return rates.reshape(x.shape)


@dataclass(frozen=True, eq=False)
class _PymorStates:
    """The sampler of initial states of a pyMOR model.

    Their parameters are sampled from the ranges.
    """

    model: Any
    sizes: tuple[tuple[str, int], ...]
    ranges: tuple[tuple[float, float], ...]

    def __call__(self, n: int, seed: int) -> np.ndarray:
        uniform = np.random.default_rng(require_seed(seed)).random((require_integer("n", n, low=1), len(self.ranges)))
        low, high = np.array(self.ranges).reshape(-1, 2).T
        return np.concatenate([self._at(row) for row in low + (high - low) * uniform])

    def _at(self, row: np.ndarray) -> np.ndarray:
        """Return the initial state (1, n) at a row of parameters."""
        initial = self.model.initial_data
        if hasattr(initial, "as_range_array"):
            initial = initial.as_range_array(mu=_parsed(self.model, self.sizes, row))
        return initial.to_numpy().T


def _parsed(model: Any, sizes: Sequence[tuple[str, int]], row: np.ndarray) -> Any:
    """Return a row of numbers as pyMOR's parameter values."""
    ends = np.cumsum([size for _, size in sizes])
    values = {name: row[end - size : end] for (name, size), end in zip(sizes, ends, strict=True)}
    return model.parameters.parse(values) if values else None


def _ranges(sizes: Mapping[str, int], given: Mapping[str, Any]) -> dict[str, tuple[float, float, float]]:
    """Return (default, low, high) of each number among the parameters, by its name."""
    for name in given:
        if name not in sizes:
            raise SystemsValueError(
                f"parameters has {name!r}, which is not a parameter of the model; {nearest(name, list(sizes))}"
            )
    result = {}
    for name, size in sizes.items():
        if name not in given:
            raise SystemsValueError(
                f"the model has the parameter {name!r}: give its (default, low, high), parameters={{{name!r}: (...)}}"
            )
        values = tuple(map(float, given[name]))
        if len(values) == 2:
            values = (sum(values) / 2, *values)
        if len(values) != 3:
            raise SystemsValueError(
                f"parameters[{name!r}] must be (default, low, high) or (low, high), got {given[name]!r}"
            )
        names = [name] if size == 1 else [f"{name}_{i}" for i in range(size)]
        result |= dict.fromkeys(names, values)
    return result


def _imported(module: str, package: str) -> Any:
    """Return a module, or raise an error that says how to install its package."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise SystemsImportError(
            f"{package} is not installed; pip install 'latentrom[adapters]', or {package} alone"
        ) from error
