"""Convolutional encoders and decoders of fields: shapes, symmetry, derivatives, and grids that do not fit."""

import pytest
import torch
from field_networks import awake, check_derivatives, check_jacobian, check_row_wise, check_start
from torch.nn import functional

from rom.networks.convolution import Convolutional
from rom.networks.geometry import Geometry
from rom.utils.errors import RomTypeError, RomValueError

SHAPES = [(16,), (8, 12), (4, 8, 4)]
NAMES = ("x", "y", "z")


def geometry_of(shape, channels=2, periods=()) -> Geometry:
    return Geometry(channels, shape, NAMES[: len(shape)], periods=periods)


def generator(seed=0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def both(settings, geometry, latent_dim=3, seed=0):
    made = generator(seed)
    return settings.encoder(geometry, latent_dim, made), settings.decoder(geometry, latent_dim, made)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("padding", ["periodic", "zeros"])
@pytest.mark.parametrize("up", ["resize", "transposed"])
@pytest.mark.parametrize("down", ["stride", "pool"])
@pytest.mark.parametrize("kernel", [3, 5])
def test_fields_go_in_and_come_out(normal, shape, padding, down, up, kernel):
    settings = Convolutional((3, 4), kernel, padding, down, up)
    encoder, decoder = map(awake, both(settings, geometry_of(shape)))
    fields = normal(5, 2, *shape)
    latent = encoder(fields)
    assert latent.shape == (5, 3)
    assert decoder(latent).shape == fields.shape
    check_row_wise(encoder, fields)
    check_row_wise(decoder, latent)


@pytest.mark.parametrize("activation", ["tanh", "silu", "gelu"])
@pytest.mark.parametrize(("down", "up"), [("stride", "resize"), ("pool", "transposed")])
@pytest.mark.parametrize("shape", SHAPES)
def test_derivatives_along_tangents(normal, shape, down, up, activation):
    periods = (1.0, None, 2.0)[: len(shape)]
    settings = Convolutional((3, 4), down=down, up=up, activation=activation)
    encoder, decoder = map(awake, both(settings, geometry_of(shape, periods=periods)))
    fields = normal(4, 2, *shape)
    check_derivatives(encoder, fields, normal(*fields.shape, seed=1))
    check_derivatives(decoder, normal(4, 3, seed=2), normal(4, 3, seed=3))
    check_jacobian(encoder, fields, 3)


def test_networks_start_at_zero_from_their_generator(normal):
    geometry, settings = geometry_of((8, 8)), Convolutional((2, 3))

    def make(seeded):
        points = (normal(4, 2, 8, 8), normal(4, 3, seed=1))
        return list(
            zip([settings.encoder(geometry, 3, seeded), settings.decoder(geometry, 3, seeded)], points, strict=True)
        )

    check_start(make)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("down", "up"), [("stride", "resize"), ("pool", "transposed")])
@pytest.mark.parametrize("kernel", [3, 5])
def test_periodic_trunks_follow_translations(normal, shape, down, up, kernel):
    """Two levels: a shift by four points is one by a point of the coarsest grid, to the end of the field and beyond."""
    settings = Convolutional((3, 4), kernel, down=down, up=up)
    encoder, decoder = map(awake, both(settings, geometry_of(shape, periods=(1.0,) * len(shape))))
    fields = normal(2, 2, *shape)
    features = encoder.trunk(fields)
    for axis in range(-len(shape), 0):
        shifted = encoder.trunk(fields.roll(4, axis))
        torch.testing.assert_close(shifted, features.roll(1, axis - 1), rtol=0, atol=1e-12)
        there = decoder.trunk(features.roll(1, axis - 1))
        torch.testing.assert_close(there, decoder.trunk(features).roll(4, axis), rtol=0, atol=1e-12)


def test_padding_is_periodic_along_axes_that_have_a_period(normal):
    encoder = awake(Convolutional((2,)).encoder(geometry_of((8, 8), periods=(None, 6.28)), 3))
    fields = normal(1, 2, 8, 8)
    along_x, along_y = (
        encoder.trunk(fields.roll(2, axis)) - encoder.trunk(fields).roll(1, axis - 1) for axis in (-2, -1)
    )
    assert along_x.abs().max() > 1e-3
    assert along_y.abs().max() < 1e-12


@pytest.mark.parametrize("shape", SHAPES)
def test_resizing_is_repeating_values_before_a_convolution(normal, shape):
    """The merged kernel is that of Odena et al., point for point; so is that of pooling."""
    n, convolve = len(shape), (functional.conv1d, functional.conv2d, functional.conv3d)[len(shape) - 1]
    pool = (functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d)[n - 1]
    encoder, decoder = map(awake, both(Convolutional((3,), padding="zeros", down="pool"), geometry_of(shape)))
    up, down = decoder.levels[0], encoder.levels[0]
    fields = normal(2, 2, *shape)
    weight = down.weight.reshape(3, 2, *(3,) * n)
    expected = pool(convolve(fields, weight, down.bias, padding=1), 2)
    inner = encoder.grid.enter(fields)
    torch.testing.assert_close(down(inner).reshape(2, *(s // 2 for s in shape), 3), expected.movedim(1, -1))
    coarse = normal(2, 3, *(s // 2 for s in shape), seed=1)
    fine = coarse
    for axis in range(2, 2 + n):
        fine = fine.repeat_interleave(2, dim=axis)
    weight = up.weight.reshape(3, 2, *(3,) * n).flip(tuple(range(2, 2 + n))).movedim(0, 1)
    found = decoder.grid.leave(up(coarse.movedim(1, -1).reshape(2, *decoder.grid.coarsest, 3)))
    torch.testing.assert_close(found, convolve(fine, weight, up.bias, padding=1))


def test_other_axes_count_as_channels(normal):
    geometry = Geometry(2, (3, 8, 5), ("species", "x", "y"))
    encoder, decoder = map(awake, both(Convolutional((4,), axes=("x",)), geometry))
    fields = normal(6, 2, 3, 8, 5)
    assert encoder.levels[0].weight.shape[1] == 2 * 3 * 5
    assert decoder(encoder(fields)).shape == fields.shape
    torch.testing.assert_close(encoder.grid.leave(encoder.grid.enter(fields)), fields, rtol=0, atol=0)


def test_settings_travel_as_json():
    settings = Convolutional((8,), 5, "zeros", axes=("x", "y"))
    assert Convolutional.from_dict({**settings.to_dict(), "channels": [8], "axes": ["x", "y"]}) == settings


@pytest.mark.parametrize(
    ("shape", "settings", "message"),
    [
        (
            (10,),
            {},
            r"2 levels halve the grid 2 times, but axis 'x' has 10 points; give it 8 or 12 points, or at most 1 level$",
        ),
        ((8, 27), {}, r"axis 'y' has 27 points; give it 24 or 28 points$"),
        ((3,), {}, r"axis 'x' has 3 points; give it 4 points$"),
        ((8,), {"axes": ("y",)}, r"the field has no axis 'y'; valid names: x"),
        ((8,), {"axes": ()}, r"one to three axes, and the field has 0: \(\)"),
        (
            (8, 8),
            {"kernel": 11, "padding": "periodic"},
            r"11 points reach around the periodic axis 'x' more than once, .* 4 at",
        ),
    ],
)
def test_grids_that_do_not_fit_are_refused(shape, settings, message):
    for make in (Convolutional(**settings).encoder, Convolutional(**settings).decoder):
        with pytest.raises(RomValueError, match=message):
            make(geometry_of(shape), 2)


def test_four_axes_are_refused():
    with pytest.raises(RomValueError, match=r"one to three axes, and the field has 4: .* name those to convolve along"):
        Convolutional().encoder(Geometry(1, (4, 4, 4, 4), ("x", "y", "z", "v")), 2)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"channels": ()}, RomValueError, r"channels must have at least one level"),
        ({"channels": 16}, RomTypeError, r"channels must be a tuple"),
        ({"kernel": 4}, RomValueError, r"kernel must be odd, to have a middle, got 4"),
        ({"kernel": 1}, RomValueError, r"kernel must be at least 3"),
        ({"padding": "circular"}, RomValueError, r"padding: unknown 'circular'"),
        ({"down": "strides"}, RomValueError, r"down: unknown 'strides'; did you mean 'stride'"),
        ({"up": "bilinear"}, RomValueError, r"up: unknown 'bilinear'"),
        ({"activation": "tan"}, RomValueError, r"activation: unknown 'tan'; did you mean 'tanh'"),
        ({"axes": 5}, RomTypeError, r"axes must be a tuple of names, got 5"),
        ({"axes": ("x", "x")}, RomValueError, r"axes must not name anything twice"),
        ({"chanels": (4,)}, RomTypeError, r"unknown setting 'chanels'; did you mean 'channels'"),
    ],
)
def test_settings_are_checked(settings, error, message):
    with pytest.raises(error, match=message):
        Convolutional(**settings)
