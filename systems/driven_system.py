"""A system with some of its parameters as inputs u(t)."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from systems.checks import require_number
from systems.errors import SystemsTypeError, SystemsValueError, nearest
from systems.flow_sampling import InitialStates, ShortFlows
from systems.parameter import Parameter
from systems.sampling import Mixture, Sampler
from systems.system import System

__all__ = ["driven"]


def driven(
    system: System, inputs: str | Sequence[str], *, varying: str | Sequence[str] = (), dwell: float | None = None
) -> System:
    """Make inputs of some parameters of a system.

    Inputs change in time: a force, a current, a valve.

    Parameters that are neither `inputs` nor `varying` stay at their defaults, and models need not know them. The collocation
    states and short flows of `rom.fit` have constant inputs, drawn from their ranges.

    Parameters
    ----------
    system : System
        The system.
    inputs : str or sequence of str
        The names of the parameters that become inputs, at least one.
    varying : str or sequence of str, default ()
        The names of parameters that differ between trajectories, and are constant along each.
    dwell : float, optional
        The typical time between changes of the random signals that `simulate` draws. By default the system's time scale.

    Returns
    -------
    System
        The system, whose parameters are `varying`, then `inputs`.

    Raises
    ------
    SystemsTypeError, SystemsValueError
        If a name is not a parameter of the system, or an argument cannot be used.

    See Also
    --------
    signals : Inputs as one labelled array.

    Examples
    --------
    >>> import numpy as np
    >>> import systems
    >>> pendulum = systems.driven(systems.Pendulum(), "torque", varying="damping")
    >>> pendulum.inputs, [p.name for p in pendulum.parameters]
    (('torque',), ['damping', 'torque'])
    >>> runs = systems.simulate(pendulum, 2, np.linspace(0.0, 5.0, 51), inputs={"torque": np.sin})
    >>> runs["inputs"].dims
    ('trajectory', 'time', 'input')
    """
    if not isinstance(system, System):
        raise SystemsTypeError(f"system must be a systems.System, got {system!r}")
    known = [p.name for p in system.parameters]
    names = {}
    for argument, given in (("inputs", inputs), ("varying", varying)):
        if not isinstance(given, str | Sequence):
            raise SystemsTypeError(f"{argument} must be names of parameters, got {given!r}")
        names[argument] = (given,) if isinstance(given, str) else tuple(given)
        for name in names[argument]:
            if name not in known:
                raise SystemsValueError(
                    f"{argument}: {system._called} has no parameter {name!r}; {nearest(name, known)}"
                )
    both = [*names["inputs"], *names["varying"]]
    if not names["inputs"] or len(set(both)) < len(both):
        raise SystemsValueError(
            f"inputs must be at least one name, and no name may be twice among inputs and varying, got {both}"
        )
    if dwell is not None:
        require_number("dwell", dwell, low=0.0, exclusive=True)
    return Driven(system, **names, dwell=dwell)


@dataclass(frozen=True)
class Driven(System):
    """A system with inputs, made by `driven`, which explains the attributes."""

    system: System
    inputs: tuple[str, ...] = ()  # pyright: ignore[reportIncompatibleMethodOverride]
    varying: tuple[str, ...] = ()
    dwell: float | None = None

    samples_parameters: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """Name of the system behind."""
        return self.system.name

    @property
    def dims(self) -> tuple[str, ...]:
        """Name of each dimension of a state."""
        return self.system.dims

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each dimension of a state."""
        return self.system.shape

    @property
    def coords(self) -> dict[str, np.ndarray]:
        """Coordinate of each dimension."""
        return self.system.coords

    @property
    def periods(self) -> dict[str, float]:
        """Period of states along dimensions along which they repeat."""
        return self.system.periods

    @property
    def citation(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Where the equations come from."""
        return self.system.citation

    @property
    def is_black_box(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether only values of f are known."""
        return self.system.is_black_box

    @property
    def takes_time(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether f may depend on t."""
        return self.system.takes_time

    @property
    def period(self) -> float | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Period of f in t."""
        return self.system.period

    @property
    def default_method(self) -> str | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Solver that `simulate` uses unless another one is given."""
        return self.system.default_method

    @property
    def time_scale(self) -> float:
        """A typical time of the system."""
        return self.system.time_scale

    @property
    def default_times(self) -> np.ndarray:
        """Times of trajectories unless others are given."""
        return self.system.default_times

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Varying parameters, then inputs."""
        of_system = {p.name: p for p in self.system.parameters}
        return tuple(of_system[name] for name in (*self.varying, *self.inputs))

    def _all(self, mu: Any, xp: Any) -> Any:
        """Return the parameters (..., p) of the system behind."""
        columns = [
            mu[..., source] if isinstance(source, int) else xp.full_like(mu[..., 0], source) for source in self._sources
        ]
        return xp.stack(columns, axis=-1)

    @functools.cached_property
    def _sources(self) -> list[int | float]:
        """Index or constant value of each parameter of the system behind.

        An index counts the own parameters.
        """
        known = [p.name for p in self.parameters]
        return [known.index(p.name) if p.name in known else float(p.default) for p in self.system.parameters]

    def _rhs(self, x, mu, t, xp):
        return self.system._rhs(x, self._all(mu, xp), t, xp)

    def _formulation(self, mu):
        return self.system._formulation(self._all(self.parameter_values(mu), np))

    def _initial_at(self, mu, seed):
        return self.system._initial_at(self._all(mu, np), seed)

    def _sampler(self) -> Sampler | None:
        """Return own states, mixed with states on flows under constant inputs."""
        own = self.system.sampler
        if own is None or self.is_black_box:  # flows of a black box may be expensive
            return own
        flows = ShortFlows(self)
        if type(self.system)._sampler is System._sampler:
            return Mixture((InitialStates(self), flows))
        return Mixture((own, flows))

    def _describe(self):
        return {**self.system._describe(), "driven": {"inputs": list(self.inputs), "varying": list(self.varying)}}

    def _afresh(self):
        return dataclasses.replace(self, system=self.system._afresh())

    def _batches(self, x):
        return self.system._batches(x)

    def _dwell(self, t):
        return self.system._dwell(t) if self.dwell is None else self.dwell
