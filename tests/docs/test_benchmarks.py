"""What decides in the benchmarks: which solver a forecast is held against, and which results are of an earlier state."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.usefixtures("benchmarks")

FOLDER = Path(__file__).parents[2] / "docs" / "benchmarks"


@pytest.fixture
def benchmarks(monkeypatch):
    """The modules of docs/benchmarks, importable within a test."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(FOLDER))
    yield
    for name in set(sys.modules) - before:
        if str(FOLDER) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


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


def test_results_of_other_sources_are_known_as_such():
    from runs import OURS, Record, Run, packages

    now = packages()
    assert not Record(Run(OURS), {}, packages=now).of_earlier_packages
    assert Record(Run(OURS), {}).of_earlier_packages
    assert Record(Run(OURS), {}, packages=now | {"rom": "other"}).of_earlier_packages
    assert not Record(Run("dmd"), {}, packages=now | {"rom": "other"}).of_earlier_packages
    assert Record(Run("profile"), {}, packages=now | {"rom": "other"}).of_earlier_packages
    assert Record(Run("dmd"), {}, packages=now | {"systems": "other"}).of_earlier_packages


def test_a_digest_depends_on_the_method_alone():
    from runs import digest

    assert digest("burgers", "published") != digest("burgers", "dmd")
    assert digest("burgers", "dmd") == digest("burgers", "dmd")


def test_the_tables_of_other_pages_say_what_is_kept():
    import readme

    for page in readme.TABLES:
        assert readme.filled(page) == page.read_text(), "run docs/benchmarks/run.py --table"


def test_a_configuration_without_results_is_named():
    import readme

    with pytest.raises(LookupError, match=r"no results of ours with .'d': 5. in burgers"):
        readme.of("burgers", d=5)
