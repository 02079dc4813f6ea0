"""Build the finished autoencoder: its errors, the calibration of anomaly scores, and a check of its latent space."""

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

FEWEST_JUDGED = 50  # samples from which a latent space is judged by its neighbours
JUDGED_TIMES_DIM = 2**14  # judged samples times latent coordinates: each of these takes a derivative of the decoder
BATCH = 512  # samples reconstructed at a time


@torch.no_grad()
def calibration(state: AutoencoderState, samples: Tensor) -> Tensor:
    """Return the mean square errors ``(m,)`` of reconstructed samples ``(m, n)``, sorted, none below rounding."""
    errors = [
        (state.decode(state.encode(batch)) - batch).double().square().mean(dim=1) for batch in samples.split(BATCH)
    ]
    return sorted_above_rounding(torch.cat(errors), float(samples.double().square().mean()), samples.dtype)


@torch.no_grad()
def calibration_at_positions(autoencoder: Autoencoder, seen: PositionInfo) -> Tensor:
    """Return the calibration for values at positions. Anomaly scores are errors of values, their noise included."""
    errors = [autoencoder.squared_errors(array)[0].flatten() for array in seen.calibrating]
    size = float(np.mean([np.square(array.values, dtype=float).mean() for array in seen.calibrating]))
    return sorted_above_rounding(torch.cat(errors), size, autoencoder.codec.like.dtype)


def sorted_above_rounding(errors: Tensor, mean_square: float, dtype: torch.dtype) -> Tensor:
    """Return square errors sorted, none below the rounding of values with this mean square."""
    return errors.clamp(min=torch.finfo(dtype).eps ** 2 * mean_square).sort().values


@torch.no_grad()
def errors_of_state(
    state: AutoencoderState, closed: AutoencoderStart, samples: Samples, spread: float
) -> tuple[float, float]:
    """Return the mean square errors of the autoencoder and of its start on the validating samples.

    Both are shares of the variance of the data, and errors of whole samples. Errors in POD coordinates would hide what
    lies outside of the POD of the training samples, which is much if these are few.
    """
    projection, kind = state.projection, state.projection.mean
    states = torch.from_numpy(samples.validating).to(kind)
    variance = samples.training.var(axis=0).mean()
    batches = states.split(BATCH)
    missed = [(projection.lift(projection.project(x)) - x).double().square().mean(dim=1) for x in batches]
    per_component = float(projection.scale) ** 2 * spread * projection.rank / states.shape[1]
    start = float(torch.cat(missed).mean()) + closed.error * per_component
    return float(calibration(state, states).mean()) / variance, start / variance


def build_autoencoder(
    samples: Samples,
    projection: Projection,
    networks: EncoderDecoder,
    closed: AutoencoderStart,
    record: TrainingRecord,
    objective: AutoencoderObjective,
    run: FitRun,
    start: str,
) -> Autoencoder:
    """Put the trained networks, the POD and the history together, and calibrate anomaly scores.

    Parameters
    ----------
    samples : Samples
        Training, validating and calibrating samples.
    projection : Projection
        The POD of the training samples.
    networks : EncoderDecoder
        The trained networks.
    closed : AutoencoderStart
        The closed form that training started from.
    record : TrainingRecord
        How the training went.
    objective : AutoencoderObjective
        Samples on the device, and the variance of the data.
    run : FitRun
        Settings of the fit.
    start : {"pod", "isomap"}
        Where the training started, for the history.

    Returns
    -------
    Autoencoder
        The finished autoencoder. A warning says if its latent space is not fully used, or folds.
    """
    networks.posterior = None  # used in training only
    codec = codec_type(samples.layout)
    numbers = codec.fit_buffers(samples.layout, projection, objective.training.double().cpu(), samples.misfit)
    prior = {name: torch.from_numpy(value).to(objective.training.device) for name, value in numbers.items()}
    state = AutoencoderState(projection.to(objective.training), networks, calibration=torch.zeros(0), **prior)
    history = autoencoder_history(
        samples,
        projection,
        objective,
        record,
        run,
        latent_dim=networks.encoder.linear.out_features,
        start=start,
        errors=errors_of_state(state, closed, samples, objective.variance),
    )
    autoencoder = Autoencoder(state, samples.layout, run.config, history)
    if samples.seen is None:
        state.calibration = calibration(state, torch.from_numpy(samples.calibrating).to(objective.training))
    else:
        state.calibration = calibration_at_positions(autoencoder, samples.seen)
    record_latent_quality(autoencoder, networks, objective.validating)
    return autoencoder


@dataclass(frozen=True)
class CoordinateAutoencoder:
    """Encoder and decoder between POD coordinates and latent coordinates, without the POD."""

    networks: EncoderDecoder

    def encode(self, w: np.ndarray) -> Tensor:
        """Return latent coordinates ``(N, d)`` of POD coordinates ``(N, r)``."""
        return self.networks.encoder(torch.from_numpy(w).to(self.networks.encoder.linear.weight))

    def decode(self, z: Tensor) -> Tensor:
        """Return POD coordinates ``(N, r)`` of latent coordinates ``(N, d)``, in their dtype."""
        return self.networks.decoder(z.to(self.networks.decoder.linear.weight)).to(z)


def record_latent_quality(autoencoder: Autoencoder, networks: EncoderDecoder, coordinates: Tensor) -> None:
    """Add figures of the latent space to the history, and warn if it is not fully used or folds.

    Samples are compared by their POD coordinates ``(N, r)``. Distances and angles are those of the samples, because the basis is
    orthonormal, and nothing has to be lifted for each latent coordinate. Without scikit-learn folds are not looked for.
    """
    if len(coordinates) < FEWEST_JUDGED:
        return
    most = max(FEWEST_JUDGED, JUDGED_TIMES_DIM // autoencoder.latent_dim)
    some = torch.randperm(len(coordinates), generator=torch_generator(0))[:most]
    model, samples = CoordinateAutoencoder(networks), coordinates.cpu()[some].numpy()
    quality = measure_latent_quality(model, samples, neighbours=scikit_learn_is_installed())
    for name in ("effective_dimension", "trustworthiness"):
        if name in quality.attrs:
            autoencoder.history.attrs[name] = quality.attrs[name]
    if not scikit_learn_is_installed():
        log.info("folds of the latent space were not looked for: install latentrom[manifold] for it")
    for message in quality_warnings(quality):
        log.warning("%s", message)
