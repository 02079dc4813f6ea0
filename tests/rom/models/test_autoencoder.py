"""The result of rom.fit_autoencoder: kinds in, kinds out; anomalies, samples, interpolation; files."""

import dataclasses
import re

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

import rom
from rom.config import LossWeights
from rom.utils.errors import RomFileError
from rom.utils.files import read_sealed, write_sealed

X, CASES = np.linspace(0.0, 1.0, 8, endpoint=False), 200


def waves(n_samples, seed=0):
    """Travelling waves of several heights (sample, x): two numbers tell them apart."""
    phase, height = np.random.default_rng(seed).uniform((0.0, 0.5), (2 * np.pi, 1.5), (n_samples, 2)).T
    data = height[:, None] * np.sin(2 * np.pi * X - phase[:, None])
    return xr.DataArray(
        data, dims=("sample", "x"), coords={"x": ("x", X, {"period": 1.0, "units": "m"})}, attrs={"units": "K"}
    )


@pytest.fixture(scope="module")
def fit(small):
    def run(**arguments):
        names = {field.name for field in dataclasses.fields(small)}
        settings = {name: arguments.pop(name) for name in list(arguments) if name in names}
        return rom.fit_autoencoder(waves(CASES), 2, config=dataclasses.replace(small, **settings), **arguments)

    return run


@pytest.fixture(scope="module")
def plain(fit):
    return fit(weights=LossWeights(denoising=0.5))


@pytest.fixture(scope="module")
def variational(fit):
    return fit(weights=LossWeights(variational=0.02), steps=100)


def own():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 6), nn.Tanh(), nn.Linear(6, 2)), nn.Sequential(
        nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 8)
    )


@pytest.fixture(scope="module")
def autoencoders(fit, plain, variational):
    """One of each kind of network, and what its file needs besides."""
    convolutional = fit(network=rom.Convolutional(channels=(2, 2)))
    with torch.random.fork_rng():
        modules = own()
        others = own()
    return {
        "layers": (plain, None),
        "variational": (variational, None),
        "convolutional": (convolutional, None),
        "modules": (fit(modules=modules), others),
    }


KINDS = ("layers", "variational", "convolutional", "modules")


# -- kinds in, kinds out ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["encode", "reconstruct", "denoise", "anomaly_score"])
@pytest.mark.parametrize("leading", [(), (3,), (2, 3), (0,)])
def test_numpy_gives_numpy(plain, name, leading):
    x = np.random.default_rng(0).standard_normal((*leading, 8))
    found = getattr(plain, name)(x)
    assert isinstance(found, np.ndarray)
    assert found.shape == leading + {"encode": (2,), "anomaly_score": ()}.get(name, (8,))
    assert np.isfinite(found).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["encode", "reconstruct", "anomaly_score"])
def test_torch_gives_torch_with_gradients(autoencoders, kind, name):
    autoencoder = autoencoders[kind][0]
    x = torch.randn(5, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    found = getattr(autoencoder, name)(x)
    assert found.dtype == torch.float64
    (gradient,) = torch.autograd.grad(found.sum(), x)
    assert gradient.shape == x.shape
    assert gradient.abs().sum() > 0
    np.testing.assert_allclose(found.detach(), getattr(autoencoder, name)(x.detach().numpy()), rtol=1e-5, atol=1e-6)


def test_latent_states_of_torch_have_gradients(plain):
    z = torch.zeros(3, 2, requires_grad=True)
    assert torch.autograd.grad(plain.decode(z).sum(), z)[0].abs().sum() > 0
    assert plain.decode(np.zeros(2)).shape == (8,)


def test_xarray_gives_xarray_with_labels(plain):
    data = waves(6).assign_coords(sample=[3, 1, 4, 1, 5, 9], kind=("sample", list("abcdef"))).transpose("x", "sample")
    latent = plain.encode(data)
    assert latent.dims == ("sample", "latent")
    assert set(latent.coords) == {"sample", "kind"}
    for back in (plain.decode(latent), plain.reconstruct(data), plain.denoise(data)):
        assert back.dims == ("sample", "x")
        xr.testing.assert_identical(back["x"].variable, data["x"].variable)
        xr.testing.assert_identical(back["kind"].variable, data["kind"].variable)
    scores = plain.anomaly_score(data)
    assert scores.dims == ("sample",)
    assert set(scores.coords) == {"sample", "kind"}
    assert plain.anomaly_score(data.isel(sample=0)).dims == ()
    np.testing.assert_array_equal(scores, plain.anomaly_score(data.transpose("sample", "x").values))


def test_stacked_samples_keep_their_index(plain):
    data = waves(6).assign_coords(sample=np.arange(6))
    stacked = xr.concat([data, data], xr.DataArray([0, 1], dims="run", name="run")).stack(case=("run", "sample"))
    assert plain.encode(stacked).sel(run=1, sample=4).shape == (2,)
    assert plain.anomaly_score(stacked).unstack("case").dims == ("run", "sample")


def test_an_autoencoder_tells_what_it_is(plain, variational):
    assert (plain.latent_dim, plain.dims, plain.shape, plain.compression_ratio) == (2, ("x",), (8,), 4.0)
    assert (plain.is_variational, variational.is_variational) == (False, True)
    assert re.match(r"<Autoencoder \(x: 8\): autoencoder, d = 2, compression 4 : 1, reconstruction error", repr(plain))
    assert "variational autoencoder" in repr(variational)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda a: a.encode(np.zeros(7)), ValueError, r"x has shape \(7,\); a state of this model has shape \(8,\)"),
        (lambda a: a.encode(np.zeros(8) + 0j), TypeError, "x must hold real numbers, got dtype complex128"),
        (lambda a: a.encode(waves(3).rename(x="y")), ValueError, "this model needs 'x'"),
        (
            lambda a: a.encode(waves(3).assign_coords(x=X + 0.5)),
            ValueError,
            "the grid 'x' differs from that of this model",
        ),
        (lambda a: a.reconstruct(waves(3).assign_attrs(units="degC")), ValueError, "convert its values"),
        (lambda a: a.decode(np.zeros(3)), ValueError, r"z has shape \(3,\); its last axis must have length 2"),
        (lambda a: a.sample(5), ValueError, "only a variational autoencoder can be sampled: fit it with LossWeights"),
        (
            lambda a: a.interpolate(np.zeros((2, 8)), np.zeros(8), 3),
            ValueError,
            r"a must be one state, but has the leading shape \(2,\); choose one, as a\[0\]",
        ),
        (lambda a: a.interpolate(np.zeros(8), np.zeros(8), 1), ValueError, "n must be at least 2, got 1"),
        (lambda a: a.anomaly_threshold(0.0), ValueError, "false_alarm_rate must be finite, above 0 and at most 1"),
        (lambda a: a.anomaly_threshold(0.01), ValueError, "20 calibrating samples tell rates of 0.048 and more"),
        (lambda a: a.to("nowhere"), ValueError, "device: unknown 'nowhere'"),
    ],
)
def test_what_cannot_be_used_is_refused(plain, call, error, message):
    with pytest.raises(error, match=message) as caught:
        call(plain)
    assert isinstance(caught.value, rom.RomError)


def test_only_one_that_was_trained_on_noise_removes_it(variational):
    with pytest.raises(rom.RomValueError, match="was not trained to remove noise: fit it with LossWeights"):
        variational.denoise(np.zeros(8))


# -- anomalies --------------------------------------------------------------------------------------------------------


def plane(n_samples, seed):
    """A plane in ten dimensions with noise whose size has a long tail."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(np.random.default_rng(9).standard_normal((10, 2)))[0]
    return rng.standard_normal((n_samples, 2)) @ basis.T + 0.05 * rng.standard_t(4, (n_samples, 10))


@pytest.fixture(scope="module")
def detector():
    config = rom.FitConfig(hidden=(), quadratic_decoder=False)
    return rom.fit_autoencoder(plane(3000, 0), 2, config=config)


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5])
def test_false_alarms_are_as_rare_as_asked_for(detector, rate):
    """On fresh data, within three standard errors: of the threshold, by 300 samples, and of the count."""
    alarms = np.mean(detector.anomaly_score(plane(20_000, 1)) > detector.anomaly_threshold(rate))
    error = np.sqrt(rate * (1 - rate) * (1 / 300 + 1 / 20_000))
    assert rate - 3 * error - 1 / 300 < alarms < rate + 3 * error


def test_anomalies_are_found(detector):
    strange = plane(500, 2) + 0.5 * np.random.default_rng(3).standard_normal((500, 10))
    assert np.mean(detector.anomaly_score(strange) > detector.anomaly_threshold(0.01)) > 0.95


def test_scores_of_the_same_kind_are_about_one(detector):
    assert np.median(detector.anomaly_score(plane(5000, 4))) == pytest.approx(1.0, rel=0.15)


def test_the_threshold_is_an_order_statistic(detector):
    """The ceil((m + 1)(1 - rate))-th of m = 300."""
    scores = (detector._state.calibration / detector._state.calibration.median()).numpy()
    assert len(scores) == 300
    for rate, k in ((1 / 301, 300), (0.01, 298), (0.5, 151), (1.0, 1)):
        assert detector.anomaly_threshold(rate) == pytest.approx(scores[k - 1])
    assert np.all(np.diff([detector.anomaly_threshold(rate) for rate in (0.5, 0.1, 0.02)]) > 0)


def test_samples_that_are_not_finite_are_anomalies(detector):
    data = plane(3, 0)
    data[1, 4], data[2, 0] = np.nan, np.inf
    scores = detector.anomaly_score(data)
    assert np.isfinite(scores).tolist() == [True, False, False]
    assert np.all(scores[1:] > detector.anomaly_threshold(0.01))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rounding_is_no_anomaly(dtype):
    """Of data that are reconstructed without a loss."""
    config = rom.FitConfig(hidden=(), quadratic_decoder=False, dtype=dtype)
    autoencoder = rom.fit_autoencoder(plane(300, 0), 10, config=config)
    scores = autoencoder.anomaly_score(plane(1000, 1))
    assert np.median(scores) < 10
    assert scores.max() < 1e4


# -- samples and ways between -----------------------------------------------------------------------------------------


def test_samples_are_those_of_their_seed(variational):
    samples = variational.sample(5, seed=3)
    assert samples.dims == ("sample", "x")
    xr.testing.assert_identical(samples, variational.sample(5, seed=3))
    assert not samples.equals(variational.sample(5, seed=4))
    np.testing.assert_allclose(variational.sample(2, seed=3), samples[:2], rtol=1e-5)


def test_samples_are_spread_as_the_data_are(variational):
    samples, data = variational.sample(2000), waves(2000)
    assert float(samples.var("sample").mean()) == pytest.approx(float(data.var("sample").mean()), rel=0.3)


def test_the_ends_of_an_interpolation_are_reconstructions(plain):
    a, b = waves(2)
    way = plain.interpolate(a, b, 5)
    assert way.dims == ("step", "x")
    assert way["step"].values.tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]
    for k, end in ((0, a), (-1, b)):
        np.testing.assert_allclose(way[k], plain.reconstruct(end), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(plain.interpolate(torch.from_numpy(a.values), b.values, 5), way, rtol=1e-6)
    middle = plain.decode((plain.encode(a) + plain.encode(b)) / 2)
    np.testing.assert_allclose(way[2], middle, rtol=1e-4, atol=1e-6)


# -- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_loaded_autoencoder_is_the_same_bit_by_bit(autoencoders, kind, tmp_path):
    autoencoder, modules = autoencoders[kind]
    autoencoder.save(tmp_path / "a")
    loaded = rom.load_autoencoder(tmp_path / "a", modules=modules)
    x = waves(20, seed=5)
    for name in ("encode", "reconstruct", "anomaly_score"):
        xr.testing.assert_identical(getattr(loaded, name)(x), getattr(autoencoder, name)(x))
    assert loaded.anomaly_threshold(0.1) == autoencoder.anomaly_threshold(0.1)
    assert repr(loaded) == repr(autoencoder)
    assert loaded.config == autoencoder.config
    xr.testing.assert_identical(loaded.history, autoencoder.history)
    moved = loaded.to("cpu")
    xr.testing.assert_identical(moved.encode(x), autoencoder.encode(x))
    if autoencoder.is_variational:
        xr.testing.assert_identical(loaded.sample(3), autoencoder.sample(3))


def test_modules_of_the_user_must_be_passed_again(autoencoders, tmp_path):
    autoencoder, modules = autoencoders["modules"]
    path = tmp_path / "a"
    autoencoder.save(path)
    with pytest.raises(RomFileError, match=r"whose code is not in the file; pass modules=\(encoder, decoder\)"):
        rom.load_autoencoder(path)
    with pytest.raises(rom.RomTypeError, match="modules must be a pair of torch modules") as caught:
        rom.load_autoencoder(path, modules=modules[0])
    assert "cannot be read" not in str(caught.value)
    with pytest.raises(rom.RomValueError, match=r"the encoder takes \(2, 8\) to \(2, 3\)"):
        rom.load_autoencoder(path, modules=(nn.Linear(8, 3), modules[1]))
    with pytest.raises(
        RomFileError, match="its numbers do not fit these modules; pass modules of the classes and sizes"
    ):
        rom.load_autoencoder(path, modules=(nn.Linear(8, 2), nn.Linear(2, 8)))
    with pytest.raises(RomFileError, match="is an autoencoder, not a model"):
        rom.load(path, modules=modules)


@pytest.mark.parametrize("load", [rom.load, rom.load_autoencoder])
def test_a_path_that_cannot_be_read_is_told_as_it_is(load, tmp_path):
    with pytest.raises(rom.RomTypeError, match=r"^a path must be a string or a Path, got 3"):
        load(3)
    with pytest.raises(rom.RomError, match=r"^cannot read"):
        load(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"^no such file"):
        load(tmp_path / "none")


def test_modules_are_refused_for_a_file_that_needs_none(plain, tmp_path):
    plain.save(tmp_path / "a")
    with pytest.raises(RomFileError, match="was fitted with networks of this package; leave modules out"):
        rom.load_autoencoder(tmp_path / "a", modules=own())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["config"].update(network={"kind": "Convolutionl"}), "unknown 'Convolutionl'; did you mean"),
        (lambda d: d["config"].update(network="conv"), "FitConfig.network must be a dictionary with its 'kind'"),
        (lambda d: d.update(latent_dim=3), "cannot be read by this version"),
        (lambda d: d.pop("layout"), "cannot be read by this version"),
        (lambda d: d.update(classes=["Encoder"]), "holds networks"),
    ],
)
def test_well_sealed_files_that_make_no_autoencoder_are_refused(plain, tmp_path, change, message):
    plain.save(tmp_path / "a")
    document, tensors = read_sealed(tmp_path / "a", "autoencoder")
    change(document)
    write_sealed(tmp_path / "a", "autoencoder", document, tensors)
    with pytest.raises(RomFileError, match=message):
        rom.load_autoencoder(tmp_path / "a")


def test_few_trajectories_tell_little_of_the_rate(small):
    rng = np.random.default_rng(0)
    states = xr.DataArray(rng.standard_normal((20, 30, 4)), dims=("trajectory", "time", "x"))
    with pytest.warns(RuntimeWarning, match="2 trajectories or stretches of time calibrate.*several times 0.1"):
        rom.fit_autoencoder(states, 2, config=small).anomaly_threshold(0.1)
