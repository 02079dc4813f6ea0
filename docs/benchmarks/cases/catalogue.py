"""Built-in systems compared with references that do not use their code."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse.linalg import LinearOperator, eigs

import report as tables
from runs import Run

sys.path.insert(0, str(Path(__file__).parents[3] / "tests" / "systems"))

from references import REFERENCES, Reference

TITLE = "Built-in systems"
NOTE = """
f and a trajectory of each system against a reference that does not use its code (tests/systems/references.py). Errors
are mean absolute differences over the mean absolute value. Of fields discretised by differences they are those of the
grid, which the tests find to converge with the order of the method. Stiffness is the largest modulus of an eigenvalue
of the Jacobian of f at the first state of the reference, times the system's time scale: explicit methods take about a
third of as many steps in that time.
"""
METHOD = "reference"
DENSE = 1024  # states up to which all eigenvalues are computed


def runs(quick: bool) -> list[Run]:  # noqa: ARG001 - it is quick
    """Return the runs of this case."""
    return [Run(METHOD, settings=(("system", name),)) for name in REFERENCES]


def measure(run: Run, quick: bool) -> dict[str, Any]:  # noqa: ARG001
    """Measure one run."""
    reference = REFERENCES[run.get("system")]()
    return {
        "states": states(reference.system.shape),
        "stiffness": stiffness(reference),
        "check": reference.check,
        "error of f": reference.error_of_f(),
        "error of the trajectory": reference.error_of_trajectory(),
    }


def states(shape: tuple[int, ...]) -> int | str:
    """Return the number of states, or of a field the numbers along its axes."""
    return shape[0] if len(shape) == 1 else " x ".join(map(str, shape))


def stiffness(reference: Reference) -> float:
    """Return the largest modulus of an eigenvalue of the Jacobian of f, times the time scale.

    Products with the Jacobian are central differences of f.
    """
    system, x, n = reference.system, reference.trajectory[0], reference.system.n_states
    mu, h = reference.mu or None, 1e-6 * np.abs(reference.trajectory[0]).max()

    def product(v):
        v = v.reshape(system.shape) / np.abs(v).max()
        return ((system.rhs(x + h * v, mu) - system.rhs(x - h * v, mu)) / (2 * h)).ravel()

    if n <= DENSE:
        values = np.linalg.eigvals(np.stack([product(unit) for unit in np.eye(n)], axis=1))
    else:
        # `product` scales its argument for accuracy; the operator must be linear.
        operator = LinearOperator((n, n), lambda v: np.abs(v).max() * product(v), dtype=float)
        start = np.random.default_rng(0).standard_normal(n)
        values = eigs(operator, k=1, which="LM", v0=start, tol=1e-3, return_eigenvectors=False)
    return float(np.abs(values).max()) * system.time_scale


def report(records: Mapping[Run, Mapping[str, Any]]) -> str:
    """Return the tables of this case."""
    by_system = {run.get("system"): figures for run, figures in records.items() if figures}
    rows = []
    for name in REFERENCES:
        if figures := by_system.get(name):
            numbers = [tables.number(figures[name]) for name in ("error of f", "error of the trajectory")]
            stiff = tables.number(figures["stiffness"])
            rows.append((name, str(figures["states"]), stiff, figures["check"], *numbers))
    return tables.markdown(("system", "states", "stiffness", "check", "error of f", "error of a trajectory"), rows)
