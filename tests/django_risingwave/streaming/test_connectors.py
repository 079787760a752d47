"""What sources, tables with a connector and sinks are for RisingWave, and what is refused in words."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from django.db import NotSupportedError, models
from django.db.migrations.writer import MigrationWriter
from django.test.utils import isolate_apps

from django_risingwave.fields import RowIdField
from django_risingwave.models import Source
from django_risingwave.streaming.connectors.definitions import ConnectorTableDefinition, SourceDefinition
from django_risingwave.streaming.declaring.declarations import DeclarationError, declared
from django_risingwave.streaming.secrets import Environment, Secret, SecretDefinition
from django_risingwave.streaming.sinks import Sink, SinkDefinition
from django_risingwave.streaming.views import ViewDefinition
from tests.django_risingwave.streaming.connected import Click, Payment, Reading, create_sql, definition_of

BLACKHOLE = {"connector": "blackhole"}
KAFKA = {"connector": "kafka"}


def test_a_source_has_the_columns_of_its_model_and_includes_parts_of_the_message() -> None:
    assert create_sql(definition_of(Click)) == (
        'CREATE SOURCE "clicks" ("click_id" text, "page" text) INCLUDE timestamp AS "arrived_at" WITH ('
        "connector = 'kafka', topic = 'orders', properties.bootstrap.server = '${KAFKA_SERVERS}', "
        "scan.startup.mode = 'earliest') FORMAT PLAIN ENCODE JSON"
    )


def test_a_table_with_a_connector_has_a_key_and_secrets_by_name() -> None:
    assert create_sql(definition_of(Payment)) == (
        'CREATE TABLE "payments" ("payment_id" bigint, "amount" numeric, PRIMARY KEY ("payment_id")) '
        """INCLUDE timestamp AS "arrived_at" INCLUDE header 'trace' varchar AS "trace" """
        "WITH (connector = 'kafka', topic = 'orders', properties.bootstrap.server = '${KAFKA_SERVERS}', "
        """scan.startup.mode = 'earliest', properties.sasl.password = SECRET "kafka_password") """
        "FORMAT PLAIN ENCODE JSON"
    )
    attached = declared(Payment).attached
    assert attached.keys() == {"payments_changes", "payments_to_nowhere"}
    assert create_sql(attached["payments_to_nowhere"]) == (
        """CREATE SINK "payments_to_nowhere" FROM "payments" WITH (connector = 'blackhole')"""
    )


def test_a_table_without_a_key_may_be_append_only_and_have_a_watermark() -> None:
    assert create_sql(definition_of(Reading)) == (
        'CREATE TABLE "readings" ("measured_at" timestamp with time zone, "value" double precision, '
        """WATERMARK FOR "measured_at" AS measured_at - INTERVAL '5 seconds') APPEND ONLY """
        "WITH (connector = 'datagen', datagen.rows.per.second = '10') FORMAT PLAIN ENCODE JSON"
    )


def test_the_rows_of_upserted_messages_are_identified_by_the_key_of_the_message() -> None:
    definition = SourceDefinition(
        "s", {"k": "bytea", "v": "text"}, KAFKA, "UPSERT", include={"key": "k"}, primary_key=["k"]
    )
    assert create_sql(definition) == (
        """CREATE SOURCE "s" ("v" text, PRIMARY KEY ("k")) INCLUDE key AS "k" WITH (connector = 'kafka') """
        "FORMAT UPSERT ENCODE JSON"
    )


def test_options_are_quoted() -> None:
    definition = SinkDefinition(
        "s",
        "t",
        {"connector": "kafka", "Odd-name.x": "it's", "n": 1, "b": False},
        format="PLAIN",
        encode="JSON",
        encode_options={"force_append_only": True},
    )
    assert create_sql(definition) == (
        """CREATE SINK "s" FROM "t" WITH (connector = 'kafka', "Odd-name".x = 'it''s', n = '1', """
        "b = 'false') FORMAT PLAIN ENCODE JSON (force_append_only = 'true')"
    )


def test_a_sink_may_have_a_query_and_go_into_a_table() -> None:
    sink = Sink("s", into="totals", query="SELECT a, count(*) AS n FROM t JOIN u USING (a) GROUP BY a")
    definition = sink.definition("t")
    assert create_sql(definition) == (
        'CREATE SINK "s" INTO "totals" AS SELECT a, count(*) AS n FROM t JOIN u USING (a) GROUP BY a'
    )
    assert definition.relations_read() == {"t", "u", "totals"}


def source(**changes: Any) -> SourceDefinition:
    return SourceDefinition(**{"name": "s", "columns": {"a": "text"}, "connector": KAFKA} | changes)


def table(**changes: Any) -> ConnectorTableDefinition:
    arguments = {"name": "t", "columns": {"a": "text"}, "connector": KAFKA, "primary_key": ["a"]}
    return ConnectorTableDefinition(**arguments | changes)


def sink(**changes: Any) -> SinkDefinition:
    return SinkDefinition(**{"name": "s", "source": "t", "connector": BLACKHOLE} | changes)


@pytest.mark.parametrize(
    ("make", "changes", "message"),
    [
        (source, {"connector": {"topic": "x"}}, 'must have the option "connector"'),
        (source, {"connector": {"connector": "postgres-cdc"}}, "postgres-cdc has no columns of its own"),
        (source, {"connector": KAFKA | {"a..b": 1}}, "'a..b' isn't the name of an option"),
        (source, {"connector": KAFKA | {"topic": None}}, "option topic must be a string, a number"),
        (source, {"format": "PLAIN", "encode": None}, "format and encode belong together"),
        (source, {"format": "plain"}, "format must be CANAL, .* or None, not 'plain'"),
        (source, {"encode": "XML"}, "encode must be AVRO, .* or None, not 'XML'"),
        (source, {"include": {"time": "a"}}, "include can't name 'time'. Use file, header.<name>, key"),
        (source, {"include": {"header": "a"}}, "include can't name 'header'"),
        (source, {"include": {"offset": "b"}}, "include names 'b', which isn't a column"),
        (source, {"include": {"timestamp": "a"}}, "the column 'a' is text. Use a field of that type"),
        (source, {"format": "DEBEZIUM"}, "format DEBEZIUM needs a primary key"),
        (source, {"format": "UPSERT"}, "format UPSERT identifies a row by its message's key"),
        (source, {"watermark": "a AS a"}, "watermark must be a column and an SQL expression, not 'a AS a'"),
        (source, {"watermark": ("b", "b")}, "watermark names 'b', which isn't a column"),
        (source, {"watermark": ("a", "a"), "format": "MAXWELL", "primary_key": ["a"]}, "only arrive"),
        (table, {"on_conflict": "IGNORE"}, "on_conflict must be DO NOTHING, .* not 'IGNORE'"),
        (table, {"on_conflict": "DO NOTHING", "primary_key": ()}, "on_conflict needs a primary key"),
        (table, {"append_only": True, "on_conflict": "DO UPDATE FULL"}, 'on_conflict must be "DO NOTHING"'),
        (table, {"append_only": True, "format": "MAXWELL"}, "append_only can't be combined with format"),
        (table, {"watermark": ("a", "a")}, "Set append_only = True"),
        (sink, {"connector": {}}, "needs either a connector"),
        (sink, {"into": "u"}, "needs either a connector"),
        (sink, {"format": "PLAIN"}, "format and encode belong together"),
        (sink, {"format": "CANAL", "encode": "JSON"}, "format must be PLAIN, UPSERT, DEBEZIUM or None"),
        (SecretDefinition, {"name": "s", "value": "hidden"}, "value of secret 's' must come from the env"),
        (Environment, {"variable": "A-B"}, "'A-B' isn't the name of an environment variable"),
    ],
)
def test_what_risingwave_refuses_is_refused_with_its_name(
    make: Any, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message) as error:
        make(**changes)
    assert "hidden" not in str(error.value)


@isolate_apps("django_risingwave")
def test_a_model_that_a_message_cant_fill_is_refused_with_the_remedy() -> None:
    class Meta(Source.Meta):
        app_label = "django_risingwave"

    class Stream:
        connector = KAFKA

    numbers = count()

    def source_with(**attributes: Any) -> Any:
        values = {"__module__": __name__, "Meta": Meta, "Stream": Stream}
        return type(f"Wrong{next(numbers)}", (Source,), values | attributes)

    def key() -> Any:
        return models.TextField(primary_key=True)

    for model, message in [
        (source_with(), "declares no primary key, and messages have no column 'id'"),
        (source_with(row=RowIdField()), "a source keeps no rows, so it has no row ids"),
        (source_with(key=key(), at=models.DateTimeField(db_default="now")), "can't be or have db_default"),
        (
            source_with(key=key(), Stream=type("Stream", (), {"connector": KAFKA, "topic": "x"})),
            "unknown attribute topic",
        ),
        (source_with(key=key(), Stream=type("Stream", (), {"connector": "kafka"})), "options must be a dic"),
    ]:
        with pytest.raises(DeclarationError, match=message):
            declared(model)


def test_definitions_survive_a_migration_file() -> None:
    for definition in [definition_of(Payment), definition_of(Click), *declared(Payment).attached.values()]:
        text, imports = MigrationWriter.serialize(definition)
        namespace: dict[str, Any] = {}
        exec("\n".join(imports), namespace)
        written = eval(text, namespace)
        assert written == definition
        assert create_sql(written).split(" WITH ")[0] == create_sql(definition).split(" WITH ")[0]


def test_a_list_in_place_of_a_tuple_is_no_change() -> None:
    one = table(append_only=True, watermark=("a", "a"))
    assert one == table(append_only=True, watermark=["a", "a"], primary_key=("a",), columns=[("a", "text")])


def test_only_columns_change_a_relation_in_place() -> None:
    more = {"a": "text", "b": "date"}
    assert table().changed_columns(table(columns=more)) == ({"b": "date"}, [])
    assert table(columns=more).changed_columns(table()) == ({}, ["b"])
    assert source().changed_columns(source(columns=more)) == ({"b": "date"}, [])
    for new in [
        table(columns={"a": "bigint"}),
        table(columns={"b": "text"}, primary_key=["b"]),
        table(connector=KAFKA | {"topic": "other"}),
        table(columns={"a": "text", "o": "text"}, include={"offset": "o"}),
        replace(source(), name="t"),
    ]:
        with pytest.raises(NotSupportedError, match="Table 't' can't be changed, except for added and rem"):
            table().changed_columns(new)
    with pytest.raises(NotSupportedError, match=r"Source 's' can't be changed, except for added columns\."):
        source(columns=more).changed_columns(source())


def test_a_secret_is_created_only_where_a_declaration_has_its_value() -> None:
    options = KAFKA | {"a": Secret("given", Environment("GIVEN")), "b": Secret("there")}
    assert source(connector=options).secrets() == {"given": SecretDefinition("given", Environment("GIVEN"))}
    assert create_sql(source(connector=options)).count("SECRET") == 2


def test_a_relation_of_another_kind_cant_get_a_connector() -> None:
    with pytest.raises(NotSupportedError, match=r"Materialized view 'v' can't get a connector\. Delete"):
        table().check_alteration(ViewDefinition("v", "SELECT 1 AS a"))
