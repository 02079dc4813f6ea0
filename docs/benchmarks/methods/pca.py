"""Principal component analysis: the best linear encoder and decoder (Eckart & Young 1936; Baldi & Hornik 1989)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PrincipalComponents:
    """Mean (n,) and leading right singular vectors (n, d) of samples: z = V^T (x - mean)."""

    mean: np.ndarray
    basis: np.ndarray

    def encode(self, x: np.ndarray) -> np.ndarray:
        """Return latent coordinates (N, d) of samples."""
        return (x.reshape(len(x), -1) - self.mean) @ self.basis

    def decode(self, z: np.ndarray) -> np.ndarray:
        """Return flat samples (N, n) from latent coordinates."""
        return self.mean + z @ self.basis.T

    def reconstruct(self, x: np.ndarray) -> np.ndarray:
        """Encode and decode samples."""
        return self.decode(self.encode(x)).reshape(x.shape)

    def anomaly_score(self, x: np.ndarray) -> np.ndarray:
        """Return the mean square error of each reconstruction."""
        return np.square(self.reconstruct(x) - x).reshape(len(x), -1).mean(axis=1)


def fit(samples: np.ndarray, latent_dim: int) -> PrincipalComponents:
    """Decompose all samples (N, *shape) by singular values."""
    flat = samples.reshape(len(samples), -1)
    mean = flat.mean(axis=0)
    return PrincipalComponents(mean, np.linalg.svd(flat - mean, full_matrices=False)[2][:latent_dim].T)
