"""Settings of a fit: frozen dataclasses that refuse unknown keys and travel as JSON inside the model file."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Self

from rom.networks.convolution import Convolutional
from rom.networks.graph import Graph
from rom.networks.implicit import Implicit
from rom.networks.mlp import ACTIVATIONS
from rom.reduction.spline_space import Coordinate
from rom.utils.checks import require_choice, require_flag, require_integer, require_number, require_widths
from rom.utils.errors import RomTypeError, RomValueError
from rom.utils.json_dataclass import JsonSettings

__all__ = ["LATENT_TERMS", "OPTIMIZERS", "FitConfig", "LossWeights"]

LATENT_TERMS = ("linear", "quadratic", "neural")
OPTIMIZERS = ("soap", "adam")
DTYPES = ("float32", "float64")
Network = Convolutional | Graph | Implicit
NETWORKS = {kind.__name__: kind for kind in (Convolutional, Graph, Implicit)}


@dataclass(frozen=True)
class LossWeights(JsonSettings):
    """Weights of the losses, each >= 0. The first five are shares of a variance, so 1 is a sensible weight for each.

    reconstruction: |psi(phi(x)) - x|^2 on trajectories
    prediction: |psi(z(t)) - x(t)|^2 with dz/dt = h(z), z(0) = phi(x(0))
    latent_physics: |dphi/dx f(x~) - h(phi(x~))|^2 at collocation points
    decoded_physics: |dpsi/dz h(phi(x~)) - f(x~)|^2 at collocation points
    collocation_reconstruction: |psi(phi(x~)) - x~|^2

    Regularisers (`rom/training/regularisers.py`), with or without latent dynamics, zero by default. Beside dynamics, the state that is
    kept is chosen by its forecasts, whatever these weigh:
    denoising: |psi(phi(x + noise)) - x|^2, with `FitConfig.noise`
    contractive: |dphi/dx|_F^2, relative to the spread of z; about 0.01 to 0.1
    sparse: mean of |z| relative to its root mean square; sparse_kl: Kullback-Leibler divergence of mean activations from
        `FitConfig.active_share`; about 0.001 to 0.1
    variational: Kullback-Leibler divergence of a Gaussian encoder from the standard normal (beta); about 2 R d / r for an
        expected reconstruction error R. Latent dynamics and physics see its mean.
    smoothness: mean square of the second derivative of psi along random latent directions; about 0.001 to 0.1
    """

    reconstruction: float = 1.0
    prediction: float = 1.0
    latent_physics: float = 1.0
    decoded_physics: float = 1.0
    collocation_reconstruction: float = 1.0
    denoising: float = 0.0
    contractive: float = 0.0
    sparse: float = 0.0
    sparse_kl: float = 0.0
    variational: float = 0.0
    smoothness: float = 0.0

    @property
    def of_latent_states(self) -> float:
        """The weight of all regularisers that look at latent states."""
        return self.contractive + self.sparse + self.sparse_kl + self.variational + self.smoothness

    @property
    def over_complete(self) -> bool:
        """Whether more latent coordinates than a state has components make sense: they are to be sparse."""
        return self.sparse + self.sparse_kl > 0.0

    @property
    def regularised(self) -> bool:
        """Whether any regulariser counts."""
        return self.denoising + self.of_latent_states > 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in dataclasses.fields(self):
            require_number(f"LossWeights.{field.name}", getattr(self, field.name), low=0.0)


@dataclass(frozen=True)
class FitConfig(JsonSettings):
    """How `rom.fit` builds and trains a model. The defaults were chosen on other data than the benchmarks test on.

    Projection
        energy_tolerance: share of the variance of the states that the POD coordinates may lose.
        max_rank: largest number of POD coordinates.
        space: `Coordinate(...)` for data on differing, moving or scattered positions, which are the coordinates of labelled data;
            forecasts can then be asked at any. f is not evaluated at further states (`evaluate_system` is taken as False): a
            given system simulates, and is collocated, on its own grid. Data are read into memory.
    Networks
        hidden: widths of the hidden layers of encoder and decoder corrections; () leaves POD and quadratic manifold.
        latent_hidden: the same for the neural part of h.
        activation: "tanh", "silu", "gelu", "relu", "elu", "softplus" or "sin".
        layer_norm: whether hidden layers of encoder and decoder are normalised (Ba, Kiros & Hinton 2016).
        residual: whether hidden layers of equal width are added to what enters them (He et al. 2016).
        network: encoder and decoder on fields in place of these layers: `Convolutional`, `Graph` or `Implicit`; None for
            layers on POD coordinates.
        multiscale: spread the length scales of the encoder's first layer, down to 1/50 of the data's spread in a plane.
        quadratic_decoder: whether the decoder has a quadratic path.
        latent_terms: the parts of h, of "linear", "quadratic" and "neural".
    Regularisers (`LossWeights`)
        noise: standard deviation of the noise to remove, which is alike in all components of a state, in units of the root
            mean square of their standard deviations.
        active_share: share of the states at which a latent coordinate is to be active.
        warm_up: share of the training in which the weight of the variational regulariser rises from zero.
    Training
        optimizer: "soap" (Vyas et al. 2024) or "adam".
        learning_rate: its peak, for the corrections (a tenth for the closed-form parts); a short warm-up and a cosine
            decay to zero lie around it.
        steps: number of optimiser steps; None means 2,000, or as many as `max_seconds` allows where that is given.
        collocation_batch: collocation points a step.
        window_batch: windows of trajectories a step, and as many of fresh flows where there are some.
        window: longest window, in snapshots after its first; training starts at a quarter of it. Where the dynamics allow
            long Runge-Kutta steps, not every snapshot is looked at.
        gradient_clip: largest norm of a gradient.
        validations: how often the held-out data are looked at, evenly over the training.
        patience: stop after so many validations without an improvement; None never stops early.
        evaluate_system: whether training may evaluate the system's f at further states: those of the trajectories, and
            fresh ones along its flow. Such flows also serve as windows.
        dtype: "float32" or "float64", of networks and training data.
    """

    energy_tolerance: float = 1e-6
    max_rank: int = 256
    space: Coordinate | None = None
    hidden: tuple[int, ...] = (128, 128, 128)
    latent_hidden: tuple[int, ...] = (128, 128)
    activation: str = "tanh"
    layer_norm: bool = False
    residual: bool = False
    network: Network | None = None
    multiscale: bool = True
    quadratic_decoder: bool = True
    latent_terms: tuple[str, ...] = LATENT_TERMS
    noise: float = 0.1
    active_share: float = 0.05
    warm_up: float = 0.3
    optimizer: str = "soap"
    learning_rate: float = 2e-2
    steps: int | None = None
    collocation_batch: int = 512
    window_batch: int = 32
    window: int = 20
    gradient_clip: float = 1.0
    validations: int = 25
    patience: int | None = None
    evaluate_system: bool = True
    dtype: str = "float32"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("FitConfig.energy_tolerance", self.energy_tolerance, low=0.0, high=1.0)
        for name in ("max_rank", "collocation_batch", "window_batch", "window", "validations"):
            require_integer(f"FitConfig.{name}", getattr(self, name), low=1)
        for name in ("steps", "patience"):
            if getattr(self, name) is not None:
                require_integer(f"FitConfig.{name}", getattr(self, name), low=1)
        for name in ("hidden", "latent_hidden"):
            require_widths(f"FitConfig.{name}", getattr(self, name))
        for name in ("multiscale", "layer_norm", "residual", "quadratic_decoder", "evaluate_system"):
            require_flag(f"FitConfig.{name}", getattr(self, name))
        for name in ("learning_rate", "gradient_clip", "noise"):
            require_number(f"FitConfig.{name}", getattr(self, name), low=0.0, exclusive=True)
        require_number("FitConfig.active_share", self.active_share, low=0.0, high=0.5, exclusive=True)
        require_number("FitConfig.warm_up", self.warm_up, low=0.0, high=1.0)
        if self.network is not None and not isinstance(self.network, Network):
            raise RomTypeError(
                f"FitConfig.network must be one of {', '.join(n + '(...)' for n in NETWORKS)} or None, got {self.network!r}; "
                "modules of your own are passed as modules=(encoder, decoder)"
            )
        if self.space is not None and not isinstance(self.space, Coordinate):
            raise RomTypeError(f"FitConfig.space must be rom.Coordinate(...) or None, got {self.space!r}")
        if self.space is not None and self.network is not None:
            raise RomValueError(
                "FitConfig: coefficients in a space have no grid that a network could act on; drop one of both"
            )
        require_choice("FitConfig.activation", self.activation, ACTIVATIONS)
        require_choice("FitConfig.optimizer", self.optimizer, OPTIMIZERS)
        require_choice("FitConfig.dtype", self.dtype, DTYPES)
        if not isinstance(self.latent_terms, tuple) or not self.latent_terms:
            raise RomValueError(
                f"FitConfig.latent_terms must be a tuple of some of {LATENT_TERMS}, got {self.latent_terms!r}"
            )
        for term in self.latent_terms:
            require_choice("FitConfig.latent_terms", term, LATENT_TERMS)

    def to_dict(self) -> dict[str, Any]:
        """A dictionary of JSON types; the kind of the network is told by its name."""
        network = None if self.network is None else {"kind": type(self.network).__name__, **self.network.to_dict()}
        return super().to_dict() | {"network": network}

    @classmethod
    def from_dict(cls, settings: dict[str, Any]) -> Self:
        """The inverse of `to_dict`. Raises `RomValueError` for an unknown key or kind and names the nearest valid one."""
        network = settings.get("network")
        if network is not None:
            if not isinstance(network, dict):
                raise RomTypeError(f"FitConfig.network must be a dictionary with its 'kind', got {network!r}")
            given = dict(network)
            kind = given.pop("kind", "")
            require_choice("FitConfig.network", kind, tuple(NETWORKS))
            settings = settings | {"network": NETWORKS[kind].from_dict(given)}
        space = settings.get("space")
        if space is not None:
            settings = settings | {"space": Coordinate.from_dict(space)}
        return super().from_dict(settings)
