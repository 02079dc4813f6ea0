"""The three networks of one model: built from a configuration, started from the closed-form model."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from rom.config import FitConfig
from rom.latent_dynamics import LatentDynamics
from rom.networks import MLP, Decoder, Encoder
from rom.quadratic import n_products, packed
from rom.warm_start import ClosedForm

__all__ = ["EncoderDecoder", "Networks", "build_networks", "closed_form_config", "closed_form_networks", "start_from"]


class EncoderDecoder(nn.Module):
    """Encoder phi (..., r) -> (..., d) and decoder psi (..., d) -> (..., r)."""

    def __init__(self, encoder: Encoder, decoder: Decoder):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder


class Networks(EncoderDecoder):
    """Encoder, decoder, and between them the latent dynamics h (..., d) -> (..., d)."""

    def __init__(self, encoder: Encoder, latent_dynamics: LatentDynamics, decoder: Decoder):
        super().__init__(encoder, decoder)
        self.latent_dynamics = latent_dynamics


def build_networks(config: FitConfig, rank: int, latent_dim: int, n_parameters: int, seed: int = 0) -> Networks:
    """Networks in `config.dtype` on the CPU. Linear and quadratic parts and all corrections start at zero."""
    r, d, k = rank, latent_dim, latent_dim + n_parameters
    generator = torch.Generator().manual_seed(seed % 2**63)

    def correction(n_in: int, n_out: int, hidden: tuple[int, ...], multiscale: bool = False) -> MLP | None:
        return MLP(n_in, n_out, hidden, config.activation, multiscale, generator) if hidden else None

    networks = Networks(
        Encoder(zero_linear(r, d), correction(r, d, config.hidden, config.multiscale)),
        LatentDynamics(
            zero_linear(k, d),
            zero_linear(n_products(k), d, bias=False) if "quadratic" in config.latent_terms else None,
            correction(k, d, config.latent_hidden) if "neural" in config.latent_terms else None,
        ),
        Decoder(
            zero_linear(d, r),
            zero_linear(n_products(d), r, bias=False) if config.quadratic_decoder else None,
            correction(d, r, config.hidden),
        ),
    )
    if "linear" not in config.latent_terms:
        networks.latent_dynamics.linear.requires_grad_(False)
    return networks.to(getattr(torch, config.dtype))


def zero_linear(n_in: int, n_out: int, bias: bool = True) -> nn.Linear:
    linear = cast(nn.Linear, skip_init(nn.Linear, n_in, n_out, bias=bias))
    for parameter in linear.parameters():
        nn.init.zeros_(parameter)
    return linear


def start_from(
    networks: Networks, closed_form: ClosedForm, coordinates: Tensor, parameters: Tensor | None, gain: float = 1.0
) -> None:
    """Make `networks` equal to the closed-form model, and fix the normalisation of the corrections.

    `coordinates` (N, r) and `parameters` (N, p) or None are samples of the training data; `gain` is the size of the
    corrections to expect, in units of the spread of the states.
    """
    d = closed_form.latent_dim
    with torch.no_grad():
        networks.encoder.linear.weight.copy_(torch.eye(d, coordinates.shape[1]))
        assign(networks.latent_dynamics.linear, closed_form.linear, closed_form.offset)
        assign(networks.latent_dynamics.quadratic, packed(closed_form.quadratic, closed_form.linear.shape[1]))
        assign(networks.decoder.linear, closed_form.decoder_linear, closed_form.decoder_offset)
        assign(networks.decoder.quadratic, packed(closed_form.decoder_quadratic, d))
        latent = coordinates[:, :d]
        for mlp, inputs in (
            (networks.encoder.correction, coordinates),
            (networks.latent_dynamics.correction, latent if parameters is None else torch.cat([latent, parameters], 1)),
            (networks.decoder.correction, latent),
        ):
            if mlp is not None:
                mlp.normalise_to(inputs)
                mlp.gain.fill_(gain)


def assign(linear: nn.Linear | None, weight: np.ndarray, bias: np.ndarray | None = None) -> None:
    if linear is None:
        return
    linear.weight.copy_(torch.from_numpy(np.ascontiguousarray(weight)))
    if bias is not None:
        linear.bias.copy_(torch.from_numpy(bias))


def closed_form_config(config: FitConfig) -> FitConfig:
    """The configuration of the closed-form model behind `config`: no corrections."""
    return replace(config, hidden=(), latent_hidden=(), quadratic_decoder=True, latent_terms=("linear", "quadratic"))


def closed_form_networks(config: FitConfig, closed_form: ClosedForm) -> Networks:
    """The closed-form model alone, as networks without corrections."""
    r, d = closed_form.decoder_linear.shape
    n_parameters = closed_form.linear.shape[1] - d
    networks = build_networks(closed_form_config(config), r, d, n_parameters)
    sample = torch.zeros(1, r)
    start_from(networks, closed_form, sample, torch.zeros(1, n_parameters) if n_parameters else None)
    return networks.requires_grad_(False)
