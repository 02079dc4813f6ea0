"""Networks that are equal to a closed-form model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from rom.config import FitConfig
from rom.models.build import build_networks
from rom.networks.encoder_decoder import Correction, EncoderDecoder, Networks
from rom.networks.quadratic import from_distinct_products
from rom.reduction.closed_form import ClosedForm

__all__ = ["closed_form_config", "closed_form_networks", "init_from_closed_form"]


@torch.no_grad()
def init_from_closed_form(
    networks: EncoderDecoder,
    closed_form: ClosedForm,
    coordinates: Tensor,
    parameters: Tensor,
    gain: float = 1.0,
) -> None:
    """Make networks equal to a closed-form model.

    The normalisation of their corrections is fixed as well.

    Parameters
    ----------
    networks : EncoderDecoder
        Changed in place. Their corrections are zero, as `build_networks` leaves them.
    closed_form : ClosedForm
        With dynamics if the networks have latent dynamics.
    coordinates : torch.Tensor
        POD coordinates of training states, ``(N, r)``.
    parameters : torch.Tensor
        Their parameters and forcing, ``(N, p + q)``; not used without dynamics.
    gain : float
        Expected size of the corrections, in units of the spread of the states.
    """
    manifold, dynamics = closed_form.manifold, closed_form.dynamics
    latent = coordinates @ torch.from_numpy(closed_form.encoder).to(coordinates).T
    assign(networks.encoder.linear, closed_form.encoder)
    assign(networks.decoder.linear, manifold.linear, manifold.offset)
    assign_quadratic(networks.decoder.quadratic, manifold.quadratic, closed_form.latent_dim)
    scale_correction(networks.encoder.correction, coordinates, gain)
    scale_correction(networks.decoder.correction, latent, gain)
    if dynamics is not None:
        assert isinstance(networks, Networks)
        h = networks.latent_dynamics
        assign(h.linear, dynamics.linear, dynamics.offset)
        assign_quadratic(h.quadratic, dynamics.quadratic, dynamics.linear.shape[1])
        scale_correction(h.correction, torch.cat([latent, parameters], dim=1), gain)


def scale_correction(correction: Correction | None, inputs: Tensor, gain: float) -> None:
    """Fix the normalisation of a correction, and its expected size `gain`.

    `inputs` are samples of what it is applied to, ``(N, n_in)``.
    """
    if correction is not None:
        correction.normalise_to(inputs)
        correction.gain.fill_(gain)


def assign(linear: nn.Linear, weight: np.ndarray, bias: np.ndarray | None = None) -> None:
    """Set the weight and, if given, the bias of a layer."""
    linear.weight.copy_(torch.from_numpy(np.ascontiguousarray(weight)))
    if bias is not None:
        linear.bias.copy_(torch.from_numpy(bias))


def assign_quadratic(linear: nn.Linear | None, coefficients: np.ndarray | None, k: int) -> None:
    """Set the layer that acts on the `products` of k variables, if there is one.

    `coefficients` are those of the distinct products; None stands for zeros.
    """
    if linear is None:
        return
    if coefficients is None:
        nn.init.zeros_(linear.weight)
    else:
        assign(linear, from_distinct_products(coefficients, k))


def closed_form_config(config: FitConfig) -> FitConfig:
    """Return the configuration of a closed-form model: without corrections."""
    return replace(
        config, network=None, hidden=(), latent_hidden=(), quadratic_decoder=True, latent_terms=("linear", "quadratic")
    )


def closed_form_networks(config: FitConfig, closed_form: ClosedForm) -> Networks:
    """Return a closed-form model with dynamics as networks."""
    assert closed_form.dynamics is not None
    r, n_parameters = closed_form.rank, closed_form.dynamics.n_parameters
    networks = build_networks(closed_form_config(config), r, closed_form.latent_dim, n_parameters)
    init_from_closed_form(networks, closed_form, torch.zeros(1, r), torch.zeros(1, n_parameters))
    return networks.requires_grad_(False)
