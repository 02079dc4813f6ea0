"""Checks of settings: each function names the argument, the value and the remedy in its error.

A function `require_...` raises an error unless the value can be used. `systems.checks` has functions of the same names.
"""

from __future__ import annotations

import math
import operator
import reprlib
from collections.abc import Collection
from typing import Any, cast

from rom.utils.errors import RomTypeError, RomValueError, nearest

__all__ = [
    "describe",
    "require_choice",
    "require_flag",
    "require_integer",
    "require_names",
    "require_number",
    "require_widths",
    "shortened",
]

MAX_SHOWN = 4  # entries of a list in an error message


def require_integer(name: str, value: Any, low: int) -> int:
    """Return a value as an int; raise an error unless it is an integer of at least `low`.

    Parameters
    ----------
    name : str
        Name of the argument, for the error message.
    value : object
        The value to check. Integers of NumPy are accepted, True and False are not.
    low : int
        Smallest value that is allowed.

    Raises
    ------
    RomTypeError
        If the value is not an integer.
    RomValueError
        If the value is less than `low`.
    """
    try:
        integer = operator.index(value)
    except TypeError:
        integer = None
    if integer is None or isinstance(value, bool):
        raise RomTypeError(f"{name} must be an integer, got {shortened(value)}")
    if integer < low:
        raise RomValueError(f"{name} must be at least {low}, got {value!r}")
    return integer


def require_number(name: str, value: Any, low: float, high: float = math.inf, exclusive: bool = False) -> float:
    """Return a value as a float; raise an error unless it is a finite real number in an interval.

    Parameters
    ----------
    name : str
        Name of the argument, for the error message.
    value : object
        The value to check. Numbers of NumPy and torch are accepted, True and False are not.
    low, high : float
        Ends of the interval, which belong to it.
    exclusive : bool
        Whether `low` does not belong to the interval.

    Raises
    ------
    RomTypeError
        If the value is not a real number.
    RomValueError
        If the value is not finite or not in the interval.
    """
    if isinstance(value, bool | str | complex) or not hasattr(value, "__float__") or getattr(value, "ndim", 0):
        raise RomTypeError(f"{name} must be a number, got {shortened(value)}")
    if not math.isfinite(value) or value > high or value < low or (exclusive and value == low):
        limits = f"{'above' if exclusive else 'at least'} {low:g}"
        limits += f" and at most {high:g}" if high < math.inf else ""
        raise RomValueError(f"{name} must be finite, {limits}, got {value!r}")
    return float(value)


def require_choice(name: str, value: Any, valid: Collection[str]) -> None:
    """Raise a `RomValueError` that names the nearest valid word unless the value is one of them."""
    if value not in valid:
        raise RomValueError(f"{name}: unknown {value!r}; {nearest(value, valid)}")


def require_flag(name: str, value: Any) -> None:
    """Raise a `RomTypeError` unless the value is True or False."""
    if not isinstance(value, bool):
        raise RomTypeError(f"{name} must be True or False, got {value!r}")


def require_widths(name: str, widths: Any) -> None:
    """Raise an error unless the value is a tuple of integers of at least 1."""
    if not isinstance(widths, tuple):
        raise RomTypeError(f"{name} must be a tuple of layer widths, got {widths!r}")
    for k, width in enumerate(cast(tuple[Any, ...], widths)):
        require_integer(f"{name}[{k}]", width, low=1)


def require_names(name: str, names: Any) -> None:
    """Raise an error unless the value is a tuple of different strings."""
    words = cast(tuple[Any, ...], names) if isinstance(names, tuple) else None
    if words is None or not all(isinstance(word, str) for word in words):
        raise RomTypeError(f"{name} must be a tuple of names, got {names!r}")
    if len(set(words)) < len(words):
        raise RomValueError(f"{name} must not name anything twice, got {names!r}")


def shortened(value: Any) -> str:
    """Return a value on one line, for an error message; arrays are given by their shape."""
    if type(value).__module__.startswith("xarray"):
        return f"{type(value).__name__} of sizes {dict(value.sizes)}"
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{type(value).__name__} of shape {tuple(value.shape)}"
    if isinstance(value, tuple | list):
        entries = cast("tuple[Any, ...] | list[Any]", value)
        inner = ", ".join(map(shortened, entries[:MAX_SHOWN])) + (", ..." if len(entries) > MAX_SHOWN else "")
        return f"({inner})" if isinstance(value, tuple) else f"[{inner}]"
    return reprlib.repr(value)


def describe(value: Any) -> str:
    """Return the type of a value, with the length of tuples and lists, for an error message."""
    if isinstance(value, tuple | list):
        entries = cast("tuple[Any, ...] | list[Any]", value)
        return f"{type(entries).__name__} of length {len(entries)}"
    return type(value).__name__
