"""rom.fit_autoencoder: principal component analysis, a circle, regularisers, data, refusals."""

import logging

import numpy as np
import pytest
import torch
import xarray as xr
from autoencoder_samples import circle, cloud, same_weights
from torch import nn

import rom
from rom.config import LossWeights
from rom.fitting.train_autoencoder import train_autoencoder

LINEAR = rom.FitConfig(hidden=(), quadratic_decoder=False, energy_tolerance=0.0, dtype="float64")
REGULARISERS = ("denoising", "contractive", "sparse", "sparse_kl", "variational", "smoothness")


def test_networks_see_all_coordinates_in_one_unit(fit, monkeypatch):
    """Noise is most of the small ones of measured samples, and in a unit of their own they would look as large as the others."""
    units = []

    def watched(networks, *rest, **settings):
        units.extend(part.inverse_spread.clone() for part in (networks.encoder.correction, networks.posterior))
        return train_autoencoder(networks, *rest, **settings)

    monkeypatch.setattr("rom.fitting.fit_autoencoder.train_autoencoder", watched)
    noisy = circle() + 0.01 * np.random.default_rng(1).standard_normal((400, 4))
    fit(noisy, steps=2, weights=LossWeights(variational=0.01))
    for unit in units:
        assert len(unit) == 4
        assert (unit == unit[0]).all()


# -- principal component analysis -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_samples", "n"), [(300, 12), (40, 200)])
def test_the_linear_autoencoder_is_the_truncated_svd_of_its_training_samples(n_samples, n):
    d, data = 4, cloud(n_samples, n)
    autoencoder = rom.fit_autoencoder(data, d, config=LINEAR)
    assert autoencoder.history.attrs["steps"] == 0
    assert autoencoder.history.attrs["stopped"] == "optimal"
    training = data[autoencoder.history["part"].values == 0]
    mean = training.mean(axis=0)
    values, directions = np.linalg.svd(training - mean, full_matrices=False)[1:]
    found = np.linalg.qr((autoencoder.decode(np.eye(d)) - autoencoder.decode(np.zeros((1, d)))).T)[0]
    cosines = np.linalg.svd(directions[:d] @ found)[1]
    np.testing.assert_allclose(cosines, 1.0, rtol=1e-6)
    lost = np.sum((autoencoder.reconstruct(training) - training) ** 2)
    np.testing.assert_allclose(lost, np.sum(values[d:] ** 2), rtol=1e-6)
    projected = mean + (data - mean) @ directions[:d].T @ directions[:d]
    np.testing.assert_allclose(autoencoder.reconstruct(data), projected, atol=1e-8)


def test_it_is_exact_for_many_samples():
    """Where a quadratic manifold would be regressed on some of them."""
    data = cloud(24_000, 5)
    autoencoder = rom.fit_autoencoder(data, 2, config=LINEAR)
    training = data[autoencoder.history["part"].values == 0]
    mean = training.mean(axis=0)
    directions = np.linalg.svd(training - mean, full_matrices=False)[2][:2]
    np.testing.assert_allclose(
        autoencoder.reconstruct(data[:50]), mean + (data[:50] - mean) @ directions.T @ directions, atol=1e-9
    )


def test_its_latent_coordinates_have_unit_spread_and_are_uncorrelated():
    data = cloud(300, 12)
    autoencoder = rom.fit_autoencoder(data, 4, config=LINEAR)
    latent = autoencoder.encode(data[autoencoder.history["part"].values == 0])
    np.testing.assert_allclose(np.cov(latent.T), np.eye(4), atol=1e-6)


def test_the_errors_told_are_those_of_the_samples_that_validate():
    data = cloud(300, 12)
    autoencoder = rom.fit_autoencoder(data, 4, config=LINEAR)
    part = autoencoder.history["part"].values
    assert np.bincount(part).tolist() == [240, 30, 30]
    held, total = data[part == 1], data[part == 0].var(axis=0).sum()
    share = np.sum((autoencoder.reconstruct(held) - held) ** 2) / len(held) / total
    attrs = autoencoder.history.attrs
    assert attrs["reconstruction_error"] == pytest.approx(share, rel=1e-6)
    assert attrs["closed_form_reconstruction_error"] == pytest.approx(share, rel=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("unit", [1e-8, 1e8])
def test_the_unit_of_the_data_does_not_matter(fit, dtype, unit):
    data = circle()
    plain, scaled = fit(data, 1, dtype=dtype), fit(unit * data, 1, dtype=dtype)
    tolerance = 1e-3 if dtype == "float32" else 1e-8
    np.testing.assert_allclose(scaled.reconstruct(unit * data) / unit, plain.reconstruct(data), atol=tolerance)


# -- what training is for ---------------------------------------------------------------------------------------------


def test_one_number_tells_the_points_of_a_circle_apart(fit):
    """PCA loses half of the variance; training does not."""
    autoencoder = fit(circle(), 1, hidden=(32, 32), optimizer="soap", steps=150)
    pca = rom.fit_autoencoder(circle(), 1, config=LINEAR).history.attrs["reconstruction_error"]
    fresh = circle(seed=1)
    error = np.mean((autoencoder.reconstruct(fresh) - fresh) ** 2) / fresh.var(axis=0).mean()
    assert pca > 0.3
    assert error < 0.05 * pca
    attrs = autoencoder.history.attrs
    assert attrs["reconstruction_error"] < 0.05 * attrs["closed_form_reconstruction_error"]


def test_training_starts_at_the_closed_form_and_keeps_nothing_worse(fit):
    autoencoder = fit(cloud(100, 6), 2)
    attrs = autoencoder.history.attrs
    assert attrs["validation_error"] <= attrs["closed_form_validation_error"]
    assert float(autoencoder.history["best_validation_error"][-1]) == attrs["validation_error"]


@pytest.mark.parametrize("name", REGULARISERS)
@pytest.mark.parametrize("n_samples", [400, 10])
def test_a_fit_with_each_regulariser(fit, name, n_samples):
    autoencoder = fit(circle(n_samples), weights=LossWeights(**{name: 0.1}))
    losses = autoencoder.history[f"loss_{name}"]
    assert np.isfinite(losses).all()
    assert "loss_reconstruction" in autoencoder.history
    assert np.isfinite(autoencoder.reconstruct(circle())).all()
    assert not [key for key in autoencoder._state.state_dict() if "posterior" in key]


def test_a_regulariser_is_trained_even_where_the_closed_form_loses_nothing(fit):
    """Of as many latent coordinates as components; the start alone would ask for no learning rate."""
    plain = fit(circle(), 4, weights=LossWeights(sparse=1.0), steps=100)
    history = plain.history
    assert history.attrs["closed_form_reconstruction_error"] < 1e-12
    assert history.attrs["best_step"] > 0
    assert float(history["loss_sparse"][-1]) < 0.9 * float(history["loss_sparse"][0])


def test_an_over_complete_autoencoder_is_sparse(fit):
    data = circle()
    autoencoder = fit(data, 7, weights=LossWeights(sparse=0.1), steps=100)
    assert autoencoder.latent_dim == 7
    assert autoencoder.compression_ratio == 4 / 7
    assert autoencoder.history.attrs["validation_error"] < autoencoder.history.attrs["closed_form_validation_error"]
    error = np.mean((autoencoder.reconstruct(data) - data) ** 2) / data.var(axis=0).mean()
    assert error < 0.05
    spread = autoencoder.encode(data).std(axis=0)
    assert np.all((spread > 0.1) & (spread < 10.0))


def test_means_of_a_variational_autoencoder_are_nearly_standard_normal(fit):
    autoencoder = fit(cloud(500, 6, decay=0.5), 2, weights=LossWeights(variational=0.02), steps=150)
    latent = autoencoder.encode(cloud(500, 6, decay=0.5))
    np.testing.assert_allclose(latent.mean(axis=0), 0.0, atol=0.2)
    np.testing.assert_allclose(latent.var(axis=0), 1.0, atol=0.25)


def test_denoising_removes_noise(fit):
    """In directions across the data, which the closed form keeps, for it has as many coordinates as there are components."""
    rng = np.random.default_rng(3)
    clean, fresh = circle(1000), circle(200, seed=1)
    noisy = fresh + 0.1 * rng.standard_normal(fresh.shape)
    weights = LossWeights(reconstruction=0.0, denoising=1.0)
    autoencoder = fit(clean, 4, weights=weights, noise=0.2, optimizer="soap", steps=100)
    cleaned = autoencoder.denoise(noisy)
    assert np.mean((cleaned - fresh) ** 2) < 0.7 * np.mean((noisy - fresh) ** 2)


def test_an_autoencoder_no_better_than_a_constant_says_so(fit, caplog):
    data = cloud(20, 6)
    data[fit(data).history["part"].values == 1] *= 100.0
    fit(data, 1, hidden=(), verbose=False)
    told = [r.message for r in caplog.records if "no better than a constant" in r.message]
    assert len(told) == 1
    assert "on held-out samples" in told[0]
    assert "forecast" not in told[0]


# -- data -------------------------------------------------------------------------------------------------------------


def test_arrays_tensors_and_labelled_arrays_give_the_same(fit):
    data = circle()
    reference = fit(data)
    assert same_weights(fit(torch.from_numpy(data)), reference)
    assert same_weights(fit(data.tolist()), reference)
    labelled = fit(xr.DataArray(data, dims=("sample", "x"), coords={"x": np.arange(4.0)}))
    assert same_weights(labelled, reference)
    assert (reference.dims, labelled.dims) == (("component",), ("x",))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("constant", [0.0, 3.0])
def test_components_that_do_not_vary_are_kept(fit, dtype, constant):
    data = np.insert(circle(), 2, constant, axis=1)
    for latent_dim in (1, 5):
        autoencoder = fit(data, latent_dim, dtype=dtype)
        assert autoencoder.latent_dim == min(latent_dim, 4)
        np.testing.assert_allclose(autoencoder.reconstruct(data)[:, 2], constant, atol=1e-5)
        assert np.isfinite(autoencoder.encode(data)).all()
        assert np.isfinite(autoencoder.anomaly_score(data)).all()


def test_the_latent_dimension_is_lowered_to_what_the_data_span(fit, caplog):
    data = np.repeat(circle(), 2, axis=1)
    with caplog.at_level(logging.WARNING, logger="rom"):
        assert fit(data, 6).latent_dim == 4
    assert "latent_dim lowered from 6 to 4, the POD rank" in caplog.text


def test_many_latent_coordinates_have_no_quadratic_path(fit, caplog):
    data = cloud(400, 80, decay=0.98)
    with caplog.at_level(logging.INFO, logger="rom"):
        autoencoder = fit(data, 70, steps=4)
    assert not autoencoder.config.quadratic_decoder
    assert "no quadratic path in the decoder: 70 latent coordinates have 2520 products" in caplog.text


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"latent_dim": 5},
            ValueError,
            "latent_dim is 5, but a state has only 4 components: more would learn the identity",
        ),
        ({"latent_dim": 0}, ValueError, "latent_dim must be at least 1, got 0"),
        ({"latent_dim": "auto"}, TypeError, "latent_dim must be an integer, got 'auto'"),
        ({"latent_dim": None}, TypeError, "latent_dim must be an integer, got None"),
        ({"latent_dim": 2.0}, TypeError, "latent_dim must be an integer, got 2.0"),
        ({"weights": LossWeights(reconstruction=0.0)}, ValueError, "reconstruction and denoising are both zero"),
        (
            {"weights": LossWeights(0, 0, 0, 0, 0, sparse=1)},
            ValueError,
            "nothing asks for the data back; give one of them a positive weight",
        ),
        ({"weights": {"sparse": 1}}, TypeError, r"weights must be rom.LossWeights\(...\), got dict"),
        ({"config": "small"}, TypeError, r"config must be rom.FitConfig\(...\), got str"),
        ({"seed": -1}, ValueError, "seed must be at least 0"),
        ({"device": "gpu"}, ValueError, "device: unknown 'gpu'"),
        ({"max_seconds": 0}, ValueError, "max_seconds must be finite, above 0"),
        ({"callbacks": print}, TypeError, "callbacks must be a sequence of functions"),
        ({"checkpoint": "nowhere/c"}, ValueError, "the folder of nowhere/c does not exist; create it first"),
        ({"modules": (nn.Linear(4, 3), nn.Linear(2, 4))}, ValueError, r"the encoder takes \(2, 4\) to \(2, 3\)"),
    ],
)
def test_arguments_that_cannot_be_used_are_refused(monkeypatch, arguments, error, message):
    def no_work(*_, **__):
        raise AssertionError("work was done before")

    monkeypatch.setattr("rom.fitting.fit_autoencoder.prepare_samples", no_work)
    with pytest.raises(error, match=message) as caught:
        rom.fit_autoencoder(**{"data": circle(20), "latent_dim": 2, **arguments})
    assert isinstance(caught.value, rom.RomError)


def test_a_grid_that_cannot_be_halved_is_refused_before_any_work(monkeypatch):
    monkeypatch.setattr("rom.fitting.fit_autoencoder.prepare_samples", None)
    config = rom.FitConfig(network=rom.Convolutional(channels=(4, 4)))
    with pytest.raises(rom.RomValueError, match="2 levels halve the grid 2 times, but axis 'component' has 10 points"):
        rom.fit_autoencoder(cloud(20, 10), 2, config=config)


def test_modules_for_more_dimensions_than_the_data_span_are_refused(fit):
    data = np.repeat(circle(), 2, axis=1)
    with pytest.raises(rom.RomValueError, match="they are for latent_dim 6, but the data span only 4 dimensions"):
        fit(data, 6, modules=(nn.Linear(8, 6), nn.Linear(6, 8)))
