"""Write the tables of README.md, docs/systems.md and docs/networks.md from stored results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import report
from cases import catalogue, field_step_cost
from lookup import count, of, seeds
from store import load

__all__ = ["TABLES", "filled"]

README = Path(__file__).resolve().parents[2] / "README.md"
SYSTEMS, NETWORKS = README.parent / "docs" / "systems.md", README.parent / "docs" / "networks.md"
BEGIN, END = "<!-- measured: written by docs/benchmarks/run.py --table -->", "<!-- /measured -->"

Row = tuple[str, str, str]  # the case, the figures of this package, and those of others


def filled(page: Path) -> str:
    """Return the text of a page with its table as the stored results give it."""
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{TABLES[page]()}\n\n{END}{after}"


def comparisons() -> str:
    """Return the table of README.md."""
    groups = (burgers_rows, shift_rows, system_rows, field_rows, autoencoder_rows, duffing_rows, speed_rows)
    return report.markdown(("case", "this package", "for comparison"), [row for group in groups for row in group()])


def checks() -> str:
    """Return the table of docs/systems.md."""
    return catalogue.report({record.run: record.figures for record in load("catalogue") if record.figures is not None})


# -- docs/networks.md -------------------------------------------------------------------------------------------------


NETWORK_CASES = (  # words, case, network on the field, settings
    ("spirals at fixed places, 2 x 64 x 64, d = 2", "reaction_diffusion", "convolutional", {"centres": "fixed"}),
    ("spirals anywhere, 2 x 64 x 64, d = 8", "reaction_diffusion", "convolutional", {"centres": "random"}),
    ("vortices that move and merge, 64 x 64, d = 16", "vorticity", "convolutional", {}),
    ("heat on a mesh of 636 nodes, d = 8", "mesh", "graph", {}),
)


def networks() -> str:
    """Return the table of docs/networks.md."""
    rows = [network_row(*case) for case in NETWORK_CASES]
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
    return f"{report.markdown(head, [row for row in rows if row])}\n\n{note}"


def network_row(words: str, case: str, other: str, settings: dict[str, Any]) -> tuple[str, ...] | None:
    """Return the row of one case, or None if it was not measured."""
    measured = {
        record.run.get("network"): record.run.get("seconds")
        for record in load(case)
        if settings.items() <= dict(record.run.settings).items()
    }
    if not {"default", other} <= set(measured):
        return None
    seconds = measured[other]
    default, field = (settings | {"network": name, "seconds": seconds} for name in ("default", other))

    def cell(kind: dict[str, Any]) -> str:
        sizes = " / ".join(f"{count(case, name, kind):,.0f}" for name in ("steps", "weights"))
        return f"{of(case, figures=('forecast, fitted', 'reconstruction, fitted'), **kind)}; {sizes}"

    subspace = of(case, figures=["forecast, closed form", "reconstruction, subspace"], **default)
    return f"{words}, {seconds} s ({seeds(case, **field)})", cell(default), f"{other}: {cell(field)}", subspace


# -- README.md --------------------------------------------------------------------------------------------------------


def burgers_rows() -> list[Row]:
    """Return the rows of Burgers' equation with harmonic initial states."""
    fitted, closed = ([f"relative error at t = {t}, {rom}" for t in (2, 20)] for rom in ("fitted", "closed_form"))
    rows = [
        (
            f"the first command above: relative error at t = 2 / 20, d = 32 ({seeds('main_job')})",
            f"{of('main_job', figures=fitted)}, after {of('main_job', figures=['rom.fit, simulation included, s'])} s",
            f"closed-form model: {of('main_job', figures=closed)}",
        )
    ]
    for d in (4, 8, 12, 16, 24, 32):
        case = "Burgers, 10 harmonics, 180 s: MSE over 20 / 40 / 200 snapshots" if d == 4 else "the same"
        inference, subspace = (of("burgers", method, d=d) for method in ("operator_inference", "projection"))
        rows.append(
            (
                f"{case}, d = {d} ({seeds('burgers', d=d, seconds=180)})",
                of("burgers", d=d, seconds=180),
                f"POD + operator inference: {inference}; best {d}-dimensional subspace: {subspace}",
            )
        )
    d16 = {"d": 16, "seconds": 180}
    others = {
        "published recipe": of("burgers", "published", **d16),
        "the same in ten times the time": of("burgers", "published", d=16, seconds=1800),
        "the same with faster settings": of("burgers", "published_today", **d16),
        "neural ODE without physics": of("burgers", "data_only", **d16),
        "DMD": of("burgers", "dmd", d=16),
        "operator inference with d = 64": of("burgers", "operator_inference", d=64),
    }
    rows.append(("the same, d = 16, compared with trained and other models", of("burgers", **d16), listed(others)))
    return rows


def shift_rows() -> list[Row]:
    """Return the rows of Burgers' equation with other training data, and of its inviscid form."""
    shift = {"trajectories": 32, "points": 65536, "seconds": 60}
    without = shift | {"points": 0}
    flow = {"kind": "flow", "points": 65536, "seconds": 45}
    hybrid = {"supply": "hybrid", "noise": 0.001, "seconds": 60}
    others = {
        "without points": of("burgers_shift", **without),
        "neural ODE without physics": of("burgers_shift", "data_only", **without),
    }
    return [
        (
            f"32 trajectories of bumps and 65,536 points as plain arrays, tested on harmonics, d = 16, 60 s "
            f"({seeds('burgers_shift', **shift)})",
            of("burgers_shift", **shift),
            listed(others),
        ),
        (
            f"no trajectories, 65,536 points as plain arrays, d = 16, 45 s ({seeds('evaluations', **flow)})",
            of("evaluations", **flow),
            "",
        ),
        (
            f"256 trajectories of bumps with noise of 1e-3, 4,096 harmonic points, 60 s ({seeds('noise', **hybrid)})",
            of("noise", **hybrid),
            f"this package without the trajectories: {of('noise', supply='physics', seconds=60)}",
        ),
        (
            "1-D inviscid Burgers, 16 runs, d = 5: largest relative error over 21 x 21 parameters "
            f"({seeds('inviscid', seconds=180)})",
            of("inviscid", figures=["largest relative error"], seconds=180),
            "best public value known to us: 0.021 with 25 runs",
        ),
    ]


def system_rows() -> list[Row]:
    """Return the rows of a chaotic and of a driven system."""

    def chaos(which: str, first: int = 0) -> str:
        figures = [f"valid prediction time, Lyapunov times, {which}", f"distance of the joint densities, {which}"]
        return of("kuramoto_sivashinsky", figures=figures[first:], seconds=300)

    def driven(which: str) -> str:
        figures = [f"{signal}, {which}" for signal in ("random", "pulse", "sine")]
        return of("fitzhugh_nagumo", figures=figures, seconds=300)

    return [
        (
            "Kuramoto-Sivashinsky, length 22, d = 8, 300 s: valid prediction time in Lyapunov times; distance between the joint "
            f"densities of u_x and u_xx of model and full-order model ({seeds('kuramoto_sivashinsky', seconds=300)})",
            chaos("fitted"),
            f"closed-form model: {chaos('closed form')}; full-order model from other initial states: - / {chaos('FOM', 1)}",
        ),
        (
            "FitzHugh-Nagumo driven at one end, 2 x 512 states, d = 8, 300 s: relative error over the trajectory under new random "
            f"currents / the pulse of the source / a sine ({seeds('fitzhugh_nagumo', seconds=300)})",
            driven("fitted"),
            f"closed-form model: {driven('closed form')}; best 8-dimensional subspace: {driven('projection')}",
        ),
    ]


def field_rows() -> list[Row]:
    """Return the rows of spirals and of several grids."""

    def spiral(network: str, which: str) -> str:
        settings = {"centres": "fixed", "network": network, "seconds": 120}
        return of("reaction_diffusion", figures=[f"forecast, {which}"], **settings)

    def grids(which: str, fit: str) -> str:
        return of("grids", figures=[f"{which}, t = {t}" for t in (2, 20)], fit=fit, seconds=90)

    return [
        (
            "spirals of the lambda-omega system, 2 x 64 x 64, d = 2, 120 s: relative error of the forecast "
            f"({seeds('reaction_diffusion', centres='fixed', network='default', seconds=120)})",
            spiral("default", "fitted"),
            f"with convolutions: {spiral('convolutional', 'fitted')}; closed-form model: {spiral('default', 'closed form')}; "
            "best public value known to us, on data of its own: 0.126",
        ),
        (
            "Burgers on three grids at once, d = 16, 90 s: relative error at t = 2 / 20 at 4,096 unseen points "
            f"({seeds('grids', fit='positions', seconds=90)})",
            grids("fitted", "positions"),
            f"closed-form model: {grids('closed form', 'positions')}; fit on the finest grid alone, interpolated: "
            f"{grids('fitted', 'finest grid')}",
        ),
    ]


def autoencoder_rows() -> list[Row]:
    """Return the rows of autoencoders without dynamics."""
    gain, detection = ["gain, dB"], ["area under the curve"]
    kind = {"kind": "denoising alone", "d": 16}

    def rolls(method: str = "ours", **settings: Any) -> str:
        return " / ".join(of("manifolds", method, ["error"], problem=p, **settings) for p in ("roll", "lifted roll"))

    methods = {
        "plain autoencoder from Isomap coordinates": rolls("isomap_autoencoder"),
        "plain autoencoder": rolls("plain_autoencoder"),
        "PCA": rolls("pca"),
    }
    return [
        (
            "digits, autoencoder trained to remove noise, d = 16: gain, dB; detection of a digit left out of the training, area "
            f"under the curve ({seeds('digits', **kind)})",
            f"{of('digits', figures=gain, **kind)}; {of('digits', figures=detection, novelty=True, **kind)}",
            f"PCA: {of('digits', 'pca', gain, d=16)}; {of('digits', 'pca', detection, novelty=True, d=16)}",
        ),
        (
            "Swiss roll / the same in 64 noisy dimensions, autoencoder from Isomap coordinates, d = 2: error in shares of the variance "
            f"({seeds('manifolds', problem='roll', start='isomap')})",
            rolls(start="isomap"),
            listed(methods),
        ),
    ]


def duffing_rows() -> list[Row]:
    """Return the rows of the lifted Duffing oscillator."""

    def course(method: str = "ours", seconds: int = 300) -> str:
        return of("duffing_course", method, ("mse, [0, 1], 21", "mse, [0, 2], 21"), seconds=seconds)

    def basins(count: int, method: str = "ours", **settings: Any) -> str:
        return of("duffing_paper", method, [f"mse, {b}, {count}" for b in ("left", "right", "outer")], **settings)

    rows = [
        (
            "lifted Duffing, plain arrays, d = 2: MSE on the training horizon / twice as long "
            f"({seeds('duffing_course', seconds=60)})",
            f"60 s: {course(seconds=60)}; 300 s: {course()}",
            f"published recipe, 300 s: {course('published')}; the same with faster settings: {course('published_today')}; "
            "best public value known to us: 0.0505 after 2,116 s",
        )
    ]
    for horizons, count_ in ((2, 101), (10, 501)):
        system, arrays = (basins(count_, supply=supply, seconds=300) for supply in ("system", "arrays"))
        recipe, longer = (basins(count_, "published", seconds=seconds) for seconds in (300, 3000))
        rows.append(
            (
                f"lifted Duffing, trajectories of the left basin, 300 s: MSE over {horizons} horizons in the left / right / outer "
                f"basin ({seeds('duffing_paper', supply='system', seconds=300)})",
                f"with the system: {system}; plain arrays: {arrays}",
                f"published recipe: {recipe}; the same in ten times the time: {longer}",
            )
        )
    return rows


def speed_rows() -> list[Row]:
    """Return the rows of the cost of a training step and of a forecast."""

    def step(variant: str) -> str:
        return of("step_cost", "variants", ["ms a step"], variant, size="burgers")

    def forecast(figure: str) -> str:
        parts = ("1 at once", "256 at once")
        return " / ".join(of("forecast", figures=[figure], part=part, problem="burgers", d=16) for part in parts)

    return [
        (
            "one training step, n = 1,024, d = 16, 100 times, identical mathematics, ms",
            step("ours"),
            f"plain `func.jvp` + torchdiffeq: {step('func_jvp')}; JAX + diffrax: {step('jax_diffrax')}",
        ),
        (
            f"forecast at 101 times, n = 1,024, d = 16, decoded: s for 1 state / 256 at once; error {forecast('error, all times')}",
            forecast("forecast, all times, s"),
            f"fastest solver of equal accuracy: {forecast('FOM, same grid, all times, s')} on the same grid, "
            f"{forecast('FOM, any grid, all times, s')} on a coarser one",
        ),
    ]


def listed(figures: dict[str, str]) -> str:
    """Return figures of several methods in one cell."""
    return "; ".join(f"{name}: {figure}" for name, figure in figures.items())


TABLES = {README: comparisons, SYSTEMS: checks, NETWORKS: networks}
