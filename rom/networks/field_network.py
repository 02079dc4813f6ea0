"""Base class of the settings of networks on fields, and the table of all kinds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from torch import nn

from rom.networks.geometry import Geometry
from rom.utils.checks import require_choice
from rom.utils.errors import RomTypeError, RomValueError
from rom.utils.json_dataclass import JsonSettings

__all__ = ["FieldNetwork", "field_network_from_dict", "field_network_to_dict"]


class FieldNetwork(JsonSettings, ABC):
    """Settings of one kind of encoder and decoder on fields.

    A subclass is a frozen dataclass with both methods. `FitConfig(network=...)` takes every subclass, and model files hold
    its name. `rom/__init__.py` imports all subclasses, so that a model file can be loaded.

    Attributes
    ----------
    kinds : dict of str to type
        All subclasses, by name.
    """

    kinds: ClassVar[dict[str, type[FieldNetwork]]] = {}

    def __init_subclass__(cls, **arguments: Any) -> None:
        """Add a subclass to `kinds`."""
        super().__init_subclass__(**arguments)
        taken = FieldNetwork.kinds.get(cls.__name__)
        if taken is not None and taken.__module__ != cls.__module__:
            raise RomValueError(
                f"FieldNetwork: the name {cls.__name__!r} belongs to {taken.__module__}.{cls.__name__}, by which model "
                "files know it; choose another name"
            )
        FieldNetwork.kinds[cls.__name__] = cls

    @abstractmethod
    def encoder(self, geometry: Geometry, latent_dim: int, generator: torch.Generator | None = None) -> nn.Module:
        """Return an encoder from fields (B, channels, *shape) to latent states (B, d).

        Parameters
        ----------
        geometry : Geometry
            Points of the fields.
        latent_dim : int
            Latent dimension d.
        generator : torch.Generator, optional
            Source of the initial weights; default: that of torch.

        Returns
        -------
        torch.nn.Module
            Network that treats each row by itself, and whose values are zero before training.

        Raises
        ------
        RomValueError
            If the settings do not fit the fields.
        """

    @abstractmethod
    def decoder(self, geometry: Geometry, latent_dim: int, generator: torch.Generator | None = None) -> nn.Module:
        """Return a decoder from latent states (B, d) to fields (B, channels, *shape).

        Parameters, results and errors are those of `encoder`.
        """


def field_network_to_dict(network: FieldNetwork) -> dict[str, Any]:
    """Return settings as a dictionary of JSON types, with the name of their class as "kind"."""
    return {"kind": type(network).__name__, **network.to_dict()}


def field_network_from_dict(settings: Any) -> FieldNetwork:
    """Return the settings that `field_network_to_dict` wrote.

    Raises
    ------
    RomTypeError
        If `settings` are not a dictionary.
    RomValueError
        If the kind or a setting is unknown; the message contains the nearest valid name.
    """
    if not isinstance(settings, dict):
        raise RomTypeError(f"FitConfig.network must be a dictionary with its 'kind', got {settings!r}")
    given = dict(settings)
    kind = given.pop("kind", "")
    require_choice("FitConfig.network", kind, tuple(FieldNetwork.kinds))
    return FieldNetwork.kinds[kind].from_dict(given)
