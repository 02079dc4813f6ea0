"""The latent neural ODE dz/dt = h(z; mu): linear, quadratic and neural parts, each of which can be absent."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from rom.networks.corrected_module import CorrectedModule
from rom.networks.mlp import ACTIVATIONS, MLP
from rom.networks.quadratic import products

__all__ = ["LatentDynamics"]


class LatentDynamics(CorrectedModule):
    """h(z; mu) = c + A y + H (y x y) + MLP(y) with y = (z, mu), mu in units of its spread in training.

    The polynomial part is operator inference (Peherstorfer & Willcox 2016), which the field's quadratic systems obey
    exactly in POD coordinates up to closure; the neural part is the latent neural ODE (Lee & Parish 2021).

    Inputs u(t) of driven systems, and time where f depends on it, are further parameters (`rom/dynamics/forcing.py`).

    Shapes: z (..., d), mu (..., p) or None where p = 0; dz/dt (..., d).
    """

    def __init__(self, linear: nn.Linear, quadratic: nn.Linear | None, correction: MLP | None):
        super().__init__()
        self.linear = linear
        self.quadratic = quadratic
        self.correction = correction

    def forward(self, latent: Tensor, parameters: Tensor | None = None) -> Tensor:
        return self.merged(parameters)(latent)

    def merged(self, parameters: Tensor | None = None) -> Callable[..., Tensor]:
        """h(.; mu) as a function of z, for a rollout: weights are merged once, so that each call is few operations.

        Of a driven system it is a function of z and the forcing (..., q) at the time, which are the last of its parameters.

        Normalisation is part of the first layer; all parts share one product with (y, y x y, last hidden layer). Gradients
        of the weights pass through.
        """
        weights, bias = [self.linear.weight], self.linear.bias
        hidden: list[tuple[Tensor, Tensor]] = []
        activation = torch.sigmoid
        if self.quadratic is not None:
            weights.append(self.quadratic.weight)
        if self.correction is not None:
            *hidden, (weight, offset) = self.correction.affine_maps()
            activation = ACTIVATIONS[self.correction.activation].function
            weights.append(weight)
            bias = bias + offset
        output = torch.cat(weights, dim=1)

        def rates(latent: Tensor, forcing: Tensor | None = None) -> Tensor:
            y = with_parameters(with_parameters(latent, parameters), forcing)
            features = [y]
            if self.quadratic is not None:
                features.append(products(y))
            if hidden:
                for weight, offset in hidden:
                    y = activation(functional.linear(y, weight, offset))
                features.append(y)
            return functional.linear(torch.cat(features, dim=-1), output, bias)

        return rates


def with_parameters(latent: Tensor, parameters: Tensor | None) -> Tensor:
    """y = (z, mu), (..., d + p)."""
    if parameters is None:
        return latent
    return torch.cat([latent, parameters.expand(*latent.shape[:-1], parameters.shape[-1])], dim=-1)
