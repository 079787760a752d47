from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from live import rendering
from live.history.comparisons import compared_moment, find_comparisons
from live.history.lookups import ends
from live.snapshots import NEW, Comparison, Snapshot
from live.windows import Window
from tests.live.history.histories import NOW, STATES, ago, keep

pytestmark = pytest.mark.django_db

ROWS = [("Ohio", 30.0), ("Utah", 20.0), ("Iowa", 20.0), ("Maine", 10.0)]
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def find() -> dict[str, Comparison]:
    return find_comparisons([(STATES, NOW)], NOW, ends([STATES.id]))


def compare() -> Comparison:
    return find()[STATES.id]


def moves(comparison: Comparison, *values: tuple[str, float]) -> list[int | str | None]:
    snapshot = Snapshot(STATES, values, changed_at=NOW, source="", comparison=comparison)
    return [row.movement for row in snapshot.rows()]


def test_a_ranking_is_compared_with_what_it_was_an_hour_ago():
    keep(ago(days=2), [("Texas", 1.0)])
    keep(ago(minutes=60), ROWS)
    keep(ago(minutes=59), [("Texas", 1.0)])

    comparison = compare()

    assert comparison.at == ago(minutes=60)
    assert comparison.ranks == {'"Ohio"': 1, '"Utah"': 2, '"Iowa"': 2, '"Maine"': 4}


def test_rows_with_the_same_value_share_their_place_before_and_now():
    keep(ago(days=2), ROWS)
    keep(ago(minutes=60), ROWS)

    now = moves(compare(), ("Maine", 50.0), ("Utah", 40.0), ("Iowa", 40.0), ("Texas", 30.0), ("Ohio", 20.0))

    assert now == [3, 0, 0, NEW, -4]


@pytest.mark.parametrize("minutes", [58, 62])
def test_the_record_of_another_minute_stands_for_a_missing_one_up_to_two_minutes_away(minutes):
    keep(ago(days=2), ROWS)
    keep(ago(minutes=minutes), ROWS)
    assert compare().at == ago(minutes=minutes)


def test_the_nearest_record_is_taken_and_of_two_the_earlier():
    keep(ago(days=2), ROWS)
    keep(ago(minutes=62), ROWS)
    keep(ago(minutes=61), ROWS)
    keep(ago(minutes=59), ROWS)
    assert compare().at == ago(minutes=61)


@pytest.mark.parametrize("minutes", [57, 63])
def test_in_a_gap_there_is_no_movement_and_the_gap_is_known(minutes):
    keep(ago(days=2), ROWS)
    keep(ago(minutes=minutes), ROWS)
    keep(ago(minutes=60), None)

    comparison = compare()

    assert comparison.at == ago(minutes=60)
    assert comparison.ranks is None
    assert moves(comparison, ("Ohio", 30.0)) == [None]


def test_a_young_history_is_compared_with_its_oldest_record():
    keep(ago(minutes=40), None)
    keep(ago(minutes=30), ROWS)
    keep(ago(minutes=20), ROWS)
    assert compare().at == ago(minutes=30)


def test_a_history_of_less_than_two_minutes_is_compared_with_nothing():
    assert find() == {}
    keep(ago(minutes=1), ROWS)
    assert find() == {}


@pytest.mark.parametrize(
    ("window", "moment"),
    [
        (Window.QUARTER_HOUR, ago(minutes=15)),
        (Window.HOUR, ago(hours=1)),
        (Window.TODAY, ago(hours=1)),
        (Window.ALL, ago(hours=1)),
        # Older records are kept by quarter-hour: not 12:07.
        (Window.WEEK, datetime(2026, 11, 20, 12, 0, tzinfo=UTC)),
    ],
)
def test_each_window_is_compared_with_the_time_just_before_it(window, moment):
    assert compared_moment(window, NOW, NOW, LONG_AGO) == moment


def test_a_week_ago_is_the_minute_where_minutes_are_kept_that_long(settings):
    settings.LIVE_HISTORY_DAYS = 8
    assert compared_moment(Window.WEEK, NOW, NOW, LONG_AGO) == ago(days=7)


def test_a_week_of_a_young_history_is_compared_with_its_oldest_record():
    assert compared_moment(Window.WEEK, NOW, NOW, ago(days=3)) == ago(days=3)


def test_two_histories_with_the_same_records_give_the_same_etag():
    keep(ago(days=2), ROWS)
    keep(ago(minutes=60), ROWS)
    values = (("Ohio", 30.0),)
    first, second = (
        Snapshot(STATES, values, changed_at=NOW + timedelta(seconds=n), source="", comparison=compare())
        for n in range(2)
    )
    without = Snapshot(STATES, values, changed_at=NOW, source="")
    assert first.etag() == second.etag() != without.etag()


def test_keys_of_any_type_are_the_same_before_and_after_they_are_kept():
    keep(ago(days=2), [])
    now = [(None, 5.0), (7, 4.0), (1.5, 3.0), ("ä\u2028", 2.0), (True, 1.0), (1e22, 0.5), (-0.0, 0.1)]
    keep(ago(minutes=60), now)
    ranking = replace(STATES, name=str)
    snapshot = Snapshot(ranking, tuple(now), changed_at=NOW, source="", comparison=compare())
    assert [row.movement for row in snapshot.rows(50)] == [0] * 7


def test_a_minute_of_long_ago_is_compared_with_a_record_that_is_still_kept():
    minute = datetime(2026, 11, 20, 12, 15, tzinfo=UTC)
    assert compared_moment(Window.QUARTER_HOUR, minute, NOW, LONG_AGO) == minute - timedelta(minutes=15)
    assert compared_moment(Window.ALL, minute + timedelta(minutes=7), NOW, LONG_AGO) == minute - timedelta(
        hours=1
    )


def test_a_card_says_why_it_has_no_movement(settings):
    def foot(comparison: Comparison | None) -> str:
        return rendering.card(Snapshot(STATES, (("Ohio", 1.0),), NOW, "", comparison=comparison))

    settings.LIVE_HISTORY = True
    assert "no movement yet" in foot(None)
    assert "no record of" in foot(Comparison(NOW, None))
    assert "no record of" not in foot(Comparison(NOW, {}))
    settings.LIVE_HISTORY = False
    assert "no movement yet" not in foot(None)
