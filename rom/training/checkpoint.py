"""Checkpoints: the state of a training in one sealed file, from which the same call goes on."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rom.training.record import Progress, TrainingRecord
from rom.utils.errors import RomValueError
from rom.utils.files import read_sealed, write_sealed
from rom.utils.json_forms import pack, unpack

__all__ = ["digest_of", "resume", "write"]

log = logging.getLogger("rom")


def write(
    path: Path, fingerprint: str, training: TrainingRecord, networks: nn.Module, optimiser: torch.optim.Optimizer
) -> None:
    """Write the state of a training; the `fingerprint` says of which data and settings."""
    tensors: dict[str, Tensor] = {}
    record = {f.name: getattr(training, f.name) for f in fields(training) if f.name != "rows"}
    record |= {name: asdict(record[name]) for name in ("best", "start")}
    if training.stopped != "finished":
        record["stopped"] = "running"  # whoever repeats the call wants it to go on
    state = {
        "training": record | {"rows": [asdict(row) for row in training.rows]},
        "networks": dict(networks.state_dict()),
        "optimiser": optimiser.state_dict(),
    }
    document = {"fingerprint": fingerprint, "state": pack(state, tensors)}
    write_sealed(path, "checkpoint", document, tensors)


def resume(
    path: Path, fingerprint: str, training: TrainingRecord, networks: nn.Module, optimiser: torch.optim.Optimizer
) -> None:
    """Continue from the checkpoint. Raises `RomValueError` for one of another `fingerprint`."""
    document, tensors = read_sealed(path, "checkpoint")
    if document["fingerprint"] != fingerprint:
        raise RomValueError(
            f"checkpoint: {path} was made from other data, configuration or seed; "
            "repeat the call that made it, or choose another path"
        )
    state = unpack(document["state"], tensors)
    record = state["training"]
    score = type(training.start)
    record |= {name: score(**record[name]) for name in ("best", "start")}
    record["rows"] = [Progress(**row) for row in record["rows"]]
    for name, value in record.items():
        setattr(training, name, value)
    networks.load_state_dict(state["networks"])
    optimiser.load_state_dict(state["optimiser"])
    log.info("resumed from %s at step %d", path, training.step)


def digest_of(settings: Any, tensors: Iterable[Tensor], exact: Iterable[Tensor] = ()) -> str:
    """A fingerprint of `settings` in JSON types, of `tensors` by the sums of their columns, and of the values of `exact` ones.

    Sums are told in few digits: those over several threads need not agree to the last bit from run to run. They would not tell one
    signal from another that has its values at other times.
    """
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for tensor in tensors:
        digest.update(str(tuple(tensor.shape)).encode())
        digest.update(" ".join(f"{value:.6e}" for value in tensor.abs().sum(dim=0).flatten().tolist()).encode())
    for values in exact:
        digest.update(values.contiguous().numpy().tobytes())
    return digest.hexdigest()
