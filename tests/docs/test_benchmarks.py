"""The benchmarks: which solver a forecast is compared with, how results are stored, and which of them are outdated."""

import importlib
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import rom
import systems

pytestmark = pytest.mark.usefixtures("benchmarks")

FOLDER = Path(__file__).parents[2] / "docs" / "benchmarks"
needs_results = pytest.mark.skipif(
    not (FOLDER / "results").exists(), reason="the source distribution has no results of benchmarks"
)


@pytest.fixture
def benchmarks(monkeypatch):
    """The modules of docs/benchmarks, importable within a test."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(FOLDER))
    for library in ("OMP", "OPENBLAS", "MKL"):  # which run.py would set for good
        monkeypatch.setenv(f"{library}_NUM_THREADS", "1")
    yield
    for name in set(sys.modules) - before:
        if str(FOLDER) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


# -- the benchmarks follow the package --------------------------------------------------------------------------------

CASES = sorted(path.stem for path in (FOLDER / "cases").glob("[a-z]*.py"))


@pytest.mark.parametrize("name", CASES)
def test_every_case_has_a_title_and_runs_with_names_of_their_own(name):
    case = importlib.import_module(f"cases.{name}")
    assert case.TITLE
    assert case.NOTE
    for quick in (True, False):
        keys = [run.key for run in case.runs(quick)]
        assert keys
        assert len(set(keys)) == len(keys)


def test_run_py_knows_every_case():
    import run as program

    assert sorted(program.CASES) == CASES


def test_a_step_of_the_package_has_the_loss_of_plain_torch(tmp_path):
    from steps import arrays, own, torch_styles

    arrays.write(tmp_path / "arrays.npz", "duffing", quick=True)
    with np.load(tmp_path / "arrays.npz") as file:
        batch = dict(file)
    expected = torch_styles.func_jvp(batch)()
    assert own.ours(batch)() == pytest.approx(expected, rel=1e-5)
    assert own.ours_full_order(batch)() == pytest.approx(expected, rel=1e-5)
    assert math.isfinite(own.ours_in_fit(batch)())


def test_steps_with_networks_on_fields_run(tmp_path):
    from steps import field_step

    field_step.write(tmp_path / "arrays.npz", (16, 16), d=2, rank=4, points=8, windows=2)
    with np.load(tmp_path / "arrays.npz") as file:
        batch = dict(file)
    assert math.isfinite(field_step.default(batch)())
    assert math.isfinite(field_step.convolutional(batch)())


def test_the_exact_networks_of_the_oracle_have_no_loss():
    from cases import oracle

    losses = oracle.measure(oracle.runs(quick=True)[0], quick=True)
    assert len(losses) == 5
    assert max(losses.values()) < 1e-20


def test_the_latent_rollout_is_that_of_a_forecast():
    from cases.forecast import latent_rollout

    times = np.linspace(0.0, 1.0, 5)
    system = systems.Burgers(n=32)
    model = rom.fit(system, 64, n_trajectories=4, latent_dim=3, config=rom.FitConfig(steps=2), verbose=False)
    x0 = system.sample_initial(2, seed=1).values
    rollout, n_steps = latent_rollout(model, times)
    decoded = model.decode(rollout(model.encode(x0))[-1])
    assert n_steps >= 1
    np.testing.assert_allclose(decoded, model.forecast(x0, times)["state"].values[:, -1], rtol=1e-5, atol=1e-6)


# -- full-order solvers -----------------------------------------------------------------------------------------------


def climbed(errors, target, interpolate=lambda _: math.inf):
    """What the climb finds of a solver whose relative error at each setting is known."""
    from cases.forecast import climb
    from problems.fields import burgers
    from steps.solvers import Solver

    truth = np.ones((1, 3, 16))
    tried = []

    def solve(_field, _x0, _times, setting):
        tried.append(setting)
        return truth * (1.0 + errors.get(setting, interpolate(setting)))

    solver = Solver("known", solve, tuple(errors), block=32)
    field = burgers(16)
    row = climb(solver, field, field, truth[:, 0], np.arange(3.0), truth, target, alone=True, limit=60.0)
    return row, tried


def test_a_setting_without_gain_does_not_end_the_climb():
    """Steps end at the output times, so that two settings can take the same ones."""
    row, _ = climbed({0.2: 0.45, 0.1: 0.45, 0.05: 0.046, 0.025: 0.004}, target=0.01)
    assert row["setting"] == 0.025


def test_two_settings_without_gain_end_it():
    row, tried = climbed({0.2: 0.45, 0.1: 0.44, 0.05: 0.44, 0.025: 0.001}, target=0.01)
    assert row is None
    assert 0.025 not in tried


def test_a_setting_between_the_last_two_competes():
    row, tried = climbed({0.2: 0.45, 0.1: 0.001}, target=0.01, interpolate=lambda _: 0.005)
    assert math.sqrt(0.2 * 0.1) in tried
    assert row["error"] <= 0.01


# -- outdated results -------------------------------------------------------------------------------------------------


def test_results_of_other_sources_are_known_as_such():
    from runs import OURS, Record, Run
    from sources import is_of_earlier_packages, packages

    now = packages()
    assert not is_of_earlier_packages(Record(Run(OURS), {}, packages=now))
    assert is_of_earlier_packages(Record(Run(OURS), {}))
    assert is_of_earlier_packages(Record(Run(OURS), {}, packages=now | {"rom": "other"}))
    assert not is_of_earlier_packages(Record(Run("dmd"), {}, packages=now | {"rom": "other"}))
    assert is_of_earlier_packages(Record(Run("profile"), {}, packages=now | {"rom": "other"}))
    assert is_of_earlier_packages(Record(Run("dmd"), {}, packages=now | {"systems": "other"}))


def test_sections_with_results_of_other_sources_are_marked():
    from report import earlier_state
    from runs import OURS, Record, Run
    from sources import packages

    new, old = Record(Run("dmd"), {}, packages=packages()), Record(Run(OURS), {})
    assert earlier_state([new]) == ""
    assert earlier_state([old, old]) == "*Measured with an earlier state of the packages.*"
    assert earlier_state([old, new]) == "*Measured with an earlier state of the packages: ours.*"


def test_a_digest_depends_on_the_method_alone():
    from sources import digest

    assert digest("burgers", "published") != digest("burgers", "dmd")
    assert digest("burgers", "dmd") == digest("burgers", "dmd")


@pytest.mark.parametrize(
    ("change", "is_same"),
    [
        ({"part/inner.py": '"""Other words."""\n\ndef f(x):\n    # a comment\n    return (x + 1)\n'}, True),
        ({"part/inner.py": "def f(x):\n    return x + 2\n"}, False),
        ({"part/deeper/new.py": "y = 1\n"}, False),
        ({"part/notes.txt": "no source"}, True),
    ],
)
def test_a_digest_of_a_package_follows_its_code_in_all_folders(tmp_path, change, is_same):
    from sources import digest_of_folder

    def write(files):
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return digest_of_folder(tmp_path)

    before = write({"__init__.py": "", "part/inner.py": "def f(x):\n    return x + 1\n"})
    assert (write(change) == before) is is_same


# -- the tables of results --------------------------------------------------------------------------------------------


@pytest.fixture
def record(benchmarks):  # noqa: ARG001 - makes `runs` importable
    from runs import Record, Run

    settings = (("d", 16), ("budgets", (15, 30)), ("partial", 0.02), ("of", "a, b"), ("novelty", True), ("name", "16"))
    figures = {
        "error": 0.123456789012, "steps": 5572, "count": 96856507.4, "infinite": math.inf, "text": 'fast, "so to say"',
        "digits": "128", "restored": True, "at 15 s": {"all times, s": {"RK45": 1e-300}}, "curve": [[1.0, 2.00001], [3, 4]],
    }  # fmt: skip
    return Record(Run("dmd", 1, settings), figures, {"cores": 2, "python": "3.11.7"}, "abc", None, {"rom": "123"})


def test_a_record_comes_back_from_the_tables(tmp_path, record):
    import store

    store.save("case", record, tmp_path)
    (found,) = store.load("case", tmp_path)
    assert (found.run, found.machine, found.made_by) == (record.run, record.machine, record.made_by)
    assert (found.error, found.packages) == (None, {"rom": "123"})
    assert isinstance(found.run.get("name"), str)
    curve = found.figures.pop("curve")
    assert curve.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    given = {name: value for name, value in record.figures.items() if name != "curve"}
    assert found.figures == given | {"error": 0.12345679, "count": 96856507}


def test_a_new_run_joins_the_table_and_replaces_only_itself(tmp_path, record):
    import store
    from runs import Run

    other, twelve = (replace(record, run=Run("dmd", 0, (("d", d),)), figures={"error": d}) for d in (4, 12))
    for one in (record, twelve, other):
        store.save("case", one, tmp_path)
    assert [found.run for found in store.load("case", tmp_path)] == [other.run, twelve.run, record.run]
    lines = (tmp_path / "case" / "figures.csv").read_text().splitlines()

    store.save("case", replace(twelve, figures={"error": 5.5}), tmp_path)
    changed = set(lines) ^ set((tmp_path / "case" / "figures.csv").read_text().splitlines())
    assert changed == {"dmd-d12-seed0,error,12", "dmd-d12-seed0,error,5.5"}
    assert len(store.load("case", tmp_path)) == 3


def test_two_runs_with_one_name_are_refused(tmp_path, record):
    import store
    from runs import Run

    store.save("case", replace(record, run=Run("dmd", 0, (("of", "a b"),))), tmp_path)
    with pytest.raises(ValueError, match="give their settings other values"):
        store.save("case", replace(record, run=Run("dmd", 0, (("of", "a_b"),))), tmp_path)


def test_a_run_that_fails_is_kept_with_its_error_and_repeated(tmp_path, monkeypatch):
    import run as program
    import store
    from cases import oracle
    from sources import is_up_to_date

    def fail(*_):
        raise RuntimeError("no\nconvergence")

    monkeypatch.setattr(oracle, "measure", fail)
    program.measure_runs("oracle", [""], again=False, quick=True, folder=tmp_path)
    (failed,) = store.load("oracle", tmp_path)
    assert failed.figures is None
    assert failed.error == "RuntimeError: no convergence"
    assert "failed: RuntimeError: no convergence" in program.section("oracle", tmp_path, tmp_path, quick=True)
    assert not is_up_to_date(failed, failed.made_by)

    monkeypatch.setattr(oracle, "measure", lambda *_: {"loss": 1e-12})
    program.measure_runs("oracle", [""], again=False, quick=True, folder=tmp_path)
    (made,) = store.load("oracle", tmp_path)
    assert (made.error, made.figures) == (None, {"loss": 1e-12})


def test_results_and_plots_stay_small():
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.suffix in (".csv", ".png")) < 4e6


# -- what is written from them ----------------------------------------------------------------------------------------


@needs_results
def test_the_tables_of_other_pages_say_what_is_kept():
    import readme

    for page in readme.TABLES:
        assert readme.filled(page) == page.read_text(), "run docs/benchmarks/run.py --table"


@needs_results
def test_a_configuration_without_results_is_named():
    import lookup

    with pytest.raises(LookupError, match=r"no results of ours with .'d': 5. in burgers"):
        lookup.of("burgers", d=5)
