"""Windows of time and window functions have the rows on the stand-in that RisingWave gives."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_risingwave.standin.translation import translate
from django_risingwave.streaming.views import ViewDefinition

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TYPES = ["timestamptz", "timestamp", "date"]


@pytest.fixture(params=["UTC", "America/New_York"])
def zone(request: pytest.FixtureRequest, standin: DatabaseWrapper) -> str:
    """The time zone of the session."""
    zone: str = request.param
    with standin.cursor() as cursor:
        cursor.execute(f"SET TIME ZONE '{zone}'")
    return zone


def create(standin: DatabaseWrapper, kind: str, query: str) -> None:
    with standin.cursor() as cursor:
        cursor.execute(f"CREATE TABLE events (id int, at {kind})")
    with standin.schema_editor() as editor:
        editor.create_streaming_object(ViewDefinition("v", query))


def insert(cursor: Any, kind: str, *moments: datetime | None) -> None:
    for number, moment in enumerate(moments):
        value: Any = moment
        if moment is not None and kind != "timestamptz":
            value = moment.replace(tzinfo=None)
        cursor.execute("INSERT INTO events VALUES (%s, %s)", [number, value])


def windows(cursor: Any, sql: str) -> list[tuple[datetime, datetime]]:
    """Return the starts and ends of the windows, the latest first."""
    cursor.execute(
        "SELECT extract(epoch FROM window_start) * 1000000, extract(epoch FROM window_end) * 1000000"
        f" FROM ({sql}) AS windows ORDER BY 1 DESC"
    )
    return [
        (EPOCH + timedelta(microseconds=int(start)), EPOCH + timedelta(microseconds=int(end)))
        for start, end in cursor.fetchall()
    ]


# RisingWave 2.8.0 has the window's columns in the type of the time column, and a timestamp for a date.
@pytest.mark.parametrize("kind", TYPES)
def test_the_columns_of_windows_have_the_types_of_risingwave(standin: DatabaseWrapper, kind: str) -> None:
    create(standin, kind, "SELECT * FROM TUMBLE(events, at, INTERVAL '1 minute')")
    with standin.cursor() as cursor:
        cursor.execute(
            "SELECT column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = 'public' AND table_name = 'v' ORDER BY ordinal_position"
        )
        columns = dict(cursor.fetchall())
    assert list(columns) == ["id", "at", "window_start", "window_end"]
    expected = f"timestamp {'with' if kind == 'timestamptz' else 'without'} time zone"
    assert columns["window_start"] == columns["window_end"] == expected


moments = st.datetimes(datetime(1950, 1, 1), datetime(2050, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
sizes = st.sampled_from(
    [timedelta(seconds=7), timedelta(minutes=15), timedelta(hours=5), timedelta(days=1), timedelta(days=7)]
)
offsets = st.sampled_from([None, timedelta(0), timedelta(minutes=20), timedelta(days=2), timedelta(hours=-7)])


def interval(value: timedelta) -> str:
    return f"INTERVAL '{value.days} days {value.seconds} seconds'"


def start_of(moment: datetime, size: timedelta, offset: timedelta | None) -> datetime:
    """Return the latest start of a window, as RisingWave computes it."""
    shifted = moment - EPOCH - (offset or timedelta(0))
    return moment - shifted % size


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from(TYPES), moment=moments, size=sizes, offset=offsets)
def test_tumbling_windows_begin_at_multiples_of_their_size_in_utc(
    standin: DatabaseWrapper,
    zone: str,
    kind: str,
    moment: datetime,
    size: timedelta,
    offset: timedelta | None,
) -> None:
    if kind == "date":
        moment = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    arguments = [interval(size)] + ([] if offset is None else [interval(offset)])
    sql = translate("v", f"SELECT window_start, window_end FROM TUMBLE(events, at, {', '.join(arguments)})")
    with standin.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS events; CREATE TABLE events (id int, at {kind})")
        insert(cursor, kind, moment)
        start = start_of(moment, size, offset)
        assert windows(cursor, sql) == [(start, start + size)]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moment=moments, slide=sizes, factor=st.integers(1, 5), offset=offsets)
def test_hopping_windows_are_all_that_have_the_moment(
    standin: DatabaseWrapper,
    zone: str,
    moment: datetime,
    slide: timedelta,
    factor: int,
    offset: timedelta | None,
) -> None:
    size = slide * factor
    arguments = [interval(slide), interval(size)] + ([] if offset is None else [interval(offset)])
    sql = translate("v", f"SELECT window_start, window_end FROM HOP(events, at, {', '.join(arguments)})")
    with standin.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS events; CREATE TABLE events (id int, at timestamptz)")
        insert(cursor, "timestamptz", moment, None)
        found = windows(cursor, sql)
    latest = start_of(moment, slide, offset)
    starts = [latest - slide * number for number in range(factor)]
    assert found == [(start, start + size) for start in starts]
    assert all(start <= moment < start + size for start in starts)


@pytest.mark.parametrize(
    "table",
    [
        "TUMBLE(events, at, INTERVAL '1 day')",
        "tumble ( events, at, INTERVAL '24' HOUR ) AS w",
        "TUMBLE(events, at, INTERVAL '1 day') w",
        "TUMBLE(\"events\", \"at\", INTERVAL '1 day', INTERVAL '0 hours') AS events",
        "hop(events, at, INTERVAL '1 day', INTERVAL '1 day')",
        "TUMBLE(events, events.at, INTERVAL '1 day')",
        "TUMBLE(events, at, INTERVAL '1 day') JOIN events AS e USING (id)",
    ],
)
def test_a_window_may_be_written_in_any_way_that_risingwave_takes(
    standin: DatabaseWrapper, table: str
) -> None:
    query = f"SELECT id, window_start FROM {table} WHERE id >= 0 -- TUMBLE(events)"
    create(standin, "timestamptz", query)
    with standin.cursor() as cursor:
        insert(cursor, "timestamptz", datetime(2026, 11, 26, 18, 41, tzinfo=UTC))
        cursor.execute("SELECT id, window_start::date FROM v")
        assert cursor.fetchall() == [(0, date(2026, 11, 26))]


@pytest.mark.parametrize(
    "query",
    [
        "WITH e AS (SELECT * FROM events) SELECT id, window_start FROM TUMBLE(e, at, INTERVAL '1 h')",
        "SELECT events.id, window_start FROM TUMBLE(events, at, INTERVAL '1 hour')",
        "SELECT window_start, count(*) AS n FROM TUMBLE(events, at, INTERVAL '1 h') GROUP BY window_start",
        """SELECT a.id FROM TUMBLE(events, at, INTERVAL '1 h') AS a
            JOIN HOP(events, at, INTERVAL '1 h', INTERVAL '2 h') AS b ON a.window_start = b.window_start""",
    ],
)
def test_windows_stand_anywhere_in_a_select(standin: DatabaseWrapper, query: str) -> None:
    create(standin, "timestamptz", query)
    with standin.cursor() as cursor:
        insert(cursor, "timestamptz", datetime(2026, 11, 26, 18, 41, tzinfo=UTC))
        cursor.execute("SELECT * FROM v")
        assert len(cursor.fetchall()) == 1


@pytest.mark.parametrize(
    ("over", "translated"),
    [
        ("PARTITION BY a ORDER BY b", True),
        ("ORDER BY b, (SELECT max(c) FROM t ROWS)", True),
        ("PARTITION BY a", False),
        ("", False),
        ("ORDER BY b ROWS BETWEEN 1 PRECEDING AND CURRENT ROW", False),
        ("ORDER BY b RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW", False),
    ],
)
def test_a_window_without_a_frame_ends_at_the_row_as_on_risingwave(over: str, translated: bool) -> None:
    query = f"SELECT sum(x) OVER ({over}) AS n FROM t"
    expected = query.replace(f"{over})", f"{over} ROWS UNBOUNDED PRECEDING)") if translated else query
    assert translate("v", query) == expected


def test_a_window_that_has_a_name_ends_at_the_row_too() -> None:
    windows = "v AS (PARTITION BY a ORDER BY b{0}), w AS (ORDER BY b{0}), z AS (PARTITION BY a)"
    query = f"WITH c AS (SELECT * FROM t ORDER BY b) SELECT sum(x) OVER w AS n FROM c WINDOW {windows}"
    assert translate("v", query.format("")) == query.format(" ROWS UNBOUNDED PRECEDING")


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 'TUMBLE(events, at, x)' AS a, \"OVER\" FROM t -- EMIT ON WINDOW CLOSE",
        "SELECT a::float8, b || '100 %s', $$EMIT ON WINDOW CLOSE$$ FROM t /* proctime() */",
        "SELECT tumble, hop FROM t",
    ],
)
def test_nothing_else_is_changed(query: str) -> None:
    assert translate("v", query) == query
