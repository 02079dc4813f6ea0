"""Pretraining of an autoencoder on Isomap coordinates.

POD projects a rolled-up sheet along straight lines, so that layers of it overlap. A training that starts from POD
seldom separates them.
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

STEPS = 400  # at most
LEARNING_RATE = 2e-3  # of Adam


def pretrain_on_isomap(networks: EncoderDecoder, objective: AutoencoderObjective, run: FitRun) -> TrainingRecord | None:
    """Train networks to map training samples to their Isomap coordinates and back.

    Parameters
    ----------
    networks : EncoderDecoder
        Trained in place. They stay as they are if they never reconstruct better on the way, by the validation of
        `objective`.
    objective : AutoencoderObjective
        Training samples, and the validation.
    run : FitRun
        Settings and time budget of the fit.

    Returns
    -------
    TrainingRecord or None
        None if there is no time for it.

    Raises
    ------
    RomImportError
        If scikit-learn is not installed.
    RomValueError
        If the samples do not have as many Isomap coordinates as there are latent ones.
    """
    if not run.budget.allows_isomap:
        log.warning("max_seconds leaves no time for Isomap: training starts from POD")
        return None
    samples = objective.training
    chosen = random_stream(run.seed, AutoencoderStream.ISOMAP_SAMPLES).permutation(len(samples))[:MAX_SAMPLES]
    w = samples[torch.as_tensor(chosen, device=samples.device)]
    latent = isomap(w.double().cpu().numpy(), networks.encoder.linear.out_features)
    z = torch.from_numpy(latent / latent.std(axis=0)).to(w)
    config = replace(
        run.config,
        optimizer="adam",
        learning_rate=LEARNING_RATE,
        steps=min(STEPS, run.config.steps or DEFAULT_STEPS),
        patience=None,
    )
    isomap_objective = IsomapObjective(w, z, objective.variance, config.collocation_batch, objective.validate)
    pretraining = replace(run, weights=LossWeights(), config=config, checkpoint=None, callbacks=())
    record = train(networks, isomap_objective, pretraining, seconds=run.budget.for_isomap())
    if record.best_step == 0:
        log.warning("the coordinates that Isomap finds reconstruct no better than POD, from which training starts")
    return record
