"""Networks of a model, built from a configuration."""

from __future__ import annotations

from typing import Any, cast

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
from rom.networks.quadratic import n_products
from rom.networks.user_modules import UserModules
from rom.utils.random import torch_generator

__all__ = [
    "add_posterior",
    "build_encoder_decoder",
    "build_networks",
    "require_network",
]

# Width of the network for the variances of a Gaussian encoder, if the configuration has no hidden layers.
POSTERIOR_WIDTH = 64


def build_networks(
    config: FitConfig,
    rank: int,
    latent_dim: int,
    n_parameters: int,
    seed: int = 0,
    layout: Layout | None = None,
    own: UserModules | None = None,
) -> Networks:
    """Build encoder, latent dynamics and decoder on the CPU.

    They return zero until they are initialised.

    Parameters
    ----------
    config : FitConfig
        Widths, activations, terms and floating-point type.
    rank : int
        Number of POD coordinates r.
    latent_dim : int
        Latent dimension d.
    n_parameters : int
        Number of parameters and inputs.
    seed : int
        Seed of the weights of hidden layers.
    layout : Layout, optional
        Labels of a state, for networks that act on fields. These also need the POD basis, which
        `rom.networks.field_correction.attach` sets.
    own : UserModules, optional
        Encoder and decoder of the user, in place of those of the configuration.

    Returns
    -------
    Networks
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
    """Build encoder and decoder as in `build_networks`.

    The weights of hidden layers are drawn from `generator`.
    """
    r, d = rank, latent_dim
    corrections = corrections_of(config, r, d, generator, layout, own)
    quadratic = zero_linear(n_products(d), r, bias=False) if config.quadratic_decoder else None
    return Encoder(zero_linear(r, d), corrections[0]), Decoder(zero_linear(d, r), quadratic, corrections[1])


def require_network(config: FitConfig, layout: Layout) -> None:
    """Raise the error of `config.network` for a state that it cannot act on.

    An example is a grid that it cannot halve.
    """
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
    """Return the neural parts of encoder and decoder; None for none.

    They act on fields or on POD coordinates.
    """
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
    """Make the encoder Gaussian during a training.

    Variational autoencoders need it.

    Parameters
    ----------
    networks : EncoderDecoder
        Changed in place.
    config : FitConfig
        Widths, activation and floating-point type.
    samples : torch.Tensor
        POD coordinates of training states, ``(N, r)``, by which the inputs are normalised.
    seed : int
        Seed of the weights of hidden layers.

    Returns
    -------
    MLP
        The logarithm of the variances; it starts as a constant.
    """
    rank, latent_dim = samples.shape[1], networks.encoder.linear.out_features
    widths = config.hidden or (POSTERIOR_WIDTH,)
    posterior = MLP(rank, latent_dim, widths, config.activation, generator=torch_generator(seed))
    posterior.normalise_to(samples)
    networks.posterior = posterior.to(getattr(torch, config.dtype))
    return posterior


def zero_linear(n_in: int, n_out: int, bias: bool = True) -> nn.Linear:
    """Return a linear layer of zeros, without drawing random numbers."""
    linear = cast(nn.Linear, skip_init(nn.Linear, n_in, n_out, bias=bias))
    for parameter in linear.parameters():
        nn.init.zeros_(parameter)
    return linear
