"""Small systems lifted to many states.

Their encoder, latent dynamics and decoder are known exactly.
"""

# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

import abc
from typing import Any, ClassVar, final

from systems.arrays import as_floating
from systems.errors import SystemsValueError
from systems.integrators import Formulation
from systems.system import System

__all__ = ["LiftedSystem", "superpose"]


class LiftedSystem(System):
    """Base of systems with states ``x = decode(z)`` and dz/dt known.

    The states lie on a manifold of few latent coordinates z.

    A reduced-order model can be compared with the known encoder, latent dynamics and decoder. f is the chain rule at
    ``z = encode(x)``, so it is tangent to the manifold. `simulate` integrates z, not x. A subclass defines `latent_dim`,
    ``_encode``, ``_decode``, ``_push`` (the derivative of ``_decode``) and ``_latent_rhs``.

    Examples
    --------
    >>> import numpy as np
    >>> import systems
    >>> lifted = systems.LiftedLinear(n=16)
    >>> z = np.array([1.0, 0.0, 0.0])
    >>> np.allclose(lifted.encode(lifted.decode(z)), z)
    True
    """

    dims: ClassVar[tuple[str, ...]] = ("state_index",)

    @property
    @abc.abstractmethod
    def latent_dim(self) -> int:
        """Number of latent coordinates."""

    @abc.abstractmethod
    def _encode(self, x: Any, xp: Any) -> Any:
        """Return latent coordinates (..., d) of states (..., n)."""

    @abc.abstractmethod
    def _decode(self, z: Any, xp: Any) -> Any:
        """Return states (..., n) at latent coordinates (..., d)."""

    @abc.abstractmethod
    def _push(self, z: Any, dz: Any, xp: Any) -> Any:
        """Return the derivative of ``_decode`` at z, applied to dz (..., d)."""

    @abc.abstractmethod
    def _latent_rhs(self, z: Any, mu: Any, t: Any, xp: Any) -> Any:
        """Return dz/dt (..., d), in the functions of the namespace `xp`."""

    @final
    def encode(self, x: Any) -> Any:
        """Return the latent coordinates of states.

        Parameters
        ----------
        x : array or xarray.DataArray
            States (..., n).

        Returns
        -------
        array
            Latent coordinates (..., d), with the namespace, dtype and device of `x`; a NumPy array for a DataArray, because
            latent coordinates have no labels.

        Raises
        ------
        SystemsTypeError, SystemsValueError
            If `x` is not an array of real floating-point numbers of that shape.

        Examples
        --------
        >>> import systems
        >>> lifted = systems.LiftedDuffing(n=16)
        >>> lifted.encode(lifted.sample_initial(5)).shape
        (5, 2)
        """
        x, xp = as_floating(getattr(x, "values", x) if hasattr(x, "dims") else x, "x")
        _check_last(x, self.shape[0], "x", self.name)
        return self._encode(x, xp)

    @final
    def decode(self, z: Any) -> Any:
        """Return the states at latent coordinates.

        Parameters
        ----------
        z : array
            Latent coordinates (..., d).

        Returns
        -------
        array
            States (..., n), with the namespace, dtype and device of `z`.

        Raises
        ------
        SystemsTypeError, SystemsValueError
            If `z` is not an array of real floating-point numbers of that shape.

        Examples
        --------
        >>> import numpy as np
        >>> import systems
        >>> systems.LiftedDuffing(n=16).decode(np.ones((5, 2))).shape
        (5, 16)
        """
        z, xp = as_floating(z, "z")
        _check_last(z, self.latent_dim, "z", self.name)
        return self._decode(z, xp)

    @final
    def latent_rhs(self, z: Any, mu: Any = None, t: Any = 0.0) -> Any:
        """Return dz/dt at latent coordinates.

        Parameters
        ----------
        z : array
            Latent coordinates (..., d).
        mu : array_like, mapping or None
            Parameters, as for ``rhs``.
        t : float, default 0.0
            The time.

        Returns
        -------
        array
            dz/dt (..., d), with the namespace, dtype and device of `z`.

        Raises
        ------
        SystemsTypeError, SystemsValueError
            If `z` or `mu` cannot be used.

        Examples
        --------
        >>> import numpy as np
        >>> import systems
        >>> systems.LiftedDuffing().latent_rhs(np.array([1.0, 0.5]))
        array([0.5, 0. ])
        """
        z, xp = as_floating(z, "z")
        _check_last(z, self.latent_dim, "z", self.name)
        return self._latent_rhs(z, self._parameter_array(mu, z, xp), t, xp)

    def _rhs(self, x, mu, t, xp):
        z = self._encode(x, xp)
        return self._push(z, self._latent_rhs(z, mu, t, xp), xp)

    def _formulation(self, mu):
        return Formulation(forward=self.encode, backward=self.decode, rhs=lambda t, z: self.latent_rhs(z, mu, t))


def _check_last(array: Any, size: int, name: str, system: str) -> None:
    """Raise an error unless the last axis of an array has the given size."""
    if array.ndim == 0 or array.shape[-1] != size:
        raise SystemsValueError(f"{name} must have shape (..., {size}) for {system}, got {tuple(array.shape)}")


def superpose(weights: Any, rows: Any) -> Any:
    """Return ``weights (..., d) @ rows (d, n)``, computed term by term.

    Matrix products may round differently in other batches.
    """
    return sum(weights[..., j : j + 1] * rows[j, :] for j in range(rows.shape[0]))
