"""Runs of the benchmark cases, and what is recorded of them."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

__all__ = ["HERE", "OURS", "Record", "Run", "machine", "seeds"]

HERE = Path(__file__).parent
OURS = "ours"  # the method whose source is the package `rom` itself


@dataclass(frozen=True)
class Run:
    """One call of a case's `measure`.

    Attributes
    ----------
    method : str
        What is measured: a module of methods/, "ours", or a name of the case's own.
    seed : int
        Seed of the data and of the training.
    settings : tuple of (str, value)
        Further settings, for instance ``(("d", 16), ("seconds", 180))``.
    """

    method: str
    seed: int = 0
    settings: tuple[tuple[str, Any], ...] = ()

    @property
    def key(self) -> str:
        """A short name, for instance "operator_inference-d16-seed0"."""
        parts = [self.method, *(f"{name}{short_text(value)}" for name, value in self.settings), f"seed{self.seed}"]
        return re.sub(r"[^\w.+-]", "_", "-".join(parts))

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of a setting."""
        return dict(self.settings).get(name, default)


@dataclass(frozen=True)
class Record:
    """The result of one run.

    Attributes
    ----------
    run : Run
        The run.
    figures : dict or None
        Numbers, texts and arrays by name, nested where a run has several parts; None if the run failed.
    machine : dict
        What it was measured on, from `machine()`.
    made_by : str
        Digest of the sources in this folder that the run uses.
    error : str or None
        Why the run failed.
    packages : dict
        Digests of the sources of `rom` and `systems` at the time.
    """

    run: Run
    figures: dict[str, Any] | None
    machine: dict[str, Any] = field(default_factory=dict)
    made_by: str = ""
    error: str | None = None
    packages: dict[str, str] = field(default_factory=dict)


def seeds(count: int, method: str = OURS, **settings: Any) -> list[Run]:
    """Return `count` runs of one method that differ in their seed."""
    return [Run(method, seed, tuple(settings.items())) for seed in range(count)]


def short_text(value: Any) -> str:
    """Return a setting's value as it stands in the key of a run."""
    if isinstance(value, (tuple, list)):
        return "+".join(map(short_text, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def machine() -> dict[str, Any]:
    """Return what figures are measured on: processor, cores, threads, GPU and versions."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU",
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
