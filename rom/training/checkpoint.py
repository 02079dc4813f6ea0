"""Checkpoints: the state of a training in one file, from which the same call continues."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from rom.training.record import Progress, TrainingRecord
from rom.utils.errors import RomFileError, RomValueError
from rom.utils.files import read_sealed, write_sealed
from rom.utils.json_forms import pack, unpack

__all__ = ["digest_of", "resume", "write"]

log = logging.getLogger("rom")


def write(
    path: Path, fingerprint: str, record: TrainingRecord, networks: nn.Module, optimiser: torch.optim.Optimizer
) -> None:
    """Write the state of a training.

    Parameters
    ----------
    path : pathlib.Path
        The file to write.
    fingerprint : str
        Digest of the data and settings.
    record : TrainingRecord
        The training so far.
    networks : torch.nn.Module
        The networks at its last step.
    optimiser : torch.optim.Optimizer
        The optimiser at its last step.

    Raises
    ------
    RomError
        If the file cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    values = {f.name: getattr(record, f.name) for f in fields(record)}
    values |= {"best": asdict(record.best), "start": asdict(record.start), "rows": [asdict(row) for row in record.rows]}
    if record.stopped != "finished":
        values["stopped"] = "running"  # the same call is to continue
    state = {"training": values, "networks": dict(networks.state_dict()), "optimiser": optimiser.state_dict()}
    write_sealed(path, "checkpoint", {"fingerprint": fingerprint, "state": pack(state, tensors)}, tensors)


def resume(
    path: Path, fingerprint: str, record: TrainingRecord, networks: nn.Module, optimiser: torch.optim.Optimizer
) -> None:
    """Replace the state of a training by that of a checkpoint.

    Parameters
    ----------
    path : pathlib.Path
        The file to read.
    fingerprint : str
        Digest of the data and settings.
    record : TrainingRecord
        The record to replace.
    networks : torch.nn.Module
        The networks whose weights are replaced.
    optimiser : torch.optim.Optimizer
        The optimiser whose state is replaced.

    Raises
    ------
    RomValueError
        If the checkpoint has another fingerprint.
    RomFileError
        If the file is not a checkpoint, damaged, or of another version of the package.
    """
    document, tensors = read_sealed(path, "checkpoint")
    if document["fingerprint"] != fingerprint:
        raise RomValueError(
            f"checkpoint: {path} was made from other data, configuration or seed; "
            "repeat the call that made it, or choose another path"
        )
    try:
        state = unpack(document["state"], tensors)
        values: dict[str, Any] = state["training"]
        score = type(record.start)
        values |= {name: score(**values[name]) for name in ("best", "start")}
        values["rows"] = [Progress(**row) for row in values["rows"]]
        networks.load_state_dict(state["networks"])
        optimiser.load_state_dict(state["optimiser"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise RomFileError(
            f"checkpoint: {path} was written by another version of this package; delete it, or choose another path"
        ) from error
    for name, value in values.items():
        setattr(record, name, value)
    log.info("resumed from %s at step %d", path, record.step)


def digest_of(settings: Any, tensors: Iterable[Tensor], exact: Iterable[Tensor] = ()) -> str:
    """Return a digest of settings and data, by which a checkpoint is known to belong to a call.

    Parameters
    ----------
    settings : object
        Values of JSON types.
    tensors : iterable of Tensor
        Tensors of which only sums over the first axis enter, rounded to seven digits. Sums by several threads need not
        agree to the last bit.
    exact : iterable of Tensor
        Tensors of which all values enter. Two signals with the same values at different times have the same sums.

    Returns
    -------
    str
        SHA-256 in hexadecimal digits.
    """
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for tensor in tensors:
        digest.update(str(tuple(tensor.shape)).encode())
        sums = cast(list[float], cast(Any, tensor.abs().sum(dim=0).flatten()).tolist())
        digest.update(" ".join(f"{value:.6e}" for value in sums).encode())
    for values in exact:
        digest.update(values.contiguous().numpy().tobytes())
    return digest.hexdigest()
