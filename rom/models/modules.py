"""All numbers of a fitted model or autoencoder, as torch modules: what `save` stores and `to` moves."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from rom.config import FitConfig
from rom.data.codec import codec_type
from rom.data.layout import Layout
from rom.models.build import build_encoder_decoder, build_networks
from rom.models.closed_form import closed_form_config
from rom.models.validity import TrainingRegion
from rom.networks.encoder_decoder import EncoderDecoder, Networks
from rom.networks.field_correction import attach
from rom.networks.user_modules import UserModules
from rom.reduction.pod import Projection

__all__ = ["DOUBLE", "EXACT", "AutoencoderState", "ModelModules", "ModelState"]

DOUBLE = torch.float64
# Buffers in float64, whatever the dtype of the networks: numbers like 1e8 + 1 would be lost in float32.
EXACT = ("parameter_mean", "parameter_spread", "parameter_range", "prior_variance", "prior_noise")


class ModelModules(nn.Module):
    """The numbers that every fit has.

    Parameters
    ----------
    projection : Projection
        POD of flat states.
    networks : EncoderDecoder
        Holds at least `encoder` and `decoder`.
    **buffers : torch.Tensor
        Further numbers, by name.
    """

    def __init__(self, projection: Projection, networks: Any, **buffers: Tensor):
        super().__init__()
        self.projection = projection
        self.networks = networks
        for name, value in buffers.items():
            self.register_buffer(name, value)

    def fill(self, tensors: dict[str, Tensor]) -> None:
        """Take all numbers from a file."""
        self.load_state_dict(tensors)
        attach(self.networks, self.projection.basis)

    def encode(self, states: Tensor) -> Tensor:
        """Return latent states (..., d) of flat states (..., n)."""
        return self.networks.encoder(self.projection.project(states))

    def decode(self, latent: Tensor) -> Tensor:
        """Return flat states (..., n) of latent states (..., d)."""
        return self.projection.lift(self.networks.decoder(latent))


class ModelState(ModelModules):
    """All numbers of a reduced-order model.

    Parameters
    ----------
    projection : Projection
        POD of flat states.
    networks : Networks
        Encoder, latent dynamics and decoder.
    closed_form : Networks
        The closed-form model that training started from.
    region, closed_form_region : TrainingRegion
        Latent states of the training data, for both.
    **buffers : torch.Tensor
        The attributes below, and those of the codec.

    Attributes
    ----------
    time_scale : torch.Tensor
        The unit of time of the networks, in the unit of the data. Shape ().
    max_step : torch.Tensor
        The longest Runge-Kutta step of forecasts, in units of `time_scale`. Shape ().
    residual_spread : torch.Tensor
        Root mean square of the latent physics residual in training. Shape ``(d,)``.
    parameter_mean, parameter_spread : torch.Tensor
        Mean and standard deviation of parameters and forcing, ``(p + q,)``, float64.
    parameter_range : torch.Tensor
        Least and largest values of these in training, ``(2, p + q)``, float64.
    """

    time_scale: Tensor
    max_step: Tensor
    residual_spread: Tensor
    parameter_mean: Tensor
    parameter_spread: Tensor
    parameter_range: Tensor

    def __init__(
        self,
        projection: Projection,
        networks: Networks,
        closed_form: Networks,
        region: TrainingRegion,
        closed_form_region: TrainingRegion,
        **buffers: Tensor,
    ):
        super().__init__(projection, networks, **buffers)
        self.closed_form = closed_form
        self.region = region
        self.closed_form_region = closed_form_region

    @staticmethod
    def empty(
        config: FitConfig, layout: Layout, rank: int, latent_dim: int, own: UserModules | None = None
    ) -> ModelState:
        """Return a state of the right shapes, to be filled from a file."""
        d, p = latent_dim, len(layout.parameters) + layout.n_forcing
        dtype = getattr(torch, config.dtype)
        shapes: dict[str, tuple[int, ...]] = {
            "time_scale": (),
            "max_step": (),
            "residual_spread": (d,),
            "parameter_mean": (p,),
            "parameter_spread": (p,),
            "parameter_range": (2, p),
        }
        shapes |= codec_type(layout).buffer_shapes(layout, rank)
        projection = Projection.empty(layout.n_states, rank)
        return ModelState(
            projection.to(dtype),
            build_networks(config, rank, d, p, layout=layout, own=own),
            build_networks(closed_form_config(config), rank, d, p),
            TrainingRegion.empty(d).to(dtype),
            TrainingRegion.empty(d).to(dtype),
            **{name: torch.zeros(shape, dtype=DOUBLE if name in EXACT else dtype) for name, shape in shapes.items()},
        )


class AutoencoderState(ModelModules):
    """All numbers of an autoencoder.

    Attributes
    ----------
    calibration : torch.Tensor
        Mean square errors ``(m,)`` of reconstructed samples that took no part in the training, in increasing order, float64.
        In a function space, the errors are those of the values.
    """

    calibration: Tensor

    @staticmethod
    def empty(
        config: FitConfig, layout: Layout, rank: int, latent_dim: int, own: UserModules | None = None
    ) -> AutoencoderState:
        """Return a state of the right shapes, to be filled from a file."""
        dtype = getattr(torch, config.dtype)
        parts = build_encoder_decoder(config, rank, latent_dim, torch.Generator(), layout, own)
        projection = Projection.empty(layout.n_states, rank)
        shapes = {"calibration": (0,)} | codec_type(layout).buffer_shapes(layout, rank)
        buffers = {name: torch.zeros(shape, dtype=DOUBLE) for name, shape in shapes.items()}
        return AutoencoderState(projection.to(dtype), EncoderDecoder(*parts).to(dtype), **buffers)

    def fill(self, tensors: dict[str, Tensor]) -> None:
        """Take all numbers from a file, which alone tells how many samples calibrated."""
        self.calibration = tensors["calibration"].clone()
        super().fill(tensors)
