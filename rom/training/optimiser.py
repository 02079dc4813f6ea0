"""The optimiser and its learning rate."""

from __future__ import annotations

import math

import torch

from rom.networks.encoder_decoder import EncoderDecoder

__all__ = ["expected_correction", "make_optimiser", "peak_learning_rate", "rate_factor"]

WARM_UP = 0.02  # share of the training in which the learning rate rises
WARM_UP_START = 1e-3  # progress at which the warm-up begins, so that the first step is not zero
CLOSED_FORM_SHARE = 0.1  # of the learning rate, for parameters of the closed form
CORRECTION_FACTOR = 3.0  # size of the corrections to learn, relative to the error of the closed form
LARGE_CORRECTION = 0.25  # in standard deviations of the states: from here on the learning rate is not lowered


def expected_correction(error: float) -> float:
    """Return the size of the corrections that the networks must learn.

    The corrections start at this size. If it is small, so is the learning rate, which preserves a good closed form.

    Parameters
    ----------
    error : float
        Mean square error of the closed form, as a share of the variance.

    Returns
    -------
    float
        Size in standard deviations of the states, at most 1.
    """
    return min(1.0, CORRECTION_FACTOR * math.sqrt(error))


def peak_learning_rate(learning_rate: float, correction: float) -> float:
    """Return the largest learning rate of a training, which is lower than the setting if the corrections are small."""
    return min(1.0, correction / LARGE_CORRECTION) * learning_rate


def rate_factor(progress: float) -> float:
    """Return the learning rate as a share of its peak: a linear warm-up, then half a cosine down to zero.

    Parameters
    ----------
    progress : float
        Progress of the training, from 0 to 1.
    """
    warm = min(1.0, (progress + WARM_UP_START) / WARM_UP)
    return warm * 0.5 * (1.0 + math.cos(math.pi * progress))


def make_optimiser(networks: EncoderDecoder, name: str, rate: float) -> torch.optim.Optimizer:
    """Return an optimiser with one group of parameters for the corrections and one for the closed form.

    The closed form learns at `CLOSED_FORM_SHARE` of the learning rate of the corrections. Both optimisers change every
    weight by about the learning rate, however small its gradient, and would soon destroy a good closed form.

    Parameters
    ----------
    networks : EncoderDecoder
        The networks to train.
    name : str
        "adam", or "soap" for Adam in the eigenbasis of the preconditioner of Shampoo.
    rate : float
        Learning rate of the corrections.

    Returns
    -------
    torch.optim.Optimizer
        The optimiser. The share of the learning rate of each group is under the key "share".

    References
    ----------
    Vyas et al. 2024, SOAP: improving and stabilizing Shampoo using Adam, arXiv:2409.11321.
    """
    shares = {1.0: networks.correction_parameters(), CLOSED_FORM_SHARE: networks.closed_form_parameters()}
    trainable = {share: [p for p in parameters if p.requires_grad] for share, parameters in shares.items()}
    groups = [{"params": parameters, "share": share} for share, parameters in trainable.items() if parameters]
    if name == "adam":
        return torch.optim.Adam(groups, lr=rate)
    from pytorch_optimizer import SOAP  # a slow import, which Adam does not need

    # Sides longer than 256 (the quadratic parts' from d = 22 on) keep Adam's diagonal: their eigenproblems cost too much.
    return SOAP(
        groups, lr=rate, betas=(0.95, 0.95), weight_decay=0.0, precondition_frequency=10, max_precondition_dim=256
    )
