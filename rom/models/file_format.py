"""What a model file holds: the numbers of a `ModelModules`, and everything else as one JSON document.

`write_model` and `read_model` are the two directions. `rom.utils.files` puts the document and the tensors into a
safetensors file with a checksum.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar

import torch
import xarray as xr

from rom.config import FitConfig
from rom.data.fields import Field
from rom.data.layout import Layout
from rom.models.modules import AutoencoderState, ModelModules, ModelState
from rom.networks.encoder_decoder import parts_of
from rom.networks.user_modules import UserModules, check_user_modules, has_user_modules
from rom.reduction.spline_space import FunctionSpace
from rom.utils.devices import checked_device
from rom.utils.errors import RomError, RomFileError
from rom.utils.files import read_sealed, write_sealed
from rom.utils.json_forms import history_from_json, history_to_json

__all__ = ["AUTOENCODER_FILE", "MODEL_FILE", "FileKind", "StoredModel", "read_model", "write_model"]

S = TypeVar("S", bound=ModelModules)


@dataclass(frozen=True)
class FileKind(Generic[S]):
    """One kind of model file.

    Attributes
    ----------
    name : str
        The kind that the file states.
    classes : tuple of str
        Names of the classes of the networks.
    empty : callable
        Makes numbers of the right shapes, to be filled from the file, from the configuration, the layout, the rank, the
        latent dimension and the modules of the user.
    """

    name: str
    classes: tuple[str, ...]
    empty: Callable[[FitConfig, Layout, int, int, UserModules | None], S]


MODEL_FILE = FileKind("model", ("Encoder", "LatentDynamics", "Decoder"), ModelState.empty)
AUTOENCODER_FILE = FileKind("autoencoder", ("Encoder", "Decoder"), AutoencoderState.empty)


@dataclass(frozen=True)
class StoredModel(Generic[S]):
    """What a model file holds.

    Attributes
    ----------
    state : ModelModules
        All numbers.
    layout : Layout
        Labels of a state.
    config : FitConfig
        Configuration of the fit.
    history : xarray.Dataset
        The record of the fit.
    """

    state: S
    layout: Layout
    config: FitConfig
    history: xr.Dataset


def write_model(path: str | os.PathLike, kind: FileKind[Any], model: StoredModel[Any]) -> None:
    """Write a model to one safetensors file, with all but the numbers as JSON in its header.

    Raises
    ------
    RomError
        If the file cannot be written.
    """
    networks, projection = model.state.networks, model.state.projection
    document = {
        "config": model.config.to_dict(),
        "classes": [type(part).__name__ for part in parts_of(networks).values()],
        "own_modules": has_user_modules(networks),
        "rank": projection.rank,
        "latent_dim": networks.encoder.linear.out_features,
        "lost_energy": projection.lost_energy,
        "layout": asdict(model.layout),
        "history": history_to_json(model.history),
    }
    write_sealed(path, kind.name, document, dict(model.state.state_dict()))


def read_model(path: str | os.PathLike, kind: FileKind[S], device: Any, modules: Any) -> StoredModel[S]:
    """Read what `write_model` wrote.

    Parameters
    ----------
    path : str or os.PathLike
        The file.
    kind : FileKind
        The kind that the file must have.
    device : str or torch.device
        Device of the numbers.
    modules : tuple of torch.nn.Module or None
        Encoder and decoder of a model that was fitted with modules of the user.

    Returns
    -------
    StoredModel
        The model.

    Raises
    ------
    RomFileNotFoundError
        If there is no file.
    RomFileError
        If the file is truncated, altered, foreign or of another schema, or `modules` do not fit it.
    """
    target = checked_device(device)
    document, tensors = read_sealed(path, kind.name)
    with unreadable_is_an_error_of_the_file(path):
        if tuple(document["classes"]) != kind.classes:
            raise RomFileError(f"{path} holds networks {document['classes']}; this version knows {list(kind.classes)}")
        layout, config = layout_from_dict(document["layout"]), FitConfig.from_dict(document["config"])
    own = modules_for(path, document, layout, modules)
    with unreadable_is_an_error_of_the_file(path):
        state = kind.empty(config, layout, document["rank"], document["latent_dim"], own)
        fill(path, state, tensors, own)
        state.projection.lost_energy = document["lost_energy"]
        history = history_from_json(document["history"])
    return StoredModel(state.to(target), layout, config, history)


@contextmanager
def unreadable_is_an_error_of_the_file(path: str | os.PathLike) -> Iterator[None]:
    """Turn errors about missing or wrong entries of a document into a `RomFileError`."""
    try:
        yield
    except RomFileError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError, RomError) as error:
        raise RomFileError(f"{path} cannot be read by this version: {error}") from error


def modules_for(path: str | os.PathLike, document: dict[str, Any], layout: Layout, modules: Any) -> UserModules | None:
    """Return the modules of the user that a file needs, or None."""
    needed = document.get("own_modules", False)
    if needed and modules is None:
        raise RomFileError(
            f"{path} was fitted with modules of your own, whose code is not in the file; pass modules=(encoder, decoder)"
        )
    if modules is not None and not needed:
        raise RomFileError(f"{path} was fitted with networks of this package; leave modules out")
    return check_user_modules(modules, layout, document["latent_dim"])


def fill(
    path: str | os.PathLike, state: ModelModules, tensors: dict[str, torch.Tensor], own: UserModules | None
) -> None:
    """Give a state the numbers of a file."""
    try:
        state.fill(tensors)
    except RuntimeError as error:
        if own is None:
            raise
        raise RomFileError(
            f"{path}: its numbers do not fit these modules; pass modules of the classes and sizes that it was fitted with"
        ) from error


def layout_from_dict(document: dict[str, Any]) -> Layout:
    """Return the layout of which `document` is the dictionary, read from JSON."""
    tuples = {name: tuple(document[name]) for name in ("dims", "shape", "parameters", "inputs")}
    fields = tuple(
        Field(one["name"], tuple(one["dims"]), tuple(one["shape"]), one["attrs"]) for one in document.get("fields", [])
    )
    space = document.get("space")
    space = None if space is None else FunctionSpace.from_dict(space)
    return Layout(**{**document, **tuples, "fields": fields, "space": space})
