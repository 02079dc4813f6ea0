"""The optimiser and its learning rate."""

from __future__ import annotations

import logging
import math

import torch

from rom.networks.encoder_decoder import EncoderDecoder

log = logging.getLogger("rom")

WARM_UP = 0.02  # share of the training in which the learning rate rises
CLOSED_FORM_SHARE = 0.1  # of the learning rate, for parameters of the closed form


def rate_factor(progress: float) -> float:
    """Learning rate in shares of its peak: a linear warm-up, then half a cosine down to zero."""
    warm = min(1.0, (progress + 1e-3) / WARM_UP)
    return warm * 0.5 * (1.0 + math.cos(math.pi * progress))


def make_optimiser(networks: EncoderDecoder, name: str, rate: float) -> torch.optim.Optimizer:
    """SOAP (Vyas et al. 2024: Adam in the eigenbasis of Shampoo's preconditioner) or Adam.

    The closed-form parts learn at `CLOSED_FORM_SHARE` of the rate of the corrections: both optimisers move every weight
    by about the rate, however small its gradient, and would shake a good start to pieces.
    """
    shares = {1.0: networks.correction_parameters(), CLOSED_FORM_SHARE: networks.closed_form_parameters()}
    trainable = {share: [p for p in parameters if p.requires_grad] for share, parameters in shares.items()}
    groups = [{"params": parameters, "share": share} for share, parameters in trainable.items() if parameters]
    if name == "adam":
        return torch.optim.Adam(groups, lr=rate)
    from pytorch_optimizer import SOAP

    # Sides longer than 256 (the quadratic parts' from d = 22 on) keep Adam's diagonal: their eigenproblems cost too much.
    return SOAP(
        groups, lr=rate, betas=(0.95, 0.95), weight_decay=0.0, precondition_frequency=10, max_precondition_dim=256
    )
