"""placeholder"""

from __future__ import annotations

from torch import nn


def require_row_wise(module: nn.Module, name: str) -> None:
    pass
