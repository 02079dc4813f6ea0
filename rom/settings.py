"""What settings are made of: dataclasses that travel as JSON and refuse unknown keys, and checks of their values."""

from __future__ import annotations

import dataclasses
import math
import operator
import reprlib
from typing import Any, Self

import numpy as np

from rom.errors import RomError, RomTypeError, RomValueError, nearest

__all__ = [
    "JsonSettings",
    "require_choice",
    "require_flag",
    "require_integer",
    "require_names",
    "require_number",
    "require_widths",
    "shortened",
]


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


def require_integer(name: str, value: Any, low: int) -> int:
    """`value` if it is an integer >= `low`; otherwise a typed error that names it."""
    try:
        integer = operator.index(value)
    except TypeError:
        integer = None
    if integer is None or isinstance(value, bool):
        raise RomTypeError(f"{name} must be an integer, got {shortened(value)}")
    if integer < low:
        raise RomValueError(f"{name} must be at least {low}, got {value!r}")
    return integer


def shortened(value: Any) -> str:
    """A value on one line, arrays by their shape."""
    if type(value).__module__.startswith("xarray"):
        return f"{type(value).__name__} of sizes {dict(value.sizes)}"
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{type(value).__name__} of shape {tuple(value.shape)}"
    if isinstance(value, tuple | list):
        inner = ", ".join(map(shortened, value[:4])) + (", ..." if len(value) > 4 else "")
        return f"({inner})" if isinstance(value, tuple) else f"[{inner}]"
    return reprlib.repr(value)


def require_number(name: str, value: Any, low: float, high: float = math.inf, exclusive: bool = False) -> float:
    """`value` if it is a finite real number in [low, high] (above `low` where `exclusive`); otherwise a typed error."""
    if isinstance(value, bool | str | complex) or not hasattr(value, "__float__") or getattr(value, "ndim", 0):
        raise RomTypeError(f"{name} must be a number, got {shortened(value)}")
    if not math.isfinite(value) or value > high or value < low or (exclusive and value == low):
        limits = f"{'above' if exclusive else 'at least'} {low:g}" + (
            f" and at most {high:g}" if high < math.inf else ""
        )
        raise RomValueError(f"{name} must be finite, {limits}, got {value!r}")
    return float(value)


def require_choice(name: str, value: Any, valid: Any) -> None:
    """A typed error unless `value` is one of the words `valid`."""
    if value not in valid:
        raise RomValueError(f"{name}: unknown {value!r}; {nearest(value, valid)}")


def require_flag(name: str, value: Any) -> None:
    """A typed error unless `value` is True or False."""
    if not isinstance(value, bool):
        raise RomTypeError(f"{name} must be True or False, got {value!r}")


def require_widths(name: str, widths: Any) -> None:
    """A typed error unless `widths` is a tuple of integers >= 1."""
    if not isinstance(widths, tuple):
        raise RomTypeError(f"{name} must be a tuple of layer widths, got {widths!r}")
    for k, width in enumerate(widths):
        require_integer(f"{name}[{k}]", width, low=1)


def require_names(name: str, names: Any) -> None:
    """A typed error unless `names` is a tuple of different strings."""
    if not isinstance(names, tuple) or not all(isinstance(word, str) for word in names):
        raise RomTypeError(f"{name} must be a tuple of names, got {names!r}")
    if len(set(names)) < len(names):
        raise RomValueError(f"{name} must not name anything twice, got {names!r}")
