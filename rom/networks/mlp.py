"""Multilayer perceptrons, activations, and initial weights.

No layer mixes the rows of a batch, so the derivative of a batch along one tangent is the derivative of each row
(`rom/networks/jvp.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import skip_init

from rom.networks.jvp import push_forward

__all__ = ["ACTIVATIONS", "MLP", "activate", "blank_linear", "uniform_", "zero_"]

Layer = TypeVar("Layer", bound=nn.Module)


@dataclass(frozen=True)
class Activation:
    """Activation out_scale function(in_scale x) + out_shift, whose scales and shift are merged into the weights.

    Attributes
    ----------
    function : Callable
        Function of a tensor, applied to each of its numbers.
    in_scale, out_scale, out_shift : float
        Numbers that the layers before and after take over.
    """

    function: Callable[[Tensor], Tensor]
    in_scale: float = 1.0
    out_scale: float = 1.0
    out_shift: float = 0.0


ACTIVATIONS = {
    "tanh": Activation(torch.sigmoid, 2.0, 2.0, -1.0),  # torch's sigmoid is faster than its tanh
    "silu": Activation(functional.silu),
    "gelu": Activation(functional.gelu),
    "relu": Activation(functional.relu),
    "elu": Activation(functional.elu),
    "softplus": Activation(partial(functional.softplus, threshold=40.0)),  # exact in float64: exp(-40) is 4e-18
    "sin": Activation(torch.sin),
}


def activate(name: str, inputs: Tensor) -> Tensor:
    """Return the activation `name` of `inputs`, for networks that do not merge its scales into their weights.

    Torch's tanh is then faster than a scaled sigmoid, in gradients of losses with derivatives along tangents.
    """
    return torch.tanh(inputs) if name == "tanh" else ACTIVATIONS[name].function(inputs)


def blank_linear(n_in: int, n_out: int) -> nn.Linear:
    """Return a linear layer with uninitialised weights, which draws nothing from the global generator."""
    return cast(nn.Linear, skip_init(nn.Linear, n_in, n_out))


def uniform_(layer: Layer, fan_in: float, generator: torch.Generator | None) -> Layer:
    """Draw weights and biases from a uniform distribution that keeps the variance of `fan_in` inputs."""
    bound = math.sqrt(3.0 / fan_in)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.uniform_(-bound, bound, generator=generator)
    return layer


def zero_(layer: Layer) -> Layer:
    """Set all parameters of a layer to zero, as for the last layer of a correction before training."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


class MLP(nn.Module):
    """Multilayer perceptron on normalised inputs, whose values are zero before training.

    Parameters
    ----------
    n_in, n_out : int
        Numbers of inputs and outputs.
    hidden : sequence of int
        Widths of the hidden layers.
    activation : str
        Name in `ACTIVATIONS`.
    multiscale : bool
        Whether the first layer has features at many length scales (`spread_scales`). An encoder may need them, for
        instance to resolve a cube root near 0.
    generator : torch.Generator, optional
        Source of the initial weights; default: that of torch.
    layer_norm : bool
        Whether each hidden layer is normalised before its activation (Ba, Kiros & Hinton 2016, arXiv:1607.06450).
    residual : bool
        Whether the inputs of a hidden layer are added to its outputs, if there are as many (He et al. 2016, CVPR).

    Attributes
    ----------
    shift, inverse_spread : torch.Tensor, shape (n_in,)
        Normalisation of the inputs (see `normalise_to`).
    gain : torch.Tensor, shape ()
        Expected size of the values after training, by which they are multiplied. It keeps the first steps of training in
        proportion.
    """

    shift: Tensor
    inverse_spread: Tensor
    gain: Tensor

    def __init__(
        self,
        n_in: int,
        n_out: int,
        hidden: Sequence[int],
        activation: str = "tanh",
        multiscale: bool = False,
        generator: torch.Generator | None = None,
        layer_norm: bool = False,
        residual: bool = False,
    ):
        super().__init__()
        self.register_buffer("shift", torch.zeros(n_in))
        self.register_buffer("inverse_spread", torch.ones(n_in))
        self.register_buffer("gain", torch.ones(()))
        widths = [n_in, *hidden, n_out]
        layers: list[nn.Linear] = []
        for k, (a, b) in enumerate(pairwise(widths)):
            linear = blank_linear(a, b)
            last = k == len(widths) - 2
            if last:
                zero_(linear)
            elif k == 0 and multiscale:
                spread_scales(linear, generator)
            else:
                uniform_(linear, a, generator)
            layers.append(linear)
        self.layers = nn.ModuleList(layers)
        self.norms = nn.ModuleList([nn.LayerNorm(width) for width in hidden] if layer_norm else [])
        self.adds = [residual and k > 0 and a == b for k, (a, b) in enumerate(pairwise(widths[:-1]))]
        self.activation = activation

    def normalise_to(self, inputs: Tensor, floor: float = 1e-2) -> None:
        """Set the normalisation to mean and standard deviation of samples (N, n_in), which stay fixed.

        Standard deviations are at least the share `floor` of the largest one, so that rounding is not amplified.
        """
        spread = inputs.std(dim=0)
        spread = torch.clamp(spread, min=float(floor * spread.max().clamp(min=1e-30)))
        self.shift.copy_(inputs.mean(dim=0))
        self.inverse_spread.copy_(1.0 / spread)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return values (..., n_out) at inputs (..., n_in)."""
        *hidden, (weight, bias) = self.affine_maps()
        activation, norms, offset = ACTIVATIONS[self.activation].function, self.merged_norms(), self.offset
        for (w, b), norm, adds in zip(hidden, norms, self.adds, strict=True):
            sums = functional.linear(inputs, w, b)
            outputs = activation(sums if norm is None else norm(sums))
            inputs = inputs + outputs + offset if adds else outputs
        return functional.linear(inputs, weight, bias)

    def push_forward(self, points: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """Return values (B, n_out) and their derivatives along `tangents` (B, n_in), at `points` (B, n_in)."""
        *hidden, (weight, bias) = self.affine_maps()
        activation, norms, offset = ACTIVATIONS[self.activation].function, self.merged_norms(), self.offset
        for (w, b), norm, adds in zip(hidden, norms, self.adds, strict=True):
            sums, along = functional.linear(points, w, b), tangents @ w.mT
            if norm is not None:
                sums, along = push_forward(norm, sums, along)
            outputs, along = push_forward(activation, sums, along)
            points, tangents = (points + outputs + offset, tangents + along) if adds else (outputs, along)
        return functional.linear(points, weight, bias), tangents @ weight.mT

    @property
    def offset(self) -> float:
        """Constant that a residual layer adds, because the next weights take over out_shift only once."""
        scales = ACTIVATIONS[self.activation]
        return scales.out_shift / scales.out_scale

    def merged_norms(self) -> list[Callable[[Tensor], Tensor] | None]:
        """Return the normalisation of each hidden layer, with the activation's in_scale merged, or None."""
        if not self.norms:
            return [None] * len(self.adds)
        norms: list[Callable[[Tensor], Tensor] | None] = []
        for norm in cast(list[nn.LayerNorm], list(self.norms)):
            scale = ACTIVATIONS[self.activation].in_scale
            weight, bias = scale * norm.weight, scale * norm.bias
            norms.append(
                partial(functional.layer_norm, normalized_shape=norm.normalized_shape, weight=weight, bias=bias)
            )
        return norms

    def affine_maps(self) -> list[tuple[Tensor, Tensor]]:
        """Return weights (n_out, n_in) and biases of the layers, with normalisation, gain and scales merged.

        Between two of them, only the function of the activation remains. If layers are normalised, `merged_norms` take over
        in_scale; residual layers add `offset`. Gradients reach the parameters.
        """
        maps: list[tuple[Tensor, Tensor]] = []
        scales = ACTIVATIONS[self.activation]
        for k, layer in enumerate(self.layers):
            weight, bias = cast(Tensor, layer.weight), cast(Tensor, layer.bias)
            if k == 0:
                weight = weight * self.inverse_spread
                bias = bias - weight @ self.shift
            else:
                bias = bias + scales.out_shift * weight.sum(dim=1) if scales.out_shift else bias
                weight = scales.out_scale * weight if scales.out_scale != 1.0 else weight
            if k == len(self.layers) - 1:
                weight, bias = self.gain * weight, self.gain * bias
            elif scales.in_scale != 1.0 and not self.norms:
                weight, bias = scales.in_scale * weight, scales.in_scale * bias
            maps.append((weight, bias))
        return maps


@torch.no_grad()
def spread_scales(linear: nn.Linear, generator: torch.Generator | None) -> None:
    """Set rows of a first layer to random directions, with logarithmically spaced norms from 1.

    For two inputs the largest norm is 50, and biases lie in [-1.7, 1.7]. Both decrease with the number of inputs, because
    short length scales resolve a curve in a plane, but are noise in a hundred dimensions.
    """
    n_out, n_in = linear.weight.shape
    largest = math.log10(max(2.0, 200.0 / n_in**2))
    norms = torch.logspace(0.0, largest, n_out)
    directions = torch.randn(n_out, n_in, generator=generator)
    directions /= directions.norm(dim=1, keepdim=True)
    linear.weight.copy_(norms[:, None] * directions)
    linear.bias.uniform_(-largest, largest, generator=generator)
