"""The device that a fit runs on."""

from __future__ import annotations

from typing import Any

import torch

from rom.utils.errors import RomValueError

__all__ = ["checked_device"]


def checked_device(device: Any) -> torch.device:
    """A device that exists: "auto" is CUDA where there is one, and the CPU otherwise."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise RomValueError(f"device: unknown {device!r}; use 'auto', 'cpu', 'cuda' or 'cuda:0'") from error
    try:
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise RomValueError(
            f"device: {device!r} was asked for, but torch has no such device here; use 'auto' or 'cpu'"
        ) from error
    if chosen.type == "meta":
        raise RomValueError("device: 'meta' holds no numbers; use 'auto' or 'cpu'")
    return chosen
