"""Samplers of states that use a system or its trajectories.

The collocation points of a reduced-order model must cover the states that trajectories reach, not only those at which
they start.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from systems.checks import require_integer, require_number, require_seed
from systems.errors import EvaluationError, SystemsTypeError, SystemsValueError
from systems.integrators import IntegrationFailure, integrate
from systems.sampling import Sampler, assignment, child_seed

__all__ = ["InitialStates", "Lifted", "NearTrajectories", "ShortFlows"]

# Flows are integrated this many at a time, always in whole blocks. The flows of a block share the solver's steps, and a
# state must not depend on how many states are asked for.
FLOWS_PER_BLOCK = 32
# Bytes of a trajectory that are read from a file together.
READ_TOGETHER = 2**26


@dataclass(frozen=True)
class InitialStates:
    """The initial states of a system, those of ``system.sample_initial``.

    Parameters
    ----------
    system : System
        The system.

    Examples
    --------
    >>> import systems
    >>> systems.InitialStates(systems.Burgers(n=64))(5, seed=0).shape
    (5, 64)
    """

    system: Any

    def __call__(self, n: int, seed: int) -> np.ndarray:
        """Return n states ``(n, *shape)``."""
        return np.asarray(
            self.system.sample_initial(require_integer("n", n, low=1), require_seed(seed)).values, dtype=float
        )


@dataclass(frozen=True)
class Lifted:
    """States sampled in latent coordinates: ``system.decode(latent(n, seed))``.

    Parameters
    ----------
    system : LiftedSystem
        A system with a method ``decode``.
    latent : callable
        A sampler of latent coordinates.

    Raises
    ------
    SystemsTypeError
        If the system has no method ``decode``.

    Examples
    --------
    >>> import systems
    >>> latent = systems.Box(low=(-1.0, -1.0), high=(1.0, 1.0))
    >>> systems.Lifted(systems.LiftedDuffing(n=64), latent)(5, seed=0).shape
    (5, 64)
    """

    system: Any
    latent: Sampler

    def __post_init__(self):
        if not hasattr(self.system, "decode"):
            raise SystemsTypeError(
                f"Lifted needs a system with decode(z), such as LiftedDuffing; {self.system!r} has none"
            )

    def __call__(self, n: int, seed: int) -> np.ndarray:
        """Return n states ``(n, *shape)``."""
        return np.asarray(self.system.decode(self.latent(n, seed)))


@dataclass(frozen=True)
class ShortFlows:
    """States along trajectories that start at initial states.

    Point i lies on flow ``i // points_per_flow``. Its time is ``duration * s**spacing``, where s lies in the
    ``i % points_per_flow``-th of that many equal parts of [0, 1]. Its place in that part is drawn once for each block of 32
    flows, which are integrated together and so share their times.

    Parameters
    ----------
    system : System
        The system. It is integrated as by `simulate`, at its default parameters, or at sampled ones if it has
        ``samples_parameters``.
    initial : callable, optional
        The sampler of the states at which flows start. By default the initial states of the system.
    duration : float, optional
        The length of the flows in the system's units of time. By default the span of its default times.
    points_per_flow : int, default 4
        The number of points of each flow.
    spacing : float, default 1.0
        Values above 1 put more points at early times, for systems whose late states are all alike.
    rtol : float, default 1e-4
        The relative tolerance of the integration. It may be loose: f is evaluated at the states that are reached, so an
        error moves a point and does not make its derivative wrong.

    Raises
    ------
    SystemsTypeError, SystemsValueError
        If an argument cannot be used.
    EvaluationError
        When it is called, if a flow cannot be integrated.

    Examples
    --------
    >>> import systems
    >>> flows = systems.ShortFlows(systems.VanDerPol(), duration=1.0)
    >>> flows(20, seed=0).shape
    (20, 2)
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
        """Return n states ``(n, *shape)``."""
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
        """Return the length of the flows."""
        if self.duration is not None:
            return self.duration
        times = self.system.default_times
        return float(times[-1] - times[0])

    def _flow(self, x0: np.ndarray, mu: np.ndarray | None, t: np.ndarray) -> np.ndarray:
        """Return states ``(flow, time, *shape)`` of flows from `x0` at the times `t`."""
        # A block at a time, or one flow at a time if f takes no batches.
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
    """States of given trajectories: a share as they are, the others perturbed.

    A perturbed state is ``x + noise * g * (x_a - x_b) / sqrt(2)``, with g standard normal and x_a, x_b two other states drawn
    at random. The perturbations have the covariance of the data, and keep fields as smooth as the data are. Independent noise
    in each entry would make derivatives of a field meaningless.

    Parameters
    ----------
    trajectories : xarray.Dataset or list of xarray.Dataset
        ``state`` with dimensions ``(trajectory, time, *shape)``. Data on disk are read one trajectory at a time, or 64 MB of
        it, each at most once.
    noise : float, default 0.03
        The size of the perturbations, as a fraction of the spread of the data.
    exact : float, default 0.5
        The share of states without perturbation. They are spread evenly over the points.

    Raises
    ------
    SystemsTypeError, SystemsValueError
        If an argument cannot be used.

    Examples
    --------
    >>> import systems
    >>> runs = systems.simulate(systems.Lorenz(), 3, [0.0, 0.1, 0.2])
    >>> systems.NearTrajectories(runs, noise=0.1)(50, seed=0).shape
    (50, 3)
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
        """Return n states ``(n, *shape)``."""
        uniform = np.random.default_rng(child_seed(require_seed(seed), 0)).random((require_integer("n", n, low=1), 3))
        strength = self.noise / math.sqrt(2) * np.random.default_rng(child_seed(seed, 1)).standard_normal(n)
        strength[assignment(n, (self.exact, 1 - self.exact)) == 0] = 0.0
        sizes = [one.sizes["trajectory"] * one.sizes["time"] for one in self.trajectories]
        chosen = np.minimum((uniform * sum(sizes)).astype(np.int64), sum(sizes) - 1)
        perturbed = strength != 0
        # All states at once, so that each trajectory is read once.
        count = int(perturbed.sum())
        states = self._read(np.concatenate([chosen[:, 0], *chosen[perturbed, 1:].T]), sizes)
        states, first, second = states[:n], states[n : n + count], states[n + count :]
        first -= second
        first *= strength[perturbed].reshape(-1, *[1] * (states.ndim - 1))
        states[perturbed] += first
        return states.copy()  # frees the memory of the other states

    def _read(self, chosen: np.ndarray, sizes: list[int]) -> np.ndarray:
        """Return the states with the numbers `chosen`.

        They are counted through all sets, trajectories and times.
        """
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
