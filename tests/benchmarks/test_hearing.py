"""The figures of benchmarks/hearing.py."""

from __future__ import annotations

from benchmarks.hearing import STEPS, Moments, table


def moments(inserted: float, *delays: float) -> Moments:
    """Return moments whose steps follow the insert, for one ranking, by these delays in seconds."""
    moments = Moments(inserted)
    for step, delay in zip(STEPS, delays, strict=True):
        moments.note(step, "a", inserted + delay)
    return moments


def test_the_first_time_that_a_step_reaches_a_ranking_counts():
    measured = moments(100, 1, 2, 3)
    measured.note("frame", "a", 200)
    assert measured.reached["frame"] == {"a": 103}


def test_an_order_is_complete_when_each_step_has_reached_each_ranking():
    measured = moments(100, 1, 2, 3)
    assert measured.are_complete({"a"})
    assert not measured.are_complete({"a", "b"})


def test_the_table_has_the_times_between_the_steps_in_milliseconds():
    measured = [moments(100, 0.5, 0.6, 0.625), moments(200, 0.5, 0.75, 0.875)]
    assert table(measured).splitlines()[2:] == [
        "| inserted to visible | 2 | 500 | 500 | 500 |",
        "| visible to told | 2 | 175 | 250 | 250 |",
        "| visible to frame | 2 | 250 | 375 | 375 |",
        "| inserted to frame | 2 | 750 | 875 | 875 |",
    ]
