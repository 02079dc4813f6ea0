"""The `rom` command: the public functions of `systems` and `rom` from a shell."""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import os
import re
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import xarray as xr

import rom
import systems
from rom.plotting import plot_forecast
from rom.utils.checks import numeric
from rom.utils.errors import RomError, RomFileNotFoundError, RomValueError, nearest
from rom.utils.files import checked_path

__all__ = ["built_in_systems", "main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit status: 0, 2 for what is refused, 130 for Ctrl-C."""
    options = parser().parse_args(arguments)
    with warnings.catch_warnings():
        warnings.showwarning = show_warning
        try:
            options.run(options)
        except (rom.RomError, systems.SystemsError) as error:
            print(f"rom: error: {one_line(error)}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("rom: interrupted", file=sys.stderr)
            return 130
    return 0


# -----------------------------------------------------------------------------------------------------------
# Commands
# -----------------------------------------------------------------------------------------------------------


def list_systems(options: argparse.Namespace) -> None:  # noqa: ARG001
    rows = [("system", "states", "parameters", "--set", "source")]
    for name, kind in built_in_systems().items():
        system = kind()
        shape = " x ".join(map(str, system.shape))
        parameters = ", ".join(f"{p.name}={p.default:g}" for p in system.parameters) or "-"
        settings = ", ".join(settings_of(kind)) or "-"
        rows.append((name, shape, parameters, settings, source_of(system)))
    widths = [max(len(row[k]) for row in rows) for k in range(4)]
    for row in rows:
        print("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]]))


def simulate(options: argparse.Namespace) -> None:
    system, path = make_system(options), checked_path(options.output)
    runs = systems.simulate(system, options.trajectories, options.times, seed=options.seed)
    systems.save_trajectories(runs, path)
    print(f"{path}: {sizes_of(runs)}")


def fit(options: argparse.Namespace) -> None:
    system = make_system(options)
    path = checked_path(options.output or f"{kebab(type(system).__name__)}.safetensors")
    given = options.trajectories
    data: dict[str, Any] = {}
    if isinstance(given, str):
        data["trajectories"] = systems.open_trajectories(given)
    elif given is not None:
        data["n_trajectories"] = given
    model = rom.fit(
        system,
        options.collocation,
        latent_dim=options.latent_dim,
        max_seconds=options.max_seconds,
        seed=options.seed,
        **data,
    )
    model.save(path)
    print(model)
    print(f"{path}: written after {model.history.attrs['seconds']:.1f} s")


def forecast(options: argparse.Namespace) -> None:
    model = rom.load(options.model)
    for path in (options.output, options.plot):
        if path is not None:
            checked_path(path)
    truth, mu = None, parameters_of(options.mu)
    if options.system is not None:
        truth = reference(model, options)
        x0 = truth["state"].isel(time=0, drop=True)
        if "parameters" in truth:  # given, or sampled where trajectories of the system differ by them
            mu = dict(zip(truth["parameter"].values.tolist(), truth["parameters"].values[0].tolist(), strict=True))
            print("parameters: " + ", ".join(f"{name} = {value:.6g}" for name, value in mu.items()))
    else:
        x0 = read_initial(options.initial)
    inputs = truth["inputs"] if truth is not None and model.inputs and "inputs" in truth else None
    result = model.forecast(x0, options.times, mu, inputs=inputs)
    print(f"forecast: {sizes_of(result)}; {validity(result)}")
    if truth is not None:
        exact = truth["state"].values
        error = np.linalg.norm(result["state"].values - exact) / np.linalg.norm(exact)
        print(f"relative error against the full-order model: {error:.3e}")
    # The picture first: it needs no more than the forecast, and should not be lost to a full disk.
    if options.plot is not None:
        plot_forecast(truth, result, options.plot)
        print(f"{options.plot}: written")
    if options.output is not None:
        save_forecast(result, checked_path(options.output))
        print(f"{options.output}: written")


# -----------------------------------------------------------------------------------------------------------
# Systems by name
# -----------------------------------------------------------------------------------------------------------


def built_in_systems() -> dict[str, type[systems.System]]:
    """The systems that can be made without arguments, by their names in kebab-case."""
    found = [getattr(systems, name) for name in systems.__all__]
    kinds = [k for k in found if isinstance(k, type) and issubclass(k, systems.System)]
    return {kebab(k.__name__): k for k in kinds if not inspect.isabstract(k)}


def kebab(name: str) -> str:
    """LiftedLorenz, lifted_lorenz and lifted-lorenz -> lifted-lorenz; Burgers2D -> burgers-2d."""
    return re.sub(r"(?<=[a-z])(?=[A-Z]|\dD)", "-", name).replace("_", "-").lower()


def make_system(options: argparse.Namespace) -> systems.System:
    """The system of the given name with its --set options."""
    known = built_in_systems()
    plain = {name.replace("-", ""): kind for name, kind in known.items()}
    kind = plain.get(re.sub(r"[-_ ]", "", options.system).lower())
    if kind is None:
        raise RomValueError(f"unknown system {options.system!r}; {nearest(kebab(options.system), known)}")
    defaults = settings_of(kind)
    values = {}
    for key, text in options.settings or ():
        if key not in defaults:
            raise RomValueError(f"--set: {options.system} has no setting {key!r}; {nearest(key, defaults)}")
        values[key] = converted("--set", key, text, type(defaults[key]))
    return kind(**values)


def settings_of(kind: type) -> dict[str, Any]:
    """What can be set when a system is made, with the defaults: its plain fields."""
    fields = dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ()
    return {f.name: f.default for f in fields if f.init and isinstance(f.default, int | float | str)}


def converted(option: str, key: str, text: str, kind: type) -> Any:
    try:
        return kind(text)
    except ValueError as error:
        wanted = {int: "an integer", float: "a number"}.get(kind, kind.__name__)
        raise RomValueError(f"{option}: {key} must be {wanted}, got {text!r}") from error


def source_of(system: systems.System) -> str:
    """Authors and year of a citation, or all of one that has another form."""
    found = re.match(r"(?P<authors>.+?)\s*\((?P<year>\d{4})\)", system.citation)
    if not found:
        return re.split(r"[,.;]", system.citation)[0] or "-"
    families = re.findall(r"((?:[a-z]+ )*[^\W\d_][\w'-]+),(?:\s*[^\W\d_]\.)+", found["authors"])
    if not families:
        return f"{found['authors']} ({found['year']})"
    names = " & ".join(families) if len(families) <= 2 else f"{families[0]} et al."
    return f"{names} ({found['year']})"


# -----------------------------------------------------------------------------------------------------------
# Data
# -----------------------------------------------------------------------------------------------------------


def reference(model: rom.ReducedOrderModel, options: argparse.Namespace) -> xr.Dataset:
    """One trajectory of the full-order model, to forecast and to compare with."""
    system = make_system(options)
    if tuple(system.shape) != model.shape:
        raise RomValueError(
            f"--system: a state of {options.system} has shape {tuple(system.shape)}, one of this model has "
            f"{model.shape}; repeat the --set with which it was fitted"
        )
    mu = parameters_of(options.mu)
    return systems.simulate(system, 1, options.times, seed=options.seed, parameters=mu)


def save_forecast(result: xr.Dataset, path: Path) -> None:
    """Write a forecast as netCDF-4, in which states may be NaN where the forecast broke off."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        try:
            result.to_netcdf(beside, engine="h5netcdf")
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)
    except (OSError, RuntimeError, ValueError, TypeError) as error:
        raise RomError(f"cannot write {path}: {error}") from error


def read_initial(path: str) -> Any:
    """Initial states: an array in a .npy file, or the first states of a file of trajectories."""
    if Path(path).suffix.lower() != ".npy":
        runs = systems.open_trajectories(path)
        if not isinstance(runs, xr.Dataset):
            raise RomValueError(f"--initial: the files of {path} differ in times or grids; give one of them")
        return runs["state"].isel(time=0).load() if "time" in runs["state"].dims else runs["state"].load()
    try:
        return numeric("--initial", np.load(path, allow_pickle=False))
    except FileNotFoundError as error:
        raise RomFileNotFoundError(f"no such file: {path}") from error
    except (OSError, ValueError, EOFError) as error:
        raise RomValueError(f"--initial: {path} cannot be read as a NumPy array: {error}") from error


def parameters_of(pairs: Sequence[tuple[str, str]] | None) -> Mapping[str, float] | None:
    """The --mu options; None where there are none: the model knows whether it needs some."""
    return {key: converted("--mu", key, text, float) for key, text in pairs} if pairs else None


def validity(result: xr.Dataset) -> str:
    """From when on the forecast has left the region seen in training."""
    valid = result["valid"]
    if bool(valid.all()):
        return "valid throughout"
    ever = valid if "trajectory" not in valid.dims else valid.all("trajectory")
    return f"not valid from t = {float(result['time'].values[int(np.argmin(ever.values))]):g} on"


def sizes_of(dataset: xr.Dataset) -> str:
    sizes = dataset["state" if "state" in dataset else "valid"].sizes  # of a model of fields, what they have in common
    return ", ".join(f"{dim} {size}" for dim, size in sizes.items())


# -----------------------------------------------------------------------------------------------------------
# Words
# -----------------------------------------------------------------------------------------------------------


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"rom: error: {message} (see {self.prog} --help)\n")


def parser() -> argparse.ArgumentParser:
    command = Parser(prog="rom", description="Reduced-order models from known dynamics, data, or both.")
    command.add_argument("--version", action="version", version=f"rom (latentrom) {version()}")
    commands = command.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, run: Any, words: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=words, description=words)
        added.set_defaults(run=run)
        return added

    def add_system(to: argparse.ArgumentParser) -> None:
        to.add_argument("system", metavar="SYSTEM", help="a name that `rom systems` lists")

    def add_settings(to: argparse.ArgumentParser) -> None:
        help_ = "settings of the system, such as n=256 viscosity=0.02"
        to.add_argument("--set", dest="settings", nargs="+", type=pair, metavar="KEY=VALUE", help=help_)

    add("systems", list_systems, "List the built-in systems.")

    one = add("simulate", simulate, "Integrate a system from many initial states.")
    add_system(one)
    one.add_argument("-o", "--output", required=True, metavar="FILE", help="HDF5 file of the trajectories")
    one.add_argument("--trajectories", type=count, metavar="N", help="how many; by default the system's own")
    one.add_argument("--times", type=times, metavar="A:B:N", help="N times from A to B")
    one.add_argument("--seed", type=count, default=0, metavar="S", help="of the initial states (default: 0)")
    add_settings(one)

    one = add("fit", fit, "Fit a reduced-order model to a system.")
    add_system(one)
    one.add_argument("-o", "--output", metavar="FILE", help="the model; by default SYSTEM.safetensors")
    one.add_argument("--collocation", type=count, metavar="N", help="number of collocation points")
    help_ = "how many to simulate, or a file that holds them"
    one.add_argument("--trajectories", type=count_or_file, metavar="N|FILE", help=help_)
    help_ = "latent dimension; by default chosen on held-out data"
    one.add_argument("--latent-dim", type=dimension, default="auto", metavar="D", help=help_)
    one.add_argument("--max-seconds", type=float, metavar="S", help="wall clock of the whole fit")
    one.add_argument("--seed", type=count, default=0, metavar="S", help="of all random choices (default: 0)")
    add_settings(one)

    one = add("forecast", forecast, "Forecast with a reduced-order model.")
    one.add_argument("model", metavar="MODEL", help="a file that `rom fit` wrote")
    start = one.add_mutually_exclusive_group(required=True)
    start.add_argument("--initial", metavar="FILE", help="initial states: .npy, or a file of trajectories")
    start.add_argument("--system", metavar="NAME", help="start from one of its states, and compare")
    one.add_argument("--times", type=times, required=True, metavar="A:B:N", help="N times from A to B")
    one.add_argument("--seed", type=count, default=1, metavar="S", help="of the random state (default: 1)")
    one.add_argument("--mu", nargs="+", type=pair, metavar="NAME=VALUE", help="parameters of the model")
    one.add_argument("-o", "--output", metavar="FILE", help="netCDF-4 (HDF5) file of the forecast")
    one.add_argument("--plot", metavar="FILE.png", help="picture of truth, forecast and error")
    add_settings(one)
    return command


def pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals and value):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form KEY=VALUE")
    return key.strip(), value.strip()


def count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 0")
    return int(text)


def count_or_file(text: str) -> int | str:
    return int(text) if text.isdecimal() else text


def dimension(text: str) -> int | str:
    return text if text == "auto" else count(text)


def times(text: str) -> np.ndarray:
    """A:B:N -> N times from A to B."""
    parts = text.split(":")
    try:
        start, stop, n = float(parts[0]), float(parts[1]), int(parts[2])
        if len(parts) != 3 or n < 2 or not np.isfinite([start, stop]).all() or not start < stop:
            raise ValueError
    except (ValueError, IndexError) as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not of the form A:B:N, with A < B and N >= 2, such as 0:40:401"
        ) from error
    return np.linspace(start, stop, n)


def version() -> str:
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("latentrom")
    except PackageNotFoundError:
        return "unknown"


def one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def show_warning(message: Any, *place: Any, **more: Any) -> None:  # noqa: ARG001
    print(f"rom: warning: {one_line(message)}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
