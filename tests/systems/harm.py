"""Harm: processes killed while they generate, bytes flipped, disks that are full. Shared with docs/benchmarks."""

from __future__ import annotations

import contextlib
import hashlib
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

import systems

SYSTEM, TIMES = systems.Heat(), np.linspace(0, 1, 51)
WORKERS = 2


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file in a folder, by its name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


# Kills


@dataclass(frozen=True)
class Kill:
    """What a kill left, and what the same call made of it.

    alive: whether there was anything left to kill. finished, leftovers: files at their places, and beside them.
    damaged: finished files that differ from the reference. restored: whether all files were the reference's in the end.
    """

    alive: bool
    finished: int
    leftovers: int
    damaged: int
    restored: bool


def generate(folder: Path, n: int, held: object = None) -> None:  # noqa: ARG001 - held as long as a process lives
    """The generation that is killed: a process pool, in a process group of its own."""
    os.setsid()
    multiprocessing.set_start_method("fork", force=True)  # whose locks have no names that a kill could leave behind
    with ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context("fork")) as executor:
        systems.simulate(SYSTEM, n, TIMES, path=folder, executor=executor, verbose=False)


def seconds_to_generate(folder: Path, n: int) -> float:
    started = time.perf_counter()
    _run(folder, n)
    return time.perf_counter() - started


def kill(folder: Path, n: int, seconds: float, reference: dict[str, str]) -> Kill:
    """Kill -9 the whole process group of a generation after so many seconds, look, and finish it without processes."""
    folder.mkdir()
    context = _context()
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(target=generate, args=(folder, n, writer))
    process.start()
    writer.close()
    process.join(seconds)
    alive = process.is_alive()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()
    with contextlib.suppress(EOFError):  # which comes when the last of the group has closed its end
        reader.recv()
    finished, leftovers, damaged = _counted(folder, reference)
    systems.simulate(SYSTEM, n, TIMES, path=folder, verbose=False)
    return Kill(alive, finished, leftovers, damaged, digests(folder) == reference)


def _counted(folder: Path, reference: dict[str, str]) -> tuple[int, int, int]:
    """Finished files, what lies beside them, and how many of the former differ from the reference."""
    there = digests(folder)
    finished = {name: digest for name, digest in there.items() if not name.startswith(".")}
    damaged = sum(digest != reference.get(name) for name, digest in finished.items())
    return len(finished), len(there) - len(finished), damaged


def _run(folder: Path, n: int) -> None:
    process = _context().Process(target=generate, args=(folder, n))
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"the generation ended with exit status {process.exitcode}")


def _context():
    # Its processes are forked from one that has done the long imports, also those of the main module, which each of them
    # imports anew, and nothing else: no threads, no waiting.
    context = multiprocessing.get_context("forkserver")
    main = [name for name in ("torch", "pytest") if name in sys.modules]
    context.set_forkserver_preload(["systems", "dask.array", *main])
    return context


# Bytes


def chunk_bytes(path: Path) -> np.ndarray:
    """The offsets of all bytes of the chunks of `state`, their checksums included."""
    ranges = []
    with h5py.File(path) as file:
        file["state"].id.chunk_iter(lambda c: ranges.append(np.arange(c.byte_offset, c.byte_offset + c.size)))
    return np.concatenate(ranges)


def flipped(path: Path, offsets: np.ndarray, rng: np.random.Generator) -> dict[str, int]:
    """How often a single changed byte was noticed, changed nothing that is read, or changed data unnoticed."""
    original, counts = path.read_bytes(), {"noticed": 0, "harmless": 0, "unnoticed": 0}
    expected = systems.open_trajectories(path).load()
    for at in offsets:
        damaged = bytearray(original)
        damaged[at] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        try:
            found = systems.open_trajectories(path).load()
        except systems.SystemsFileError:
            counts["noticed"] += 1
        else:
            counts["harmless" if found.identical(expected) else "unnoticed"] += 1
    path.write_bytes(original)
    return counts


# Disks


@dataclass(frozen=True)
class Refusal:
    """What became of a generation that was refused its files.

    error: as it was raised. finished, leftovers, damaged: as of a `Kill`. restored: whether the same call, once it was
    allowed to, made all files those of the reference.
    """

    error: str
    finished: int
    leftovers: int
    damaged: int
    restored: bool


class NotPossible(Exception):  # noqa: N818
    """This machine does not offer what is needed; the message says what."""


def on_a_full_disk(folder: Path, n: int, reference: dict[str, str]) -> Refusal:
    """A generation by processes on a disk that holds two and a half shards. Raises NotPossible."""
    with small_disk(folder, "4m"), ProcessPoolExecutor(WORKERS, mp_context=_context()) as executor:
        return _refused(folder, n, reference, executor, lambda: mount("-o", "remount,size=1g", str(folder)))


def on_a_read_only_disk(folder: Path, n: int, reference: dict[str, str]) -> Refusal:
    """A generation of which two shards are there, on a disk that may only be read. Raises NotPossible."""
    with small_disk(folder, "1g"):
        _run(folder, n)
        for path in sorted(folder.iterdir())[2:]:
            path.unlink()
        mount("-o", "remount,ro", str(folder))  # permissions would not hold root back
        return _refused(folder, n, reference, None, lambda: mount("-o", "remount,rw", str(folder)))


def beyond_a_limit(folder: Path, n: int, reference: dict[str, str]) -> Refusal:
    """A generation whose last and smaller shard fits into the largest file that its process may write."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limit[1]))
    try:
        return _refused(folder, n, reference, None, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)


def _refused(
    folder: Path, n: int, reference: dict[str, str], executor: Executor | None, allow: Callable[[], None]
) -> Refusal:
    try:
        systems.simulate(SYSTEM, n, TIMES, path=folder, executor=executor)
        error = "none"
    except systems.SystemsOSError as refusal:
        error = f"{type(refusal).__name__}: {str(refusal).replace(str(folder), 'runs')}"
    finished, leftovers, damaged = _counted(folder, reference)
    allow()
    systems.simulate(SYSTEM, n, TIMES, path=folder, executor=executor)
    return Refusal(error, finished, leftovers, damaged, digests(folder) == reference)


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """A file system of its own at `folder`, in memory and of so many bytes. Raises NotPossible."""
    folder.mkdir(exist_ok=True)
    mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def mount(*arguments: str) -> None:
    if shutil.which("mount") is None:
        raise NotPossible("there is no mount command")
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise NotPossible(f"mounting is not allowed: {done.stderr.strip()}")
