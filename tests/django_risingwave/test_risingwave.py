"""What a real RisingWave alone can tell. Skipped unless RISINGWAVE_URL is that of one."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command
from django.db import NotSupportedError, OperationalError
from django.test.utils import isolate_apps

from django_risingwave.fields import RowIdField
from live.shop.models import ItemAverageQuantity, Order, StateTurnover
from tests.django_risingwave.models import Author, Event

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper

pytestmark = pytest.mark.risingwave


def test_the_server_is_known(risingwave: DatabaseWrapper) -> None:
    assert risingwave.server_name.startswith("RisingWave ")
    risingwave.check_database_version_supported()


def test_materialized_views_follow_their_source(risingwave: DatabaseWrapper) -> None:
    call_command("migrate", "shop", database="risingwave", verbosity=0)
    Order.objects.bulk_create(
        [
            Order(orderid=1, itemid=1, qty=2, price=1.5, state="CA"),
            Order(orderid=1, itemid=1, qty=5, price=1.5, state="CA"),
            Order(orderid=2, itemid=None, qty=1, price=None, state=None),
        ]
    )
    risingwave.flush()
    assert dict(StateTurnover.objects.values_list("state", "turnover")) == {"CA": 10.5, None: None}
    assert ItemAverageQuantity.objects.get(itemid=1).average_quantity == 3.5
    Order.objects.filter(state="CA").delete()
    risingwave.flush()
    assert dict(StateTurnover.objects.values_list("state", "turnover")) == {None: None}
    call_command("migrate", "shop", "zero", database="risingwave", verbosity=0)
    assert "orders" not in risingwave.introspection.table_names(include_views=True)


def test_a_materialized_view_can_not_be_written_to(risingwave: DatabaseWrapper) -> None:
    call_command("migrate", "shop", database="risingwave", verbosity=0)
    with (
        risingwave.cursor() as cursor,
        pytest.raises(Exception, match=r"(?i)materialized view|not supported"),
    ):
        cursor.execute("DELETE FROM state_turnover")


def test_a_row_is_found_by_its_row_id(risingwave: DatabaseWrapper) -> None:
    with risingwave.schema_editor() as editor:
        editor.create_model(Event)
    event = Event.objects.create(kind="a", amount=1)
    assert event.pk is None
    risingwave.flush()
    event = Event.objects.get()
    event.amount = 2
    event.save()
    risingwave.flush()
    assert Event.objects.get(pk=event.pk).amount == 2
    with pytest.raises(NotSupportedError):
        Event.objects.create(pk=5)
    event.delete()
    risingwave.flush()
    assert not Event.objects.exists()


def test_keys_come_back_from_risingwave(risingwave: DatabaseWrapper) -> None:
    with risingwave.schema_editor() as editor:
        editor.create_model(Author)
    made = Author.objects.bulk_create([Author(name="A"), Author(name="B")])
    risingwave.flush()
    assert {author.pk: author.name for author in Author.objects.all()} == {
        author.pk: author.name for author in made
    }
    with risingwave.cursor() as cursor:
        constraints = risingwave.introspection.get_constraints(cursor, Author._meta.db_table)
    assert [facts["columns"] for facts in constraints.values() if facts["primary_key"]] == [["id"]]


def test_cursors_outlive_the_statements_in_between(risingwave: DatabaseWrapper) -> None:
    with risingwave.schema_editor() as editor:
        editor.create_model(Author)
    made = Author.objects.bulk_create(Author(name=str(n)) for n in range(10))
    risingwave.flush()
    seen = []
    for author in Author.objects.order_by("pk").iterator(chunk_size=3):
        seen.append(author)
        assert list(Author.objects.filter(pk=author.pk).iterator()) == [author]
        Author.objects.filter(pk=author.pk).update(name="old")
        risingwave.flush()
    assert seen == made
    assert set(Author.objects.values_list("name", flat=True)) == {"old"}


@pytest.mark.parametrize("kind", [None, "text", "json", "xml", "yaml", "dot"])
@pytest.mark.parametrize("option", [None, "verbose", "logical", "physical"])
def test_risingwave_explains(risingwave: DatabaseWrapper, kind: str | None, option: str | None) -> None:
    with risingwave.schema_editor() as editor:
        editor.create_model(Author)
    assert Author.objects.all().explain(format=kind, **({option: True} if option else {}))
    assert Author.objects.all().explain(trace=True, distsql=True)


def test_a_query_that_takes_too_long_ends(
    risingwave: DatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(risingwave.settings_dict["OPTIONS"], "statement_timeout", 1)
    risingwave.close()
    with risingwave.cursor() as cursor:
        with pytest.raises(OperationalError):
            cursor.execute("SELECT count(*) FROM generate_series(1, 1000000000000)")
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone()[0] in ("1s", "1000ms", "1")


def test_inspectdb_finds_what_there_is(risingwave: DatabaseWrapper) -> None:
    call_command("migrate", "shop", database="risingwave", verbosity=0)
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
