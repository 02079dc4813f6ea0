"""Provenance: how data were made.

It is JSON in the attribute ``provenance`` of a Dataset and of a file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

__all__ = ["as_json", "call_of", "failures", "fingerprint", "package_version", "parsed"]


def fingerprint(array: np.ndarray) -> str:
    """Return a digest of the values of an array of numbers or text."""
    return "sha256:" + hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:32]


def as_json(provenance: Mapping[str, Any], failed: Mapping[int, str]) -> str:
    """Return the attribute of a set of trajectories.

    Parameters
    ----------
    provenance : mapping
        What describes the call of `simulate`.
    failed : mapping of int to str
        The reason for each trajectory that is absent because it could not be integrated.
    """
    listed = [{"trajectory": i, "reason": why} for i, why in sorted(failed.items())]
    return json.dumps({**provenance, "failed": listed}, sort_keys=True)


def parsed(text: str) -> dict[str, Any]:
    """Return the attribute as a dictionary, empty for what a user may have put there."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def failures(provenance: Mapping[str, Any]) -> dict[int, str]:
    """Return the argument `failed` of `as_json`."""
    return {entry["trajectory"]: entry["reason"] for entry in provenance.get("failed", ())}


def call_of(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return what all files of one call of `simulate` share."""
    return {key: value for key, value in provenance.items() if key != "failed"}


def package_version() -> str:
    """Return the version of the installed distribution, or "unknown"."""
    try:
        return version("latentrom")
    except PackageNotFoundError:
        return "unknown"
