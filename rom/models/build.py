"""The networks of a model: built from a configuration, initialised from a closed-form model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from rom.config import FitConfig
from rom.data.layout import Layout
from rom.networks.encoder_decoder import Correction, Decoder, Encoder, EncoderDecoder, Networks
from rom.networks.field_correction import FieldDecoder, FieldEncoder
from rom.networks.geometry import geometry_of
from rom.networks.latent_dynamics import LatentDynamics
from rom.networks.mlp import MLP
from rom.networks.quadratic import from_distinct_products, n_products
from rom.networks.user_modules import UserModules
from rom.reduction.closed_form import ClosedForm
from rom.utils.random import torch_generator

__all__ = [
    "add_posterior",
    "build_encoder_decoder",
    "build_networks",
    "closed_form_config",
    "closed_form_networks",
    "init_from_closed_form",
    "require_network",
]

POSTERIOR_WIDTH = 64  # of the network for the variances, where the configuration has no layers


def build_networks(
    config: FitConfig,
    rank: int,
    latent_dim: int,
    n_parameters: int,
    seed: int = 0,
    layout: Layout | None = None,
    own: UserModules | None = None,
) -> Networks:
    """Networks in `config.dtype` on the CPU. Linear and quadratic parts and all corrections start at zero.

    `layout` of the states, for networks that act on fields; these also want the POD basis (`rom.networks.field_correction.attach`).
    `own`: modules of the user in place of those of the configuration.
    """
    generator = torch_generator(seed)
    encoder, decoder = build_encoder_decoder(config, rank, latent_dim, generator, layout, own)
    k = latent_dim + n_parameters
    neural = "neural" in config.latent_terms and config.latent_hidden
    dynamics = LatentDynamics(
        zero_linear(k, latent_dim),
        zero_linear(n_products(k), latent_dim, bias=False) if "quadratic" in config.latent_terms else None,
        MLP(k, latent_dim, config.latent_hidden, config.activation, generator=generator) if neural else None,
    )
    if "linear" not in config.latent_terms:
        dynamics.linear.requires_grad_(False)
    return Networks(encoder, dynamics, decoder).to(getattr(torch, config.dtype))


def build_encoder_decoder(
    config: FitConfig,
    rank: int,
    latent_dim: int,
    generator: torch.Generator,
    layout: Layout | None = None,
    own: UserModules | None = None,
) -> tuple[Encoder, Decoder]:
    """Encoder and decoder of a configuration, as in `build_networks`."""
    r, d = rank, latent_dim
    corrections = corrections_of(config, r, d, generator, layout, own)
    quadratic = zero_linear(n_products(d), r, bias=False) if config.quadratic_decoder else None
    return Encoder(zero_linear(r, d), corrections[0]), Decoder(zero_linear(d, r), quadratic, corrections[1])


def require_network(config: FitConfig, layout: Layout) -> None:
    """Raise what `config.network` refuses about states of this layout, such as a grid that it cannot halve."""
    if config.network is not None:
        geometry = geometry_of(layout)
        config.network.encoder(geometry, 1)
        config.network.decoder(geometry, 1)


def corrections_of(
    config: FitConfig,
    rank: int,
    latent_dim: int,
    generator: torch.Generator,
    layout: Layout | None,
    own: UserModules | None,
) -> tuple[Correction | None, Correction | None]:
    """The neural parts of encoder and decoder: on fields, or on POD coordinates; None for none."""
    r, d = rank, latent_dim
    if own is not None:
        geometry, modules = own.geometry, own.modules()
        return FieldEncoder(modules[0], geometry, r), FieldDecoder(modules[1], geometry, r, d)
    if config.network is not None:
        assert layout is not None
        geometry = geometry_of(layout)
        return (
            FieldEncoder(config.network.encoder(geometry, d, generator), geometry, r),
            FieldDecoder(config.network.decoder(geometry, d, generator), geometry, r, d),
        )
    if not config.hidden:
        return None, None
    form: dict[str, Any] = {"layer_norm": config.layer_norm, "residual": config.residual, "generator": generator}
    return (
        MLP(r, d, config.hidden, config.activation, config.multiscale, **form),
        MLP(d, r, config.hidden, config.activation, **form),
    )


def add_posterior(networks: EncoderDecoder, config: FitConfig, samples: Tensor, seed: int) -> MLP:
    """Make the encoder Gaussian for a training, with the same variance everywhere at its start. `samples` (N, r)."""
    rank, latent_dim = samples.shape[1], networks.encoder.linear.out_features
    widths = config.hidden or (POSTERIOR_WIDTH,)
    posterior = MLP(rank, latent_dim, widths, config.activation, generator=torch_generator(seed))
    posterior.normalise_to(samples)
    networks.posterior = posterior.to(getattr(torch, config.dtype))
    return posterior


def zero_linear(n_in: int, n_out: int, bias: bool = True) -> nn.Linear:
    linear = cast(nn.Linear, skip_init(nn.Linear, n_in, n_out, bias=bias))
    for parameter in linear.parameters():
        nn.init.zeros_(parameter)
    return linear


@torch.no_grad()
def init_from_closed_form(
    networks: EncoderDecoder,
    closed_form: ClosedForm,
    coordinates: Tensor,
    parameters: Tensor,
    gain: float = 1.0,
) -> None:
    """Make networks equal to a closed-form model, and fix the normalisation of their corrections.

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
    """Fix the normalisation of a correction by samples of its `inputs` ``(N, n_in)``, and its expected size `gain`."""
    if correction is not None:
        correction.normalise_to(inputs)
        correction.gain.fill_(gain)


def assign(linear: nn.Linear, weight: np.ndarray, bias: np.ndarray | None = None) -> None:
    """Set the weight and, if given, the bias of a layer."""
    linear.weight.copy_(torch.from_numpy(np.ascontiguousarray(weight)))
    if bias is not None:
        linear.bias.copy_(torch.from_numpy(bias))


def assign_quadratic(linear: nn.Linear | None, coefficients: np.ndarray | None, k: int) -> None:
    """Set the layer that acts on the `products` of k variables, if there is one, from coefficients of distinct products."""
    if linear is None:
        return
    if coefficients is None:
        nn.init.zeros_(linear.weight)
    else:
        assign(linear, from_distinct_products(coefficients, k))


def closed_form_config(config: FitConfig) -> FitConfig:
    """The configuration of the closed-form model behind `config`: no corrections."""
    return replace(
        config, network=None, hidden=(), latent_hidden=(), quadratic_decoder=True, latent_terms=("linear", "quadratic")
    )


def closed_form_networks(config: FitConfig, closed_form: ClosedForm) -> Networks:
    """Return the closed-form model alone, with dynamics, as networks without corrections."""
    assert closed_form.dynamics is not None
    r, n_parameters = closed_form.rank, closed_form.dynamics.n_parameters
    networks = build_networks(closed_form_config(config), r, closed_form.latent_dim, n_parameters)
    init_from_closed_form(networks, closed_form, torch.zeros(1, r), torch.zeros(1, n_parameters))
    return networks.requires_grad_(False)
