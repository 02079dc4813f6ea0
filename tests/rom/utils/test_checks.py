"""Checks of settings: what is accepted, and errors that name the argument, the value and the remedy."""

import numpy as np
import pytest
import torch

from rom.utils.checks import (
    describe,
    require_choice,
    require_flag,
    require_integer,
    require_names,
    require_number,
    require_widths,
    shortened,
)
from rom.utils.errors import RomTypeError, RomValueError


@pytest.mark.parametrize("value", [3, np.int64(3), torch.tensor(3)])
def test_integers_of_any_kind_become_int(value):
    assert type(require_integer("n", value, low=3)) is int


@pytest.mark.parametrize("value", [3.0, "3", None, True])
def test_what_is_no_integer_is_refused(value):
    with pytest.raises(RomTypeError, match="n must be an integer, got"):
        require_integer("n", value, low=0)


def test_an_integer_that_is_too_small_is_refused():
    with pytest.raises(RomValueError, match="n must be at least 2, got 1"):
        require_integer("n", 1, low=2)


@pytest.mark.parametrize("value", [0.5, 1, np.float32(0.5), torch.tensor(0.5)])
def test_numbers_of_any_kind_become_float(value):
    assert type(require_number("x", value, low=0.0)) is float


@pytest.mark.parametrize("value", ["1", True, 1j, None, np.ones(2)])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(RomTypeError, match="x must be a number, got"):
        require_number("x", value, low=0.0)


@pytest.mark.parametrize(
    ("value", "settings", "message"),
    [
        (np.nan, {"low": 0.0}, "x must be finite, at least 0, got nan"),
        (-1.0, {"low": 0.0}, "x must be finite, at least 0, got -1.0"),
        (0.0, {"low": 0.0, "exclusive": True}, "x must be finite, above 0, got 0.0"),
        (2.0, {"low": 0.0, "high": 1.0}, "x must be finite, at least 0 and at most 1, got 2.0"),
    ],
)
def test_a_number_outside_of_its_interval_is_refused(value, settings, message):
    with pytest.raises(RomValueError, match=message):
        require_number("x", value, **settings)


def test_an_unknown_word_is_refused_with_the_nearest_valid_one():
    require_choice("kind", "soap", ("soap", "adam"))
    with pytest.raises(RomValueError, match="kind: unknown 'adma'; did you mean 'adam'"):
        require_choice("kind", "adma", ("soap", "adam"))


def test_flags_are_true_or_false():
    require_flag("on", False)
    with pytest.raises(RomTypeError, match="on must be True or False, got 1"):
        require_flag("on", 1)


def test_widths_are_a_tuple_of_integers():
    require_widths("hidden", (8, 8))
    require_widths("hidden", ())
    with pytest.raises(RomTypeError, match="hidden must be a tuple of layer widths, got 8"):
        require_widths("hidden", 8)
    with pytest.raises(RomValueError, match=r"hidden\[1\] must be at least 1, got 0"):
        require_widths("hidden", (8, 0))


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        ("ab", RomTypeError, "dims must be a tuple of names, got 'ab'"),
        (("a", 1), RomTypeError, "dims must be a tuple of names"),
        (("a", "a"), RomValueError, "dims must not name anything twice"),
    ],
)
def test_names_are_a_tuple_of_different_strings(names, error, message):
    require_names("dims", ("a", "b"))
    with pytest.raises(error, match=message):
        require_names("dims", names)


def test_values_in_messages_fit_on_a_line():
    assert shortened(np.ones((100, 100))) == "ndarray of shape (100, 100)"
    assert shortened([1, 2, 3, 4, 5]) == "[1, 2, 3, 4, ...]"
    assert shortened((np.ones(3), None)) == "(ndarray of shape (3,), None)"
    assert describe([1, 2]) == "list of length 2"
    assert describe(3.0) == "float"
