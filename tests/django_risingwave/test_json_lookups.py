"""Comparisons of JSON give PostgreSQL's results on both servers, or raise NotSupportedError."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.core.serializers.json import DjangoJSONEncoder
from django.db import NotSupportedError
from django.db.models import (
    Case,
    Exists,
    F,
    FloatField,
    JSONField,
    Lookup,
    OuterRef,
    Q,
    Subquery,
    Value,
    When,
    Window,
    functions,
)
from django.db.models.fields.json import KT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.django_risingwave.models import Everything

if TYPE_CHECKING:
    from collections.abc import Callable

    from django_risingwave.base import DatabaseWrapper
    from tests.django_risingwave.conftest import Disguise

VALUES: dict[str, Any] = {
    "one": {"n": 1, "in": {"n": 1}},
    "ten": {"n": 10, "in": {"n": 2}},
    "two": {"n": 2.5, "list": [5]},
    "big": {"n": 2**62},
    "text": {"n": "b"},
    "Text": {"n": "ä"},
    "true": {"n": True},
    "null": {"n": None},
    "list": {"n": [3]},
    "none": {"m": 3},
    "sql null": None,
}
HAVE_N = set(VALUES) - {"none", "sql null"}


@pytest.fixture
def rows(connection: DatabaseWrapper) -> None:
    with connection.schema_editor() as editor:
        editor.create_model(Everything)
    Everything.objects.bulk_create(Everything(slug=slug, json=json) for slug, json in VALUES.items())
    connection.flush()


def found(condition: Any) -> set[str]:
    return set(Everything.objects.filter(condition).values_list("slug", flat=True))


COMPARISONS: list[tuple[Q, set[str]]] = [
    (Q(json__n__gt=1), {"ten", "two", "big"}),
    (Q(json__n__gte=1), {"one", "ten", "two", "big"}),
    (Q(json__n__lt=10), {"one", "two"}),
    (Q(json__n__lte=10), {"one", "two", "ten"}),
    (Q(json__n__gt=2.25), {"ten", "two", "big"}),
    (Q(json__n__lt=Decimal("2.5")), {"one"}),
    (Q(json__n__gte=2**62), {"big"}),
    (Q(json__n__lt=-1), set()),
    (Q(json__n__range=(1, 2.5)), {"one", "two"}),
    (Q(json__n__range=(Value(2), 10)), {"two", "ten"}),
    (Q(json__n__gt=Value(2)), {"ten", "two", "big"}),
    (Q(json__n__gt="a"), {"text", "Text"}),
    (Q(json__n__lt="c"), {"text"}),
    (Q(json__n__range=("a", "c")), {"text"}),
    (Q(json__n__gte=True), {"true"}),
    (Q(json__n__lt=True), set()),
    (Q(json__in__n__gt=1), {"ten"}),
    (Q(json__list__0__gt=4), {"two"}),
    # A value of another type is not in a range; a missing one is in neither set, as on PostgreSQL.
    (~Q(json__n__gt=1), HAVE_N - {"ten", "two", "big"} | {"sql null"}),
    (Q(json__n__gt=1) | Q(json__n__lt="c"), {"ten", "two", "big", "text"}),
    (Q(Case(When(json__n__gt=1, then=Value(True)), default=Value(False))), {"ten", "two", "big"}),
]


@pytest.mark.risingwave
@pytest.mark.parametrize(("condition", "expected"), COMPARISONS)
def test_json_is_compared_as_the_type_of_the_constant(
    rows: None, both_servers: Disguise | None, condition: Q, expected: set[str]
) -> None:
    assert found(condition) == expected


def scalars(number: st.SearchStrategy[Any], text: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.tuples(number, number), st.tuples(text, text), st.tuples(st.booleans(), st.booleans())
    )


NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(-1e15, 1e15).map(lambda number: round(number, 6))
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)
PAIRS = st.one_of([st.tuples(values, values) for values in (NUMBERS, TEXT, st.booleans())])


@pytest.fixture
def driver(connect: Callable[[], Any]) -> Any:
    """A connection past the backend, which sends no `<` of jsonb."""
    return connect()


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(pair=PAIRS, lookup=st.sampled_from(["gt", "gte", "lt", "lte"]))
def test_json_of_one_type_is_compared_as_postgresql_does(
    standin: DatabaseWrapper, driver: Any, pair: tuple[Any, Any], lookup: str
) -> None:
    left = Value(pair[0], JSONField())
    comparison: type[Lookup[Any]] = JSONField().get_lookup(lookup)  # type: ignore[assignment]
    compiler = Everything.objects.all().query.get_compiler("risingwave")
    sql, params = compiler.compile(comparison(left, pair[1]))
    postgresql, constants = comparison(left, pair[1]).as_sql(compiler, standin)
    with driver.cursor() as cursor:
        cursor.execute(f"SELECT {sql}, {postgresql}", [*params, *constants])
        ours, theirs = cursor.fetchone()
    assert "jsonb_typeof" in sql
    assert ours is theirs


def test_a_constant_is_compared_as_the_field_encodes_it(standin: DatabaseWrapper) -> None:
    left = Value({"day": date(2026, 1, 2)}, JSONField(encoder=DjangoJSONEncoder))
    day = functions.Cast(left, JSONField(encoder=DjangoJSONEncoder))
    compiler = Everything.objects.all().query.get_compiler("risingwave")
    lookup = JSONField().get_lookup("gt")
    assert lookup is not None
    _, params = compiler.compile(lookup(day, date(2026, 1, 1)))
    assert "2026-01-01" in params


@pytest.mark.parametrize(
    "condition",
    [
        Q(json__n__gt=F("json__m")),
        Q(json__n__lt=F("small")),
        Q(json__n__lte=Subquery(Everything.objects.values("json")[:1])),
        Q(json__n__gte=[1]),
        Q(json__n__gt={"a": 1}),
        Q(json__n__range=(1, "a")),
        Q(json__n__range=(1, F("small"))),
    ],
)
def test_a_comparison_whose_type_is_unknown_is_refused_by_name(
    rows: None, both_servers: Disguise | None, condition: Q
) -> None:
    with pytest.raises(
        NotSupportedError, match=r"RisingWave doesn't compare JSON .* Cast\(KT\(\"json__n\"\), "
    ):
        found(condition)
    with pytest.raises(NotSupportedError, match=r"Cast\(KT\(\"json__key\"\), "):
        found(Q(json__gt=F("json__n")))


@pytest.mark.parametrize(
    ("order", "cast"),
    [
        (F("json__n"), 'KT("json__n")'),
        (F("json__in__n").desc(nulls_last=True), 'KT("json__in__n")'),
        (F("json"), 'KT("json__key")'),
    ],
)
def test_an_order_by_json_is_refused_by_name(
    rows: None, both_servers: Disguise | None, order: Any, cast: str
) -> None:
    with pytest.raises(NotSupportedError) as refused:
        list(Everything.objects.order_by(order))
    assert f"Order by a cast, such as Cast({cast}, FloatField())." in str(refused.value)
    with pytest.raises(NotSupportedError, match="doesn't order JSON as PostgreSQL does"):
        list(Everything.objects.annotate(rank=Window(functions.Rank(), order_by=[order])))


@pytest.mark.risingwave
def test_the_remedy_orders_numbers_and_text(rows: None) -> None:
    numbers = Everything.objects.filter(json__n__gte=0).order_by(functions.Cast(KT("json__n"), FloatField()))
    assert list(numbers.values_list("slug", flat=True)) == ["one", "two", "ten", "big"]
    texts = Everything.objects.filter(json__n__gte="").order_by(KT("json__n"))
    assert list(texts.values_list("slug", flat=True)) == ["text", "Text"]


@pytest.mark.risingwave
def test_an_order_in_a_subquery_that_django_drops_is_not_refused(rows: None) -> None:
    same = Everything.objects.filter(slug=OuterRef("slug"), json__n__gt=1).order_by("json")
    assert Everything.objects.filter(Exists(same)).count() == 3
