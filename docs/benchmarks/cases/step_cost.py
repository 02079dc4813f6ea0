"""Cost of a training step in several styles of code, and a profile of our own."""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import report as tables
from runs import Run

TITLE = "Cost of one training step"
NOTE = """
Five losses (reconstruction, prediction, latent physics, decoded physics, collocation reconstruction) and their gradient
with respect to all weights; no optimiser. Encoder and decoder: an affine map plus three hidden layers of 128, tanh;
latent dynamics: an affine map plus two of 128. Weights and data agree: the losses of all variants are equal to rounding
(column "deviation of the loss"), except for the last, which computes losses at five states of a window, as `rom.fit`
does. Sizes: lifted Duffing, n = 128, d = 2, 64 windows of 10 steps, 512 collocation points, POD rank 2; Burgers, n =
1,024, d = 16, 64 trajectories of 100 times, 512 points, POD rank 64.

Every variant is a process of its own with one thread; they take turns, and figures are medians over the turns, of
processor seconds. "Homework" forms dphi/dx f with one `autograd.grad` per latent state, and dpsi/dz h with two reverse
passes. diffrax takes fixed steps of the classical Runge-Kutta method; the others take those of torchdiffeq (the 3/8
rule), of `rom`, or of a `lax.scan`. "Share of the matrix rate": operations of the matrix products of the variant
(counted; for JAX those of func.jvp) per second, over the rate of the product (512 x 128) (128 x 128) alone, in the same
type, on the same thread. Compilation is left out; it is in the first call, whose seconds are of wall clock.

The second table is a profile of our own steps by `torch.profiler` (its overhead, mostly on small operations, is in the
shares): with the losses alone, and of a `rom.fit` with default settings (Burgers, 128 points, d = 16, SOAP), with one
validation in 20 steps.
"""


@dataclass(frozen=True)
class Variant:
    """A function of a module in steps/, and its label in tables."""

    module: str
    name: str
    label: str


VARIANTS = (
    Variant("torch_styles", "homework", "homework style, float64"),
    Variant("torch_styles", "homework_float32", "the same, float32"),
    Variant("torch_styles", "func_jvp", "func.jvp, torchdiffeq, float32"),
    Variant("jax_styles", "jax_diffrax", "JAX + diffrax, jitted, float32"),
    Variant("jax_styles", "jax_scan", "JAX, lax.scan by hand, jitted, float32"),
    Variant("own", "ours_full_order", "ours without POD"),
    Variant("own", "ours", "ours"),
    Variant("own", "ours_in_fit", "ours, five looks at a window"),
)
FIRST, LAST = VARIANTS[0].name, VARIANTS[-1].name
LARGEST_DEVIATION = 1e-5  # of the loss; beyond it the mathematics are not the same
FOLDER = Path(__file__).parents[1]
ONE_THREAD = {
    "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}  # fmt: skip


def runs(quick: bool) -> list[Run]:  # noqa: ARG001 - the same runs, of smaller sizes
    """Return the runs of this case."""
    return [
        *(Run("variants", settings=(("size", size),)) for size in ("duffing", "burgers")),
        *(Run("profile", settings=(("of", of),)) for of in ("losses", "fit")),
    ]


def measure(run: Run, quick: bool) -> dict[str, Any]:
    """Measure one run."""
    torch.set_num_threads(1)
    if run.method == "variants":
        return variants(run.get("size"), quick)
    return profile_of_losses(quick) if run.get("of") == "losses" else profile_of_fit(quick)


# -- variants ---------------------------------------------------------------------------------------------------------


def variants(size: str, quick: bool) -> dict[str, Any]:
    """Return the figures of all variants at one size, in nested dictionaries by name."""
    from steps import arrays

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "arrays.npz"
        arrays.write(path, size, quick)
        chosen = [v for v in VARIANTS if v.module != "jax_styles" or has_jax()]
        workers = {v.name: Worker(v, path, turn_seconds=0.05 if quick else 0.5) for v in chosen}
        for turn in range(3 if quick else 11):
            # Every second time backwards, so that drift of the machine does not always meet the same ones.
            for worker in list(workers.values())[:: 1 if turn % 2 == 0 else -1]:
                worker.take_turn()
        peaks = {name: worker.close() for name, worker in workers.items()}
    rates = {name: matrix_rate(getattr(torch, name)) for name in ("float32", "float64")}
    reference = workers[FIRST].ready["loss"]
    for name, worker in workers.items():
        if name != LAST and not abs(worker.ready["loss"] / reference - 1) < LARGEST_DEVIATION:
            raise RuntimeError(f"{name} has the loss {worker.ready['loss']}, and not {reference}")
    figures: dict[str, Any] = {f"matrix rate, {name}, GFLOP/s": rate / 1e9 for name, rate in rates.items()}
    for name, worker in workers.items():
        seconds = statistics.median(worker.seconds)
        of = worker if "operations" in worker.ready else workers["func_jvp"]
        rate = rates["float64" if name == "homework" else "float32"]
        figures[name] = {
            "ms a step": 1e3 * seconds,
            "times faster than homework": statistics.median(workers[FIRST].seconds) / seconds,
            "GFLOP": of.ready["operations"] / 1e9,
            "share of the matrix rate": of.ready["operations"] / seconds / rate,
            "peak memory, MB": peaks[name] * 1024 / 1e6,
            "first call, s": worker.ready["seconds"],
            "deviation of the loss": abs(worker.ready["loss"] / reference - 1),
        }
    if not has_jax():
        figures["skipped"] = "JAX variants: jax and diffrax are not installed beside the package"
    return figures


class Worker:
    """A running process of `steps.worker`."""

    def __init__(self, variant: Variant, path: Path, turn_seconds: float):
        command = [sys.executable, "-W", "ignore", "-m", "steps.worker", variant.module, variant.name, str(path)]
        self.process = subprocess.Popen(
            command, cwd=FOLDER, env=os.environ | ONE_THREAD, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.ready: dict[str, float] = json.loads(self.answer())
        self.ask(1)  # the first call was slow: now a warm one tells how many steps make a turn
        self.steps = max(1, round(turn_seconds / self.ask(1)))
        self.seconds: list[float] = []

    def answer(self) -> str:
        """Return the next line that the process prints."""
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args[-3:-1]} ended with status {self.process.wait()}")
        return line

    def ask(self, steps: int) -> float:
        """Let the process take some steps and return their seconds."""
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        return float(self.answer())

    def take_turn(self) -> None:
        """Add the seconds of a step, as the mean over one turn."""
        self.seconds.append(self.ask(self.steps) / self.steps)

    def close(self) -> float:
        """End the process and return its peak memory in KiB."""
        self.process.stdin.close()
        peak = float(self.answer())
        self.process.wait()
        return peak


def has_jax() -> bool:
    """Return whether jax and diffrax are installed."""
    return all(importlib.util.find_spec(name) for name in ("jax", "diffrax"))


def matrix_rate(dtype: torch.dtype) -> float:
    """Return operations per second of the product (512 x 128) (128 x 128): the best of many trials."""
    a, b = torch.randn(512, 128, dtype=dtype), torch.randn(128, 128, dtype=dtype)
    out = torch.empty(512, 128, dtype=dtype)
    best = float("inf")
    for _ in range(50):
        started = time.process_time()
        for _ in range(20):
            torch.mm(a, b, out=out)
        best = min(best, (time.process_time() - started) / 20)
    return 2 * 512 * 128 * 128 / best


# -- profile ----------------------------------------------------------------------------------------------------------

# Prefixes of the names of operations; what matches none of them is counted as other operations.
KINDS = {
    "matrix products": ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm"),
    "activations": ("aten::tanh", "aten::sigmoid"),
    "other pointwise": (
        "aten::add", "aten::sub", "aten::rsub", "aten::mul", "aten::div", "aten::pow", "aten::neg", "aten::square",
        "aten::reciprocal", "aten::sqrt", "aten::lerp", "aten::addcmul", "aten::addcdiv", "aten::clamp", "aten::where",
        "prims::",
    ),
    "sums": ("aten::sum", "aten::mean", "aten::var", "aten::norm", "aten::linalg_vector_norm", "aten::_foreach_norm"),
    "indexing, copies, zeros": (
        "aten::index", "aten::copy_", "aten::cat", "aten::stack", "aten::slice", "aten::select", "aten::split",
        "aten::zero", "aten::fill", "aten::clone", "aten::gather", "aten::randint", "aten::rand", "aten::new_zeros",
        "aten::expand", "aten::view", "aten::t", "aten::transpose", "aten::as_strided", "aten::empty", "aten::narrow",
        "aten::unsqueeze", "aten::squeeze", "aten::reshape", "aten::_reshape", "aten::detach", "aten::unbind",
        "aten::to", "aten::_to_copy", "aten::permute", "aten::resolve_conj", "aten::alias",
    ),
    "autograd's own work": ("autograd::engine", "torch::autograd"),
}  # fmt: skip
OPTIMISER = "optimiser"


def profile_of_losses(quick: bool) -> dict[str, float]:
    """Profile the step "ours" of the size "burgers", without an optimiser."""
    import numpy as np

    from steps import arrays, own

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "arrays.npz"
        arrays.write(path, "burgers", quick)
        with np.load(path) as file:
            step = own.ours(dict(file))
    steps = 3  # of tens of thousands of operations
    step()
    plain = seconds_of(lambda: [step() for _ in range(steps)]) / steps
    with profiler() as record:
        profiled = seconds_of(lambda: [step() for _ in range(steps)]) / steps
    return {"ms a step": 1e3 * plain, "ms a step under the profiler": 1e3 * profiled} | shares(record, steps, profiled)


def profile_of_fit(quick: bool) -> dict[str, float]:
    """Profile the last quarter of a fit with default settings, where windows are longest.

    The profile goes from one validation to the next.
    """
    import rom
    import systems

    steps = 3 if quick else 20
    burgers = systems.Burgers(n=128)
    runs = systems.simulate(burgers, 64, verbose=False)
    pairs = systems.collocate(burgers, 512 if quick else 4096)

    def fit(at_look: Callable[[], Any]) -> None:
        config = rom.FitConfig(steps=4 * steps, validations=4, evaluate_system=False)  # the step alone, no simulation
        data = {"trajectories": runs, "collocation": pairs, "config": config, "verbose": False}
        rom.fit(burgers, latent_dim=16, callbacks=[lambda _: at_look()], **data)

    looks: list[float] = []
    fit(lambda: looks.append(time.perf_counter()))
    plain = (looks[3] - looks[2]) / steps

    record, profiled = profiler(), []

    def at_look() -> None:
        profiled.append(time.perf_counter())
        if len(profiled) == 3:
            record.start()
        elif len(profiled) == 4:
            record.stop()

    fit(at_look)
    seconds = (profiled[3] - profiled[2]) / steps
    return {"ms a step": 1e3 * plain, "ms a step under the profiler": 1e3 * seconds} | shares(record, steps, seconds)


def profiler() -> torch.profiler.profile:
    """Return a profiler of processor time."""
    return torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], acc_events=True)


def seconds_of(call: Callable[[], Any]) -> float:
    """Return the seconds of a call."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def shares(record: torch.profiler.profile, steps: int, seconds: float) -> dict[str, float]:
    """Return shares of the time of a step by kind of operation.

    Time outside of all operations is that of Python between them.
    """
    totals = dict.fromkeys([*KINDS, OPTIMISER, "other operations"], 0.0)
    for event in record.events():
        parent = event
        while parent is not None and not parent.name.startswith("Optimizer.step"):
            parent = parent.cpu_parent
        own = event.self_cpu_time_total * 1e-6
        if parent is not None:
            totals[OPTIMISER] += own
        elif not event.name.startswith("[memory]"):
            totals[kind_of(event.name)] += own
    figures = {f"share, {kind}": total / steps / seconds for kind, total in totals.items()}
    figures["share, outside of all operations (Python)"] = 1.0 - sum(figures.values())
    return figures | {"operations a step": len(record.events()) / steps}


def kind_of(name: str) -> str:
    """Return the kind of an operation, a key of `KINDS` or "other operations"."""
    if name.endswith("Backward0"):  # a node of the graph; what it calls has events of its own
        return "autograd's own work"
    return next((kind for kind, prefixes in KINDS.items() if name.startswith(prefixes)), "other operations")


# -- tables -----------------------------------------------------------------------------------------------------------


def report(records: Mapping[Run, Mapping[str, Any]]) -> str:
    """Return the tables of this case."""
    parts = []
    for run, figures in records.items():
        if run.method != "variants":
            continue
        columns = list(figures[FIRST]) if figures else []
        rows = []
        for variant in VARIANTS:
            cells = figures.get(variant.name, {})
            rows.append(
                (variant.label, *(tables.number(cells[c]) if c in cells else tables.NO_RESULT for c in columns))
            )
        parts += [f"**{run.get('size')}**", tables.markdown(("variant", *columns), rows)]
        parts += [f"Skipped: {figures['skipped']}."] if "skipped" in figures else []
        rates = [f"{name} {tables.number(value)}" for name, value in figures.items() if name.startswith("matrix rate")]
        parts += ["; ".join(rates) + "."] if rates else []
    profiles = {run.get("of"): figures for run, figures in records.items() if run.method == "profile"}
    names = list(dict.fromkeys(name for figures in profiles.values() for name in figures))
    rows = [
        (name, *(tables.number(f[name]) if name in f else tables.NO_RESULT for f in profiles.values()))
        for name in names
    ]
    heads = {"losses": "losses and gradient, n = 1,024, r = 64, 100 times", "fit": "`rom.fit`, default settings"}
    parts += ["**profile of our own step**", tables.markdown(("figure", *(heads[of] for of in profiles)), rows)]
    return "\n\n".join(parts)
