"""`str(queryset.query)` shows the SQL of RisingWave, whatever the default database is."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from django.db.models import CharField, Value
from django.db.models.functions import SHA256, Cast

from demo.shop.models import Order, StateTurnover
from django_risingwave.queries import RisingWaveQuerySet


@pytest.mark.parametrize(
    "rows",
    [StateTurnover.objects.all(), Order.objects.all(), RisingWaveQuerySet(Order)],
    ids=["view", "table", "queryset"],
)
def test_the_text_of_a_query_is_the_sql_of_risingwave(rows: Any) -> None:
    queries = [
        rows.annotate(short=Cast(Value("abc"), CharField(max_length=2))).order_by("short"),
        rows.using("risingwave").filter(pk__iregex="a").exclude(pk=None).distinct(),
        pickle.loads(pickle.dumps(rows.filter(pk__iregex="b").query)),
    ]
    texts = [str(getattr(query, "query", query)) for query in queries]
    # PostgreSQL's backend writes `::varchar(2)` and `~*`.
    assert "LEFT((abc)::varchar, 2)" in texts[0]
    assert "~ ('(?i)' || a)" in texts[1]
    assert "~ ('(?i)' || b)" in texts[2]


def test_the_text_of_another_kind_of_query_is_the_sql_of_risingwave() -> None:
    hashed = SHA256(Value("abc"))
    (sql, _) = RisingWaveQuerySet(Order).annotate(hashed=hashed).values("hashed").query.sql_with_params()
    assert "ENCODE(SHA256(" in sql
