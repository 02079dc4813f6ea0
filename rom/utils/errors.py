"""Errors of public calls: each derives from `RomError` and from the built-in exception of its kind."""

from __future__ import annotations

import difflib
from collections.abc import Generator, Iterable
from contextlib import contextmanager

__all__ = [
    "RomError",
    "RomFileError",
    "RomFileNotFoundError",
    "RomImportError",
    "RomReadError",
    "RomTypeError",
    "RomValueError",
    "nearest",
    "prefix_errors",
]


class RomError(Exception):
    """Base class of all errors that `rom` raises about arguments, data and files."""


class RomValueError(RomError, ValueError):
    """An argument has the right type and a value that cannot be used."""


class RomTypeError(RomError, TypeError):
    """An argument has the wrong type."""


class RomFileError(RomValueError):
    """A file is truncated or altered, was not written by this package, or has another schema."""


class RomFileNotFoundError(RomError, FileNotFoundError):
    """A file to read does not exist."""


class RomImportError(RomError, ImportError):
    """An optional package is not installed."""


class RomReadError(RomError, RuntimeError):
    """Lazy states could not be read or computed when they were needed; the cause is chained."""


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return a hint for the end of an error message: the valid word closest to `name`, or all of them."""
    words = [str(word) for word in valid]
    close = difflib.get_close_matches(str(name), words, n=1)
    return f"did you mean {close[0]!r}?" if close else f"valid names: {', '.join(words) or 'none'}"


@contextmanager
def prefix_errors(name: str) -> Generator[None]:
    """Put the name of an argument in front of the message of any `RomValueError` in the block."""
    try:
        yield
    except RomValueError as error:
        raise RomValueError(f"{name}: {error}") from error
