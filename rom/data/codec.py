"""States of any kind that users have, to flat states and back.

A model owns one codec. `GridCodec` is for states on the grid of the training data, whose flat states are the values
themselves. `SplineCodec` is for values at any positions, whose flat states are coefficients in a function space. Both have
the same methods, and `codec_for` is the only place that chooses between them.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from rom.data.grid_codec import GridCodec
from rom.data.layout import Layout
from rom.data.spline_codec import SplineCodec
from rom.data.state_codec import PointDims, StateCodec
from rom.reduction.pod import Projection

__all__ = ["codec_for", "codec_type"]


def codec_type(layout: Layout) -> type[StateCodec]:
    """Return the class of the codec for states of a layout."""
    return GridCodec if layout.space is None else SplineCodec


def codec_for(
    layout: Layout, projection: Projection, buffers: Mapping[str, Tensor], point_dims: PointDims
) -> StateCodec:
    """Return the codec of a model.

    Parameters
    ----------
    layout : Layout
        Labels of a state.
    projection : Projection
        POD of flat states.
    buffers : mapping of str to torch.Tensor
        Numbers that the model stores for its codec, by the names of `buffer_shapes`.
    point_dims : PointDims
        What is known of the dimensions of scattered points.

    Returns
    -------
    GridCodec or SplineCodec
        The latter for a layout with a function space.
    """
    if layout.space is None:
        return GridCodec(layout, projection)
    return SplineCodec(layout, projection, buffers, point_dims)
