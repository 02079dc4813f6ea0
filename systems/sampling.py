"""Samplers of states.

They are small frozen objects, called as ``sampler(n, seed)``, that return float64 arrays ``(n, *shape)``.

The i-th state depends on (seed, i) alone, so ``sampler(10, seed)`` equals ``sampler(100, seed)[:10]`` bit for bit. The
exception is LatinHypercube, where it depends on (seed, n, i). The number of workers never matters.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import qmc

from systems.checks import require_integer, require_seed
from systems.errors import SystemsValueError

__all__ = ["Box", "Gaussian", "LatinHypercube", "Mixture", "Sampler", "Sobol", "assignment", "child_seed"]

# A sampler is called as sampler(n, seed) and returns states (n, *shape).
Sampler = Callable[[int, int], np.ndarray]


def child_seed(seed: int, *key: int) -> int:
    """Return a seed that is independent of `seed` and of the seeds for other keys."""
    return int(np.random.SeedSequence(seed, spawn_key=key).generate_state(1, np.uint64)[0])


def _bounds(low: Any, high: Any, names: tuple[str, str] = ("low", "high")) -> tuple[np.ndarray, np.ndarray]:
    """Return two finite arrays of the same shape.

    The error for other arrays names them.
    """
    try:
        low, high = np.broadcast_arrays(np.asarray(low, dtype=float), np.asarray(high, dtype=float))
    except (TypeError, ValueError) as error:
        raise SystemsValueError(f"{names[0]} and {names[1]} must be arrays of numbers of one shape: {error}") from error
    for name, value in zip(names, (low, high), strict=True):
        if not np.isfinite(value).all():
            raise SystemsValueError(f"{name} must be finite, got {value}")
    if low.ndim == 0:
        raise SystemsValueError(f"{names[0]} and {names[1]} must have the shape of a state, got two numbers")
    return np.array(low), np.array(high)


@dataclass(frozen=True, eq=False)
class _Bounded:
    """Bounds of a box: arrays of the shape of a state; one of them may be a number."""

    low: Any
    high: Any

    def __post_init__(self):
        low, high = _bounds(self.low, self.high)
        if not (low < high).all():
            at = tuple(int(i) for i in np.argwhere(~(low < high))[0])
            raise SystemsValueError(f"low must be below high, but low{list(at)} = {low[at]}, high = {high[at]}")
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)

    def _scale(self, unit: np.ndarray) -> np.ndarray:
        """Return states in the box from points (n, size) in the unit cube."""
        return self.low + (self.high - self.low) * unit.reshape(-1, *self.low.shape)


@dataclass(frozen=True, eq=False)
class Box(_Bounded):
    """Independent uniform states in the box ``low <= x < high``.

    Parameters
    ----------
    low, high : array_like
        Bounds of the shape of a state; one of them may be a number.

    Raises
    ------
    SystemsValueError
        Unless the bounds are finite arrays of one shape with ``low < high``.

    Examples
    --------
    >>> import systems
    >>> box = systems.Box(low=(-1.0, 0.0), high=(1.0, 2.0))
    >>> states = box(100, seed=0)
    >>> states.shape, bool((states[:10] == box(10, seed=0)).all())
    ((100, 2), True)
    """

    def __call__(self, n: int, seed: int) -> np.ndarray:
        """Return n states ``(n, *shape)``."""
        rng = np.random.default_rng(require_seed(seed))
        return self._scale(rng.random((require_integer("n", n, low=1), self.low.size)))


@dataclass(frozen=True, eq=False)
class Sobol(_Bounded):
    """Scrambled Sobol points in the box ``low <= x < high``.

    They fill the box more evenly than random states.

    Parameters
    ----------
    low, high : array_like
        Bounds of the shape of a state with at most 21,201 entries; one of them may be a number.

    Raises
    ------
    SystemsValueError
        Unless the bounds are finite arrays of one shape with ``low < high``, or if they have too many entries.

    References
    ----------
    `scipy.stats.qmc.Sobol`.

    Examples
    --------
    >>> import systems
    >>> systems.Sobol(low=(-1.0, 0.0), high=(1.0, 2.0))(100, seed=0).shape
    (100, 2)
    """

    def __post_init__(self):
        super().__post_init__()
        if self.low.size > qmc.Sobol.MAXDIM:
            raise SystemsValueError(
                f"low and high have {self.low.size:,} numbers, but Sobol points exist for {qmc.Sobol.MAXDIM:,} at most; "
                "use LatinHypercube or Box"
            )

    def __call__(self, n: int, seed: int) -> np.ndarray:
        """Return n states ``(n, *shape)``."""
        rng = np.random.default_rng(require_seed(seed))
        # SciPy 1.15 renamed `seed` to `rng` and still takes both.
        engine = qmc.Sobol(self.low.size, scramble=True, seed=rng)  # pyright: ignore[reportCallIssue]
        # Only sets of a power of two are balanced; the first n points are the same in all sets.
        return self._scale(engine.random_base2(math.ceil(math.log2(require_integer("n", n, low=1))))[:n])


@dataclass(frozen=True, eq=False)
class LatinHypercube(_Bounded):
    """Latin hypercube in the box ``low <= x < high``.

    In each coordinate there is one state in each n-th of the range.

    The i-th state depends on (seed, n, i).

    Parameters
    ----------
    low, high : array_like
        Bounds of the shape of a state; one of them may be a number.

    Raises
    ------
    SystemsValueError
        Unless the bounds are finite arrays of one shape with ``low < high``.

    References
    ----------
    `scipy.stats.qmc.LatinHypercube`.

    Examples
    --------
    >>> import numpy as np
    >>> import systems
    >>> states = systems.LatinHypercube(low=(0.0, 0.0), high=(10.0, 10.0))(10, seed=0)
    >>> np.sort(states[:, 0].astype(int))
    array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    """

    def __call__(self, n: int, seed: int) -> np.ndarray:
        """Return n states ``(n, *shape)``."""
        rng = np.random.default_rng(require_seed(seed))
        engine = qmc.LatinHypercube(self.low.size, seed=rng)  # pyright: ignore[reportCallIssue]
        return self._scale(engine.random(require_integer("n", n, low=1)))


@dataclass(frozen=True, eq=False)
class Gaussian:
    """Independent normal states.

    Parameters
    ----------
    mean, std : array_like
        Mean and standard deviation of the shape of a state; one of them may be a number.

    Raises
    ------
    SystemsValueError
        Unless `mean` and `std` are finite arrays of one shape, and `std` is not negative.

    Examples
    --------
    >>> import systems
    >>> systems.Gaussian(mean=(0.0, 25.0), std=(8.0, 8.0))(100, seed=0).shape
    (100, 2)
    """

    mean: Any
    std: Any

    def __post_init__(self):
        mean, std = _bounds(self.mean, self.std, ("mean", "std"))
        if (std < 0).any():
            raise SystemsValueError(f"std must not be negative, got {std.min()}")
        object.__setattr__(self, "mean", mean)
        object.__setattr__(self, "std", std)

    def __call__(self, n: int, seed: int) -> np.ndarray:
        """Return n states ``(n, *shape)``."""
        rng = np.random.default_rng(require_seed(seed))
        return self.mean + self.std * rng.standard_normal((require_integer("n", n, low=1), *self.mean.shape))


def assignment(n: int, weights: Sequence[float]) -> np.ndarray:
    """Return which part each of n points belongs to, (n,), without chance.

    Shares are as even as they can be for every n.
    """
    total = sum(weights)
    # The part that lacks most of its share takes the next point (the first of equals).
    owed, index = [0.0] * len(weights), []
    for _ in range(n):
        owed = [round(o + w / total, 9) for o, w in zip(owed, weights, strict=True)]
        index.append(max(range(len(owed)), key=owed.__getitem__))
        owed[index[-1]] -= 1.0
    return np.array(index)


@dataclass(frozen=True)
class Mixture:
    """Points of several samplers, interleaved in fixed proportions.

    Parameters
    ----------
    samplers : sequence of callable
        The samplers.
    weights : sequence of float, optional
        The share of each sampler. By default all are equal.

    Raises
    ------
    SystemsValueError
        If there are no samplers, or the weights are not as many, finite, not negative, and not all zero.

    Examples
    --------
    >>> import systems
    >>> lorenz = systems.Lorenz()
    >>> box = systems.Box(low=(-25.0, -30.0, 0.0), high=(25.0, 30.0, 55.0))
    >>> mixture = systems.Mixture((systems.InitialStates(lorenz), box), weights=(0.25, 0.75))
    >>> mixture(100, seed=0).shape
    (100, 3)
    """

    samplers: Sequence[Sampler]
    weights: Sequence[float] | None = None

    def __post_init__(self):
        object.__setattr__(self, "samplers", tuple(self.samplers))
        if not self.samplers:
            raise SystemsValueError("samplers must not be empty")
        weights = (1.0,) * len(self.samplers) if self.weights is None else tuple(map(float, self.weights))
        if len(weights) != len(self.samplers):
            raise SystemsValueError(f"{len(self.samplers)} samplers need as many weights, got {len(weights)}")
        if not all(math.isfinite(w) and w >= 0 for w in weights) or sum(weights) == 0:
            raise SystemsValueError(f"weights must be finite, not negative, and not all zero, got {weights}")
        object.__setattr__(self, "weights", weights)

    def __call__(self, n: int, seed: int) -> np.ndarray:
        """Return n states ``(n, *shape)``."""
        assert self.weights is not None
        index = assignment(require_integer("n", n, low=1), self.weights)
        states: np.ndarray | None = None
        for k, sampler in enumerate(self.samplers):
            here = np.flatnonzero(index == k)
            if here.size:
                part = sampler(here.size, child_seed(require_seed(seed), k))
                states = np.empty((n, *part.shape[1:])) if states is None else states
                states[here] = part
        assert states is not None
        return states
