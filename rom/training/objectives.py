"""What a training of latent dynamics minimises: batches of windows and points, their losses, and the held-out data."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rom.config import FitConfig, LossWeights
from rom.networks.encoder_decoder import EncoderDecoder, Networks
from rom.training.batches import CollocationTable, Rollouts, SnapshotTable
from rom.training.fresh_flows import FreshFlows, FreshFlowSampler
from rom.training.losses import LossScales, data_losses, mean_square, physics_losses
from rom.training.regularisers import regularisation
from rom.training.validation import HeldOut, Validation, bounded, validate
from rom.utils.errors import RomValueError
from rom.utils.random import generator_of
from rom.utils.time_budget import seconds_for_fresh_flows

__all__ = ["AutoencoderObjective", "ForecastObjective", "TrainingData", "variance_of", "window_steps"]

log = logging.getLogger("rom")


@dataclass(frozen=True)
class IsomapObjective:
    """Regressions of latent coordinates (N, d) on samples (N, r), and of samples on latent coordinates.

    `judge` tells how good the networks are by the losses of the training that follows, on samples that validate.
    """

    samples: Tensor
    latent: Tensor
    spread: float
    batch: int
    judge: Callable[[EncoderDecoder], Validation]

    validated_on = "held-out samples"
    advice = "The training that follows may help"

    def losses(self, networks: EncoderDecoder, generator: torch.Generator, progress: float) -> dict[str, Tensor]:  # noqa: ARG002
        w, z = self.samples, self.latent
        if len(w) > self.batch:
            rows = torch.randint(len(w), (self.batch,), generator=generator).to(w.device)
            w, z = w.index_select(0, rows), z.index_select(0, rows)
        encoded, decoded = networks.encoder(w), networks.decoder(z)
        return {"reconstruction": mean_square(encoded - z) + mean_square(decoded - w) / self.spread}

    def validate(self, networks: EncoderDecoder) -> Validation:
        return self.judge(networks)

    def window(self, progress: float) -> int:  # noqa: ARG002
        return 0

    def renew(self, renewed: list[int], progress: float, seconds: float | None) -> None:
        """Nothing: the samples are all there is."""

    def resume(self, renewed: Sequence[int]) -> None:
        """Nothing, as for `renew`."""


FEWEST_STEPS = 2  # of the longest window
RENEWALS = 8  # of the data, evenly over the first so large a share of the training:
RENEWED_SHARE = 0.8


@dataclass(frozen=True)
class TrainingData:
    """What is drawn from at every step; either kind may be absent."""

    snapshots: SnapshotTable | None
    collocation: CollocationTable | None
    spreads: LossScales
    substeps: int  # Runge-Kutta steps of an interval of a window
    stride: int = 1  # snapshots that an interval of a window spans


@dataclass(frozen=True)
class Drawn:
    """What grows while training goes on: collocation points, and pieces of fresh flows for windows."""

    collocation: CollocationTable | None
    flows: SnapshotTable | None = None

    def and_fresh(self, fresh: FreshFlows) -> Drawn:
        """Both with fresh flows added."""
        assert self.collocation is not None  # there is no renewal without
        like = self.collocation.coordinates
        rollouts = fresh.rollouts
        flows = SnapshotTable.of([Rollouts(rollouts.intervals.to(like), rollouts.coordinates.to(like), None)])
        return Drawn(self.collocation.joined(fresh.points), flows if self.flows is None else self.flows.joined(flows))


class ForecastObjective:
    """The five losses on windows of trajectories and on collocation points, both of which fresh flows may join."""

    def __init__(
        self,
        data: TrainingData,
        held_out: HeldOut,
        weights: LossWeights,
        config: FitConfig,
        renewal: FreshFlowSampler | None = None,
        n_states: int = 1,
    ):
        self.data = data
        self.held_out = held_out
        self.weights = weights
        self.config = config
        self.renewal = renewal
        self.n_states = n_states
        self.drawn = Drawn(data.collocation)

    def losses(self, networks: Networks, generator: torch.Generator, progress: float) -> dict[str, Tensor]:
        """The unweighted losses of one batch of each kind of data that there is."""
        data, config, drawn = self.data, self.config, self.drawn
        losses: dict[str, Tensor] = {}
        if data.snapshots is not None:
            window = self.window(progress)
            windows = data.snapshots.draw(config.window_batch, window, generator, data.stride)
            if drawn.flows is not None:
                windows = windows.beside(
                    drawn.flows.draw(config.window_batch, min(window, drawn.flows.longest_window), generator)
                )
            losses |= data_losses(networks, windows, data.spreads, data.substeps)
            losses |= self.regularisation(networks, windows.coordinates.flatten(0, 1), generator, progress)
        if drawn.collocation is not None:
            points = drawn.collocation.draw(config.collocation_batch, generator)
            losses |= physics_losses(networks, points, data.spreads)
            if data.snapshots is None:
                states = points.coordinates
                losses |= self.regularisation(networks, states, generator, progress, "collocation_reconstruction")
        return losses

    def regularisation(
        self, networks: Networks, states: Tensor, generator: torch.Generator, progress: float, *reconstruction: str
    ) -> dict[str, Tensor]:
        """The regularisers that there is a weight for, at POD coordinates (B, r)."""
        spread, n = self.data.spreads.coordinates, self.n_states
        return regularisation(
            networks, states, self.weights, self.config, spread, n, generator, progress, *reconstruction
        )

    def validate(self, networks: Networks) -> Validation:
        """How good the networks are on the held-out data."""
        return validate(networks, self.held_out, self.data.spreads, self.data.substeps)

    @property
    def validated_on(self) -> str:
        """Which data these are."""
        return self.held_out.kind

    @property
    def advice(self) -> str:
        """What may help where forecasts are no better than a constant."""
        return (
            "Long forecasts of a chaotic system cannot be better; otherwise more time, a given latent_dim, data closer in "
            "time, or FitConfig(latent_terms=('linear', 'neural')) may help"
        )

    @property
    def n_fresh_points(self) -> int:
        """How many collocation points fresh flows have added."""
        before, now = self.data.collocation, self.drawn.collocation
        return 0 if before is None or now is None else len(now) - len(before)

    def window(self, progress: float) -> int:
        """Steps of a window: from a quarter of the longest at the start to all of them at half of the training."""
        snapshots = self.data.snapshots
        if snapshots is None:
            return 0
        longest = min(window_steps(self.config.window, self.data.stride), snapshots.longest_window // self.data.stride)
        return max(1, math.ceil(longest * min(1.0, 0.25 + 1.5 * progress)))

    def renew(self, renewed: list[int], progress: float, seconds: float | None) -> None:
        """Add fresh flows where they are due, and their number to the record `renewed`.

        No more of them are due once there was no time for a single flow.
        """
        done = len(renewed)
        if self.renewal is None or done == RENEWALS or renewed[-1:] == [0]:
            return
        if progress < RENEWED_SHARE * (done + 1) / RENEWALS - 1e-9:
            return
        fresh = self.renewal.draw(done, seconds_for_fresh_flows(seconds))
        renewed.append(0 if fresh is None else len(fresh.rollouts))
        self.drawn = self.drawn if fresh is None else self.drawn.and_fresh(fresh)

    def resume(self, renewed: Sequence[int]) -> None:
        """Add the flows that renewals had added before a training was resumed.

        Raises `RomValueError` where they cannot be drawn again.
        """
        for k, count in enumerate(renewed):
            if count == 0:
                continue
            if self.renewal is None:
                raise RomValueError(
                    "checkpoint: it was made with fresh flows, which this call cannot draw: repeat it with the same "
                    "system, and with max_seconds for a black box"
                )
            fresh = self.renewal.draw(k, math.inf, enough=count)
            self.drawn = self.drawn if fresh is None else self.drawn.and_fresh(fresh)


def window_steps(window: int, stride: int) -> int:
    """Runge-Kutta steps of the longest window, of `window` intervals between snapshots."""
    return max(min(window, FEWEST_STEPS), round(window / stride))


class AutoencoderObjective:
    """Reconstruction and regularisers on batches of samples (N, r), in POD coordinates."""

    validated_on = "held-out samples"
    advice = "More latent coordinates, more samples, or smaller weights of regularisers may help"

    def __init__(
        self,
        training: Tensor,
        validating: Tensor,
        weights: LossWeights,
        config: FitConfig,
        n_states: int,
        seed: int,
    ):
        self.training = training
        self.validating = validating
        self.weights = weights
        self.config = config
        self.n_states = n_states
        self.seed = seed
        self.spread = variance_of(training)

    def losses(self, networks: EncoderDecoder, generator: torch.Generator, progress: float) -> dict[str, Tensor]:
        """The unweighted losses of one batch."""
        size = self.config.collocation_batch
        batch = self.training
        if len(batch) > size:
            rows = torch.randint(len(batch), (size,), generator=generator)
            batch = batch.index_select(0, rows.to(batch.device))
        return self.losses_at(networks, batch, generator, progress)

    def losses_at(
        self, networks: EncoderDecoder, w: Tensor, generator: torch.Generator, progress: float
    ) -> dict[str, Tensor]:
        regularisers = regularisation(
            networks, w, self.weights, self.config, self.spread, self.n_states, generator, progress
        )
        if "reconstruction" in regularisers:  # that of a Gaussian encoder
            return regularisers
        return {"reconstruction": self.reconstruction(networks, w)} | regularisers

    def reconstruction(self, networks: EncoderDecoder, w: Tensor) -> Tensor:
        """|psi(phi(w)) - w|^2 in shares of the variance."""
        return mean_square(networks.decoder(networks.encoder(w)) - w) / self.spread

    @torch.no_grad()
    def validate(self, networks: EncoderDecoder) -> Validation:
        """The weighted sum of the losses on the samples that validate, with the same noise whenever it is asked for.

        In batches as in training: they take no more memory, and some regularisers measure by the spread of a batch. A loss
        that is not finite, or beyond all use, counts as a large one.
        """
        generator = generator_of(self.seed)
        weights = self.weights.to_dict()
        total = share = 0.0
        for batch in self.batches():
            losses = self.losses_at(networks, batch, generator, progress=1.0)
            part = len(batch) / len(self.validating)
            total += part * sum(weights[name] * float(bounded(loss)) for name, loss in losses.items())
            share += part * float(bounded(self.reconstruction(networks, batch)))
        return Validation(error=total, typical=1.0, physics=total, median=math.sqrt(share))

    def batches(self) -> tuple[Tensor, ...]:
        """The samples that validate, in parts of about the same size, none larger than a batch of the training."""
        return self.validating.tensor_split(-(-len(self.validating) // self.config.collocation_batch))

    def window(self, progress: float) -> int:  # noqa: ARG002
        return 0

    def renew(self, renewed: list[int], progress: float, seconds: float | None) -> None:
        """Nothing is added to samples."""

    def resume(self, renewed: Sequence[int]) -> None:
        """Nothing was added."""


def variance_of(coordinates: Tensor) -> float:
    """The mean variance of a coordinate of (N, r)."""
    return max(float(coordinates.double().var(dim=0, unbiased=False).mean()), float(np.finfo(np.float32).tiny))
