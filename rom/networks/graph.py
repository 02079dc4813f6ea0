"""Graph networks: encoders and decoders of fields on meshes, by messages between neighbouring nodes.

They act on standardised fields (B, channels, *shape), each row by itself, and are zero before training. The points of a
field in flat order are the nodes. PyTorch Geometric is imported when a network is built.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rom.networks.field_network import FieldNetwork
from rom.networks.geometry import Geometry
from rom.networks.mlp import ACTIVATIONS, activate, blank_linear, uniform_, zero_
from rom.utils.checks import require_choice, require_widths
from rom.utils.errors import RomTypeError, RomValueError
from rom.utils.optional import require_package

__all__ = ["Graph", "edges_of"]


@dataclass(frozen=True)
class Graph(FieldNetwork):
    """Settings of an encoder and decoder by message passing on a mesh.

    They need PyTorch Geometric: ``pip install latentrom[graph]``. If the data have positions, messages depend on the
    distance vector of two nodes, in units of the mean length of an edge. Along periodic directions it is the shortest one.

    Parameters
    ----------
    edges : array_like of int, ``(E, 2)`` or ``(2, E)``
        Pairs of neighbouring nodes, which are numbered as in the flat field. Edges have no direction; duplicates and loops
        are dropped. `rom.networks.graph.edges_of` makes them from triangles.
    channels : tuple of int, default (16, 16)
        Number of features of a node after each round of messages.
    activation : str, default "tanh"
        "tanh", "silu", "gelu", "relu", "elu", "softplus" or "sin".

    Raises
    ------
    RomTypeError, RomValueError
        If a setting is unknown or has an invalid value.

    Examples
    --------
    >>> import rom
    >>> rom.Graph([[0, 1], [2, 1], [1, 0]]).edges
    ((0, 1), (1, 2))
    """

    edges: tuple[tuple[int, int], ...] = field(repr=False)
    channels: tuple[int, ...] = (16, 16)
    activation: str = "tanh"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "edges", undirected(self.edges))
        require_widths("Graph.channels", self.channels)
        if not self.channels:
            raise RomValueError("Graph.channels must have at least one round of messages, got ()")
        require_choice("Graph.activation", self.activation, ACTIVATIONS)

    def encoder(self, geometry: Geometry, latent_dim: int, generator: torch.Generator | None = None) -> nn.Module:
        """Return an encoder from fields (B, channels, *shape) to latent states (B, d).

        The arguments are those of `FieldNetwork`.

        Raises
        ------
        RomValueError
            If edges and nodes do not match.
        """
        convolution = convolution_on(self, geometry, generator)
        widths = [geometry.channels, *self.channels]
        narrow = uniform_(blank_linear(widths[-1], geometry.channels), widths[-1], generator)
        rounds = [convolution(a, b) for a, b in pairwise(widths)]
        return GraphEncoder(rounds, narrow, geometry.n_points, self.activation, latent_dim)

    def decoder(self, geometry: Geometry, latent_dim: int, generator: torch.Generator | None = None) -> nn.Module:
        """Return a decoder from latent states (B, d) to fields (B, channels, *shape).

        The arguments are those of `FieldNetwork`.

        Raises
        ------
        RomValueError
            If edges and nodes do not match.
        """
        convolution = convolution_on(self, geometry, generator)
        widths = list(reversed(self.channels))
        lift = uniform_(blank_linear(latent_dim, geometry.n_points * widths[0]), latent_dim, generator)
        rounds = [convolution(a, b) for a, b in pairwise([widths[0], *widths])]
        return GraphDecoder(lift, rounds, geometry, self.activation)


class GraphEncoder(nn.Module):
    """Encoder from fields (B, channels, *shape) to latent states (B, d).

    After the rounds of messages, features are reduced to as many as there are channels at each node. A linear map takes
    those of all nodes to latent states.
    """

    def __init__(self, rounds: list[nn.Module], narrow: nn.Linear, n_nodes: int, activation: str, latent_dim: int):
        super().__init__()
        self.rounds = nn.ModuleList(rounds)
        self.narrow = narrow
        self.linear = zero_(blank_linear(n_nodes * narrow.out_features, latent_dim))
        self.activation = activation

    def forward(self, fields: Tensor) -> Tensor:
        """Return latent states (B, d) of fields (B, channels, *shape)."""
        features = activate(self.activation, self.narrow(self.trunk(fields.flatten(2).permute(2, 0, 1))))
        return self.linear(features.movedim(0, 1).flatten(1))

    def trunk(self, features: Tensor) -> Tensor:
        """Return features (N, B, c) after all rounds of messages, from values (N, B, channels) at the nodes."""
        for messages in self.rounds:
            features = activate(self.activation, messages(features))
        return features


class GraphDecoder(nn.Module):
    """Decoder from latent states (B, d) to fields (B, channels, *shape): a linear map, then rounds of messages."""

    def __init__(self, lift: nn.Linear, rounds: list[nn.Module], geometry: Geometry, activation: str):
        super().__init__()
        self.geometry = geometry
        self.lift = lift
        self.rounds = nn.ModuleList(rounds)
        self.linear = zero_(blank_linear(rounds[-1].root.shape[1], geometry.channels))  # type: ignore[union-attr, arg-type]
        self.activation = activation

    def forward(self, latent: Tensor) -> Tensor:
        """Return fields (B, channels, *shape) of latent states (B, d)."""
        features = self.lift(latent).unflatten(1, (self.geometry.n_points, -1)).movedim(1, 0)
        values = self.linear(self.trunk(activate(self.activation, features)))
        return values.permute(1, 2, 0).unflatten(2, self.geometry.shape)

    def trunk(self, features: Tensor) -> Tensor:
        """Return features (N, B, c) after all rounds of messages."""
        for messages in self.rounds:
            features = activate(self.activation, messages(features))
        return features


def edges_of(triangles: Any) -> tuple[tuple[int, int], ...]:
    """Return the edges of cells whose nodes are all neighbours, such as triangles.

    Parameters
    ----------
    triangles : array_like of int, shape (T, k)
        Nodes of each cell, such as ``scipy.spatial.Delaunay(points).simplices``.

    Returns
    -------
    tuple of tuple of int
        Pairs of nodes, the smaller first, each once.

    Raises
    ------
    RomTypeError
        If nodes are not integers.
    RomValueError
        If `triangles` has another shape, or negative nodes.

    Examples
    --------
    >>> from rom.networks.graph import edges_of
    >>> edges_of([[0, 1, 2], [1, 2, 3]])
    ((0, 1), (0, 2), (1, 2), (1, 3), (2, 3))
    """
    cells = integers("edges_of: triangles", triangles)
    if cells.ndim != 2 or cells.shape[1] < 2:
        raise RomValueError(f"edges_of: triangles must be an array (T, 3) of nodes, got shape {cells.shape}")
    pairs = [cells[:, [a, b]] for a in range(cells.shape[1]) for b in range(a)]
    return undirected(np.concatenate(pairs))


def integers(name: str, nodes: Any) -> np.ndarray:
    """Return nodes as an array of integers, or raise a typed error if they are others or negative."""
    try:
        array = np.asarray(nodes)
    except ValueError as error:  # rows of different lengths
        raise RomValueError(f"{name} must be an array of node indices: {error}") from error
    if array.size and array.dtype.kind not in "iu":
        raise RomTypeError(f"{name} must be integers, the indices of nodes, got an array of {array.dtype}")
    if array.size and array.min() < 0:
        raise RomValueError(f"{name} must not be negative, got {array.min()}; nodes are counted from 0")
    return array.astype(np.int64)


def undirected(edges: Any) -> tuple[tuple[int, int], ...]:
    """Return each pair of different nodes once, the smaller first, sorted."""
    pairs = integers("Graph.edges", edges)
    if pairs.ndim == 2 and pairs.shape[0] == 2 != pairs.shape[1]:
        pairs = pairs.T
    if pairs.ndim != 2 or pairs.shape[1] != 2:
        raise RomValueError(
            f"Graph.edges must be pairs of nodes, (E, 2) or (2, E), got an array of shape {pairs.shape}"
        )
    pairs = np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1), axis=0)
    return tuple((a, b) for a, b in pairs.tolist())


def convolution_on(
    settings: Graph, geometry: Geometry, generator: torch.Generator | None
) -> Callable[[int, int], nn.Module]:
    """Return a function that makes convolutions on the mesh, from the numbers (n_in, n_out) of features.

    Raises
    ------
    RomImportError
        If PyTorch Geometric is not installed.
    RomValueError
        If edges and nodes do not match.
    """
    require_package("torch_geometric.nn", "PyTorch Geometric", "graph", "rom.Graph")
    from rom.networks.message_passing import DirectionalConv

    edges, n = np.array(settings.edges, dtype=np.int64).reshape(-1, 2), geometry.n_points
    if n < 2:
        raise RomValueError(f"Graph needs a mesh of at least two nodes, and the field has {n}")
    outside = np.flatnonzero(edges[:, 1] >= n)
    if outside.size:
        a, b = settings.edges[outside[0]]
        raise RomValueError(
            f"Graph.edges: the edge ({a}, {b}) has a node outside of the mesh, whose {n} nodes are counted from 0 to "
            f"{n - 1}; number nodes as in the flat field"
        )
    alone = np.setdiff1d(np.arange(n), edges)
    if alone.size:
        raise RomValueError(
            f"Graph.edges: node {alone[0]} has no neighbour ({alone.size} of {n} nodes have none); join each to another, or "
            "leave such nodes out of the data"
        )
    receivers, senders = np.concatenate([edges, edges[:, ::-1]]).T
    moments = moments_of(receivers, senders, geometry)
    n_moments = len(moments)
    columns = senders + n * np.arange(n_moments)[:, None]
    rows = np.broadcast_to(receivers, columns.shape)
    order = np.lexsort([columns.ravel(), rows.ravel()])
    indices = torch.from_numpy(np.stack([rows.ravel(), columns.ravel()])[:, order])
    values = torch.from_numpy(moments.ravel()[order])
    return lambda n_in, n_out: DirectionalConv(n_in, n_out, indices, values, n_moments, generator)


def moments_of(receivers: np.ndarray, senders: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Return weights (K, E) of edges: 1 and the components of the distance, over the number of the receiver's neighbours.

    Distances along periodic directions are the shortest ones. They are in units of the mean length of an edge.
    """
    share = 1.0 / np.bincount(receivers)[receivers]
    if geometry.positions is None:
        return share[None]
    distances = geometry.positions[senders] - geometry.positions[receivers]
    for k, period in enumerate(geometry.periods):
        if period is not None:
            distances[:, k] -= period * np.round(distances[:, k] / period)
    scale = np.linalg.norm(distances, axis=1).mean()
    if not scale > 0:
        raise RomValueError("Graph: all neighbours lie at the same position; pass positions that differ, or none")
    return share * np.concatenate([np.ones((1, len(share))), distances.T / scale])
