"""Files of models and checkpoints: arrays and a JSON document, no code, with a checksum.

The format is that of safetensors. A file is written to a temporary name and then moved into place, so that a reader
never sees an incomplete one. The header holds a JSON document and a SHA-256 digest of the whole file, which is computed
with zeros in place of its own 64 digits. The digest is verified before anything is parsed, so that changes of the header
are detected as well as those of the arrays.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any, cast

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from rom.utils.errors import RomError, RomFileError, RomFileNotFoundError, RomTypeError, RomValueError

__all__ = ["checked_path", "read_sealed", "write_sealed"]

SCHEMA = 4  # version of the contents of models and checkpoints
DIGEST = re.compile(rb'"sha256":"([0-9a-f]{64})"')
BLANK = b"0" * 64  # stands for the digest while it is computed
LENGTH_BYTES = 8  # of a safetensors file, which hold the length of its header


def write_sealed(path: str | os.PathLike[str], kind: str, document: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Write tensors and a JSON document to a file with a checksum.

    Parameters
    ----------
    path : path-like
        The file to write, in a folder that exists.
    kind : str
        What the file holds, such as "model".
    document : dict
        Values of JSON types.
    tensors : dict of str to Tensor
        Arrays by name.

    Raises
    ------
    RomError
        If the file cannot be written.
    """
    header = {"latentrom": json.dumps({"kind": kind, "schema": SCHEMA, **document}), "sha256": BLANK.decode()}
    stored = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    content = save_tensors(stored, header)
    place = find_digest(content)
    assert place is not None  # the header holds BLANK
    digest = hashlib.sha256(content).hexdigest().encode()
    write_aside(checked_path(path), content[: place.start(1)] + digest + content[place.end(1) :])


def read_sealed(path: str | os.PathLike[str], kind: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read a file that `write_sealed` wrote.

    Parameters
    ----------
    path : path-like
        The file to read.
    kind : str
        What the file must hold.

    Returns
    -------
    document : dict
        The JSON document.
    tensors : dict of str to Tensor
        Arrays by name, on the CPU.

    Raises
    ------
    RomFileNotFoundError
        If there is no such file.
    RomFileError
        If the file is truncated or altered, was not written by this package, or has another kind or schema.
    RomError
        If the file cannot be read.
    """
    path = as_path(path)
    content = read_bytes(path)
    verify_digest(path, kind, content)
    document, tensors = parse(path, kind, content)
    if document.get("schema") != SCHEMA:
        raise RomFileError(
            f"{path} has schema {document.get('schema')!r}, this version reads schema {SCHEMA}; "
            "install the version that wrote it, or fit again"
        )
    if document.get("kind") != kind:
        raise RomFileError(
            f"{path} is {with_article(document.get('kind'))}, not {with_article(kind)}; models are read by rom.load, "
            "autoencoders by rom.load_autoencoder"
        )
    return document, tensors


def read_bytes(path: Path) -> bytes:
    """Return the content of a file; raise an error of `rom` if it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise RomFileNotFoundError(f"no such file: {path}") from error
    except OSError as error:
        raise RomError(f"cannot read {path}: {error}") from error


def verify_digest(path: Path, kind: str, content: bytes) -> None:
    """Raise a `RomFileError` unless the content has the digest that its header holds."""
    place = find_digest(content)
    if place is None:
        raise RomFileError(f"{path} is not {with_article(kind)} of this package; pass a file written by its save()")
    blank = content[: place.start(1)] + BLANK + content[place.end(1) :]
    if hashlib.sha256(blank).hexdigest().encode() != place.group(1):
        raise RomFileError(f"{path} is truncated or altered: its checksum does not match; restore it from a copy")


def parse(path: Path, kind: str, content: bytes) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the JSON document and the tensors of a file; raise a `RomFileError` if they cannot be found."""
    try:
        end = LENGTH_BYTES + header_length(content)
        document = json.loads(json.loads(content[LENGTH_BYTES:end])["__metadata__"]["latentrom"])
        tensors = load_tensors(content)
        if not isinstance(document, dict):
            raise TypeError("the document is not a dictionary")
    except (ValueError, KeyError, TypeError, RecursionError, SafetensorError) as error:
        raise RomFileError(f"{path} is not {with_article(kind)} of this package") from error
    return cast(dict[str, Any], document), tensors


def header_length(content: bytes) -> int:
    """Return the length of the header of a safetensors file."""
    return int.from_bytes(content[:LENGTH_BYTES], "little")


def find_digest(content: bytes) -> re.Match[bytes] | None:
    """Return where the digest stands in the header; None in a file without one."""
    end = LENGTH_BYTES + header_length(content)
    return DIGEST.search(content, LENGTH_BYTES, min(end, len(content)))


def with_article(kind: Any) -> str:
    """Return a kind of file with "a" or "an" in front."""
    return f"{'an' if str(kind)[:1] in 'aeiou' else 'a'} {kind}"


def as_path(path: Any) -> Path:
    """Return a Path; raise a `RomTypeError` if the value is not a path."""
    try:
        return Path(path)
    except TypeError as error:
        raise RomTypeError(f"a path must be a string or a Path, got {path!r}") from error


def checked_path(path: Any) -> Path:
    """Return a path to write to.

    Raises
    ------
    RomTypeError
        If the value is not a path.
    RomValueError
        If its folder does not exist.
    """
    result = as_path(path)
    if not result.parent.is_dir():
        raise RomValueError(f"the folder of {result} does not exist; create it first")
    return result


def write_aside(path: Path, content: bytes) -> None:
    """Write a temporary file beside `path`, force it to disk and move it into place."""
    try:
        handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(aside, 0o666 & ~current_umask())
            os.replace(aside, path)
        except BaseException:
            os.unlink(aside)
            raise
    except OSError as error:
        raise RomError(f"cannot write {path}: {error}") from error


def current_umask() -> int:
    """Return the mask of permissions of new files, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
