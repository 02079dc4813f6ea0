"""Modules of the user: what they are asked before any work is done, how they begin, and what they learn."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

import rom
import systems
from rom.data.layout import Layout
from rom.fitting.arguments import require_rank
from rom.networks.user_modules import check_user_modules, has_user_modules

PLAIN, GRID = Layout(("x",), (6,)), Layout(("y", "x"), (4, 6))


def pair(n=6, d=2):
    return nn.Sequential(nn.Linear(n, 5), nn.Tanh(), nn.Linear(5, d)), nn.Sequential(
        nn.Linear(d, 5), nn.Tanh(), nn.Linear(5, n)
    )


class Centred(nn.Module):
    """Subtracts the mean of the batch."""

    def forward(self, rows):
        return (rows - rows.mean(dim=0))[:, :2]


class Two(nn.Module):
    def forward(self, rows):
        return rows[:, :2], rows[:, 2:]


class Root(nn.Module):
    def forward(self, rows):
        return rows[:, :2].sqrt()


# -- how they begin ---------------------------------------------------------------------------------------------------


def test_they_begin_as_corrections_of_nothing(normal):
    given = pair()
    own = check_user_modules(given, PLAIN, 2)
    assert own is not None
    encoder, decoder = own.modules()
    x, z = normal(5, 6, dtype=torch.float32), normal(5, 2, dtype=torch.float32)
    assert not encoder(x[:, None]).any()
    assert not decoder(z).any()
    with torch.no_grad():
        for module in (encoder, decoder):
            module.gate.fill_(1.0)
    torch.testing.assert_close(encoder(x[:, None]), given[0](x))
    torch.testing.assert_close(decoder(z), given[1](z))


def test_copies_learn_and_the_modules_themselves_do_not():
    given = pair()
    first = [check_user_modules(given, PLAIN, 2).modules() for _ in range(2)]
    with torch.no_grad():
        first[0][0].module[0].weight.zero_()
    assert first[1][0].module[0].weight.any()
    assert given[0][0].weight.any()


def test_they_are_recognised():
    assert has_user_modules(nn.ModuleList(check_user_modules(pair(), PLAIN, 2).modules()))
    assert not has_user_modules(nn.ModuleList(pair()))
    assert check_user_modules(None, PLAIN, 2) is None


def test_states_on_a_grid_keep_their_shape():
    encoder = nn.Sequential(nn.Unflatten(1, (1, 4)), nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(16, 3))
    decoder = nn.Sequential(nn.Linear(3, 24), nn.Unflatten(1, (4, 6)))
    own = check_user_modules((encoder, decoder), GRID, 3)
    assert (own.geometry.channels, own.geometry.shape) == (1, (4, 6))


def zeros(layer):
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("modules", "error", "message"),
    [
        (nn.Linear(6, 2), TypeError, r"modules must be a pair of torch modules \(encoder, decoder\), got Linear"),
        ((nn.Linear(6, 2),), TypeError, "modules must be a pair of torch modules"),
        ((nn.Linear(6, 2), None), TypeError, "modules must be a pair of torch modules"),
        ("ab", TypeError, "modules must be a pair of torch modules"),
        (
            (nn.Linear(6, 3), pair()[1]),
            ValueError,
            r"the encoder takes \(2, 6\) to \(2, 3\); \(2, 2\) is needed, with one row",
        ),
        ((pair()[0], nn.Linear(2, 7)), ValueError, r"the decoder takes \(2, 2\) to \(2, 7\); \(2, 6\) is needed"),
        ((nn.Linear(5, 2), pair()[1]), ValueError, r"the encoder fails on two states of shape \(2, 6\): mat1 and mat2"),
        (
            (Centred(), pair()[1]),
            TypeError,
            "the encoder gives other values for the same states beside other states",
        ),
        (
            (nn.Sequential(Centred(), zeros(nn.Linear(2, 2))), pair()[1]),
            TypeError,
            "the encoder gives other values for the same states beside other states",
        ),
        ((Two(), pair()[1]), TypeError, "the encoder must give one tensor, got tuple"),
        ((Root(), pair()[1]), ValueError, "the encoder gives values that are not finite"),
    ],
)
def test_what_cannot_be_used_is_refused(modules, error, message):
    with pytest.raises(error, match=message) as caught:
        check_user_modules(modules, PLAIN, 2)
    assert isinstance(caught.value, rom.RomError)


def behind_zeros(layer):
    """A module with `layer` inside, which a last layer of zeros hides."""
    return nn.Sequential(nn.Linear(6, 6), layer, zeros(nn.Linear(6, 2)))


class AttentionOverRows(nn.Module):
    """Attention whose sequence is the batch."""

    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(6, 2)

    def forward(self, x):
        return self.attention(x, x, x, need_weights=False)[0]


class Recurrent(nn.Module):
    """Two recurrent layers over the components of a state, with dropout between them."""

    def __init__(self, dropout):
        super().__init__()
        self.cells = nn.GRU(1, 1, 2, batch_first=True, dropout=dropout)

    def forward(self, x):
        return self.cells(x[..., None])[0][..., 0]


@pytest.mark.parametrize(
    "layer",
    [
        nn.BatchNorm1d(6),
        nn.BatchNorm1d(6, affine=False).eval(),
        nn.Sequential(nn.Unflatten(1, (2, 3)), nn.InstanceNorm1d(2, track_running_stats=True), nn.Flatten()),
        nn.Dropout(0.1),
        nn.Dropout(0.1).eval(),
        nn.Dropout(1e-4),
        nn.AlphaDropout(),
        nn.RReLU(),
        AttentionOverRows(),
        Recurrent(0.1),
    ],
    ids=str,
)
def test_values_of_a_state_that_depend_on_more_than_the_state_are_refused(layer):
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    modules = (behind_zeros(layer), pair()[1])
    random_state, training = torch.get_rng_state(), layer.training
    message = (
        "modules: the encoder gives other values .* use LayerNorm or GroupNorm in place of BatchNorm, and leave out"
    )
    with pytest.raises(rom.RomTypeError, match=message):
        check_user_modules(modules, PLAIN, 2)
    # The modules of the user and the global generator stay as they are.
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random_state)
    assert layer.training == training


@pytest.mark.parametrize(
    "layer",
    [
        nn.LayerNorm(6),
        nn.GroupNorm(2, 6),
        nn.Sequential(nn.Unflatten(1, (2, 3)), nn.InstanceNorm1d(2), nn.Flatten()),
        Recurrent(0.0),
        nn.SiLU(),
        nn.Dropout(0.0),
    ],
    ids=str,
)
def test_layers_that_keep_rows_apart_are_accepted(layer):
    assert check_user_modules((behind_zeros(layer), pair()[1]), PLAIN, 2) is not None


def test_random_layers_of_a_decoder_are_refused():
    with pytest.raises(rom.RomTypeError, match="modules: the decoder gives other values"):
        check_user_modules((pair()[0], nn.Sequential(nn.Linear(2, 6), nn.Dropout(0.1))), PLAIN, 2)


def test_coefficients_of_a_function_space_are_no_states_of_theirs():
    """Also where a system makes the data, and before it does."""

    def never(x):
        raise AssertionError(x)

    system = systems.from_rhs(never, n_states=6)
    with pytest.raises(rom.RomValueError, match="they would see coefficients of splines"):
        rom.fit(system, 0, latent_dim=2, modules=pair(), config=rom.FitConfig(space=rom.Coordinate()))


class Constrained(nn.Module):
    """Solves with a matrix that must stay positive definite."""

    def __init__(self):
        super().__init__()
        self.matrix = nn.Parameter(1e-3 * torch.eye(6))
        self.empty = nn.Parameter(torch.zeros(0, 3))

    def forward(self, x):
        return torch.cholesky_solve(x.T, torch.linalg.cholesky(self.matrix)).T[:, :2]


def test_weights_that_are_constrained_are_no_reason_to_refuse():
    assert check_user_modules((Constrained(), pair()[1]), PLAIN, 2) is not None


def test_no_more_latent_coordinates_than_the_data_span():
    require_rank(3, 3)
    with pytest.raises(
        rom.RomValueError, match="for latent_dim 4, but the data span only 3 dimensions; make them for at most 3"
    ):
        require_rank(3, 4)


# -- in fits ----------------------------------------------------------------------------------------------------------


def test_an_autoencoder_of_own_modules_learns_what_the_closed_form_leaves(small):
    angle = np.random.default_rng(0).uniform(-2.5, 2.5, 300)
    data = np.stack([np.cos(angle), np.sin(angle), np.zeros(300)], axis=1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        modules = [nn.Sequential(nn.Linear(a, 32), nn.Tanh(), nn.Linear(32, b)) for a, b in ((3, 1), (1, 3))]
    before = [module[0].weight.clone() for module in modules]
    config = dataclasses.replace(small, steps=150, optimizer="soap", quadratic_decoder=False)
    autoencoder = rom.fit_autoencoder(data, 1, modules=modules, config=config)
    attrs = autoencoder.history.attrs
    assert attrs["reconstruction_error"] < 0.5 * attrs["closed_form_reconstruction_error"]
    assert all(torch.equal(module[0].weight, weight) for module, weight in zip(modules, before, strict=True))
    assert all(p.requires_grad for module in modules for p in module.parameters())


def test_rom_fit_with_own_modules_saved_and_loaded(runs, pairs, small, tmp_path):
    modules = (nn.Linear(12, 3), nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 12)))
    model = rom.fit(None, trajectories=runs, collocation=pairs, latent_dim=3, modules=modules, config=small)
    model.save(tmp_path / "m")
    with pytest.raises(rom.RomFileError, match=r"pass modules=\(encoder, decoder\)"):
        rom.load(tmp_path / "m")
    loaded = rom.load(tmp_path / "m", modules=modules)
    x0, t = runs["state"].isel(time=0), np.linspace(0, 1, 5)
    np.testing.assert_array_equal(loaded.forecast(x0, t)["state"], model.forecast(x0, t)["state"])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"modules": pair(12, 3)},
            ValueError,
            "modules: they have one latent dimension; say which with latent_dim=...",
        ),
        (
            {"modules": pair(12, 3), "latent_dim": 4},
            ValueError,
            r"the encoder takes \(2, 12\) to \(2, 3\); \(2, 4\) is needed",
        ),
        ({"modules": pair(12, 3)[0], "latent_dim": 3}, TypeError, "modules must be a pair of torch modules"),
        (
            {"config": rom.FitConfig(network=rom.Convolutional(channels=(4, 4, 4)))},
            ValueError,
            "3 levels halve the grid 3 times, but axis 'state_index' has 12 points",
        ),
        (
            {"config": rom.FitConfig(network=rom.Convolutional(axes=("y",)))},
            ValueError,
            "Convolutional.axes: the field has no axis 'y'",
        ),
    ],
)
@pytest.mark.parametrize("data", ["none", "trajectories", "collocation", "both"])
def test_networks_that_do_not_fit_are_refused_before_f_is_asked(
    monkeypatch, linear, runs, pairs, arguments, error, message, data
):
    """With every mixture of data: nothing is simulated, evaluated or projected."""

    def no_work(*_, **__):
        raise AssertionError("work was done before")

    for place in ("simulate", "collocate", "with_time", "warn_if_rhs_disagrees", "at_trajectories"):
        monkeypatch.setattr(f"rom.fitting.collect.{place}", no_work)
    monkeypatch.setattr("rom.fitting.fit_model.prepare", no_work)
    given = {
        "none": {},
        "trajectories": {"trajectories": runs, "n_collocation": 10},
        "collocation": {"collocation": pairs, "n_trajectories": 4},
        "both": {"trajectories": runs, "collocation": pairs},
    }[data]
    with pytest.raises(error, match=message) as caught:
        rom.fit(linear, **given, **arguments)
    assert isinstance(caught.value, rom.RomError)


def test_modules_beside_another_network_are_refused(normal):
    states = normal(12, 5, 6)
    config = rom.FitConfig(network=rom.Implicit(), steps=1)
    with pytest.raises(
        rom.RomValueError, match=r"modules: they take the place of FitConfig.network, which is Implicit"
    ):
        rom.fit_autoencoder(states[:, 0], 2, modules=pair(), config=config)
    data = (np.linspace(0, 1, 5), states)
    with pytest.raises(
        rom.RomValueError, match=r"modules: they take the place of FitConfig.network, which is Implicit"
    ):
        rom.fit(None, trajectories=data, latent_dim=2, modules=pair(), config=config)


def test_lazy_layers_get_their_shapes(runs, small):
    encoder = nn.Sequential(nn.LazyLinear(8), nn.Tanh(), nn.LazyLinear(2))
    decoder = nn.Sequential(nn.LazyLinear(8), nn.Tanh(), nn.LazyLinear(12))
    model = rom.fit(None, trajectories=runs, latent_dim=2, config=small, modules=(encoder, decoder))
    assert model.forecast(runs["state"].isel(time=0), runs["time"])["state"].notnull().all()
    assert any(isinstance(p, nn.UninitializedParameter) for p in encoder.parameters()), "the user's own are untouched"


def test_a_refusal_names_the_layer():
    encoder, decoder = pair()
    with pytest.raises(rom.RomTypeError, match=r"\(encoder.1 is a BatchNorm1d\)"):
        check_user_modules((nn.Sequential(encoder, nn.BatchNorm1d(2)), decoder), PLAIN, 2)


def test_large_states_are_tested_on_few_rows():
    rows = []

    class Wide(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1))

        def forward(self, latent):
            rows.append(len(latent))
            return self.weight * latent[:, :1].expand(-1, 2**17)

    layout = Layout(("x",), (2**17,))
    check_user_modules((nn.Linear(2**17, 2), Wide()), layout, 2)
    assert max(rows) <= 4
