"""Run benchmark cases, store the results as tables, and write the report.

    python docs/benchmarks/run.py                              # all runs of all cases that are not stored yet
    python docs/benchmarks/run.py burgers --only d16 galerkin  # runs whose name contains one of the texts
    python docs/benchmarks/run.py burgers --list               # the runs, and which of them are stored
    python docs/benchmarks/run.py burgers --again              # measure stored runs again
    python docs/benchmarks/run.py --quick                      # small and short; printed, not stored
    python docs/benchmarks/run.py --table                      # only write RESULTS.md, the plots and tables of pages

A case is a module in cases/ with `TITLE`, `NOTE`, `runs(quick)`, which returns a list of `Run`, and `measure(run, quick)`, which
returns numbers, texts and arrays by name. It may have `report(records)`, which returns its tables, and `plots(records, folder)`;
records are a dictionary from runs to figures. Results are stored in results/CASE/ and not measured again, unless the sources
that made them have changed. Runs of our own method depend on the whole package and are repeated only with --again. Everything
runs in one thread, or in as many as OMP_NUM_THREADS says.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

for library in ("OMP", "OPENBLAS", "MKL"):  # before they are loaded: all methods have the same number of threads
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

import torch  # noqa: E402

import readme  # noqa: E402
import report  # noqa: E402
import store  # noqa: E402
from runs import Record, machine  # noqa: E402
from sources import digest, is_of_earlier_packages, is_up_to_date, packages  # noqa: E402

CASES = (
    "main_job", "duffing_course", "duffing_paper", "burgers", "burgers_shift", "noise", "inviscid", "supply",
    "evaluations", "long_horizon", "lorenz", "black_box", "oracle", "step_cost", "forecast", "growth", "catalogue",
    "adapters", "robustness", "memory", "kuramoto_sivashinsky", "fitzhugh_nagumo", "grids",
    "reaction_diffusion", "vorticity", "mesh", "field_step_cost", "linear_autoencoder", "manifolds", "digits", "photometry", "spectra",
)  # fmt: skip

HEAD = """# Results

`run.py` writes this page from the tables in [results](results). A cell is the median over the seeds, with the range in
brackets.

{earlier} of {all} runs were measured with an earlier state of `rom` or `systems` than the one beside this page. The sections
with such results are marked below their titles. `run.py CASE --again` measures a case with the present state.

"""

log = logging.getLogger("benchmarks")


def main() -> None:
    """Read the command line and do what it asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"some of {', '.join(CASES)}; all without any")
    parser.add_argument("--only", nargs="+", metavar="TEXT", default=[""], help="runs whose name contains one of these")
    parser.add_argument("--again", action="store_true", help="measure stored runs again")
    parser.add_argument("--quick", action="store_true", help="small and short, to see that everything runs; not stored")
    parser.add_argument(
        "--table",
        action="store_true",
        help="only write RESULTS.md, the plots and the tables of other pages",
    )
    parser.add_argument("--list", action="store_true", help="only list the runs")
    arguments = parser.parse_args()
    for name in arguments.cases:
        if name not in CASES:
            parser.error(f"unknown case {name!r}; choose from {', '.join(CASES)}")
    logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    log.setLevel(logging.INFO)
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    names = arguments.cases or CASES
    if arguments.list:
        for name in names:
            list_runs(name, arguments.only)
    elif arguments.quick:
        with tempfile.TemporaryDirectory() as folder:
            for name in names:
                measure_runs(name, arguments.only, again=False, quick=True, folder=Path(folder))
                print(section(name, Path(folder), Path(folder), quick=True))
    else:
        for name in names:
            if not arguments.table:
                measure_runs(name, arguments.only, arguments.again, quick=False, folder=store.RESULTS)
        write_report()


def chosen(name: str, only: list[str], quick: bool) -> list[Any]:
    """Return the runs of a case whose key contains one of some texts."""
    case = importlib.import_module(f"cases.{name}")
    return [run for run in case.runs(quick) if any(text in run.key for text in only)]


def list_runs(name: str, only: list[str]) -> None:
    """Print the runs of a case, and which of them are stored."""
    there = {record.run: record for record in store.load(name)}
    for run in chosen(name, only, quick=False):
        record = there.get(run)
        state = "to do" if record is None else "failed" if record.figures is None else "stored"
        if state == "stored" and not is_up_to_date(record, digest(name, run.method)):
            state = "outdated"
        print(f"{state:9} {name}/{run.key}")


def measure_runs(name: str, only: list[str], again: bool, quick: bool, folder: Path) -> None:
    """Measure the runs that are not stored, and store each result at once."""
    case = importlib.import_module(f"cases.{name}")
    there = {record.run: record for record in store.load(name, folder)}
    for run in chosen(name, only, quick):
        made_by = digest(name, run.method)
        if not again and is_up_to_date(there.get(run), made_by):
            continue
        log.info("%s %s ...", name, run.key)
        started = time.perf_counter()
        try:
            record = Record(run, case.measure(run, quick), machine(), made_by, packages=packages())
        except Exception as error:  # whatever a method fails with, the others go on
            log.info(traceback.format_exc())
            record = Record(run, None, machine(), made_by, f"{type(error).__name__}: {error}", packages())
        store.save(name, record, folder)
        log.info("%s %s: %.1f s", name, run.key, time.perf_counter() - started)


def section(name: str, results: Path, plots: Path, quick: bool = False) -> str:
    """Return the section of a case in RESULTS.md, and draw its plots."""
    case = importlib.import_module(f"cases.{name}")
    there = {record.run: record for record in store.load(name, results)}
    expected = list(dict.fromkeys([*case.runs(quick), *there]))
    # In the order of `runs`; a run without figures keeps its row.
    records = {run: (there[run].figures or {}) if run in there else {} for run in expected}
    text = getattr(case, "report", report.default)(records)
    if hasattr(case, "plots"):
        plots.mkdir(exist_ok=True)
        case.plots({run: figures for run, figures in records.items() if figures}, plots)
    pictures = [
        f"![{path.stem}]({plots.name}/{path.name})"
        for path in (*plots.glob(f"{name}.png"), *sorted(plots.glob(f"{name}-*.png")))
    ]
    mark = report.earlier_state(there.values())
    where = report.measured_on(there.values(), missing=len(set(expected) - set(there)))
    parts = [f"## {case.TITLE}", mark, case.NOTE.strip(), text.strip(), *pictures, where]
    return "\n\n".join(part for part in parts if part) + "\n"


def write_report() -> None:
    """Write RESULTS.md, the plots and the tables of other pages from all stored results."""
    sections = []
    for name in CASES:
        if (store.RESULTS / name).exists():
            try:
                sections.append(section(name, store.RESULTS, HERE / "plots"))
            except Exception as error:  # the other cases can still be drawn
                log.exception("%s cannot be drawn", name)
                sections.append(f"## {name}\n\nCannot be drawn: {type(error).__name__}: {error}\n")
    records = [record for name in CASES for record in store.load(name)]
    earlier = sum(map(is_of_earlier_packages, records))
    head = HEAD.format(all=len(records), earlier=earlier)
    store.replace_text(HERE / "RESULTS.md", head + "\n".join(sections))
    for page in readme.TABLES:
        try:
            store.replace_text(page, readme.filled(page))
        except LookupError as error:  # not everything that it names was measured
            log.error("%s keeps its table: %s", page.name, error)


if __name__ == "__main__":
    main()
