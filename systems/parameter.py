"""Named parameters of systems, and their values as f takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from systems.arrays import as_array_like, like
from systems.checks import require_number
from systems.errors import SystemsValueError, nearest

__all__ = ["Parameter", "parameter_array"]


@dataclass(frozen=True)
class Parameter:
    """A named parameter with its default and the range of its samples.

    Parameters
    ----------
    name : str
        A Python identifier.
    default : float
        The value that is used unless another one is given.
    low, high : float
        The range of samples, which holds the default.
    units : str, default ""
        The units of the values.

    Raises
    ------
    SystemsTypeError
        If `default`, `low` or `high` is not a number.
    SystemsValueError
        If `name` is not an identifier, or unless ``low <= default <= high``, all finite.

    Examples
    --------
    >>> import systems
    >>> systems.Parameter("viscosity", 0.01, low=0.005, high=0.02, units="m2/s")
    Parameter(name='viscosity', default=0.01, low=0.005, high=0.02, units='m2/s')
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
        """Return a parameter whose usual range is widened to hold the default.

        Parameters
        ----------
        name : str
            A Python identifier.
        default : float
            The value that is used unless another one is given.
        low, high : float
            The usual range.

        Returns
        -------
        Parameter
            The parameter.

        Raises
        ------
        SystemsTypeError, SystemsValueError
            As by `Parameter`.

        Examples
        --------
        >>> import systems
        >>> systems.Parameter.around("forcing", 12.0, 4.0, 10.0).high
        12.0
        """
        return cls(name, default, min(low, default), max(high, default))


def parameter_array(mu: Any, parameters: Sequence[Parameter], x: Any, xp: Any, called: str) -> Any:
    """Return parameters (..., p) with the namespace, dtype and device of `x`.

    Parameters
    ----------
    mu : array_like, mapping, xarray.DataArray or None
        An array (..., p); numbers or arrays by name, where missing ones take their defaults; or None for the defaults.
    parameters : sequence of Parameter
        The parameters of the system.
    x : array
        The state whose namespace `xp`, dtype and device are taken.
    xp : module
        The array namespace.
    called : str
        The system in error messages.
    """
    if mu is None:
        return like(np.array([p.default for p in parameters], dtype=float), x, xp)
    names = [p.name for p in parameters]
    if isinstance(mu, xr.DataArray):
        mu = mu.values
    if isinstance(mu, Mapping):
        for key in mu:
            if key not in names:
                raise SystemsValueError(f"{called} has no parameter {key!r}; {nearest(key, names)}")
        values = [as_array_like(mu.get(p.name, p.default), x, xp, p.name) for p in parameters]
        if not values:
            return like(np.zeros(0), x, xp)
        return xp.stack(xp.broadcast_arrays(*values), axis=-1)
    mu = as_array_like(mu, x, xp, "mu")
    if mu.ndim == 0 or mu.shape[-1] != len(names):
        raise SystemsValueError(
            f"mu must have shape (..., {len(names)}) for the parameters {names} of {called}, got {tuple(mu.shape)}"
        )
    return mu
