"""Read-only models refuse every write: by the model, its managers, relations and cascades."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, cast

import pytest
from asgiref.sync import async_to_sync
from django.core import serializers
from django.db import NotSupportedError, connections, models
from django.db.models.deletion import Collector
from django.db.models.query import QuerySet
from django.template import Context, Template

from django_risingwave.models import ReadOnlyError, ReadOnlyQuerySet
from tests.django_risingwave.models import Event, KindTotal, Shelf, ShelfTotal, UnguardedKindTotal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django_risingwave.base import DatabaseWrapper

# Any: django-stubs knows no fields of models that aren't installed.
View: Any = KindTotal
VIEW, ROWS = View(kind="a", total=1), View.objects

GUARDED: dict[str, Callable[[], Any]] = {
    "save": VIEW.save,
    "asave": VIEW.asave,
    "save_base": VIEW.save_base,
    "delete": VIEW.delete,
    "adelete": VIEW.adelete,
    "create": lambda: ROWS.create(kind="a"),
    "acreate": lambda: ROWS.acreate(kind="a"),
    "get_or_create": lambda: ROWS.get_or_create(kind="a"),
    "aget_or_create": lambda: ROWS.aget_or_create(kind="a"),
    "update_or_create": lambda: ROWS.update_or_create(kind="a"),
    "aupdate_or_create": lambda: ROWS.aupdate_or_create(kind="a"),
    "bulk_create": lambda: ROWS.bulk_create([VIEW]),
    "abulk_create": lambda: ROWS.abulk_create([VIEW]),
    "bulk_update": lambda: ROWS.bulk_update([VIEW], ["total"]),
    "abulk_update": lambda: ROWS.abulk_update([VIEW], ["total"]),
    "update": lambda: ROWS.update(total=1),
    "aupdate": lambda: ROWS.aupdate(total=1),
    "queryset delete": lambda: ROWS.all().delete(),
    "queryset adelete": lambda: ROWS.all().adelete(),
    "filtered delete": lambda: ROWS.filter(total=1).delete(),
    "_raw_delete": lambda: ROWS.all()._raw_delete("risingwave"),
    "_update": lambda: ROWS.all()._update({}),
    "_insert": lambda: ROWS.all()._insert([VIEW], []),
}


@pytest.mark.parametrize("operation", GUARDED)
def test_a_write_is_refused_without_a_query(operation: str) -> None:
    async def awaited() -> None:
        result = GUARDED[operation]()
        if inspect.isawaitable(result):
            await result

    with pytest.raises(ReadOnlyError) as error:
        async_to_sync(awaited)()
    name = operation.removeprefix("queryset ").removeprefix("filtered ")
    assert str(error.value) == (
        f"django_risingwave.KindTotal is read-only: {name}() would change rows that are computed from other "
        "tables. Write to those tables instead."
    )
    assert isinstance(error.value, NotSupportedError)


def test_every_method_of_django_that_alters_data_is_refused() -> None:
    def alters_data(method: object) -> bool:
        return getattr(method, "alters_data", False)

    for name, method in inspect.getmembers(QuerySet, alters_data):
        assert getattr(ReadOnlyQuerySet, name) is not method, f"QuerySet.{name} is not refused"
        # So templates don't call it, and managers have it if they have Django's method.
        assert alters_data(getattr(ReadOnlyQuerySet, name))
        assert hasattr(KindTotal.objects, name) == hasattr(Event.objects, name)
    for name, method in inspect.getmembers(models.Model, alters_data):
        assert getattr(KindTotal, name) is not method, f"Model.{name} is not refused"
    assert Template("{{ view.delete }}").render(Context({"view": VIEW})) == ""


@pytest.fixture
def tables(connection: DatabaseWrapper) -> Iterator[DatabaseWrapper]:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kind_total (kind varchar PRIMARY KEY, total bigint)")
        cursor.execute("INSERT INTO kind_total VALUES ('a', 1)")
    with connection.schema_editor() as editor:
        editor.create_model(Shelf)
        editor.create_model(ShelfTotal)
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO django_risingwave_shelf VALUES (1)")
        cursor.execute("INSERT INTO django_risingwave_shelftotal VALUES (2, 1)")
    connection.flush()
    yield connection
    assert list(UnguardedKindTotal.objects.values_list()) == [("a", 1)]
    (total,) = ShelfTotal.objects.all()
    assert (total.pk, cast("Any", total).shelf_id) == (2, 1)


def a_shelf() -> Any:
    return Shelf.objects.get()


def plain_row() -> UnguardedKindTotal:
    return UnguardedKindTotal(kind="a", total=7)


def load_data() -> None:
    (loaded,) = serializers.deserialize(
        "json", '[{"model": "demo_shop.stateturnover", "pk": "CA", "fields": {"turnover": 7}}]'
    )
    loaded.save()


def collect_and_delete() -> None:
    collector = Collector(using="risingwave")
    collector.collect(KindTotal.objects.all())
    collector.delete()


PLAIN = UnguardedKindTotal.objects

# Writes that bypass the methods of the model and of its manager.
UNGUARDED: dict[str, Callable[[], object]] = {
    "plain manager: create": lambda: PLAIN.create(kind="b"),
    "plain manager: get_or_create": lambda: PLAIN.get_or_create(kind="b"),
    "plain manager: update_or_create": lambda: PLAIN.update_or_create(kind="a", defaults={"total": 7}),
    "plain manager: bulk_create": lambda: PLAIN.bulk_create([plain_row()]),
    "plain manager: bulk_update": lambda: PLAIN.bulk_update([plain_row()], ["total"]),
    "plain manager: update": lambda: PLAIN.update(total=7),
    "plain manager: delete": lambda: PLAIN.all().delete(),
    "plain manager: _raw_delete": lambda: cast("Any", PLAIN.all())._raw_delete("risingwave"),
    "plain save": lambda: plain_row().save(),
    "plain delete": lambda: plain_row().delete(),
    "base manager": lambda: KindTotal._base_manager.update(total=7),
    "loaddata": load_data,
    "collector": collect_and_delete,
    "cascade": lambda: a_shelf().delete(),
    "related manager: create": lambda: a_shelf().totals.create(id=3),
    "related manager: add": lambda: a_shelf().totals.add(ShelfTotal.objects.get()),
    "related manager: remove": lambda: a_shelf().totals.remove(ShelfTotal.objects.get()),
    "related manager: update": lambda: a_shelf().totals.update(shelf=None),
    "related manager: delete": lambda: a_shelf().totals.all().delete(),
}


@pytest.mark.parametrize("operation", UNGUARDED)
def test_a_write_that_bypasses_those_methods_is_refused_by_the_compiler(
    tables: DatabaseWrapper, operation: str
) -> None:
    with pytest.raises(ReadOnlyError, match="is read-only"):
        UNGUARDED[operation]()


def test_reads_work_as_usual(tables: DatabaseWrapper) -> None:
    assert ROWS.get(kind="a").total == 1
    assert ROWS.filter(total__gt=0).count() == 1
    assert connections["risingwave"] is tables
    assert Shelf.objects.get().totals.get().pk == 2
