"""The start of an autoencoder on a curved sheet: encoder and decoder learn the coordinates that Isomap finds.

POD looks along straight lines through such a sheet and sees its layers lie on one another; a training that begins there
seldom gets them apart.
"""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from rom.config import LossWeights
from rom.networks.encoder_decoder import EncoderDecoder
from rom.reduction.isomap import MOST_SAMPLES, isomap
from rom.training.loop import DEFAULT_STEPS, Plan, train
from rom.training.objectives import IsomapObjective
from rom.training.record import Training
from rom.utils.time_budget import TimeBudget

__all__ = ["pretrain_on_isomap"]

log = logging.getLogger("rom")

STEPS = 400
RATE = 2e-3  # of Adam
SHARE = 0.3  # of the time that is left
SHORTEST = 3.0  # seconds, below which the training needs all that is left


def pretrain_on_isomap(
    networks: EncoderDecoder, samples: Tensor, spread: float, plan: Plan, clock: TimeBudget
) -> Training | None:
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
    towards = IsomapObjective(w, z, spread, config.collocation_batch, plan.objective.validate)
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
