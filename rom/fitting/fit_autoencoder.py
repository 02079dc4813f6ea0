"""rom.fit_autoencoder: an encoder and a decoder alone, from data to a model that knows how well it reconstructs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from rom.config import FitConfig, LossWeights
from rom.data.samples import as_samples
from rom.data.samples_at_positions import samples_at_positions
from rom.fitting.arguments import (
    check_modules,
    clip_to_rank,
    create_run,
    require_dimension,
    require_rank,
)
from rom.fitting.assemble_autoencoder import build_autoencoder
from rom.fitting.autoencoder_start import (
    choose_autoencoder_start,
    drop_costly_quadratic_path,
    pod_sample,
    set_correction_gain,
    use_common_input_scale,
)
from rom.fitting.isomap_start import pretrain_on_isomap
from rom.models.autoencoder import Autoencoder
from rom.models.build import add_posterior, build_encoder_decoder, init_from_closed_form, require_network
from rom.networks.encoder_decoder import EncoderDecoder
from rom.networks.field_correction import attach
from rom.networks.user_modules import check_user_modules
from rom.reduction.pod import fit_projection
from rom.training.autoencoder_objective import AutoencoderObjective
from rom.training.checkpoint import digest_of
from rom.training.loop import expected_correction, train
from rom.training.record import Progress, TrainingRecord
from rom.training.run import FitRun
from rom.utils.checks import require_choice, require_integer
from rom.utils.errors import RomValueError
from rom.utils.optional import require_scikit_learn
from rom.utils.random import torch_generator

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
    latent_dim = require_integer("latent_dim", latent_dim, low=1)
    run = create_run(
        weights=weights,
        config=config,
        seed=seed,
        device=device,
        max_seconds=max_seconds,
        checkpoint=checkpoint,
        callbacks=callbacks,
        verbose=verbose,
    )
    seed = run.seed
    check_modules(modules, latent_dim, config)
    require_weight(weights)
    require_start(start, config, modules)
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
    run = replace(run, config=drop_costly_quadratic_path(config, d))
    config = run.config
    training, validating = (projection.project(torch.from_numpy(x)) for x in (samples.training, samples.validating))
    closed = choose_autoencoder_start(training, validating, d, config, seed)

    parts = build_encoder_decoder(config, projection.rank, d, torch_generator(seed), samples.layout, own)
    networks = EncoderDecoder(*parts).to(run.dtype)
    attach(networks, projection.basis)
    init_from_closed_form(networks, closed.closed_form, training)
    if weights.variational > 0.0:
        add_posterior(networks, config, training, seed)
    use_common_input_scale(networks, training)
    networks.to(run.device)

    of_training, of_validating = (coordinates.to(run.device, run.dtype) for coordinates in (training, validating))
    objective = AutoencoderObjective(of_training, of_validating, weights, config, samples.layout.n_states, seed)
    settings = [weights.to_dict(), config.to_dict(), d, seed, start, repr(own)]
    fingerprint = "" if run.checkpoint is None else digest_of(settings, (training, validating))
    linear = own is None and config.network is None and not config.hidden and not config.quadratic_decoder
    # Of linear maps none reconstructs better than POD (Baldi & Hornik 1989).
    optimal = linear and not weights.regularised
    done = trained(networks, objective, run, fingerprint, start, optimal)
    return build_autoencoder(samples, projection, networks, closed, done, objective, run, start)


def trained(
    networks: EncoderDecoder, objective: AutoencoderObjective, run: FitRun, fingerprint: str, start: str, optimal: bool
) -> TrainingRecord:
    """Train networks in place by the objective, towards Isomap coordinates first if that is their start. Returns the record.

    Where the closed form is `optimal` there is nothing to train.
    """
    preparation = run.budget.elapsed
    begun = objective.validate(networks)
    unfolding = None
    if start == "isomap" and (run.checkpoint is None or not run.checkpoint.exists()):  # a checkpoint has it behind it
        unfolding = pretrain_on_isomap(networks, objective, run)
    # What there is to gain at most is the weighted sum of all losses: a closed form that loses nothing may yet be far from sparse.
    losses = (begun if unfolding is None else unfolding.best).error
    correction = expected_correction(losses / (run.weights.reconstruction + run.weights.denoising))
    if unfolding is None or unfolding.best_step == 0:
        set_correction_gain(networks, correction)
    interrupted = unfolding is not None and unfolding.stopped == "interrupted"
    seconds = 0.0 if optimal or interrupted else run.budget.for_training(preparation)
    done = train(networks, objective, run, correction=correction, fingerprint=fingerprint, seconds=seconds)
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
    if start == "isomap":
        require_scikit_learn("start='isomap'")
