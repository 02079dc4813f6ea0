"""Which regularisers a training asks for: in what form, with what share of its progress, and in every kind of fit."""

import numpy as np
import pytest
import torch

import rom
from rom.config import FitConfig, LossWeights
from rom.models.build import add_posterior
from rom.training import regularisers
from rom.training.regularisers import FIRST_LOG_VARIANCE, Regularisation, normal_like

R, D, SPREAD = 6, 3, 0.7
NAMES = ("denoising", "contractive", "sparse", "sparse_kl", "variational", "smoothness")
N = 20  # components of a state behind R coordinates
CONFIG = FitConfig(dtype="float64", hidden=(8,), noise=0.3, active_share=0.2, warm_up=0.5)


def generator():
    return torch.Generator().manual_seed(7)


@pytest.fixture
def asked(random_networks, normal):
    """The regularisers of random networks at normal coordinates, by their weights."""

    def ask(latent_dim=D, progress=1.0, reconstruction="reconstruction", **weights):
        networks, w = random_networks(R, latent_dim), normal(40, R)
        if weights.get("variational"):
            add_posterior(networks, CONFIG, w, seed=0)
        regularisation = Regularisation(LossWeights(**weights), CONFIG, SPREAD, N)
        found = regularisation.losses(networks, w, generator(), progress, reconstruction)
        return found, networks, w

    return ask


# -- what is asked ----------------------------------------------------------------------------------------------------


def test_nothing_is_asked_without_a_weight(asked):
    assert asked()[0] == {}


@pytest.mark.parametrize("name", NAMES)
def test_what_has_a_weight_is_asked_and_nothing_else(asked, name):
    found = asked(**{name: 0.1})[0]
    assert set(found) == ({"variational", "reconstruction"} if name == "variational" else {name})
    assert all(loss.ndim == 0 and loss.item() > 0 for loss in found.values())


def test_losses_are_not_weighted(asked):
    weights = dict.fromkeys(NAMES, 0.1)
    once, ten = asked(**weights)[0], asked(**dict.fromkeys(NAMES, 1.0))[0]
    torch.testing.assert_close(once, ten)


def test_noise_is_that_of_the_configuration(asked):
    found, networks, w = asked(denoising=1.0)
    noise = 0.3 * (SPREAD * R / N) ** 0.5 * normal_like(w, generator())
    expected = regularisers.denoising(networks.encoder, networks.decoder, w, noise, SPREAD)
    torch.testing.assert_close(found["denoising"], expected)


@pytest.mark.parametrize(("latent_dim", "exact"), [(4, True), (5, False)])
def test_contraction_is_exact_for_few_latent_coordinates(asked, latent_dim, exact):
    found, networks, w = asked(latent_dim, contractive=1.0)
    norm = regularisers.contractive(networks.encoder, w, SPREAD)
    assert (found["contractive"] == norm).item() == exact
    assert found["contractive"].item() == pytest.approx(norm.item(), rel=0.3)


def test_the_active_share_is_that_of_the_configuration(asked):
    found, networks, w = asked(sparse_kl=1.0)
    torch.testing.assert_close(found["sparse_kl"], regularisers.sparse_kl(networks.encoder(w), 0.2))


def test_a_gaussian_encoder_starts_with_equal_variances(asked):
    found, networks, w = asked(variational=1.0)
    z = networks.encoder(w)
    expected = regularisers.kl_to_standard_normal(z, torch.full_like(z, FIRST_LOG_VARIANCE))
    torch.testing.assert_close(found["variational"], expected)
    sample = z + np.exp(FIRST_LOG_VARIANCE / 2) * normal_like(z, generator())
    torch.testing.assert_close(found["reconstruction"], (networks.decoder(sample) - w).square().mean() / SPREAD)


def test_the_weight_of_the_divergence_rises(asked):
    late = asked(progress=1.0, variational=1.0)[0]
    early = asked(progress=0.125, variational=1.0)[0]
    torch.testing.assert_close(early["variational"], 0.25 * late["variational"])
    torch.testing.assert_close(early["reconstruction"], late["reconstruction"])


def test_reconstructions_of_samples_go_by_the_name_they_are_given(asked):
    assert "collocation_reconstruction" in asked(reconstruction="collocation_reconstruction", variational=1.0)[0]


@pytest.mark.parametrize("name", NAMES)
def test_equal_generators_give_equal_losses_with_gradients_or_without(asked, name):
    """Validation takes none; derivatives along tangents are taken all the same."""
    once = asked(latent_dim=5, **{name: 1.0})[0]
    with torch.no_grad():
        again = asked(latent_dim=5, **{name: 1.0})[0]
    assert not any(loss.requires_grad for loss in again.values())
    torch.testing.assert_close({k: v.detach() for k, v in once.items()}, again)


# -- in rom.fit -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", ["trajectories", "points", "both"])
@pytest.mark.parametrize("name", NAMES)
def test_a_fit_with_each_of_them(runs, pairs, small, tmp_path, name, data):
    given = {
        "trajectories": {"trajectories": runs},
        "points": {"collocation": pairs},
        "both": {"trajectories": runs, "collocation": pairs},
    }[data]
    model = rom.fit(None, latent_dim=3, weights=LossWeights(**{name: 0.01}), config=small, **given)
    losses = model.history[f"loss_{name}"]
    assert np.isfinite(losses).all()
    expected = {"trajectories": "loss_reconstruction", "points": "loss_collocation_reconstruction"}
    assert expected.get(data, "loss_prediction") in model.history
    model.save(tmp_path / "m")
    x0, t = runs["state"].isel(time=0), np.linspace(0, 1, 3)
    found = rom.load(tmp_path / "m").forecast(x0, t)["state"]
    np.testing.assert_array_equal(found, model.forecast(x0, t)["state"])
    assert np.linalg.norm(found - runs["state"].sel(time=t)) < 0.2 * np.linalg.norm(runs["state"].sel(time=t))


@pytest.mark.parametrize("name", NAMES)
def test_regularisers_alone_make_no_model(runs, pairs, small, name):
    weights = LossWeights(0, 0, 0, 0, 0, **{name: 1.0})
    with pytest.raises(
        rom.RomValueError, match=r"zero for all losses of the data .* \(regularisers alone make no model\)"
    ):
        rom.fit(None, trajectories=runs, collocation=pairs, latent_dim=3, weights=weights, config=small)
