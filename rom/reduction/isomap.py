"""Coordinates in which distances are those along a curved sheet: Isomap (Tenenbaum, de Silva & Langford 2000, Science 290)."""

from __future__ import annotations

import logging

import numpy as np
from scipy.linalg import eigh
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree, shortest_path
from scipy.spatial import KDTree
from scipy.spatial.distance import cdist

from rom.utils.errors import RomValueError

__all__ = ["MOST_SAMPLES", "NEIGHBOURS", "isomap"]

log = logging.getLogger("rom")

MOST_SAMPLES = 1600  # time and memory grow as the cube and the square: some seconds, 20 MB a matrix
NEIGHBOURS = 8
SHORTEST = 1e-12  # of the extent of the samples: sparse graphs take a length of zero for no link
ROUNDING = 1e-10  # of the largest eigenvalue


def isomap(samples: np.ndarray, latent_dim: int, neighbours: int = NEIGHBOURS) -> np.ndarray:
    """Coordinates (N, d), by decreasing variance, whose distances are closest to those along the sheet of samples (N, r).

    Distances along the sheet are shortest ways over links between nearest neighbours; the coordinates are those of classical
    multidimensional scaling. Pieces without a link between them are joined by the shortest ones, with a warning.

    Raises `RomValueError` where the distances are not those of so many coordinates.
    """
    lengths = shortest_path(joined(neighbour_graph(samples, neighbours), samples), directed=False)
    return scaled(lengths, latent_dim)


def neighbour_graph(samples: np.ndarray, neighbours: int) -> csr_array:
    """The lengths of links (N, N) from each sample to its nearest neighbours."""
    count = len(samples)
    k = min(neighbours, count - 1)
    if k < 1:
        raise RomValueError(f"{count} samples and {neighbours} neighbours make no links; pass more")
    lengths, near = (np.asarray(found)[:, 1:] for found in KDTree(samples).query(samples, k + 1))  # the first is itself
    lengths = np.maximum(lengths, shortest(samples))
    return coo_array((lengths.ravel(), (np.repeat(np.arange(count), k), near.ravel())), shape=(count, count)).tocsr()


def shortest(samples: np.ndarray) -> float:
    """A length that is none, and yet not zero."""
    return SHORTEST * float(np.ptp(samples)) or float(np.finfo(float).tiny)


def joined(graph: csr_array, samples: np.ndarray) -> csr_array:
    """`graph`, with the shortest links that leave no piece of it alone."""
    count, piece = connected_components(graph, directed=False)
    if count == 1:
        return graph
    log.warning(
        "isomap: the samples lie in %d pieces without a link between neighbours, joined by the shortest ones: distances from piece to "
        "piece mean little. More samples, more neighbours, or an autoencoder for each piece may help",
        count,
    )
    lengths = cdist(samples, samples)
    lengths = np.where(piece[:, None] == piece, shortest(samples), lengths)
    tree = minimum_spanning_tree(
        lengths
    ).tocoo()  # within pieces all is near, so that it leaves each only where it must
    between = piece[tree.row] != piece[tree.col]
    links = coo_array((tree.data[between], (tree.row[between], tree.col[between])), shape=graph.shape)
    return csr_array(graph + links)


def scaled(lengths: np.ndarray, latent_dim: int) -> np.ndarray:
    """Classical multidimensional scaling of distances (N, N) to coordinates (N, d)."""
    count = len(lengths)
    gram = -0.5 * lengths**2
    gram -= gram.mean(axis=0)
    gram -= gram.mean(axis=1, keepdims=True)
    d = min(latent_dim, count)
    values, vectors = eigh(gram, subset_by_index=(count - d, count - 1))
    values, vectors = values[::-1], vectors[:, ::-1]
    possible = int((values > ROUNDING * max(values[0], 0.0)).sum())
    if latent_dim > possible:
        raise RomValueError(
            f"latent_dim is {latent_dim}, but the distances along the sheet of {count} samples are those of {possible} coordinates; "
            "ask for fewer"
        )
    return vectors * np.sqrt(values)
