"""Each statement that the backend sends is recorded, or listed as one that no RisingWave has answered yet."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from io import StringIO
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest
from django.apps import apps
from django.core.management import call_command

from demo.shop.generator.orders import generate, insert_statement
from demo.shop.models import Order
from django_risingwave.readable import (
    Relation,
    find_columns,
    find_relations,
    may_create_in_current_schema,
)
from django_risingwave.streaming.changes import ChangeListener
from django_risingwave.streaming.declaring.declarations import declared
from django_risingwave.streaming.migration_operations import create_missing, drop_existing
from django_risingwave.streaming.secrets import Environment, SecretDefinition
from django_risingwave.streaming.selectable_event import SelectableEvent
from django_risingwave.streaming.sinks import SinkDefinition
from django_risingwave.streaming.subscriptions import SubscriptionCursor
from django_risingwave.streaming.views import ViewDefinition
from django_risingwave.testing.transcripts import Transcript, Transcripts, load, recorded, shape
from tests.django_risingwave.data_files import unrecorded
from tests.django_risingwave.streaming.connected import Click, Payment, Reading, definition_of
from tests.django_risingwave.streaming.rebuilt import replace, run
from tests.processes import DEADLINE_SECONDS

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper
    from django_risingwave.testing.double import Double

APPS = ["demo_shop", "admin", "sessions", "auth", "contenttypes"]


def assert_known(double: Double) -> None:
    """Fail if a statement is neither recorded nor listed."""
    known = Transcripts([*load(), *map(Transcript, unrecorded())])
    unknown = {shape(sql): " ".join(sql.split()) for sql in double.statements if not known.find(sql)}
    lines = "\n".join(f"{sql};" for sql in unknown.values())
    assert not unknown, (
        f"Add what no RisingWave has answered to data/unrecorded.sql, for `make live`:\n{lines}"
    )


@pytest.fixture(params=["routed", "unrouted"])
def migrated(request: pytest.FixtureRequest, settings, connection: DatabaseWrapper, double: Double) -> Double:
    """The double with the tables of all apps; without a router with those of Django's own apps too."""
    if request.param == "unrouted":
        settings.DATABASE_ROUTERS = []
    call_command("migrate", database="risingwave", verbosity=0)
    return double


def test_the_statements_of_migrate_are_known(migrated: Double) -> None:
    for app in APPS:
        call_command("migrate", app, "zero", database="risingwave", verbosity=0)
    assert len(migrated.statements) > 100
    assert_known(migrated)


def test_the_statements_of_introspection_are_known(migrated: Double, connection: DatabaseWrapper) -> None:
    call_command("inspectdb", database="risingwave", include_views=True, stdout=StringIO())
    with connection.cursor() as cursor:
        connection.introspection.get_subscriptions(cursor)
        assert connection.introspection.get_readable(cursor, ["orders", "state_turnover"])
        connection.introspection.get_dependents(cursor, "orders")
        connection.introspection.get_index_definitions(cursor, "orders")
    assert_known(migrated)


def test_the_statements_of_readable_relations_are_known(double: Double, connection: DatabaseWrapper) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE sales (product varchar, amount numeric)")
    assert list(find_relations(connection)) == [Relation("public", "sales")]
    assert len(find_columns(connection, Relation("public", "sales"))) == 2
    assert may_create_in_current_schema(connection)
    assert_known(double)


@pytest.mark.parametrize("migrated", ["routed"], indirect=True)
def test_the_statements_of_the_shop_are_known(migrated: Double, connection: DatabaseWrapper) -> None:
    with connection.cursor() as cursor:
        cursor.execute(insert_statement(list(islice(generate(1), 9))))
    Order.objects.using("risingwave").create(orderid=1, itemid=1, qty=1, price=1.5, state="CA")
    for model in apps.get_app_config("demo_shop").get_models():
        assert list(model._default_manager.using("risingwave").all()[:5])
    for order in Order.objects.using("risingwave").filter(state="CA"):
        order.qty = 2
        order.save()
        order.delete()
    call_command("flush", database="risingwave", interactive=False, verbosity=0)
    assert not Order.objects.using("risingwave").exists()
    assert_known(migrated)


@pytest.mark.parametrize("migrated", ["routed"], indirect=True)
def test_the_statements_of_subscriptions_are_known(migrated: Double, connection: DatabaseWrapper) -> None:
    name, view = next(iter(migrated.subscriptions.items()))
    for since in ("now", "begin", "full"):
        with SubscriptionCursor(name, using="risingwave", since=since) as cursor:
            cursor.flush()
            cursor.fetch()
            cursor.fetch(timeout=0.1)
            cursor.declare(since=migrated.epoch)
    with closing(ChangeListener("risingwave", [view])) as listener, closing(SelectableEvent()) as wake:
        assert listener.start()
        Order.objects.using("risingwave").create(orderid=1, itemid=1, qty=1, price=1.5, state="CA")
        assert listener.wait(DEADLINE_SECONDS, wake) == {view}
    assert_known(migrated)


def test_the_statements_of_a_changed_view_are_known(double: Double, connection: DatabaseWrapper) -> None:
    run(connection, "CREATE TABLE w (k int, v int)")
    with connection.schema_editor() as editor:
        editor.create_streaming_object(ViewDefinition("w1", "SELECT k, v FROM w"))
        editor.create_streaming_object(ViewDefinition("w2", "SELECT sum(v) AS s FROM w1"))
    run(
        connection,
        'CREATE VIEW "w3" AS SELECT s FROM w2',
        'CREATE INDEX "w1_v" ON "w1" ("v")',
        """CREATE SUBSCRIPTION "w1_changes" FROM "w1" WITH (retention = '1 day')""",
    )
    double.statements.clear()
    change = ViewDefinition("w1", "SELECT k, v FROM w"), ViewDefinition("w1", "SELECT k, v * 10 AS v FROM w")
    replace(connection, change)
    with connection.schema_editor() as editor:
        editor.rename_streaming_object(change[1], "w4")
    assert_known(double)


def test_the_statements_of_connectors_are_known(
    double: Double, connection: DatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_SERVERS", "127.0.0.1:42685")
    monkeypatch.setenv("KAFKA_PASSWORD", "x")
    double.is_licensed = True
    secret = SecretDefinition("kafka_password", Environment("KAFKA_PASSWORD"))
    relations = map(definition_of, (Click, Payment, Reading))
    definitions = [secret, *relations, *declared(Payment).attached.values()]
    for definition in [*definitions, SinkDefinition("s", "clicks", into="payments")]:
        with connection.schema_editor() as editor:
            assert create_missing(editor, definition)
    for model in (Click, Payment):
        old: Any = definition_of(model)
        new: Any = dataclasses.replace(old, columns={**old.columns, "note": "text"})
        with connection.schema_editor() as editor:
            editor.replace_streaming_objects([(old, new)])
    with connection.schema_editor() as editor:
        editor.replace_streaming_objects([(new, old)])
    for definition in reversed(definitions):
        with connection.schema_editor() as editor:
            drop_existing(editor, definition)
    assert_known(double)


def test_what_is_recorded_is_not_listed() -> None:
    assert [sql for sql in unrecorded() if recorded().find(sql)] == []
