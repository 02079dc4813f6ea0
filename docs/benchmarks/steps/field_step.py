"""One training step with the package's losses, with a network on fields or with the default network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch

from rom import Convolutional, FitConfig
from rom.data.layout import Layout
from rom.models.build import build_networks
from rom.networks.field_correction import attach
from rom.training import losses
from rom.training.batches import CollocationTable, Windows

INTERVALS = 10  # of a window


def write(path: Path, shape: tuple[int, ...], d: int, rank: int, points: int, windows: int) -> None:
    """Write random POD coordinates of states of one field, and an orthonormal basis of the field."""
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.standard_normal((int(np.prod(shape)), rank)))[0]
    np.savez(
        path,
        shape=shape,
        d=d,
        basis=basis.astype(np.float32),
        windows=rng.standard_normal((INTERVALS + 1, windows, rank)).astype(np.float32),
        points=rng.standard_normal((points, rank)).astype(np.float32),
        derivatives=rng.standard_normal((points, rank)).astype(np.float32),
    )


def make(arrays: Mapping[str, np.ndarray], config: FitConfig) -> Callable[[], float]:
    """Return the step as a function.

    Weights are random, except for the last layers of encoder and decoder, as at the start of a fit.
    """
    shape, basis = tuple(map(int, arrays["shape"])), torch.from_numpy(arrays["basis"])
    layout = Layout(("y", "x")[-len(shape) :], shape)
    networks = build_networks(config, basis.shape[1], int(arrays["d"]), 0, layout=layout)
    attach(networks, basis)
    states = torch.from_numpy(arrays["windows"])
    windows = Windows.without_parameters(states, torch.full((len(states) - 1, states.shape[1], 1), 0.02))
    points = CollocationTable.without_parameters(
        torch.from_numpy(arrays["points"]), torch.from_numpy(arrays["derivatives"])
    )
    spreads = losses.LossScales(1.0, 1.0)

    def step() -> float:
        networks.zero_grad()
        terms = losses.data_losses(networks, windows, spreads, substeps=1)
        terms |= losses.physics_losses(networks, points, spreads)
        loss = torch.stack(list(terms.values())).sum()
        loss.backward()
        return loss.item()

    return step


def default(arrays: Mapping[str, np.ndarray]) -> Callable[[], float]:
    """Return the step with the default network."""
    return make(arrays, FitConfig())


def convolutional(arrays: Mapping[str, np.ndarray]) -> Callable[[], float]:
    """Return the step with a convolutional network."""
    return make(arrays, FitConfig(network=Convolutional(padding="periodic")))
