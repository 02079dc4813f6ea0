"""Models and autoencoders from the files that `LatentModel.save` wrote. No code runs on load."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rom.config import FitConfig
from rom.data.fields import Field
from rom.data.layout import Layout
from rom.models.autoencoder import Autoencoder, AutoencoderState
from rom.models.base import LatentModel, ModelModules
from rom.models.reduced_order_model import ModelState, ReducedOrderModel
from rom.networks.encoder_decoder import Decoder, Encoder
from rom.networks.latent_dynamics import LatentDynamics
from rom.networks.user_modules import UserModules, check_user_modules
from rom.reduction.spline_space import FunctionSpace
from rom.utils.devices import checked_device
from rom.utils.errors import RomError, RomFileError
from rom.utils.files import history_from_json, read_sealed

__all__ = ["load", "load_autoencoder"]

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class Kind:
    """One kind of file: the classes of its networks, and what it is read into."""

    classes: list[str]
    state: type[ModelState] | type[AutoencoderState]
    result: type[LatentModel[Any]]


MODEL = Kind([c.__name__ for c in (Encoder, LatentDynamics, Decoder)], ModelState, ReducedOrderModel)
AUTOENCODER = Kind([c.__name__ for c in (Encoder, Decoder)], AutoencoderState, Autoencoder)


def load(
    path: str | os.PathLike,
    device: str | torch.device = "cpu",
    *,
    modules: tuple[nn.Module, nn.Module] | None = None,
) -> ReducedOrderModel:
    """The model that `ReducedOrderModel.save` wrote to `path`.

    modules: encoder and decoder of the same classes, for a model that was fitted with modules of your own; their weights come
        from the file.
    Raises `RomFileNotFoundError`, or `RomFileError` (a `RomValueError`) for a file that is truncated, altered, foreign or
    of another schema.
    """
    return read(MODEL, path, device, modules)


def load_autoencoder(
    path: str | os.PathLike,
    device: str | torch.device = "cpu",
    *,
    modules: tuple[nn.Module, nn.Module] | None = None,
) -> Autoencoder:
    """The autoencoder that `Autoencoder.save` wrote to `path`; arguments and errors as those of `load`."""
    return read(AUTOENCODER, path, device, modules)


def read(kind: Kind, path: str | os.PathLike, device: Any, modules: Any) -> Any:
    """What `LatentModel.save` wrote to `path`, which must be of this kind."""
    target = checked_device(device)
    document, tensors = read_sealed(path, kind.result.file_kind)
    with of_this_version(path):
        require_classes(path, document, kind.classes)
        layout, config = layout_of(document["layout"]), FitConfig.from_dict(document["config"])
    own = modules_for(path, document, layout, modules)
    with of_this_version(path):
        state = kind.state.empty(config, layout, document["rank"], document["latent_dim"], own)
        fill(path, state, tensors, own)
        state.projection.lost_energy = document["lost_energy"]
        history = history_from_json(document["history"])
    return kind.result(state.to(target), layout, config, history)


@contextmanager
def of_this_version(path: str | os.PathLike) -> Iterator[None]:
    """Whatever a document lacks or has wrong is an error of the file."""
    try:
        yield
    except RomFileError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError, RomError) as error:
        raise RomFileError(f"{path} cannot be read by this version: {error}") from error


def require_classes(path: str | os.PathLike, document: dict[str, Any], classes: list[str]) -> None:
    if document["classes"] != classes:
        raise RomFileError(f"{path} holds networks {document['classes']}; this version knows {classes}")


def modules_for(path: str | os.PathLike, document: dict[str, Any], layout: Layout, modules: Any) -> UserModules | None:
    """The modules of the user that a file asks for."""
    asked = document.get("own_modules", False)
    if asked and modules is None:
        raise RomFileError(
            f"{path} was fitted with modules of your own, whose code is not in the file; pass modules=(encoder, decoder)"
        )
    if modules is not None and not asked:
        raise RomFileError(f"{path} was fitted with networks of this package; leave modules out")
    return check_user_modules(modules, layout, document["latent_dim"])


def fill(
    path: str | os.PathLike,
    state: ModelModules,
    tensors: dict[str, torch.Tensor],
    own: UserModules | None,
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


def layout_of(document: dict[str, Any]) -> Layout:
    tuples = {name: tuple(document[name]) for name in ("dims", "shape", "parameters", "inputs")}
    fields = tuple(
        Field(one["name"], tuple(one["dims"]), tuple(one["shape"]), one["attrs"]) for one in document.get("fields", [])
    )
    space = document.get("space")
    space = None if space is None else FunctionSpace.from_dict(space)
    return Layout(**{**document, **tuples, "fields": fields, "space": space})
