"""The time budget: shares of what remains, and what is skipped if there is too little."""

import math

import pytest

from rom.utils import time_budget
from rom.utils.time_budget import TimeBudget, seconds_for_fresh_flows


@pytest.fixture
def clock(monkeypatch):
    """Seconds that `time.monotonic` returns; a test sets them."""
    now = {"seconds": 0.0}
    monkeypatch.setattr(time_budget.time, "monotonic", lambda: now["seconds"])
    return now


def test_without_a_limit_nothing_is_limited():
    budget = TimeBudget()
    stages = (budget.for_simulation, budget.for_evaluation, budget.for_consistency_check, budget.for_isomap)
    assert all(stage() is None for stage in stages)
    assert budget.for_training(preparation=1e9) is None
    assert budget.allows_isomap
    assert not budget.selection_is_over
    assert seconds_for_fresh_flows(None) == math.inf


def test_stages_take_shares_of_what_remains(clock):
    budget = TimeBudget(100.0, started=0.0)
    assert budget.for_simulation() == pytest.approx(30.0)
    clock["seconds"] = 50.0
    assert budget.remaining == pytest.approx(50.0)
    assert budget.for_simulation() == pytest.approx(15.0)
    assert budget.for_evaluation() == pytest.approx(10.0)
    assert budget.for_consistency_check() == pytest.approx(1.0)
    assert budget.for_training(preparation=9.0) == pytest.approx(50.0 - 0.5 - 4.5)
    assert seconds_for_fresh_flows(10.0) == pytest.approx(0.2)


def test_a_limit_stays_positive_when_the_time_is_over(clock):
    budget = TimeBudget(1.0, started=0.0)
    clock["seconds"] = 5.0
    assert budget.remaining == 0.0
    assert 0.0 < budget.for_simulation() < 0.01


def test_stages_that_would_be_too_short_are_skipped(clock, caplog):
    budget = TimeBudget(10.0, started=0.0)
    clock["seconds"] = 8.0
    assert budget.for_training(preparation=1.1) == 0.0
    assert "max_seconds leaves no time for training" in caplog.text
    assert not budget.allows_isomap


def test_the_search_for_a_ridge_has_a_second_when_half_of_the_time_is_over(clock):
    budget = TimeBudget(4.0, started=0.0)
    clock["seconds"] = 3.0
    assert budget.selection_is_over
    assert not budget.ridge_search_is_over(first_done=math.inf)
    assert not budget.ridge_search_is_over(first_done=2.5)
    assert budget.ridge_search_is_over(first_done=1.9)
