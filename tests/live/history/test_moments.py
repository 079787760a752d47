"""The board as it was: `?at=` of the page, of the JSON and of a ranking's page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from django.http import QueryDict
from django.test import AsyncClient

from live import parameters
from live.history import clock, reading, records
from live.history.sparklines import Sparklines
from live.rankings import RANKINGS
from tests.conftest import BOTH
from tests.live.history.histories import STATES, keep
from tests.live.hubs import in_thread

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = BOTH

YESTERDAY = records.floor(datetime.now(UTC) - timedelta(hours=20))


@pytest.fixture(autouse=True)
def history(settings) -> Iterator[None]:
    settings.LIVE_HISTORY = True
    yield
    clock.stop()


@pytest.fixture(autouse=True)
def no_thread(monkeypatch) -> None:
    """Leave the history as the tests write it."""
    monkeypatch.setattr(clock, "start", lambda: None)


@pytest.fixture
async def past(transactional_db, site_environment):
    def write():
        keep(YESTERDAY - timedelta(hours=2), [("Ohio", 1.0)])
        keep(YESTERDAY - timedelta(hours=1), [("Utah", 3.0), ("Ohio", 2.0)])
        keep(YESTERDAY, [("Ohio", 30.0), ("Utah", 20.0), ("Iowa", 10.0)])
        keep(YESTERDAY, [(7, 30.0)], "products-by-quantity")
        keep(YESTERDAY + timedelta(minutes=1), None)

    await in_thread(write)()
    yield
    # Of the thread in which views ask the database.
    await in_thread(lambda: None)()


async def get(path: str, at: object):
    text = at.isoformat() if isinstance(at, datetime) else str(at)
    return await AsyncClient().get(path, {"at": text})


async def test_the_page_shows_the_board_as_it_was_and_says_so(past):
    page = await get("/", YESTERDAY + timedelta(seconds=30))
    text = page.content.decode()
    assert page.status_code == 200
    assert 'data-state="past"' in text
    assert (
        f'<time class="moment" datetime="{YESTERDAY + timedelta(seconds=30):%Y-%m-%dT%H:%M:%S}.000Z">' in text
    )
    assert "Ohio" in text
    # Whose key is a number in the record, too.
    assert "Noise-Cancelling Headphones" in text
    # Nothing was recorded of the other rankings.
    assert text.count("Nothing was recorded at this moment.") == len(RANKINGS) - 2


async def test_a_page_of_the_past_is_not_live(past):
    text = (await get("/", YESTERDAY)).content.decode()
    assert "live-updates" not in text
    assert "hx-ws:connect" not in text
    assert "http-equiv" not in text
    assert '<a href="/">Show now</a>' in text


async def test_the_way_back_to_now_keeps_what_else_was_chosen(past):
    page = await AsyncClient().get("/", {"at": YESTERDAY.isoformat(), "top": "10", "utm_source": "letter"})
    assert '<a href="/?top=10">Show now</a>' in page.content.decode()


async def test_json_has_the_rows_of_that_moment_with_their_movement(past):
    answer = (await get("/api/rankings/states-by-turnover/", YESTERDAY)).json()
    assert [(row["key"], row["value"], row["movement"]) for row in answer["rows"]] == [
        ("Ohio", 30, 1),
        ("Utah", 20, -1),
        ("Iowa", 10, "new"),
    ]
    assert answer["at"] == answer["changed_at"] == f"{YESTERDAY:%Y-%m-%dT%H:%M}:00.000Z"
    assert answer["compared_with"] == f"{YESTERDAY - timedelta(hours=1):%Y-%m-%dT%H:%M}:00.000Z"
    assert answer["totals"] == {"keys": 3, "sum": 100}
    both = (await get("/api/rankings/", YESTERDAY)).json()
    assert both["at"] == answer["at"]
    assert {one["ranking"]: len(one["rows"]) for one in both["rankings"]}["products-by-quantity"] == 1


async def test_the_page_of_a_ranking_shows_it_as_it_was(past):
    page = await get("/rankings/states-by-turnover/", YESTERDAY)
    text = page.content.decode()
    assert page.status_code == 200
    assert "Iowa" in text
    assert 'data-state="past"' in text
    assert "live-updates" not in text


async def test_values_at_the_end_of_what_a_float_holds_are_shown(past):
    def keep_huge():
        keep(YESTERDAY, [(1, 1e308), (2, 1e308)], "products-by-turnover")

    await in_thread(keep_huge)()
    for path in ("/", "/rankings/products-by-turnover/", "/api/rankings/"):
        assert (await get(path, YESTERDAY)).status_code == 200, path


async def test_in_a_gap_the_card_says_so(past):
    page = await get("/", YESTERDAY + timedelta(minutes=1, seconds=30))
    assert page.status_code == 200
    assert page.content.decode().count("Nothing was recorded at this moment.") == len(RANKINGS)


REFUSED = {
    "2026-13-01T00:00Z": "at must be a moment",
    "yesterday": "at must be a moment",
    "2026-11-26T14:00": "at must be a moment",
    "2026-11-26T14:00[Mars/Olympus]": "at must be a moment",
    "0001-01-01T00:00+23:59": "at must be a moment",
    "9999-12-31T23:59-12:00": "at must be a moment",
    "2999-01-01T00:00Z": "The moment is in the future.",
    "2020-01-01T00:00Z": "The history begins at",
}


async def test_a_moment_without_a_history_is_refused_by_name(past):
    for at, message in REFUSED.items():
        for path in ("/", "/api/rankings/", "/rankings/states-by-turnover/"):
            answer = await get(path, at)
            assert (answer.status_code, message in answer.content.decode()) == (400, True), (path, at)


async def test_where_no_history_is_kept_every_moment_is_refused(past, settings):
    settings.LIVE_HISTORY = False
    answer = await get("/api/rankings/", YESTERDAY)
    assert answer.status_code == 400
    assert answer.json()["error"] == "No history is kept here."


def test_a_moment_has_an_offset_or_a_time_zone():
    for text in (
        "2026-11-26T14:00+01:00",
        "2026-11-26T14:00 01:00",  # a plus that isn't percent-encoded
        "2026-11-26T13:00Z",
        "2026-11-26T14:00[Europe/Berlin]",
        "2026-11-26T14:00+01:00[Europe/Berlin]",
    ):
        query = QueryDict(mutable=True)
        query["at"] = text
        assert parameters.moment(query) == datetime(2026, 11, 26, 13, tzinfo=UTC), text


def test_a_local_time_that_comes_twice_is_the_first_and_one_that_is_left_out_is_later():
    for text, utc in (
        ("2026-10-25T02:30[Europe/Berlin]", "2026-10-25T00:30Z"),
        ("2026-10-25T02:30+01:00[Europe/Berlin]", "2026-10-25T01:30Z"),
        ("2026-03-29T02:30[Europe/Berlin]", "2026-03-29T01:30Z"),
    ):
        query = QueryDict(mutable=True)
        query["at"] = text
        assert parameters.moment(query) == datetime.fromisoformat(utc), text


async def test_a_series_has_a_point_each_step_and_none_in_a_gap(past):
    minute = timedelta(minutes=1)
    found = await reading.series(STATES, ["Ohio", "Texas"], YESTERDAY - minute, YESTERDAY + minute, minute)
    assert found.times == [YESTERDAY - minute, YESTERDAY, YESTERDAY + minute]
    assert found.values == {'"Ohio"': [None, 30, None], '"Texas"': [None, None, None]}


async def test_a_series_takes_the_newest_record_of_each_step(past):
    hour = timedelta(hours=1)
    until = records.floor(YESTERDAY, hour) + hour
    found = await reading.series(STATES, ["Ohio"], until - 3 * hour, until, hour)
    assert [value for value in found.values['"Ohio"'] if value is not None] == [1, 2, 30]


async def test_a_series_of_too_many_points_is_refused():
    with pytest.raises(ValueError, match="at most 500 points"):
        await reading.series(STATES, [], YESTERDAY - timedelta(hours=1), YESTERDAY, timedelta(seconds=1))


async def test_pages_that_poll_get_the_charts_of_their_rankings(monkeypatch, site_environment):
    charts = {
        id_: Sparklines(id_, YESTERDAY, 60, {"abc": [None, 50]})
        for id_ in ("states-by-turnover", "products-by-quantity")
    }
    monkeypatch.setattr(clock, "sparklines", lambda: charts)
    answer = await AsyncClient().get("/sparklines/", {"rankings": "states-by-turnover,products-by-turnover"})
    assert answer.json() == [charts["states-by-turnover"].payload]


async def test_the_export_and_the_page_of_a_ranking_are_of_the_moment(past):
    answer = await get("/rankings/states-by-turnover/csv/", YESTERDAY)
    assert answer.content.decode("utf-8-sig").splitlines() == [
        "rank,key,name,turnover",
        "1,Ohio,Ohio,30.0",
        "2,Utah,Utah,20.0",
        "3,Iowa,Iowa,10.0",
    ]
    assert f"{YESTERDAY:%Y-%m-%d}.csv" in answer.headers["Content-Disposition"]
    page = (await get("/rankings/states-by-turnover/", YESTERDAY)).content.decode()
    assert "live-updates" not in page
    assert f"at={YESTERDAY:%Y-%m-%d}" in page.split("csv/?")[1].split('"')[0]
