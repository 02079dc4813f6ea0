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


def driven(
    system: System, inputs: str | Sequence[str], *, varying: str | Sequence[str] = (), dwell: float | None = None
) -> System:
    """`system` with some of its parameters as inputs, which change in time: a force, a current, a valve.

    system: whose parameters they are. inputs: their names, at least one. Parameters that are neither inputs nor
    `varying` stay at their defaults, and models need not be told them.
    varying: names of parameters that differ between trajectories, and are constant along each.
    dwell: typical time between changes of the signals that `simulate` draws; the system's time scale by default.

    Collocation states and short flows of `rom.fit` come with inputs that are constant, drawn from their ranges.

    Raises SystemsTypeError, SystemsValueError for names that are no parameters of the system.
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
            f"inputs must be at least one name, and none twice among inputs and varying, got {both}"
        )
    if dwell is not None:
        require_number("dwell", dwell, low=0.0, exclusive=True)
    return Driven(system, **names, dwell=dwell)


@dataclass(frozen=True)
class Driven(System):
    """Made by `driven`, where its fields are explained."""

    system: System
    inputs: tuple[str, ...] = ()  # pyright: ignore[reportIncompatibleMethodOverride]
    varying: tuple[str, ...] = ()
    dwell: float | None = None

    samples_parameters: ClassVar[bool] = True

    @property
    def name(self) -> str:
        return self.system.name

    @property
    def dims(self) -> tuple[str, ...]:
        return self.system.dims

    @property
    def shape(self) -> tuple[int, ...]:
        return self.system.shape

    @property
    def coords(self) -> dict[str, np.ndarray]:
        return self.system.coords

    @property
    def periods(self) -> dict[str, float]:
        return self.system.periods

    @property
    def citation(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.system.citation

    @property
    def is_black_box(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.system.is_black_box

    @property
    def takes_time(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.system.takes_time

    @property
    def period(self) -> float | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.system.period

    @property
    def default_method(self) -> str | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.system.default_method

    @property
    def time_scale(self) -> float:
        return self.system.time_scale

    @property
    def default_times(self) -> np.ndarray:
        return self.system.default_times

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        of_system = {p.name: p for p in self.system.parameters}
        return tuple(of_system[name] for name in (*self.varying, *self.inputs))

    def _all(self, mu: Any, xp: Any) -> Any:
        """Parameters (..., p) of the system behind."""
        columns = [
            mu[..., source] if isinstance(source, int) else xp.full_like(mu[..., 0], source) for source in self._sources
        ]
        return xp.stack(columns, axis=-1)

    @functools.cached_property
    def _sources(self) -> list[int | float]:
        """Of each parameter of the system behind, which of the own ones it is, or its value."""
        known = [p.name for p in self.parameters]
        return [known.index(p.name) if p.name in known else float(p.default) for p in self.system.parameters]

    def _rhs(self, x, mu, t, xp):
        return self.system._rhs(x, self._all(mu, xp), t, xp)

    def _formulation(self, mu):
        return self.system._formulation(self._all(self.parameter_values(mu), np))

    def _initial_at(self, mu, seed):
        return self.system._initial_at(self._all(mu, np), seed)

    def _sampler(self) -> Sampler | None:
        """The system's own states, and such along flows under constant inputs."""
        own = self.system.sampler
        if own is None or self.is_black_box:  # whose flows may be dear
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
