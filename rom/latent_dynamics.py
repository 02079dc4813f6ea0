"""The latent neural ODE dz/dt = h(z; mu): linear, quadratic and neural parts, each of which can be absent."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rom.networks import MLP, outer_products

__all__ = ["LatentDynamics"]


class LatentDynamics(nn.Module):
    """h(z; mu) = c + A y + H (y x y) + MLP(y) with y = (z, mu), mu in units of its spread in training.

    The polynomial part is operator inference (Peherstorfer & Willcox 2016), which the field's quadratic systems obey
    exactly in POD coordinates up to closure; the neural part is the latent neural ODE (Lee & Parish 2021).

    Shapes: z (..., d), mu (..., p) or None where p = 0; dz/dt (..., d).
    """

    def __init__(self, linear: nn.Linear, quadratic: nn.Linear | None, correction: MLP | None):
        super().__init__()
        self.linear = linear
        self.quadratic = quadratic
        self.correction = correction

    def forward(self, latent: Tensor, parameters: Tensor | None = None) -> Tensor:
        y = latent
        if parameters is not None:
            y = torch.cat([latent, parameters.expand(*latent.shape[:-1], parameters.shape[-1])], dim=-1)
        rate = self.linear(y)
        if self.quadratic is not None:
            rate = rate + self.quadratic(outer_products(y))
        return rate if self.correction is None else rate + self.correction(y)
