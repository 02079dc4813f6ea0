"""Look up stored results as short texts, for tables on other pages."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from functools import cache
from typing import Any

import report
from runs import OURS, Run
from store import load

__all__ = ["HARMONIC", "count", "of", "seeds"]

HARMONIC = ("mse, harmonic, 20", "mse, harmonic, 40", "mse, harmonic, 200")  # errors over 20, 40 and 200 snapshots


def of(case: str, method: str = OURS, figures: Sequence[str] = HARMONIC, part: str = "", **settings: Any) -> str:
    """Return medians over the seeds of some figures of one configuration.

    `part` is the name of a group of figures in the record.
    """
    records = [record[part] if part else record for record in configuration(case, method, settings)]
    return " / ".join(short(statistics.median(report.finite([r[name] for r in records]))) for name in figures)


def seeds(case: str, **settings: Any) -> str:
    """Return the number of seeds of our runs with some settings, in words."""
    count = len(configuration(case, OURS, settings))
    return "one seed" if count == 1 else f"{count} seeds"


def count(case: str, figure: str, settings: dict[str, Any]) -> float:
    """Return the median over the seeds of a number of things."""
    return statistics.median(record[figure] for record in configuration(case, OURS, settings))


def configuration(case: str, method: str, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the figures of all seeds; raise `LookupError` if there are none."""
    whole, stages = of_case(case)
    found = [
        figures
        for run, figures in (whole | stages).items()
        if run.method == method and dict(run.settings) == settings and figures
    ]
    if not found:
        raise LookupError(f"no results of {method} with {settings} in {case}")
    return found


@cache
def of_case(case: str) -> tuple[dict[Run, dict[str, Any]], dict[Run, dict[str, Any]]]:
    """Return all runs of a case as they are stored, and the stages of those that have several budgets."""
    whole = {record.run: record.figures for record in load(case) if record.figures is not None}
    return whole, report.expanded({run: figures for run, figures in whole.items() if run.get("budgets")})


def short(value: float) -> str:
    """Return a number with two digits, or with three where two would round it to one."""
    if not math.isfinite(value):
        return report.DIVERGED
    if value >= 10:
        return f"{value:,.0f}"
    if 0.995 <= value < 1:
        return f"{value:.3g}"
    if value >= 0.01:
        return f"{value:.2g}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"
