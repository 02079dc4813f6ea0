"""Errors of `systems`: all derive from `SystemsError` and from the matching built-in."""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Iterable


class SystemsError(Exception):
    """Anything that `systems` refuses: values, types, files, failed evaluations of f."""


class SystemsValueError(SystemsError, ValueError):
    """An argument has the right type but a value that cannot be used."""


class SystemsTypeError(SystemsError, TypeError):
    """An argument is of a kind that cannot be used."""


class SystemsImportError(SystemsError, ImportError):
    """An optional package is not installed."""


class SystemsFileNotFoundError(SystemsError, FileNotFoundError):
    """No file at the given path, or none that matches the given pattern."""


class SystemsOSError(SystemsError, OSError):
    """The file system refused: a full disk, missing permissions, a failing device."""


class SystemsFileError(SystemsError, ValueError):
    """A file that is truncated, altered, foreign, of another schema version, or at odds with the files beside it."""


class EvaluationError(SystemsError, RuntimeError):
    """f raised an exception, or returned a wrong shape or values that are not finite."""


class IntegrationError(SystemsError, RuntimeError):
    """No trajectory could be integrated."""


class ExecutorError(SystemsError, RuntimeError):
    """An executor lost a worker, or could not run the work it was given."""


class IntegrationWarning(UserWarning):
    """Some trajectories could not be integrated and are absent from the result."""


def in_words(error: BaseException) -> str:
    """Kind and message of any exception; unlike str(error), this cannot fail."""
    return "".join(traceback.format_exception_only(type(error), error)).strip()


def nearest(name: object, valid: Iterable[str]) -> str:
    """The end of an error message about an unknown name: the nearest valid name, and all of them."""
    valid = list(valid)
    if not valid:
        return "there are none"
    close = difflib.get_close_matches(str(name).lower(), [v.lower() for v in valid], n=1, cutoff=0.5)
    listed = ", ".join(repr(v) for v in valid)
    if not close:
        return f"valid: {listed}"
    match = next(v for v in valid if v.lower() == close[0])
    return f"did you mean {match!r}? Valid: {listed}"
