"""Problems of the benchmark: training data, test data and the system that made them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

import systems

TRAIN, TEST, POINTS = 6000, 7000, 8000  # first seeds of training trajectories, test trajectories, collocation points


@dataclass(frozen=True)
class Problem:
    """What every method is given, and what it is tested on. Methods must not use the tests.

    times: (T,) of the training trajectories; trajectories: (N, T, n); collocation: states and their time derivatives,
    (M, n) each, or None; test: by name, times (T',) and states (K, T', n).
    horizons: numbers of test times over which errors are averaged, besides all of them.
    parameters: (N, p) of the trajectories, and test_parameters (K, p) of each test, where the problem has some.
    """

    name: str
    system: systems.System
    times: np.ndarray
    trajectories: np.ndarray
    collocation: tuple[np.ndarray, np.ndarray] | None
    test: dict[str, tuple[np.ndarray, np.ndarray]]
    horizons: tuple[int, ...] = ()
    parameters: np.ndarray | None = None
    test_parameters: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def scale(self) -> dict[str, float]:
        """The variance of the test states over all times."""
        return {name: float(states.var()) for name, (_, states) in self.test.items()}
