"""The backend works on a RisingWave server: docs/backend/unconfirmed.md.

With the server's URL in RISINGWAVE_URL, `pytest -m risingwave` runs this module and others with the mark. On
the stand-in, tests that need RisingWave are skipped.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command
from django.db import (
    DatabaseError,
    IntegrityError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    models,
)
from django.db.migrations import operations
from django.db.models import Avg, F, Q, Sum, Value
from django.test.utils import isolate_apps

from demo.shop.models import ItemAverageQuantity, Order, StateTurnover
from django_risingwave.fields import RowIdField
from django_risingwave.streaming import migration_operations
from django_risingwave.streaming.aggregates import Count
from tests.django_risingwave.models import Author, Book, Event, Everything, KindTotal, Sale
from tests.django_risingwave.table import THING, Table

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper
    from tests.django_risingwave.watch import Watch

pytestmark = pytest.mark.risingwave


@pytest.fixture
def tables(connection: DatabaseWrapper) -> DatabaseWrapper:
    with connection.schema_editor() as editor:
        for model in (Author, Book, Event, Everything):
            editor.create_model(model)
    return connection


def reconnect(connection: DatabaseWrapper, monkeypatch: pytest.MonkeyPatch, **options: Any) -> None:
    connection.close()
    for name, value in options.items():
        monkeypatch.setitem(connection.settings_dict["OPTIONS"], name, value)


# The server -----------------------------------------------------------------------------------------------


def test_the_server_is_recognized(risingwave: DatabaseWrapper) -> None:
    assert risingwave.server_name.startswith("RisingWave ")
    risingwave.check_database_version_supported()


def test_a_test_database_is_created_and_dropped(
    connection: DatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    creation: Any = connection.creation
    name = f"{connection.settings_dict['NAME']}_made"
    monkeypatch.setitem(connection.settings_dict["TEST"], "NAME", name)
    for _again in range(2):
        creation._create_test_db(verbosity=0, autoclobber=True)
    with connection._nodb_cursor() as cursor:
        assert creation._database_exists(cursor, f'"{name}"')
    creation._destroy_test_db(name, verbosity=0)
    with connection._nodb_cursor() as cursor:
        assert not creation._database_exists(cursor, f'"{name}"')


@pytest.mark.parametrize("timeout", [5, "500ms"])
def test_a_statement_timeout_is_accepted(
    connection: DatabaseWrapper, monkeypatch: pytest.MonkeyPatch, timeout: object
) -> None:
    reconnect(connection, monkeypatch, statement_timeout=timeout)
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


# Writes and reads -----------------------------------------------------------------------------------------


def test_a_row_is_found_by_its_row_id(tables: DatabaseWrapper) -> None:
    event = Event.objects.create(kind="a", amount=1)
    assert event.pk is None
    Event.objects.bulk_create([Event(kind="b"), Event(kind="c")])
    tables.flush()
    event = Event.objects.get(kind="a")
    assert Event.objects.get(pk=event.pk) == event
    assert Event.objects.filter(pk__in=[event.pk]).get() == event
    event.amount = 2
    event.save()
    tables.flush()
    assert Event.objects.get(pk=event.pk).amount == 2
    with pytest.raises(NotSupportedError):
        Event.objects.create(pk=5)
    event.delete()
    tables.flush()
    assert set(Event.objects.values_list("kind", flat=True)) == {"b", "c"}


def test_keys_are_returned(tables: DatabaseWrapper) -> None:
    made = [
        *Author.objects.bulk_create([Author(name="A"), Author(name="B")]),
        Author.objects.create(name="C"),
    ]
    tables.flush()
    assert {author.pk: author.name for author in Author.objects.all()} == {
        author.pk: author.name for author in made
    }
    book = Book.objects.create(title="T", author=made[0])
    book.readers.set(made)
    tables.flush()
    assert Author.objects.get(reads__author__name="A", name="B") == made[1]


def test_generated_columns_are_computed_and_read(connection: DatabaseWrapper) -> None:
    with connection.schema_editor() as editor:
        editor.create_model(Sale)
    sale = Sale.objects.create(price=Decimal("1.50"), count=3)
    # A row with NULL in a generated column is kept.
    others = Sale.objects.bulk_create([Sale(price=2), Sale(price=2, count=5, kind="gross")])
    connection.flush()
    assert (sale.total, sale.kind, sale.label) == (Decimal("4.50"), "retail", "retail: 100 %")
    assert [other.total for other in others] == [None, 10]
    assert Sale.objects.get(total=10) == others[1]
    sale.count = 4
    sale.save()
    Sale.objects.filter(pk=others[0].pk).update(count=1)
    connection.flush()
    assert list(Sale.objects.order_by("total").values_list("total", flat=True)) == [2, 6, 10]
    sale.delete()
    connection.flush()
    assert Sale.objects.count() == 2


def test_a_failed_computation_gives_null(risingwave: DatabaseWrapper) -> None:
    table = Table(risingwave, THING)
    share = models.GeneratedField(
        expression=Value(6) / F("amount"), output_field=models.IntegerField(), db_persist=True
    )
    table.apply(operations.AddField("Thing", "share", share))
    table.model().create(name="a", amount=0)
    risingwave.flush()
    assert table.model().get().share is None


@pytest.mark.parametrize("implicit", [True, False])
def test_a_write_is_visible_after_a_flush(
    tables: DatabaseWrapper, monkeypatch: pytest.MonkeyPatch, *, implicit: bool
) -> None:
    def written() -> None:
        if not implicit:
            tables.flush()

    reconnect(tables, monkeypatch, implicit_flush=implicit)
    Event.objects.create(kind="a", amount=1)
    written()
    assert Event.objects.filter(kind="a").update(amount=2) == 1
    written()
    assert Event.objects.get().amount == 2
    Event.objects.filter(amount=2).delete()
    written()
    assert not Event.objects.exists()


def test_materialized_views_follow_their_source(connection: DatabaseWrapper) -> None:
    call_command("migrate", "demo_shop", database="risingwave", verbosity=0)
    Order.objects.bulk_create(
        [
            Order(orderid=1, itemid=1, qty=2, price=1.5, state="CA"),
            Order(orderid=1, itemid=1, qty=5, price=1.5, state="CA"),
            Order(orderid=2, itemid=None, qty=1, price=None, state=None),
        ]
    )
    connection.flush()
    assert dict(StateTurnover.objects.values_list("state", "turnover")) == {"CA": 10.5, None: None}
    assert ItemAverageQuantity.objects.get(itemid=1).average_quantity == 3.5
    Order.objects.filter(state="CA").delete()
    connection.flush()
    assert dict(StateTurnover.objects.values_list("state", "turnover")) == {None: None}
    call_command("migrate", "demo_shop", "zero", database="risingwave", verbosity=0)
    assert "orders" not in connection.introspection.table_names(include_views=True)


def test_a_materialized_view_can_not_be_written_to(risingwave: DatabaseWrapper) -> None:
    call_command("migrate", "demo_shop", database="risingwave", verbosity=0)
    with (
        risingwave.cursor() as cursor,
        pytest.raises(Exception, match=r"(?i)materialized view|not supported"),
    ):
        cursor.execute("DELETE FROM state_turnover")


def test_sums_and_averages_are_exact(tables: DatabaseWrapper) -> None:
    amounts = [Decimal("999999999.999"), Decimal("-0.001"), Decimal("0.125")]
    Everything.objects.bulk_create(Everything(decimal=amount) for amount in [*amounts, None])
    tables.flush()
    assert Everything.objects.aggregate(Sum("decimal"))["decimal__sum"] == Decimal("1000000000.123")
    average = Everything.objects.aggregate(Avg("decimal"))["decimal__avg"]
    # PostgreSQL gives at least 16 significant digits, RisingWave 28.
    assert round(average, 7) == Decimal("333333333.3743333")


def test_json_is_found_by_its_path(tables: DatabaseWrapper) -> None:
    made = Everything.objects.create(json={"a": {"b": [1, 2]}, "c": None})
    tables.flush()
    assert Everything.objects.get(json__a__b__1=2) == made
    assert Everything.objects.values_list("json__a__b", flat=True).get() == [1, 2]
    assert Everything.objects.filter(Q(json__c=None) & Q(json__d__isnull=True)).get() == made


@pytest.mark.parametrize(
    "duration", [dt.timedelta(days=-1, seconds=5, microseconds=7), dt.timedelta(days=400, hours=23)]
)
def test_intervals_are_read(tables: DatabaseWrapper, duration: dt.timedelta) -> None:
    Everything.objects.create(duration=duration)
    tables.flush()
    assert Everything.objects.get(duration=duration).duration == duration
    with tables.cursor() as cursor:
        cursor.execute("SELECT '1 day 02:03:04.5'::interval")
        assert cursor.fetchone() == (dt.timedelta(days=1, hours=2, minutes=3, seconds=4.5),)


# Cursors --------------------------------------------------------------------------------------------------


def test_cursors_survive_statements_in_between(tables: DatabaseWrapper) -> None:
    made = Author.objects.bulk_create(Author(name=str(n)) for n in range(10))
    tables.flush()
    seen = []
    for author in Author.objects.order_by("pk").iterator(chunk_size=3):
        seen.append(author)
        assert list(Author.objects.filter(pk=author.pk).iterator()) == [author]
        Author.objects.filter(pk=author.pk).update(name="old")
        tables.flush()
    assert seen == made
    assert set(Author.objects.values_list("name", flat=True)) == {"old"}


def test_a_cursor_gives_each_column_its_type(tables: DatabaseWrapper) -> None:
    Everything.objects.create(
        binary=b"\x00\xff",
        boolean=True,
        date=dt.date(2026, 1, 2),
        datetime=dt.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=dt.UTC),
        decimal=Decimal("1.125"),
        duration=dt.timedelta(days=1, seconds=2),
        float=1.5,
        json={"a": [1, None]},
        small=-3,
        text="ü",
        time=dt.time(3, 4, 5, 6),
    )
    tables.flush()
    (row,) = Everything.objects.values().iterator()
    assert row == Everything.objects.values().get()
    assert type(row["decimal"]) is Decimal


# Explaining, and limits -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [None, "text", "json", "xml", "yaml", "dot"])
@pytest.mark.parametrize("option", [None, "verbose", "logical", "physical"])
def test_risingwave_explains_queries(
    risingwave: DatabaseWrapper, kind: str | None, option: str | None
) -> None:
    with risingwave.schema_editor() as editor:
        editor.create_model(Author)
    assert Author.objects.all().explain(format=kind, **({option: True} if option else {}))
    assert Author.objects.all().explain(trace=True, distsql=True)


def test_a_query_that_exceeds_the_timeout_is_cancelled(
    risingwave: DatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(risingwave.settings_dict["OPTIONS"], "statement_timeout", 1)
    risingwave.close()
    with risingwave.cursor() as cursor:
        with pytest.raises(OperationalError):
            cursor.execute("SELECT count(*) FROM generate_series(1, 1000000000000)")
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone()[0] in ("1s", "1000ms", "1")


# The schema -----------------------------------------------------------------------------------------------


def test_tables_and_views_are_described(tables: DatabaseWrapper) -> None:
    with tables.cursor() as cursor:
        cursor.execute("CREATE VIEW names AS SELECT name FROM django_risingwave_author")
        cursor.execute("CREATE MATERIALIZED VIEW titles AS SELECT title FROM django_risingwave_book")
        found = {table.name: table.type for table in tables.introspection.get_table_list(cursor)}
        described = tables.introspection.get_table_description(cursor, Author._meta.db_table)
        relations = tables.introspection.get_relations(cursor, Book._meta.db_table)
        constraints = tables.introspection.get_constraints(cursor, Book._meta.db_table)
    assert found.keys() == {
        *(model._meta.db_table for model in (Author, Book, Event, Everything)),
        "django_risingwave_book_readers",
        "names",
        "titles",
    }
    assert found["names"] == found["titles"] == "v"
    assert {column.name: column.null_ok for column in described} == {"id": False, "name": False}
    assert relations == {}
    assert [c["columns"] for c in constraints.values() if c["primary_key"]] == [["id"]]
    assert ["title"] in [c["columns"] for c in constraints.values() if c["index"] and not c["primary_key"]]


def test_inspectdb_writes_models_of_tables(tables: DatabaseWrapper) -> None:
    output = StringIO()
    call_command("inspectdb", database="risingwave", stdout=output)
    assert "class DjangoRisingwaveAuthor" in output.getvalue()
    compile(output.getvalue(), "models.py", "exec")


def test_inspectdb_finds_relations_of_every_kind(risingwave: DatabaseWrapper) -> None:
    call_command("migrate", "demo_shop", database="risingwave", verbosity=0)
    with risingwave.cursor() as cursor:
        cursor.execute("CREATE VIEW states AS SELECT state FROM orders")
        cursor.execute(
            "CREATE SOURCE clicks (page varchar) WITH (connector = 'datagen') FORMAT PLAIN ENCODE JSON"
        )
    out = StringIO()
    call_command("inspectdb", database="risingwave", stdout=out)
    module: dict[str, Any] = {"__name__": "django_risingwave.written"}
    with isolate_apps("django_risingwave"):
        exec(compile(out.getvalue(), "written.py", "exec"), module)
    bases = {
        name: module[name].__mro__[1].__name__ for name in ("Clicks", "Orders", "StateTurnover", "States")
    }
    assert bases == {
        "Clicks": "ReadOnlyModel",
        "Orders": "RisingWaveModel",
        "StateTurnover": "MaterializedView",
        "States": "ReadOnlyModel",
    }
    assert isinstance(module["Orders"]._meta.pk, RowIdField)
    for name in ("Orders", "StateTurnover", "States"):
        assert list(module[name].objects.using("risingwave")) == []


def test_an_altered_table_keeps_its_rows(connection: DatabaseWrapper) -> None:
    table = Table(connection, THING)
    table.model().bulk_create([table.model().model(name="a", amount=1), table.model().model(name="b")])
    connection.flush()
    table.apply(operations.AlterField("Thing", "amount", models.TextField(null=True)))
    table.apply(operations.RenameField("Thing", "amount", "number"))
    table.apply(operations.AddField("Thing", "added", models.IntegerField(default=7)))
    table.apply(operations.AlterModelTable("Thing", "django_risingwave_renamed"))
    connection.flush()
    assert list(table.model().order_by("name").values_list("name", "number", "added")) == [
        ("a", "1", 7),
        ("b", None, 7),
    ]
    assert any(c["columns"] == ["name"] for c in table.constraints("django_risingwave_renamed").values())
    table.apply(operations.RemoveField("Thing", "name"))
    table.apply(operations.DeleteModel("Thing"))
    assert connection.introspection.table_names() == []


def test_generated_columns_are_added_and_removed(connection: DatabaseWrapper) -> None:
    table = Table(connection, THING)
    table.model().bulk_create([table.model().model(name="a", amount=1), table.model().model(name="b")])
    connection.flush()
    double = models.GeneratedField(
        expression=F("amount") * 2, output_field=models.IntegerField(), db_persist=True
    )
    table.apply(operations.AddField("Thing", "double", double))
    table.apply(operations.AddField("Thing", "added", models.IntegerField(default=7)))
    table.model().create(name="c", added=8)
    connection.flush()
    assert list(table.model().order_by("name").values_list("name", "double", "added")) == [
        ("a", 2, 7),
        ("b", None, 7),
        ("c", None, 8),
    ]
    with pytest.raises(DatabaseError):
        table.apply(operations.RemoveField("Thing", "amount"))
    table.apply(operations.RemoveField("Thing", "double"))
    table.apply(operations.RemoveField("Thing", "amount"))


def test_all_apps_migrate_forwards_and_backwards(connection: DatabaseWrapper) -> None:
    call_command("migrate", database="risingwave", verbosity=0)
    call_command("migrate", database="risingwave", verbosity=0)
    call_command("migrate", "demo_shop", "zero", database="risingwave", verbosity=0)


def test_a_materialized_view_is_created_and_dropped(tables: DatabaseWrapper) -> None:
    table = Table(tables)
    undo = table.apply(
        migration_operations.CreateMaterializedView(
            "kind_total", source="events", group_by=["kind"], measures={"total": Count()}
        )
    )
    Event.objects.bulk_create([Event(kind="a"), Event(kind="a"), Event(kind="b")])
    tables.flush()
    groups: Any = KindTotal.objects.all()
    assert {group.kind: group.total for group in groups} == {"a": 2, "b": 1}
    undo()
    assert "kind_total" not in tables.introspection.table_names(include_views=True)


# Errors ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("SELECT nothing FROM django_risingwave_author", ProgrammingError),
        ("SELEC 1", ProgrammingError),
        ("SELECT no_such_function(1)", ProgrammingError),
        ("CREATE TABLE django_risingwave_author (id int PRIMARY KEY)", ProgrammingError),
        ("DROP TABLE nowhere", ProgrammingError),
    ],
)
def test_errors_raise_the_matching_exceptions(
    tables: DatabaseWrapper, watch: Watch, sql: str, kind: type[Exception]
) -> None:
    with tables.cursor() as cursor, pytest.raises(kind):
        cursor.execute(sql)
    assert not Author.objects.exists()
    watch.take(__name__)  # some statements are deliberately invalid


def test_a_missing_feature_raises_not_supported_error(risingwave: DatabaseWrapper, watch: Watch) -> None:
    with risingwave.cursor() as cursor, pytest.raises(NotSupportedError):
        cursor.execute("CREATE TABLE t (v numeric(12, 3))")
    assert watch.take(__name__)


def test_null_is_refused_in_a_not_null_column(tables: DatabaseWrapper) -> None:
    if tables.is_risingwave and tables.server_version.numbers < (2, 4):
        pytest.skip("RisingWave enforces NOT NULL since 2.4")
    with pytest.raises(IntegrityError):
        Author.objects.create(name=None)


def test_an_unreachable_server_raises_operational_error(
    connection: DatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "HOST", "127.0.0.1")
    monkeypatch.setitem(connection.settings_dict, "PORT", "1")
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", {})
    with pytest.raises(OperationalError):
        connection.ensure_connection()


# Lookups --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lookup",
    [
        {"text__iregex": "^äRGER"},
        {"text__regex": "^Ä.*r$"},
        {"text__icontains": "RGE"},
        {"text__istartswith": "är"},
        {"text__contains": "%"},
        {"text__endswith": "_r"},
        {"small__in": [7, 8]},
        {"small__range": (7, F("positive"))},
        {"datetime__year": 2026},
        {"datetime__date": dt.date(2026, 1, 2)},
        {"date__week_day": 6},
    ],
)
def test_lookups_find_the_same_rows_as_on_postgresql(tables: DatabaseWrapper, lookup: dict[str, Any]) -> None:
    made = Everything.objects.create(
        text="Ärger: 100 %_r",
        small=7,
        positive=8,
        date=dt.date(2026, 1, 2),
        datetime=dt.datetime(2026, 1, 2, 3, tzinfo=dt.UTC),
    )
    Everything.objects.create()
    tables.flush()
    assert list(Everything.objects.filter(**lookup)) == [made]
