"""Arrays of any namespace of the array standard: NumPy, torch and others."""

from __future__ import annotations

from typing import Any

import array_api_compat
import numpy as np

from systems.errors import SystemsTypeError

__all__ = ["as_array_like", "as_floating", "like"]


def like(array: np.ndarray, x: Any, xp: Any) -> Any:
    """Return a NumPy array with the namespace, dtype and device of `x`."""
    return xp.asarray(array, dtype=x.dtype, device=array_api_compat.device(x))


def as_floating(x: Any, name: str) -> tuple[Any, Any]:
    """Return `x` and its namespace; require real floating-point numbers."""
    try:
        xp = array_api_compat.array_namespace(x)
    except TypeError as error:
        raise SystemsTypeError(
            f"{name} must be a NumPy, torch or other array, got {type(x).__name__}; use numpy.asarray"
        ) from error
    if not xp.isdtype(x.dtype, "real floating"):
        raise SystemsTypeError(
            f"{name} must hold real floating-point numbers, got {x.dtype}; convert it, as by astype(float)"
        )
    return x, xp


def as_array_like(value: Any, x: Any, xp: Any, name: str) -> Any:
    """Return a number or array with the namespace, dtype and device of `x`.

    Gradients of a tensor are kept.
    """
    try:
        if array_api_compat.is_array_api_obj(value) and array_api_compat.array_namespace(value) is xp:
            return array_api_compat.to_device(xp.astype(value, x.dtype), array_api_compat.device(x))
        return xp.asarray(np.asarray(value, dtype=float), dtype=x.dtype, device=array_api_compat.device(x))
    except (TypeError, ValueError) as error:
        raise SystemsTypeError(f"{name} must be a number or an array of numbers, got {value!r}") from error
