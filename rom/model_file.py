"""One file for a model: its numbers as safetensors, everything else as JSON in the header. No code runs on load."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from rom.arguments import checked_device
from rom.config import FitConfig
from rom.errors import RomError
from rom.fields import Field
from rom.function_space import FunctionSpace
from rom.latent_dynamics import LatentDynamics
from rom.layout import Layout
from rom.model import ModelState, ReducedOrderModel
from rom.networks import Decoder, Encoder
from rom.persistence import RomFileError, read_sealed, write_sealed

if TYPE_CHECKING:
    import torch

__all__ = ["load", "save_model"]

CLASSES = [c.__name__ for c in (Encoder, LatentDynamics, Decoder)]


def save_model(model: ReducedOrderModel, path: str | os.PathLike) -> None:
    """Write `model` to `path`. Raises `RomError` when the file cannot be written."""
    networks = model._state.networks
    document = {
        "config": model.config.to_dict(),
        "classes": [type(part).__name__ for part in (networks.encoder, networks.latent_dynamics, networks.decoder)],
        "rank": model.rank,
        "latent_dim": model.latent_dim,
        "lost_energy": model._state.projection.lost_energy,
        "layout": asdict(model._layout),
        "history": history_to_json(model.history),
    }
    write_sealed(path, "model", document, dict(model._state.state_dict()))


def load(path: str | os.PathLike, device: str | torch.device = "cpu") -> ReducedOrderModel:
    """The model that `ReducedOrderModel.save` wrote to `path`.

    Raises `RomFileNotFoundError`, or `RomFileError` (a `RomValueError`) for a file that is truncated, altered, foreign or
    of another schema.
    """
    target = checked_device(device)
    document, tensors = read_sealed(path, "model")
    try:
        if document["classes"] != CLASSES:
            raise RomFileError(f"{path} holds networks {document['classes']}; this version knows {CLASSES}")
        layout = layout_of(document["layout"])
        config = FitConfig.from_dict(document["config"])
        state = ModelState.empty(
            config,
            layout.n_states,
            document["rank"],
            document["latent_dim"],
            len(layout.parameters) + layout.n_forcing,
            len(layout.parts) if layout.space is not None else 0,
        )
        state.load_state_dict(tensors)
        state.projection.lost_energy = document["lost_energy"]
        history = history_from_json(document["history"])
    except RomFileError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError, RomError) as error:
        raise RomFileError(f"{path} cannot be read by this version: {error}") from error
    return ReducedOrderModel(state.to(target), layout, config, history)


def layout_of(document: dict[str, Any]) -> Layout:
    tuples = {name: tuple(document[name]) for name in ("dims", "shape", "parameters", "inputs")}
    fields = tuple(
        Field(one["name"], tuple(one["dims"]), tuple(one["shape"]), one["attrs"]) for one in document.get("fields", [])
    )
    space = document.get("space")
    space = None if space is None else FunctionSpace.from_dict(space)
    return Layout(**{**document, **tuples, "fields": fields, "space": space})


def history_to_json(history: xr.Dataset) -> dict[str, Any]:
    variables = {
        str(name): {"dims": list(v.dims), "data": v.values.tolist(), "dtype": str(v.dtype)}
        for name, v in history.variables.items()
    }
    return {"variables": variables, "coords": [str(c) for c in history.coords], "attrs": dict(history.attrs)}


def history_from_json(document: dict[str, Any]) -> xr.Dataset:
    variables = {
        name: (v["dims"], np.asarray(v["data"], dtype=v["dtype"])) for name, v in document["variables"].items()
    }
    coords = {name: variables.pop(name) for name in document["coords"]}
    return xr.Dataset(variables, coords, attrs=document["attrs"])
