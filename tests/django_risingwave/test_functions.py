"""Functions and lookups give the same on both servers as on PostgreSQL, or raise NotSupportedError."""

from __future__ import annotations

import hashlib
import importlib
import pkgutil
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.postgres.functions import RandomUUID
from django.contrib.postgres.lookups import Overlap
from django.db import NotSupportedError, models
from django.db.models import F, Q, Sum, Value, Window, functions
from django.db.models.expressions import BaseExpression
from django.utils import timezone

from tests.django_risingwave.models import Everything

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django_risingwave.base import DatabaseWrapper

pytestmark = pytest.mark.risingwave


# Decisions -----------------------------------------------------------------------------------------------


def subclasses(cls: type) -> Iterator[type]:
    subclass: type
    for subclass in cls.__subclasses__():
        yield subclass
        yield from subclasses(subclass)


def written_for_postgresql() -> set[type]:
    """Return the classes of the installed Django, mixins too, that define `as_postgresql()`."""
    for module in pkgutil.walk_packages(models.__path__, "django.db.models."):
        importlib.import_module(module.name)
    return {
        base
        for expression in subclasses(BaseExpression)
        for base in expression.__mro__
        if base.__module__.startswith("django.db.") and "as_postgresql" in vars(base)
    }


def test_every_expression_with_as_postgresql_has_as_risingwave(standin: DatabaseWrapper) -> None:
    written = written_for_postgresql()
    assert {cls for cls in written if "as_risingwave" not in vars(cls)} == set()
    assert functions.Now in written


# Values --------------------------------------------------------------------------------------------------


@pytest.fixture
def row(connection: DatabaseWrapper) -> Everything:
    with connection.schema_editor() as editor:
        editor.create_model(Everything)
    row: Everything = Everything.objects.create(
        float=8.0,
        decimal=Decimal(100),
        positive=1000,
        small=7,
        text="Ärger",
        slug="2",
        json={"a": {"b": [1, 2]}, "none": None, "list": ["x"]},
    )
    connection.flush()
    return row


def value(expression: Any) -> Any:
    return Everything.objects.annotate(value=expression).values_list("value", flat=True).get()


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (functions.Log(2, "float"), pytest.approx(3)),
        (functions.Log(10, "decimal"), pytest.approx(Decimal(2))),
        (functions.Log("decimal", "positive"), pytest.approx(Decimal("1.5"))),
        (functions.Mod("float", 3), pytest.approx(2)),
        (functions.Mod("small", 4), pytest.approx(3)),
        (functions.StrIndex("text", Value("g")), 3),
        (functions.Concat("text", Value("-"), "small", output_field=models.TextField()), "Ärger-7"),
        (functions.Cast("float", models.CharField()), "8"),
        (functions.Cast("text", models.CharField(max_length=2)), "Är"),
        (
            functions.Cast(Value("2.345"), models.DecimalField(max_digits=4, decimal_places=2)),
            Decimal("2.35"),
        ),
        (functions.Cast("slug", models.IntegerField()), 2),
        (functions.MD5("text"), hashlib.md5("Ärger".encode()).hexdigest()),
        (functions.SHA224("text"), hashlib.sha224("Ärger".encode()).hexdigest()),
        (functions.SHA256("text"), hashlib.sha256("Ärger".encode()).hexdigest()),
        (functions.SHA384("text"), hashlib.sha384("Ärger".encode()).hexdigest()),
        (functions.SHA512("text"), hashlib.sha512("Ärger".encode()).hexdigest()),
        (functions.SHA256("email"), None),
        (functions.JSONObject(a="small", b=Value("x")), {"a": 7, "b": "x"}),
        (functions.JSONArray("small", Value("x")), [7, "x"]),
        (F("json__a__b__1"), 2),
        (F("json__list"), ["x"]),
        (Window(Sum("small"), order_by="id"), 7),
        (Window(functions.Lag("small"), order_by="id"), None),
        (functions.Collate("slug", "C"), "2"),
    ],
)
def test_a_function_gives_what_it_gives_on_postgresql(
    row: Everything, expression: Any, expected: Any
) -> None:
    assert value(expression) == expected


def test_upper_and_lower_only_change_ascii_letters_on_risingwave(
    row: Everything, connection: DatabaseWrapper
) -> None:
    upper, lower = ("çX", "Çx") if connection.is_risingwave else ("ÇX", "çx")
    assert value(functions.Upper(Value("çx"))) == upper
    assert value(functions.Lower(Value("ÇX"))) == lower


def test_now_is_the_time_of_the_statement_on_the_standin(standin: DatabaseWrapper, row: Everything) -> None:
    before = timezone.now()
    first, second = value(functions.Now()), value(functions.Now())
    assert before <= first < second <= timezone.now()


def test_now_never_goes_back_nor_ahead_of_the_clock(row: Everything) -> None:
    # On RisingWave 2.8.0 it is the time of the last barrier, so two statements may get the same.
    first, second = value(functions.Now()), value(functions.Now())
    assert first <= second <= timezone.now()


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        (Q(text__iregex="^ÄRGER$"), True),
        (Q(text__iregex="^(a|b)"), False),
        (Q(text__iregex=functions.Concat(Value("RG"), Value("."))), True),
        (Q(small__iregex="7"), True),
        (Q(text__regex="^Ä"), True),
        (Q(text__regex="^ä"), False),
        (Q(json__list__0__iregex="^X$"), True),
        (Q(json__a__b__0=1), True),
        (Q(json__a__b__0__gt=1), False),
        (Q(json__list__0="x"), True),
        (Q(json__list__0__startswith="y"), False),
        (Q(json__contains={"a": {"b": [2]}}), True),
        (Q(json__contained_by={"a": 1}), False),
        (Q(json__has_key="a"), True),
        (Q(json__a__has_key="c"), False),
        (Q(json__has_keys=["a", "none"]), True),
        (Q(json__has_keys=["a", "z"]), False),
        (Q(json__has_any_keys=["a", "z"]), True),
        (Q(json__a__isnull=False), True),
        (Q(json__none=None), True),
        (Q(json__z__isnull=True), True),
    ],
)
def test_a_lookup_finds_what_it_finds_on_postgresql(row: Everything, condition: Q, found: bool) -> None:
    assert Everything.objects.filter(condition).exists() is found


# Missing functions ---------------------------------------------------------------------------------------

MISSING: list[tuple[Any, str]] = [
    (RandomUUID(), r"doesn't have GEN_RANDOM_UUID\(\)"),
    (Window(functions.CumeDist(), order_by="id"), r"the window function CUME_DIST\(\)"),
    (Window(functions.NthValue("small", 2), order_by="id"), r"the window function NTH_VALUE\(\)"),
    (Window(functions.Ntile(2), order_by="id"), r"the window function NTILE\(\)"),
    (Window(functions.PercentRank(), order_by="id"), r"the window function PERCENT_RANK\(\)"),
    (Window(functions.Lag("small", default=0), order_by="id"), r"a default in LAG\(\)"),
    (Window(functions.Lead("small", default=0), order_by="id"), r"a default in LEAD\(\)"),
    (Window(Sum("small", filter=Q(small=7)), order_by="id"), "filter= in a window function"),
    (functions.Collate("slug", "en_US"), "only supports the collations .*, not 'en_US'"),
    (Overlap(F("slug"), F("slug")), "RisingWave 2.8 doesn't support `overlap`"),
    *(
        (getattr(functions, name)(), f"{name} is not supported on this database backend")
        for name in ("UUID4", "UUID7")
        if hasattr(functions, name)
    ),
]


@pytest.mark.parametrize(("expression", "message"), MISSING)
def test_a_function_that_risingwave_lacks_is_refused_by_name(
    row: Everything, expression: Any, message: str
) -> None:
    with pytest.raises(NotSupportedError, match=message):
        value(expression)


def test_sha1_works_on_risingwave_only(standin: DatabaseWrapper, row: Everything, request: Any) -> None:
    with pytest.raises(NotSupportedError, match=r"stand-in doesn\'t have SHA1\(\)"):
        value(functions.SHA1("text"))
    disguise = request.getfixturevalue("disguise")
    # PostgreSQL's error shows that it was sent.
    with pytest.raises(Exception, match=r"function sha1\(bytea\) does not exist"):
        value(functions.SHA1("text"))
    assert (
        """ENCODE(SHA1(CONVERT_TO("django_risingwave_everything"."text", 'UTF8')), 'hex')"""
        in (disguise.statements[-1])
    )
