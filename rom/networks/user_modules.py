"""Encoders and decoders that users bring as torch modules, on states as they are labelled."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.modules.instancenorm import _InstanceNorm

from rom.data.layout import Layout
from rom.networks.geometry import Geometry
from rom.utils.errors import RomTypeError, RomValueError
from rom.utils.random import torch_generator

__all__ = ["UserModules", "check_user_modules", "has_user_modules", "require_row_wise"]

SHAKE = 0.3  # of the usual size of weights
AGREE = 1e-4  # relative: between a row in a batch and alone, in float32


@dataclass(frozen=True)
class UserModules:
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


def has_user_modules(networks: nn.Module) -> bool:
    """Whether there are modules of the user among `networks`."""
    return any(isinstance(module, Gated) for module in networks.modules())


def check_user_modules(modules: Any, layout: Layout, latent_dim: int) -> UserModules | None:
    """The modules that were passed as `modules`, checked on two states; None where none were.

    Raises `RomTypeError` for what is no pair of modules or mixes rows, `RomValueError` for one that fails, gives another shape,
    or values that are not finite.
    """
    if modules is None:
        return None
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
    return UserModules(encoder, decoder, Geometry(1, shape, layout.dims))


@torch.no_grad()
def require_shapes(module: nn.Module, name: str, n_in: tuple[int, ...], n_out: tuple[int, ...]) -> None:
    """Refuse a module that does not take (B, *n_in) to (B, *n_out), row by row.

    A layer of zeros at the end would hide what happens before it, so rows are compared by a copy with other weights, too.
    """
    first = next(module.parameters(), torch.zeros(()))
    rows = torch.randn(2, *n_in, generator=torch_generator(0)).to(first)
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
    generator = torch_generator(1)
    for parameter in copied.parameters():
        n_in = parameter.numel() // max(len(parameter), 1) if parameter.ndim > 1 else 1
        parameter += SHAKE / max(n_in, 1) ** 0.5 * torch.randn(parameter.shape, generator=generator).to(parameter)
    return copied


MIXES = (
    "has statistics of the batch, through which every row would depend on all others, and one product along a tangent "
    "would no longer be that with the derivative of each row; take LayerNorm or GroupNorm instead"
)

DRAWS = "draws random numbers, so that values and derivatives would be of two different networks; leave it out"


def require_row_wise(module: nn.Module, name: str) -> None:
    """Raise `RomTypeError` where `module`, called `name`, has layers that the physics losses cannot be taken through.

    These are products of the derivative of a whole batch with one tangent, which are the products row by row only if no
    layer mixes rows; and they compare a value and a derivative, which must be of one function.
    """
    if not isinstance(module, nn.Module):
        raise RomTypeError(f"{name} must be a torch.nn.Module, got {type(module).__name__}")
    for path, layer in module.named_modules(prefix=name):
        reason = MIXES if mixes_rows(layer) else DRAWS if draws(layer) else None
        if reason is not None:
            raise RomTypeError(f"{path}: {type(layer).__name__} {reason}")


def mixes_rows(layer: nn.Module) -> bool:
    """Whether `layer` has statistics of a batch, be they used or gathered for later."""
    return isinstance(layer, _BatchNorm) or (isinstance(layer, _InstanceNorm) and layer.track_running_stats)


def draws(layer: nn.Module) -> bool:
    """Whether `layer` draws random numbers in training."""
    if isinstance(layer, nn.MultiheadAttention | nn.RNNBase):
        return layer.dropout > 0
    return isinstance(layer, nn.RReLU) or (isinstance(layer, _DropoutNd) and layer.p > 0)
