"""CREATE statements are read as a server writes them."""

from __future__ import annotations

import re

import pytest

from django_risingwave.streaming.connectors.sql import Connector, SecretName, read_connector
from django_risingwave.streaming.inspecting import created_sql
from django_risingwave.streaming.inspecting.catalog import CatalogObject
from django_risingwave.streaming.inspecting.index_code import index_code
from django_risingwave.streaming.reading_sql import canonical
from django_risingwave.testing.transcripts import load

VIEW = "CREATE MATERIALIZED VIEW"


def recorded_definitions() -> dict[str, str]:
    """The definitions in RisingWave's answers, by name."""
    values = (value for transcript in load() for row in transcript.rows for value in row)
    return {value.split()[3]: value for value in values if value and value.startswith(VIEW)}


def sent_statements() -> dict[str, str]:
    """The statements that RisingWave accepted, by the view's name."""
    statements = (transcript.sql for transcript in load() if not transcript.error)
    return {
        statement.split()[3].strip('"'): statement for statement in statements if statement.startswith(VIEW)
    }


#: Its source has been swapped since.
SWAPPED = "w2"


def test_what_risingwave_writes_of_a_view_is_equal_to_what_it_was_sent() -> None:
    sent, recorded = sent_statements(), recorded_definitions()
    compared = (sent.keys() & recorded.keys()) - {SWAPPED}
    assert len(compared) >= 9
    for name in compared:
        ours, theirs = created_sql.select(sent[name]), created_sql.select(recorded[name])
        assert canonical(ours or "") == canonical(theirs or ""), name


def test_a_view_over_a_swapped_one_reads_it_by_its_new_name() -> None:
    definition = recorded_definitions()[SWAPPED]
    assert created_sql.sources(definition) == {"w1_new"}
    assert created_sql.sources(sent_statements()[SWAPPED]) == {"w1"}


@pytest.mark.parametrize(
    ("sql", "kind", "sources"),
    [
        ("CREATE VIEW v AS SELECT 1 AS a", "view", set()),
        (
            'CREATE MATERIALIZED  VIEW "V 1" AS WITH a AS (SELECT * FROM t) SELECT * FROM a, "T"',
            "materialized view",
            {"t", "T"},
        ),
        ("CREATE SUBSCRIPTION s FROM public.t WITH (retention = '1 day')", "subscription", {"t"}),
        ("CREATE SINK s FROM \"T\" WITH (connector = 'blackhole')", "sink", {"T"}),
        ("CREATE INDEX i ON t (a)", "index", {"t"}),
        ('CREATE UNIQUE INDEX i ON public."T" (a)', "index", {"T"}),
        ("CREATE TABLE t (a INT)", "table", set()),
        ("CREATE MATERIALIZED VIEW v AS SELECT FROM FROM", "materialized view", set()),
    ],
)
def test_the_kind_and_the_sources_are_read(sql: str, kind: str, sources: set[str]) -> None:
    assert created_sql.kind(sql) == kind
    assert created_sql.sources(sql) == sources


@pytest.mark.parametrize(
    ("sql", "select"),
    [
        ("CREATE MATERIALIZED VIEW IF NOT EXISTS public.v AS SELECT 'AS' AS a ;", "SELECT 'AS' AS a"),
        ("CREATE MATERIALIZED VIEW v WITH (backfill_rate_limit = 5) AS SELECT 1", "SELECT 1"),
        ('CREATE MATERIALIZED VIEW v (a, "B") AS SELECT 1, 2', 'SELECT * FROM (SELECT 1, 2) AS v (a, "B")'),
        ("CREATE TABLE t AS SELECT 1", None),
    ],
)
def test_the_select_of_a_view_is_cut_out(sql: str, select: str | None) -> None:
    assert created_sql.select(sql) == select


def test_the_retention_of_a_subscription_is_read() -> None:
    assert created_sql.retention("CREATE SUBSCRIPTION s FROM t WITH (retention = '12h')") == "12h"
    assert created_sql.retention("CREATE SUBSCRIPTION s FROM t") is None


def test_the_connector_of_a_recorded_source_is_read() -> None:
    (definition,) = {
        value
        for transcript in load()
        for row in transcript.rows
        for value in row
        if value and value.startswith("CREATE SOURCE")
    }
    found = read_connector(definition)
    assert found is not None
    address = found.options.pop("properties.bootstrap.server")
    assert re.fullmatch(r"127\.0\.0\.1:\d+", str(address))
    assert found == Connector(
        options={"connector": "kafka", "topic": "orders", "scan.startup.mode": "earliest"},
        format="PLAIN",
        encode="JSON",
    )


def test_each_clause_of_a_connector_is_read() -> None:
    assert read_connector(
        "CREATE TABLE t (id int, at timestamptz, PRIMARY KEY (id), WATERMARK FOR at AS at - INTERVAL '5 s')"
        " APPEND ONLY ON CONFLICT DO NOTHING INCLUDE timestamp AS \"Sent\" INCLUDE header 'x y' varchar AS h"
        " WITH (connector = 'kafka', properties.\"Foo-x\" = SECRET my_secret, a = 'it''s', b = 3)"
        " FORMAT PLAIN ENCODE AVRO (schema.registry = 'http://x')"
    ) == Connector(
        options={"connector": "kafka", "properties.Foo-x": SecretName("my_secret"), "a": "it's", "b": "3"},
        format="PLAIN",
        encode="AVRO",
        encode_options={"schema.registry": "http://x"},
        include={"timestamp": "Sent", "header.x y": "h"},
        append_only=True,
        on_conflict="DO NOTHING",
        watermark=("at", "at - INTERVAL '5 s'"),
    )


def test_each_form_of_a_sink_is_read() -> None:
    assert read_connector("CREATE SINK s FROM t WITH (connector = 'blackhole')") == Connector(
        options={"connector": "blackhole"}
    )
    assert read_connector("CREATE SINK s INTO u FROM t") == Connector(into="u")
    assert read_connector(
        "CREATE SINK s AS SELECT a AS b FROM t WHERE a IN (SELECT c FROM u) WITH (connector = 'kafka')"
        " FORMAT UPSERT ENCODE JSON"
    ) == Connector(
        options={"connector": "kafka"},
        format="UPSERT",
        encode="JSON",
        query="SELECT a AS b FROM t WHERE a IN (SELECT c FROM u)",
    )


def test_a_table_without_a_connector_has_none() -> None:
    assert read_connector('CREATE TABLE "with" ("a" INT, PRIMARY KEY ("a"))') is None
    assert read_connector("CREATE TABLE t (a INT) APPEND ONLY WITH (retention_seconds = 300)") is None
    mirror = "CREATE TABLE shop_order (id BIGINT, PRIMARY KEY (id)) FROM cdc TABLE 'public.shop_order'"
    assert read_connector(mirror) is None
    assert created_sql.is_mirror(mirror)
    assert not created_sql.is_mirror(
        "CREATE TABLE t (a INT) WITH (connector = 'kafka') FORMAT PLAIN ENCODE JSON"
    )


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ("(a)", "models.Index(fields=['a'], name='i')"),
        ('(a DESC, "B" ASC)', "models.Index(fields=['-a', 'b'], name='i')"),
        ("(a DESC NULLS FIRST, b NULLS LAST)", "models.Index(fields=['-a', 'b'], name='i')"),
        (
            "(a DESC NULLS LAST, b ASC NULLS LAST) INCLUDE (a, b) DISTRIBUTED BY (a)",
            (
                "models.Index(models.F('a').desc(nulls_last=True), models.F('b').asc(nulls_last=True),"
                " include=['a', 'b'], name='i')"
            ),
        ),
        ("(lower(a))", None),
        ("(a + b)", None),
    ],
)
def test_an_index_of_columns_becomes_a_models_index(columns: str, code: str | None) -> None:
    index = CatalogObject("i", "index", f"CREATE INDEX i ON t {columns}", (), frozenset({"t"}))
    assert index_code(index, str.lower) == code
