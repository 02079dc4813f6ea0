"""The device that a model is trained or evaluated on."""

from __future__ import annotations

from typing import Any

import torch

from rom.utils.errors import RomValueError

__all__ = ["checked_device"]


def checked_device(device: Any) -> torch.device:
    """Return a device that exists.

    Parameters
    ----------
    device : str or torch.device
        A device of torch; "auto" is CUDA if there is a CUDA device, and the CPU otherwise.

    Raises
    ------
    RomValueError
        If the device is unknown, does not exist here, or holds no numbers.
    """
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
