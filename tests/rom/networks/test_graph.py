"""Graph networks on meshes: what a message is, renumbered nodes, derivatives, and meshes that do not fit."""

import sys

import numpy as np
import pytest
import torch
from field_networks import awake, check_derivatives, check_jacobian, check_row_wise, check_start
from scipy.spatial import Delaunay

from rom.networks.geometry import Geometry
from rom.networks.graph import Graph, edges_of
from rom.utils.errors import RomImportError, RomTypeError, RomValueError

RING = tuple((k, (k + 1) % 6) for k in range(6))


@pytest.fixture(scope="module")
def _pyg():
    """Networks are built with PyTorch Geometric; settings and errors do not need it."""
    pytest.importorskip("torch_geometric", reason="needs torch-geometric: pip install latentrom[graph]")


pyg = pytest.mark.usefixtures("_pyg")


@pytest.fixture(scope="module")
def mesh():
    """Twenty scattered nodes in the unit square, and the edges of their triangles."""
    positions = np.random.default_rng(0).random((20, 2))
    return positions, edges_of(Delaunay(positions).simplices)


def geometry_of(positions, channels=2, known=True):
    return Geometry(channels, (len(positions),), ("node",), positions if known else None)


def both(settings, geometry, latent_dim=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return settings.encoder(geometry, latent_dim, generator), settings.decoder(geometry, latent_dim, generator)


@pyg
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("activation", ["tanh", "silu"])
def test_derivatives_along_tangents(normal, mesh, known, activation):
    positions, edges = mesh
    encoder, decoder = map(awake, both(Graph(edges, (4, 5), activation), geometry_of(positions, known=known)))
    fields, latent = normal(3, 2, 20), normal(3, 3, seed=1)
    assert encoder(fields).shape == latent.shape
    assert decoder(latent).shape == fields.shape
    check_derivatives(encoder, fields, normal(3, 2, 20, seed=2))
    check_derivatives(decoder, latent, normal(3, 3, seed=3))
    check_row_wise(encoder, fields)
    check_row_wise(decoder, latent)
    check_jacobian(encoder, fields, 3)


@pyg
def test_networks_start_at_zero_from_their_generator(normal, mesh):
    positions, edges = mesh
    settings, geometry = Graph(edges, (3,)), geometry_of(positions)

    def make(generator):
        encoder, decoder = settings.encoder(geometry, 3, generator), settings.decoder(geometry, 3, generator)
        return [(encoder, normal(4, 2, 20)), (decoder, normal(4, 3, seed=1))]

    check_start(make)


@pyg
@pytest.mark.parametrize("known", [True, False])
def test_renumbered_nodes_renumber_the_features(normal, mesh, known):
    """Node k of the second mesh is node order[k] of the first."""
    positions, edges = mesh
    order = np.random.default_rng(1).permutation(20)
    renumbered = np.argsort(order)[np.array(edges)]
    one = awake(Graph(edges).encoder(geometry_of(positions, known=known), 3, torch.Generator().manual_seed(0)))
    two = Graph(renumbered).encoder(geometry_of(positions[order], known=known), 3, torch.Generator().manual_seed(0))
    features = normal(20, 4, 2)
    expected = one.trunk(features)[order]
    torch.testing.assert_close(awake(two).trunk(features[order]), expected, rtol=0, atol=1e-12)


@pyg
def test_messages_are_what_the_layer_says(normal, mesh):
    """x_i' = W_0 x_i + sum_k W_k sum_j a_k(i, j) x_j + b, by loops; and by PyTorch Geometric's own gather and scatter."""
    positions, edges = mesh
    layer = awake(Graph(edges, (3,)).encoder(geometry_of(positions), 2)).rounds[0]
    x = normal(20, 5, 2)
    pairs = [*edges, *((b, a) for a, b in edges)]
    length = np.mean([np.linalg.norm(positions[a] - positions[b]) for a, b in pairs])
    expected = x @ layer.root + layer.bias
    for i, j in pairs:
        moments = np.array([1.0, *(positions[j] - positions[i]) / length]) / sum(a == i for a, _ in pairs)
        for moment, weight in zip(moments, layer.weight, strict=True):
            expected[i] = expected[i] + moment * x[j] @ weight
    found = layer(x)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    layer.fuse = False
    torch.testing.assert_close(layer(x), found, rtol=0, atol=1e-12)


@pyg
def test_neighbours_across_the_end_of_a_period_are_near(normal):
    """On a ring every node sees the same: shifted features shift the result."""
    positions = np.arange(6)[:, None] / 6.0
    rings = [Geometry(1, (6,), ("x",), positions, periods) for periods in [(1.0,), (None,)]]
    closed, opened = (awake(Graph(RING, (3,)).encoder(ring, 2, torch.Generator().manual_seed(0))) for ring in rings)
    x = normal(6, 2, 1)
    torch.testing.assert_close(closed.trunk(x.roll(2, 0)), closed.trunk(x).roll(2, 0), rtol=0, atol=1e-12)
    assert (opened.trunk(x.roll(2, 0)) - opened.trunk(x).roll(2, 0)).abs().max() > 1e-2


@pyg
def test_points_of_a_grid_can_be_nodes(normal):
    settings = Graph(((0, 1), (2, 3), (0, 2), (1, 3)), (3,))
    encoder, decoder = map(awake, both(settings, Geometry(1, (2, 2), ("x", "y")), 2))
    fields = normal(4, 1, 2, 2)
    assert decoder(encoder(fields)).shape == fields.shape


def test_edges_are_undirected_and_distinct():
    wanted = ((0, 1), (0, 2), (1, 2))
    for edges in (
        wanted,
        [[1, 0], [0, 1], [2, 2], [2, 1], [0, 2]],
        np.array([[0, 1, 2, 0], [1, 2, 0, 0]], dtype=np.int32),
    ):
        assert Graph(edges).edges == wanted
    assert edges_of([[0, 1, 2], [1, 2, 3]]) == (*wanted, (1, 3), (2, 3))
    assert Graph.from_dict({**Graph(wanted).to_dict(), "edges": [list(pair) for pair in wanted]}) == Graph(wanted)
    assert "edges" not in repr(Graph(wanted))


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        (
            {"edges": ((0, 1, 2),)},
            RomValueError,
            r"Graph.edges must be pairs of nodes, .* got an array of shape \(1, 3\)",
        ),
        ({"edges": ((0, 1), (2,))}, RomValueError, r"Graph.edges must be an array of node indices"),
        ({"edges": ((0.0, 1.0),)}, RomTypeError, r"Graph.edges must be integers, .* float64"),
        ({"edges": ((0, -1),)}, RomValueError, r"Graph.edges must not be negative, got -1"),
        ({"edges": RING, "channels": ()}, RomValueError, r"channels must have at least one round"),
        ({"edges": RING, "activation": "tan"}, RomValueError, r"activation: unknown 'tan'"),
    ],
)
def test_settings_are_checked(settings, error, message):
    with pytest.raises(error, match=message):
        Graph(**settings)


def test_triangles_are_checked():
    with pytest.raises(RomValueError, match=r"triangles must be an array \(T, 3\) of nodes, got shape \(3,\)"):
        edges_of([0, 1, 2])
    with pytest.raises(RomTypeError, match=r"triangles must be integers"):
        edges_of([[0.5, 1.0, 2.0]])


@pyg
@pytest.mark.parametrize(
    ("n_nodes", "message"),
    [
        (1, r"at least two nodes, and the field has 1"),
        (5, r"the edge \(0, 5\) has a node outside of the mesh, whose 5 nodes are counted from 0 to 4"),
        (9, r"node 6 has no neighbour \(3 of 9 nodes have none\); join each to another"),
    ],
)
def test_meshes_that_do_not_fit_are_refused(n_nodes, message):
    geometry = Geometry(1, (n_nodes,), ("node",))
    for make in (Graph(RING).encoder, Graph(RING).decoder):
        with pytest.raises(RomValueError, match=message):
            make(geometry, 2)


@pyg
def test_nodes_at_one_position_are_refused():
    with pytest.raises(RomValueError, match=r"all neighbours lie at the same position"):
        Graph(RING).encoder(Geometry(1, (6,), ("node",), np.zeros((6, 2))), 2)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_geometric.nn", None)
    monkeypatch.delitem(sys.modules, "rom.networks.message_passing", raising=False)
    with pytest.raises(RomImportError, match=r"needs PyTorch Geometric, .* pip install latentrom\[graph\]"):
        Graph(RING).encoder(Geometry(1, (6,), ("node",)), 2)
