"""Isomap: coordinates whose distances are those along a curved sheet of samples.

References
----------
J. B. Tenenbaum, V. de Silva, J. C. Langford, "A global geometric framework for nonlinear dimensionality reduction",
Science 290 (2000) 2319-2323.
"""

from __future__ import annotations

import logging

import numpy as np
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree
from scipy.spatial.distance import cdist

from rom.utils.errors import RomValueError
from rom.utils.optional import require_scikit_learn

__all__ = ["MAX_SAMPLES", "NEIGHBOURS", "isomap"]

log = logging.getLogger("rom")

# Time grows with the cube of the number of samples, memory with its square: some seconds, and 20 MB for each matrix.
MAX_SAMPLES = 1600

NEIGHBOURS = 8  # of each sample, to which it is linked

# Length of a link between equal samples, in shares of the extent of all samples. Sparse graphs would drop a link of
# length zero.
SHORTEST_LINK = 1e-12

# Eigenvalues of the Gram matrix below this share of the largest one are rounding errors.
EIGENVALUE_ROUNDING = 1e-10


def isomap(samples: np.ndarray, latent_dim: int, neighbours: int = NEIGHBOURS) -> np.ndarray:
    """Compute the Isomap coordinates of samples, in the order of decreasing variance.

    Each sample is linked to its nearest neighbours. Shortest paths over the links are the distances along the sheet,
    which classical multidimensional scaling turns into coordinates. Pieces without a link between them are joined, with
    a warning.

    Parameters
    ----------
    samples : numpy.ndarray
        ``(N, r)``, at most about `MAX_SAMPLES` of them.
    latent_dim : int
        Number of coordinates d.
    neighbours : int
        Number of neighbours of each sample.

    Returns
    -------
    numpy.ndarray
        ``(N, d)``.

    Raises
    ------
    RomImportError
        If scikit-learn is not installed.
    RomValueError
        If there are too few samples for a link, or their distances are not those of so many coordinates.
    """
    require_scikit_learn("Isomap")
    from sklearn.manifold import Isomap
    from sklearn.neighbors import kneighbors_graph, sort_graph_by_row_values

    count = len(samples)
    k = min(neighbours, count - 1)
    if k < 1:
        raise RomValueError(f"{count} samples and {neighbours} neighbours make no links; pass more")
    graph = csr_array(kneighbors_graph(samples, k, mode="distance"))
    graph.data = np.maximum(graph.data, shortest_link(samples))
    graph = sort_graph_by_row_values(joined(graph, samples), warn_when_not_sorted=False)
    # All links of the given graph, and the dense eigensolver because the sparse one starts from random numbers.
    method = Isomap(
        n_neighbors=None,  # pyright: ignore[reportArgumentType]
        radius=np.inf,
        n_components=min(latent_dim, count),
        metric="precomputed",
        eigen_solver="dense",
    )
    try:
        coordinates = method.fit_transform(graph)
    except ValueError as error:  # negative eigenvalues among those asked for
        raise RomValueError(
            f"latent_dim is {latent_dim}, but the distances along the sheet of {count} samples are those of fewer "
            "coordinates; ask for fewer"
        ) from error
    eigenvalues = method.kernel_pca_.eigenvalues_
    possible = int((eigenvalues > EIGENVALUE_ROUNDING * eigenvalues[0]).sum())
    if latent_dim > possible:
        raise RomValueError(
            f"latent_dim is {latent_dim}, but the distances along the sheet of {count} samples are those of {possible} coordinates; "
            "ask for fewer"
        )
    return coordinates


def shortest_link(samples: np.ndarray) -> float:
    """Return a length that is negligible and yet not zero."""
    return SHORTEST_LINK * float(np.ptp(samples)) or float(np.finfo(float).tiny)


def joined(graph: csr_array, samples: np.ndarray) -> csr_array:
    """Connect the pieces of a graph by their shortest links, with a warning.

    scikit-learn would link each pair of pieces, one pair at a time. With 160 pieces of ten samples, Isomap then took 37
    s instead of 3 s.

    Parameters
    ----------
    graph : scipy.sparse.csr_array
        Lengths of links, ``(N, N)``.
    samples : numpy.ndarray
        ``(N, r)``.
    """
    count, piece = connected_components(graph, directed=False)
    if count == 1:
        return graph
    log.warning(
        "isomap: the samples lie in %d pieces without a link between neighbours, joined by the shortest ones: distances from piece to "
        "piece mean little. More samples, more neighbours, or an autoencoder for each piece may help",
        count,
    )
    # With negligible lengths within the pieces, a minimum spanning tree goes from piece to piece only where it must.
    lengths = np.where(piece[:, None] == piece, shortest_link(samples), cdist(samples, samples))
    tree = minimum_spanning_tree(lengths).tocoo()
    between = piece[tree.row] != piece[tree.col]
    links = coo_array((tree.data[between], (tree.row[between], tree.col[between])), shape=graph.shape)
    return csr_array(graph + links)
