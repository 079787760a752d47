"""The geometry of a ranking's chart."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from live.opened.chart import Chart, Span, default_span, draw, grid_step
from live.windows import Window

if TYPE_CHECKING:
    from collections.abc import Sequence

UNTIL = datetime(2026, 11, 27, 14, 7, tzinfo=UTC)


def dollars(value: float | None) -> str:
    return "–" if value is None else f"${value:,g}"


def chart(*values: Sequence[float | None], span: Span = Span.QUARTER_HOUR) -> Chart:
    names = {f'"{number}"': (str(number), f"State {number}") for number in range(len(values))}
    times = [UNTIL - span.step * back for back in reversed(range(len(values[0])))]
    drawn = draw(names, times, dict(zip(names, values, strict=True)), dollars, span)
    assert drawn is not None
    return drawn


def test_a_gap_of_the_history_is_a_gap_of_the_line() -> None:
    [line] = chart([1, 2, None, 3, 2]).lines
    assert line.path.count("M") == 2


def test_a_point_between_two_gaps_is_drawn() -> None:
    [line] = chart([None, 2, None]).lines
    assert line.path.endswith("h0")


def test_a_point_without_a_line_has_a_mark() -> None:
    drawn = chart([1.0] * 60, [None] * 59 + [2.0])
    assert [mark.x for mark in drawn.lines[1].marks] == [drawn.last.x]


def test_a_row_that_has_never_been_among_the_leading_rows_has_no_line_and_no_value() -> None:
    drawn = chart([1, 2], [None, None])
    assert drawn.lines[1].path == ""
    assert [cell.text for cell in drawn.last.cells] == ["$2", "–"]


def test_without_any_value_there_is_no_chart() -> None:
    assert draw({'"a"': ("a", "A")}, [UNTIL], {'"a"': [None]}, str, Span.HOUR) is None


def test_negative_values_are_drawn_on_both_sides_of_zero() -> None:
    drawn = chart([-50, 100])
    assert drawn.zero is not None
    assert 0 < float(drawn.zero.rstrip("%")) < 100
    assert "$0" in [line.text for line in drawn.grid]


@pytest.mark.parametrize(
    "values",
    [
        *([0, 0], [5, 5], [-3, -3], [1e-9, 2e-9], [5e299, 1e300], [0.1, 0.3], [199, 601], [0, 1e-300]),
        *([0, 5e-324], [-1e300, 1e300], [0.3, 0.1 + 0.2], [1e300, math.nextafter(1e300, 0)]),
    ],
)
def test_all_values_lie_within_the_grid(values: list[float]) -> None:
    drawn = chart(values)
    ys = [float(cell.y.rstrip("%")) for moment in drawn.moments for cell in moment.cells]
    assert all(0 <= y <= 100 for y in ys)
    assert 2 <= len(drawn.grid) <= 7


def test_a_value_too_large_to_be_drawn_hides_no_other() -> None:
    drawn = chart([1, 2], [1.7e308, -1.7e308])
    assert drawn.lines[0].path
    assert drawn.lines[1].path == ""


def test_the_distance_of_the_grid_is_round() -> None:
    assert grid_step(200_000, 600_000) == 100_000
    assert grid_step(0, 1) == 0.2
    assert grid_step(8.1, 11.4) == 1


def test_the_marks_of_two_lines_are_at_different_times() -> None:
    drawn = chart(*[[1.0] * 60] * 5)
    places = [mark.x for line in drawn.lines for mark in line.marks]
    assert len(set(places)) == len(places)


@pytest.mark.parametrize("span", Span)
def test_the_axis_has_round_times_in_their_order(span: Span) -> None:
    ticks = chart([1, 2], span=span).ticks
    assert 2 <= len(ticks) <= 6
    for tick in ticks:
        assert tick.moment is not None
        assert tick.moment.minute % 5 == 0
    assert all(b.moment - a.moment == span.tick for a, b in pairwise(ticks))  # type: ignore[operator]


def test_each_chart_has_at_most_120_points() -> None:
    assert all(span.length / span.step <= 120 for span in Span)


def test_a_chart_reaches_back_as_far_as_its_window() -> None:
    assert [default_span(window).length for window in Window] == [
        timedelta(minutes=15),
        timedelta(hours=1),
        timedelta(days=1),
        timedelta(days=7),
        timedelta(days=1),
    ]
