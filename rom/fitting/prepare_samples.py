"""From samples to tensors for an autoencoder: the POD and the coordinates of training and validating samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rom.data.samples import Samples
from rom.fitting.arguments import clip_to_rank
from rom.reduction.pod import MAX_SNAPSHOTS, Projection, fit_projection
from rom.training.run import FitRun
from rom.utils.random import AutoencoderStream, random_stream

__all__ = ["PreparedSamples", "prepare_samples"]


@dataclass(frozen=True)
class PreparedSamples:
    """Samples in POD coordinates, float64 on the CPU.

    Attributes
    ----------
    projection : Projection
        The POD of the training samples, of rank r.
    latent_dim : int
        Latent dimension d, lowered to r unless the latent coordinates are to be sparse.
    training, validating : torch.Tensor
        POD coordinates ``(sample, r)``.
    """

    projection: Projection
    latent_dim: int
    training: Tensor
    validating: Tensor


def prepare_samples(samples: Samples, latent_dim: int, run: FitRun) -> PreparedSamples:
    """Project samples onto POD coordinates.

    Parameters
    ----------
    samples : Samples
        Training and validating samples.
    latent_dim : int
        Latent dimension that was asked for.
    run : FitRun
        Configuration, weights and seed.

    Returns
    -------
    PreparedSamples
        The POD, the latent dimension and the coordinates.
    """
    config = run.config
    projection = fit_projection(
        pod_sample(samples.training, run.seed), config.energy_tolerance, latent_dim, config.max_rank
    )
    training, validating = (projection.project(torch.from_numpy(x)) for x in (samples.training, samples.validating))
    return PreparedSamples(projection, clip_to_rank(latent_dim, projection.rank, run.weights), training, validating)


def pod_sample(samples: np.ndarray, seed: int) -> np.ndarray:
    """Return the samples ``(N, n)`` that the POD is computed from: all unless both sides are long, else a random part."""
    if min(samples.shape) <= MAX_SNAPSHOTS:
        return samples
    return samples[random_stream(seed, AutoencoderStream.POD_SAMPLES).permutation(len(samples))[:MAX_SNAPSHOTS]]
