"""How often subscriptions are polled, by the time that a round takes."""

from __future__ import annotations

import pytest

from django_risingwave.streaming.polling import Pace


def settled_interval(interval: float, round_seconds: float) -> float:
    """Return the interval after many rounds of the same duration."""
    pace = Pace(interval)
    return [pace.interval_after(round_seconds) for _ in range(1_000)][-1]


@pytest.mark.parametrize("round_seconds", [0.0, 0.001, 0.0099])
def test_rounds_that_take_less_than_a_tenth_of_the_interval_keep_it(round_seconds: float) -> None:
    assert settled_interval(0.1, round_seconds) == 0.1


@pytest.mark.parametrize("round_seconds", [0.011, 0.037, 0.09])
def test_longer_rounds_stretch_the_interval_until_they_take_a_tenth_of_the_time(round_seconds: float) -> None:
    assert settled_interval(0.1, round_seconds) == pytest.approx(10 * round_seconds)


def test_the_interval_is_not_stretched_beyond_a_second() -> None:
    assert settled_interval(0.1, 0.5) == 1


def test_an_interval_of_more_than_a_second_stays() -> None:
    assert settled_interval(5, 0.6) == 5


def test_a_single_slow_round_delays_the_next_one_little_and_is_soon_forgotten() -> None:
    pace = Pace(0.1)
    for _ in range(100):
        pace.interval_after(0.001)
    assert pace.interval_after(0.05) == 0.1
    assert pace.interval_after(0.2) < 0.4
    assert [pace.interval_after(0.001) for _ in range(20)][-1] == 0.1
