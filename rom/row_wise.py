"""Which layers a network may not have: those that mix the rows of a batch, and those that draw random numbers."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.modules.instancenorm import _InstanceNorm

from rom.errors import RomTypeError

__all__ = ["require_row_wise"]

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
