"""Files that hold arrays and no code: models and checkpoints, in the safetensors format with a checksum.

A file is written aside and moved into place, so a reader never meets half of one. Its header entry carries a JSON
document and a SHA-256 digest over the whole file, taken with the digest's own 64 digits set to zeros and verified
before anything is parsed: an altered header is found as surely as an altered weight.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from rom.utils.errors import RomError, RomFileError, RomFileNotFoundError, RomTypeError, RomValueError

__all__ = ["history_from_json", "history_to_json", "pack", "read_sealed", "unpack", "write_sealed"]

SCHEMA = 4
DIGEST = re.compile(rb'"sha256":"([0-9a-f]{64})"')
BLANK = b"0" * 64


def write_sealed(path: str | os.PathLike, kind: str, document: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Write `tensors` and the JSON `document` to `path`. Raises `RomError` when the file cannot be written."""
    header = {"latentrom": json.dumps({"kind": kind, "schema": SCHEMA, **document}), "sha256": BLANK.decode()}
    stored = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    content = save_tensors(stored, header)
    place = find_digest(content)
    digest = hashlib.sha256(content).hexdigest().encode()
    write_aside(checked_path(path), content[: place.start(1)] + digest + content[place.end(1) :])


def read_sealed(path: str | os.PathLike, kind: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The document and the tensors of a file that `write_sealed` wrote with the same `kind`.

    Raises `RomFileNotFoundError`, or `RomFileError` for a truncated, altered or foreign file and for another schema.
    """
    path = as_path(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise RomFileNotFoundError(f"no such file: {path}") from error
    except OSError as error:
        raise RomError(f"cannot read {path}: {error}") from error
    place = find_digest(content)
    if place is None:
        raise RomFileError(f"{path} is not {with_article(kind)} of this package; pass a file written by its save()")
    blank = content[: place.start(1)] + BLANK + content[place.end(1) :]
    if hashlib.sha256(blank).hexdigest().encode() != place.group(1):
        raise RomFileError(f"{path} is truncated or altered: its checksum does not match; restore it from a copy")
    try:
        length = int.from_bytes(content[:8], "little")
        document = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["latentrom"])
        tensors = load_tensors(content)
        if not isinstance(document, dict):
            raise TypeError("the document is no dictionary")
    except (ValueError, KeyError, TypeError, RecursionError, SafetensorError) as error:
        raise RomFileError(f"{path} is not {with_article(kind)} of this package") from error
    if document.get("schema") != SCHEMA:
        raise RomFileError(
            f"{path} has schema {document.get('schema')!r}, this version reads schema {SCHEMA}; "
            "install the version that wrote it, or fit again"
        )
    if document.get("kind") != kind:
        raise RomFileError(
            f"{path} is {with_article(document.get('kind'))}, not {with_article(kind)}; models are read by rom.load, autoencoders by "
            "rom.load_autoencoder"
        )
    return document, tensors


def with_article(kind: Any) -> str:
    return f"{'an' if str(kind)[:1] in 'aeiou' else 'a'} {kind}"


def find_digest(content: bytes) -> Any:
    """Where the digest stands in the header of `content`; None in a file without one."""
    length = int.from_bytes(content[:8], "little")
    return DIGEST.search(content, 8, min(8 + length, len(content)))


def as_path(path: Any) -> Path:
    """`path` as a Path. Raises `RomTypeError` for what is no path."""
    try:
        return Path(path)
    except TypeError as error:
        raise RomTypeError(f"a path must be a string or a Path, got {path!r}") from error


def checked_path(path: Any) -> Path:
    """`path` as a Path to write to. Raises `RomTypeError` for what is no path and `RomValueError` for a missing folder."""
    result = as_path(path)
    if not result.parent.is_dir():
        raise RomValueError(f"the folder of {result} does not exist; create it first")
    return result


def write_aside(path: Path, content: bytes) -> None:
    """Write `content` beside `path`, force it to disk, move it into place."""
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
    mask = os.umask(0)
    os.umask(mask)
    return mask


def pack(tree: Any, tensors: dict[str, Tensor]) -> Any:
    """A JSON form of nested dictionaries, lists, tuples, numbers, text and tensors; the tensors go into `tensors`."""
    if isinstance(tree, Tensor):
        key = f"t{len(tensors)}"
        # A matrix stored by columns must come back so: products with it round differently otherwise.
        by_columns = tree.ndim == 2 and tree.T.is_contiguous() and not tree.is_contiguous()
        tensors[key] = (tree.T if by_columns else tree).clone()  # safetensors refuses tensors that share memory
        return {"transposed" if by_columns else "tensor": key}
    if isinstance(tree, dict):
        return {"items": [[key, pack(value, tensors)] for key, value in tree.items()]}
    if isinstance(tree, list | tuple):
        return {type(tree).__name__: [pack(value, tensors) for value in tree]}
    return tree


def unpack(tree: Any, tensors: dict[str, Tensor]) -> Any:
    """The inverse of `pack`."""
    if not isinstance(tree, dict):
        return tree
    ((kind, content),) = tree.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "transposed":
        return tensors[content].T
    if kind == "items":
        return {key: unpack(value, tensors) for key, value in content}
    values = [unpack(value, tensors) for value in content]
    return tuple(values) if kind == "tuple" else values


def history_to_json(history: xr.Dataset) -> dict[str, Any]:
    variables = {
        str(name): {"dims": list(v.dims), "data": v.values.tolist(), "dtype": str(v.dtype), "attrs": v.attrs}
        for name, v in history.variables.items()
    }
    return {"variables": variables, "coords": [str(c) for c in history.coords], "attrs": dict(history.attrs)}


def history_from_json(document: dict[str, Any]) -> xr.Dataset:
    variables = {
        name: (v["dims"], np.asarray(v["data"], dtype=v["dtype"]), v.get("attrs", {}))
        for name, v in document["variables"].items()
    }
    coords = {name: variables.pop(name) for name in document["coords"]}
    return xr.Dataset(variables, coords, attrs=document["attrs"])
