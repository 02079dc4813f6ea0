"""The objective of a model with latent dynamics: losses on windows of trajectories and at collocation points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rom.config import FitConfig, LossWeights
from rom.networks.encoder_decoder import Networks
from rom.training.batches import CollocationTable, SnapshotTable
from rom.training.fresh_flows import FreshFlows, FreshFlowSampler
from rom.training.losses import LossScales, data_losses, physics_losses
from rom.training.objective import Objective
from rom.training.regularisers import Regularisation
from rom.training.score import ForecastScore, Score
from rom.training.validation import HeldOut, validate
from rom.utils.errors import RomValueError
from rom.utils.time_budget import seconds_for_fresh_flows

__all__ = ["ForecastObjective", "TrainingData", "window_steps"]

FEWEST_STEPS = 2  # of the longest window
FIRST_WINDOW = 0.25  # of the longest window, at the start of the training
WINDOW_GROWTH = 1.5  # of the longest window per unit of progress, so that it is whole at half of the training
RENEWALS = 8  # of the data
RENEWED_SHARE = 0.8  # of the training, over which the renewals are spread evenly


@dataclass(frozen=True)
class TrainingData:
    """The data that batches are drawn from. Either kind may be absent.

    Attributes
    ----------
    snapshots : SnapshotTable or None
        All snapshots of the trajectories.
    collocation : CollocationTable or None
        All collocation pairs.
    loss_scales : LossScales
        Constants that losses are divided by.
    substeps : int
        Number of Runge-Kutta steps for each interval of a window.
    stride : int
        Number of intervals between snapshots that an interval of a window spans.
    """

    snapshots: SnapshotTable | None
    collocation: CollocationTable | None
    loss_scales: LossScales
    substeps: int
    stride: int = 1


@dataclass(frozen=True)
class GrowingData:
    """The data that fresh flows are added to while training goes on.

    Attributes
    ----------
    collocation : CollocationTable or None
        Collocation pairs, those at states of fresh flows included.
    flows : SnapshotTable or None
        Fresh flows, from which windows are drawn; None before the first renewal.
    """

    collocation: CollocationTable | None
    flows: SnapshotTable | None = None

    def with_fresh(self, fresh: FreshFlows) -> GrowingData:
        """Return the data with fresh flows added."""
        assert self.collocation is not None  # there are no renewals without collocation points
        like = self.collocation.coordinates
        flows = SnapshotTable.of([fresh.rollouts.to(dtype=like.dtype, device=like.device)])
        return GrowingData(
            self.collocation.joined(fresh.points), flows if self.flows is None else self.flows.joined(flows)
        )


class ForecastObjective(Objective):
    """The five losses on windows of trajectories and at collocation points, and regularisers.

    Parameters
    ----------
    data : TrainingData
        What batches are drawn from.
    held_out : HeldOut
        What is validated on.
    weights : LossWeights
        Weights of the losses, which say what regularisers are computed.
    config : FitConfig
        Sizes of batches, length of windows, settings of regularisers.
    sampler : FreshFlowSampler or None
        Draws fresh flows; None for data that do not grow.
    n_states : int
        Number of components of a state.
    """

    advice = (
        "Long forecasts of a chaotic system cannot be better; otherwise more time, a given latent_dim, data closer in "
        "time, or FitConfig(latent_terms=('linear', 'neural')) may help"
    )

    def __init__(
        self,
        data: TrainingData,
        held_out: HeldOut,
        weights: LossWeights,
        config: FitConfig,
        sampler: FreshFlowSampler | None = None,
        n_states: int = 1,
    ) -> None:
        self.data = data
        self.held_out = held_out
        self.validated_on = held_out.kind
        self.config = config
        self.sampler = sampler
        self.regularisation = Regularisation(weights, config, data.loss_scales.coordinates, n_states)
        self.growing = GrowingData(data.collocation)

    def losses(self, networks: Networks, generator: torch.Generator, progress: float) -> dict[str, Tensor]:
        """Compute the unweighted losses of one batch of each kind of data that there is."""
        losses = self.trajectory_losses(networks, generator, progress)
        return losses | self.collocation_losses(networks, generator, progress)

    def trajectory_losses(self, networks: Networks, generator: torch.Generator, progress: float) -> dict[str, Tensor]:
        """Compute the losses of one batch of windows, and the regularisers at their states."""
        data, flows, size = self.data, self.growing.flows, self.config.window_batch
        if data.snapshots is None:
            return {}
        window = self.window(progress)
        windows = data.snapshots.draw(size, window, generator, data.stride)
        if flows is not None:
            windows = windows.beside(flows.draw(size, min(window, flows.longest_window), generator))
        losses = data_losses(networks, windows, data.loss_scales, data.substeps)
        states = windows.coordinates.flatten(0, 1)
        return losses | self.regularisation.losses(networks, states, generator, progress)

    def collocation_losses(self, networks: Networks, generator: torch.Generator, progress: float) -> dict[str, Tensor]:
        """Compute the physics losses of one batch of collocation points.

        Regularisers are computed there only if there are no trajectories.
        """
        if self.growing.collocation is None:
            return {}
        points = self.growing.collocation.draw(self.config.collocation_batch, generator)
        losses = physics_losses(networks, points, self.data.loss_scales)
        if self.data.snapshots is not None:
            return losses
        return losses | self.regularisation.losses(
            networks, points.coordinates, generator, progress, reconstruction="collocation_reconstruction"
        )

    def validate(self, networks: Networks) -> ForecastScore:
        """Return the errors of rollouts and of the physics on the held-out data."""
        return validate(networks, self.held_out, self.data.loss_scales, self.data.substeps)

    def warnings(self, best: Score, start: Score) -> list[str]:
        """Return what users should know, also if the best state has a larger mean square error than the closed form."""
        warnings = super().warnings(best, start)
        if best.error > start.error:
            warnings.insert(
                0,
                "the mean square error of held-out forecasts became worse than that of the closed form, "
                f"{best.error:.2e} of the variance against {start.error:.2e}, while the typical error or the physics "
                "became better; see `rom.closed_form_of`",
            )
        return warnings

    @property
    def n_fresh_points(self) -> int:
        """Number of collocation points that fresh flows have added."""
        before, now = self.data.collocation, self.growing.collocation
        return 0 if before is None or now is None else len(now) - len(before)

    def window(self, progress: float) -> int:
        """Return the number of steps of a window, which grows to its whole length at half of the training."""
        snapshots = self.data.snapshots
        if snapshots is None:
            return 0
        longest = min(window_steps(self.config.window, self.data.stride), snapshots.longest_window // self.data.stride)
        return max(1, math.ceil(longest * min(1.0, FIRST_WINDOW + WINDOW_GROWTH * progress)))

    def renew(self, renewed: Sequence[int], progress: float, seconds: float | None) -> int | None:
        """Add fresh flows if they are due, and return their number.

        Renewals end when there was no time for a single flow.
        """
        n_done = len(renewed)
        if self.sampler is None or n_done == RENEWALS or list(renewed[-1:]) == [0]:
            return None
        if progress < RENEWED_SHARE * (n_done + 1) / RENEWALS - 1e-9:
            return None
        fresh = self.sampler.draw(n_done, seconds_for_fresh_flows(seconds))
        if fresh is None:
            return 0
        self.growing = self.growing.with_fresh(fresh)
        return len(fresh.rollouts)

    def resume(self, renewed: Sequence[int]) -> None:
        """Add the flows that renewals had added before a checkpoint was written.

        Raises
        ------
        RomValueError
            If they cannot be drawn again.
        """
        for k, n_flows in enumerate(renewed):
            if n_flows == 0:
                continue
            if self.sampler is None:
                raise RomValueError(
                    "checkpoint: it was made with fresh flows, which this call cannot draw: repeat it with the same "
                    "system, and with max_seconds for a black box"
                )
            fresh = self.sampler.draw(k, math.inf, enough=n_flows)
            self.growing = self.growing if fresh is None else self.growing.with_fresh(fresh)


def window_steps(window: int, stride: int) -> int:
    """Return the number of Runge-Kutta steps of the longest window, of `window` intervals between snapshots."""
    return max(min(window, FEWEST_STEPS), round(window / stride))
