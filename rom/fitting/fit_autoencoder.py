"""rom.fit_autoencoder: an encoder and a decoder alone, from data to a model that knows how well it reconstructs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from rom.config import FitConfig, LossWeights
from rom.data.samples import as_samples
from rom.data.samples_at_positions import samples_at_positions
from rom.fitting.arguments import (
    clip_to_rank,
    require_dimension,
    require_field,
    require_rank,
    training_seconds,
    validate_arguments,
)
from rom.fitting.assemble_autoencoder import build_autoencoder
from rom.fitting.autoencoder_start import (
    closed_form,
    init_from_closed_form,
    pod_sample,
    set_correction_gain,
    use_common_input_scale,
    without_many_products,
)
from rom.fitting.isomap_start import pretrain_on_isomap
from rom.models.autoencoder import Autoencoder
from rom.models.build import add_posterior, build_encoder_decoder, require_network
from rom.networks.encoder_decoder import EncoderDecoder
from rom.networks.field_correction import attach
from rom.networks.user_modules import check_user_modules
from rom.reduction.pod import fit_projection
from rom.training.checkpoint import digest_of
from rom.training.loop import Plan, expected_correction, train
from rom.training.objectives import AutoencoderObjective
from rom.training.record import Progress, Training
from rom.utils.checks import require_choice, require_integer
from rom.utils.devices import checked_device
from rom.utils.errors import RomValueError
from rom.utils.random import generator_of
from rom.utils.time_budget import TimeBudget

__all__ = ["fit_autoencoder"]

STARTS = ("pod", "isomap")


def fit_autoencoder(
    data: Any,
    latent_dim: int,
    *,
    sample_dims: Sequence[str] | None = None,
    weights: LossWeights = LossWeights(),  # noqa: B008 - frozen
    config: FitConfig = FitConfig(),  # noqa: B008 - frozen
    modules: tuple[nn.Module, nn.Module] | None = None,
    start: str = "pod",
    seed: int = 0,
    device: str | torch.device = "auto",
    max_seconds: float | None = None,
    checkpoint: str | os.PathLike | None = None,
    callbacks: Sequence[Callable[[Progress], Any]] = (),
    verbose: bool | None = None,
) -> Autoencoder:
    """Fit an encoder z = phi(x) and a decoder x = psi(z) to data, without dynamics.

    data: samples (N, *shape), NumPy or torch, or a DataArray whose `sample_dims` tell samples apart; by default those of
        `sample`, `trajectory`, `time` and `point` that it has, or else its first. They are taken into memory. With
        `FitConfig.space`, a DataArray or a list of them, whose coordinates are positions, which may differ from one array, or one
        sample, to the next; `point` is then a dimension of positions, and an array of a list that has none of the others is one
        sample.
    latent_dim: d. More than a sample has components (an over-complete autoencoder) only with a weight for `sparse` or
        `sparse_kl`.
    weights: `reconstruction`, and the regularisers; those of rollouts and physics play no role.
    config: the networks and the training, as for `rom.fit`; `collocation_batch` samples make a batch. With hidden=() and
        quadratic_decoder=False this is principal component analysis, in closed form.
    start: where training starts. "pod": from POD and a quadratic manifold, in closed form. "isomap": encoder and decoder first
        learn, in up to 400 steps, coordinates in which distances are those along the sheet of the data (Tenenbaum, de Silva &
        Langford 2000), found for at most 1,600 samples. It unfolds sheets that are rolled or bent over, if the samples lie
        closer to their neighbours than one layer to the next. "pod" is better for closed curves and surfaces, which no such
        coordinates hold, and is kept wherever it reconstructs better. With "isomap", `FitConfig(multiscale=False)` is best: there
        are no layers left to tell apart.
    modules, seed, device, max_seconds, checkpoint, callbacks, verbose: as for `rom.fit`.

    A tenth of the samples validates, and another tenth calibrates `anomaly_score`: whole trajectories of ten or more, stretches
    of time of fewer. What is kept is the state with the least weighted sum of losses on the samples that validate. A latent
    coordinate that these do not use, or a latent space that folds, is reported; `history` tells the effective dimension.

    Raises `RomValueError` or `RomTypeError` for arguments and data that cannot be used, `RomReadError` where a computation of
    dask fails.
    """
    clock = TimeBudget(max_seconds)
    latent_dim = require_integer("latent_dim", latent_dim, low=1)
    path, seed = validate_arguments(latent_dim, weights, config, seed, max_seconds, checkpoint, callbacks), int(seed)
    require_field(modules, config)
    require_weight(weights)
    require_start(start, config, modules)
    target = checked_device(device)
    samples = (
        as_samples(data, sample_dims, seed)
        if config.space is None
        else samples_at_positions(data, sample_dims, seed, config.space)
    )
    require_dimension(latent_dim, samples.layout.n_states, weights)
    own = check_user_modules(modules, samples.layout, latent_dim)
    require_network(config, samples.layout)

    pod_of = pod_sample(samples.training, seed)
    projection = fit_projection(pod_of, config.energy_tolerance, latent_dim, config.max_rank)
    d = clip_to_rank(latent_dim, projection.rank, weights)
    if own is not None:
        require_rank(d, latent_dim)
    config = without_many_products(config, d)
    training, validating = (projection.project(torch.from_numpy(x)) for x in (samples.training, samples.validating))
    closed = closed_form(training, validating, d, config, seed)

    dtype = getattr(torch, config.dtype)
    parts = build_encoder_decoder(config, projection.rank, d, generator_of(seed), samples.layout, own)
    networks = EncoderDecoder(*parts).to(dtype)
    attach(networks, projection.basis)
    init_from_closed_form(networks, closed.manifold, training, seed)
    if weights.variational > 0.0:
        use_common_input_scale(add_posterior(networks, config, training, seed), training)
    networks.to(target)

    of_training, of_validating = (coordinates.to(target, dtype) for coordinates in (training, validating))
    objective = AutoencoderObjective(of_training, of_validating, weights, config, samples.layout.n_states, seed)
    settings = [weights.to_dict(), config.to_dict(), d, seed, start, repr(own)]
    plan = Plan(
        objective,
        weights,
        config,
        seed=seed,
        checkpoint=path,
        fingerprint="" if path is None else digest_of(settings, (training, validating)),
        callbacks=tuple(callbacks),
        verbose=sys.stderr.isatty() if verbose is None else verbose,
    )
    linear = own is None and config.network is None and not config.hidden and not config.quadratic_decoder
    # Of linear maps none reconstructs better than POD (Baldi & Hornik 1989).
    optimal = linear and not weights.regularised
    done = trained(networks, objective, plan, clock, start, optimal)
    return build_autoencoder(samples, projection, networks, closed, done, objective, plan, clock, start)


def trained(
    networks: EncoderDecoder, objective: AutoencoderObjective, plan: Plan, clock: TimeBudget, start: str, optimal: bool
) -> Training:
    """Train networks in place by the plan, towards Isomap coordinates first if that is their start. Returns the record.

    Where the closed form is `optimal` there is nothing to train.
    """
    preparation = clock.elapsed
    begun = objective.validate(networks)
    unfolding = None
    if start == "isomap" and (plan.checkpoint is None or not plan.checkpoint.exists()):  # a checkpoint has it behind it
        unfolding = pretrain_on_isomap(networks, objective.training, objective.spread, plan, clock)
    # What there is to gain at most is the weighted sum of all losses: a closed form that loses nothing may yet be far from sparse.
    losses = (begun if unfolding is None else unfolding.best).error
    correction = expected_correction(losses / (plan.weights.reconstruction + plan.weights.denoising))
    if unfolding is None or unfolding.best_step == 0:
        set_correction_gain(networks, correction)
    interrupted = unfolding is not None and unfolding.stopped == "interrupted"
    seconds = 0.0 if optimal or interrupted else training_seconds(clock, preparation)
    done = train(networks, replace(plan, correction=correction, seconds=seconds))
    done.start = begun  # the closed form, wherever the training began
    if optimal or interrupted:
        done.stopped = "optimal" if optimal else "interrupted"
    return done


def require_weight(weights: LossWeights) -> None:
    """Refuse weights under which nothing is to be reconstructed: the decoder would learn nothing."""
    if weights.reconstruction + weights.denoising <= 0.0:
        raise RomValueError(
            "weights: reconstruction and denoising are both zero, so nothing asks for the data back; give one of them a positive "
            "weight (an autoencoder has no other losses but regularisers)"
        )


def require_start(start: str, config: FitConfig, modules: tuple[nn.Module, nn.Module] | None) -> None:
    """Refuse an unknown start, and Isomap where no network could learn its coordinates."""
    require_choice("start", start, STARTS)
    if start == "isomap" and modules is None and config.network is None and not config.hidden:
        raise RomValueError(
            "start: 'isomap' needs networks that bend, and FitConfig.hidden is (); give them widths, or leave start at 'pod'"
        )
