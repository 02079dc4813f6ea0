"""The plain autoencoder, trained at first on Isomap coordinates."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.manifold import Isomap

from methods.plain_autoencoder import PlainAutoencoder, fit_from

NEIGHBOURS = 8
FIRST_STEPS = 400


def fit(samples: np.ndarray, latent_dim: int, seed: int, steps: int) -> PlainAutoencoder:
    """Train; the first `FIRST_STEPS` of the steps fit Isomap coordinates.

    Reference: Tenenbaum, de Silva & Langford 2000, Science 290.
    """
    coordinates = Isomap(n_neighbors=NEIGHBOURS, n_components=latent_dim).fit_transform(
        samples.reshape(len(samples), -1)
    )
    towards = torch.as_tensor(coordinates / coordinates.std(axis=0), dtype=torch.float32)
    return fit_from(
        samples, latent_dim, seed, steps - min(FIRST_STEPS, steps // 2), towards, min(FIRST_STEPS, steps // 2)
    )
