"""The start of an autoencoder on a curved sheet: encoder and decoder learn the coordinates that Isomap finds.

POD looks along straight lines through such a sheet and sees its layers lie on one another; a training that begins there
seldom gets them apart.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from rom.architecture import EncoderDecoder
from rom.clock import Clock
from rom.config import LossWeights
from rom.isomap import MOST_SAMPLES, isomap
from rom.losses import mean_square
from rom.training import DEFAULT_STEPS, Plan, train
from rom.training_record import Training
from rom.validation import Validation

__all__ = ["unfold"]

log = logging.getLogger("rom")

STEPS = 400
RATE = 2e-3  # of Adam
SHARE = 0.3  # of the time that is left
SHORTEST = 3.0  # seconds, below which the training needs all that is left


@dataclass(frozen=True)
class TowardsCoordinates:
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


def unfold(networks: EncoderDecoder, samples: Tensor, spread: float, plan: Plan, clock: Clock) -> Training | None:
    """Train networks, in place, towards Isomap coordinates of samples (N, r) in POD coordinates, of mean variance `spread`.

    They are left as they were where nothing on the way reconstructs better, by `plan.objective`. Returns the record, or None where
    `clock` leaves no time.
    """
    seconds = clock.share(SHARE)
    if seconds is not None and seconds < SHARE * SHORTEST:
        log.warning("max_seconds leaves no time for Isomap: training starts from POD")
        return None
    some = np.random.default_rng([plan.seed, 11]).permutation(len(samples))[:MOST_SAMPLES]
    w = samples[torch.as_tensor(some, device=samples.device)]
    latent = isomap(w.double().cpu().numpy(), networks.encoder.linear.out_features)
    z = torch.from_numpy(latent / latent.std(axis=0)).to(w)
    config = replace(
        plan.config,
        optimizer="adam",
        learning_rate=RATE,
        steps=min(STEPS, plan.config.steps or DEFAULT_STEPS),
        patience=None,
    )
    towards = TowardsCoordinates(w, z, spread, config.collocation_batch, plan.objective.validate)
    left = None if seconds is None else clock.share(SHARE)
    done = train(
        networks,
        replace(
            plan,
            objective=towards,
            weights=LossWeights(),
            config=config,
            correction=1.0,
            seconds=left,
            checkpoint=None,
            callbacks=(),
        ),
    )
    if done.best_step == 0:
        log.warning("the coordinates that Isomap finds reconstruct no better than POD, from which training starts")
    return done
