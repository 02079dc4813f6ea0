"""Networks that act on fields, as corrections between POD coordinates and latent states.

Convolutions and networks on a mesh need the field, while training works with its r POD coordinates. The coordinates are
therefore lifted to the field before such an encoder, and the field from such a decoder is projected: two products with the
POD basis. The network sees a state without what the POD loses. Everything outside works with POD coordinates only.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rom.networks.geometry import Geometry
from rom.networks.jvp import push_forward

__all__ = ["FieldDecoder", "FieldEncoder", "attach"]


class FieldCorrection(nn.Module):
    """Base class of corrections by a network on fields.

    Attributes
    ----------
    module : torch.nn.Module
        The network on fields.
    geometry : Geometry
        Points of the fields.
    basis : torch.Tensor, shape (n, r)
        POD basis, with rows in the order of the field. It is that of the projection and not stored again (see `attach`).
    inverse_spread : torch.Tensor, shape (1,) or (d,)
        One over the spread of the inputs.
    gain : torch.Tensor, shape ()
        Expected size of the correction, as in `rom.networks.mlp.MLP`.
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
        """Set the POD basis V (n, r), whose rows are in the order of the state."""
        order = torch.as_tensor(self.geometry.order, device=basis.device)
        self.basis = basis.detach().index_select(0, order).to(self.gain)

    def along(self, points: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """Return values of the module and its derivatives along tangents."""
        return push_forward(self.module, points, tangents)


class FieldEncoder(FieldCorrection):
    """Correction of latent states (..., d) by a network that sees the field of POD coordinates (..., r).

    The module takes fields (B, channels, *shape) of root mean square 1 to latent states (B, d).
    """

    def __init__(self, module: nn.Module, geometry: Geometry, rank: int):
        super().__init__(module, geometry, rank, 1)

    def normalise_to(self, coordinates: Tensor) -> None:
        """Set the spread of the field from samples (N, r) of its coordinates, which are centred."""
        mean_square = coordinates.square().sum(dim=1).mean() / len(self.basis)
        self.inverse_spread.fill_(1.0 / float(mean_square.sqrt().clamp(min=1e-30)))

    def lift(self, coordinates: Tensor) -> Tensor:
        """Return the scaled fields (B, channels, *shape) of POD coordinates (..., r)."""
        field = coordinates @ self.basis.T * self.inverse_spread
        return field.reshape(-1, self.geometry.channels, *self.geometry.shape)

    def forward(self, coordinates: Tensor) -> Tensor:
        """Return the correction (..., d) of latent states, for POD coordinates (..., r)."""
        latent = self.gain * self.module(self.lift(coordinates))
        return latent.reshape(*coordinates.shape[:-1], latent.shape[-1])

    def push_forward(self, points: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """Return the correction of z and its derivative along `tangents`, at `points` w (B, r)."""
        values, derivatives = self.along(self.lift(points), self.lift(tangents))
        return self.gain * values, self.gain * derivatives


class FieldDecoder(FieldCorrection):
    """Correction of POD coordinates (..., r) by a network from latent states (..., d) to fields, which are projected.

    The module takes normalised latent states (B, d) to fields (B, channels, *shape).
    """

    shift: Tensor

    def __init__(self, module: nn.Module, geometry: Geometry, rank: int, latent_dim: int):
        super().__init__(module, geometry, rank, latent_dim)
        self.register_buffer("shift", torch.zeros(latent_dim))

    def normalise_to(self, latent: Tensor) -> None:
        """Set shift and spread of latent states from samples (N, d)."""
        spread = latent.std(dim=0)
        self.shift.copy_(latent.mean(dim=0))
        self.inverse_spread.copy_(1.0 / spread.clamp(min=float(1e-2 * spread.max().clamp(min=1e-30))))

    def project(self, field: Tensor) -> Tensor:
        """Return the POD coordinates (B, r) of fields (B, channels, *shape), times the gain."""
        # The root makes coordinates of a field of ones as large as those of data of spread one, for any number of points.
        return field.flatten(1) @ self.basis * (self.gain / len(self.basis) ** 0.5)

    def forward(self, latent: Tensor) -> Tensor:
        """Return the correction (..., r) of POD coordinates, for latent states (..., d)."""
        rows = ((latent - self.shift) * self.inverse_spread).reshape(-1, latent.shape[-1])
        coordinates = self.project(self.module(rows))
        return coordinates.reshape(*latent.shape[:-1], coordinates.shape[-1])

    def push_forward(self, points: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """Return the correction of w and its derivative along `tangents`, at `points` z (B, d)."""
        standardised = (points - self.shift) * self.inverse_spread
        values, derivatives = self.along(standardised, tangents * self.inverse_spread)
        return self.project(values), self.project(derivatives)


def attach(networks: nn.Module, basis: Tensor) -> None:
    """Set the POD basis V (n, r) of all corrections in `networks` that act on fields."""
    for module in networks.modules():
        if isinstance(module, FieldCorrection):
            module.attach(basis)
