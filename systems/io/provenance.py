"""What data say of how they were made: one JSON text, in the attribute `provenance` of a Dataset and of a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np


def fingerprint(array: np.ndarray) -> str:
    """A digest of the values of an array, numbers or text, in the place of the values."""
    return "sha256:" + hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:32]


def as_json(provenance: Mapping[str, Any], failed: Mapping[int, str]) -> str:
    """The attribute of a set of trajectories; `failed`: why each of those is absent that could not be integrated."""
    listed = [{"trajectory": i, "reason": why} for i, why in sorted(failed.items())]
    return json.dumps({**provenance, "failed": listed}, sort_keys=True)


def parsed(text: str) -> dict[str, Any]:
    """The attribute as a mapping; an empty one for what a user may have put there."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def failures(provenance: Mapping[str, Any]) -> dict[int, str]:
    """What `as_json` was given as `failed`."""
    return {entry["trajectory"]: entry["reason"] for entry in provenance.get("failed", ())}


def call_of(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """What is the same in all files of one call of `simulate`."""
    return {key: value for key, value in provenance.items() if key != "failed"}


def package_version() -> str:
    """Version of the installed distribution, or "unknown" in a bare checkout."""
    try:
        return version("latentrom")
    except PackageNotFoundError:
        return "unknown"
