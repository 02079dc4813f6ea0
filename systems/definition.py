"""What the author of a system defines: data, f, initial states, and more."""

from __future__ import annotations

import abc
import dataclasses
from typing import Any, ClassVar, Self

import numpy as np

from systems.flow_sampling import InitialStates, ShortFlows
from systems.integrators import Formulation
from systems.parameter import Parameter
from systems.sampling import Mixture, Sampler

__all__ = ["SystemDefinition"]


class SystemDefinition(abc.ABC):
    """The part of a `System` that its author defines.

    The attributes are explained there.

    A class attribute may take the place of a property that does not depend on the instance, such as ``name = "Lorenz"``.
    """

    citation: ClassVar[str] = ""
    is_black_box: ClassVar[bool] = False
    samples_parameters: ClassVar[bool] = False
    takes_time: ClassVar[bool] = True
    period: ClassVar[float | None] = None
    default_method: ClassVar[str | None] = None
    default_n_trajectories: ClassVar[int] = 64

    # What a system must define

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """Name of the system."""

    @property
    @abc.abstractmethod
    def dims(self) -> tuple[str, ...]:
        """Name of each dimension of a state."""

    @property
    @abc.abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Length of each dimension of a state."""

    @abc.abstractmethod
    def _rhs(self, x: Any, mu: Any, t: Any, xp: Any) -> Any:
        """Return f in the functions of the array-API namespace `xp` alone.

        Parameters
        ----------
        x : array
            Real states ``(..., *shape)``.
        mu : array
            Parameters (..., p), with the dtype and device of `x`.
        t : float
            The time.
        xp : module
            The array namespace.

        Returns
        -------
        array
            f with the shape and dtype of `x`.
        """

    def _initial(self, n: int, seed: int) -> np.ndarray:
        """Return n initial states ``(n, *shape)`` in float64.

        The i-th state depends on (seed, i) alone.
        """
        raise NotImplementedError(f"{type(self).__name__} must define _initial(n, seed) or _initial_at(mu, seed)")

    def _initial_at(self, mu: np.ndarray, seed: int) -> np.ndarray:
        """Return initial states ``(n, *shape)`` in float64 for parameters mu (n, p).

        The i-th state depends on (seed, i, mu[i]) alone.
        """
        return self._initial(len(mu), seed)

    # What a system may override

    @property
    def coords(self) -> dict[str, np.ndarray]:
        """Coordinate of each dimension, a 1-D array."""
        return {dim: np.arange(size) for dim, size in zip(self.dims, self.shape, strict=True)}

    @property
    def periods(self) -> dict[str, float]:
        """Period of states along those dimensions along which they repeat.

        Data hold it as the attribute ``period`` of the coordinate.
        """
        return {}

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Parameters of f, in the order of the last axis of mu."""
        return ()

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the parameters that change in time.

        `simulate` draws signals for them unless these are given.
        """
        return ()

    @property
    def time_scale(self) -> float:
        """A typical time of the system, in its units."""
        return 1.0

    @property
    def default_times(self) -> np.ndarray:
        """Times (time,) of trajectories unless others are given to `simulate`."""
        return np.linspace(0.0, 10.0 * self.time_scale, 101)

    def _sampler(self) -> Sampler | None:
        """Return the default sampler of collocation states.

        They are initial states, and states on short flows from them.
        """
        return Mixture((InitialStates(self), ShortFlows(self)))

    def _formulation(self, mu: np.ndarray | None) -> Formulation | None:  # noqa: ARG002
        """Return coordinates in which the system is easier to integrate.

        mu holds parameters (p,) or (batch, p).
        """
        return None

    def _batches(self, x: np.ndarray) -> bool:  # noqa: ARG002
        """Return whether f takes several states at once; x: ``(batch, *shape)``."""
        return True

    def _dwell(self, t: np.ndarray) -> float:  # noqa: ARG002
        """Return the typical time between changes of inputs at the times t."""
        return self.time_scale

    def _afresh(self) -> Self:
        """Return the same system without what it has found out while it was used."""
        return self

    # What the system is called in messages and data

    @property
    def _called(self) -> str:
        """The system in a sentence; its name alone may be that of a function."""
        return f"the system {self.name!r}"

    def _labelled_coords(self) -> dict[str, Any]:
        """Return the coordinates as xarray takes them, with units and periods."""
        # The built-in systems are dimensionless; the units of a user's function are not known here.
        attrs = {} if self.is_black_box else {"units": "1"}
        own = {dim: {"period": float(length)} for dim, length in self.periods.items()}
        return {dim: (dim, np.asarray(value), attrs | own.get(dim, {})) for dim, value in self.coords.items()}

    def _describe(self) -> dict[str, Any]:
        """Return what identifies the system in the provenance of data.

        It holds name, fields and parameters, ready for JSON.
        """
        fields = dataclasses.fields(self) if dataclasses.is_dataclass(self) else ()
        values = {field.name: getattr(self, field.name) for field in fields if field.init}
        plain = (str, int, float, bool, type(None))
        return {
            "system": self.name,
            "fields": {k: v if isinstance(v, plain) else repr(v) for k, v in values.items()},
            "defaults": {p.name: float(p.default) for p in self.parameters},
        }
