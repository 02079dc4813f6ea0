"""Networks that act on fields, as corrections between POD coordinates and latent states.

A network of convolutions, or on a mesh, wants to see the field, while training works with its r POD coordinates. So the
coordinates are lifted to the field in front of such an encoder, and the field that such a decoder makes is projected behind
it: two products with the POD basis, linear and row by row. The state that is seen is the one that the POD holds; the closed
form, the physics and the forecasts need not know.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rom.networks.geometry import Geometry
from rom.networks.jvp import push_forward

__all__ = ["FieldDecoder", "FieldEncoder", "attach"]


class FieldCorrection(nn.Module):
    """What both directions share: the POD basis in the order of the field, and fixed scales.

    `inverse_spread` is one over the unit of the input, `gain` is the size of the correction that is expected, as in
    `rom.networks.mlp.MLP`. The basis is that of the projection, and not stored twice: see `attach`.
    """

    basis: Tensor
    inverse_spread: Tensor
    gain: Tensor

    def __init__(self, module: nn.Module, geometry: Geometry, rank: int, n_in: int):
        super().__init__()
        self.module = module
        self.geometry = geometry
        self.register_buffer("basis", torch.zeros(geometry.channels * geometry.n_points, rank), persistent=False)
        self.register_buffer("inverse_spread", torch.ones(n_in))
        self.register_buffer("gain", torch.ones(()))

    def attach(self, basis: Tensor) -> None:
        """Take the POD basis V (n, r), whose rows are in the order of the state."""
        order = torch.as_tensor(self.geometry.order, device=basis.device)
        self.basis = basis.detach().index_select(0, order).to(self.gain)

    def along(self, points: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """Values of the module, and its derivatives along tangents."""
        return push_forward(self.module, points, tangents)


class FieldEncoder(FieldCorrection):
    """w (..., r) to a correction of z (..., d): the module sees the field (B, channels, *shape), its spread one."""

    def __init__(self, module: nn.Module, geometry: Geometry, rank: int):
        super().__init__(module, geometry, rank, 1)

    def normalise_to(self, coordinates: Tensor) -> None:
        """Set the unit of the field from samples (N, r) of its coordinates: w is centred, so only a spread is needed."""
        mean_square = coordinates.square().sum(dim=1).mean() / len(self.basis)
        self.inverse_spread.fill_(1.0 / float(mean_square.sqrt().clamp(min=1e-30)))

    def lift(self, coordinates: Tensor) -> Tensor:
        field = coordinates @ self.basis.T * self.inverse_spread
        return field.reshape(-1, self.geometry.channels, *self.geometry.shape)

    def forward(self, coordinates: Tensor) -> Tensor:
        latent = self.gain * self.module(self.lift(coordinates))
        return latent.reshape(*coordinates.shape[:-1], latent.shape[-1])

    def push_forward(self, points: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """The correction of z, and its derivative along `tangents`, at `points` w (B, r)."""
        values, derivatives = self.along(self.lift(points), self.lift(tangents))
        return self.gain * values, self.gain * derivatives


class FieldDecoder(FieldCorrection):
    """z (..., d) to a correction of w (..., r): the module makes a field (B, channels, *shape), which is projected."""

    shift: Tensor

    def __init__(self, module: nn.Module, geometry: Geometry, rank: int, latent_dim: int):
        super().__init__(module, geometry, rank, latent_dim)
        self.register_buffer("shift", torch.zeros(latent_dim))

    def normalise_to(self, latent: Tensor) -> None:
        """Set the units of z from samples (N, d)."""
        spread = latent.std(dim=0)
        self.shift.copy_(latent.mean(dim=0))
        self.inverse_spread.copy_(1.0 / spread.clamp(min=float(1e-2 * spread.max().clamp(min=1e-30))))

    def project(self, field: Tensor) -> Tensor:
        # A field of ones has about as large coordinates as data of spread one, whatever the number of points.
        return field.flatten(1) @ self.basis * (self.gain / len(self.basis) ** 0.5)

    def forward(self, latent: Tensor) -> Tensor:
        rows = ((latent - self.shift) * self.inverse_spread).reshape(-1, latent.shape[-1])
        coordinates = self.project(self.module(rows))
        return coordinates.reshape(*latent.shape[:-1], coordinates.shape[-1])

    def push_forward(self, points: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """The correction of w, and its derivative along `tangents`, at `points` z (B, d)."""
        standardised = (points - self.shift) * self.inverse_spread
        values, derivatives = self.along(standardised, tangents * self.inverse_spread)
        return self.project(values), self.project(derivatives)


def attach(networks: nn.Module, basis: Tensor) -> None:
    """Give the POD basis V (n, r) to all corrections of `networks` that act on fields."""
    for module in networks.modules():
        if isinstance(module, FieldCorrection):
            module.attach(basis)
