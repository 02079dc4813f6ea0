"""Encoder and decoder, each a closed form plus a neural correction, and the networks of a model."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from rom.networks.corrected_module import CorrectedModule
from rom.networks.field_correction import FieldDecoder, FieldEncoder
from rom.networks.jvp import push_forward
from rom.networks.latent_dynamics import LatentDynamics
from rom.networks.mlp import MLP
from rom.networks.quadratic import products

__all__ = ["Correction", "Decoder", "Encoder", "EncoderDecoder", "Networks", "n_weights", "parts_of"]

Correction = MLP | FieldEncoder | FieldDecoder


class EncoderDecoder(nn.Module):
    """Encoder phi, (..., r) to (..., d), and decoder psi, (..., d) to (..., r).

    Attributes
    ----------
    encoder : Encoder
        From POD coordinates to latent states.
    decoder : Decoder
        From latent states to POD coordinates.
    posterior : MLP or None
        Logarithm of the variances of a Gaussian encoder, whose means are phi. None outside of the training of a variational
        autoencoder.
    """

    def __init__(self, encoder: Encoder, decoder: Decoder):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.posterior: MLP | None = None

    def closed_form_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of the closed-form parts, in the order of `parameters()`."""
        parts = [part for part in self.children() if isinstance(part, CorrectedModule)]
        return [parameter for part in parts for parameter in part.closed_form_parameters()]

    def correction_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of the neural corrections and of `posterior`, in the order of `parameters()`."""
        corrections = []
        for part in self.children():
            corrections += part.correction_parameters() if isinstance(part, CorrectedModule) else part.parameters()
        return corrections


class Networks(EncoderDecoder):
    """Encoder, decoder, and latent dynamics h, (..., d) to (..., d)."""

    def __init__(self, encoder: Encoder, latent_dynamics: LatentDynamics, decoder: Decoder):
        super().__init__(encoder, decoder)
        self.latent_dynamics = latent_dynamics


def parts_of(networks: EncoderDecoder) -> dict[str, nn.Module]:
    """Return encoder, latent dynamics if there are any, and decoder, by name and in this order."""
    parts = dict(networks.named_children())
    return {name: parts[name] for name in ("encoder", "latent_dynamics", "decoder") if name in parts}


def n_weights(networks: EncoderDecoder) -> dict[str, int]:
    """Return the number of weights of each part, by name."""
    return {name: sum(p.numel() for p in part.parameters()) for name, part in parts_of(networks).items()}


class Encoder(CorrectedModule):
    """Encoder z = E w + b + correction(w), from POD coordinates w (..., r) to latent states z (..., d)."""

    def __init__(self, linear: nn.Linear, correction: Correction | None):
        super().__init__()
        self.linear = linear
        self.correction = correction

    def forward(self, coordinates: Tensor) -> Tensor:
        """Return latent states (..., d) of POD coordinates (..., r)."""
        latent = self.linear(coordinates)
        return latent if self.correction is None else latent + self.correction(coordinates)

    def push_forward(self, points: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """Return z and its derivative dphi/dw v along `tangents` v (B, r), at `points` w (B, r)."""
        parts = [self.linear] if self.correction is None else [self.linear, self.correction]
        return summed([push_forward(part, points, tangents) for part in parts])


class Decoder(CorrectedModule):
    """Decoder w = D z + b + Q (z x z) + correction(z), from latent states z (..., d) to POD coordinates w (..., r).

    Without the correction it is a quadratic manifold (Jain et al. 2017; Geelen, Wright & Willcox 2023).
    """

    def __init__(self, linear: nn.Linear, quadratic: nn.Linear | None, correction: Correction | None):
        super().__init__()
        self.linear = linear
        self.quadratic = quadratic
        self.correction = correction

    def forward(self, latent: Tensor) -> Tensor:
        """Return POD coordinates (..., r) of latent states (..., d)."""
        coordinates = self.linear(latent)
        if self.quadratic is not None:
            coordinates = coordinates + self.quadratic(products(latent))
        return coordinates if self.correction is None else coordinates + self.correction(latent)

    def push_forward(self, points: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """Return w and its derivative dpsi/dz v along `tangents` v (B, d), at `points` z (B, d)."""
        parts = [self.linear] if self.correction is None else [self.linear, self.correction]
        terms = [push_forward(part, points, tangents) for part in parts]
        if self.quadratic is not None:
            along = products(points, tangents) + products(tangents, points)
            terms.append(push_forward(self.quadratic, products(points), along))
        return summed(terms)


def summed(terms: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Return the sum of the values and the sum of the derivatives."""
    (value, derivative), *others = terms
    for other_value, other_derivative in others:
        value, derivative = value + other_value, derivative + other_derivative
    return value, derivative
