"""Implicit representations: anywhere in the domain, in any order, exactly periodic where the data are."""

import numpy as np
import pytest
import torch
from field_networks import awake, check_derivatives, check_jacobian, check_row_wise, check_start

from rom.networks.geometry import Geometry
from rom.networks.implicit import Implicit
from rom.utils.errors import RomTypeError, RomValueError

POSITIONS = np.random.default_rng(0).random((12, 2)) * [2.0, 3.0] + [0.0, 5.0]
GEOMETRY = Geometry(2, (3, 4), ("x", "y"), POSITIONS, (2.0, None))
SMALL = Implicit((5, 6), 2)


def both(settings=SMALL, geometry=GEOMETRY, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return settings.encoder(geometry, 3, generator), settings.decoder(geometry, 3, generator)


@pytest.mark.parametrize("activation", ["tanh", "silu", "sin"])
@pytest.mark.parametrize("hidden", [(5, 6), (4,)])
def test_derivatives_along_tangents(normal, hidden, activation):
    encoder, decoder = map(awake, both(Implicit(hidden, 2, activation)))
    fields, latent = normal(4, 2, 3, 4), normal(4, 3, seed=1)
    assert encoder(fields).shape == latent.shape
    assert decoder(latent).shape == fields.shape
    check_derivatives(encoder, fields, normal(4, 2, 3, 4, seed=2))
    check_derivatives(decoder, latent, normal(4, 3, seed=3))
    check_row_wise(encoder, fields)
    check_row_wise(decoder, latent)
    check_jacobian(encoder, fields, 3)


def test_networks_start_at_zero_from_their_generator(normal):
    def make(generator):
        networks = SMALL.encoder(GEOMETRY, 3, generator), SMALL.decoder(GEOMETRY, 3, generator)
        return list(zip(networks, (normal(4, 2, 3, 4), normal(4, 3)), strict=True))

    check_start(make)


def test_a_decoder_is_a_function_of_position(normal):
    decoder = awake(both()[1])
    latent = normal(5, 3)
    values = decoder(latent).flatten(2)
    torch.testing.assert_close(decoder.at(POSITIONS[[7, 2]])(latent), values[..., [7, 2]], rtol=0, atol=1e-12)
    moved = decoder.at(POSITIONS + np.array([2.0, 0.0]))(latent)  # by a period
    torch.testing.assert_close(moved, values, rtol=0, atol=1e-12)
    nearby = decoder.at(POSITIONS + np.array([1e-6, 0.0]))(latent)
    assert 0 < (nearby - values).abs().max() < 1e-4
    assert all(
        one is other for one, other in zip(decoder.parameters(), decoder.at(POSITIONS).parameters(), strict=True)
    )


def test_an_encoder_takes_points_in_any_order_and_number(normal):
    encoder = awake(both()[0])
    fields, order = normal(4, 2, 3, 4), np.random.default_rng(1).permutation(12)
    latent = encoder(fields)
    values = fields.flatten(2)
    torch.testing.assert_close(encoder.at(POSITIONS[order])(values[..., order]), latent, rtol=0, atol=1e-12)
    twice = encoder.at(np.concatenate([POSITIONS, POSITIONS]))(torch.cat([values, values], dim=2))
    torch.testing.assert_close(twice, latent, rtol=0, atol=1e-12)


def test_codes_of_one_field_on_two_grids_agree():
    """The mean over points tends to an integral: on a periodic grid, faster than any power of the number of points."""

    def encoded(n):
        x = np.arange(n)[:, None] / n
        encoder = awake(both(Implicit((8, 8), 3), Geometry(1, (n,), ("x",), x, (1.0,)))[0])
        return encoder(torch.from_numpy(np.sin(2 * np.pi * x) + 0.3 * np.cos(4 * np.pi * x)).reshape(1, 1, n))

    torch.testing.assert_close(encoded(64), encoded(101), rtol=0, atol=1e-6)


def test_what_the_first_layer_makes_of_z_is_computed_once_for_a_row(normal):
    decoder = awake(both()[1])
    seen = []
    decoder.points.latent.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].shape))
    decoder(normal(4, 3))
    assert seen == [(4, 3)]


def test_positions_that_are_not_known_are_asked_for():
    geometry = Geometry(1, (4,), ("cell",))
    for make in (SMALL.encoder, SMALL.decoder):
        with pytest.raises(
            RomValueError, match=r"axes \('cell',\) of the data have no numeric coordinates; give them some"
        ):
            make(geometry, 2)


@pytest.mark.parametrize(
    ("positions", "error", "message"),
    [
        (
            [[0.5, 6.0], [0.5, 9.0]],
            RomValueError,
            r"positions\[1, 1\] = 9 is outside of the domain .* pass positions within it",
        ),
        ([[0.5, 4.0]], RomValueError, r"positions\[0, 1\] = 4 is outside of the domain"),
        ([[np.nan, 6.0]], RomValueError, r"positions\[0, 0\] = nan is outside"),
        ([0.5, 6.0], RomValueError, r"positions must have shape \(n_points, 2\), got \(2,\)"),
        (np.zeros((0, 2)), RomValueError, r"positions must have shape \(n_points, 2\), got \(0, 2\)"),
        (0.5, RomValueError, r"positions must have shape \(n_points, 2\), got \(\)"),
        ("here", RomTypeError, r"positions must be numbers \(n_points, 2\)"),
    ],
)
def test_positions_are_checked(positions, error, message):
    for network in both():
        with pytest.raises(error, match=message):
            network.at(positions)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"hidden": ()}, RomValueError, r"hidden must have at least one layer"),
        ({"hidden": 8}, RomTypeError, r"hidden must be a tuple"),
        ({"frequencies": 0}, RomValueError, r"frequencies must be at least 1"),
        ({"activation": "tan"}, RomValueError, r"activation: unknown 'tan'"),
    ],
)
def test_settings_are_checked(settings, error, message):
    with pytest.raises(error, match=message):
        Implicit(**settings)


def test_settings_travel_as_json():
    assert Implicit.from_dict({**SMALL.to_dict(), "hidden": [5, 6]}) == SMALL
