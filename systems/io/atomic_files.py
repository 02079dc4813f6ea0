"""Files that are there as a whole or not at all.

This holds even if the process that writes them is killed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import BinaryIO

from systems.errors import SystemsOSError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

__all__ = ["remove_leftovers", "write_whole"]


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that is there as a whole or not at all, however the process ends.

    The data are written to a temporary file in the same folder, ``.NAME.PID-TOKEN.part``, which is moved to `path` once
    the device has it. If that fails, `path` remains as it was.

    Parameters
    ----------
    path : Path
        The file.
    data : bytes
        Its content.

    Raises
    ------
    SystemsOSError
        If the file cannot be written.
    """
    try:
        temporary, file = _open_temporary(path)
        try:
            with file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                if fcntl is not None:  # the lock is still held: no other process takes the file for a leftover
                    os.replace(temporary, path)
            if fcntl is None:  # Windows does not move open files
                os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise SystemsOSError(f"{str(path)!r} could not be written: {error.strerror or error}") from error


def remove_leftovers(folder: Path, pattern: str) -> None:
    """Delete temporary files of killed writers of files `pattern`.

    Running writers hold a lock on theirs.
    """
    if fcntl is None:
        return
    for temporary in folder.glob(f".{pattern}.*.part"):
        with contextlib.suppress(OSError), open(temporary, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(temporary)


def _open_temporary(path: Path) -> tuple[Path, BinaryIO]:
    """Return a new temporary file in the folder of `path`, locked by its writer.

    The operating system releases the lock when the process ends, however it ends. The number of the process would not
    do: by now it may belong to another process, or to one on another machine. The lock is shared, because readers of
    HDF5 take shared locks too, and must be able to open the file as soon as it is in its place.
    """
    while True:
        temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
        file = open(temporary, "x+b")  # noqa: SIM115 - closed by the caller
        if fcntl is not None:
            with contextlib.suppress(OSError):  # on a file system without locks, nothing is taken for a leftover
                fcntl.flock(file, fcntl.LOCK_SH)
        if temporary.exists():
            return temporary, file
        file.close()  # another process deleted it as a leftover before it was locked


def _sync_folder(folder: Path) -> None:
    """Make the move of a file durable, on file systems that can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
