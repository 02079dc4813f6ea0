"""What a checkpoint must agree with: a digest of the data and the settings of a fit."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from rom.fitting.initial_model import InitialModel
from rom.fitting.prepare import Prepared
from rom.fitting.prepare_samples import PreparedSamples
from rom.networks.user_modules import UserModules
from rom.training.checkpoint import digest_of
from rom.training.run import FitRun

__all__ = ["autoencoder_fingerprint", "fingerprint"]


def fingerprint(prepared: Prepared, start: InitialModel, modules: Sequence[nn.Module] | None, run: FitRun) -> str:
    """Return the digest of data, settings, latent dimension, seed and user modules; "" without a checkpoint."""
    if run.checkpoint is None:
        return ""
    settings = [run.weights.to_dict(), run.config.to_dict(), start.closed_form.latent_dim, run.seed, repr(modules)]
    tensors = [prepared.states(), prepared.projection.basis, prepared.projection.mean, *prepared.rates()]
    tensors += [group.intervals for group in prepared.training]
    driving = [values for group in prepared.training for values in (group.parameters, group.forcing)]
    driving += [] if prepared.collocation is None else [prepared.collocation.parameters]
    return digest_of(settings, tensors, exact=driving)


def autoencoder_fingerprint(prepared: PreparedSamples, start: str, modules: UserModules | None, run: FitRun) -> str:
    """Return the digest of samples, settings, latent dimension, seed, start and user modules; "" without a checkpoint."""
    if run.checkpoint is None:
        return ""
    settings = [run.weights.to_dict(), run.config.to_dict(), prepared.latent_dim, run.seed, start, repr(modules)]
    return digest_of(settings, (prepared.training, prepared.validating))
