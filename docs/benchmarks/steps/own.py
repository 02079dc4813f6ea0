"""One training step with the package's networks and losses, on POD coordinates or on full states."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from rom import FitConfig
from rom.models.build import build_networks
from rom.networks.encoder_decoder import Networks
from rom.training import losses
from rom.training.batches import CollocationTable, Windows
from steps.arrays import HIDDEN, LATENT_HIDDEN, Arrays, at_full_order, in_pod_coordinates

CONFIG = FitConfig(
    hidden=HIDDEN,
    latent_hidden=LATENT_HIDDEN,
    multiscale=False,
    quadratic_decoder=False,
    latent_terms=("linear", "neural"),
)


def networks_of(arrays: Arrays) -> Networks:
    """Return the networks of the package with the weights of `arrays`."""
    d, k = arrays["encoder.linear.weight"].shape
    networks = build_networks(CONFIG, rank=k, latent_dim=d, n_parameters=0)
    parts = {"encoder": networks.encoder, "dynamics": networks.latent_dynamics, "decoder": networks.decoder}
    for name, part in parts.items():
        layers = [layer for layer in part.correction.layers if isinstance(layer, nn.Linear)]
        for key, layer in (("linear", part.linear), *((str(i), layer) for i, layer in enumerate(layers))):
            layer.weight.data.copy_(torch.tensor(arrays[f"{name}.{key}.weight"]))
            layer.bias.data.copy_(torch.tensor(arrays[f"{name}.{key}.bias"]))
    return networks


def make(arrays: Arrays, looks: int | None = None) -> Callable:
    """Return the step, with losses at `looks` states of a window; by default at all, as the other variants."""

    def tensor(values: np.ndarray) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.float32)

    networks = networks_of(arrays)
    states = tensor(arrays["windows"])
    losses.STATES_PER_WINDOW = looks or len(states) - 1
    intervals = torch.full((len(states) - 1, states.shape[1], 1), float(arrays["interval"]))
    windows = Windows.without_parameters(states, intervals)
    points = CollocationTable.without_parameters(tensor(arrays["points"]), tensor(arrays["derivatives"]))
    spreads = losses.LossScales(*map(float, arrays["spreads"]))

    def step() -> float:
        networks.zero_grad()
        terms = losses.data_losses(networks, windows, spreads, substeps=1)
        terms |= losses.physics_losses(networks, points, spreads)
        loss = torch.stack(list(terms.values())).sum()
        loss.backward()
        return loss.item()

    return step


def ours(arrays: Arrays) -> Callable:
    """Return the step on POD coordinates."""
    return make(in_pod_coordinates(arrays))


def ours_in_fit(arrays: Arrays) -> Callable:
    """Return the step as `rom.fit` takes it, with losses at few states of a window."""
    return make(in_pod_coordinates(arrays), looks=losses.STATES_PER_WINDOW)


def ours_full_order(arrays: Arrays) -> Callable:
    """Return the step on full states."""
    return make(at_full_order(arrays))
