"""Saved and loaded, a model is the same to the last bit, and needs nothing but its file."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
import xarray as xr

import rom
from rom.utils import files
from rom.utils.errors import RomFileError
from rom.utils.files import read_sealed, write_sealed

T = np.linspace(0.0, 3.0, 31)


@pytest.fixture
def path(model, tmp_path):
    path = tmp_path / "model.safetensors"
    model.save(path)
    return path


@pytest.mark.parametrize("name", ["model", "double_model", "parametric_model"])
def test_forecasts_are_the_same_bit_by_bit(request, name, tmp_path):
    model = request.getfixturevalue(name)
    model.save(tmp_path / "m")
    loaded = rom.load(str(tmp_path / "m"))
    x0 = np.random.default_rng(0).standard_normal((5, *model.shape)) / 4
    mu = [1.2] if model.parameters else None
    for method in ("rk4", "dopri5"):
        xr.testing.assert_identical(loaded.forecast(x0, T, mu, method=method), model.forecast(x0, T, mu, method=method))
    np.testing.assert_array_equal(loaded.encode(x0), model.encode(x0))
    np.testing.assert_array_equal(loaded.residual(x0, 0.1 * x0, mu), model.residual(x0, 0.1 * x0, mu))


def test_everything_else_comes_back_too(model, path):
    loaded = rom.load(path)
    assert repr(loaded) == repr(model)
    assert loaded.config == model.config
    xr.testing.assert_identical(loaded.history, model.history)
    assert {k: v.dtype for k, v in loaded._state.state_dict().items()} == {
        k: v.dtype for k, v in model._state.state_dict().items()
    }


def test_labels_come_back(linear, path):
    x0 = linear.sample_initial(2, seed=1)
    forecast = rom.load(path).forecast(x0, T)
    assert forecast["state"].dims == ("trajectory", "time", "state_index")
    xr.testing.assert_identical(forecast["state_index"].variable, x0["state_index"].variable)


def test_the_closed_form_model_comes_back(model, runs, path):
    xr.testing.assert_identical(rom.evaluate(rom.load(path), runs), rom.evaluate(model, runs))


def test_a_loaded_model_can_be_saved_again(path, tmp_path):
    rom.load(path).save(tmp_path / "again.safetensors")
    (document, tensors), (again, copies) = (read_sealed(p, "model") for p in (path, tmp_path / "again.safetensors"))
    assert again == document
    assert all(torch.equal(copies[name], tensor) for name, tensor in tensors.items())


def test_the_file_is_plain_safetensors(path):
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        document = json.loads(file.metadata()["latentrom"])
        assert "networks.encoder.linear.weight" in set(file.keys())
    assert document["schema"] == files.SCHEMA
    assert document["classes"] == ["Encoder", "LatentDynamics", "Decoder"]


def test_loading_touches_no_global_state(path):
    before = torch.get_rng_state()
    rom.load(path)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.usefixtures("path")
def test_another_process_makes_the_same_forecast(model, tmp_path):
    np.save(tmp_path / "x0.npy", np.linspace(-1, 1, 12))
    code = (
        "import numpy as np, rom, sys; d = sys.argv[1];"
        "f = rom.load(d + '/model.safetensors').forecast(np.load(d + '/x0.npy'), np.linspace(0, 3, 31));"
        "np.save(d + '/f.npy', f['state'].values)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    expected = model.forecast(np.linspace(-1, 1, 12), T)["state"].values
    np.testing.assert_array_equal(np.load(tmp_path / "f.npy"), expected)


@pytest.mark.parametrize("share", np.linspace(0.0, 0.999, 40))
def test_flipped_bytes_and_truncations_are_found(path, share):
    content = path.read_bytes()
    place = int(share * len(content))
    for altered in (content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :], content[:place]):
        path.write_bytes(altered)
        with pytest.raises(RomFileError):
            rom.load(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda d: d.update(classes=["Encodr", "LatentDynamics", "Decoder"]),
            "holds networks .*Encodr.*; this version knows",
        ),
        (lambda d: d["config"].update(hiden=[3]), "unknown setting 'hiden'; did you mean 'hidden'"),
        (lambda d: d.update(latent_dim=4), "cannot be read by this version"),
        (lambda d: d.update(rank="three"), "cannot be read by this version"),
        (lambda d: d.pop("layout"), "cannot be read by this version"),
        (lambda d: d.update(layout=[]), "cannot be read by this version"),
        (lambda d: d["layout"].update(colour="red"), "cannot be read by this version"),
        (lambda d: d.update(history={"variables": {"a": 1}}), "cannot be read by this version"),
        (lambda d: d["history"]["variables"]["step"].update(dtype="nonsense"), "cannot be read by this version"),
    ],
)
def test_well_sealed_files_that_make_no_model_are_refused(path, change, message):
    document, tensors = read_sealed(path, "model")
    change(document)
    write_sealed(path, "model", document, tensors)
    with pytest.raises(RomFileError, match=message):
        rom.load(path)


def test_a_missing_tensor_is_refused(path):
    document, tensors = read_sealed(path, "model")
    tensors.pop("region.radius")
    write_sealed(path, "model", document, tensors)
    with pytest.raises(RomFileError, match="radius"):
        rom.load(path)


def test_an_older_schema_says_what_to_do(model, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "SCHEMA", 0)
    model.save(tmp_path / "old")
    monkeypatch.undo()
    with pytest.raises(
        RomFileError, match="has schema 0, this version reads schema 4; install the version that wrote it"
    ):
        rom.load(tmp_path / "old")


def test_a_checkpoint_is_no_model(tmp_path):
    write_sealed(tmp_path / "c", "checkpoint", {}, {})
    with pytest.raises(RomFileError, match="is a checkpoint, not a model"):
        rom.load(tmp_path / "c")


def test_saving_into_a_missing_folder(model, tmp_path):
    with pytest.raises(rom.RomValueError, match="does not exist; create it first"):
        model.save(tmp_path / "nowhere" / "m")
