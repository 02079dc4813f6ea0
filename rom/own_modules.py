"""Encoders and decoders that users bring as torch modules, on states as they are labelled."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from rom.batches import generator_of
from rom.config import FitConfig
from rom.errors import RomTypeError, RomValueError
from rom.geometry import Geometry
from rom.layout import Layout
from rom.row_wise import require_row_wise

__all__ = ["OwnModules", "is_own", "own_modules", "require_rank"]

SHAKE = 0.3  # of the usual size of weights
AGREE = 1e-4  # relative: between a row in a batch and alone, in float32


@dataclass(frozen=True)
class OwnModules:
    """An encoder (B, *shape) to (B, d) and a decoder (B, d) to (B, *shape), and where a state lies."""

    encoder: nn.Module
    decoder: nn.Module
    geometry: Geometry

    def modules(self) -> tuple[nn.Module, nn.Module]:
        """Copies of both, on fields with one channel; each begins as a correction of nothing."""
        return Gated(copy.deepcopy(self.encoder), drop_channel=True), Gated(copy.deepcopy(self.decoder))


class Gated(nn.Module):
    """A module times a learned number that starts at zero (ReZero, Bachlechner et al. 2021): its start is not shaken off."""

    def __init__(self, module: nn.Module, drop_channel: bool = False):
        super().__init__()
        self.module = module
        self.drop_channel = drop_channel
        self.gate = nn.Parameter(torch.zeros(1))

    def forward(self, rows: Tensor) -> Tensor:
        return self.gate * self.module(rows.squeeze(1) if self.drop_channel else rows)


def is_own(networks: nn.Module) -> bool:
    """Whether there are modules of the user among `networks`."""
    return any(isinstance(module, Gated) for module in networks.modules())


def own_modules(modules: Any, layout: Layout, latent_dim: int, config: FitConfig | None = None) -> OwnModules | None:
    """The modules that were passed as `modules`, checked on two states; None where none were.

    Raises `RomTypeError` for what is no pair of modules or mixes rows, `RomValueError` for one that fails, gives another shape,
    or values that are not finite, and a `config` that asks for another network.
    """
    if modules is None:
        return None
    if config is not None and config.network is not None:
        raise RomValueError(
            f"modules: they take the place of FitConfig.network, which is {type(config.network).__name__}; leave one of both out"
        )
    if not isinstance(modules, Sequence) or len(modules) != 2 or not all(isinstance(m, nn.Module) for m in modules):
        raise RomTypeError(f"modules must be a pair of torch modules (encoder, decoder), got {modules!r}")
    encoder, decoder = modules
    shape = layout.shape
    for name, module, n_in, n_out in (
        ("encoder", encoder, shape, (latent_dim,)),
        ("decoder", decoder, (latent_dim,), shape),
    ):
        require_row_wise(module, f"modules: the {name}")
        require_shapes(module, name, n_in, n_out)
    return OwnModules(encoder, decoder, Geometry(1, shape, layout.dims))


def require_field(modules: Any, config: FitConfig) -> None:
    """Refuse modules where states are coefficients, not values."""
    if modules is not None and config.space is not None:
        raise RomValueError(
            "modules: with FitConfig.space they would see coefficients of splines, not values at positions; leave one of both out"
        )


def require_rank(rank: int, latent_dim: int) -> None:
    """Refuse modules for more latent coordinates than the data span: those of this package would be made for fewer."""
    if latent_dim > rank:
        raise RomValueError(
            f"modules: they are for latent_dim {latent_dim}, but the data span only {rank} dimensions; make them for at most {rank}"
        )


@torch.no_grad()
def require_shapes(module: nn.Module, name: str, n_in: tuple[int, ...], n_out: tuple[int, ...]) -> None:
    """Refuse a module that does not take (B, *n_in) to (B, *n_out), row by row.

    A layer of zeros at the end would hide what happens before it, so rows are compared by a copy with other weights, too.
    """
    first = next(module.parameters(), torch.zeros(()))
    rows = torch.randn(2, *n_in, generator=generator_of(0)).to(first)
    try:
        both, alone = module(rows), module(rows[:1])
    except Exception as error:
        raise RomValueError(f"modules: the {name} fails on two states of shape {tuple(rows.shape)}: {error}") from error
    if not isinstance(both, Tensor):
        raise RomTypeError(f"modules: the {name} must give one tensor, got {type(both).__name__}")
    if tuple(both.shape) != (2, *n_out):
        raise RomValueError(
            f"modules: the {name} takes {tuple(rows.shape)} to {tuple(both.shape)}; {(2, *n_out)} is needed, with one row per state"
        )
    if not (both.isfinite().all() and alone.isfinite().all()):
        raise RomValueError(
            f"modules: the {name} gives values that are not finite for standard normal numbers, and it will see such"
        )
    if not (treats_rows_alone(module, rows) and treats_rows_alone(shaken(module), rows)):
        raise RomTypeError(
            f"modules: the {name} gives another result for a state in a batch than for the state alone; rows must not mix, "
            "for one product along a tangent stands for that of every row"
        )


def treats_rows_alone(module: nn.Module, rows: Tensor) -> bool:
    """Whether the first of two rows gives the same in a batch and alone; or fails, or is not finite, which tells nothing."""
    try:
        both, alone = module(rows), module(rows[:1])
    except Exception:  # of weights that are constrained, which a shaken copy has not
        return True
    if not (both.isfinite().all() and alone.isfinite().all()):
        return True
    return torch.allclose(both[:1], alone, rtol=AGREE, atol=AGREE * float(both.abs().max()))


def shaken(module: nn.Module) -> nn.Module:
    """A copy whose weights are a little different, none of them zero."""
    copied = copy.deepcopy(module)
    generator = generator_of(1)
    for parameter in copied.parameters():
        n_in = parameter.numel() // max(len(parameter), 1) if parameter.ndim > 1 else 1
        parameter += SHAKE / max(n_in, 1) ** 0.5 * torch.randn(parameter.shape, generator=generator).to(parameter)
    return copied
