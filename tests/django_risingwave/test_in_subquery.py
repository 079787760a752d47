"""`in` lookups of subqueries find the rows of PostgreSQL's IN, wherever they stand, also with NULLs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from django.db import NotSupportedError, models
from django.db.models import BooleanField, Case, Count, ExpressionWrapper, F, FilteredRelation, Q, Value, When
from django.db.models.expressions import OuterRef, RawSQL, Subquery
from django.db.models.lookups import In
from django.db.models.sql.where import WhereNode
from django.test.utils import CaptureQueriesContext, isolate_apps
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.django_risingwave.models import Base, KindTotal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.db.models import QuerySet

    from django_risingwave.base import DatabaseWrapper

with isolate_apps("django_risingwave"):

    class Shop(Base):
        id = models.IntegerField(primary_key=True)
        number = models.IntegerField()
        rank = models.IntegerField(null=True)

        class Meta(Base.Meta):
            app_label = "django_risingwave"

    class Item(Base):
        id = models.IntegerField(primary_key=True)
        number = models.IntegerField()
        rank = models.IntegerField(null=True)
        shop = models.ForeignKey(Shop, models.CASCADE, null=True, related_name="items")

        class Meta(Base.Meta):
            app_label = "django_risingwave"

    class Stock(Base):
        pk = models.CompositePrimaryKey("number", "rank")
        number = models.IntegerField()
        rank = models.IntegerField()

        class Meta(Base.Meta):
            app_label = "django_risingwave"


@pytest.fixture(autouse=True)
def _rows(connection: DatabaseWrapper) -> None:
    with connection.schema_editor() as editor:
        editor.create_model(Shop)
        editor.create_model(Item)
        editor.create_model(Stock)
    shops = [(1, 1, 1), (2, 2, None), (3, 3, 3)]
    Shop.objects.bulk_create(Shop(id=i, number=number, rank=rank) for i, number, rank in shops)
    items = [(1, 1, 1, 1), (2, 2, None, 2), (3, 9, 9, None), (4, 3, 3, 9), (5, 2, 2, None)]
    Item.objects.bulk_create(
        Item(id=i, number=number, rank=rank, shop_id=shop) for i, number, rank, shop in items
    )
    Stock.objects.bulk_create([Stock(number=1, rank=1), Stock(number=2, rank=9), Stock(number=3, rank=4)])
    connection.flush()


@contextmanager
def postgresql_in(standin: DatabaseWrapper) -> Iterator[None]:
    """Send Django's own SQL, which RisingWave would refuse."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(In, "as_risingwave")
        patch.delattr(WhereNode, "as_risingwave")
        patch.setattr(standin, "execute_wrappers", [])
        yield


# What `in` compares with: rows with and without NULL, NULL alone, no rows; sliced, distinct, united.
SUBQUERIES: dict[str, Callable[[], QuerySet[Any]]] = {
    "numbers": lambda: Shop.objects.values("number"),
    "ranks": lambda: Shop.objects.values("rank"),
    "ranks without NULL": lambda: Shop.objects.filter(rank__isnull=False).values("rank"),
    "NULL": lambda: Shop.objects.filter(rank=None).values("rank"),
    "nothing": lambda: Shop.objects.filter(number__gt=99).values("rank"),
    "two ranks": lambda: Shop.objects.order_by("id").values("rank")[:2],
    "distinct ranks": lambda: Shop.objects.order_by("rank").values("rank").distinct(),
    "a union": lambda: Shop.objects.values("rank").union(Item.objects.values("number")),
    "outer join": lambda: Item.objects.values("shop__number"),
    "an expression": lambda: Shop.objects.annotate(next=F("rank") + 1).values("next"),
    "grouped": lambda: Item.objects.values("shop").annotate(n=Count("id")).values("n"),
}

LEAVES = st.one_of(
    st.builds(
        lambda field, name: ("in", field, name),
        st.sampled_from(["id", "number", "rank", "shop", "shop__number", "shop__rank"]),
        st.sampled_from(sorted(SUBQUERIES)),
    ),
    st.sampled_from([("is", "number__gt", 2), ("is", "rank__isnull", True)]),
)
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from("&|^"), inner, inner),
        st.tuples(st.just("~"), inner),
    ),
    max_leaves=4,
)


def condition(tree: Any) -> Q:
    kind, *rest = tree
    if kind == "in":
        field, name = rest
        return Q(**{f"{field}__in": SUBQUERIES[name]()})
    if kind == "is":
        return Q(**{rest[0]: rest[1]})
    if kind == "~":
        return ~condition(rest[0])
    left, right = map(condition, rest)
    return left & right if kind == "&" else left | right if kind == "|" else left ^ right


USES: dict[str, Callable[[Q], Any]] = {
    "filter": Item.objects.filter,
    "exclude": Item.objects.exclude,
    "annotate": lambda q: Item.objects.annotate(x=ExpressionWrapper(q, BooleanField())),
    "case": lambda q: Item.objects.annotate(x=Case(When(q, then=Value(1)), default=Value(0))),
    "filter by annotation": lambda q: Item.objects.annotate(x=ExpressionWrapper(q, BooleanField())).filter(
        Q(x=False) | Q(number=9)
    ),
}


def rows(queryset: Any) -> list[Any]:
    return list(queryset.order_by("id").values_list("id", *queryset.query.annotations))


@given(tree=CONDITIONS, use=st.sampled_from(sorted(USES)))
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_condition_finds_the_rows_of_postgresql(standin: DatabaseWrapper, tree: Any, use: str) -> None:
    found = rows(USES[use](condition(tree)))
    with postgresql_in(standin):
        assert found == rows(USES[use](condition(tree)))


RANKS = Shop.objects.values("rank")  # 1, 3 and NULL
NUMBERS = Shop.objects.values("number")  # 1, 2 and 3
OWN_NUMBER = Subquery(NUMBERS.filter(id=OuterRef("shop")))


def ids(items: QuerySet[Any]) -> list[int]:
    return list(items.order_by("id").values_list("id", flat=True))


@pytest.mark.risingwave
@pytest.mark.parametrize(
    ("items", "found"),
    [
        (lambda: Item.objects.filter(rank__in=RANKS), [1, 4]),
        (lambda: Item.objects.exclude(rank__in=RANKS), [2]),
        (lambda: Item.objects.exclude(number__in=RANKS), []),
        (lambda: Item.objects.exclude(number__in=NUMBERS), [3]),
        (lambda: Item.objects.exclude(rank__in=NUMBERS), [2, 3]),
        # Items without a shop: a column that can't be NULL can, in an outer join.
        (lambda: Item.objects.exclude(number__in=Item.objects.values("shop__number")), []),
        (lambda: Item.objects.exclude(shop__in=Shop.objects.filter(number=1)), [2, 3, 4, 5]),
        (lambda: Item.objects.filter(Q(number__in=RANKS) | Q(id=5)), [1, 4, 5]),
        (lambda: Item.objects.filter(~Q(number__in=RANKS) | Q(id=5)), [5]),
        (lambda: Item.objects.filter(number__in=RANKS.order_by("id")[:2]), [1]),
        (lambda: Item.objects.exclude(number__in=RANKS.exclude(rank=None).distinct()), [2, 3, 5]),
        (lambda: Item.objects.exclude(number__in=NUMBERS.union(RANKS.exclude(rank=None))), [3]),
        (lambda: Item.objects.filter(number__in=OWN_NUMBER), [1, 2]),
        (lambda: Item.objects.exclude(number__in=OWN_NUMBER), [3, 4, 5]),
        (
            lambda: Item.objects.filter(
                Q(number__in=RawSQL("SELECT rank FROM django_risingwave_shop", ())) | Q(id=5)
            ),
            [1, 4, 5],
        ),
        (
            lambda: Item.objects.annotate(x=Case(When(number__in=RANKS, then=1), default=0)).filter(x=0),
            [2, 3, 5],
        ),
        (lambda: Item.objects.annotate(x=In(F("number"), RANKS)).filter(x=False), []),
        (lambda: Item.objects.annotate(x=In(F("number"), RANKS)).filter(x=True), [1, 4]),
        (lambda: Item.objects.filter(In(F("number"), RANKS)), [1, 4]),
    ],
)
def test_a_condition_finds_its_rows(items: Any, found: list[int]) -> None:
    assert ids(items()) == found


@pytest.mark.risingwave
def test_the_value_of_a_condition_is_null_if_sql_says_so() -> None:
    items = Item.objects.annotate(x=In(F("rank"), RANKS), y=In(F("number"), NUMBERS))
    assert list(items.order_by("id").values_list("x", "y")) == [
        (True, True),
        (None, True),
        (None, False),
        (True, True),
        (None, True),
    ]


@pytest.mark.risingwave
def test_the_fields_of_a_view_do_not_say_what_can_be_null(connection: DatabaseWrapper) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kind_total (kind varchar, total bigint)")
        cursor.execute("INSERT INTO kind_total VALUES ('a', 1), ('b', 2), (NULL, 3)")
    connection.flush()
    kinds = KindTotal.objects.filter(total__gt=1).values("kind")  # "b" and NULL
    assert list(KindTotal.objects.exclude(kind__in=kinds)) == []
    assert [each.kind for each in KindTotal.objects.exclude(kind__in=kinds.filter(total=2))] == ["a"]


@pytest.mark.risingwave
def test_pairs_of_columns_are_compared_as_one_row() -> None:
    pairs = Shop.objects.values("number", "rank")  # (1, 1), (2, NULL), (3, 3)
    stocks = Stock.objects.order_by("number")
    assert [stock.pk for stock in stocks.filter(pk__in=pairs)] == [(1, 1)]
    # (2, 9) may be (2, NULL), but (3, 4) isn't (3, 3).
    assert [stock.pk for stock in stocks.exclude(pk__in=pairs)] == [(3, 4)]
    assert [stock.pk for stock in stocks.exclude(pk__in=Stock.objects.filter(rank=9))] == [(1, 1), (3, 4)]


@pytest.mark.parametrize(
    ("items", "words"),
    [
        (lambda: Item.objects.filter(number__in=RANKS, id__gt=1), ["IN (SELECT"]),
        (lambda: Item.objects.filter(shop__in=Shop.objects.filter(number=1)), ["IN (SELECT"]),
        (lambda: Item.objects.filter(Q(id__gt=1) | Q(rank__in=RANKS)), ["EXISTS"]),
        (lambda: Item.objects.exclude(number__in=NUMBERS), ["EXISTS"]),
        (lambda: Item.objects.exclude(number__in=RANKS), ["EXISTS", "CASE"]),
        (lambda: Item.objects.filter(~Q(shop__number__in=NUMBERS) | Q(shop=None)), ["EXISTS", "CASE"]),
    ],
)
def test_the_sql_is_no_longer_than_its_place_requires(
    connection: DatabaseWrapper, items: Any, words: list[str]
) -> None:
    with CaptureQueriesContext(connection) as queries:
        list(items())
    sql = queries[0]["sql"]
    assert [word for word in ("IN (SELECT", "EXISTS", "CASE") if word in sql] == words


def test_rows_are_updated_and_deleted_by_in(standin: DatabaseWrapper) -> None:
    with CaptureQueriesContext(standin) as queries:
        assert Item.objects.filter(number__in=RANKS).update(number=7) == 2
        assert Item.objects.filter(shop__number__in=NUMBERS).delete()[0] == 2
        assert Item.objects.filter(id__in=Item.objects.filter(number=9)).delete()[0] == 1
    assert all("IN (SELECT" in query["sql"] and "EXISTS" not in query["sql"] for query in queries)
    assert ids(Item.objects.all()) == [4, 5]


@pytest.mark.parametrize(
    "shops",
    [
        lambda: Shop.objects.annotate(n=Count("items")).filter(Q(n__gt=1) | Q(number__in=RANKS)),
        lambda: Shop.objects.annotate(n=Count("items"), x=In(Count("items"), NUMBERS)),
        lambda: Shop.objects.annotate(n=Count("items")).filter(n__in=NUMBERS),
    ],
)
def test_a_subquery_next_to_an_aggregate_is_refused(shops: Any) -> None:
    with pytest.raises(NotSupportedError, match="`in` lookup of a subquery next to an aggregate"):
        list(shops())


def test_a_subquery_in_a_join_condition_is_refused() -> None:
    relation = FilteredRelation("items", condition=Q(items__number__in=Subquery(NUMBERS)))
    with pytest.raises(NotSupportedError, match=r"in a join condition \(FilteredRelation\('items'\)\)"):
        list(Shop.objects.annotate(some=relation).filter(some__number=1))
