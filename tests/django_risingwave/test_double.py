"""The double of RisingWave plays a whole server over the stand-in: tables, views, subscriptions, errors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from django_risingwave.testing.double.client import Client
from tests.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django_risingwave.base import DatabaseWrapper
    from django_risingwave.testing.double import Double


@pytest.fixture
def client(standin: DatabaseWrapper, double: Double) -> Iterator[Client]:
    with Client(double, standin.settings_dict["NAME"]) as client:
        for sql in (
            "CREATE TABLE t (a int, double_a int AS (a * 2))",
            "CREATE MATERIALIZED VIEW sums AS SELECT sum(a) AS total FROM t",
            "CREATE MATERIALIZED VIEW leaders AS SELECT total FROM sums ORDER BY total LIMIT 5",
            "CREATE SUBSCRIPTION leader_changes FROM leaders WITH (retention = '1 day')",
        ):
            assert client.ask(sql).error is None
        yield client


def test_a_table_without_a_key_has_a_hidden_one(client: Client) -> None:
    assert client.ask("INSERT INTO t VALUES (1)").tags == ("INSERT 0 1",)
    everything = client.ask("SELECT * FROM t")
    assert everything.columns == (("a", 23), ("double_a", 23))
    assert everything.rows == (("1", "2"),)
    assert client.ask("SELECT _row_id FROM t").columns == (("_row_id", 20),)


def test_a_view_over_a_view_follows_the_table_and_tells_its_subscription(
    client: Client, double: Double
) -> None:
    client.ask("DECLARE c SUBSCRIPTION CURSOR FOR leader_changes SINCE now()")
    client.ask("FLUSH")
    assert client.ask("FETCH 9 FROM c").rows == ()
    client.ask("INSERT INTO t VALUES (1), (2)")
    wait_until(lambda: double.changes["leaders"])
    fetched = client.ask("FETCH 9 FROM c")
    assert fetched.columns == (("total", 20), ("op", 1043), ("rw_timestamp", 20))
    assert [row[:2] for row in fetched.rows] == [("3", "Insert")]
    assert fetched.tags == ("FETCH_CURSOR",)


def test_an_error_ends_a_query_of_several_statements(client: Client) -> None:
    answer = client.ask("SELECT 1; SAVEPOINT a; INSERT INTO t VALUES (1)")
    assert answer.tags == ("SELECT 1",)
    assert answer.error
    assert client.ask("SELECT count(*) FROM t").rows == (("0",),)


@pytest.mark.parametrize(
    ("sql", "cause"),
    [
        ("SAVEPOINT a", "sql parser error: expected statement, found: SAVEPOINT"),
        ("SAVEPOINT not_recorded", "sql parser error: expected statement"),
        ("SELECT nothing FROM t", "Item not found: Invalid column: nothing"),
        ("SELECT a FROM nothing", "table not found: nothing"),
        ("CREATE TABLE t (a int)", "table with name t exists"),
        ("FETCH 1 FROM nothing", "internal error: Cannot find cursor `nothing`"),
        ("DROP TABLE t", "Permission denied: PermissionDenied: table used by 1 other objects."),
        ("DROP MATERIALIZED VIEW sums", "DETAIL: materialized view public.leaders depends on it"),
        ("DROP MATERIALIZED VIEW leaders", "DETAIL: subscription public.leader_changes depends on it"),
        ("DECLARE c SUBSCRIPTION CURSOR FOR nothing FULL", "subscription not found: nothing"),
        ("DECLARE c SUBSCRIPTION CURSOR FOR leader_changes SINCE 1", "rw_timestamp is too small"),
        (
            "DECLARE c SUBSCRIPTION CURSOR FOR leader_changes SINCE 9999999999999",
            "rw_timestamp is too large",
        ),
    ],
)
def test_an_error_is_told_in_risingwaves_words(client: Client, sql: str, cause: str) -> None:
    error = client.ask(sql).error
    assert error
    assert error.keys() == {"S", "C", "M"}
    assert re.match(r"Failed to run the query\n\nCaused by(:\n  | these errors .*:\n  1: )", error["M"])
    assert cause in error["M"]


def test_a_cursor_of_a_dropped_subscription_fails(client: Client) -> None:
    client.ask("DECLARE c SUBSCRIPTION CURSOR FOR leader_changes SINCE now()")
    client.ask("DROP SUBSCRIPTION leader_changes")
    error = client.ask("FETCH 1 FROM c").error
    assert error
    assert "Item not found: subscription leader_changes not found" in error["M"]


def test_cascade_drops_the_subscription_too(client: Client, double: Double) -> None:
    assert client.ask("DROP MATERIALIZED VIEW leaders CASCADE").tags == ("DROP_MATERIALIZED_VIEW",)
    assert double.subscriptions == {}


def test_times_are_written_as_risingwave_writes_them(client: Client) -> None:
    answer = client.ask("SELECT '2026-01-02 03:04:05.6+00'::timestamptz, '2026-01-02 03:04:05'::timestamptz")
    assert answer.rows == (("2026-01-02 03:04:05.600+00:00", "2026-01-02 03:04:05+00:00"),)
