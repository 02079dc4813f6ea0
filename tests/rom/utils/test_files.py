"""Sealed files: what comes back is what went in, and whatever is not such a file is refused before it is parsed."""

import hashlib
import json
import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save

import rom
from rom.utils import files
from rom.utils.errors import RomFileError
from rom.utils.files import read_sealed, write_sealed
from rom.utils.json_forms import pack, unpack


@pytest.fixture
def sealed(tmp_path):
    path = tmp_path / "a.safetensors"
    tensors = {"weight": torch.arange(6.0).reshape(2, 3), "count": torch.tensor(3)}
    write_sealed(path, "model", {"name": "Bürgers", "d": 3}, tensors)
    return path


def test_document_and_tensors_come_back(sealed):
    document, tensors = read_sealed(sealed, "model")
    assert document == {"kind": "model", "schema": files.SCHEMA, "name": "Bürgers", "d": 3}
    assert torch.equal(tensors["weight"], torch.arange(6.0).reshape(2, 3))
    assert tensors["count"].dtype == torch.int64
    assert list(sealed.parent.iterdir()) == [sealed]  # nothing is left of the writing aside


def test_the_checksum_covers_the_whole_file(sealed):
    content = sealed.read_bytes()
    digest = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]["sha256"]
    blank = content.replace(digest.encode(), b"0" * 64)
    assert hashlib.sha256(blank).hexdigest() == digest


def test_any_flipped_bit_is_found(sealed):
    content = sealed.read_bytes()
    for place in range(len(content)):
        for bit in (0, 5, 7):
            altered = bytearray(content)
            altered[place] ^= 1 << bit
            sealed.write_bytes(altered)
            with pytest.raises(RomFileError):
                read_sealed(sealed, "model")


def test_any_truncation_is_found(sealed):
    content = sealed.read_bytes()
    for length in range(len(content)):
        sealed.write_bytes(content[:length])
        with pytest.raises(RomFileError):
            read_sealed(sealed, "model")
    sealed.write_bytes(content + b"\0")
    with pytest.raises(RomFileError, match=r"truncated or altered.*restore it from a copy"):
        read_sealed(sealed, "model")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x89HDF\r\n\x1a\n" + b"\0" * 100,
        b"{}",
        save({"w": torch.ones(2)}),
        save({"w": torch.ones(2)}, {"sha256": "x"}),
    ],
    ids=["empty", "hdf5", "text", "safetensors", "safetensors-with-metadata"],
)
def test_foreign_files_are_refused(tmp_path, content):
    path = tmp_path / "foreign.safetensors"
    path.write_bytes(content)
    with pytest.raises(RomFileError, match="is not a model of this package"):
        read_sealed(path, "model")


class Trap:
    """Unpickled, it makes a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.mark.parametrize("wrap", [pickle.dumps, lambda trap: pickle.dumps({"state": [trap]}, protocol=2)])
def test_a_pickle_under_the_right_name_does_not_run(tmp_path, wrap):
    sprung = tmp_path / "sprung"
    path = tmp_path / "model.safetensors"
    path.write_bytes(wrap(Trap(sprung)))
    with pytest.raises(RomFileError):
        rom.load(path)
    assert not sprung.exists()


def test_a_torch_file_with_a_trap_does_not_run(tmp_path):
    sprung = tmp_path / "sprung"
    path = tmp_path / "model.safetensors"
    torch.save({"weights": Trap(sprung)}, path)
    with pytest.raises(RomFileError):
        rom.load(path)
    assert not sprung.exists()


def test_an_older_schema_is_named(tmp_path, monkeypatch):
    path = tmp_path / "old.safetensors"
    monkeypatch.setattr(files, "SCHEMA", 0)
    write_sealed(path, "model", {}, {})
    monkeypatch.undo()
    with pytest.raises(
        RomFileError, match=r"schema 0, this version reads schema \d.*install the version that wrote it"
    ):
        read_sealed(path, "model")


def test_another_kind_is_named(sealed):
    with pytest.raises(RomFileError, match="is a model, not a checkpoint"):
        read_sealed(sealed, "checkpoint")


@pytest.mark.parametrize(
    "header", ["[]", '{"__metadata__": []}', '{"__metadata__": {"latentrom": "[1]", "sha256": "%s"}}']
)
def test_a_well_sealed_file_of_nonsense_is_refused(tmp_path, header):
    """The checksum is no secret: behind it the document is still checked."""
    text = header % ("0" * 64) if "%s" in header else header[:-1] + ',"sha256":"' + "0" * 64 + '"' + header[-1]
    text = text.replace('"sha256": "', '"sha256":"').encode()
    content = len(text).to_bytes(8, "little") + text
    digest = hashlib.sha256(content).hexdigest().encode()
    path = tmp_path / "nonsense.safetensors"
    path.write_bytes(content.replace(b"0" * 64, digest))
    with pytest.raises(RomFileError):
        read_sealed(path, "model")


def test_a_missing_file_and_a_missing_folder(tmp_path):
    for path in (tmp_path / "none.safetensors", tmp_path / "nowhere" / "none.safetensors"):
        with pytest.raises(FileNotFoundError, match="no such file") as caught:
            rom.load(path)
        assert isinstance(caught.value, rom.RomError)
    with pytest.raises(rom.RomValueError, match=r"the folder of .* does not exist; create it first"):
        write_sealed(tmp_path / "nowhere" / "a.safetensors", "model", {}, {})
    with pytest.raises(rom.RomTypeError, match="a path must be a string or a Path, got 3"):
        rom.load(3)
    with pytest.raises(rom.RomError, match="cannot read"):
        rom.load(tmp_path)


def test_a_failed_write_leaves_the_old_file(sealed, monkeypatch):
    before = sealed.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(rom.RomError, match=r"cannot write .*No space left"):
        write_sealed(sealed, "model", {}, {})
    monkeypatch.undo()
    assert sealed.read_bytes() == before
    assert list(sealed.parent.iterdir()) == [sealed]


def test_nested_records_survive_packing():
    shared = torch.arange(4.0)
    tree = {
        "step": 3,
        7: [shared, shared.view(2, 2).T, None, (1.5, float("inf"))],
        "flags": {"on": True, "name": "a"},
        "empty": [],
    }
    tensors: dict[str, torch.Tensor] = {}
    back = unpack(json.loads(json.dumps(pack(tree, tensors))), tensors)
    assert torch.equal(back[7][0], shared)
    assert torch.equal(back[7][1], shared.view(2, 2).T)
    assert back[7][2:] == [None, (1.5, float("inf"))]
    assert {k: v for k, v in back.items() if k != 7} == {k: v for k, v in tree.items() if k != 7}


def test_nan_survives_packing():
    back = unpack(json.loads(json.dumps(pack({"loss": float("nan")}, {}))), {})
    assert np.isnan(back["loss"])
