"""An autoencoder as in tutorials: two tanh networks, trained by Adam on standardised samples."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

WIDTH, DEPTH, BATCH, RATE = 128, 3, 512, 1e-3
VALIDATING = 0.1  # of the samples
LOOKS = 40  # at them, evenly over the training


@dataclass(frozen=True)
class PlainAutoencoder:
    """A trained autoencoder that maps NumPy arrays to NumPy arrays."""

    mean: Tensor
    scale: float
    encoder: nn.Module
    decoder: nn.Module

    @torch.no_grad()
    def encode(self, x: np.ndarray) -> np.ndarray:
        """Return latent coordinates (N, d) of samples."""
        return self.encoder((flat(x) - self.mean) / self.scale).numpy()

    @torch.no_grad()
    def decode(self, z: np.ndarray) -> np.ndarray:
        """Return flat samples (N, n) from latent coordinates."""
        return (self.mean + self.scale * self.decoder(torch.as_tensor(z, dtype=torch.float32))).numpy()

    def reconstruct(self, x: np.ndarray) -> np.ndarray:
        """Encode and decode samples."""
        return self.decode(self.encode(x)).reshape(x.shape)

    def anomaly_score(self, x: np.ndarray) -> np.ndarray:
        """Return the mean square error of each reconstruction."""
        return np.square(self.reconstruct(x) - x).reshape(len(x), -1).mean(axis=1)


def fit(samples: np.ndarray, latent_dim: int, seed: int, steps: int) -> PlainAutoencoder:
    """Train, and return the state with the smallest error on a held-out tenth of the samples (N, *shape)."""
    return fit_from(samples, latent_dim, seed, steps)


def fit_from(
    samples: np.ndarray, latent_dim: int, seed: int, steps: int, towards: Tensor | None = None, first_steps: int = 0
) -> PlainAutoencoder:
    """Train, optionally from latent coordinates `towards` (N, d).

    For `first_steps` the encoder learns these coordinates, and the decoder learns to decode them.
    """
    torch.manual_seed(seed)
    x = flat(samples)
    order = torch.randperm(len(x))
    n_validating = int(VALIDATING * len(x))
    validating, training = x[order[:n_validating]], x[order[n_validating:]]
    mean, scale = training.mean(dim=0), float(training.var(dim=0).mean().sqrt())
    training, validating = (training - mean) / scale, (validating - mean) / scale
    hidden = [WIDTH] * DEPTH
    encoder = network([x.shape[1], *hidden, latent_dim])
    decoder = network([latent_dim, *hidden, x.shape[1]])
    both = nn.Sequential(encoder, decoder)
    if towards is not None:
        z = towards[order[n_validating:]]

        def apart(rows: Tensor) -> Tensor:
            encoded, decoded = encoder(training[rows]) - z[rows], decoder(z[rows]) - training[rows]
            return encoded.square().mean() + decoded.square().mean()

        for _ in descent(both, apart, len(training), first_steps):
            pass
    least, best = math.inf, copy.deepcopy(both.state_dict())
    for step in descent(
        both, lambda rows: (both(training[rows]) - training[rows]).square().mean(), len(training), steps
    ):
        if (step + 1) % max(1, steps // LOOKS) == 0:
            with torch.no_grad():
                error = float((both(validating) - validating).square().mean())
            if error < least:
                least, best = error, copy.deepcopy(both.state_dict())
    both.load_state_dict(best)
    return PlainAutoencoder(mean, scale, encoder, decoder)


def descent(module: nn.Module, loss: Callable[[Tensor], Tensor], count: int, steps: int) -> Iterator[int]:
    """Minimise a loss of random rows by Adam with a cosine decay; yield after each step."""
    optimizer = torch.optim.Adam(module.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, steps))
    for step in range(steps):
        optimizer.zero_grad()
        loss(torch.randint(count, (BATCH,))).backward()
        optimizer.step()
        schedule.step()
        yield step


def network(widths: list[int]) -> nn.Sequential:
    """Return linear layers of given widths with tanh between them."""
    layers = [layer for a, b in pairwise(widths) for layer in (nn.Linear(a, b), nn.Tanh())]
    return nn.Sequential(*layers[:-1])


def flat(x: np.ndarray) -> Tensor:
    """Return samples as a tensor (N, n)."""
    return torch.as_tensor(x, dtype=torch.float32).reshape(len(x), -1)
