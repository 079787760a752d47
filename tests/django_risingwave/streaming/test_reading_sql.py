"""SQL of RisingWave is read for the relations in it, and compared without its form."""

from __future__ import annotations

import subprocess
import sys

import pytest

from django_risingwave.streaming.reading_sql import UnreadableSQLError, canonical, relations_read


@pytest.mark.parametrize(
    ("sql", "relations"),
    [
        ("SELECT 1", set()),
        ("SELECT * FROM Orders", {"orders"}),
        ('SELECT * FROM "Orders"', {"Orders"}),
        ("SELECT * FROM public.orders AS o JOIN items i ON i.id = o.itemid", {"orders", "items"}),
        ("SELECT * FROM a, LATERAL (SELECT * FROM b WHERE b.x = a.x) AS q", {"a", "b"}),
        ("SELECT x FROM a WHERE x IN (SELECT y FROM b) UNION ALL SELECT x FROM c", {"a", "b", "c"}),
        ("SELECT (SELECT max(x) FROM b) AS m FROM a", {"a", "b"}),
        ("SELECT * FROM TUMBLE(Orders, dt, INTERVAL '1 hour')", {"orders"}),
        ("SELECT * FROM tumble(public.orders, dt, INTERVAL '1' HOUR) AS w", {"orders"}),
        ("""SELECT * FROM HOP("Orders", dt, INTERVAL '1 minute', INTERVAL '1 hour') h""", {"Orders"}),
        ("SELECT * FROM TUMBLE(o, dt, INTERVAL '1 hour') EMIT ON WINDOW CLOSE;", {"o"}),
        ("SELECT * FROM a JOIN b FOR SYSTEM_TIME AS OF PROCTIME() ON a.x = b.x", {"a", "b"}),
        ("SELECT * FROM a ASOF JOIN b ON a.x = b.x AND a.t >= b.t", {"a", "b"}),
        ("SELECT * FROM generate_series(1, 2) AS g, unnest(ARRAY[1]) AS u", set()),
        ("WITH a AS (SELECT * FROM t) SELECT * FROM a", {"t"}),
        ("WITH a AS (SELECT * FROM t), b AS (SELECT * FROM A) SELECT * FROM b, c", {"t", "c"}),
        # The CTE isn't visible in itself.
        ("WITH a AS (SELECT * FROM a) SELECT * FROM a", {"a"}),
        ("WITH RECURSIVE a AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM a) SELECT * FROM a", set()),
        # Nor outside of the query that has it.
        ("SELECT * FROM (WITH a AS (SELECT * FROM t) SELECT * FROM a) AS q JOIN a ON true", {"t", "a"}),
        ("WITH o AS (SELECT * FROM t) SELECT * FROM TUMBLE(o, dt, INTERVAL '1 hour')", {"t"}),
        ("WITH a AS (SELECT * FROM t) SELECT * FROM public.a", {"t", "a"}),
    ],
)
def test_the_relations_that_a_select_reads(sql: str, relations: set[str]) -> None:
    assert relations_read(sql) == relations


@pytest.mark.parametrize(
    ("sql", "same"),
    [
        ("SELECT a FROM t", ' select "a"\nFROM /* all */ T -- of them\n;'),
        ("SELECT sum((a * b)::numeric) AS s FROM t", "SELECT SUM(CAST(a * b AS numeric)) s FROM t"),
        ("SELECT a FROM t WHERE (a > 1) AND b", "SELECT a FROM t WHERE a > 1 AND (b)"),
        ("SELECT my_function(a) FROM t", "SELECT MY_FUNCTION(a) FROM t"),
        ("SELECT t.a FROM t JOIN u ON true", 'SELECT t.a FROM T AS t JOIN "u" u ON true'),
        ("SELECT a FROM t EMIT ON WINDOW CLOSE", "SELECT a FROM t emit on  window close;"),
    ],
)
def test_form_makes_no_difference(sql: str, same: str) -> None:
    assert canonical(sql) == canonical(same)


@pytest.mark.parametrize(
    ("sql", "other"),
    [
        ("SELECT (a + b) * c FROM t", "SELECT a + b * c FROM t"),
        ("SELECT a - (b - c) FROM t", "SELECT a - b - c FROM t"),
        ("SELECT 'a' FROM t", "SELECT 'A' FROM t"),
        ("SELECT a FROM t", 'SELECT a FROM "T"'),
        ("SELECT a FROM t", "SELECT a FROM t EMIT ON WINDOW CLOSE"),
        ("SELECT a FROM t", "SELECT DISTINCT a FROM t"),
        ("SELECT count(a) FROM t", "SELECT count(DISTINCT a) FROM t"),
        ("SELECT a FROM t, u", "SELECT a FROM u, t"),
        ("SELECT a FROM t", "SELECT a FROM u AS t"),
        ("SELECT a FROM t", "SELECT a FROM t AS t (a)"),
        ("SELECT a::numeric FROM t", "SELECT a::float8 FROM t"),
        (
            "SELECT a FROM t WHERE d > now() - INTERVAL '1 day'",
            "SELECT a FROM t WHERE d > now() - INTERVAL '1 hour'",
        ),
        ("SELECT a FROM t ORDER BY a DESC", "SELECT a FROM t ORDER BY a DESC NULLS LAST"),
        (
            "SELECT sum(a) OVER (PARTITION BY b ORDER BY c) FROM t",
            "SELECT sum(a) OVER (PARTITION BY b ORDER BY c ROWS UNBOUNDED PRECEDING) FROM t",
        ),
    ],
)
def test_meaning_makes_a_difference(sql: str, other: str) -> None:
    assert canonical(sql) != canonical(other)


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("", "must be one SELECT, not nothing"),
        ("DROP TABLE t", "must be one SELECT, not DROP"),
        ("SELECT 1; SELECT 2", "must be one SELECT, not SELECT, SELECT"),
        ("SELECT a FROM", "sqlglot can't read the SQL: .*Line 1"),
        ("SELECT 'a FROM t", "sqlglot can't read the SQL: Error tokenizing"),
    ],
)
def test_what_is_not_a_select_is_refused_with_its_place(sql: str, problem: str) -> None:
    with pytest.raises(UnreadableSQLError, match=problem):
        relations_read(sql)
    with pytest.raises(UnreadableSQLError, match=problem):
        canonical(sql)


def test_a_process_that_serves_requests_loads_no_parser_of_sql() -> None:
    """It would take longer to start: sqlglot takes as long to import as all of Django."""
    code = (
        "import sys, django; django.setup(); from django.db import connections; connections['risingwave']; "
        "sys.exit('sqlglot' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
