"""Samplers of states: small frozen objects, called as `sampler(n, seed)`, that return float64 arrays (n,
*shape).

The i-th state depends on (seed, i) alone, so sampler(10, seed) equals sampler(100, seed)[:10] bit for bit;
LatinHypercube is the exception, where it depends on (seed, n, i). The number of workers never matters.

Why many: the collocation points of a reduced-order model must cover where the flow goes, not only where it
starts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from scipy.stats import qmc

from systems.checks import require_integer, require_number, require_seed
from systems.errors import EvaluationError, SystemsTypeError, SystemsValueError
from systems.integrators import IntegrationFailure, integrate

Sampler = Callable[[int, int], np.ndarray]

# Flows are integrated this many at a time, always whole blocks: the steps of one block are shared, so a state
# must not depend on how many of its neighbours were asked for.
FLOWS_PER_BLOCK = 32
READ_TOGETHER = 2**26  # bytes of a trajectory that is read from a file


def child_seed(seed: int, *key: int) -> int:
    """A seed independent of `seed` and of other keys."""
    return int(np.random.SeedSequence(seed, spawn_key=key).generate_state(1, np.uint64)[0])


def _bounds(low: Any, high: Any, names: tuple[str, str] = ("low", "high")) -> tuple[np.ndarray, np.ndarray]:
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
    """Bounds of a box: arrays of the shape of a state (or one of them a number)."""

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
        return self.low + (self.high - self.low) * unit.reshape(-1, *self.low.shape)


@dataclass(frozen=True, eq=False)
class Box(_Bounded):
    """Independent uniform states in the box low <= x < high."""

    def __call__(self, n: int, seed: int) -> np.ndarray:
        rng = np.random.default_rng(require_seed(seed))
        return self._scale(rng.random((require_integer("n", n, low=1), self.low.size)))


@dataclass(frozen=True, eq=False)
class Sobol(_Bounded):
    """Scrambled Sobol points in the box low <= x < high (scipy.stats.qmc); at most 21,201 numbers a state."""

    def __post_init__(self):
        super().__post_init__()
        if self.low.size > qmc.Sobol.MAXDIM:
            raise SystemsValueError(
                f"low and high have {self.low.size:,} numbers, but Sobol points exist for {qmc.Sobol.MAXDIM:,} at most; "
                "use LatinHypercube or Box"
            )

    def __call__(self, n: int, seed: int) -> np.ndarray:
        rng = np.random.default_rng(require_seed(seed))
        # SciPy 1.15 renamed `seed` to `rng` and still takes both.
        engine = qmc.Sobol(self.low.size, scramble=True, seed=rng)  # pyright: ignore[reportCallIssue]
        # Whole powers of two are the balanced sets; the points before the n-th are the same.
        return self._scale(engine.random_base2(math.ceil(math.log2(require_integer("n", n, low=1))))[:n])


@dataclass(frozen=True, eq=False)
class LatinHypercube(_Bounded):
    """Latin hypercube in the box low <= x < high: in each coordinate one state per n-th of the range.

    The i-th state depends on (seed, n, i).
    """

    def __call__(self, n: int, seed: int) -> np.ndarray:
        rng = np.random.default_rng(require_seed(seed))
        engine = qmc.LatinHypercube(self.low.size, seed=rng)  # pyright: ignore[reportCallIssue]
        return self._scale(engine.random(require_integer("n", n, low=1)))


@dataclass(frozen=True, eq=False)
class Gaussian:
    """Independent normal states of the given mean and standard deviation (arrays of the shape of a state)."""

    mean: Any
    std: Any

    def __post_init__(self):
        mean, std = _bounds(self.mean, self.std, ("mean", "std"))
        if (std < 0).any():
            raise SystemsValueError(f"std must not be negative, got {std.min()}")
        object.__setattr__(self, "mean", mean)
        object.__setattr__(self, "std", std)

    def __call__(self, n: int, seed: int) -> np.ndarray:
        rng = np.random.default_rng(require_seed(seed))
        return self.mean + self.std * rng.standard_normal((require_integer("n", n, low=1), *self.mean.shape))


@dataclass(frozen=True)
class InitialStates:
    """The initial states of a system: those that `system.sample_initial` draws."""

    system: Any

    def __call__(self, n: int, seed: int) -> np.ndarray:
        return np.asarray(
            self.system.sample_initial(require_integer("n", n, low=1), require_seed(seed)).values, dtype=float
        )


@dataclass(frozen=True)
class Lifted:
    """States given in latent coordinates: system.decode(latent(n, seed)), for systems that are lifted."""

    system: Any
    latent: Sampler

    def __post_init__(self):
        if not hasattr(self.system, "decode"):
            raise SystemsTypeError(
                f"Lifted needs a system with decode(z), such as LiftedDuffing; {self.system!r} has none"
            )

    def __call__(self, n: int, seed: int) -> np.ndarray:
        return np.asarray(self.system.decode(self.latent(n, seed)))


@dataclass(frozen=True)
class ShortFlows:
    """States along flows of the system, from initial states to `duration` later.

    Point i lies on flow i // points_per_flow. Its time is duration * s^spacing, with s in the (i %
    points_per_flow)-th of that many equal parts of [0, 1], at an offset that is drawn once for each block of
    32 flows (they are integrated together, and so share their times). spacing > 1 puts more points at early
    times, for systems whose late states are all alike.

    system: System; it is integrated as `simulate` does, in its own formulation where it has one, at its default
    parameters, or at sampled ones where it `samples_parameters`.
    initial: sampler of the states at which flows start; the system's initial states by default.
    duration: in the system's time units; the span of its default times by default.
    rtol: relative tolerance of the integration. It may be loose, for f is evaluated at the states reached: an
    error moves a point, and does not make its derivative wrong.

    Raises EvaluationError if a flow cannot be integrated.
    """

    system: Any
    initial: Sampler | None = None
    duration: float | None = None
    points_per_flow: int = 4
    spacing: float = 1.0
    rtol: float = 1e-4

    def __post_init__(self):
        require_integer("points_per_flow", self.points_per_flow, low=1)
        if self.duration is not None:
            require_number("duration", self.duration, low=0.0, exclusive=True)
        require_number("spacing", self.spacing, low=0.0, exclusive=True)

    def __call__(self, n: int, seed: int) -> np.ndarray:
        n, m = require_integer("n", n, low=1), self.points_per_flow
        n_flows = FLOWS_PER_BLOCK * math.ceil(n / (m * FLOWS_PER_BLOCK))
        initial = self.initial or InitialStates(self.system)
        start_seed = child_seed(require_seed(seed), 0)
        x0 = np.asarray(initial(n_flows, start_seed), dtype=float)
        # The parameters with which `sample_initial` drew the states.
        mu = self.system.sample_parameters(n_flows, start_seed) if self.system.samples_parameters else None
        offsets = np.random.default_rng(child_seed(seed, 1)).random(n_flows // FLOWS_PER_BLOCK)
        states = np.empty((n_flows, m, *x0.shape[1:]))
        for block, offset in enumerate(offsets):
            flows = slice(block * FLOWS_PER_BLOCK, (block + 1) * FLOWS_PER_BLOCK)
            times = self._duration() * ((np.arange(m) + offset) / m) ** self.spacing
            of_flows = None if mu is None else mu[flows]
            states[flows] = self._flow(x0[flows], of_flows, np.concatenate([[0.0], times]))[:, 1:]
        return states.reshape(-1, *x0.shape[1:])[:n]

    def _duration(self) -> float:
        if self.duration is not None:
            return self.duration
        times = self.system.default_times
        return float(times[-1] - times[0])

    def _flow(self, x0: np.ndarray, mu: np.ndarray | None, t: np.ndarray) -> np.ndarray:
        # One at a time where f takes no batches.
        size = len(x0) if self.system.batches(x0) else 1
        parts = [slice(i, i + size) for i in range(0, len(x0), size)]
        try:
            return np.concatenate(
                [
                    integrate(
                        self.system, x0[part], t, None if mu is None else mu[part], rtol=self.rtol, atol=0.1 * self.rtol
                    )
                    for part in parts
                ]
            )
        except IntegrationFailure as failure:
            raise EvaluationError(
                f"a short flow could not be integrated: {failure}. Give ShortFlows a shorter duration, "
                "or initial states from which the flow exists"
            ) from failure


@dataclass(frozen=True, eq=False)
class NearTrajectories:
    """States of given trajectories, a share of them as they are, the others near them.

    A perturbed state is x + noise * g * (x_a - x_b) / sqrt(2), with g standard normal and x_a, x_b two
    further states drawn at random: it has the covariance of the data, and fields stay as smooth as the data
    are (independent noise in each number would make a derivative of such a field meaningless).

    trajectories: Dataset with `state` (trajectory, time, *shape), or a list of such; lazy ones are read one
    trajectory at a time, or 64 MB of one, each once at most.
    noise: size of the perturbations, as a fraction of the spread of the data.
    exact: share of states without perturbation; they are spread evenly over the points.
    """

    trajectories: Any
    noise: float = 0.03
    exact: float = 0.5

    def __post_init__(self):
        sets = self.trajectories
        sets = list(sets) if isinstance(sets, Sequence) else [sets]
        for one in sets:
            if not isinstance(one, xr.Dataset) or "state" not in one:
                raise SystemsTypeError("trajectories must be a Dataset with a variable `state`, or a list of them")
            if one["state"].dims[:2] != ("trajectory", "time"):
                raise SystemsValueError(
                    f"state must have dimensions (trajectory, time, ...), got {one['state'].dims}; "
                    "transpose it, or add the missing one by expand_dims"
                )
            if one["state"].size == 0:
                raise SystemsValueError(f"trajectories are empty: state has shape {one['state'].shape}")
        if not sets:
            raise SystemsValueError("trajectories must hold at least one Dataset, got an empty list")
        require_number("noise", self.noise, low=0.0)
        require_number("exact", self.exact, low=0.0, high=1.0)
        object.__setattr__(self, "trajectories", tuple(sets))

    def __call__(self, n: int, seed: int) -> np.ndarray:
        uniform = np.random.default_rng(child_seed(require_seed(seed), 0)).random((require_integer("n", n, low=1), 3))
        strength = self.noise / math.sqrt(2) * np.random.default_rng(child_seed(seed, 1)).standard_normal(n)
        strength[_assignment(n, (self.exact, 1 - self.exact)) == 0] = 0.0
        sizes = [one.sizes["trajectory"] * one.sizes["time"] for one in self.trajectories]
        chosen = np.minimum((uniform * sum(sizes)).astype(np.int64), sum(sizes) - 1)
        perturbed = strength != 0
        # All at once: each trajectory is then read once.
        count = int(perturbed.sum())
        states = self._read(np.concatenate([chosen[:, 0], *chosen[perturbed, 1:].T]), sizes)
        states, first, second = states[:n], states[n : n + count], states[n + count :]
        first -= second
        first *= strength[perturbed].reshape(-1, *[1] * (states.ndim - 1))
        states[perturbed] += first
        return states.copy()  # without the further ones

    def _read(self, chosen: np.ndarray, sizes: list[int]) -> np.ndarray:
        """The chosen states, numbered through all sets, trajectories and times."""
        states = np.empty((chosen.size, *self.trajectories[0]["state"].shape[2:]))
        offset = 0
        for one, size in zip(self.trajectories, sizes, strict=True):
            here = np.flatnonzero((chosen >= offset) & (chosen < offset + size))
            trajectory, time = np.divmod(chosen[here] - offset, one.sizes["time"])
            together = max(1, READ_TOGETHER // (8 * int(np.prod(states.shape[1:]))))
            for k, part in np.unique(np.stack([trajectory, time // together]), axis=1).T:
                of_this = (trajectory == k) & (time // together == part)
                first = int(part) * together
                values = one["state"][int(k), first : first + together].values
                states[here[of_this]] = values[time[of_this] - first]
            offset += size
        return states


def _assignment(n: int, weights: Sequence[float]) -> np.ndarray:
    """Which part each of n points belongs to: shares as even as can be at every n, without chance."""
    total = sum(weights)
    # What each part is owed; the one that is owed most takes the next point (the first of equals).
    owed, index = [0.0] * len(weights), []
    for _ in range(n):
        owed = [round(o + w / total, 9) for o, w in zip(owed, weights, strict=True)]
        index.append(max(range(len(owed)), key=owed.__getitem__))
        owed[index[-1]] -= 1.0
    return np.array(index)


@dataclass(frozen=True)
class Mixture:
    """Points of several samplers, interleaved in fixed proportion: equal shares, or the given weights."""

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
        assert self.weights is not None
        index = _assignment(require_integer("n", n, low=1), self.weights)
        states: np.ndarray | None = None
        for k, sampler in enumerate(self.samplers):
            here = np.flatnonzero(index == k)
            if here.size:
                part = sampler(here.size, child_seed(require_seed(seed), k))
                states = np.empty((n, *part.shape[1:])) if states is None else states
                states[here] = part
        assert states is not None
        return states
