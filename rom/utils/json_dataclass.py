"""Frozen dataclasses of settings that are stored as JSON and refuse unknown names."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, Self, cast

import numpy as np

from rom.utils.errors import RomError, RomTypeError, RomValueError, nearest

__all__ = ["JsonSettings"]


class JsonSettings:
    """Base class of dataclasses that turn into dictionaries of JSON types and back.

    Unknown names are refused with the nearest valid one. Lists become tuples.
    """

    def __new__(cls, *_values: Any, **settings: Any) -> Self:
        """Refuse unknown names before the dataclass sees them."""
        check_keys(cls, settings, RomTypeError)
        return super().__new__(cls)

    def __post_init__(self) -> None:
        """Turn lists into tuples."""
        for name in field_names(type(self)):
            value = getattr(self, name)
            if isinstance(value, list):
                object.__setattr__(self, name, tuple(cast(list[Any], value)))

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as a dictionary of JSON types."""
        return dataclasses.asdict(cast(Any, self), dict_factory=plain_dict)

    @classmethod
    def from_dict(cls, settings: dict[str, Any]) -> Self:
        """Return the settings that `to_dict` turned into a dictionary.

        Raises
        ------
        RomValueError
            If a name is unknown.
        """
        check_keys(cls, settings, RomValueError)
        return cls(**settings)


def field_names(cls: type) -> list[str]:
    """Return the names of the fields of a dataclass."""
    return [field.name for field in dataclasses.fields(cls)]


def plain_dict(items: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return a dictionary in which numbers of NumPy, also those in tuples, are numbers of Python."""
    return {key: plain_value(value) for key, value in items}


def plain_value(value: Any) -> Any:
    """Return a value in which numbers of NumPy are numbers of Python."""
    if isinstance(value, tuple):
        return tuple(map(plain_value, cast(tuple[Any, ...], value)))
    return cast(Any, value).item() if isinstance(value, np.generic) else value


def check_keys(cls: type, settings: dict[str, Any], error: type[RomError]) -> None:
    """Raise an error for the first name that is not a field of a dataclass, with the nearest one that is."""
    names = field_names(cls)
    for key in settings:
        if key not in names:
            raise error(f"{cls.__name__}: unknown setting {key!r}; {nearest(key, names)}")
