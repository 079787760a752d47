"""How values are written for people."""

from datetime import UTC, datetime, timedelta

import pytest

from live import formats

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"), [(0, "$0"), (1234567.5, "$1,234,568"), (-12.4, "-$12"), (0.49, "$0")]
)
def test_money_is_written_in_whole_dollars(value, text):
    assert formats.money(value) == text


def test_quantities_have_no_decimals_and_averages_have_three():
    assert formats.quantity(12345) == "12,345"
    assert formats.average(4.21749) == "4.217"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "just now"),
        (0.9, "just now"),
        (1, "1 s ago"),
        (59.9, "59 s ago"),
        (60, "1 min ago"),
        (7200, "2 h ago"),
        (200_000, "2 d ago"),
    ],
)
def test_an_age_is_written_in_its_largest_whole_unit(seconds, text):
    assert formats.age(NOW - timedelta(seconds=seconds), NOW) == text


def test_a_key_is_written_as_it_is_and_as_a_word_if_it_cannot_be_seen():
    keys = ["Ohio", 7, None, "", " \t"]
    assert [formats.key(key) for key in keys] == ["Ohio", "7", "(none)", "(empty)", "(empty)"]


def test_a_visitors_input_is_quoted_and_cut():
    assert formats.quoted("x'") == repr("x'")
    assert formats.quoted("a" * 60) == f"'{'a' * 60}'"
    assert formats.quoted("a" * 61) == f"'{'a' * 60}…'"
