"""Checkpoints: the state of a training in one sealed file, from which the same call goes on."""

from __future__ import annotations

import logging
from dataclasses import asdict, fields
from pathlib import Path

import torch
from torch import Tensor, nn

from rom.errors import RomValueError
from rom.persistence import pack, read_sealed, unpack, write_sealed
from rom.training_record import Progress, Training
from rom.validation import Validation

__all__ = ["resume", "write"]

log = logging.getLogger("rom")


def write(
    path: Path, fingerprint: str, training: Training, networks: nn.Module, optimiser: torch.optim.Optimizer
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
    path: Path, fingerprint: str, training: Training, networks: nn.Module, optimiser: torch.optim.Optimizer
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
    record |= {name: Validation(**record[name]) for name in ("best", "start")}
    record["rows"] = [Progress(**row) for row in record["rows"]]
    for name, value in record.items():
        setattr(training, name, value)
    networks.load_state_dict(state["networks"])
    optimiser.load_state_dict(state["optimiser"])
    log.info("resumed from %s at step %d", path, training.step)
