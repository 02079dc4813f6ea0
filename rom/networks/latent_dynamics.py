"""Latent dynamics dz/dt = h(z; mu, u): a linear, a quadratic and a neural part."""

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
    """Latent dynamics h(z; mu, u) = c + A y + H (y x y) + MLP(y) with y = (z, mu, u).

    Parameters mu and forcing u (inputs, and time if f depends on it; see `rom/dynamics/forcing.py`) are in units of their
    spread in training. The polynomial part is operator inference (Peherstorfer & Willcox 2016). Quadratic systems obey it
    exactly in POD coordinates, except for the effect of the coordinates that are left out. The neural part is a latent
    neural ODE (Lee & Parish 2021).

    Parameters
    ----------
    linear : torch.nn.Linear
        Offset c and matrix A.
    quadratic : torch.nn.Linear or None
        Matrix H, which acts on `rom.networks.quadratic.products`.
    correction : MLP or None
        Neural part.
    """

    def __init__(self, linear: nn.Linear, quadratic: nn.Linear | None, correction: MLP | None):
        super().__init__()
        self.linear = linear
        self.quadratic = quadratic
        self.correction = correction

    def forward(self, latent: Tensor, *parameters: Tensor) -> Tensor:
        """Return dz/dt (..., d) at latent states (..., d) and `parameters`, as many arrays (..., p) as there are."""
        return self.as_function(*parameters)(latent)

    def as_function(self, *parameters: Tensor) -> Callable[..., Tensor]:
        """Return h as a function of the latent state, at fixed `parameters`.

        The weights are merged once, so that each call of the function takes few operations. The normalisation of the
        inputs becomes part of the first layer. All parts of h share one product with (y, y x y, last hidden layer).
        Gradients reach the weights.

        Parameters
        ----------
        *parameters : torch.Tensor, shape (..., p)
            Parameters mu, which broadcast against the latent states. Arrays of width p = 0 cost nothing.

        Returns
        -------
        Callable
            Function of latent states (..., d), and of forcing (..., q) if there is any, to dz/dt (..., d).
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

        # Most models have neither parameters nor inputs. A concatenation would cost time though it adds no column.
        present = [values for values in parameters if values.shape[-1]]

        def rhs(latent: Tensor, *forcing: Tensor) -> Tensor:
            y = latent
            for values in (*present, *forcing):
                if values.shape[-1]:
                    y = torch.cat([y, values.expand(*y.shape[:-1], -1)], dim=-1)
            features = [y]
            if self.quadratic is not None:
                features.append(products(y))
            if hidden:
                for weight, offset in hidden:
                    y = activation(functional.linear(y, weight, offset))
                features.append(y)
            return functional.linear(torch.cat(features, dim=-1), output, bias)

        return rhs
