"""A view whose columns don't fit its model isn't created, and the error says what to change."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import FieldError
from django.db import models
from django.test.utils import isolate_apps

from django_risingwave.fields import NaiveDateTimeField
from django_risingwave.models import MaterializedView
from django_risingwave.streaming.declaring.column_checks import check_columns
from django_risingwave.streaming.definitions import SubscriptionDefinition
from django_risingwave.streaming.views import ViewDefinition

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django_risingwave.base import DatabaseWrapper


@pytest.fixture(autouse=True)
def orders(connection: DatabaseWrapper) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE orders (itemid integer, qty smallint, price double precision, state varchar,"
            " placed_at timestamptz, local timestamp, dt date, data jsonb, raw bytea, tags varchar[])"
        )
    with isolate_apps("django_risingwave"):
        yield


def view(**fields: models.Field[Any, Any]) -> type[models.Model]:
    key = (
        {"item": models.IntegerField(primary_key=True)}
        if not any(f.primary_key for f in fields.values())
        else {}
    )
    meta = type("Meta", (MaterializedView.Meta,), {"app_label": "django_risingwave", "db_table": "sales"})
    return type("Sales", (MaterializedView,), {"__module__": __name__, "Meta": meta, **key, **fields})


def check(connection: DatabaseWrapper, model: type[models.Model], query: str) -> None:
    check_columns(connection, model, ViewDefinition("sales", query))


def findings(connection: DatabaseWrapper, model: type[models.Model], query: str) -> list[str]:
    with pytest.raises(FieldError) as caught:
        check(connection, model, query)
    return str(caught.value).splitlines()


def test_a_column_of_another_type_is_named_with_a_cast_and_a_field(each_server: DatabaseWrapper) -> None:
    model = view(turnover=models.DecimalField(max_digits=28, decimal_places=10))
    query = "SELECT itemid AS item, sum(qty * price) AS turnover FROM orders GROUP BY itemid"
    (found,) = findings(each_server, model, query)
    assert found == (
        'Materialized view sales: field "turnover" is a DecimalField, but the column "turnover" is a double '
        "precision. Cast it in the query, (…)::numeric, or use a FloatField."
    )
    check(each_server, model, query.replace("qty * price", "(qty * price)::numeric"))


def test_a_field_without_a_column_is_named_with_the_columns_that_there_are(
    each_server: DatabaseWrapper,
) -> None:
    model = view(turnover=models.FloatField(), state=models.TextField())
    (found,) = findings(
        each_server, model, "SELECT itemid AS item, sum(price) AS total, state FROM orders GROUP BY 1, 3"
    )
    assert found == (
        'Materialized view sales: field "turnover" has no column "turnover". The query\'s columns are '
        '"item", "total", "state". Name one of them with AS "turnover", or remove the field.'
    )


def test_all_findings_are_in_one_error(each_server: DatabaseWrapper) -> None:
    model = view(a=models.IntegerField(), b=models.TextField())
    found = findings(
        each_server,
        model,
        "SELECT itemid AS item, count(*) AS a, dt AS b, 1 + 1, 2 + 2 FROM orders GROUP BY 1, 3",
    )
    assert len(found) == 3
    assert found[0] == "Materialized view sales: a column of the query has no name. Give it one with AS."
    assert "(…)::integer, or use a BigIntegerField." in found[1]
    assert "(…)::varchar, or use a DateField." in found[2]


def test_two_columns_of_one_name_are_refused(each_server: DatabaseWrapper) -> None:
    found = findings(each_server, view(), "SELECT itemid AS item, qty AS item FROM orders")
    assert found[0] == (
        'Materialized view sales: 2 columns of the query are named "item". Rename the others with AS.'
    )


def test_fields_take_the_columns_of_their_types(each_server: DatabaseWrapper) -> None:
    check(
        each_server,
        view(
            item=models.BigIntegerField(primary_key=True),
            small=models.PositiveIntegerField(),
            ratio=models.FloatField(),
            real=models.FloatField(),
            state=models.CharField(max_length=2),
            code=models.UUIDField(),
            placed_at=models.DateTimeField(),
            local=NaiveDateTimeField(),
            day=models.DateField(),
            data=models.JSONField(),
            raw=models.BinaryField(),
            tags=ArrayField(models.TextField()),
            large=models.BooleanField(),
            wait=models.DurationField(),
            at=models.TimeField(),
            total=models.DecimalField(max_digits=28, decimal_places=2),
        ),
        "SELECT itemid AS item, qty AS small, price AS ratio, 1::real AS real, state, state AS code,"
        " placed_at, local, dt AS day, data, raw, tags, qty > 5 AS large, now() - placed_at AS wait,"
        " placed_at::time AS at, 1.5 AS total FROM orders",
    )


@pytest.mark.parametrize(
    ("field", "column", "type_", "other"),
    [
        (models.DateTimeField(), "local", "timestamp", "NaiveDateTimeField"),
        (NaiveDateTimeField(), "placed_at", "timestamptz", "DateTimeField"),
        (models.TextField(), "data", "jsonb", "JSONField"),
        (models.JSONField(), "state", "varchar", "TextField"),
        (models.TextField(), "tags", "varchar[]", "ArrayField"),
        (ArrayField(models.IntegerField()), "tags", "varchar[]", "ArrayField"),
        (models.DecimalField(max_digits=5, decimal_places=0), "itemid", "integer", "IntegerField"),
        (models.SmallIntegerField(), "itemid", "integer", "IntegerField"),
        (models.FloatField(), "1.5", "numeric", "DecimalField"),
        (models.BooleanField(), "qty", "smallint", "SmallIntegerField"),
    ],
)
def test_a_field_of_another_kind_of_value_is_refused(
    standin: DatabaseWrapper, field: models.Field[Any, Any], column: str, type_: str, other: str
) -> None:
    (found,) = findings(standin, view(value=field), f"SELECT itemid AS item, {column} AS value FROM orders")
    assert f'but the column "value" is a{"n" * (type_[0] in "aeio")} {type_}. Cast it' in found
    assert found.endswith(f"or use a{'n' * (other[0] in 'AEIO')} {other}.")


def test_a_column_without_a_field_is_logged(standin: DatabaseWrapper, caplog: Any) -> None:
    with caplog.at_level(logging.WARNING):
        check(standin, view(), "SELECT itemid AS item, state, qty FROM orders")
    assert caplog.messages == [
        'Materialized view sales: model django_risingwave.Sales has no field for "state", "qty"'
    ]


def test_comments_percent_signs_and_semicolons_in_the_query_do_no_harm(each_server: DatabaseWrapper) -> None:
    check(
        each_server, view(), "SELECT itemid AS item FROM orders WHERE state LIKE '100 %s' -- all of it\n ;\n"
    )


def test_a_query_that_the_server_refuses_is_left_to_its_create(standin: DatabaseWrapper) -> None:
    check(standin, view(), "SELECT itemid AS item FROM nowhere")


def test_the_stand_ins_own_query_is_checked_there(standin: DatabaseWrapper) -> None:
    refused = ViewDefinition("sales", "SELECT nothing", standin="SELECT 'a' AS item")
    with pytest.raises(FieldError, match='is an IntegerField, but the column "item" is a varchar'):
        check_columns(standin, view(), refused)


def test_only_the_columns_of_views_are_checked(standin: DatabaseWrapper) -> None:
    check_columns(standin, view(), SubscriptionDefinition("s", "sales", "1 day"))
