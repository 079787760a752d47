"""A project's expressions and lookups that were written for PostgreSQL are used on RisingWave too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.db.models import Aggregate, F, Func, IntegerField, Value
from django.db.models.functions import Cast

from tests.django_risingwave.models import Number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django_risingwave.base import DatabaseWrapper

pytestmark = pytest.mark.risingwave

# Any: django-stubs knows no fields of models that aren't installed.
Rows: Any = Number


class Generic(Func):
    """SQL that no server takes."""

    function = "no_such_function"
    arity = 1
    output_field = IntegerField()


class ForPostgreSQL(Generic):
    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, function="ABS", **context)


class ForRisingWave(ForPostgreSQL):
    def as_risingwave(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="7", **context)


class ForPostgreSQLAgain(ForRisingWave):
    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="8", **context)


class OwnCast(Cast):
    """A subclass of an expression of Django for which this backend has SQL of its own."""

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="9", **context)


class Total(Aggregate):
    function = "no_such_function"
    output_field = IntegerField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, function="SUM", **context)


@pytest.fixture
def rows(connection: DatabaseWrapper) -> Iterator[Any]:
    with connection.cursor() as cursor:
        cursor.execute("CREATE VIEW numbers AS SELECT -5::bigint AS id, 'x' AS text")
    yield Rows.objects.all()
    with connection.cursor() as cursor:
        cursor.execute("DROP VIEW numbers")


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (ForPostgreSQL("id"), 5),
        (ForRisingWave("id"), 7),
        (ForPostgreSQLAgain("id"), 8),
        (OwnCast("id", IntegerField()), 9),
        (Cast("id", IntegerField()), -5),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_nearest_sql_for_either_server_is_used(rows: Any, expression: Any, value: int) -> None:
    assert rows.annotate(value=expression).values_list("value", flat=True).get() == value
    assert rows.filter(id=F("id") + expression - Value(value)).count() == 1


def test_an_aggregate_written_for_postgresql_is_used(rows: Any) -> None:
    assert rows.aggregate(total=Total("id")) == {"total": -5}
