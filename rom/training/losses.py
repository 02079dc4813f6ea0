"""The five losses: pure functions of networks and batches that return unweighted scalars.

Notation: w POD coordinates (B, r) and dw/dt, z = phi(w) (B, d), h the latent dynamics, psi the decoder; a tilde marks
collocation points. Every loss is a share of a variance: those in w and dw/dt of constants measured once on the training
data. Sources: Sholokhov, Liu, Mansour & Nabi 2023, Sci. Rep. 13 (data and physics losses of a physics-informed neural
ODE); Lee & Parish 2021, Proc. R. Soc. A 477 (h with parameters); Champion, Lusch, Kutz & Brunton 2019, PNAS 116
(physics in decoded form).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rom.dynamics.runge_kutta import rk4_rollout
from rom.networks.encoder_decoder import Networks
from rom.networks.jvp import push_forward
from rom.training.batches import CollocationTable, Windows

__all__ = ["LossScales", "bounded", "data_losses", "latent_mismatch", "mean_square", "physics_losses"]

LOOKS = 5  # at the states of a window, after its first
WORST = 1e3  # share of a variance: counts for what is not finite, and is more than any useful model has
VARIANCE_FLOOR = 1e-12  # keeps the division finite on a batch that does not move


@dataclass(frozen=True)
class LossScales:
    """Constants of the training data: mean variance of a POD coordinate w, and mean square of one of dw~/dt."""

    coordinates: float
    derivatives: float


def data_losses(networks: Networks, windows: Windows, spreads: LossScales, substeps: int) -> dict[str, Tensor]:
    """Reconstruction |psi(phi(w)) - w|^2 and prediction |psi(z(t)) - w(t)|^2 with dz/dt = h(z), z(0) = phi(w(0)).

    Along a long window they are looked at in a few states only, the last among them: neighbours say the same. The latent
    states of the data and of the rollout are decoded in one call.
    """
    n_intervals = len(windows.intervals)
    every = -(-n_intervals // LOOKS)
    later = torch.arange(n_intervals, 0, -every, device=windows.coordinates.device)
    states = torch.cat([windows.coordinates[:1], windows.coordinates.index_select(0, later)])  # (1 + looks, B, r)
    latent = networks.encoder(states)
    rhs = networks.latent_dynamics.as_function(windows.parameters)
    rollout = rk4_rollout(rhs, latent[0], windows.intervals, windows.forcing, substeps).index_select(0, later)
    reconstructed, predicted = networks.decoder(torch.cat([latent, rollout])).split([len(latent), len(rollout)])
    return {
        "reconstruction": mean_square(reconstructed - states) / spreads.coordinates,
        "prediction": mean_square(predicted - states[1:]) / spreads.coordinates,
    }


def physics_losses(networks: Networks, points: CollocationTable, spreads: LossScales) -> dict[str, Tensor]:
    """The physics at collocation points: dphi/dx f(x~) = h(phi(x~)), and dpsi/dz h(phi(x~)) = f(x~).

    One jvp of the encoder along f gives z and dz/dt, one jvp of the decoder along h gives the reconstruction and the
    decoded velocity.
    """
    latent, latent_velocity = push_forward(networks.encoder, points.coordinates, points.derivatives)
    rate = networks.latent_dynamics(latent, points.parameters)
    reconstructed, decoded_velocity = push_forward(networks.decoder, latent, rate)
    return {
        "latent_physics": latent_mismatch(latent_velocity, rate),
        "decoded_physics": mean_square(decoded_velocity - points.derivatives) / spreads.derivatives,
        "collocation_reconstruction": mean_square(reconstructed - points.coordinates) / spreads.coordinates,
    }


def latent_mismatch(velocity: Tensor, rate: Tensor) -> Tensor:
    """|dphi/dx f(x~) - h(phi(x~))|^2 in shares of the batch variance of `velocity` = dphi/dx f(x~), both (B, d).

    The variance is part of the graph, so the quotient does not change when z is scaled: training cannot lower it by
    shrinking the latent space, as it could with a detached divisor.
    """
    return mean_square(velocity - rate) / (velocity.var(dim=0, unbiased=False).mean() + VARIANCE_FLOOR)


def mean_square(error: Tensor) -> Tensor:
    return error.square().mean()


def bounded(errors: Tensor) -> Tensor:
    """Return errors, as shares of a variance, of at most `WORST`; NaN becomes `WORST` as well."""
    return torch.nan_to_num(errors, nan=WORST, posinf=WORST).clamp(max=WORST)
