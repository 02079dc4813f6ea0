"""The `rom` command: the main functions of `rom` and `systems` from a shell.

Each command consists of a function that adds its arguments to the parser and a function that runs it.
"""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import os
import re
import sys
import warnings
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import xarray as xr

import rom
import systems
from rom.plotting import plot_forecast
from rom.utils.arrays import numeric
from rom.utils.errors import RomError, RomFileNotFoundError, RomValueError, nearest
from rom.utils.files import checked_path

__all__ = ["built_in_systems", "main"]

DONE, REFUSED, INTERRUPTED = 0, 2, 130  # exit statuses


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, and return `DONE`, `REFUSED` or `INTERRUPTED`.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.
    """
    options = parser().parse_args(arguments)
    with warnings.catch_warnings():
        warnings.showwarning = print_warning
        try:
            options.run(options)
        except (rom.RomError, systems.SystemsError) as error:
            print(f"rom: error: {one_line(error)}", file=sys.stderr)
            return REFUSED
        except BrokenPipeError:  # `head`, say, has read enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except KeyboardInterrupt:
            print("rom: interrupted", file=sys.stderr)
            return INTERRUPTED
    return DONE


def print_warning(message: Any, *_place: Any, **_more: Any) -> None:
    """Print a warning as one line, in place of `warnings.showwarning`."""
    print(f"rom: warning: {one_line(message)}", file=sys.stderr)


def one_line(message: Any) -> str:
    """Return the text of an error or a warning without line breaks."""
    return " ".join(str(message).split())


# -- The parser -----------------------------------------------------------------------------------------------------


class Parser(argparse.ArgumentParser):
    """A parser that prints an error as one line."""

    def error(self, message: str) -> NoReturn:
        """Print the error and exit."""
        self.exit(REFUSED, f"rom: error: {message} (see {self.prog} --help)\n")


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    command = Parser(prog="rom", description="Reduced-order models from known dynamics, data, or both.")
    command.add_argument("--version", action="version", version=f"rom (latentrom) {installed_version()}")
    commands = command.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add_command in (add_systems, add_simulate, add_fit, add_forecast):
        add_command(commands)
    return command


def new_command(commands: Any, name: str, run: Any, description: str) -> argparse.ArgumentParser:
    """Add a command that calls `run` with the parsed options, and return its parser."""
    added = commands.add_parser(name, help=description, description=description)
    added.set_defaults(run=run)
    return added


def add_settings(command: argparse.ArgumentParser) -> None:
    """Add the option that changes settings of a built-in system."""
    words = "settings of the system, such as n=256 viscosity=0.02"
    command.add_argument("--set", dest="settings", nargs="+", type=parse_pair, metavar="KEY=VALUE", help=words)


def parse_pair(text: str) -> tuple[str, str]:
    """Return the key and the value of "KEY=VALUE"."""
    key, equals, value = text.partition("=")
    if not (key and equals and value):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form KEY=VALUE")
    return key.strip(), value.strip()


def parse_count(text: str) -> int:
    """Return a whole number of at least 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 0")
    return int(text)


def parse_count_or_file(text: str) -> int | str:
    """Return a number if `text` is one, otherwise the name of a file."""
    return int(text) if text.isdecimal() else text


def parse_latent_dim(text: str) -> int | str:
    """Return a number or "auto"."""
    return text if text == "auto" else parse_count(text)


def parse_times(text: str) -> np.ndarray:
    """Return N times from A to B, both included, for "A:B:N"."""
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


def installed_version() -> str:
    """Return the version of the installed distribution, "unknown" if it is not installed."""
    try:
        return metadata.version("latentrom")
    except metadata.PackageNotFoundError:
        return "unknown"


# -- rom systems, and systems by name -------------------------------------------------------------------------------


def add_systems(commands: Any) -> None:
    """Add the command `rom systems`."""
    new_command(commands, "systems", list_systems, "List the built-in systems.")


def list_systems(_options: argparse.Namespace) -> None:
    """Print the built-in systems as a table, and the source of each."""
    instances = {name: kind() for name, kind in built_in_systems().items()}
    rows = [("system", "states", "parameters", "--set")]
    for name, system in instances.items():
        shape = " x ".join(map(str, system.shape))
        parameters = ", ".join(f"{p.name}={p.default:g}" for p in system.parameters) or "-"
        rows.append((name, shape, parameters, ", ".join(settings_of(type(system))) or "-"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    print("\nsources")
    for name, system in instances.items():
        print(f"{name.ljust(widths[0])}  {system.citation}")


def built_in_systems() -> dict[str, type[systems.System]]:
    """Return the systems that can be made without arguments, by their names in kebab case."""
    public = [getattr(systems, name) for name in systems.__all__]
    kinds = [kind for kind in public if isinstance(kind, type) and issubclass(kind, systems.System)]
    return {kebab_case(kind.__name__): kind for kind in kinds if not inspect.isabstract(kind)}


def kebab_case(name: str) -> str:
    """Return lifted-lorenz for LiftedLorenz, lifted_lorenz and lifted-lorenz, and burgers-2d for Burgers2D."""
    return re.sub(r"(?<=[a-z])(?=[A-Z]|\dD)", "-", name).replace("_", "-").lower()


def make_system(options: argparse.Namespace) -> systems.System:
    """Return the system called `options.system`, with the settings of --set.

    Raises
    ------
    RomValueError
        If the system or a setting is unknown, or if a value has the wrong type.
    """
    known = built_in_systems()
    without_hyphens = {name.replace("-", ""): kind for name, kind in known.items()}
    kind = without_hyphens.get(re.sub(r"[-_ ]", "", options.system).lower())
    if kind is None:
        raise RomValueError(f"unknown system {options.system!r}; {nearest(kebab_case(options.system), known)}")
    defaults = settings_of(kind)
    values = {}
    for key, text in options.settings or ():
        if key not in defaults:
            raise RomValueError(f"--set: {options.system} has no setting {key!r}; {nearest(key, defaults)}")
        values[key] = convert("--set", key, text, type(defaults[key]))
    return kind(**values)


def settings_of(kind: type) -> dict[str, Any]:
    """Return the settings of a system with their defaults: its dataclass fields that are numbers or text."""
    fields = dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ()
    return {f.name: f.default for f in fields if f.init and isinstance(f.default, int | float | str)}


def convert(option: str, key: str, text: str, kind: type) -> Any:
    """Return the value of `key` as an int, a float or a str. `option` is named in the error."""
    try:
        return kind(text)
    except ValueError as error:
        wanted = {int: "an integer", float: "a number"}.get(kind, kind.__name__)
        raise RomValueError(f"{option}: {key} must be {wanted}, got {text!r}") from error


# -- rom simulate ---------------------------------------------------------------------------------------------------


def add_simulate(commands: Any) -> None:
    """Add the command `rom simulate`."""
    one = new_command(commands, "simulate", simulate, "Integrate a system from many initial states.")
    one.add_argument("system", metavar="SYSTEM", help="a name that `rom systems` lists")
    one.add_argument("-o", "--output", required=True, metavar="FILE", help="HDF5 file for the trajectories")
    words = "number of trajectories; the default depends on the system"
    one.add_argument("--trajectories", type=parse_count, metavar="N", help=words)
    one.add_argument("--times", type=parse_times, metavar="A:B:N", help="N times from A to B")
    one.add_argument("--seed", type=parse_count, default=0, metavar="S", help="seed of the initial states (default: 0)")
    add_settings(one)


def simulate(options: argparse.Namespace) -> None:
    """Simulate trajectories and write them to a file."""
    system, path = make_system(options), checked_path(options.output)
    runs = systems.simulate(system, options.trajectories, options.times, seed=options.seed)
    systems.save_trajectories(runs, path)
    print(f"{path}: {describe_sizes(runs)}")


# -- rom fit --------------------------------------------------------------------------------------------------------


def add_fit(commands: Any) -> None:
    """Add the command `rom fit`."""
    one = new_command(commands, "fit", fit, "Fit a reduced-order model to a system.")
    one.add_argument("system", metavar="SYSTEM", help="a name that `rom systems` lists")
    one.add_argument("-o", "--output", metavar="FILE", help="file for the model (default: SYSTEM.safetensors)")
    one.add_argument("--collocation", type=parse_count, metavar="N", help="number of collocation points")
    words = "number of trajectories to simulate, or a file of trajectories"
    one.add_argument("--trajectories", type=parse_count_or_file, metavar="N|FILE", help=words)
    words = "latent dimension (default: chosen on held-out data)"
    one.add_argument("--latent-dim", type=parse_latent_dim, default="auto", metavar="D", help=words)
    one.add_argument("--max-seconds", type=float, metavar="S", help="time limit of the whole fit")
    one.add_argument("--seed", type=parse_count, default=0, metavar="S", help="seed of all random choices (default: 0)")
    add_settings(one)


def fit(options: argparse.Namespace) -> None:
    """Fit a model and write it to a file."""
    system = make_system(options)
    path = checked_path(options.output or f"{kebab_case(type(system).__name__)}.safetensors")
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


# -- rom forecast ---------------------------------------------------------------------------------------------------


def add_forecast(commands: Any) -> None:
    """Add the command `rom forecast`."""
    one = new_command(commands, "forecast", forecast, "Forecast with a reduced-order model.")
    one.add_argument("model", metavar="MODEL", help="a file that `rom fit` wrote")
    start = one.add_mutually_exclusive_group(required=True)
    start.add_argument("--initial", metavar="FILE", help="initial states: a .npy file, or a file of trajectories")
    words = "start from a random state of this system, and compare with its simulation"
    start.add_argument("--system", metavar="NAME", help=words)
    one.add_argument("--times", type=parse_times, required=True, metavar="A:B:N", help="N times from A to B")
    one.add_argument("--seed", type=parse_count, default=1, metavar="S", help="seed of the random state (default: 1)")
    one.add_argument("--mu", nargs="+", type=parse_pair, metavar="NAME=VALUE", help="parameters of the model")
    one.add_argument("-o", "--output", metavar="FILE", help="netCDF-4 (HDF5) file for the forecast")
    one.add_argument("--plot", metavar="FILE.png", help="picture of truth, forecast and error")
    add_settings(one)


def forecast(options: argparse.Namespace) -> None:
    """Forecast from given or random states, compare with the truth if a system is named, and write the results."""
    model = rom.load(options.model)
    for path in (options.output, options.plot):
        if path is not None:
            checked_path(path)
    truth, mu = None, parse_parameters(options.mu)
    if options.system is not None:
        truth = simulate_truth(model, options)
        x0 = truth["state"].isel(time=0, drop=True)
        if "parameters" in truth:  # some systems draw their parameters at random unless --mu gives them
            mu = dict(zip(truth["parameter"].values.tolist(), truth["parameters"].values[0].tolist(), strict=True))
            print("parameters: " + ", ".join(f"{name} = {value:.6g}" for name, value in mu.items()))
    else:
        x0 = read_initial_states(options.initial)
    inputs = truth["inputs"] if truth is not None and model.inputs and "inputs" in truth else None
    result = model.forecast(x0, options.times, mu, inputs=inputs)
    print(f"forecast: {describe_sizes(result)}; {describe_validity(result)}")
    if truth is not None:
        exact = truth["state"].values
        error = np.linalg.norm(result["state"].values - exact) / np.linalg.norm(exact)
        print(f"relative error against the full-order model: {error:.3e}")
    if options.plot is not None:  # before the larger file, so that a full disk does not cost the picture
        plot_forecast(truth, result, options.plot)
        print(f"{options.plot}: written")
    if options.output is not None:
        save_forecast(result, checked_path(options.output))
        print(f"{options.output}: written")


def parse_parameters(pairs: Sequence[tuple[str, str]] | None) -> Mapping[str, float] | None:
    """Return the parameters of --mu, None if there are none. The model checks whether it needs some."""
    return {key: convert("--mu", key, text, float) for key, text in pairs} if pairs else None


def simulate_truth(model: rom.ReducedOrderModel, options: argparse.Namespace) -> xr.Dataset:
    """Return one trajectory of the full-order model. A `RomValueError` is raised if its states do not fit `model`."""
    system = make_system(options)
    if tuple(system.shape) != model.shape:
        raise RomValueError(
            f"--system: a state of {options.system} has shape {tuple(system.shape)}, one of this model has "
            f"{model.shape}; repeat the --set with which it was fitted"
        )
    mu = parse_parameters(options.mu)
    return systems.simulate(system, 1, options.times, seed=options.seed, parameters=mu)


def read_initial_states(path: str) -> Any:
    """Return the array in a .npy file, or the first states of a file of trajectories."""
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


def save_forecast(result: xr.Dataset, path: Path) -> None:
    """Write a forecast as netCDF-4, which unlike a file of trajectories may contain NaN.

    The file is written under another name and then renamed, so that it is never incomplete.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        try:
            result.to_netcdf(beside, engine="h5netcdf")
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)
    except (OSError, RuntimeError, ValueError, TypeError) as error:
        raise RomError(f"cannot write {path}: {error}") from error


def describe_validity(result: xr.Dataset) -> str:
    """Return from which time on some forecast is not valid, in words."""
    valid = result["valid"]
    if bool(valid.all()):
        return "valid throughout"
    all_valid = valid if "trajectory" not in valid.dims else valid.all("trajectory")
    return f"not valid from t = {float(result['time'].values[int(np.argmin(all_valid.values))]):g} on"


def describe_sizes(dataset: xr.Dataset) -> str:
    """Return the dimensions and sizes of the states; of fields, those that they have in common."""
    sizes = dataset["state" if "state" in dataset else "valid"].sizes
    return ", ".join(f"{dim} {size}" for dim, size in sizes.items())
