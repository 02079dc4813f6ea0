"""What a system is: dx/dt = f(x; mu, t) with labels, parameters, initial states."""

from __future__ import annotations

import math
from typing import Any, final

import numpy as np
import xarray as xr

from systems.arrays import as_floating
from systems.checks import checked_times, require_integer, require_seed
from systems.definition import SystemDefinition
from systems.errors import SystemsValueError
from systems.input_signals import random_signals
from systems.parameter import parameter_array
from systems.sampling import Sampler, child_seed
from systems.verification import verify

__all__ = ["System"]


class System(SystemDefinition):
    """Known dynamics dx/dt = f(x; mu, t).

    A new system is a frozen dataclass that defines `name`, `dims`, `shape`, ``_rhs``, and ``_initial`` or
    ``_initial_at``. It may override the other underscored methods, properties and attributes. The public
    methods are final.

    Attributes
    ----------
    citation : str
        Where the equations come from.
    is_black_box : bool
        Whether only values of f are known, and only from NumPy arrays.
    samples_parameters : bool
        Whether trajectories differ by their parameters: `simulate` and `collocate` then sample these unless they are
        given.
    takes_time : bool
        Whether f may depend on t. `depends_on_time` asks f itself.
    period : float or None
        The period of f in t, if it depends on t periodically.
    default_method : str or None
        The solver that `simulate` uses unless another one is given; None for the usual choice.
    default_n_trajectories : int
        The number of trajectories that `simulate` makes unless a number is given.

    See Also
    --------
    from_rhs : A system from a function.
    PeriodicSystem : The base of systems whose linear part is diagonal in Fourier modes.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> import systems
    >>> @dataclass(frozen=True)
    ... class Decay(systems.System):
    ...     rate: float = 1.0
    ...     name = "Decay"
    ...     dims = ("i",)
    ...     shape = (4,)
    ...     def _rhs(self, x, mu, t, xp):
    ...         return -self.rate * x
    ...     def _initial(self, n, seed):
    ...         return np.random.default_rng(seed).random((n, 4))
    >>> Decay().rhs(np.ones(4))
    array([-1., -1., -1., -1.])
    """

    @property
    @final
    def n_states(self) -> int:
        """Number of entries of a state."""
        return math.prod(self.shape)

    @property
    @final
    def sampler(self) -> Sampler | None:
        """Default sampler of collocation states, or None.

        There is none for a black box without a sampler.
        """
        return self._sampler()

    @final
    def rhs(self, x: Any, mu: Any = None, t: Any = 0.0) -> Any:
        """Return f(x; mu, t), the time derivative at each state.

        For small grid spacings use float64: differences of neighbours in float32 lose most of their digits.

        Parameters
        ----------
        x : array or xarray.DataArray
            States ``(..., *shape)`` of real floating-point numbers: NumPy, torch, or another standard array.
        mu : array_like, mapping or None
            Parameters (..., p), whose leading axes broadcast against those of `x`; or numbers or arrays by name, where
            missing ones take their defaults; None for the defaults.
        t : float, default 0.0
            The time.

        Returns
        -------
        array or xarray.DataArray
            The derivatives, with the kind, dtype and device of `x` and the leading axes of both.

        Raises
        ------
        SystemsTypeError
            If `x` is not an array of real floating-point numbers, or `mu` does not hold numbers.
        SystemsValueError
            If `x` or `mu` has the wrong shape, or a parameter is unknown.

        Examples
        --------
        >>> import numpy as np
        >>> import systems
        >>> systems.Lorenz().rhs(np.array([1.0, 2.0, 3.0]), {"rho": 30.0})
        array([10., 25., -6.])
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
        """Return a uniform sample of the parameters in their ranges.

        Parameters
        ----------
        n : int
            The number of samples.
        seed : int, default 0
            The seed. The i-th sample depends on (seed, i) alone.

        Returns
        -------
        numpy.ndarray
            Parameters (n, p), in their units.

        Raises
        ------
        SystemsTypeError, SystemsValueError
            If `n` or `seed` is not a valid integer.

        Examples
        --------
        >>> import systems
        >>> systems.Lorenz().sample_parameters(5).shape
        (5, 3)
        """
        low, high = (np.array([getattr(p, end) for p in self.parameters], dtype=float) for end in ("low", "high"))
        rng = np.random.default_rng(child_seed(require_seed(seed), 7))
        return low + (high - low) * rng.random((require_integer("n", n, low=1), len(low)))

    @final
    def sample_initial(self, n: int, seed: int = 0, mu: Any = None) -> xr.DataArray:
        """Return random initial states.

        Parameters
        ----------
        n : int
            The number of states.
        seed : int, default 0
            The seed. The i-th state depends on (seed, i) and its parameters alone.
        mu : array_like, mapping or None
            Parameters (n, p) or (p,), or a mapping of names, for systems whose initial states depend on them. None means
            the defaults, or ``sample_parameters(n, seed)`` if `samples_parameters`.

        Returns
        -------
        xarray.DataArray
            States with dimensions ``(trajectory, *dims)`` and their coordinates.

        Raises
        ------
        SystemsTypeError
            If an argument is of the wrong type.
        SystemsValueError
            If an argument has a wrong value or shape, or initial states at the parameters are not finite.

        Examples
        --------
        >>> import systems
        >>> systems.Burgers(n=64).sample_initial(3, seed=1).dims
        ('trajectory', 'x')
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
                f"initial states of {self._called} are not finite ({named}): its trajectories diverge at these parameters"
            )
        return xr.DataArray(
            states, dims=("trajectory", *self.dims), name="state",
            coords={"trajectory": np.arange(n), **self._labelled_coords()},
        )  # fmt: skip

    @final
    def batches(self, x: np.ndarray) -> bool:
        """Return whether f takes several states at once.

        Parameters
        ----------
        x : numpy.ndarray
            States ``(batch, *shape)``, at which a black box is tried.

        Returns
        -------
        bool
            False if f must be called for each state.

        Raises
        ------
        EvaluationError
            If f of a black box fails.

        Examples
        --------
        >>> import numpy as np
        >>> import systems
        >>> systems.Lorenz().batches(np.ones((2, 3)))
        True
        """
        return self._batches(x)

    @final
    def depends_on_time(self, x: np.ndarray, times: np.ndarray) -> bool:
        """Return whether f depends on t.

        This is declared by a `period`, or found from values of f.

        Parameters are sampled from their ranges, because inputs may switch off what depends on time at their defaults.

        Parameters
        ----------
        x : numpy.ndarray
            States ``(n, *shape)`` at which f is compared.
        times : numpy.ndarray
            Times (time,) at which f is compared.

        Returns
        -------
        bool
            Whether f depends on t.

        Raises
        ------
        EvaluationError
            If f of a black box fails.

        Examples
        --------
        >>> import numpy as np
        >>> import systems
        >>> systems.Lorenz().depends_on_time(np.ones((2, 3)), np.array([0.0, 1.0]))
        False
        """
        if not self.takes_time or self.period is not None:
            return self.takes_time
        mu = self.sample_parameters(len(x), 0) if self.parameters else None
        first, *others = (self.rhs(x, mu, time) for time in times)
        return not all(np.allclose(first, other, rtol=1e-9, atol=0.0, equal_nan=True) for other in others)

    @final
    def sample_inputs(self, n: int, t: Any, seed: int = 0) -> xr.DataArray:
        """Return random signals of the inputs within their ranges.

        They are levels that change at random times.

        Parameters
        ----------
        n : int
            The number of trajectories.
        t : array_like
            Times (time,), strictly increasing.
        seed : int, default 0
            The seed. The i-th signal depends on (seed, i) and `t` alone.

        Returns
        -------
        xarray.DataArray
            Signals (trajectory, time, input), as by `signals`. Those of even trajectories change linearly from level to
            level, those of odd ones jump.

        Raises
        ------
        SystemsTypeError
            If an argument is of the wrong type.
        SystemsValueError
            If the system has no inputs, or an input has no range.

        Examples
        --------
        >>> import systems
        >>> nerve = systems.driven(systems.FitzHughNagumo(n=32), "current")
        >>> nerve.sample_inputs(4, [0.0, 1.0, 2.0]).shape
        (4, 3, 1)
        """
        if not self.inputs:
            raise SystemsValueError(
                f"{self._called} has no inputs; systems.driven makes inputs of some of its parameters"
            )
        bounds = {p.name: (p.low, p.high) for p in self.parameters}
        for name in self.inputs:
            if bounds[name][0] == bounds[name][1]:
                raise SystemsValueError(
                    f"the input {name!r} of {self._called} has no range to be drawn from: declare it as "
                    "(default, low, high), or give inputs=..."
                )
        low, high = zip(*(bounds[name] for name in self.inputs), strict=True)
        t = checked_times("t", t)
        args = require_integer("n", n, low=1), t, self._dwell(t), child_seed(require_seed(seed), 8)
        return random_signals(self.inputs, low, high, *args).labelled()

    @final
    def verify(self, seed: int = 0) -> None:
        """Check the contract of a system on a few initial states.

        Run it on a system of your own.

        It checks shapes, dtypes (float64, and float32 unless a black box), finite values, and batches against single
        states. If torch is installed and the system is not a black box, torch must give the same values and keep the dtype.

        Parameters
        ----------
        seed : int, default 0
            The seed of the initial states.

        Raises
        ------
        EvaluationError
            If the system breaks the contract; the message says how.

        Examples
        --------
        >>> import systems
        >>> systems.Lorenz().verify()
        """
        verify(self, seed)

    @final
    def parameter_values(self, mu: Any = None) -> np.ndarray:
        """Return parameters as an array.

        Parameters
        ----------
        mu : array_like, mapping or None
            Parameters in any form that `rhs` takes.

        Returns
        -------
        numpy.ndarray
            Parameters (..., p) in float64.

        Raises
        ------
        SystemsTypeError, SystemsValueError
            If `mu` does not hold numbers, has the wrong shape, or names an unknown parameter.

        Examples
        --------
        >>> import systems
        >>> systems.Rossler().parameter_values({"c": 6.0})
        array([0.2, 0.2, 6. ])
        """
        return np.asarray(self._parameter_array(mu, np.zeros(0), np), dtype=float)

    def _parameter_array(self, mu: Any, x: Any, xp: Any) -> Any:
        """Return parameters (..., p) with the namespace, dtype and device of `x`."""
        return parameter_array(mu, self.parameters, x, xp, self._called)
