"""What decides the flag `valid` of a forecast.

A forecast is valid as long as three things hold up to the time:

- its latent states stay in the ellipsoid of those of the training data (`TrainingRegion`), at all ends of steps;
- inputs, and a time on which the dynamics depend without a period, stay in their range in training (`within_training`);
- its values are finite (`rom.models.forecasting.Forecaster.decode`).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from rom.dynamics.forcing import Forcing
from rom.models.input_scaling import InputScaling

__all__ = ["TrainingRegion", "fit_training_region", "within_training"]

REGION_MARGIN = 1.05  # factor on the radius of the region
RANGE_MARGIN = 0.05  # share of the range of an input, by which it may leave it
LEAST_VARIANCE = 1e-12  # share of the largest variance, below which a direction counts as flat


class TrainingRegion(nn.Module):
    """The ellipsoid ``|W^T (z - c)| <= radius`` of latent states seen in training.

    Inside it a forecast interpolates, outside it extrapolates.

    Parameters
    ----------
    centre : torch.Tensor
        c, shape ``(d,)``.
    whitening : torch.Tensor
        W, shape ``(d, d)``.
    radius : torch.Tensor
        Shape ().
    """

    centre: Tensor
    whitening: Tensor
    radius: Tensor

    def __init__(self, centre: Tensor, whitening: Tensor, radius: Tensor):
        super().__init__()
        self.register_buffer("centre", centre)
        self.register_buffer("whitening", whitening)
        self.register_buffer("radius", radius)

    @staticmethod
    def empty(latent_dim: int) -> TrainingRegion:
        """Return a region of the right shapes, to be filled from a file."""
        return TrainingRegion(torch.zeros(latent_dim), torch.zeros(latent_dim, latent_dim), torch.zeros(()))

    def contains(self, latent: Tensor) -> Tensor:
        """Return whether latent states (..., d) lie inside, shape (...). False where they are not finite."""
        return ((latent - self.centre) @ self.whitening).norm(dim=-1) <= self.radius


def fit_training_region(latent: np.ndarray) -> TrainingRegion:
    """Return the smallest ellipsoid with the shape of the covariance that holds all latent states, and a margin.

    Parameters
    ----------
    latent : numpy.ndarray
        Latent states ``(N, d)`` of the training data.

    Returns
    -------
    TrainingRegion
        In float64.
    """
    centre = latent.mean(axis=0)
    variance, axes = np.linalg.eigh(np.atleast_2d(np.cov(latent.T)))
    variance = np.maximum(variance, LEAST_VARIANCE * max(variance[-1], np.finfo(float).tiny))
    whitening = axes / np.sqrt(variance)
    radius = REGION_MARGIN * np.linalg.norm((latent - centre) @ whitening, axis=1).max()
    return TrainingRegion(torch.from_numpy(centre), torch.from_numpy(whitening), torch.tensor(radius))


def within_training(forcing: Forcing, times: np.ndarray, scaling: InputScaling) -> np.ndarray:
    """Return whether inputs and time stayed in their training range.

    Parameters
    ----------
    forcing : Forcing
        What drives the forecasts, over scaled time.
    times : numpy.ndarray
        Scaled times ``(time,)``.
    scaling : InputScaling
        Holds the training range.

    Returns
    -------
    numpy.ndarray
        Flags ``(trajectory, time)``, or ``(1, time)`` without forcing: true where the range was kept up to the time,
        at all times and knots of the inputs.
    """
    if forcing.width == 0:
        return np.ones((1, len(times)), dtype=bool)
    low, high = scaling.forcing_limits.cpu()
    margin = RANGE_MARGIN * (high - low)
    grid = np.union1d(times, forcing.knots[(forcing.knots > times[0]) & (forcing.knots < times[-1])])
    values = torch.stack([forcing.at_time(float(time)).cpu() for time in grid])  # (G, N, q)
    within = ((values >= low - margin) & (values <= high + margin)).all(dim=-1).numpy()
    return np.logical_and.accumulate(within, axis=0)[np.searchsorted(grid, times)].T
