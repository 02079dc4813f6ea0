"""The training of an autoencoder: from POD, or towards Isomap coordinates first."""

from __future__ import annotations

from rom.fitting.autoencoder_start import set_correction_gain
from rom.fitting.isomap_start import pretrain_on_isomap
from rom.networks.encoder_decoder import EncoderDecoder
from rom.training.autoencoder_objective import AutoencoderObjective
from rom.training.loop import train
from rom.training.optimiser import expected_correction
from rom.training.record import TrainingRecord
from rom.training.run import FitRun

__all__ = ["train_autoencoder"]


def train_autoencoder(
    networks: EncoderDecoder,
    objective: AutoencoderObjective,
    run: FitRun,
    *,
    start: str,
    fingerprint: str,
    closed_form_is_optimal: bool,
) -> TrainingRecord:
    """Train encoder and decoder in place.

    Parameters
    ----------
    networks : EncoderDecoder
        The networks, equal to the closed form.
    objective : AutoencoderObjective
        Losses and validation.
    run : FitRun
        Settings and time budget.
    start : {"pod", "isomap"}
        With "isomap" the networks first learn Isomap coordinates.
    fingerprint : str
        Digest of data and settings, which a checkpoint must have.
    closed_form_is_optimal : bool
        Whether there is nothing to train.

    Returns
    -------
    TrainingRecord
        Its `start` is the score of the closed form, wherever the training began.
    """
    preparation = run.budget.elapsed
    score_of_closed_form = objective.validate(networks)
    pretraining = None
    resumes = run.checkpoint is not None and run.checkpoint.exists()  # from a state that is past the pretraining
    if start == "isomap" and not resumes:
        pretraining = pretrain_on_isomap(networks, objective, run)
    # The most that training can gain is the weighted sum of all losses: a closed form that loses nothing may yet be far
    # from sparse.
    score = score_of_closed_form if pretraining is None else pretraining.best
    correction = expected_correction(score.error / (run.weights.reconstruction + run.weights.denoising))
    if pretraining is None or pretraining.best_step == 0:
        set_correction_gain(networks, correction)
    interrupted = pretraining is not None and pretraining.stopped == "interrupted"
    seconds = 0.0 if closed_form_is_optimal or interrupted else run.budget.for_training(preparation)
    record = train(networks, objective, run, correction=correction, fingerprint=fingerprint, seconds=seconds)
    record.start = score_of_closed_form
    if closed_form_is_optimal or interrupted:
        record.stopped = "optimal" if closed_form_is_optimal else "interrupted"
    return record
