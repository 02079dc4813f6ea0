"""`rom.fit_autoencoder`: an encoder and a decoder without dynamics, from samples to a calibrated model."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from rom.config import FitConfig, LossWeights
from rom.data.samples import Samples, as_samples
from rom.data.samples_at_positions import samples_at_positions
from rom.data.states import ArrayLike
from rom.fitting.arguments import check_modules, create_run, require_dimension, require_rank
from rom.fitting.assemble_autoencoder import build_autoencoder
from rom.fitting.autoencoder_start import choose_autoencoder_start, drop_costly_quadratic_path
from rom.fitting.fingerprint import autoencoder_fingerprint
from rom.fitting.initial_networks import initial_autoencoder_networks
from rom.fitting.prepare_samples import PreparedSamples, prepare_samples
from rom.fitting.train_autoencoder import train_autoencoder
from rom.models.autoencoder import Autoencoder
from rom.models.build import require_network
from rom.networks.user_modules import check_user_modules
from rom.training.autoencoder_objective import AutoencoderObjective
from rom.training.record import Progress
from rom.training.run import FitRun
from rom.utils.checks import require_choice, require_integer
from rom.utils.errors import RomValueError
from rom.utils.optional import require_scikit_learn, scikit_learn_is_installed

__all__ = ["fit_autoencoder"]

STARTS = ("pod", "isomap")


def fit_autoencoder(
    data: ArrayLike,
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
    """Fit an encoder z = phi(x) and a decoder x = psi(z) to samples, without dynamics.

    A tenth of the samples validates, and another tenth calibrates `Autoencoder.anomaly_score`. Ten or more trajectories
    are kept whole; fewer are divided into segments of time. The state with the least weighted sum of losses on the
    validating samples is returned.

    Parameters
    ----------
    data : array, xarray.DataArray, or list of DataArray
        Samples ``(N, *shape)``, in NumPy or torch, or a DataArray. They are read into memory. With `FitConfig.space`,
        DataArrays whose coordinates are positions, which may differ between arrays or samples. `point` is then a
        dimension of positions, and an array of a list that has none of the other sample dimensions is one sample.
    latent_dim : int
        Latent dimension d. More than a sample has components (an over-complete autoencoder) only with a positive weight
        for `sparse` or `sparse_kl`.
    sample_dims : sequence of str, optional
        Dimensions of a DataArray that number the samples. By default those of `sample`, `trajectory`, `time` and
        `point` that it has, or else its first.
    weights : LossWeights
        `reconstruction` and the regularisers; the weights of rollouts and physics are not used.
    config : FitConfig
        Networks and training, as for `rom.fit`. A batch has `collocation_batch` samples. With ``hidden=()`` and
        ``quadratic_decoder=False`` the result is principal component analysis, in closed form.
    modules : tuple of torch.nn.Module, optional
        Your own encoder and decoder, as for `rom.fit`.
    start : {"pod", "isomap"}
        Where training starts. "pod": from POD and a quadratic manifold, in closed form. "isomap": encoder and decoder
        first learn, in up to 400 steps, Isomap coordinates of at most 1,600 samples, in which distances are those along
        the sheet of the data. This unrolls sheets that are rolled or bent over, if samples lie closer to their
        neighbours than one layer to the next. POD is better for closed curves and surfaces, which have no such
        coordinates, and is kept wherever it reconstructs better. With "isomap", ``FitConfig(multiscale=False)`` is best.
    seed, device, max_seconds, checkpoint, callbacks, verbose
        As for `rom.fit`.

    Returns
    -------
    Autoencoder
        The autoencoder. A warning says if latent coordinates are not used, or the latent space folds; `history` has the
        effective dimension.

    Raises
    ------
    RomValueError, RomTypeError
        If an argument or the data cannot be used.
    RomImportError
        If `start` is "isomap" and scikit-learn is not installed: ``pip install latentrom[manifold]``.
    RomReadError
        If a dask computation of the data fails.

    References
    ----------
    Baldi & Hornik (1989), Neural Networks 2 (linear autoencoders).
    Tenenbaum, de Silva & Langford (2000), Science 290 (Isomap).

    Examples
    --------
    >>> import numpy as np, rom
    >>> angle = np.linspace(0.0, 6.0, 60)[:, None]
    >>> circle = np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
    >>> quick = rom.FitConfig(hidden=(8,), steps=5, validations=1)
    >>> autoencoder = rom.fit_autoencoder(circle, latent_dim=1, config=quick)
    >>> autoencoder.encode(circle).shape
    (60, 1)
    """
    run = create_run(
        config=config,
        weights=weights,
        seed=seed,
        device=device,
        max_seconds=max_seconds,
        checkpoint=checkpoint,
        callbacks=callbacks,
        verbose=verbose,
    )
    latent_dim = require_integer("latent_dim", latent_dim, low=1)
    check_modules(modules, latent_dim, run.config)
    check_reconstruction_weight(run.weights)
    check_start(start, run.config, modules)
    scikit_learn_is_installed()  # its import, which the finished model needs, is part of the time before training
    samples = read_samples(data, sample_dims, run)
    require_dimension(latent_dim, samples.layout.n_states, run.weights)
    user_modules = check_user_modules(modules, samples.layout, latent_dim)
    require_network(run.config, samples.layout)

    prepared = prepare_samples(samples, latent_dim, run)
    if user_modules is not None:
        require_rank(prepared.latent_dim, latent_dim)
    run = replace(run, config=drop_costly_quadratic_path(run.config, prepared.latent_dim))
    closed = choose_autoencoder_start(prepared.training, prepared.validating, prepared.latent_dim, run.config, run.seed)
    networks = initial_autoencoder_networks(closed, prepared, samples.layout, user_modules, run)
    objective = autoencoder_objective(prepared, samples.layout.n_states, run)
    record = train_autoencoder(
        networks,
        objective,
        run,
        start=start,
        fingerprint=autoencoder_fingerprint(prepared, start, user_modules, run),
        closed_form_is_optimal=user_modules is None and is_principal_component_analysis(run),
    )
    return build_autoencoder(samples, prepared.projection, networks, closed, record, objective, run, start)


def read_samples(data: Any, sample_dims: Sequence[str] | None, run: FitRun) -> Samples:
    """Read samples as they are, or as coefficients in a function space, and split them into three parts."""
    if run.config.space is None:
        return as_samples(data, sample_dims, run.seed)
    return samples_at_positions(data, sample_dims, run.seed, run.config.space)


def autoencoder_objective(prepared: PreparedSamples, n_states: int, run: FitRun) -> AutoencoderObjective:
    """Build the losses and the validation on samples that are on the device, in the dtype of the training."""
    training, validating = (w.to(run.device, run.dtype) for w in (prepared.training, prepared.validating))
    return AutoencoderObjective(training, validating, run.weights, run.config, n_states, run.seed)


def is_principal_component_analysis(run: FitRun) -> bool:
    """Return whether encoder and decoder are linear: no other linear maps reconstruct better than POD."""
    config = run.config
    linear = config.network is None and not config.hidden and not config.quadratic_decoder
    return linear and not run.weights.regularised


def check_reconstruction_weight(weights: LossWeights) -> None:
    """Refuse weights under which nothing is to be reconstructed: the decoder would learn nothing."""
    if weights.reconstruction + weights.denoising <= 0.0:
        raise RomValueError(
            "weights: reconstruction and denoising are both zero, so nothing asks for the data back; give one of them a "
            "positive weight (an autoencoder has no other losses but regularisers)"
        )


def check_start(start: str, config: FitConfig, modules: tuple[nn.Module, nn.Module] | None) -> None:
    """Refuse an unknown start, and Isomap if no network could learn its coordinates."""
    require_choice("start", start, STARTS)
    if start == "isomap" and modules is None and config.network is None and not config.hidden:
        raise RomValueError(
            "start: 'isomap' needs networks that bend, and FitConfig.hidden is (); give them widths, or leave start at "
            "'pod'"
        )
    if start == "isomap":
        require_scikit_learn("start='isomap'")
