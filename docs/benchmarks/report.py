"""Tables of results: one row for each configuration, with medians and ranges over seeds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from runs import Record, Run
from sources import is_of_earlier_packages

Figures = Mapping[str, Any]
Records = Mapping[Run, Figures]
NO_RESULT = "-"
DIVERGED = "diverged"


def expanded(records: Records) -> dict[Run, dict[str, Any]]:
    """Return each stage of runs with several budgets as a run of its own, with a setting `seconds`.

    Such a run has a setting `budgets` and figures {"at 60 s": {...}, "at 300 s": {...}}.

    Runs with a setting `budgets` have such stages.
    """
    result: dict[Run, dict[str, Any]] = {}
    for run, figures in records.items():
        shared = {name: value for name, value in figures.items() if not isinstance(value, dict)}
        settings = tuple(setting for setting in run.settings if setting[0] != "budgets")
        for seconds in run.get("budgets", ()):
            stage = Run(run.method, run.seed, (*settings, ("seconds", seconds)))
            result[stage] = shared | figures.get(f"at {seconds} s", {}) if figures else {}
        if "budgets" not in dict(run.settings):
            result[run] = shared
    return result


def groups(records: Records) -> dict[tuple[str, tuple], dict[int, Figures]]:
    """Return figures by seed of each (method, settings), in the order of the records."""
    result: dict[tuple[str, tuple], dict[int, Figures]] = {}
    for run, figures in records.items():
        result.setdefault((run.method, run.settings), {})[run.seed] = figures
    return result


def default(records: Records) -> str:
    """Return a table for each configuration: a row for each figure, with its median over the seeds and its range."""
    parts = []
    by_group = groups(expanded(records))
    for (method, settings), by_seed in by_group.items():
        if len(by_group) > 1:
            parts += [f"**{label(method, settings)}**", ""]
        names = list(dict.fromkeys(name for figures in by_seed.values() for name in figures))
        names = [name for name in names if all(isinstance(f.get(name, 0), (int, float)) for f in by_seed.values())]
        rows = []
        for name in names:
            values = [figures[name] for figures in by_seed.values() if name in figures]
            rows.append((name, median(values), spread(values)))
        parts += [markdown(("figure", "median", "range"), rows), ""]
    return "\n".join(parts)


def table(
    records: Records,
    columns: Mapping[str, str],
    *,
    where: Callable[[Run], bool] = lambda run: True,  # noqa: ARG005
    in_order: bool = False,
) -> str:
    """Return a table with a row for each configuration and a column for each figure.

    Rows come as the runs do, or `in_order` of method and settings.
    """
    by_group = groups({run: figures for run, figures in expanded(records).items() if where(run)})
    rows = []
    for group in sorted(by_group) if in_order else by_group:
        figures = by_group[group].values()
        cells = [cell([f[name] for f in figures if name in f]) for name in columns]
        rows.append((label(*group), str(sum(map(bool, figures))), *cells))
    return markdown(("method", "seeds", *columns.values()), rows)


def label(method: str, settings: Iterable[tuple[str, Any]]) -> str:
    """Return method and settings as the first cell of a row."""
    words = {"d": "d = {}", "seconds": "{} s"}
    return ", ".join(
        [method.replace("_", " "), *(words.get(n, n.replace("_", " ") + " {}").format(v) for n, v in settings)]
    )


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def cell(values: Sequence[Any]) -> str:
    """Return the median, and the range in brackets if there are several values."""
    if not values:
        return NO_RESULT
    return median(values) + (f" ({spread(values)})" if len(values) > 1 else "")


def median(values: Sequence[Any]) -> str:
    """Return the median as text."""
    return number(statistics.median(finite(values))) if values else NO_RESULT


def spread(values: Sequence[Any]) -> str:
    """Return the range of several values as text."""
    values = finite(values)
    return f"{number(min(values))} to {number(max(values))}" if len(values) > 1 else ""


def finite(values: Sequence[Any]) -> list[float]:
    """Return values with infinity in place of those that are not a number, so that a median includes them."""
    return [math.inf if value is None or math.isnan(value) else float(value) for value in values]


def number(value: float) -> str:
    """Return a number with three digits; large ones to the unit."""
    if not math.isfinite(value):
        return DIVERGED
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def earlier_state(records: Iterable[Record]) -> str:
    """Return the mark of results that an earlier state of the packages gave, naming the methods unless it is all of them."""
    by_method: dict[str, list[bool]] = {}
    for record in records:
        by_method.setdefault(record.run.method.replace("_", " "), []).append(is_of_earlier_packages(record))
    earlier = [method for method, marks in by_method.items() if any(marks)]
    if not earlier:
        return ""
    whose = "" if all(all(marks) for marks in by_method.values()) else f": {', '.join(earlier)}"
    return f"*Measured with an earlier state of the packages{whose}.*"


def measured_on(records: Iterable[Record], missing: int) -> str:
    """Return what a case was measured on, its number of seeds, and which runs failed or are missing."""
    records = list(records)
    lines = []
    machines = [record.machine for record in records if record.figures is not None]
    for machine in {tuple(m.items()): m for m in machines}.values():
        count = sum(m == machine for m in machines)
        threads = f"{machine['threads']} thread(s), " if "threads" in machine else ""
        lines.append(
            f"{count} run(s) on {machine['processor']}, {machine['cores']} core(s), {threads}{machine['gpu']}, "
            f"torch {machine['torch']}."
        )
    n_seeds = len({record.run.seed for record in records})
    lines.append(f"{n_seeds} seed(s) at most" + (f"; {missing} run(s) not made yet." if missing else "."))
    lines += [f"`{record.run.key}` failed: {record.error}" for record in records if record.error]
    return "\n".join(lines)
