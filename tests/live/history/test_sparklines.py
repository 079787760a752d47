from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from live.history.lookups import ends
from live.history.sparklines import POINTS, Sparklines, find_sparklines
from live.snapshots import row_id
from live.windows import Window
from tests.live.history.histories import NOW, STATES, ago, keep

pytestmark = pytest.mark.django_db

OHIO, UTAH = row_id("Ohio"), row_id("Utah")


def chart(window: Window = Window.ALL, end: datetime = NOW) -> Sparklines:
    ranking = replace(STATES, window=window)
    return find_sparklines([ranking], end, ends([ranking.id]))[ranking.id]


def test_a_day_has_a_point_each_hour_and_a_little_more():
    for hours in range(30):
        keep(ago(hours=hours), [("Ohio", 30.0 - hours)])
    sparklines = chart()
    assert sparklines.step_seconds == 63 * 60
    assert len(sparklines.rows[OHIO]) == POINTS
    assert sparklines.rows[OHIO][-1] == 100


def test_points_go_from_the_smallest_value_to_the_largest_and_the_newest_comes_last():
    for minutes, value in enumerate((8.0, 6.0, -2.0, 3.0)):
        keep(ago(minutes=minutes), [("Ohio", value)])
    sparklines = chart()
    assert sparklines.at == NOW
    assert sparklines.step_seconds == 60
    assert sparklines.rows[OHIO] == [None] * 20 + [50, 0, 80, 100]


def test_a_value_that_stays_is_in_the_middle():
    keep(ago(minutes=1), [("Ohio", 7.0)])
    keep(NOW, [("Ohio", 7.0)])
    assert chart().rows[OHIO][-2:] == [50, 50]


def test_a_gap_stays_a_gap_and_so_does_the_time_in_which_a_row_did_not_lead():
    keep(ago(minutes=3), [("Ohio", 1.0), ("Utah", 1.0)])
    keep(ago(minutes=2), None)
    keep(ago(minutes=1), [("Ohio", 2.0)])
    keep(NOW, [("Ohio", 3.0), ("Utah", 5.0)])
    sparklines = chart()
    assert sparklines.rows[OHIO][-4:] == [0, None, 50, 100]
    assert sparklines.rows[UTAH][-4:] == [0, None, None, 100]


def test_rows_that_have_left_the_ranking_have_no_chart():
    keep(ago(minutes=1), [("Ohio", 1.0), ("Utah", 2.0)])
    keep(NOW, [("Ohio", 1.0)])
    assert list(chart().rows) == [OHIO]


def test_today_begins_at_midnight_in_the_time_zone_of_the_site(settings):
    settings.TIME_ZONE = "Asia/Kolkata"
    end = datetime(2026, 11, 26, 18, 40, tzinfo=UTC)  # 00:10 of the next day there
    ranking = replace(STATES, window=Window.TODAY)
    for minutes in range(30):
        keep(end - timedelta(minutes=minutes), [("Ohio", 1.0 + minutes)], ranking.id)
    points = chart(Window.TODAY, end).rows[OHIO]
    assert [point is None for point in points] == [True] * 13 + [False] * 11


def test_a_week_takes_the_records_that_are_kept_by_quarter_hour():
    for quarters in range(4 * 24 * 8):
        keep(
            NOW.replace(minute=0) - timedelta(minutes=15 * quarters),
            [("Ohio", float(-quarters))],
            replace(STATES, window=Window.WEEK).id,
        )
    points = chart(Window.WEEK).rows[OHIO]
    assert len(points) == POINTS
    assert points == sorted(point for point in points if point is not None)


def test_the_message_names_the_ranking_and_the_time_between_two_points():
    keep(NOW, [("Ohio", 1.0)])
    message = json.loads(chart().message)
    assert message == {
        "type": "sparklines",
        "ranking": STATES.id,
        "step": 60,
        "rows": {OHIO: [None] * 23 + [50]},
    }


def test_numbers_near_the_largest_float_have_charts():
    keep(ago(minutes=1), [("Ohio", -1.7e308)])
    keep(NOW, [("Ohio", 1.7e308)])
    assert chart().rows[OHIO][-2:] == [0, 100]
