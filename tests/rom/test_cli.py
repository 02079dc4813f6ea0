"""The `rom` command on tiny problems."""

import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

import rom
import systems
from rom import cli

TINY = ["--set", "n=16", "viscosity=0.1"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="module")
def runs(folder):
    path = folder / "runs.h5"
    assert cli.main(["simulate", "burgers", "-o", str(path), "--trajectories", "5", "--times", "0:1:6", *TINY]) == 0
    return path


@pytest.fixture(scope="module")
def model(folder, runs):
    path = folder / "model.safetensors"
    command = ["fit", "burgers", "-o", str(path), "--trajectories", str(runs), "--collocation", "60"]
    assert cli.main([*command, "--latent-dim", "3", "--max-seconds", "3", *TINY]) == 0
    return path


def refused(capsys, *arguments):
    """Run a command that is refused, and return the line that it prints on the standard error."""
    try:
        status = cli.main([str(a) for a in arguments])
    except SystemExit as exit_:
        status = exit_.code
    out, err = capsys.readouterr()
    assert status == 2
    assert out == ""
    assert err.startswith("rom: error: ")
    assert err.count("\n") == 1
    return err


def test_systems_lists_every_built_in_system_with_its_source(capsys):
    assert cli.main(["systems"]) == 0
    out = capsys.readouterr().out
    for name in ("burgers", "lorenz", "lifted-lorenz", "lifted-duffing", "lifted-linear"):
        assert f"\n{name} " in out
    assert "viscosity=0.01" in out
    assert "Lorenz, E. N. (1963)" in out
    assert "Champion, K., Lusch, B., Kutz, J. N., & Brunton, S. L. (2019)" in out
    for kind in cli.built_in_systems().values():
        assert kind().citation in out


def test_the_version_is_that_of_the_distribution(capsys):
    with pytest.raises(SystemExit) as exit_:
        cli.main(["--version"])
    assert exit_.value.code == 0
    assert "latentrom" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["lifted-lorenz", "LiftedLorenz", "lifted_lorenz", "LIFTED-LORENZ"])
def test_names_of_systems_are_read_in_any_spelling(name):
    options = cli.parser().parse_args(["fit", name, "--set", "n=7", "rho=20"])
    system = cli.make_system(options)
    assert isinstance(system, systems.LiftedLorenz)
    assert (system.n, system.rho) == (7, 20.0)


def test_every_system_of_the_package_is_known():
    for kind in cli.built_in_systems().values():
        kind()


def test_simulate_writes_what_simulate_returns(runs):
    expected = systems.simulate(systems.Burgers(n=16, viscosity=0.1), 5, np.linspace(0, 1, 6), seed=0)
    np.testing.assert_array_equal(systems.open_trajectories(runs)["state"].values, expected["state"].values)


def test_fit_writes_a_model_of_the_size_asked_for(model):
    fitted = rom.load(model)
    assert (fitted.latent_dim, fitted.shape) == (3, (16,))
    assert fitted.history.attrs["trajectories"] == "given"


def test_fit_takes_counts_and_names_its_file_after_the_system(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    command = ["fit", "LiftedLinear", "--set", "n=8", "--trajectories", "0", "--collocation", "40"]
    assert cli.main([*command, "--latent-dim", "3", "--max-seconds", "2"]) == 0
    assert "<ReducedOrderModel of LiftedLinear" in capsys.readouterr().out
    history = rom.load("lifted-linear.safetensors").history.attrs
    assert (history["n_trajectories"], history["n_collocation"]) == (0, 40)


def test_forecast_of_a_system_prints_the_error_and_draws(model, tmp_path, capsys):
    picture, output = tmp_path / "f.png", tmp_path / "f.h5"
    command = ["forecast", model, "--system", "burgers", "--times", "0:2:11", "--plot", picture, "-o", output, *TINY]
    assert cli.main([str(a) for a in command]) == 0
    out = capsys.readouterr().out
    printed = float(out.split("full-order model: ")[1].split()[0])

    system = systems.Burgers(n=16, viscosity=0.1)
    truth = systems.simulate(system, 1, np.linspace(0, 2, 11), seed=1)["state"]
    forecast = rom.load(model).forecast(truth.isel(time=0, drop=True), truth["time"].values)
    error = float(np.sqrt(((forecast["state"] - truth) ** 2).sum() / (truth**2).sum()))
    assert printed == pytest.approx(error, rel=1e-3)
    assert picture.stat().st_size > 5000
    with xr.open_dataset(output) as stored:
        xr.testing.assert_equal(stored, forecast)
        assert stored["valid"].dtype == bool


@pytest.mark.parametrize(("many", "shape"), [(False, (16,)), (True, (3, 16))])
def test_forecast_starts_from_an_array(model, tmp_path, capsys, many, shape):
    states = systems.Burgers(n=16).sample_initial(3, seed=2).values
    np.save(tmp_path / "x0.npy", states if many else states[0])
    command = ["forecast", model, "--initial", tmp_path / "x0.npy", "--times", "0:1:3", "--plot", tmp_path / "f.png"]
    assert cli.main([str(a) for a in command]) == 0
    out = capsys.readouterr().out
    assert ("trajectory 3, time 3, x 16" if many else "forecast: time 3, x 16") in out
    assert len(shape) == 1 + many
    assert (tmp_path / "f.png").exists()


def test_forecast_starts_from_the_first_states_of_a_file_of_trajectories(model, runs, tmp_path):
    command = ["forecast", model, "--initial", runs, "--times", "0:1:3", "-o", tmp_path / "f.h5"]
    assert cli.main([str(a) for a in command]) == 0
    with xr.open_dataset(tmp_path / "f.h5") as stored:
        assert stored["state"].sizes["trajectory"] == 5


def test_the_end_of_validity_is_said(model, tmp_path, capsys):
    np.save(tmp_path / "x0.npy", 100 * systems.Burgers(n=16).sample_initial(1, seed=2).values)
    assert cli.main(["forecast", str(model), "--initial", str(tmp_path / "x0.npy"), "--times", "0:0.01:2"]) == 0
    assert "not valid from t = 0 on" in capsys.readouterr().out


@pytest.mark.filterwarnings("always")
def test_a_forecast_that_diverges_is_drawn_and_saved(model, tmp_path, capsys):
    np.save(tmp_path / "x0.npy", 1e4 * systems.Burgers(n=16).sample_initial(1, seed=2).values)
    picture, output = tmp_path / "f.png", tmp_path / "f.h5"
    command = ["forecast", model, "--initial", tmp_path / "x0.npy", "--times", "0:5:6", "-o", output, "--plot", picture]
    assert cli.main([str(a) for a in command]) == 0
    assert "states are NaN" in capsys.readouterr().err
    assert picture.stat().st_size > 5000
    with xr.open_dataset(output) as stored:
        assert stored["state"].isel(time=0).notnull().all()
        assert stored["state"].isel(time=-1).isnull().all()
        assert not stored["valid"].any()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f.h5", "f.png", "x0.npy"]


def test_a_forecast_that_cannot_be_written_leaves_the_picture(model, runs, tmp_path, capsys):
    (tmp_path / "f.h5").mkdir()
    picture = tmp_path / "f.png"
    command = ["forecast", model, "--initial", runs, "--times", "0:1:3", "-o", tmp_path / "f.h5", "--plot", picture]
    assert cli.main([str(a) for a in command]) == 2
    assert f"cannot write {tmp_path / 'f.h5'}" in capsys.readouterr().err
    assert picture.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f.h5", "f.png"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["simulate", "burger", "-o", "x.h5"], "did you mean 'burgers'"),
        (["simulate", "burgers", "-o", "x.h5", "--set", "viscositi=1"], "did you mean 'viscosity'"),
        (["simulate", "burgers", "-o", "x.h5", "--set", "n=many"], "n must be an integer, got 'many'"),
        (["simulate", "burgers", "-o", "x.h5", "--set", "viscosity=-1"], "viscosity must be positive"),
        (["simulate", "burgers", "-o", "x.h5", "--set", "n"], "KEY=VALUE"),
        (["simulate", "burgers", "-o", "nowhere/x.h5"], "folder of nowhere/x.h5 does not exist"),
        (["simulate", "burgers", "-o", "x.h5", "--trajectories", "-1"], "whole number"),
        (["fit", "lorenz", "--trajectories", "absent.h5"], "absent.h5"),
        (["fit", "lorenz", "--trajectories", "0", "--collocation", "0"], "nothing to fit"),
        (["fit", "lorenz", "--latent-dim", "0"], "latent_dim must be at least 1"),
        (["fit", "lorenz", "--max-seconds", "0"], "max_seconds"),
        (["forecast", "absent.safetensors", "--system", "lorenz", "--times", "0:1:3"], "no such file"),
        (["forecast", "m", "--system", "lorenz", "--times", "0:1"], "A:B:N"),
        (["forecast", "m", "--system", "lorenz", "--times", "1:0:5"], "A < B"),
        (["forecast", "m", "--times", "0:1:3"], "--initial --system"),
        ([], "COMMAND"),
        (["fly"], "invalid choice"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(capsys, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    assert words in refused(capsys, *arguments)
    assert list(tmp_path.iterdir()) == []


def test_states_of_another_size_are_refused_with_the_remedy(model, tmp_path, capsys):
    line = refused(capsys, "forecast", model, "--system", "burgers", "--times", "0:1:3")
    assert "(1024,)" in line
    assert "repeat the --set" in line
    np.save(tmp_path / "x0.npy", np.zeros(7))
    assert "(7,)" in refused(capsys, "forecast", model, "--initial", tmp_path / "x0.npy", "--times", "0:1:3")


def test_files_that_hold_no_states_are_refused(model, tmp_path, capsys):
    bad = tmp_path / "x0.npy"
    assert "no such file" in refused(capsys, "forecast", model, "--initial", bad, "--times", "0:1:3")
    bad.write_bytes(b"nothing")
    assert "cannot be read" in refused(capsys, "forecast", model, "--initial", bad, "--times", "0:1:3")
    np.save(bad, np.array([{"a": 1}], dtype=object))
    assert "cannot be read" in refused(capsys, "forecast", model, "--initial", bad, "--times", "0:1:3")
    assert "not a model" in refused(capsys, "forecast", bad, "--system", "lorenz", "--times", "0:1:3")


def test_an_interruption_ends_quietly(monkeypatch, capsys):
    def interrupted(_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "list_systems", interrupted)
    assert cli.main(["systems"]) == 130
    assert capsys.readouterr().err == "rom: interrupted\n"


def test_the_command_is_installed():
    done = subprocess.run([sys.executable, "-m", "rom", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("rom (latentrom)")
