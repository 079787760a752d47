"""What RisingWave and PostgreSQL are sent for mirrors.

The statements for RisingWave are recorded instead of sent: no server here has its connector.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from django_risingwave.streaming import publisher
from django_risingwave.streaming.declaring.declarations import declared
from django_risingwave.streaming.mirrors import MirrorDefinition, end_mirrors
from django_risingwave.streaming.publisher import MirrorError, Publisher
from django_risingwave.testing.statements import violations
from django_risingwave.testing.transcripts import Transcript, Transcripts, load
from tests.django_risingwave.data_files import unrecorded
from tests.django_risingwave.mirrored import Customer, CustomerMirror, Order, OrderMirror

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.django_risingwave.conftest import Disguise

NAME = "mirrors_of_this_test"
ADDRESS = {
    "HOST": "postgres",
    "PORT": 5433,
    "NAME": "shop",
    "PASSWORD": "it's secret",
    "SLOT": NAME,
    "ssl.mode": "required",
}
SOURCE = (
    "CREATE SOURCE \"mirrors_of_default\" WITH (connector = 'postgres-cdc', hostname = 'postgres', "
    "port = '5433', username = 'postgres', password = '${PASSWORD}', database.name = 'shop', "
    f"schema.name = 'public', slot.name = '{NAME}', publication.name = '{NAME}', "
    "publication.create.enable = 'false', ssl.mode = 'required')"
)


class Recorder:
    """Record what only RisingWave knows, and let its catalog have the source."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith(("CREATE SOURCE", "DROP SOURCE", "CREATE TABLE", "DROP TABLE", "ALTER TABLE")):
            self.statements.append(sql)
            with context["connection"].connection.cursor() as cursor:
                if sql.startswith("CREATE SOURCE"):
                    cursor.execute('CREATE TABLE "mirrors_of_default" ()')
                elif sql.startswith("DROP SOURCE"):
                    cursor.execute('DROP TABLE "mirrors_of_default"')
            return None
        return execute(sql, params, many, context)


@pytest.fixture
def recorder(options: dict[str, Any], disguise: Disguise, monkeypatch: Any) -> Iterator[Recorder]:
    options["mirrored_databases"] = {"default": dict(ADDRESS)}
    default, recorder = connections["default"], Recorder()
    introspection = disguise.connection.introspection

    def kinds(cursor: Any) -> dict[str, str]:
        cursor.execute("SELECT relname FROM pg_catalog.pg_class WHERE relname = 'mirrors_of_default'")
        return {name: "source" for (name,) in cursor.fetchall()}

    monkeypatch.setattr(introspection, "get_relation_kinds", kinds)
    for model in (Customer, Order):
        with default.schema_editor() as editor:
            editor.create_model(model)
    with disguise.connection.execute_wrapper(recorder):
        yield recorder
    Publisher("default", disguise.connection).drop()
    for model in (Order, Customer):
        with default.schema_editor() as editor:
            editor.delete_model(model)


def run(connection: Any, model: Any, *, drop: bool = False) -> None:
    with connection.schema_editor() as editor:
        action = editor.delete_streaming_object if drop else editor.create_streaming_object
        action(declared(model).definition)


def in_postgresql(query: str) -> list[Any]:
    with connections["default"].cursor() as cursor:
        cursor.execute(query)
        return [row[0] for row in cursor.fetchall()]


def assert_answered_or_listed(recorder: Recorder) -> None:
    known = Transcripts([*load(), *map(Transcript, unrecorded())])
    assert [sql for sql in recorder.statements if violations(sql) or not known.find(sql)] == []


def published() -> list[str]:
    query = f"SELECT tablename FROM pg_publication_tables WHERE pubname = '{NAME}' ORDER BY 1"
    return in_postgresql(query)


def test_mirrors_share_a_source_and_its_slot_is_dropped_with_the_last(recorder: Any, disguise: Any) -> None:
    connection = disguise.connection
    run(connection, OrderMirror)
    run(connection, CustomerMirror)
    assert published() == ["mirrored_customer", "mirrored_order"]
    # RisingWave makes the slot.
    in_postgresql(f"SELECT pg_create_logical_replication_slot('{NAME}', 'pgoutput')")
    run(connection, OrderMirror, drop=True)
    assert published() == ["mirrored_customer"]
    run(connection, CustomerMirror, drop=True)
    customers = declared(CustomerMirror).definition
    orders = declared(OrderMirror).definition
    assert customers is not None
    assert orders is not None
    quote = connection.ops.quote_name
    assert recorder.statements == [
        SOURCE,
        orders.create_sql(quote),
        customers.create_sql(quote),
        'DROP TABLE "mirrored_order"',
        'DROP TABLE "mirrored_customer"',
        'DROP SOURCE "mirrors_of_default"',
    ]
    assert in_postgresql(f"SELECT 1 FROM pg_replication_slots WHERE slot_name = '{NAME}'") == []
    assert in_postgresql(f"SELECT 1 FROM pg_publication WHERE pubname = '{NAME}'") == []
    assert_answered_or_listed(recorder)


def test_rows_are_sent_again_for_a_new_column(recorder: Any, disguise: Any, monkeypatch: Any) -> None:
    """ADD COLUMN reads no rows that RisingWave has already. A second run finds the column."""
    before = MirrorDefinition("mirrored_order", {"id": "integer", "itemname": "varchar"}, ["id"])
    after = MirrorDefinition("mirrored_order", {"id": "integer", "note": "jsonb"}, ["id"])
    Order.objects.create(item="tea", note={})
    run(disguise.connection, OrderMirror)
    version = "SELECT xmin::text FROM mirrored_order"
    versions = [in_postgresql(version)]
    for columns in ({"id", "itemname"}, {"id", "note"}):
        monkeypatch.setattr(
            disguise.connection.introspection, "get_column_names", lambda *_, existing=columns: existing
        )
        with disguise.connection.schema_editor() as editor:
            editor.replace_streaming_objects([(before, after)])
        versions.append(in_postgresql(version))
    assert recorder.statements[2:] == [
        'ALTER TABLE "mirrored_order" ADD COLUMN "note" jsonb',
        'ALTER TABLE "mirrored_order" DROP COLUMN "itemname"',
    ]
    assert_answered_or_listed(recorder)
    assert versions[0] != versions[1] != versions[2]


def test_sqlmigrate_shows_no_address(recorder: Any, disguise: Any) -> None:
    with disguise.connection.schema_editor(collect_sql=True) as editor:
        editor.create_streaming_object(declared(OrderMirror).definition)
        before = MirrorDefinition("mirrored_order", {"id": "integer", "itemname": "varchar"}, ["id"])
        editor.replace_streaming_objects([(before, declared(OrderMirror).definition)])
        editor.delete_streaming_object(declared(OrderMirror).definition)
    text = "\n".join(editor.collected_sql)
    assert "hostname = '${HOST}'" in text
    assert "secret" not in text
    assert published() == []


def test_a_socket_that_risingwave_cant_reach_is_refused(recorder: Any, disguise: Any, options: Any) -> None:
    del options["mirrored_databases"]["default"]["HOST"]
    with pytest.raises(MirrorError, match=r"at the socket /.*\['default'\]\['HOST'\]"):
        run(disguise.connection, OrderMirror)


def test_a_test_database_ends_its_mirrors_before_the_others_are_dropped(recorder: Any, disguise: Any) -> None:
    run(disguise.connection, OrderMirror)
    in_postgresql(f"SELECT pg_create_logical_replication_slot('{NAME}', 'pgoutput')")
    end_mirrors(disguise.connection)
    assert recorder.statements[-1] == 'DROP SOURCE "mirrors_of_default" CASCADE'
    assert_answered_or_listed(recorder)
    assert in_postgresql(f"SELECT 1 FROM pg_replication_slots WHERE slot_name = '{NAME}'") == []


def test_other_databases_cant_be_mirrored(disguise: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(type(connections["default"]), "vendor", "sqlite")
    monkeypatch.setattr(type(connections["default"]), "display_name", "SQLite")
    with pytest.raises(MirrorError, match=r"tables in PostgreSQL, but DATABASES\['default'\] is SQLite"):
        run(disguise.connection, OrderMirror)


def test_an_option_that_is_a_password_is_sent_and_not_shown(
    disguise: Any, options: Any, monkeypatch: Any
) -> None:
    options["mirrored_databases"] = {"default": ADDRESS | {"ssl.key.password": "keys3cret"}}
    shown: list[str] = []

    def send(connection: Any, sql: str, values: dict[str, str]) -> None:
        shown.append(sql)
        assert values["${ssl.key.password}"] == "keys3cret"

    monkeypatch.setattr(publisher, "execute", send)
    mirror: Any = declared(OrderMirror).definition
    Publisher("default", disguise.connection).create_source(mirror)
    with disguise.connection.schema_editor(collect_sql=True) as editor:
        mirror.before_create(editor)
    assert len([*shown, *editor.collected_sql]) == 2
    for sql in [*shown, *editor.collected_sql]:
        assert "ssl.key.password = '${ssl.key.password}'" in sql
        assert "keys3cret" not in sql


@pytest.mark.parametrize(
    "value",
    [
        {"default": {"HOSTS": "postgres", "PASSWORD": ADDRESS["PASSWORD"]}},
        {"default": "postgres"},
        ["default"],
    ],
    ids=["key", "address", "list"],
)
def test_a_wrong_option_is_refused_without_its_passwords(standin: Any, options: Any, value: Any) -> None:
    options["mirrored_databases"] = value
    with pytest.raises(ImproperlyConfigured, match="must be a mapping of aliases to HOST, PORT") as refused:
        standin.ensure_connection()
    assert str(ADDRESS["PASSWORD"]) not in str(refused.value)
