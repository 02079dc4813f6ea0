"""Fresh collocation points and windows along the flow of the system, drawn while training goes on.

Points that are drawn once leave gaps where trajectories go, and networks overfit them. Fresh points along the true flow,
from new initial states, close the gaps and are new to the networks. Points along rollouts of the model itself were worse:
decoded states lie on the manifold of the decoder, right or wrong (measured in docs/benchmarks).
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

FIRST_BLOCK = 8  # flows integrated together at first: with an expensive f there is no time for more
LARGEST_BLOCK = 64  # flows integrated together later
MOST_FLOWS = 1024  # of a renewal, however few points lie on each
RTOL = 1e-4  # of the integration: an error moves a point, but f is exact wherever it lies


@dataclass(frozen=True)
class FreshFlows:
    """Pieces of trajectories and f at their states, in POD coordinates and scaled time, in float64 on the CPU.

    Attributes
    ----------
    rollouts : Rollouts
        The pieces, without parameters.
    derivatives : Tensor
        f at all states, ``(T, N, r)``.
    """

    rollouts: Rollouts
    derivatives: torch.Tensor

    @property
    def points(self) -> CollocationTable:
        """Collocation pairs at all states."""
        return CollocationTable.without_parameters(
            self.rollouts.coordinates.flatten(0, 1), self.derivatives.flatten(0, 1)
        )


@dataclass(frozen=True)
class FreshFlowSampler:
    """Draws pieces of trajectories that begin anywhere in the first part of flows from new initial states.

    Attributes
    ----------
    system : systems.System
        The known dynamics.
    projection : Projection
        POD of the training data.
    time_scale : float
        Unit of time of the model.
    step : float
        Length of an interval, in the system's unit of time.
    n_intervals : int
        Number of intervals of a piece.
    span : float
        Length of the flows in which pieces lie, in the system's unit of time.
    count : int
        Number of states to draw for each renewal.
    seed : int
        Seed of the fit.
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
        """Return the pieces of a renewal, which depend on the seed and its number alone.

        Flows are integrated in blocks until there are enough of them, or `count` states, or the time is over.

        Parameters
        ----------
        k : int
            Number of the renewal.
        max_seconds : float
            Time limit; infinity for none.
        enough : int
            Largest number of pieces.

        Returns
        -------
        FreshFlows or None
            None if not a single flow could be integrated.
        """
        deadline = time.monotonic() + max_seconds
        n_flows = min(MOST_FLOWS, -(-self.count // (self.n_intervals + 1)))
        enough = min(enough, n_flows)
        blocks: list[FreshFlows] = []
        for which, size in enumerate(block_sizes(n_flows)):
            n_drawn = sum(len(block.rollouts) for block in blocks)
            if n_drawn >= enough or time.monotonic() >= deadline:
                break
            try:
                block = self.block(k, which, size, deadline)
            except systems.SystemsError as error:
                if not blocks:  # otherwise the time is over, and the blocks so far count
                    log.warning("no fresh points along flows: %s", error)
                break
            if len(block.rollouts) == 0:
                break
            blocks.append(block)
        if not blocks:
            return None
        # There may be more than enough: if some flows fail, or if a time limit had cut short a block that is whole now.
        coordinates = torch.cat([b.rollouts.coordinates for b in blocks], dim=1)[:, :enough]
        derivatives = torch.cat([b.derivatives for b in blocks], dim=1)[:, :enough]
        return FreshFlows(Rollouts.without_parameters(blocks[0].rollouts.intervals, coordinates), derivatives)

    def block(self, k: int, which: int, n_flows: int, deadline: float) -> FreshFlows:
        """Return one block of flows of a renewal, with f at their states, in POD coordinates."""
        states = self.flows(n_flows, random_stream(self.seed, FitStream.FRESH_FLOWS, k, which), deadline)
        rates = self.system.rhs(states)
        usable = np.isfinite(rates).reshape(len(rates), -1).all(axis=1)
        projection, scale = self.projection, self.time_scale
        shape = (int(usable.sum()), self.n_intervals + 1, -1)
        x, f = (torch.as_tensor(values[usable].reshape(shape)) for values in (states, rates))
        intervals = torch.full((self.n_intervals,), self.step / scale, dtype=torch.float64)
        rollouts = Rollouts.without_parameters(intervals, projection.project(x).transpose(0, 1).contiguous())
        return FreshFlows(rollouts, (projection.project_derivative(f) * scale).transpose(0, 1).contiguous())

    def flows(self, n_flows: int, rng: np.random.Generator, deadline: float) -> np.ndarray:
        """Return states ``(flow, time, *shape)`` of new flows, from a common random time on."""
        initial = self.system.sample_initial(n_flows, int(rng.integers(2**31)))
        start = rng.uniform(0.0, max(self.span - self.n_intervals * self.step, self.step))
        times = np.concatenate([[0.0], start + self.step * np.arange(self.n_intervals + 1)])
        limit = None if deadline == math.inf else max(deadline - time.monotonic(), 1e-3)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", systems.IntegrationWarning)  # flows that cannot be integrated are left out
            runs = systems.simulate(
                self.system, initial=initial, t=times, rtol=RTOL, atol=0.1 * RTOL, max_seconds=limit, verbose=False
            )
        return runs["state"].values[:, 1:]


def block_sizes(n_flows: int) -> Iterator[int]:
    """Yield the numbers of flows to integrate together.

    They are small at first, in case f is expensive. Their sum is `n_flows`; further blocks replace flows that fail.
    """
    size = FIRST_BLOCK
    while n_flows > 0:
        yield min(size, n_flows)
        n_flows -= size
        size = min(2 * size, LARGEST_BLOCK)
    while True:
        yield FIRST_BLOCK
