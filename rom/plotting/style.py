"""Colours, line styles and marker styles that all pictures share."""

from typing import Any

__all__ = ["BLUE", "COLOURS", "DIVERGING", "GREY", "IMAGE", "LINE_STYLES", "ORANGE", "POINTS", "SEQUENTIAL"]

# The palette of Okabe & Ito (2008), which readers with any kind of colour vision can tell apart. Line styles differ as
# well, for prints in grey.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00")
LINE_STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))

BLUE, ORANGE = COLOURS[:2]
GREY = "0.6"

SEQUENTIAL = "viridis"  # colour map of values
DIVERGING = "RdBu_r"  # colour map of differences, white at zero

# Arguments of `scatter` for many points. Rasterized points keep vector files small.
POINTS: dict[str, Any] = {"s": 7, "alpha": 0.7, "linewidths": 0.0, "rasterized": True}

# Arguments of `pcolormesh`. "nearest" centres each cell on the position of its value.
IMAGE: dict[str, Any] = {"shading": "nearest", "rasterized": True}
