"""Encoder and decoder: a linear path, a quadratic path (decoder) and a neural correction."""

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


class EncoderDecoder(nn.Module):
    """Encoder phi (..., r) -> (..., d) and decoder psi (..., d) -> (..., r).

    `posterior`, in the training of a variational autoencoder alone: the logarithm of the variances of its Gaussian encoder, whose
    means are phi.
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
    """Encoder, decoder, and between them the latent dynamics h (..., d) -> (..., d)."""

    def __init__(self, encoder: Encoder, latent_dynamics: LatentDynamics, decoder: Decoder):
        super().__init__(encoder, decoder)
        self.latent_dynamics = latent_dynamics


def parts_of(networks: EncoderDecoder) -> dict[str, nn.Module]:
    """The parts by name, on the way from a state through the networks."""
    parts = dict(networks.named_children())
    return {name: parts[name] for name in ("encoder", "latent_dynamics", "decoder") if name in parts}


def n_weights(networks: EncoderDecoder) -> dict[str, int]:
    """Weights of each part, by its name."""
    return {name: sum(p.numel() for p in part.parameters()) for name, part in parts_of(networks).items()}


Correction = MLP | FieldEncoder | FieldDecoder


class Encoder(CorrectedModule):
    """phi: z = E w + b + correction(w), from POD coordinates (..., r) to latent states (..., d)."""

    def __init__(self, linear: nn.Linear, correction: Correction | None):
        super().__init__()
        self.linear = linear
        self.correction = correction

    def forward(self, coordinates: Tensor) -> Tensor:
        latent = self.linear(coordinates)
        return latent if self.correction is None else latent + self.correction(coordinates)

    def push_forward(self, points: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """z and dphi/dw v at `points` w (B, r) along `tangents` v (B, r)."""
        parts = [self.linear] if self.correction is None else [self.linear, self.correction]
        return summed([push_forward(part, points, tangents) for part in parts])


class Decoder(CorrectedModule):
    """psi: w = D z + b + Q (z x z) + correction(z), from latent states (..., d) to POD coordinates (..., r).

    Without the correction this is a quadratic manifold (Jain et al. 2017; Geelen, Wright & Willcox 2023).
    """

    def __init__(self, linear: nn.Linear, quadratic: nn.Linear | None, correction: Correction | None):
        super().__init__()
        self.linear = linear
        self.quadratic = quadratic
        self.correction = correction

    def forward(self, latent: Tensor) -> Tensor:
        coordinates = self.linear(latent)
        if self.quadratic is not None:
            coordinates = coordinates + self.quadratic(products(latent))
        return coordinates if self.correction is None else coordinates + self.correction(latent)

    def push_forward(self, points: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """w and dpsi/dz v at `points` z (B, d) along `tangents` v (B, d)."""
        parts = [self.linear] if self.correction is None else [self.linear, self.correction]
        terms = [push_forward(part, points, tangents) for part in parts]
        if self.quadratic is not None:
            along = products(points, tangents) + products(tangents, points)
            terms.append(push_forward(self.quadratic, products(points), along))
        return summed(terms)


def summed(terms: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """The sum of values, and that of derivatives."""
    (value, derivative), *others = terms
    for other_value, other_derivative in others:
        value, derivative = value + other_value, derivative + other_derivative
    return value, derivative
