"""Activation functions in NumPy that write their values to an array that exists already."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.special import erf

__all__ = ["NUMPY_ACTIVATIONS"]


def silu(x: np.ndarray, out: np.ndarray) -> None:
    """Write x / (1 + exp(-x)) to `out`."""
    np.negative(x, out)
    np.exp(out, out)
    out += 1.0
    np.divide(x, out, out)


def gelu(x: np.ndarray, out: np.ndarray) -> None:
    """Write x times the standard normal distribution function of x to `out`."""
    np.multiply(x, math.sqrt(0.5), out)
    erf(out, out)
    out += 1.0
    out *= x
    out *= 0.5


def relu(x: np.ndarray, out: np.ndarray) -> None:
    """Write max(x, 0) to `out`."""
    np.maximum(x, 0.0, out=out)


def elu(x: np.ndarray, out: np.ndarray) -> None:
    """Write x for x > 0, and exp(x) - 1 elsewhere, to `out`."""
    np.minimum(x, 0.0, out=out)
    np.expm1(out, out)
    out += np.maximum(x, 0.0)


def softplus(x: np.ndarray, out: np.ndarray) -> None:
    """Write log(1 + exp(x)) to `out`."""
    np.logaddexp(x, 0.0, out)


# Functions of (x, out) by the names in `rom.networks.mlp.ACTIVATIONS`.
NUMPY_ACTIVATIONS: dict[str, Callable[[np.ndarray, np.ndarray], object]] = {
    "tanh": np.tanh,
    "silu": silu,
    "gelu": gelu,
    "relu": relu,
    "elu": elu,
    "softplus": softplus,
    "sin": np.sin,
}
