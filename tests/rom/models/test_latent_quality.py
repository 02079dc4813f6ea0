"""Latent spaces whose faults are known: a perfect one, folds, dead and duplicated coordinates, other units."""

import sys
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr

import rom
from rom.models.latent_quality import latent_quality, measure_latent_quality, neighbour_figures, units_of


@dataclass
class Pair:
    """An autoencoder of two functions: of NumPy arrays, and of torch tensors."""

    encode: Any
    decode: Any


@pytest.fixture
def states():
    """400 states on a plane in eight dimensions, with variances of 4 and 1 along its axes."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((400, 2)) * [2.0, 1.0] @ plane() + 0.5


def plane():
    return np.linalg.qr(np.random.default_rng(1).standard_normal((8, 2)))[0].T


def on_plane(mixing, unmixing):
    """z = mixing u, with u the coordinates on the plane; psi takes u = unmixing z."""
    basis, back = plane(), torch.from_numpy(unmixing)
    directions = torch.from_numpy(basis)
    return Pair(lambda x: (x - 0.5) @ basis.T @ mixing.T, lambda z: z @ back.T @ directions + 0.5)


def mixed(matrix):
    return on_plane(np.asarray(matrix, dtype=float), np.linalg.pinv(np.asarray(matrix, dtype=float)))


def quiet(model, states):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return latent_quality(model, states)


def test_a_perfect_projection_is_perfect(states):
    quality = latent_quality(mixed(np.eye(2)), states)  # and warns of nothing
    u = (states - 0.5) @ plane().T
    np.testing.assert_allclose(quality["variance"], u.var(axis=0))
    np.testing.assert_allclose(quality["correlation"], np.corrcoef(u.T), rtol=1e-10)
    np.testing.assert_allclose(quality["importance"], u.var(axis=0) / u.var(axis=0).sum(), rtol=1e-10)
    np.testing.assert_allclose(quality["condition"], u[:, 0].std() / u[:, 1].std(), rtol=1e-10)
    assert quality["active"].all()
    assert quality.attrs["reconstruction"] < 1e-20
    assert quality.attrs["trustworthiness"] == quality.attrs["continuity"] == 1.0
    assert quality.attrs["condition_median"] == pytest.approx(quality.attrs["condition_max"])
    eigenvalues = np.linalg.eigvalsh(np.cov(u.T))
    expected = eigenvalues.sum() ** 2 / np.square(eigenvalues).sum()
    assert quality.attrs["effective_dimension"] == pytest.approx(expected)


@pytest.mark.parametrize("unit", [[1e-6, 1e6], [1.0, 1000.0]])
def test_nothing_but_the_variance_depends_on_units(states, unit):
    quality, scaled = latent_quality(mixed(np.eye(2)), states), latent_quality(mixed(np.diag(unit)), states)
    np.testing.assert_allclose(scaled["variance"], np.square(unit) * quality["variance"])
    xr.testing.assert_allclose(scaled.drop_vars("variance"), quality.drop_vars("variance"))
    scaled.attrs.pop("reconstruction")
    assert scaled.attrs == pytest.approx({name: quality.attrs[name] for name in scaled.attrs})


def test_what_is_said_of_the_whole_space_does_not_depend_on_the_axes(states):
    quality, turned = latent_quality(mixed(np.eye(2)), states), latent_quality(mixed([[1.0, 2.0], [-3.0, 1.0]]), states)
    for name in ("effective_dimension", "trustworthiness", "continuity"):
        assert turned.attrs[name] == pytest.approx(quality.attrs[name]), name


def test_a_dead_coordinate_is_named(states):
    with pytest.warns(RuntimeWarning, match=r"latent coordinate 1 is not used.*fewer latent states.*beta"):
        quality = latent_quality(mixed([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]), states)
    np.testing.assert_array_equal(quality["active"], [True, False, True])
    np.testing.assert_array_equal(quality["correlation"][1], [0.0, 1.0, 0.0])
    assert quality["importance"][1] == 0.0
    assert np.isinf(quality["condition"]).all()
    assert quality.attrs["effective_dimension"] < 2.0
    assert quality.attrs["trustworthiness"] == 1.0


def test_a_coordinate_that_varies_but_is_not_decoded_is_unused(states):
    noise = np.random.default_rng(2).standard_normal((400, 1))
    basis = torch.from_numpy(plane())
    model = Pair(
        lambda x: np.concatenate([(x - 0.5) @ plane().T, noise[: len(x)]], axis=1), lambda z: z[:, :2] @ basis + 0.5
    )
    with pytest.warns(RuntimeWarning, match="coordinate 2 is not used"):
        quality = latent_quality(model, states)
    assert quality["variance"][2] > 0.5
    assert quality.attrs["trustworthiness"] == 1.0  # distances along it are none


def test_a_small_coordinate_of_an_exact_autoencoder_is_used():
    """What it stands for is little, but everything that would be wrong without it."""
    x = np.random.default_rng(0).standard_normal((100, 2)) * [1.0, 1e-3]
    assert latent_quality(Pair(lambda x: x, lambda z: z), x)["active"].all()


def test_duplicated_coordinates_count_once(states):
    single = latent_quality(mixed(np.eye(2)), states)
    double = latent_quality(mixed([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]), states)
    assert double["correlation"].values[0, 2] == pytest.approx(1.0)
    assert double.attrs["effective_dimension"] == pytest.approx(single.attrs["effective_dimension"])
    assert np.isinf(double["condition"]).all()


@pytest.fixture
def parabola():
    x = np.random.default_rng(0).uniform(-1.0, 1.0, 300)
    return np.stack([x, x**2], axis=1)


def test_a_fold_is_found(parabola):
    """z = x^2 lays both arms of the parabola upon each other."""
    model = Pair(lambda x: x[:, 1:], lambda z: torch.cat([0.0 * z, z], dim=1))
    with pytest.warns(RuntimeWarning, match=r"folds \(trustworthiness 0\.[3-7].*far apart"):
        quality = latent_quality(model, parabola)
    assert quality.attrs["continuity"] > 0.98
    assert quality.attrs["reconstruction"] > 0.5


def test_a_parabola_along_its_arms_is_no_fold(parabola):
    quality = latent_quality(Pair(lambda x: x[:, :1], lambda z: torch.cat([z, z**2], dim=1)), parabola)
    assert min(quality.attrs["trustworthiness"], quality.attrs["continuity"]) > 0.98
    assert quality.attrs["condition_max"] == pytest.approx(1.0)  # of a single column
    assert quality.attrs["effective_dimension"] == pytest.approx(1.0)


def test_a_tear_is_found():
    """An angle is cut open where it jumps: states on both sides are near, their latent states are not."""
    angle = np.random.default_rng(0).uniform(-np.pi, np.pi, 100)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    model = Pair(
        lambda x: np.arctan2(x[:, 1], x[:, 0])[:, None], lambda z: torch.cat([torch.cos(z), torch.sin(z)], dim=1)
    )
    quality = latent_quality(model, circle)
    assert quality.attrs["trustworthiness"] > 0.995
    assert quality.attrs["continuity"] < 0.98


def test_neighbours_are_counted_as_defined():
    rng = np.random.default_rng(0)
    z, x = rng.standard_normal((40, 2)), rng.standard_normal((40, 5)) + 1e6
    here, there = (
        np.square(p[:, None] - p).sum(axis=-1).argsort(axis=1).argsort(axis=1) for p in (z, x)
    )  # 0 for the point itself, 1 for its nearest neighbour
    k, total = 10, 0.0
    for i in range(40):
        for j in range(40):
            if i != j and here[i, j] <= k < there[i, j]:
                total += there[i, j] - k
    figures = neighbour_figures(z, x)
    assert figures["trustworthiness"] == pytest.approx(1 - 2 / (40 * k * (80 - 3 * k - 1)) * total)
    assert neighbour_figures(x, z)["continuity"] == figures["trustworthiness"]
    assert neighbour_figures(z, z) == {"trustworthiness": 1.0, "continuity": 1.0}


def test_without_scikit_learn_neighbours_are_left_out_or_the_package_is_named(states, monkeypatch):
    model = mixed(np.eye(2))
    whole = latent_quality(model, states)
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    with pytest.raises(
        rom.RomImportError, match=r"latent_quality needs scikit-learn, .* pip install latentrom\[manifold\]"
    ):
        latent_quality(model, states)
    part = measure_latent_quality(model, states, neighbours=False)
    xr.testing.assert_identical(part.drop_attrs(), whole.drop_attrs())
    assert set(whole.attrs) - set(part.attrs) == {"trustworthiness", "continuity"}


def test_condition_numbers_are_those_of_jacobians():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((50, 3))
    mixing = torch.from_numpy(rng.standard_normal((3, 9)))

    def decode(z):
        return torch.tanh(z @ mixing[:, :5]) @ mixing.T[:5]

    quality = quiet(Pair(lambda x: x, decode), x)
    jacobians = torch.func.vmap(torch.func.jacrev(decode))(torch.from_numpy(x)).numpy() * x.std(axis=0)
    np.testing.assert_allclose(quality["condition"], np.linalg.cond(jacobians), rtol=1e-6)


def test_of_many_states_a_thousand_are_compared():
    x = np.random.default_rng(0).standard_normal((5000, 2))
    quality = latent_quality(Pair(lambda x: x, lambda z: z), x)
    assert quality.sizes["sample"] == 1000
    assert len(np.unique(quality["sample"])) == 1000
    np.testing.assert_allclose(quality["variance"], x.var(axis=0))


def test_fields_of_different_units_count_alike():
    flat = np.random.default_rng(0).standard_normal((100, 5)) * [1e5, 1e5, 1.0, 1.0, 0.0]
    unit = units_of(flat, [[slice(0, 2)], [slice(2, 4)], [slice(4, 5)]])
    np.testing.assert_allclose((flat / unit)[:, :4].var(axis=0), 1.0, rtol=0.5)
    assert unit[0] == unit[1] != unit[2]
    assert unit[4] == 1.0


# -- models -----------------------------------------------------------------------------------------------------------


def test_a_model_is_judged_on_labelled_trajectories(double_model, runs):
    quality = latent_quality(double_model, runs)
    assert quality.sizes["latent"] == 3
    assert quality["active"].all()
    assert quality.attrs["trustworthiness"] > 0.99
    assert quality.attrs["reconstruction"] < 1e-4
    transposed = latent_quality(double_model, runs["state"].transpose("state_index", "time", "trajectory"))
    assert transposed.attrs["reconstruction"] == pytest.approx(quality.attrs["reconstruction"], rel=0.5)
    plain = latent_quality(double_model, runs["state"].values)
    xr.testing.assert_identical(plain, quality)


def test_jacobians_of_a_model_are_those_of_its_decoder(double_model, runs):
    quality = latent_quality(double_model, runs)
    z = double_model.encode(runs["state"].values).reshape(-1, 3)
    jacobian = torch.func.jacfwd(double_model.decode)(torch.from_numpy(z[quality["sample"].values[0]])).numpy()
    expected = np.linalg.cond(jacobian * z.std(axis=0))
    assert quality["condition"].values[0] == pytest.approx(expected, rel=1e-6)


def test_a_model_in_float32_is_judged_alike(model, runs):
    quality = latent_quality(model, runs["state"])
    assert quality["active"].all()
    assert quality.attrs["trustworthiness"] > 0.99


def test_unusable_states_are_refused(double_model, runs):
    x = runs["state"].values.reshape(-1, 12)
    with pytest.raises(rom.RomValueError, match="9 are too few"):
        latent_quality(double_model, x[:9])
    broken = x.copy()
    broken[3] = np.nan
    with pytest.raises(rom.RomValueError, match="number 3 is not finite"):
        latent_quality(double_model, broken)
    with pytest.raises(rom.RomValueError, match="once they are encoded and decoded"):
        latent_quality(Pair(lambda x: x, lambda z: z / 0.0), x)
    with pytest.raises(rom.RomValueError, match="has shape"):
        latent_quality(double_model, x[:, :5])
