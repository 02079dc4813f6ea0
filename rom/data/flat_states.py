"""What codecs take and return: flat states, decoded cells, and dimensions of points."""

from __future__ import annotations

from dataclasses import dataclass

import xarray as xr
from torch import Tensor

from rom.data.at_positions import PositionedValues
from rom.data.positions import MOVING

__all__ = ["DecodedCells", "FlatStates", "PointDims"]


@dataclass(frozen=True)
class FlatStates:
    """States as the networks see them, and how they were given.

    Attributes
    ----------
    flat : torch.Tensor
        Flat states ``(*lead, n)``: values on the grid, or coefficients.
    lead : tuple of str
        Leading dimensions of labelled states. Empty for arrays.
    dims : tuple of str
        Dimensions of labelled states that belong to one state.
    given : PositionedValues or None
        The values that coefficients were computed from.
    """

    flat: Tensor
    lead: tuple[str, ...]
    dims: tuple[str, ...]
    given: PositionedValues | None = None


@dataclass(frozen=True)
class DecodedCells:
    """What is decoded of a state: values are ``mean + modes @ w`` for scaled POD coordinates w.

    Attributes
    ----------
    labels : xarray.Dataset
        The decoded cells with their labels; the values have no meaning.
    mean : torch.Tensor
        Shape ``(m,)``, all fields one after the other.
    modes : torch.Tensor
        Shape ``(m, r)``.
    """

    labels: xr.Dataset
    mean: Tensor
    modes: Tensor


@dataclass(frozen=True)
class PointDims:
    """What is known of the dimensions of scattered points in the training data.

    Attributes
    ----------
    moving : tuple of str
        Dimensions along which points may move, which do not belong to a state.
    most : int or None
        The number of dimensions that the points of one state may have; None for any.
    """

    moving: tuple[str, ...] = MOVING
    most: int | None = None
