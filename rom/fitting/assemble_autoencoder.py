"""Between the training of an autoencoder alone and the finished one: calibrating, measuring, keeping the record."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rom.data.codec import codec_type
from rom.data.samples import PositionInfo, Samples
from rom.fitting.autoencoder_start import AutoencoderStart
from rom.fitting.history import autoencoder_history
from rom.models.autoencoder import Autoencoder
from rom.models.latent_quality import measure_latent_quality, quality_warnings
from rom.models.modules import AutoencoderState
from rom.networks.encoder_decoder import EncoderDecoder
from rom.reduction.pod import Projection
from rom.training.autoencoder_objective import AutoencoderObjective
from rom.training.record import TrainingRecord
from rom.training.run import FitRun
from rom.utils.optional import scikit_learn_is_installed
from rom.utils.random import torch_generator

__all__ = ["build_autoencoder"]

log = logging.getLogger("rom")

ENOUGH_FOR_NEIGHBOURS = 50  # samples, to judge a latent space by who lies beside whom
JUDGED_TIMES_DIM = 2**14  # samples judged times latent coordinates, each of which is a derivative of all decoded
TOGETHER = 512  # samples reconstructed at a time


@torch.no_grad()
def calibration(state: AutoencoderState, samples: Tensor) -> Tensor:
    """Mean square errors (m,) of reconstructed samples (m, n), in increasing order, none below what is rounding."""
    errors = [
        (state.decode(state.encode(batch)) - batch).double().square().mean(dim=1) for batch in samples.split(TOGETHER)
    ]
    return increasing(torch.cat(errors), float(samples.double().square().mean()), samples.dtype)


@torch.no_grad()
def calibration_at_positions(autoencoder: Autoencoder, seen: PositionInfo) -> Tensor:
    """The same of the values that were `seen`: scores are those of values, noise and all."""
    errors = [autoencoder.squared_errors(array)[0].flatten() for array in seen.calibrating]
    size = float(np.mean([np.square(array.values, dtype=float).mean() for array in seen.calibrating]))
    return increasing(torch.cat(errors), size, autoencoder.codec.like.dtype)


def increasing(errors: Tensor, size: float, dtype: torch.dtype) -> Tensor:
    """Square errors in increasing order, none below the rounding of values with the mean square `size`."""
    return errors.clamp(min=torch.finfo(dtype).eps ** 2 * size).sort().values


@torch.no_grad()
def errors_of_state(
    state: AutoencoderState, closed: AutoencoderStart, samples: Samples, spread: float
) -> tuple[float, float]:
    """Mean square errors on the validating samples, in shares of the variance of the data: of the autoencoder, and of its start.

    Of whole samples: few training samples leave much of others outside of their POD, which POD coordinates do not show.
    """
    projection, kind = state.projection, state.projection.mean
    states = torch.from_numpy(samples.validating).to(kind)
    variance = samples.training.var(axis=0).mean()
    batches = states.split(TOGETHER)
    missed = [(projection.lift(projection.project(x)) - x).double().square().mean(dim=1) for x in batches]
    per_component = float(projection.scale) ** 2 * spread * projection.rank / states.shape[1]
    start = float(torch.cat(missed).mean()) + closed.error * per_component
    return float(calibration(state, states).mean()) / variance, start / variance


def build_autoencoder(
    samples: Samples,
    projection: Projection,
    networks: EncoderDecoder,
    closed: AutoencoderStart,
    training: TrainingRecord,
    objective: AutoencoderObjective,
    run: FitRun,
    start: str,
) -> Autoencoder:
    """The finished autoencoder, calibrated on the samples that were set aside."""
    networks.posterior = None
    codec = codec_type(samples.layout)
    numbers = codec.fit_buffers(samples.layout, projection, objective.training.double().cpu(), samples.misfit)
    prior = {name: torch.from_numpy(value).to(objective.training.device) for name, value in numbers.items()}
    state = AutoencoderState(projection.to(objective.training), networks, calibration=torch.zeros(0), **prior)
    history = autoencoder_history(
        samples,
        projection,
        objective,
        training,
        run,
        latent_dim=networks.encoder.linear.out_features,
        start=start,
        errors=errors_of_state(state, closed, samples, objective.spread),
    )
    autoencoder = Autoencoder(state, samples.layout, run.config, history)
    if samples.seen is None:
        state.calibration = calibration(state, torch.from_numpy(samples.calibrating).to(objective.training))
    else:
        state.calibration = calibration_at_positions(autoencoder, samples.seen)
    note_quality(autoencoder, objective.validating)
    return autoencoder


@dataclass(frozen=True)
class InCoordinates:
    """An autoencoder between POD coordinates and latent coordinates."""

    networks: EncoderDecoder

    def encode(self, w: np.ndarray) -> Tensor:
        return self.networks.encoder(torch.from_numpy(w).to(self.networks.encoder.linear.weight))

    def decode(self, z: Tensor) -> Tensor:
        return self.networks.decoder(z.to(self.networks.decoder.linear.weight)).to(z)


def note_quality(autoencoder: Autoencoder, coordinates: Tensor) -> None:
    """Enter into the history how the latent space is used, and warn if it is not fully used or folds.

    Samples are compared by their POD coordinates ``(N, r)``. Distances and angles are those of the samples, because the basis is
    orthonormal, and nothing has to be lifted for each latent coordinate. Without scikit-learn folds are not looked for.
    """
    if len(coordinates) < ENOUGH_FOR_NEIGHBOURS:
        return
    most = max(ENOUGH_FOR_NEIGHBOURS, JUDGED_TIMES_DIM // autoencoder.latent_dim)
    some = torch.randperm(len(coordinates), generator=torch_generator(0))[:most]
    model, samples = InCoordinates(autoencoder._state.networks), coordinates.cpu()[some].numpy()
    quality = measure_latent_quality(model, samples, neighbours=scikit_learn_is_installed())
    for name in ("effective_dimension", "trustworthiness"):
        if name in quality.attrs:
            autoencoder.history.attrs[name] = quality.attrs[name]
    for message in quality_warnings(quality):
        log.warning("%s", message)
