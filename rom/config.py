"""Settings of a fit: frozen dataclasses that refuse unknown keys and travel as JSON inside the model file."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Self

from rom.errors import RomTypeError, RomValueError
from rom.function_space import Coordinate
from rom.networks import ACTIVATIONS
from rom.settings import JsonSettings, require_choice, require_flag, require_integer, require_number, require_widths

__all__ = ["LATENT_TERMS", "OPTIMIZERS", "FitConfig", "LossWeights"]

LATENT_TERMS = ("linear", "quadratic", "neural")
OPTIMIZERS = ("soap", "adam")
DTYPES = ("float32", "float64")


@dataclass(frozen=True)
class LossWeights(JsonSettings):
    """Weights of the five losses, each >= 0. All losses are shares of a variance, so 1 is a sensible weight for each.

    reconstruction: |psi(phi(x)) - x|^2 on trajectories
    prediction: |psi(z(t)) - x(t)|^2 with dz/dt = h(z), z(0) = phi(x(0))
    latent_physics: |dphi/dx f(x~) - h(phi(x~))|^2 at collocation points
    decoded_physics: |dpsi/dz h(phi(x~)) - f(x~)|^2 at collocation points
    collocation_reconstruction: |psi(phi(x~)) - x~|^2
    """

    reconstruction: float = 1.0
    prediction: float = 1.0
    latent_physics: float = 1.0
    decoded_physics: float = 1.0
    collocation_reconstruction: float = 1.0

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            require_number(f"LossWeights.{field.name}", getattr(self, field.name), low=0.0)


@dataclass(frozen=True)
class FitConfig(JsonSettings):
    """How `rom.fit` builds and trains a model. The defaults were chosen on other data than the benchmarks test on.

    Projection
        energy_tolerance: share of the variance of the states that the POD coordinates may lose.
        max_rank: largest number of POD coordinates.
        space: `Coordinate(...)` for data on differing, moving or scattered positions, which are the coordinates of Datasets;
            forecasts can then be asked at any. f is not evaluated at further states (`evaluate_system` is taken as False): a
            given system simulates, and is collocated, on its own grid. Data are read into memory.
    Networks
        hidden: widths of the hidden layers of encoder and decoder corrections; () leaves POD and quadratic manifold.
        latent_hidden: the same for the neural part of h.
        activation: "tanh", "silu", "gelu" or "relu".
        multiscale: spread the length scales of the encoder's first layer, down to 1/50 of the data's spread in a plane.
        quadratic_decoder: whether the decoder has a quadratic path.
        latent_terms: the parts of h, of "linear", "quadratic" and "neural".
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
    multiscale: bool = True
    quadratic_decoder: bool = True
    latent_terms: tuple[str, ...] = LATENT_TERMS
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
        require_number("FitConfig.energy_tolerance", self.energy_tolerance, low=0.0, high=1.0)
        for name in ("max_rank", "collocation_batch", "window_batch", "window", "validations"):
            require_integer(f"FitConfig.{name}", getattr(self, name), low=1)
        for name in ("steps", "patience"):
            if getattr(self, name) is not None:
                require_integer(f"FitConfig.{name}", getattr(self, name), low=1)
        for name in ("hidden", "latent_hidden"):
            require_widths(f"FitConfig.{name}", getattr(self, name))
        for name in ("multiscale", "quadratic_decoder", "evaluate_system"):
            require_flag(f"FitConfig.{name}", getattr(self, name))
        for name in ("learning_rate", "gradient_clip"):
            require_number(f"FitConfig.{name}", getattr(self, name), low=0.0, exclusive=True)
        if self.space is not None and not isinstance(self.space, Coordinate):
            raise RomTypeError(f"FitConfig.space must be rom.Coordinate(...) or None, got {self.space!r}")
        require_choice("FitConfig.activation", self.activation, ACTIVATIONS)
        require_choice("FitConfig.optimizer", self.optimizer, OPTIMIZERS)
        require_choice("FitConfig.dtype", self.dtype, DTYPES)
        if not isinstance(self.latent_terms, tuple) or not self.latent_terms:
            raise RomValueError(
                f"FitConfig.latent_terms must be a tuple of some of {LATENT_TERMS}, got {self.latent_terms!r}"
            )
        for term in self.latent_terms:
            require_choice("FitConfig.latent_terms", term, LATENT_TERMS)

    @classmethod
    def from_dict(cls, settings: dict[str, Any]) -> Self:
        """The inverse of `to_dict`. Raises `RomValueError` for an unknown key and names the nearest valid one."""
        space = settings.get("space")
        if space is not None:
            settings = settings | {"space": Coordinate.from_dict(space)}
        return super().from_dict(settings)
