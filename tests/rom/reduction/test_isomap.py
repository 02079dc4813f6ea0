"""Isomap: flat sheets and rolls are found up to a rotation, pieces are joined, and an autoencoder that starts there unrolls."""

import dataclasses
import logging
import sys

import numpy as np
import pytest
from scipy.spatial import procrustes

import rom
from rom.reduction.isomap import isomap


def places(count=800, seed=0):
    """Arc length and height on the Swiss roll, and its angles."""
    uniform = np.random.default_rng(seed).random((count, 2))
    angle, height = 1.5 * np.pi + 3 * np.pi * uniform[:, 0], 21.0 * uniform[:, 1]
    return np.stack([0.5 * (angle * np.sqrt(1 + angle**2) + np.arcsinh(angle)), height], axis=1), angle


def roll(count=800, seed=0):
    sheet, angle = places(count, seed)
    return np.stack([angle * np.cos(angle), sheet[:, 1], angle * np.sin(angle)], axis=1)


def test_a_flat_sheet_is_found_up_to_a_rotation():
    rng = np.random.default_rng(0)
    sheet = rng.random((600, 2)) * [2.0, 1.0]
    rotation = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    found = isomap(sheet @ rotation[:2], 2, neighbours=12)
    assert procrustes(sheet, found)[2] < 2e-3
    np.testing.assert_allclose(found.std(axis=0).max(), sheet[:, 0].std(), rtol=0.05)  # distances, not only their order


def test_with_all_neighbours_it_is_principal_component_analysis():
    samples = np.random.default_rng(1).standard_normal((60, 4)) * [4.0, 3.0, 2.0, 1.0]
    centred = samples - samples.mean(axis=0)
    left, sizes = np.linalg.svd(centred, full_matrices=False)[:2]
    np.testing.assert_allclose(np.abs(isomap(samples, 4, neighbours=59)), np.abs(left * sizes), atol=1e-9)


def test_the_swiss_roll_is_unrolled():
    found = isomap(roll(), 2)
    assert procrustes(places()[0], found)[2] < 5e-3
    assert abs(np.corrcoef(found[:, 0], places()[0][:, 0])[0, 1]) > 0.999


def test_pieces_are_joined_by_their_shortest_links(caplog):
    line = np.linspace(0.0, 1.0, 40)[:, None]
    samples = np.concatenate([line, line + 3.0, line + 7.0])
    with caplog.at_level(logging.WARNING, logger="rom"):
        found = isomap(samples, 1, neighbours=3)
    assert "3 pieces" in caplog.text
    assert "More samples, more neighbours" in caplog.text
    np.testing.assert_allclose(np.ptp(found), 8.0, rtol=1e-9)
    assert abs(np.corrcoef(found[:, 0], samples[:, 0])[0, 1]) > 1 - 1e-12


def test_equal_samples_are_at_one_place():
    samples = np.repeat(np.linspace(0.0, 1.0, 20)[:, None], 12, axis=0)
    found = isomap(samples, 1, neighbours=4)[:, 0].reshape(20, 12)
    np.testing.assert_allclose(found, np.repeat(found[:, :1], 12, axis=1), atol=1e-6)
    np.testing.assert_allclose(np.ptp(found), 1.0, rtol=1e-6)


def test_samples_that_are_all_equal_have_no_coordinates():
    with pytest.raises(rom.RomError, match="those of 0 coordinates"):
        isomap(np.ones((20, 3)), 1)


@pytest.mark.parametrize("d", [2, 50])
def test_more_coordinates_than_the_distances_have_are_refused(d):
    with pytest.raises(rom.RomError, match="those of 1 coordinates; ask for fewer"):
        isomap(np.linspace(0.0, 1.0, 30)[:, None], d)


def test_more_coordinates_than_positive_eigenvalues_are_refused():
    """Distances along a circle are not those of points in a plane: half of the eigenvalues are negative."""
    angle = np.linspace(0.0, 2.0 * np.pi, 30, endpoint=False)
    with pytest.raises(rom.RomError, match="those of fewer coordinates; ask for fewer"):
        isomap(np.stack([np.cos(angle), np.sin(angle)], axis=1), 30, neighbours=2)


def test_a_single_sample_is_refused():
    with pytest.raises(rom.RomError, match="make no links"):
        isomap(np.zeros((1, 3)), 1)


# -- the start of a training ------------------------------------------------------------------------------------------


CONFIG = rom.FitConfig(hidden=(64, 64), steps=100, learning_rate=5e-3, multiscale=False)


def fitted(start, config=CONFIG, data=None, **arguments):
    data = roll() if data is None else data
    return rom.fit_autoencoder(data, 2, config=config, start=start, device="cpu", verbose=False, **arguments)


def test_an_autoencoder_that_starts_there_unrolls():
    new = roll(seed=1)
    config = dataclasses.replace(CONFIG, steps=400)
    models = {start: fitted(start, config) for start in ("pod", "isomap")}
    errors = {start: float(np.mean((model.reconstruct(new) - new) ** 2)) for start, model in models.items()}
    assert errors["isomap"] < 0.1 * errors["pod"]
    assert procrustes(places(seed=1)[0] / places(seed=1)[0].std(axis=0), models["isomap"].encode(new))[2] < 0.05
    attrs = models["isomap"].history.attrs
    assert attrs["start"] == "isomap"
    assert attrs["closed_form_validation_error"] == models["pod"].history.attrs["closed_form_validation_error"]


def test_the_start_is_the_same_each_time():
    one, other = fitted("isomap"), fitted("isomap")
    assert np.array_equal(one.encode(roll(50)), other.encode(roll(50)))


def test_where_isomap_reconstructs_no_better_the_training_starts_from_pod(caplog):
    plane = np.random.default_rng(0).standard_normal((300, 2)) @ np.random.default_rng(1).standard_normal((2, 5))
    with caplog.at_level(logging.WARNING, logger="rom"):
        models = [fitted(start, data=plane) for start in ("pod", "isomap")]
    assert "no better than POD" in caplog.text
    assert np.array_equal(models[0].encode(plane), models[1].encode(plane))


def test_networks_on_fields_start_there_too():
    grid = np.linspace(0.0, 1.0, 16)
    place = np.random.default_rng(0).random((300, 2))
    bumps = np.exp(-((grid - place[:, :1]) ** 2) / 0.005) * (1.0 + place[:, 1:])
    config = rom.FitConfig(network=rom.Convolutional(channels=(8, 8)), steps=30)
    attrs = fitted("isomap", config, bumps).history.attrs
    assert attrs["validation_error"] < attrs["closed_form_validation_error"]


def test_a_checkpoint_resumes_and_knows_of_the_start(tmp_path):
    def kill(progress):
        if progress.step >= 40:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fitted("isomap", checkpoint=tmp_path / "c", callbacks=[kill])
    with pytest.raises(rom.RomError, match="other data, configuration or seed"):
        fitted("pod", checkpoint=tmp_path / "c")
    resumed, whole = fitted("isomap", checkpoint=tmp_path / "c"), fitted("isomap")
    assert np.array_equal(resumed.encode(roll(50)), whole.encode(roll(50)))
    name = "closed_form_validation_error"
    assert resumed.history.attrs[name] == whole.history.attrs[name]


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    with pytest.raises(
        rom.RomImportError, match=r"start='isomap' needs scikit-learn, .* pip install latentrom\[manifold\]"
    ):
        fitted("isomap")


def test_too_little_time_leaves_the_closed_form(caplog):
    with caplog.at_level(logging.WARNING, logger="rom"):
        model = fitted("isomap", max_seconds=1.0)
    assert "no time for Isomap" in caplog.text
    assert model.history.attrs["seconds"] < 3.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"start": "isomaps"}, "start.*isomap"),
        ({"start": "isomap", "config": rom.FitConfig(hidden=())}, "give them widths, or leave start at 'pod'"),
    ],
)
def test_unusable_starts_are_refused(arguments, message):
    with pytest.raises(rom.RomError, match=message):
        fitted(**arguments)
