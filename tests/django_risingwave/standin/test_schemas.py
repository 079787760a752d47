"""The stand-in of a view is in the schema of the session, beside its source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django_risingwave.streaming.migration_operations import CreateTable
from tests.django_risingwave.models import Event, KindTotal
from tests.django_risingwave.streaming.migrating import kind_total, migrate

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper

# Any: django-stubs knows no fields of models that aren't installed.
Totals: Any = KindTotal


def test_a_view_is_created_kept_up_to_date_and_dropped_in_the_schema_of_the_search_path(
    standin: DatabaseWrapper, options: dict[str, Any]
) -> None:
    with standin.cursor() as cursor:
        cursor.execute("CREATE SCHEMA shop")
    standin.close()
    options["options"] = "-c search_path=missing,shop,public"
    operations = [CreateTable("Event"), kind_total()]
    migrate(standin, *operations)
    Event.objects.bulk_create([Event(kind="a", amount=2), Event(kind="a", amount=3)])
    assert list(Totals.objects.values_list("kind", "total")) == [("a", 5)]
    with standin.cursor() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'shop'")
        assert {name for (name,) in cursor.fetchall()} == {"events", "kind_total"}
    migrate(standin, *operations, backwards=True)
    assert standin.introspection.table_names(include_views=True) == []
