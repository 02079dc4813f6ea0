"""Samples on which autoencoders are tested, and how two of these are compared."""

import numpy as np
import torch


def cloud(n_samples, n, seed=0, decay=0.7):
    """Samples (N, n) of a normal distribution about a mean, with spreads that fall along rotated directions."""
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.standard_normal((n, n)))[0]
    return 5.0 + rng.standard_normal((n_samples, n)) * decay ** np.arange(n) @ rotation


def circle(n_samples=400, seed=0):
    """Points on a closed curve in four dimensions: one number tells them apart, but no line holds them."""
    angle = np.random.default_rng(seed).uniform(-0.9 * np.pi, 0.9 * np.pi, n_samples)
    return np.stack([np.cos(angle), np.sin(angle), 0.2 * np.cos(2 * angle), 0.2 * np.sin(2 * angle)], axis=1)


def same_weights(one, other) -> bool:
    """Whether two autoencoders agree bit by bit."""
    a, b = one._state.state_dict(), other._state.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
