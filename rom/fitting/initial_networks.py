"""Networks at the start of a training: equal to the closed form, with corrections that are zero."""

from __future__ import annotations

from rom.data.layout import Layout
from rom.fitting.autoencoder_start import AutoencoderStart, use_common_input_scale
from rom.fitting.initial_model import InitialModel
from rom.fitting.prepare import Prepared
from rom.fitting.prepare_samples import PreparedSamples
from rom.models.build import add_posterior, build_encoder_decoder, build_networks
from rom.models.closed_form import init_from_closed_form
from rom.networks.encoder_decoder import EncoderDecoder, Networks
from rom.networks.field_correction import attach
from rom.networks.user_modules import UserModules
from rom.training.optimiser import expected_correction
from rom.training.run import FitRun
from rom.utils.random import torch_generator

__all__ = ["initial_autoencoder_networks", "initial_networks"]


def initial_networks(
    start: InitialModel,
    prepared: Prepared,
    layout: Layout,
    modules: UserModules | None,
    run: FitRun,
) -> Networks:
    """Build the networks of a fit on its device, equal to the closed-form model.

    Parameters
    ----------
    start : InitialModel
        The closed-form model and its error, which tells how large the corrections will be.
    prepared : Prepared
        Training data, by which the inputs of the corrections are normalised.
    layout : Layout
        Labels of a state, for networks that act on fields.
    modules : UserModules or None
        Encoder and decoder of the user, in place of those of the configuration.
    run : FitRun
        Configuration, seed and device.

    Returns
    -------
    Networks
        Encoder, latent dynamics and decoder.
    """
    d = start.closed_form.latent_dim
    networks = build_networks(
        run.config,
        prepared.projection.rank,
        d,
        len(prepared.input_scaling.mean),
        run.seed,
        layout,
        modules,
    )
    attach(networks, prepared.projection.basis)
    states, parameters = prepared.states_and_parameters()
    init_from_closed_form(networks, start.closed_form, states, parameters, gain=expected_correction(start.error))
    if run.weights.variational > 0.0:
        add_posterior(networks, run.config, states, run.seed)
    return networks.to(run.device)


def initial_autoencoder_networks(
    start: AutoencoderStart, prepared: PreparedSamples, layout: Layout, modules: UserModules | None, run: FitRun
) -> EncoderDecoder:
    """Build encoder and decoder of an autoencoder on the device of the fit, equal to its closed form.

    Parameters
    ----------
    start : AutoencoderStart
        The closed form.
    prepared : PreparedSamples
        Training samples, by which the inputs of the corrections are normalised.
    layout : Layout
        Labels of a sample, for networks that act on fields.
    modules : UserModules or None
        Encoder and decoder of the user, in place of those of the configuration.
    run : FitRun
        Configuration, weights, seed and device.

    Returns
    -------
    EncoderDecoder
        Encoder and decoder.
    """
    rank, generator = prepared.projection.rank, torch_generator(run.seed)
    parts = build_encoder_decoder(run.config, rank, prepared.latent_dim, generator, layout, modules)
    networks = EncoderDecoder(*parts).to(run.dtype)
    attach(networks, prepared.projection.basis)
    no_parameters = prepared.training.new_zeros(len(prepared.training), 0)
    init_from_closed_form(networks, start.closed_form, prepared.training, no_parameters)
    if run.weights.variational > 0.0:
        add_posterior(networks, run.config, prepared.training, run.seed)
    use_common_input_scale(networks, prepared.training)
    return networks.to(run.device)
