"""Dataclasses that are stored as JSON and refuse unknown keys."""

from __future__ import annotations

import dataclasses
from typing import Any, Self

import numpy as np

from rom.utils.errors import RomError, RomTypeError, RomValueError, nearest

__all__ = ["JsonSettings"]


class JsonSettings:
    """To and from plain dictionaries, with unknown keys refused by name; lists become tuples."""

    def __new__(cls, *_values: Any, **settings: Any) -> Self:
        check_keys(cls, settings, RomTypeError)
        return super().__new__(cls)

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if isinstance(value, list):
                object.__setattr__(self, field.name, tuple(value))

    def to_dict(self) -> dict[str, Any]:
        """A dictionary of JSON types."""
        return dataclasses.asdict(self, dict_factory=plain_dict)  # type: ignore[call-overload]

    @classmethod
    def from_dict(cls, settings: dict[str, Any]) -> Self:
        """The inverse of `to_dict`. Raises `RomValueError` for an unknown key and names the nearest valid one."""
        check_keys(cls, settings, RomValueError)
        return cls(**settings)


def plain_dict(items: list[tuple[str, Any]]) -> dict[str, Any]:
    """A dictionary with numbers of NumPy as those of Python, which JSON can hold; tuples of them too."""

    def plain(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(plain, value))
        return value.item() if isinstance(value, np.generic) else value

    return {key: plain(value) for key, value in items}


def check_keys(cls: Any, settings: dict[str, Any], error: type[RomError]) -> None:
    """An `error` for the first key that is no field of the dataclass `cls`, with the nearest one that is."""
    names = [field.name for field in dataclasses.fields(cls)]
    for key in settings:
        if key not in names:
            raise error(f"{cls.__name__}: unknown setting {key!r}; {nearest(key, names)}")
