"""Reduce arrays to the points that a plot needs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["thinned"]


def thinned(values: Any, at_most: int = 50) -> np.ndarray:
    """Return every k-th row of an array, so that at most `at_most` of them remain."""
    values = np.asarray(values)
    return values[:: max(1, math.ceil(len(values) / at_most))]
