"""Errors of `systems`.

Each derives from `SystemsError` and from the matching built-in error.
"""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Iterable

__all__ = [
    "EvaluationError",
    "ExecutorError",
    "IntegrationError",
    "IntegrationWarning",
    "SystemsError",
    "SystemsFileError",
    "SystemsFileNotFoundError",
    "SystemsImportError",
    "SystemsOSError",
    "SystemsTypeError",
    "SystemsValueError",
    "in_words",
    "nearest",
]


class SystemsError(Exception):
    """Base of all errors of `systems`: of values, types, files, evaluations of f.

    Examples
    --------
    >>> import systems
    >>> try:
    ...     systems.Lorenz(sigma="ten")
    ... except systems.SystemsError as error:
    ...     print(error)
    sigma must be a number, got 'ten'
    """


class SystemsValueError(SystemsError, ValueError):
    """An argument of the right type with a value that cannot be used."""


class SystemsTypeError(SystemsError, TypeError):
    """An argument of a type that cannot be used."""


class SystemsImportError(SystemsError, ImportError):
    """An optional package is not installed."""


class SystemsFileNotFoundError(SystemsError, FileNotFoundError):
    """No file at the given path, or none that matches the given pattern."""


class SystemsOSError(SystemsError, OSError):
    """The file system refused: a full disk, missing permissions, a failing device."""


class SystemsFileError(SystemsError, ValueError):
    """A file is damaged, foreign, of another version, or inconsistent with others."""


class EvaluationError(SystemsError, RuntimeError):
    """f raised an exception, or returned a wrong shape or values not finite."""


class IntegrationError(SystemsError, RuntimeError):
    """No trajectory could be integrated."""


class ExecutorError(SystemsError, RuntimeError):
    """An executor lost a worker, or could not run the work that it was given."""


class IntegrationWarning(UserWarning):
    """Some trajectories could not be integrated and are absent from the result."""


def in_words(error: BaseException) -> str:
    """Return kind and message of any exception.

    Unlike ``str(error)``, this cannot fail.
    """
    return "".join(traceback.format_exception_only(type(error), error)).strip()


def nearest(name: object, valid: Iterable[str]) -> str:
    """Return the nearest valid name, and all of them, for an error message."""
    valid = list(valid)
    if not valid:
        return "there are none"
    close = difflib.get_close_matches(str(name).lower(), [v.lower() for v in valid], n=1, cutoff=0.5)
    listed = ", ".join(repr(v) for v in valid)
    if not close:
        return f"valid: {listed}"
    match = next(v for v in valid if v.lower() == close[0])
    return f"did you mean {match!r}? Valid: {listed}"
