"""Run benchmark cases, keep their results as JSON, and print the tables.

    python docs/benchmarks/run.py                     # all cases, three seeds
    python docs/benchmarks/run.py duffing --seeds 1   # one case, one seed
    python docs/benchmarks/run.py --quick             # small versions, to see that everything runs
    python docs/benchmarks/run.py --table             # only print what is kept, and write RESULTS.md

A case is a module in cases/ with `TITLE`, `NOTE`, `SEEDS` and `run(seed, quick) -> dict of numbers`. Every (case, seed) is
kept in results/CASE.json as soon as it is done. Tables show medians over seeds, with the range behind.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import torch

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
CASES = ("duffing", "burgers", "lorenz", "supply", "black_box", "oracle", "speed", "main_job")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"some of {', '.join(CASES)}; all without any")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="small and short; results are printed, not kept")
    parser.add_argument("--table", action="store_true", help="print the kept results")
    arguments = parser.parse_args()
    for name in arguments.cases:
        if name not in CASES:
            parser.error(f"unknown case {name!r}; choose from {', '.join(CASES)}")
    for name in arguments.cases or CASES:
        case = importlib.import_module(f"cases.{name}")
        path = HERE / "results" / f"{name}.json"
        kept = json.loads(path.read_text()) if path.exists() and not arguments.quick else {"runs": {}}
        if not arguments.table:
            for seed in range(min(arguments.seeds, case.SEEDS)):
                print(f"{name}, seed {seed} ...", file=sys.stderr, flush=True)
                started = time.perf_counter()
                figures = case.run(seed, arguments.quick)
                kept["runs"][str(seed)] = figures | {"wall seconds of the case": time.perf_counter() - started}
                kept["machine"] = machine()
                if not arguments.quick:
                    path.write_text(json.dumps(kept, indent=1) + "\n")
        if kept["runs"]:
            print(table(case, kept))
    if not arguments.quick:
        (HERE / "RESULTS.md").write_text(report())


def report() -> str:
    """All kept results, as docs/benchmarks/RESULTS.md holds them."""
    tables = []
    for name in CASES:
        path = HERE / "results" / f"{name}.json"
        if path.exists():
            tables.append(table(importlib.import_module(f"cases.{name}"), json.loads(path.read_text())))
    return "# Results\n\nWritten by `run.py` from the files in results/.\n\n" + "\n".join(tables)


def table(case: Any, kept: dict[str, Any]) -> str:
    """A Markdown table of one case: a row per figure, its median over the seeds, and its range."""
    runs = list(kept["runs"].values())
    lines = [f"### {case.TITLE}", "", case.NOTE.strip(), "", "| figure | median | range |", "|---|---|---|"]
    for name in runs[0]:
        values = [run[name] for run in runs if name in run]
        spread = f"{min(values):.3g} to {max(values):.3g}" if len(values) > 1 else ""
        lines.append(f"| {name} | {statistics.median(values):.3g} | {spread} |")
    where = kept["machine"]
    lines += [
        "",
        f"{len(runs)} seed(s); {where['processor']}, {where['cores']} core(s), {where['gpu']}, torch {where['torch']}.",
        "",
    ]
    return "\n".join(lines)


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    names = [
        line.split(":", 1)[1].strip()
        for line in (Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else [])
        if line.startswith("model name")
    ]
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU",
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


if __name__ == "__main__":
    main()
