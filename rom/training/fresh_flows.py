"""Data that follow the flow: fresh points and windows for a training that is under way.

Points drawn once leave gaps where trajectories go, and a network learns them by heart. Fresh ones along the true flow of
the system, from new initial states, close both. Points along the rollouts of the model itself were worse: decoded states
lie on the manifold of the decoder, right or wrong (measured in docs/benchmarks).
"""

from __future__ import annotations

import logging
import math
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

import systems
from rom.reduction.pod import Projection
from rom.training.batches import CollocationTable, Rollouts
from rom.utils.random import FitStream, random_stream

__all__ = ["FreshFlowSampler", "FreshFlows"]

log = logging.getLogger("rom")

FEWEST_FLOWS = 8  # integrated together at first: where f is dear, they are all that there is time for
FLOWS_AT_ONCE = 64
MOST_FLOWS = 1024  # of a renewal, however few points lie on each
RTOL = 1e-4  # of the flows: an error moves a point, and does not make its f wrong


@dataclass(frozen=True)
class FreshFlows:
    """Pieces of trajectories, and f at their states, in POD coordinates and scaled time, float64 on the CPU."""

    rollouts: Rollouts
    derivatives: torch.Tensor  # (T, N, r)

    @property
    def points(self) -> CollocationTable:
        """Collocation pairs at all states."""
        return CollocationTable.without_parameters(
            self.rollouts.coordinates.flatten(0, 1), self.derivatives.flatten(0, 1)
        )


@dataclass(frozen=True)
class FreshFlowSampler:
    """Draws fresh pieces of trajectories: `n_intervals` of length `step` each, from anywhere in the first `span` of flows.

    `count`: states per call. `step` and `span` are in the system's unit of time.
    """

    system: systems.System
    projection: Projection
    time_scale: float
    step: float
    n_intervals: int
    span: float
    count: int
    seed: int

    def draw(self, k: int, max_seconds: float, enough: int = MOST_FLOWS) -> FreshFlows | None:
        """The k-th pieces, which depend on the seed and k alone; None where there are none.

        Flows are drawn some at a time until there are `enough`, or `count` states, or the time is over.
        """
        deadline = time.monotonic() + max_seconds
        n_flows = min(MOST_FLOWS, -(-self.count // (self.n_intervals + 1)))
        enough = min(enough, n_flows)
        blocks: list[FreshFlows] = []
        for which, size in enumerate(block_sizes(n_flows)):
            if sum(len(block.rollouts) for block in blocks) >= enough or time.monotonic() >= deadline:
                break
            try:
                block = self.block(k, which, size, deadline)
            except systems.SystemsError as error:
                if not blocks:  # otherwise the time is over, and what there is counts
                    log.warning("no fresh points along flows: %s", error)
                break
            if len(block.rollouts) == 0:
                break
            blocks.append(block)
        if not blocks:
            return None
        # There may be more where some flows fail, or where the time had cut a block that is whole now.
        coordinates = torch.cat([b.rollouts.coordinates for b in blocks], dim=1)[:, :enough]
        derivatives = torch.cat([b.derivatives for b in blocks], dim=1)[:, :enough]
        return FreshFlows(Rollouts.without_parameters(blocks[0].rollouts.intervals, coordinates), derivatives)

    def block(self, k: int, which: int, n_flows: int, deadline: float) -> FreshFlows:
        """Some flows of the k-th renewal, projected while they are in the processor's cache."""
        states = self.flows(n_flows, random_stream(self.seed, FitStream.FRESH_FLOWS, k, which), deadline)
        rates = self.system.rhs(states)
        usable = np.isfinite(rates).reshape(len(rates), -1).all(axis=1)
        projection, scale = self.projection, self.time_scale
        x, f = (
            torch.from_numpy(v[usable].reshape(int(usable.sum()), self.n_intervals + 1, -1)) for v in (states, rates)
        )
        intervals = torch.full((self.n_intervals,), self.step / scale, dtype=torch.float64)
        rollouts = Rollouts.without_parameters(intervals, projection.project(x).transpose(0, 1).contiguous())
        return FreshFlows(rollouts, (projection.project_derivative(f) * scale).transpose(0, 1).contiguous())

    def flows(self, n_flows: int, rng: np.random.Generator, deadline: float) -> np.ndarray:
        """States (flow, time, *shape) of some flows, from a common random time on."""
        initial = self.system.sample_initial(n_flows, int(rng.integers(2**31)))
        start = rng.uniform(0.0, max(self.span - self.n_intervals * self.step, self.step))
        times = np.concatenate([[0.0], start + self.step * np.arange(self.n_intervals + 1)])
        limit = None if deadline == math.inf else max(deadline - time.monotonic(), 1e-3)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", systems.IntegrationWarning)  # what cannot be integrated is left out
            runs = systems.simulate(
                self.system, initial=initial, t=times, rtol=RTOL, atol=0.1 * RTOL, max_seconds=limit, verbose=False
            )
        return runs["state"].values[:, 1:]


def block_sizes(n_flows: int) -> Iterator[int]:
    """How many flows are integrated together: few at first, in case f is dear; n_flows in all, and then as many as fail."""
    size = FEWEST_FLOWS
    while n_flows > 0:
        yield min(size, n_flows)
        n_flows -= size
        size = min(2 * size, FLOWS_AT_ONCE)
    while True:
        yield FEWEST_FLOWS
