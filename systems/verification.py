"""The contract of a system, checked on a few of its initial states."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np

from systems.errors import EvaluationError

__all__ = ["verify"]

# Largest difference between values of f that should be equal, as a fraction of the largest value.
TOLERANCE = 1e-10


def verify(system: Any, seed: int) -> None:
    """Raise EvaluationError unless a system keeps its contract; see `System.verify`."""
    x = _initial_states(system, seed)
    f = _values_of_f(system, x)
    scale = float(np.abs(f).max()) + np.finfo(float).tiny
    single = np.stack([system.rhs(one) for one in x])
    _require(system, np.abs(single - f).max() <= TOLERANCE * scale, "rhs of a batch differs from rhs of single states")
    if system.is_black_box:
        return
    small = system.rhs(x.astype(np.float32))
    _require(system, small.dtype == np.float32, f"rhs of float32 returned {small.dtype}")
    if importlib.util.find_spec("torch") is not None:
        _compare_with_torch(system, x, f, scale)


def _require(system: Any, holds: Any, message: str) -> None:
    """Raise EvaluationError unless `holds`."""
    if not holds:
        raise EvaluationError(f"{system.name}: {message}")


def _initial_states(system: Any, seed: int) -> np.ndarray:
    """Return three initial states after checking them and the coordinates."""
    x = np.asarray(system.sample_initial(3, seed).values)
    expected = (3, *system.shape)
    _require(system, x.shape == expected, f"sample_initial(3) has shape {x.shape}, expected {expected}")
    _require(system, x.dtype == np.float64, f"sample_initial must return float64, got {x.dtype}")
    _require(system, np.isfinite(x).all(), "sample_initial returned values that are not finite")
    _require(
        system,
        np.array_equal(x[:2], system.sample_initial(2, seed).values),
        "sample_initial(2) differs from the first 2 of sample_initial(3): the i-th state must depend on (seed, i) "
        "alone, so draw all numbers in one call with n first, as by rng.random((n, ...))",
    )
    for dim, size in zip(system.dims, system.shape, strict=True):
        coord = system.coords.get(dim)
        message = f"coords[{dim!r}] must be 1-D with {size} entries"
        _require(system, coord is not None and coord.shape == (size,), message)
    return x


def _values_of_f(system: Any, x: np.ndarray) -> np.ndarray:
    """Return f at the states after checking its type, shape, dtype and values."""
    before = x.copy()
    f = system.rhs(x)
    _require(system, np.array_equal(x, before), "rhs changes x in place")
    _require(system, isinstance(f, np.ndarray), f"rhs of a NumPy array returned {type(f).__name__}")
    _require(system, f.shape == x.shape, f"rhs of states {x.shape} returned shape {f.shape}")
    _require(system, f.dtype == np.float64, f"rhs of float64 returned {f.dtype}")
    _require(system, np.isfinite(f).all(), "rhs is not finite at an initial state")
    return f


def _compare_with_torch(system: Any, x: np.ndarray, f: np.ndarray, scale: float) -> None:
    """Check that torch gives the values f at the states x, and keeps the dtype."""
    import torch

    for dtype in (torch.float64, torch.float32):
        g = system.rhs(torch.asarray(x, dtype=dtype))
        _require(system, isinstance(g, torch.Tensor), f"rhs of a torch tensor returned {type(g).__name__}")
        _require(system, g.dtype == dtype, f"rhs of {dtype} returned {g.dtype}")
    difference = float(np.abs(system.rhs(torch.asarray(x)).numpy() - f).max())
    message = f"torch and NumPy differ by {difference:.3g} (f is up to {scale:.3g})"
    _require(system, difference <= TOLERANCE * scale, message)
