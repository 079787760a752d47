"""A value crosses a threshold once, whoever judges it, and stays crossed until it is back inside."""

from __future__ import annotations

import dataclasses
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from live import checks
from live.alerts import judging, webhook
from live.leading import LEADING_ROWS
from live.models import Crossing, Record
from live.rankings import RANKINGS, RelationRanking
from live.snapshots import key_text
from live.thresholds import Threshold
from live.windows import Window

if TYPE_CHECKING:
    from collections.abc import Callable

    Rows = dict[Any, float | None]

pytestmark = pytest.mark.django_db(transaction=True)
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
STATES = RANKINGS["states-by-turnover"]


@pytest.fixture
def posted(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    monkeypatch.setattr(webhook, "post", messages.append)
    return messages


@pytest.fixture
def judge() -> Callable[..., list[str]]:
    """Judge the rows of a minute with thresholds. Return the keys of the crossings that are open."""

    def judge(
        minute: int, rows: dict[Any, float | None], *thresholds: Threshold, **changes: Any
    ) -> list[str]:
        ranking = dataclasses.replace(STATES, thresholds=thresholds, **changes)
        judging.judge(ranking, record(minute, rows))
        crossings = Crossing.objects.filter(ended_at=None)
        return sorted(crossings.values_list("key", flat=True))

    return judge


def record(minute: int, rows: Rows) -> Record:
    total = sum(value or 0 for value in rows.values())
    at = NOON + timedelta(minutes=minute)
    return Record(ranking=STATES.id, at=at, rows=[part for row in rows.items() for part in row], total=total)


ABOVE = Threshold(above=500)


def test_a_row_crosses_once_and_stays_crossed_until_it_is_5_percent_inside(judge, posted, caplog):
    caplog.set_level(logging.INFO)
    assert judge(0, {"Ohio": 500.0}, ABOVE) == []
    assert judge(1, {"Ohio": 501.0}, ABOVE) == ['"Ohio"']
    assert judge(2, {"Ohio": 480.0}, ABOVE) == ['"Ohio"']
    assert judge(3, {"Ohio": 600.0}, ABOVE) == ['"Ohio"']
    assert judge(4, {"Ohio": 475.0}, ABOVE) == []
    assert judge(5, {"Ohio": 490.0}, ABOVE) == []
    assert judge(6, {"Ohio": 501.0}, ABOVE) == ['"Ohio"']
    first, second = Crossing.objects.order_by("began_at")
    assert first.began_at == NOON + timedelta(minutes=1)
    assert first.ended_at == NOON + timedelta(minutes=4)
    assert [message["id"] for message in posted] == [first.pk, second.pk]
    assert [one.getMessage() for one in caplog.records if one.name == "live.alerts.judging"] == [
        "ranking states-by-turnover: Ohio is above $500 ($501)",
        "ranking states-by-turnover: Ohio is no longer above $500, since 2026-11-27T12:01+00:00",
        "ranking states-by-turnover: Ohio is above $500 ($501)",
    ]


def test_the_message_has_what_a_program_and_a_chat_need(judge, posted):
    judge(0, {"Ohio": 501.0}, ABOVE)
    (message,) = posted
    assert message == {
        "version": 1,
        "event": "crossed",
        "id": Crossing.objects.get().pk,
        "ranking": "states-by-turnover",
        "window": "all",
        "title": "states by turnover",
        "threshold": {"of": "row", "above": 500, "below": None, "clear": 475, "text": "above $500"},
        "key": "Ohio",
        "name": "Ohio",
        "value": 501.0,
        "display": "$501",
        "since": "2026-11-27T12:00:00.000Z",
        "text": "states by turnover: Ohio above $500 ($501)",
    }


def test_processes_that_judge_at_the_same_time_report_a_crossing_once(posted):
    ranking = dataclasses.replace(STATES, thresholds=(ABOVE,))

    def judge(minute: int) -> None:
        try:
            judging.judge(ranking, record(minute, {"Ohio": 501.0, "Utah": 502.0}))
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(judge, [0, 1, 0, 1]))
    assert len(posted) == Crossing.objects.count() == 2


def test_a_slow_process_does_not_begin_again_what_a_later_record_has_ended(judge, posted):
    judge(0, {"Ohio": 501.0}, ABOVE)
    judge(2, {"Ohio": 400.0}, ABOVE)
    assert judge(1, {"Ohio": 501.0}, ABOVE) == []
    assert len(posted) == 1


def test_a_slow_process_does_not_end_what_a_later_record_has_begun(judge, posted):
    judge(2, {"Ohio": 501.0}, ABOVE)
    assert judge(1, {"Ohio": 400.0}, ABOVE) == ['"Ohio"']


def test_a_threshold_of_the_total_and_one_of_a_single_row_are_judged(judge, posted):
    thresholds = Threshold(above=900, of="total"), Threshold(below=10, key=None), Threshold(below=5, clear=6)
    crossed = judge(0, {"Ohio": 901.0, None: 9.0, "Utah": 8.0}, *thresholds)
    assert crossed == ["", "null"]
    assert {message["text"] for message in posted} == {
        "states by turnover: above $900 ($918)",
        "states by turnover: (no state) below $10 ($9)",
    }


def test_a_row_that_is_no_longer_among_the_leading_ends_where_its_value_can_not_be_beyond(judge, posted):
    def rows(last: float) -> dict[Any, float | None]:
        return {f"S{number}": last for number in range(LEADING_ROWS)}

    judge(0, {"Ohio": 501.0}, ABOVE)
    assert judge(1, rows(490), ABOVE) == ['"Ohio"'], "its value may be between 475 and 490"
    assert judge(2, rows(470), ABOVE) == []
    judge(3, {"Ohio": 501.0, "Utah": 502.0}, ABOVE)
    assert judge(4, {"Ohio": 501.0}, ABOVE) == ['"Ohio"'], "all rows are known: Utah is gone"
    assert judge(5, {"Ohio": None}, ABOVE) == []
    below = Threshold(below=5)
    judge(6, {"Ohio": 4.0}, below)
    assert judge(7, rows(3), below)[0] == '"Ohio"', "its value is at most 3"


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_no_value_crosses_nothing(judge, posted, value):
    assert judge(0, {"Ohio": value}, ABOVE, Threshold(below=500)) == []


def test_a_record_without_rows_changes_nothing(judge, posted):
    judge(0, {"Ohio": 501.0}, ABOVE)
    ranking = dataclasses.replace(STATES, thresholds=(ABOVE,))
    judging.judge(ranking, Record(ranking=STATES.id, at=NOON + timedelta(minutes=1), rows=None))
    assert Crossing.objects.filter(ended_at=None).count() == 1


def test_a_threshold_is_judged_in_its_window_only(judge, posted):
    assert judge(0, {"Ohio": 501.0}, Threshold(above=500, window=Window.HOUR)) == []


def test_a_ranking_without_thresholds_asks_the_database_nothing(judge, django_assert_num_queries):
    with django_assert_num_queries(0):
        judging.judge(dataclasses.replace(STATES, thresholds=()), record(0, {"Ohio": 1.0}))


def test_crossings_that_ended_long_ago_are_deleted(judge, posted):
    judge(0, {"Ohio": 501.0}, ABOVE)
    judge(1, {"Ohio": 1.0}, ABOVE)
    later = 1 + int(judging.KEEP_CROSSINGS.total_seconds()) // 60 + 1
    judge(later, {"Ohio": 501.0}, ABOVE)
    judge(later + 1, {"Ohio": 1.0}, ABOVE)
    assert Crossing.objects.get().began_at == NOON + timedelta(minutes=later)


def test_names_that_begin_a_line_or_fail_harm_nothing(judge, posted, caplog):
    def name(key: Any) -> str:
        raise ValueError(key)

    judge(0, {"Ohio": 501.0}, ABOVE, name=name)
    assert posted[0]["name"] == "Ohio"


def test_a_crossing_that_could_not_be_told_of_is_told_as_soon_as_it_can_be(judge, posted):
    def display(value: float) -> str:
        raise ValueError(value)

    assert judge(0, {"Ohio": 501.0}, ABOVE, display=display) == []
    assert judge(1, {"Ohio": 501.0}, ABOVE) == ['"Ohio"']
    assert [message["display"] for message in posted] == ["$501"]


def test_a_total_that_is_gone_with_all_rows_is_no_longer_crossed(judge, posted):
    threshold = Threshold(above=900, of="total")
    assert judge(0, {"Ohio": 901.0}, threshold) == [""]
    ranking = dataclasses.replace(STATES, thresholds=(threshold,))
    empty = Record(ranking=STATES.id, at=NOON + timedelta(minutes=1), rows=[], keys=0, total=None)
    judging.judge(ranking, empty)
    assert not Crossing.objects.filter(ended_at=None).exists()


def test_a_row_of_a_ranking_of_the_smallest_is_judged(posted):
    ranking = RelationRanking(
        **{field.name: getattr(STATES, field.name) for field in dataclasses.fields(STATES)}
        | {"thresholds": (Threshold(below=5),)},
        relation=None,  # type: ignore[arg-type]
        ascending=True,
    )
    judging.judge(ranking, record(0, {"Ohio": 4.0}))
    judging.judge(ranking, record(1, {f"S{number}": 6.0 for number in range(LEADING_ROWS)}))
    assert not Crossing.objects.filter(ended_at=None).exists()


# ---- declarations


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "either `above` or `below`"),
        ({"above": 1, "below": 2}, "either `above` or `below`"),
        ({"above": float("nan")}, "finite number"),
        ({"above": 1, "of": "sum"}, '"row" or "total"'),
        ({"above": 1, "of": "total", "key": "Ohio"}, "can't have a key"),
        ({"above": 5, "clear": 6}, "`clear` must be inside"),
        ({"below": 5, "clear": 4}, "`clear` must be inside"),
    ],
)
def test_a_threshold_that_means_nothing_is_refused(arguments, message):
    with pytest.raises(ImproperlyConfigured, match=message):
        Threshold(**arguments)


def test_thresholds_have_names_of_their_own_that_fit_the_column():
    thresholds = [
        Threshold(above=1),
        Threshold(above=1.5),
        Threshold(below=1),
        Threshold(above=1, of="total"),
        Threshold(above=1, key="x" * 300),
        Threshold(above=1, key="x" * 301),
        Threshold(above=1, key=None),
    ]
    names = {threshold.name for threshold in thresholds}
    assert len(names) == len(thresholds)
    assert max(map(len, names)) <= 250
    assert Threshold(above=1).name == Threshold(above=1.0).name


@pytest.mark.parametrize(
    ("slug", "thresholds", "message"),
    [
        ("states-by-turnover", (ABOVE, Threshold(above=500.0)), "twice"),
        ("products-by-quantity", (Threshold(above=5, window=Window.WEEK),), "doesn't declare"),
        ("products-by-average-quantity", (Threshold(above=5, of="total"),), "isn't summed"),
    ],
)
def test_a_threshold_that_its_ranking_can_not_have_is_an_error(monkeypatch, slug, thresholds, message):
    ranking = dataclasses.replace(RANKINGS[slug], thresholds=thresholds)
    monkeypatch.setattr(checks, "RANKINGS", {slug: ranking})
    (error,) = checks.check_thresholds()
    assert message in error.msg
    assert error.id == "live.E006"


def test_the_key_of_a_threshold_may_be_of_any_type(judge, posted):
    moment = datetime(2026, 11, 27, tzinfo=UTC)
    kept = key_text(moment).strip('"')
    assert judge(0, {kept: 501.0}, Threshold(above=500, key=moment)) == [key_text(moment)]
