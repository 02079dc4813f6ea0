"""The tables of README.md, docs/systems.md and docs/networks.md, written from what is kept: no figure there can differ from the results."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import report
from cases import catalogue, field_step_cost
from runs import OURS, Run
from store import load

README = Path(__file__).resolve().parents[2] / "README.md"
SYSTEMS, NETWORKS = README.parent / "docs" / "systems.md", README.parent / "docs" / "networks.md"
BEGIN, END = "<!-- measured: written by docs/benchmarks/run.py --table -->", "<!-- /measured -->"

HARMONIC = ("mse, harmonic, 20", "mse, harmonic, 40", "mse, harmonic, 200")
COURSE = ("mse, [0, 1], 21", "mse, [0, 2], 21")
GRIDS_FITTED, GRIDS_CLOSED = ([f"{which}, t = {t}" for t in (2, 20)] for which in ("fitted", "closed form"))
FLOW = {"kind": "flow", "points": 65536, "seconds": 45}


def filled(page: Path) -> str:
    """Return the text of a page with its table as the stored results give it."""
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{TABLES[page]()}\n\n{END}{after}"


def comparisons() -> str:
    """Return the table of README.md."""
    return report.markdown(("case", "this package", "beside it"), rows())


def checks() -> str:
    """Return the table of docs/systems.md."""
    return catalogue.report({record.run: record.figures for record in load("catalogue") if record.figures is not None})


def networks() -> str:
    """Return the table of docs/networks.md."""
    rows = []
    for words, case, other, settings in (
        ("spirals at fixed places, 2 x 64 x 64, d = 2", "reaction_diffusion", "convolutional", {"centres": "fixed"}),
        ("spirals anywhere, 2 x 64 x 64, d = 8", "reaction_diffusion", "convolutional", {"centres": "random"}),
        ("vortices that move and merge, 64 x 64, d = 16", "vorticity", "convolutional", {}),
        ("heat on a mesh of 636 nodes, d = 8", "mesh", "graph", {}),
    ):
        measured = {
            r.run.get("network"): r.run.get("seconds")
            for r in load(case)
            if settings.items() <= dict(r.run.settings).items()
        }
        if not {"default", other} <= set(measured):
            continue  # not measured yet
        seconds = measured[other]
        kinds = [settings | {"network": name, "seconds": seconds} for name in ("default", other)]
        errors, sizes = ("forecast, fitted", "reconstruction, fitted"), ("steps", "weights")
        both = [
            f"{of(case, figures=errors, **kind)}; {' / '.join(f'{float(count(case, name, kind)):,.0f}' for name in sizes)}"
            for kind in kinds
        ]
        subspace = of(case, figures=["forecast, closed form", "reconstruction, subspace"], **kinds[0])
        rows.append((f"{words}, {seconds} s ({seeds(case, **kinds[1])})", both[0], f"{other}: {both[1]}", subspace))
    head = ("case", "default", "network on the field", "closed form / best subspace")
    steps = "; ".join(
        f"{field}, batches of {batch}: {of('field_step_cost', 'step', ['times the default'], field=field, batch=batch)}"
        for field in field_step_cost.SHAPES
        for batch in field_step_cost.BATCHES
    )
    note = (
        "Errors of the forecast / of psi(phi(x)); steps / weights of encoder and decoder. Cost of a training step with "
        f"convolutions, in steps of the default network: {steps}."
    )
    return f"{report.markdown(head, rows)}\n\n{note}"


TABLES = {README: comparisons, SYSTEMS: checks, NETWORKS: networks}


def chaos(which: str) -> list[str]:
    """Return the names of figures of chaotic forecasts."""
    return [f"valid prediction time, Lyapunov times, {which}", f"distance of the joint densities, {which}"]


def signals(which: str) -> list[str]:
    """Return the names of figures of a driven system."""
    return [f"{signal}, {which}" for signal in ("random", "pulse", "sine")]


def rows() -> list[tuple[str, str, str]]:
    fitted, closed = ([f"relative error at t = {t}, {rom}" for t in (2, 20)] for rom in ("fitted", "closed_form"))
    d16, shift = {"d": 16, "seconds": 180}, {"trajectories": 32, "points": 65536, "seconds": 60}
    ms, size = ("ms a step",), {"size": "burgers"}
    return [
        (
            f"the first command above: relative error at t = 2 / 20, d = 32 ({seeds('main_job')})",
            f"{of('main_job', figures=fitted)}, after {of('main_job', figures=['rom.fit, simulation included, s'])} s",
            f"closed-form model: {of('main_job', figures=closed)}",
        ),
        *(
            (
                f"Burgers, 10 harmonics, 180 s: MSE over 20 / 40 / 200 snapshots, d = {d} ({seeds('burgers', d=d, seconds=180)})"
                if d == 4
                else f"the same, d = {d} ({seeds('burgers', d=d, seconds=180)})",
                of("burgers", d=d, seconds=180),
                f"POD + operator inference: {of('burgers', 'operator_inference', d=d)}; "
                f"best {d}-dimensional subspace: {of('burgers', 'projection', d=d)}",
            )
            for d in (4, 8, 12, 16, 24, 32)
        ),
        (
            "the same, d = 16, beside trained and other models",
            of("burgers", **d16),
            f"published recipe: {of('burgers', 'published', **d16)}, "
            f"with ten times our time: {of('burgers', 'published', d=16, seconds=1800)}; "
            f"the same with faster settings: {of('burgers', 'published_today', **d16)}; "
            f"neural ODE without physics: {of('burgers', 'data_only', **d16)}; DMD: {of('burgers', 'dmd', d=16)}; "
            f"operator inference with d = 64: {of('burgers', 'operator_inference', d=64)}",
        ),
        (
            f"32 trajectories of bumps and 65,536 points as plain arrays, tested on harmonics, d = 16, 60 s "
            f"({seeds('burgers_shift', **shift)})",
            of("burgers_shift", **shift),
            f"without points: {of('burgers_shift', **(shift | {'points': 0}))}; "
            f"neural ODE without physics: {of('burgers_shift', 'data_only', **(shift | {'points': 0}))}",
        ),
        (
            f"no trajectories at all, 65,536 points as plain arrays, d = 16, 45 s ({seeds('evaluations', **FLOW)})",
            of("evaluations", **FLOW),
            "",
        ),
        (
            "256 trajectories of bumps with noise of 1e-3, 4,096 harmonic points, 60 s "
            f"({seeds('noise', supply='hybrid', noise=0.001, seconds=60)})",
            of("noise", supply="hybrid", noise=0.001, seconds=60),
            f"this package without the trajectories: {of('noise', supply='physics', seconds=60)}",
        ),
        (
            "1-D inviscid Burgers, 16 runs, d = 5: largest relative error over 21 x 21 parameters "
            f"({seeds('inviscid', seconds=180)})",
            of("inviscid", figures=["largest relative error"], seconds=180),
            "best public value known to us: 0.021 with 25 runs",
        ),
        (
            "Kuramoto-Sivashinsky, length 22, d = 8, 300 s: valid prediction time in Lyapunov times; distance of the joint density of "
            f"u_x and u_xx from the full-order model's ({seeds('kuramoto_sivashinsky', seconds=300)})",
            of("kuramoto_sivashinsky", seconds=300, figures=chaos("fitted")),
            f"closed-form model: {of('kuramoto_sivashinsky', seconds=300, figures=chaos('closed form'))}; the full-order model from other "
            f"initial states: - / {of('kuramoto_sivashinsky', seconds=300, figures=chaos('FOM')[1:])}",
        ),
        (
            "FitzHugh-Nagumo driven at one end, 2 x 512 states, d = 8, 300 s: relative error over the trajectory under further random "
            f"currents / the pulse of the source / a sine ({seeds('fitzhugh_nagumo', seconds=300)})",
            of("fitzhugh_nagumo", seconds=300, figures=signals("fitted")),
            f"closed-form model: {of('fitzhugh_nagumo', seconds=300, figures=signals('closed form'))}; best 8-dimensional subspace: "
            f"{of('fitzhugh_nagumo', seconds=300, figures=signals('projection'))}",
        ),
        (
            f"spirals of the lambda-omega system, 2 x 64 x 64, d = 2, 120 s: relative error of the forecast "
            f"({seeds('reaction_diffusion', centres='fixed', network='default', seconds=120)})",
            spiral("default", "fitted"),
            f"with convolutions: {spiral('convolutional', 'fitted')}; closed form: {spiral('default', 'closed form')}; "
            "best public value known to us, on data of its own: 0.126",
        ),
        (
            f"Burgers on three grids at once, d = 16, 90 s: relative error at t = 2 / 20 at 4,096 unseen points "
            f"({seeds('grids', fit='positions', seconds=90)})",
            of("grids", figures=GRIDS_FITTED, fit="positions", seconds=90),
            f"closed form: {of('grids', figures=GRIDS_CLOSED, fit='positions', seconds=90)}; finest grid alone, interpolated: "
            f"{of('grids', figures=GRIDS_FITTED, fit='finest grid', seconds=90)}",
        ),
        (
            f"digits, autoencoder trained to remove noise, d = 16: gain, dB; images of a kind left out told apart, area under the curve "
            f"({seeds('digits', kind='denoising alone', d=16)})",
            f"{of('digits', figures=['gain, dB'], kind='denoising alone', d=16)}; "
            f"{of('digits', figures=['area under the curve'], novelty=True, kind='denoising alone', d=16)}",
            f"PCA: {of('digits', 'pca', ['gain, dB'], d=16)}; {of('digits', 'pca', ['area under the curve'], novelty=True, d=16)}",
        ),
        (
            "Swiss roll and the same in 64 noisy dimensions, autoencoder from Isomap coordinates, d = 2: error in shares of the variance "
            f"({seeds('manifolds', problem='roll', start='isomap')})",
            " / ".join(of("manifolds", figures=["error"], problem=p, start="isomap") for p in ("roll", "lifted roll")),
            "; ".join(
                f"{name}: " + " / ".join(of("manifolds", method, ["error"], problem=p) for p in ("roll", "lifted roll"))
                for name, method in (
                    ("plain autoencoder from Isomap coordinates", "isomap_autoencoder"),
                    ("plain autoencoder", "plain_autoencoder"),
                    ("PCA", "pca"),
                )
            ),
        ),
        (
            "lifted Duffing, plain arrays, d = 2: MSE on the training horizon / twice as long "
            f"({seeds('duffing_course', seconds=60)})",
            f"60 s: {of('duffing_course', figures=COURSE, seconds=60)}; 300 s: {of('duffing_course', figures=COURSE, seconds=300)}",
            f"published recipe, 300 s: {of('duffing_course', 'published', COURSE, seconds=300)}; with faster settings: "
            f"{of('duffing_course', 'published_today', COURSE, seconds=300)}; best public value known to us: 0.0505 after 2,116 s",
        ),
        *(
            (
                f"lifted Duffing, trajectories of the left basin, 300 s: MSE over {horizons} horizons in the left / right / outer "
                f"basin ({seeds('duffing_paper', supply='system', seconds=300)})",
                f"the system known: {of('duffing_paper', figures=basins(count), supply='system', seconds=300)}; "
                f"plain arrays: {of('duffing_paper', figures=basins(count), supply='arrays', seconds=300)}",
                f"published recipe: {of('duffing_paper', 'published', basins(count), seconds=300)}, "
                f"with ten times our time: {of('duffing_paper', 'published', basins(count), seconds=3000)}",
            )
            for horizons, count in ((2, 101), (10, 501))
        ),
        (
            "one training step, n = 1,024, d = 16, 100 times, identical mathematics, ms",
            of("step_cost", "variants", ms, "ours", **size),
            f"plain `func.jvp` + torchdiffeq: {of('step_cost', 'variants', ms, 'func_jvp', **size)}; "
            f"JAX + diffrax: {of('step_cost', 'variants', ms, 'jax_diffrax', **size)}",
        ),
        (
            f"forecast at 101 times, n = 1,024, d = 16, decoded: s for 1 state / 256 at once; error {forecast('error, all times')}",
            forecast("forecast, all times, s"),
            f"fastest solver as accurate: {forecast('FOM, same grid, all times, s')} on the same grid, "
            f"{forecast('FOM, any grid, all times, s')} on a coarser one",
        ),
    ]


def spiral(network: str, which: str) -> str:
    """Return the error of forecasts of spirals at fixed centres."""
    settings = {"centres": "fixed", "network": network, "seconds": 120}
    return of("reaction_diffusion", figures=[f"forecast, {which}"], **settings)


def forecast(figure: str) -> str:
    """Return a figure of forecasts of Burgers' equation, for 1 state and for 256."""
    parts = (f"{count} at once" for count in (1, 256))
    return " / ".join(of("forecast", figures=[figure], part=part, problem="burgers", d=16) for part in parts)


def basins(count: int) -> list[str]:
    """Return the names of errors in all basins."""
    return [f"mse, {basin}, {count}" for basin in ("left", "right", "outer")]


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
