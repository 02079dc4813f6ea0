"""The five losses: pure functions of networks and batches that return unweighted scalars.

Notation: w are POD coordinates ``(B, r)``, z = phi(w) latent states ``(B, d)``, h is the latent dynamics, psi the
decoder; a tilde marks collocation points, with dw~/dt = f(w~). Every loss is a share of a variance: losses in w and dw/dt
are divided by constants measured once on the training data.

References
----------
Sholokhov, Liu, Mansour & Nabi 2023, Sci. Rep. 13: data and physics losses of a physics-informed neural ODE.
Lee & Parish 2021, Proc. R. Soc. A 477: latent dynamics with parameters.
Champion, Lusch, Kutz & Brunton 2019, PNAS 116: physics in decoded form.
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

STATES_PER_WINDOW = 5  # after the first, at which losses are computed: neighbours would add little
WORST = 1e3  # share of a variance: counts for what is not finite, and is more than any useful model has
VARIANCE_FLOOR = 1e-12  # keeps the division finite on a batch that does not move


@dataclass(frozen=True)
class LossScales:
    """Constants of the training data that losses are divided by.

    Attributes
    ----------
    coordinates : float
        Mean variance of a POD coordinate.
    derivatives : float
        Mean square of the time derivative of a POD coordinate at collocation points.
    """

    coordinates: float
    derivatives: float


def data_losses(networks: Networks, windows: Windows, scales: LossScales, substeps: int) -> dict[str, Tensor]:
    """Compute the losses of trajectories.

    Reconstruction is ``|psi(phi(w)) - w|^2``. Prediction is ``|psi(z(t)) - w(t)|^2`` with ``dz/dt = h(z)`` and
    ``z(0) = phi(w(0))``. In a long window both are computed at few states, of which the last is one.

    Parameters
    ----------
    networks : Networks
        Encoder, latent dynamics and decoder.
    windows : Windows
        A batch of pieces of trajectories.
    scales : LossScales
        Constants to divide by.
    substeps : int
        Number of Runge-Kutta steps for each interval of a window.

    Returns
    -------
    dict of str to Tensor
        Scalars by the names of their weights.
    """
    n_intervals = len(windows.intervals)
    every = -(-n_intervals // STATES_PER_WINDOW)
    later = torch.arange(n_intervals, 0, -every, device=windows.coordinates.device)
    states = torch.cat([windows.coordinates[:1], windows.coordinates.index_select(0, later)])  # (1 + len(later), B, r)
    latent = networks.encoder(states)
    rhs = networks.latent_dynamics.as_function(windows.parameters)
    rollout = rk4_rollout(rhs, latent[0], windows.intervals, windows.forcing, substeps).index_select(0, later)
    reconstructed, predicted = networks.decoder(torch.cat([latent, rollout])).split([len(latent), len(rollout)])
    return {
        "reconstruction": mean_square(reconstructed - states) / scales.coordinates,
        "prediction": mean_square(predicted - states[1:]) / scales.coordinates,
    }


def physics_losses(networks: Networks, points: CollocationTable, scales: LossScales) -> dict[str, Tensor]:
    """Compute the losses of collocation points.

    Latent physics compares ``dphi/dw f(w~)`` with ``h(phi(w~))``, decoded physics ``dpsi/dz h(phi(w~))`` with ``f(w~)``.
    A Jacobian-vector product of the encoder along f gives z and dz/dt; one of the decoder along h gives the
    reconstruction and the decoded velocity.

    Parameters
    ----------
    networks : Networks
        Encoder, latent dynamics and decoder.
    points : CollocationTable
        A batch of collocation pairs.
    scales : LossScales
        Constants to divide by.

    Returns
    -------
    dict of str to Tensor
        Scalars by the names of their weights.
    """
    latent, latent_velocity = push_forward(networks.encoder, points.coordinates, points.derivatives)
    rate = networks.latent_dynamics(latent, points.parameters)
    reconstructed, decoded_velocity = push_forward(networks.decoder, latent, rate)
    return {
        "latent_physics": latent_mismatch(latent_velocity, rate),
        "decoded_physics": mean_square(decoded_velocity - points.derivatives) / scales.derivatives,
        "collocation_reconstruction": mean_square(reconstructed - points.coordinates) / scales.coordinates,
    }


def latent_mismatch(velocity: Tensor, rate: Tensor) -> Tensor:
    """Compute the mean square difference of two latent velocities, as a share of the batch variance of the first.

    The variance is part of the graph, so the quotient does not change when z is scaled. With a detached divisor, training
    could lower the loss by shrinking the latent space.

    Parameters
    ----------
    velocity : Tensor
        ``dphi/dw f(w~)``, of shape ``(B, d)``.
    rate : Tensor
        ``h(phi(w~))``, of shape ``(B, d)``.
    """
    return mean_square(velocity - rate) / (velocity.var(dim=0, unbiased=False).mean() + VARIANCE_FLOOR)


def mean_square(error: Tensor) -> Tensor:
    """Return the mean of all squares."""
    return error.square().mean()


def bounded(errors: Tensor) -> Tensor:
    """Return errors, as shares of a variance, of at most `WORST`; NaN becomes `WORST` as well."""
    return torch.nan_to_num(errors, nan=WORST, posinf=WORST).clamp(max=WORST)
