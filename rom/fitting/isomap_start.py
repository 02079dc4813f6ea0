"""The start of an autoencoder on a curved sheet: encoder and decoder learn the coordinates that Isomap finds.

POD looks along straight lines through such a sheet and sees its layers lie on one another; a training that begins there
seldom gets them apart.
"""

from __future__ import annotations

import logging
from dataclasses import replace

import torch

from rom.config import LossWeights
from rom.networks.encoder_decoder import EncoderDecoder
from rom.reduction.isomap import MAX_SAMPLES, isomap
from rom.training.autoencoder_objective import AutoencoderObjective
from rom.training.isomap_objective import IsomapObjective
from rom.training.loop import DEFAULT_STEPS, train
from rom.training.record import TrainingRecord
from rom.training.run import FitRun
from rom.utils.random import AutoencoderStream, random_stream

__all__ = ["pretrain_on_isomap"]

log = logging.getLogger("rom")

STEPS = 400
RATE = 2e-3  # of Adam


def pretrain_on_isomap(networks: EncoderDecoder, objective: AutoencoderObjective, run: FitRun) -> TrainingRecord | None:
    """Train networks, in place, towards Isomap coordinates of the training samples.

    Networks are left unchanged if no state on the way reconstructs better, by the validation of `objective`.

    Returns
    -------
    TrainingRecord or None
        None if there is no time for it.
    """
    if not run.budget.allows_isomap:
        log.warning("max_seconds leaves no time for Isomap: training starts from POD")
        return None
    samples = objective.training
    some = random_stream(run.seed, AutoencoderStream.ISOMAP_SAMPLES).permutation(len(samples))[:MAX_SAMPLES]
    w = samples[torch.as_tensor(some, device=samples.device)]
    latent = isomap(w.double().cpu().numpy(), networks.encoder.linear.out_features)
    z = torch.from_numpy(latent / latent.std(axis=0)).to(w)
    config = replace(
        run.config,
        optimizer="adam",
        learning_rate=RATE,
        steps=min(STEPS, run.config.steps or DEFAULT_STEPS),
        patience=None,
    )
    towards = IsomapObjective(w, z, objective.spread, config.collocation_batch, objective.validate)
    pretraining = replace(run, weights=LossWeights(), config=config, checkpoint=None, callbacks=())
    done = train(networks, towards, pretraining, seconds=run.budget.for_isomap())
    if done.best_step == 0:
        log.warning("the coordinates that Isomap finds reconstruct no better than POD, from which training starts")
    return done
