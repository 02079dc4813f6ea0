"""Networks on fields between POD coordinates and latent states: exact lifts and projections, derivatives, order, rows."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

import rom
from rom.data.layout import Layout
from rom.models.build import build_encoder_decoder
from rom.networks.encoder_decoder import EncoderDecoder
from rom.networks.field_correction import FieldDecoder, FieldEncoder, attach
from rom.networks.field_network import FieldNetwork
from rom.networks.geometry import Geometry, geometry_of
from rom.networks.jvp import push_forward

R, D = 5, 2
DOUBLE = torch.float64


class Known(nn.Module):
    """Gives the same field, or latent state, for every row, and remembers what it saw."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, rows):
        self.seen = rows.detach()
        return self.value.expand(len(rows), *self.value.shape)


def layout(**sizes):
    return Layout(
        tuple(sizes), tuple(sizes.values()), {"u": {"dims": ["u"], "data": ["a", "b"], "dtype": "<U1", "attrs": {}}}
    )


def orthonormal(n, r=R, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.linalg.qr(torch.randn(n, r, generator=generator, dtype=DOUBLE))[0]


def randomised(module, seed=2):
    """All parameters drawn, so that nothing is zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(std=0.3, generator=generator)
    return module


def networks_on(where, basis, **settings):
    """An encoder and a decoder of convolutions, with no part zero and scales that are not one."""
    config = rom.FitConfig(network=rom.Convolutional(channels=(3, 4), **settings), dtype="float64")
    parts = build_encoder_decoder(config, R, D, torch.Generator().manual_seed(0), where)
    networks = randomised(EncoderDecoder(*parts).to(DOUBLE))
    attach(networks, basis)
    with torch.no_grad():
        networks.encoder.correction.normalise_to(
            3.0 * torch.randn(50, R, generator=torch.Generator().manual_seed(3)).to(DOUBLE)
        )
        networks.decoder.correction.normalise_to(
            0.5 + 2.0 * torch.randn(50, D, generator=torch.Generator().manual_seed(4)).to(DOUBLE)
        )
        networks.encoder.correction.gain.fill_(0.7)
        networks.decoder.correction.gain.fill_(0.3)
    return networks


@pytest.fixture
def networks():
    return networks_on(layout(y=8, u=2, x=12), orthonormal(8 * 2 * 12))


# -- lifts and projections --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dims", "axes"),
    [
        ({"y": 3, "u": 2, "x": 4}, (1, 0, 2)),
        ({"u": 2, "y": 3, "x": 4}, (0, 1, 2)),
        ({"y": 3, "x": 4, "u": 2}, (2, 0, 1)),
    ],
)
def test_the_encoder_sees_the_state(normal, dims, axes):
    """The field (channels, y, x) of V w, in units of its own root mean square."""
    where = layout(**dims)
    basis, w = orthonormal(24), normal(200, R, seed=5)
    module = Known(torch.zeros(D, dtype=DOUBLE))
    encoder = FieldEncoder(module, geometry_of(where), R).to(DOUBLE)
    encoder.attach(basis)
    encoder.normalise_to(w)
    encoder(w)
    fields = (w @ basis.T).reshape(-1, *where.shape).permute(0, *(1 + a for a in axes))
    torch.testing.assert_close(module.seen, fields / fields.square().mean().sqrt(), rtol=1e-12, atol=1e-12)


def test_a_field_that_the_basis_holds_is_projected_exactly(normal):
    """The coordinates of a known field, over the root of its size, times the gain."""
    where = layout(y=3, u=2, x=4)
    basis, w = orthonormal(24), normal(R, seed=5)
    field = (basis @ w).reshape(3, 2, 4).permute(1, 0, 2)
    decoder = FieldDecoder(Known(field), geometry_of(where), R, D).to(DOUBLE)
    decoder.attach(basis)
    decoder.gain.fill_(0.3)
    expected = (0.3 * w / 24**0.5).expand(6, R)
    torch.testing.assert_close(decoder(normal(6, D)), expected, rtol=1e-12, atol=1e-12)


def test_what_the_basis_does_not_hold_is_left_out(normal):
    basis = orthonormal(24, 24)
    decoder = FieldDecoder(Known(basis[:, R].reshape(1, 24)), Geometry(1, (24,), ("x",)), R, D).to(DOUBLE)
    decoder.attach(basis[:, :R])
    assert decoder(normal(6, D)).abs().max() < 1e-14


def test_the_decoder_sees_standardised_latent_states(normal):
    module = Known(torch.zeros(1, 24, dtype=DOUBLE))
    decoder = FieldDecoder(module, Geometry(1, (24,), ("x",)), R, D).to(DOUBLE)
    z = 5.0 + torch.tensor([1.0, 10.0], dtype=DOUBLE) * normal(100, D)
    decoder.normalise_to(z)
    decoder(z)
    torch.testing.assert_close(module.seen.mean(dim=0), torch.zeros(D, dtype=DOUBLE))
    torch.testing.assert_close(module.seen.std(dim=0), torch.ones(D, dtype=DOUBLE))


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
def test_samples_that_do_not_vary_leave_everything_finite(dtype):
    encoder = FieldEncoder(Known(torch.ones(D, dtype=dtype)), Geometry(1, (24,), ("x",)), R).to(dtype)
    decoder = FieldDecoder(Known(torch.ones(1, 24, dtype=dtype)), Geometry(1, (24,), ("x",)), R, D).to(dtype)
    attach(nn.ModuleList([encoder, decoder]), orthonormal(24))
    encoder.normalise_to(torch.zeros(10, R, dtype=dtype))
    decoder.normalise_to(torch.ones(10, D, dtype=dtype))
    assert encoder(torch.zeros(3, R, dtype=dtype)).isfinite().all()
    assert decoder(torch.ones(3, D, dtype=dtype)).isfinite().all()


# -- derivatives ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["encoder", "decoder"])
@pytest.mark.parametrize(
    "settings", [{}, {"padding": "periodic", "down": "pool", "up": "transposed"}], ids=["zeros", "periodic"]
)
def test_derivatives_are_those_of_differences(normal, part, settings):
    """Of the whole map, with its linear and quadratic paths, to second order in the step."""
    network = getattr(networks_on(layout(y=8, u=2, x=12), orthonormal(192), **settings), part)
    k, h = {"encoder": (R, 1e-5), "decoder": (D, 1e-5)}[part]
    points, tangents = normal(6, k), normal(6, k, seed=1)
    values, along = push_forward(network, points, tangents)
    torch.testing.assert_close(values, network(points), rtol=1e-12, atol=1e-12)
    differences = (network(points + h * tangents) - network(points - h * tangents)) / (2 * h)
    torch.testing.assert_close(along, differences, rtol=1e-6, atol=1e-6 * float(differences.abs().max().detach()))
    alone = network.correction.push_forward(points, tangents)[1]
    assert alone.abs().min() > 0  # the correction has a share in it


def test_gradients_reach_every_parameter(networks, normal):
    networks.decoder(networks.encoder(normal(4, R))).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in networks.parameters())


# -- rows and order ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("leading", [(), (1,), (4, 3), (0,)])
def test_leading_dimensions_are_kept_and_rows_do_not_mix(networks, normal, leading):
    w, z = normal(*leading, R), normal(*leading, D)
    assert networks.encoder(w).shape == (*leading, D)
    assert networks.decoder(z).shape == (*leading, R)
    for network, points in ((networks.encoder, w), (networks.decoder, z)):
        alone = [network(row) for row in points.reshape(-1, points.shape[-1])]
        expected = torch.stack(alone) if alone else points.new_zeros(0, network(points).shape[-1])
        torch.testing.assert_close(network(points).reshape(expected.shape), expected, rtol=1e-10, atol=1e-12)


def test_the_order_of_the_dimensions_does_not_matter(normal):
    """The same states, stored with another order of their dimensions: the rows of the basis move, and nothing else."""
    w, z, found = normal(6, R), normal(6, D), []
    basis = orthonormal(192)
    for dims in (("y", "u", "x"), ("u", "y", "x"), ("y", "x", "u")):
        where = layout(**{dim: {"y": 8, "u": 2, "x": 12}[dim] for dim in dims})
        moved = basis.reshape(8, 2, 12, R).permute(*(("y", "u", "x").index(dim) for dim in dims), 3).reshape(192, R)
        networks = networks_on(where, moved)
        found.append((networks.encoder(w), networks.decoder(z)))
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], rtol=1e-10, atol=1e-12)


def test_the_order_of_the_fields_is_that_of_the_channels(normal):
    """Exchanging two fields is exchanging two channels."""
    plain = layout(u=2, x=12)
    basis = orthonormal(24)
    exchanged = basis.reshape(2, 12, R).flip(0).reshape(24, R)
    seen = []
    for rows in (basis, exchanged):
        module = Known(torch.zeros(D, dtype=DOUBLE))
        encoder = FieldEncoder(module, geometry_of(plain), R).to(DOUBLE)
        encoder.attach(rows)
        encoder(normal(3, R))
        seen.append(module.seen)
    torch.testing.assert_close(seen[1], seen[0].flip(1))


# -- what is stored ---------------------------------------------------------------------------------------------------


def test_the_basis_is_not_stored_twice(networks):
    assert not [name for name in networks.state_dict() if "basis" in name]
    assert {"encoder.correction.inverse_spread", "decoder.correction.gain"} <= set(networks.state_dict())


def test_a_copy_does_the_same(networks, normal):
    other = copy.deepcopy(networks)
    w = normal(4, R)
    expected = networks.encoder(w)
    with torch.no_grad():
        networks.encoder.correction.basis.zero_()
    torch.testing.assert_close(other.encoder(w), expected)
    assert other.to(torch.float32).encoder(w.float()).dtype == torch.float32


def test_rom_fit_on_fields_learns(small):
    """A travelling wave: convolutions on labelled fields through the whole of rom.fit, saved and loaded."""
    x, t = np.linspace(0, 1, 16, endpoint=False), np.linspace(0, 1, 11)
    start = np.random.default_rng(0).uniform(0, 1, 8)
    state = np.exp(np.cos(2 * np.pi * (x - 0.3 * t[:, None] - start[:, None, None])))
    runs = xr.Dataset(
        {"state": (("trajectory", "time", "x"), state)}, coords={"time": t, "x": ("x", x, {"period": 1.0})}
    )
    config = dataclasses.replace(small, network=rom.Convolutional(channels=(2, 2)), steps=20)
    model = rom.fit(None, trajectories=runs, latent_dim=2, config=config)
    assert model.history.attrs["steps"] == 20
    assert np.isfinite(model.forecast(runs["state"].isel(time=0), t)["state"]).all()


def test_a_kind_of_network_cannot_take_the_name_of_another():
    with pytest.raises(rom.RomValueError, match=r"the name 'Convolutional' belongs to rom\.networks\.convolution"):
        type("Convolutional", (FieldNetwork,), {"__module__": "a_module_of_the_user"})
