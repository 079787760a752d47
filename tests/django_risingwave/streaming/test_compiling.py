"""A QuerySet becomes the SELECT of a view: without a server, and with the same text for both drivers."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.db import NotSupportedError, connections, models
from django.db.models import Count, DecimalField, F, Q, Sum, Value
from django.db.models.functions import Cast
from django.utils.functional import lazystr
from hypothesis import given
from hypothesis import strategies as st

from demo.shop.models import ItemTurnover, Order
from django_risingwave.drivers.literals import literal
from django_risingwave.streaming.declaring.compiling import compile_queryset
from django_risingwave.streaming.reading_sql import canonical, relations_read
from tests.django_risingwave.models import Author, Book, Everything

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper

CASES: dict[str, tuple[Any, str]] = {
    "the names of values() and annotate() are the columns": (
        Order.objects.values(item=F("itemid")).annotate(
            turnover=Sum(Cast(F("qty") * F("price"), DecimalField(max_digits=28, decimal_places=4)))
        ),
        (
            'SELECT "orders"."itemid" AS "item", '
            'SUM(ROUND((("orders"."qty" * "orders"."price"))::numeric, 4)) AS "turnover" '
            'FROM "orders" GROUP BY 1'
        ),
    ),
    "strings and dates survive": (
        Order.objects.filter(state="100 %s 'x' \\ ü", dt__gt=date(2024, 1, 2)).values("state"),
        (
            'SELECT "orders"."state" AS "state" FROM "orders" '
            """WHERE ("orders"."dt" > '2024-01-02'::date AND "orders"."state" = '100 %s ''x'' \\ ü')"""
        ),
    ),
    "a view has no order without a limit": (
        Order.objects.order_by("state").values("state"),
        'SELECT "orders"."state" AS "state" FROM "orders"',
    ),
    "a view of leading rows has one": (
        Order.objects.values("state").annotate(n=Count("*")).order_by("-n")[:5],
        (
            'SELECT "orders"."state" AS "state", COUNT(*) AS "n" FROM "orders" '
            "GROUP BY 1 ORDER BY 2 DESC LIMIT 5"
        ),
    ),
    "a joined column is named as in values()": (
        Book.objects.values("author__name"),
        (
            'SELECT "django_risingwave_author"."name" AS "author__name" FROM "django_risingwave_book" '
            'INNER JOIN "django_risingwave_author" '
            'ON ("django_risingwave_book"."author_id" = "django_risingwave_author"."id")'
        ),
    ),
    "without values() the columns are the model's": (
        Author.objects.all(),
        (
            'SELECT "django_risingwave_author"."id" AS "id", "django_risingwave_author"."name" AS "name" '
            'FROM "django_risingwave_author"'
        ),
    ),
    "NULL, booleans and negative numbers": (
        Author.objects.values("id").annotate(
            a=Value(None, output_field=models.TextField()),
            b=Value(-5),
            c=Q(name="x"),
        ),
        (
            'SELECT "django_risingwave_author"."id" AS "id", NULL AS "a", -5 AS "b", '
            """"django_risingwave_author"."name" = 'x' AS "c" FROM "django_risingwave_author\""""
        ),
    ),
    "wrapped values of the drivers": (
        Everything.objects.filter(json={"a": "b'c"}, binary=b"\x01", ip="::1").values("id"),
        (
            'SELECT "django_risingwave_everything"."id" AS "id" FROM "django_risingwave_everything" '
            'WHERE ("django_risingwave_everything"."binary" = \'\\x01\'::bytea '
            'AND "django_risingwave_everything"."ip" = \'::1\' '
            """AND "django_risingwave_everything"."json" = '{"a": "b''c"}'::jsonb)"""
        ),
    ),
    "aware datetimes, decimals and durations": (
        Everything.objects.filter(
            datetime=datetime(2024, 1, 1, tzinfo=UTC), decimal=Decimal("1.50"), duration=timedelta(seconds=-1)
        ).values("id"),
        (
            'SELECT "django_risingwave_everything"."id" AS "id" FROM "django_risingwave_everything" '
            'WHERE ("django_risingwave_everything"."datetime" = \'2024-01-01 00:00:00+00:00\'::timestamptz '
            'AND "django_risingwave_everything"."decimal" = 1.50 '
            'AND "django_risingwave_everything"."duration" = \'-1 days +23:59:59.000000\'::interval)'
        ),
    ),
}


@pytest.mark.parametrize(("queryset", "sql"), CASES.values(), ids=CASES)
def test_a_queryset_is_written_as_sql(queryset: Any, sql: str) -> None:
    assert compile_queryset(queryset) == sql


def test_no_server_is_asked() -> None:
    wrapper = connections["risingwave"]
    wrapper.close()
    compile_queryset(Order.objects.filter(state__icontains="x").values("state"))
    assert wrapper.connection is None


def test_the_tables_of_subqueries_and_unions_are_read() -> None:
    best = ItemTurnover.objects.filter(turnover__gt=5).values("itemid")
    united = Order.objects.filter(itemid__in=best).values("itemid").union(best)
    assert relations_read(compile_queryset(united)) == {"orders", "item_turnover"}


def test_a_subquery_is_the_same_for_every_version_of_django() -> None:
    """Django quotes its aliases since 6.1, which would make a view look changed."""
    best = ItemTurnover.objects.filter(turnover__gt=5).values("itemid")
    sql = compile_queryset(Order.objects.filter(itemid__in=best).values("itemid"))
    unquoted = sql.replace('"U0"', "U0")
    assert canonical(unquoted) == canonical(unquoted.replace("U0", '"U0"'))


def test_a_queryset_that_can_have_no_rows_is_refused() -> None:
    with pytest.raises(NotSupportedError, match="The QuerySet can have no rows"):
        compile_queryset(Order.objects.none())


VALUES = [
    None,
    True,
    -7,
    2**62,
    1.5,
    1e300,
    5e-324,
    -0.0,
    math.inf,
    Decimal("1E+5"),
    Decimal("-0.10"),
    "100 %s",
    'it\'s \\ "quoted"\n',
    date(2024, 2, 29),
    datetime(2024, 2, 29, 12, 30, 0, 5),  # noqa: DTZ001 - a timestamp without a time zone
    datetime(2024, 2, 29, 12, tzinfo=timezone(timedelta(hours=5, minutes=30))),
    time(23, 59, 59, 1),
    timedelta(days=-1, microseconds=1),
    b"\x00\xff'",
    [1, 2],
    ["a'b", "c,d"],
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_literal_is_read_as_its_value(connection: DatabaseWrapper, value: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {literal(value)}", None)
        ((read,),) = cursor.fetchall()
    assert (bytes(read) if isinstance(value, bytes) else read) == value


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_any_text_is_one_string_constant(text: str) -> None:
    written = literal(text)
    assert written[0] == written[-1] == "'"
    assert written[1:-1].replace("''", "").count("'") == 0
    assert written[1:-1].replace("''", "'") == text


def test_a_text_that_is_translated_late_is_a_text() -> None:
    assert literal(lazystr("x")) == "'x'"


@pytest.mark.parametrize(("value", "named"), [("a\0b", "NUL"), (object(), "object"), (1j, "complex")])
def test_what_has_no_literal_is_refused_by_name(value: Any, named: str) -> None:
    with pytest.raises(NotSupportedError, match=named):
        literal(value)
