"""Everything that a public call of `rom` refuses derives from `RomError` and from the matching built-in."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

__all__ = [
    "RomError",
    "RomFileError",
    "RomFileNotFoundError",
    "RomImportError",
    "RomReadError",
    "RomTypeError",
    "RomValueError",
    "about",
    "nearest",
]


class RomError(Exception):
    """Base of all errors that `rom` raises about arguments, data and files."""


class RomValueError(RomError, ValueError):
    """An argument has the right type and an unusable value."""


class RomTypeError(RomError, TypeError):
    """An argument has the wrong type."""


class RomFileNotFoundError(RomError, FileNotFoundError):
    """A file that should be read does not exist."""


class RomImportError(RomError, ImportError):
    """An optional package is not installed."""


class RomReadError(RomError, RuntimeError):
    """States that are read or computed when they are needed could not be; chained to the cause."""


def nearest(name: str, valid: Iterable[str]) -> str:
    """A hint that names the valid word closest to `name`, for the end of an error message."""
    valid = [str(word) for word in valid]
    close = difflib.get_close_matches(str(name), valid, n=1)
    return f"did you mean {close[0]!r}?" if close else f"valid names: {', '.join(valid) or 'none'}"


@contextmanager
def about(name: str) -> Iterator[None]:
    """Errors of values inside are told with the `name` of what they are about."""
    try:
        yield
    except RomValueError as error:
        raise RomValueError(f"{name}: {error}") from error


class RomFileError(RomValueError):
    """A file is not what it should be: truncated, altered, foreign, or of another schema."""
