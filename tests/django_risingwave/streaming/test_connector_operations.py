"""Sources, tables with a connector, sinks and secrets are created and dropped; hidden values stay hidden."""

from __future__ import annotations

import logging
import traceback
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import DatabaseError, NotSupportedError, ProgrammingError
from django.db.migrations.state import ProjectState
from django.db.migrations.writer import OperationWriter
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_risingwave.models import ReadOnlyError
from django_risingwave.streaming.changes import ChangeListener
from django_risingwave.streaming.connector_operations import CreateSecret, CreateSink, DropSecret, DropSink
from django_risingwave.streaming.model_operations import (
    AlterStreamingModels,
    AlterStreamingModelTable,
    StreamingModelChange,
)
from django_risingwave.streaming.secrets import Environment, Secret, SecretDefinition
from django_risingwave.streaming.selectable_event import SelectableEvent
from django_risingwave.streaming.views import ViewDefinition
from django_risingwave.testing.messages import deliver
from django_risingwave.testing.servers import doubled
from tests.django_risingwave.streaming.connected import (
    Click,
    Payment,
    Reading,
    create_sql,
    creating,
    definition_of,
    migrate,
    reverse,
)
from tests.django_risingwave.streaming.migrating import LABEL
from tests.processes import DEADLINE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django_risingwave.base import DatabaseWrapper
    from django_risingwave.testing.double import Double
    from tests.django_risingwave.conftest import Disguise

PASSWORD = "it's a s3cret"
BLACKHOLE: dict[str, Any] = {
    "connector": "blackhole",
    "properties.sasl.password": Environment("KAFKA_PASSWORD"),
}


@pytest.fixture(params=["stand-in", "double"])
def server(request: pytest.FixtureRequest, standin: DatabaseWrapper) -> Iterator[DatabaseWrapper]:
    """The connection to the stand-in, then to the double."""
    if request.param == "stand-in":
        yield standin
    else:
        with doubled(standin.alias) as double:
            double.is_licensed = True
            yield standin


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_SERVERS", "127.0.0.1:9092")
    monkeypatch.setenv("KAFKA_PASSWORD", PASSWORD)


class Unreadable(SecretDefinition):
    """A statement whose value the server quotes in an error."""

    def create_sql(self, quote_name: Callable[[str], str]) -> str:
        return f"SELECT '{self.value}'::bigint"


def kinds(connection: DatabaseWrapper) -> dict[str, str]:
    with connection.cursor() as cursor:
        found = connection.introspection.get_object_kinds(cursor)
    return {name: kind for name, kind in found.items() if not name.startswith("pg_")}


def column_names(connection: DatabaseWrapper, table: str) -> set[str]:
    with connection.cursor() as cursor:
        return connection.introspection.get_column_names(cursor, table)


def test_relations_with_a_connector_are_created_once_and_dropped(server: DatabaseWrapper) -> None:
    operations = [creating(model) for model in (Click, Payment, Reading)]
    migrate(server, *operations)
    # As after an interruption.
    migrate(server, *operations)
    assert kinds(server) == {"clicks": "source", "payments": "table", "readings": "table"}
    for model in (Click, Payment, Reading):
        assert not model.objects.exists()
    for operation in operations:
        reverse(server, operation)
        reverse(server, operation)
    assert kinds(server) == {}
    for model in (Click, Payment, Reading):
        with pytest.raises(ProgrammingError):
            model.objects.exists()


def test_sinks_and_secrets_are_created_once_and_dropped(double: Double, standin: DatabaseWrapper) -> None:
    double.is_licensed = True
    migrate(standin, creating(Payment))
    sink: dict[str, Any] = {"name": "s", "source": "payments", "connector": BLACKHOLE}
    secret: dict[str, Any] = {"name": "kafka_password", "value": Environment("KAFKA_PASSWORD")}
    double.statements.clear()
    migrate(standin, CreateSecret(**secret), CreateSecret(**secret), CreateSink(**sink), CreateSink(**sink))
    migrate(standin, DropSink(**sink), DropSink(**sink), DropSecret(**secret), DropSecret(**secret))
    literal = "'it''s a s3cret'"
    assert [sql for sql in double.statements if sql.startswith(("CREATE", "DROP"))] == [
        f"""CREATE SECRET "kafka_password" WITH (backend = 'meta') AS {literal}""",
        (
            """CREATE SINK "s" FROM "payments" WITH (connector = 'blackhole', """
            f"properties.sasl.password = {literal})"
        ),
        'DROP SINK "s"',
        'DROP SECRET "kafka_password"',
    ]


def test_what_is_shown_has_the_variable_in_place_of_its_value(
    double: Double, standin: DatabaseWrapper, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "django.db.backends")
    sink = CreateSink("s", source="payments", connector=BLACKHOLE)
    migrate(standin, creating(Payment))
    with CaptureQueriesContext(standin) as queries:
        migrate(standin, sink)
    with standin.schema_editor(collect_sql=True) as editor:
        sink.database_forwards(LABEL, editor, ProjectState(), ProjectState())
    migration, _ = OperationWriter(sink).serialize()
    assert any(PASSWORD.replace("'", "''") in sql for sql in double.statements)
    for shown in ("\n".join(query["sql"] for query in queries), "\n".join(editor.collected_sql), caplog.text):
        assert "'${KAFKA_PASSWORD}'" in shown
        assert "s3cret" not in shown
    assert "Environment('KAFKA_PASSWORD')" in migration


def test_an_error_has_the_variable_in_place_of_its_value(double: Double, standin: DatabaseWrapper) -> None:
    operation = CreateSecret("s", Environment("KAFKA_PASSWORD"))
    operation.definition = Unreadable("s", Environment("KAFKA_PASSWORD"))
    with pytest.raises(DatabaseError) as error:
        migrate(standin, operation)
    shown = "".join(traceback.format_exception(error.value))
    assert "${KAFKA_PASSWORD}" in shown
    assert "s3cret" not in shown
    assert error.value.__context__ is None


def test_a_value_may_look_like_another_variable(
    double: Double, standin: DatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_SERVERS", "'${KAFKA_PASSWORD}'")
    options = {"properties.bootstrap.server": Environment("KAFKA_SERVERS"), **BLACKHOLE}
    migrate(standin, creating(Payment))
    double.statements.clear()
    migrate(standin, CreateSink("s", source="payments", connector=options))
    (sent,) = [sql for sql in double.statements if sql.startswith("CREATE SINK")]
    assert "properties.bootstrap.server = '''${KAFKA_PASSWORD}'''" in sent


def test_a_variable_that_isnt_set_is_named_before_anything_is_sent(
    double: Double, standin: DatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAFKA_SERVERS")
    double.statements.clear()
    with pytest.raises(ImproperlyConfigured, match=r"Environment variable KAFKA_SERVERS isn't set") as error:
        migrate(standin, creating(Click))
    assert "option properties.bootstrap.server of source 'clicks'" in str(error.value)
    assert not [sql for sql in double.statements if "CREATE" in sql]


def test_the_stand_in_needs_no_variable(standin: DatabaseWrapper, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KAFKA_SERVERS", "KAFKA_PASSWORD"):
        monkeypatch.delenv(name)
    migrate(standin, CreateSecret("kafka_password", Environment("KAFKA_PASSWORD")), creating(Payment))
    Payment.objects.create(payment_id=1, amount="1.50")
    Payment.objects.filter(payment_id=1).update(trace="x")
    assert Payment.objects.get().trace == "x"


def test_a_secret_without_a_licence_is_refused_with_the_other_way(
    double: Double, standin: DatabaseWrapper
) -> None:
    with pytest.raises(NotSupportedError, match=r"Secret 'kafka_password' can't be created: ") as error:
        migrate(standin, CreateSecret("kafka_password", Environment("KAFKA_PASSWORD")))
    assert "exceeds the maximum allowed by the license key" in str(error.value)
    assert 'Environment("KAFKA_PASSWORD") instead of Secret("kafka_password")' in str(error.value)


def test_a_sink_does_nothing_on_the_stand_in_and_one_into_a_table_is_refused(
    standin: DatabaseWrapper, caplog: pytest.LogCaptureFixture
) -> None:
    sink = CreateSink("payments_out", source="payments", connector=BLACKHOLE)
    migrate(standin, creating(Payment), sink)
    assert caplog.messages == ["sink payments_out: sends nothing, because the server is the stand-in"]
    reverse(standin, sink)
    with pytest.raises(NotSupportedError, match="stand-in doesn't support sink 's', whose rows would be"):
        migrate(standin, CreateSink("s", source="payments", into="totals"))


def test_added_columns_change_the_relation_in_place(server: DatabaseWrapper) -> None:
    for model in (Click, Payment):
        old: Any = definition_of(model)
        state = migrate(server, creating(model))
        new = replace(old, columns={**old.columns, "note": "text"})
        alter = AlterStreamingModels([StreamingModelChange(model.__name__, definition=new)])
        migrate(server, alter, state=state.clone())
        # As after an interruption.
        migrate(server, alter, state=state.clone())
        assert "note" in column_names(server, old.name)
        if model is Payment:
            drop = AlterStreamingModels([StreamingModelChange(model.__name__, definition=old)])
            state = migrate(server, alter, drop, state=state)
            migrate(server, drop, state=migrate(server, alter, state=state.clone()))
            assert "note" not in column_names(server, old.name)


def test_a_dropped_secret_leaves_a_sink_of_the_same_name_in_the_state() -> None:
    state = ProjectState()
    sink = CreateSink("same", source="payments", connector=BLACKHOLE)
    for operation in (creating(Payment), sink, DropSecret("same", value=Environment("KAFKA_PASSWORD"))):
        operation.state_forwards(LABEL, state)
    payment: Any = state.models[LABEL, "payment"]
    assert payment.attached == {"same": sink.definition}


def test_a_renamed_relation_keeps_its_rows(server: DatabaseWrapper) -> None:
    state = migrate(server, creating(Payment))
    Payment.objects.create(payment_id=1, amount="1.50")
    migrate(server, AlterStreamingModelTable("Payment", "paid"), state=state)
    assert kinds(server) == {"paid": "table"}
    with server.cursor() as cursor:
        cursor.execute("SELECT payment_id FROM paid")
        assert cursor.fetchall() == [(1,)]


def test_any_other_change_is_refused_before_anything_is_sent(server: DatabaseWrapper) -> None:
    old: Any = definition_of(Click)
    state = migrate(server, creating(Click))
    new = replace(old, encode="CSV")
    with pytest.raises(NotSupportedError, match="Source 'clicks' can't be changed, except for added columns"):
        migrate(server, AlterStreamingModels([StreamingModelChange("Click", definition=new)]), state=state)


def test_operations_survive_a_migration_file() -> None:
    password = Secret("kafka_password", Environment("KAFKA_PASSWORD"))
    arguments: dict[str, Any] = {
        "source": "payments",
        "connector": {"connector": "kafka", "topic": "out", "properties.sasl.password": password},
        "format": "PLAIN",
        "encode": "JSON",
        "encode_options": {"force_append_only": True},
    }
    for operation in [
        CreateSink("s", **arguments),
        DropSink("s", **arguments),
        CreateSink("s", source="t", into="u", query="SELECT 1 AS a"),
        CreateSecret("kafka_password", Environment("KAFKA_PASSWORD")),
        DropSecret("kafka_password", value=Environment("KAFKA_PASSWORD")),
    ]:
        text, imports = OperationWriter(operation, indentation=0).serialize()
        written: dict[str, Any] = {}
        exec("\n".join(imports) + f"\nwritten = {text.rstrip().rstrip(',')}", written)
        assert type(written["written"]) is type(operation)
        assert written["written"].definition == operation.definition
        assert operation.describe().split()[-1] == operation.definition.name
    assert "kafka_password" in create_sql(operation.definition)


def test_a_view_over_a_source_has_the_messages_that_a_test_delivers(standin: DatabaseWrapper) -> None:
    migrate(standin, creating(Click))
    view = ViewDefinition("page_clicks", "SELECT page, count(*) AS clicks FROM clicks GROUP BY page")
    with standin.schema_editor() as editor:
        editor.create_streaming_object(view)
    with closing(ChangeListener("risingwave", ["page_clicks"])) as listener, closing(SelectableEvent()) as ev:
        assert listener.start()
        now = timezone.now()
        deliver(*(Click(click_id=str(number), page="/a", arrived_at=now) for number in range(2)))
        assert listener.wait(DEADLINE_SECONDS, ev) == {"page_clicks"}
    with standin.cursor() as cursor:
        cursor.execute("SELECT page, clicks FROM page_clicks")
        assert cursor.fetchall() == [("/a", 2)]
    assert Click.objects.get(click_id="1").arrived_at == now
    with pytest.raises(ReadOnlyError):
        Click.objects.create(click_id="3", page="/a", arrived_at=now)


def test_flush_empties_the_tables_in_place_of_connectors(standin: DatabaseWrapper) -> None:
    migrate(standin, creating(Click), creating(Payment), creating(Reading))
    deliver(Click(click_id="1", page="/", arrived_at=timezone.now()))
    Payment.objects.create(payment_id=1, amount="1.50")
    call_command("flush", database="risingwave", interactive=False, verbosity=0)
    assert not Click.objects.exists()
    assert not Payment.objects.exists()


def test_messages_for_risingwave_are_sent_to_its_connector(disguise: Disguise) -> None:
    with pytest.raises(NotSupportedError, match=r"send messages to the connector of Click\."):
        deliver(Click(click_id="1"))
