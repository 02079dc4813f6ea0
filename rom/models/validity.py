"""The region of latent states seen in training: inside it a forecast interpolates, outside it extrapolates."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["TrainingRegion", "fit_training_region"]

MARGIN = 1.05  # of the radius


class TrainingRegion(nn.Module):
    """The ellipsoid |W^T (z - c)| <= radius.

    Buffers: `centre` c (d,), `whitening` W (d, d), `radius` ().
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
        """A region to be filled from a file."""
        return TrainingRegion(torch.zeros(latent_dim), torch.zeros(latent_dim, latent_dim), torch.zeros(()))

    def contains(self, latent: Tensor) -> Tensor:
        """Whether latent states (..., d) lie inside: (...), False where they are not finite."""
        return ((latent - self.centre) @ self.whitening).norm(dim=-1) <= self.radius


def fit_training_region(latent: np.ndarray) -> TrainingRegion:
    """The smallest ellipsoid with the shape of the covariance of `latent` (N, d) that holds them all, and a margin."""
    centre = latent.mean(axis=0)
    variance, axes = np.linalg.eigh(np.atleast_2d(np.cov(latent.T)))
    variance = np.maximum(variance, 1e-12 * max(variance[-1], np.finfo(float).tiny))
    whitening = axes / np.sqrt(variance)
    radius = MARGIN * np.linalg.norm((latent - centre) @ whitening, axis=1).max()
    return TrainingRegion(torch.from_numpy(centre), torch.from_numpy(whitening), torch.tensor(radius))
