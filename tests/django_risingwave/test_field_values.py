"""Each of Django's fields: values written in any way are read, found and ordered unchanged."""

from __future__ import annotations

import datetime as dt
import ipaddress
import math
import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.postgres import fields as postgres
from django.contrib.postgres.search import SearchQueryField, SearchVectorField
from django.db import DataError, IntegrityError, models
from django.test.utils import isolate_apps
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from django_risingwave.checks import _check_model
from tests.django_risingwave.models import Base

if TYPE_CHECKING:
    from collections.abc import Callable

    from django_risingwave.base import DatabaseWrapper

TEXT = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
# Astral, combining and right-to-left characters, and those that break quoting.
TEXTS = (
    "",
    " ",
    "it's 100 % \\ %s \\' \"",
    "e\u0301\u0327",
    "\U0001f469\u200d\U0001f469",
    "שלום عربي",
    "\n\t\x01",
)
ZONES = ("UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Pacific/Apia")
UTC = dt.UTC


@dataclass(frozen=True)
class Case:
    """A field, a strategy for its values, and how to compare them."""

    field: models.Field[Any, Any]
    values: st.SearchStrategy[Any]
    extremes: tuple[Any, ...] = ()
    # Equal keys mean equal values.
    key: Callable[[Any], Any] = lambda value: value
    # The sort key of the server, if it is the same on both servers.
    order: Callable[[Any], Any] | None = lambda value: value
    # A FileField writes '' instead of None.
    nothing: str | None = None


def integers(field: models.Field[Any, Any], low: int, high: int) -> Case:
    return Case(field, st.integers(low, high), (low, -1 if low < 0 else 1, 0, high))


def texts(field: models.Field[Any, Any], longest: int = 60, **kwargs: Any) -> Case:
    return Case(field, st.text(TEXT, max_size=longest), (*TEXTS, "\U0010ffff" * longest), **kwargs)


def float_key(value: float) -> Any:
    return "NaN" if math.isnan(value) else value


def float_order(value: float) -> Any:
    return (math.isnan(value), value if not math.isnan(value) else 0)


def in_utc(value: dt.datetime) -> dt.datetime:
    return value.astimezone(UTC)


GAP = dt.datetime(2026, 3, 29, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
FOLD = dt.datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    # PostgreSQL's jsonb writes 1e16 in digits, which Python reads as an integer.
    | st.floats(-1e15, 1e15)
    | st.text(TEXT, max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(TEXT, max_size=5), inner, max_size=4),
    max_leaves=8,
)

CASES = {
    "ArrayField": Case(
        postgres.ArrayField(models.TextField(null=True)),
        st.lists(st.none() | st.text(TEXT, max_size=10), max_size=5),
        ([], [None], [""], list(TEXTS), ["NULL", "{}", ","]),
        key=repr,
        order=None,
    ),
    "BigIntegerField": integers(models.BigIntegerField(), -(2**63), 2**63 - 1),
    "BinaryField": Case(models.BinaryField(), st.binary(max_size=50), (b"", b"\0", bytes(range(256))), bytes),
    "BooleanField": Case(models.BooleanField(), st.booleans(), (True, False)),
    "CharField": texts(models.CharField(max_length=60)),
    "DateField": Case(models.DateField(), st.dates(), (dt.date.min, dt.date.max, dt.date(2024, 2, 29))),
    "DateTimeField": Case(
        models.DateTimeField(),
        st.datetimes(
            dt.datetime(1, 1, 3),  # noqa: DTZ001 - the strategy adds timezones
            dt.datetime(9999, 12, 29),  # noqa: DTZ001 - the strategy adds timezones
            timezones=st.sampled_from([ZoneInfo(name) for name in ZONES]),
        ),
        (
            dt.datetime(1, 1, 1, tzinfo=UTC),
            dt.datetime.max.replace(tzinfo=UTC),
            GAP,
            FOLD,
            FOLD.replace(fold=1),
            # Offsets with seconds.
            dt.datetime(1890, 1, 1, 12, tzinfo=ZoneInfo("Europe/Berlin")),
            dt.datetime(1, 1, 2, microsecond=1, tzinfo=ZoneInfo("Asia/Kathmandu")),
        ),
        in_utc,
        in_utc,
    ),
    "DecimalField": Case(
        models.DecimalField(max_digits=28, decimal_places=10),
        st.decimals(-(10**18) + 1, 10**18 - 1, places=10),
        tuple(map(Decimal, ("0", "-0", "1E-10", "-1E+17", "9" * 18 + "." + "9" * 10, "-" + "9" * 18))),
    ),
    "DurationField": Case(
        models.DurationField(),
        st.timedeltas(),
        (
            dt.timedelta.min,
            dt.timedelta.max,
            dt.timedelta(),
            dt.timedelta(microseconds=-1),
            dt.timedelta(days=-1, seconds=5, microseconds=7),
        ),
    ),
    "EmailField": texts(models.EmailField()),
    "FileField": texts(models.FileField(max_length=60), key=str, nothing=""),
    "FilePathField": texts(models.FilePathField(max_length=60)),
    "FloatField": Case(
        models.FloatField(),
        st.floats(),
        (
            0.1 + 0.2,
            5e-324,
            2.2250738585072014e-308,
            1.7976931348623157e308,
            -0.0,
            math.inf,
            -math.inf,
            math.nan,
        ),
        float_key,
        float_order,
    ),
    "GenericIPAddressField": Case(
        models.GenericIPAddressField(),
        st.ip_addresses().map(str),
        ("0.0.0.0", "255.255.255.255", "::", "2001:DB8:0:0::1", "::ffff:10.0.0.1"),
        ipaddress.ip_address,
        None,
    ),
    "ImageField": texts(models.ImageField(max_length=60), key=str, nothing=""),
    "IntegerField": integers(models.IntegerField(), -(2**31), 2**31 - 1),
    "JSONField": Case(
        models.JSONField(),
        JSON.filter(lambda value: value is not None),
        (
            "",
            "\u2028",
            [],
            {},
            0,
            -0.0,
            2**64 - 1,
            -(2**63),
            5e-324,
            {"a": {"b": [None]}},
        ),
        order=None,
    ),
    "PositiveBigIntegerField": integers(models.PositiveBigIntegerField(), 0, 2**63 - 1),
    "PositiveIntegerField": integers(models.PositiveIntegerField(), 0, 2**31 - 1),
    "PositiveSmallIntegerField": integers(models.PositiveSmallIntegerField(), 0, 2**15 - 1),
    "SlugField": texts(models.SlugField(max_length=60)),
    "SmallIntegerField": integers(models.SmallIntegerField(), -(2**15), 2**15 - 1),
    "TextField": texts(models.TextField(), 500),
    "TimeField": Case(models.TimeField(), st.times(), (dt.time.min, dt.time.max)),
    "URLField": texts(models.URLField()),
    "UUIDField": Case(models.UUIDField(), st.uuids(), (uuid.UUID(int=0), uuid.UUID(int=2**128 - 1))),
}
# In test_keys.py.
KEYS = {
    "AutoField",
    "BigAutoField",
    "CompositePrimaryKey",
    "ForeignKey",
    "ForeignObject",
    "ManyToManyField",
    "OneToOneField",
    "SmallAutoField",
}
# In test_generated.py.
GENERATED = {"GeneratedField"}
# The IntegerField of Meta.order_with_respect_to, and fields that Django no longer lets models use.
OTHERS = {"Field", "OrderWrt", "CommaSeparatedIntegerField", "IPAddressField", "NullBooleanField"}
# Refused by a system check: test_checks.py has the messages.
REFUSED: dict[str, Callable[[], models.Field[Any, Any]]] = {
    "BigIntegerRangeField": postgres.BigIntegerRangeField,
    "DateRangeField": postgres.DateRangeField,
    "DateTimeRangeField": postgres.DateTimeRangeField,
    "DecimalRangeField": postgres.DecimalRangeField,
    "HStoreField": postgres.HStoreField,
    "IntegerRangeField": postgres.IntegerRangeField,
    "SearchQueryField": SearchQueryField,
    "SearchVectorField": SearchVectorField,
}
# Fields of contrib.postgres without a column type of their own, or removed from Django.
BASES = {"CharRangeField", "RangeField", "ContinuousRangeField"}


def model_of(field: models.Field[Any, Any]) -> Any:
    field = field.clone()
    field.null = True
    with isolate_apps("django_risingwave"):
        meta = type("Meta", (Base.Meta,), {"app_label": "django_risingwave"})
        members = {
            "__module__": __name__,
            "id": models.BigAutoField(primary_key=True),
            "text": models.TextField(null=True),
            "value": field,
            "Meta": meta,
        }
        return type("Row", (Base,), members)


def django_fields() -> set[str]:
    modules: tuple[Any, ...] = (models, models.fields, postgres)
    found = {SearchVectorField, SearchQueryField} | {
        member
        for module in modules
        for member in vars(module).values()
        if isinstance(member, type) and issubclass(member, models.Field)
    }
    return {field.__name__ for field in found if not field.__name__.startswith(("CI", "_"))}


def test_every_field_of_django_is_covered() -> None:
    decided = CASES.keys() | KEYS | GENERATED | OTHERS | REFUSED.keys()
    assert django_fields() - BASES == decided


@pytest.mark.parametrize("name", REFUSED)
def test_a_field_that_risingwave_can_not_store_is_refused(name: str) -> None:
    (error,) = _check_model(model_of(REFUSED[name]()))
    assert error.id == "django_risingwave.E004"
    assert error.hint


@pytest.mark.parametrize("name", CASES)
def test_a_field_that_risingwave_can_store_passes(name: str) -> None:
    assert _check_model(model_of(CASES[name].field)) == []


@pytest.mark.parametrize("name", CASES)
def test_values_are_read_and_found_as_they_were_written(connection: DatabaseWrapper, name: str) -> None:
    case = CASES[name]
    model = model_of(case.field)
    with connection.schema_editor() as editor:
        editor.create_model(model)

    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    @example([*case.extremes])
    @given(st.lists(case.values, min_size=1, max_size=12))
    def check(values: list[Any]) -> None:
        check_values(connection, model, case, values)

    check()


def check_values(connection: DatabaseWrapper, model: Any, case: Case, values: list[Any]) -> None:
    rows = model.objects
    rows.all().delete()
    connection.flush()
    nothing = rows.create(value=None)
    made = rows.bulk_create(model(value=value) for value in values)
    # The other ways to write: save() of a new and of an existing row, update(), bulk_update().
    saved = model(value=values[0])
    saved.save()
    others = rows.bulk_create([model(), model(), model()])
    connection.flush()
    others[0].value = values[0]
    others[0].save()
    rows.filter(pk=others[1].pk).update(value=values[-1])
    others[2].value = values[-1]
    rows.bulk_update([others[2]], ["value"])
    connection.flush()

    expected = {row.pk: value for row, value in zip(made, values, strict=True)}
    expected |= {saved.pk: values[0], others[0].pk: values[0]}
    expected |= {others[1].pk: values[-1], others[2].pk: values[-1]}
    kept = rows.exclude(pk=nothing.pk)
    read = {row.pk: row.value for row in kept}
    assert {pk: case.key(value) for pk, value in read.items()} == {
        pk: case.key(value) for pk, value in expected.items()
    }
    assert rows.get(pk=nothing.pk).value == case.nothing
    assert rows.filter(value__isnull=True).exists() == (case.nothing is None)
    assert not kept.filter(value__isnull=True).exists()

    # Python considers the two hours of a fold equal, so __in finds one of them.
    wanted_in = [in_utc(value) if isinstance(value, dt.datetime) else value for value in values]
    assert set(kept.filter(value__in=wanted_in).values_list("pk", flat=True)) == set(expected)
    for value in values[:3]:
        found = set(kept.filter(value=value).values_list("pk", flat=True))
        assert found == {pk for pk, other in expected.items() if case.key(other) == case.key(value)}
    if order := case.order:
        in_order = [case.key(row.value) for row in kept.order_by("value", "pk")]
        wanted = sorted(expected, key=lambda pk: (order(expected[pk]), pk))
        assert in_order == [case.key(expected[pk]) for pk in wanted]


# Limits that the server doesn't enforce ------------------------------------------------------------------

REFUSED_VALUES: list[tuple[models.Field[Any, Any], Any, type[Exception], str]] = [
    (
        models.CharField(max_length=5),
        "123456",
        DataError,
        r"at most 5 characters \(max_length\), but the value has 6",
    ),
    (models.SlugField(max_length=5), "123456", DataError, "at most 5 characters"),
    (models.FileField(max_length=5), "123456", DataError, "at most 5 characters"),
    (models.EmailField(max_length=5), "a@b.org", DataError, "at most 5 characters"),
    (
        models.DecimalField(max_digits=4, decimal_places=2),
        Decimal("99.995"),
        DataError,
        r"at most 4 digits \(max_digits\), 2 of them",
    ),
    (models.DecimalField(max_digits=28, decimal_places=0), 10**28, DataError, "at most 28 digits"),
    (models.PositiveIntegerField(), -1, IntegrityError, "must be 0 or greater, not -1"),
    (models.PositiveSmallIntegerField(), -1, IntegrityError, "must be 0 or greater"),
    (models.PositiveBigIntegerField(), -1, IntegrityError, "must be 0 or greater"),
    (
        models.GenericIPAddressField(),
        "10.0.0.256",
        DataError,
        "must be an IPv4 or IPv6 address, not '10.0.0.256'",
    ),
    (models.JSONField(), 2**64, DataError, "store the number 18446744073709551616"),
    (models.JSONField(), [-(2**63) - 1], DataError, "store the number -9223372036854775809"),
    (models.JSONField(), {"a": math.nan}, DataError, "store the number NaN"),
    (models.JSONField(), [-math.inf], DataError, "store the number -Infinity"),
    (models.JSONField(), ["a\0b"], DataError, r"contain \\u0000"),
    (
        models.DateTimeField(),
        dt.datetime.min.replace(tzinfo=ZoneInfo("Asia/Tokyo")),
        DataError,
        "years 1 to 9999",
    ),
]


@pytest.mark.parametrize(
    ("field", "value", "error", "text"),
    REFUSED_VALUES,
    ids=[f"{type(field).__name__}-{value!r:.20}" for field, value, *_ in REFUSED_VALUES],
)
def test_a_value_beyond_the_limits_of_its_field_is_refused(
    connection: DatabaseWrapper, field: models.Field[Any, Any], value: Any, error: type[Exception], text: str
) -> None:
    model = model_of(field)
    with connection.schema_editor() as editor:
        editor.create_model(model)
    row = model.objects.create()
    connection.flush()
    row.value = value

    def bulk_update() -> None:
        model.objects.bulk_update([row], ["value"])

    for write in (
        lambda: model.objects.create(value=value),
        lambda: model.objects.bulk_create([model(value=value)]),
        lambda: model.objects.update(value=value),
        row.save,
        bulk_update,
    ):
        with pytest.raises(error, match=text):
            write()
    connection.flush()
    assert model.objects.get().value in (None, "")


TEXT_FIELDS = [models.CharField(max_length=9), models.TextField(), postgres.ArrayField(models.TextField())]


@pytest.mark.parametrize("field", TEXT_FIELDS, ids=lambda field: type(field).__name__)
def test_nul_is_refused_in_text(connection: DatabaseWrapper, field: models.Field[Any, Any]) -> None:
    model = model_of(field)
    with connection.schema_editor() as editor:
        editor.create_model(model)
    value = ["a\0b"] if isinstance(field, postgres.ArrayField) else "a\0b"
    # psycopg2 raises ValueError, psycopg 3 DataError.
    with pytest.raises((ValueError, DataError), match="NUL"):
        model.objects.create(value=value)


@pytest.mark.parametrize(
    ("value", "rounded"),
    [("1.125", "1.13"), ("-1.125", "-1.13"), ("99.994", "99.99"), ("7", "7.00"), (0.5, "0.50")],
)
def test_a_decimal_is_rounded_to_decimal_places(
    connection: DatabaseWrapper, value: Any, rounded: str
) -> None:
    model = model_of(models.DecimalField(max_digits=4, decimal_places=2))
    with connection.schema_editor() as editor:
        editor.create_model(model)
    row = model.objects.create(value=value)
    connection.flush()
    assert str(model.objects.get().value) == rounded
    model.objects.update(value=value)
    connection.flush()
    assert str(model.objects.get().value) == rounded
    # Values in lookups are not rounded.
    assert model.objects.filter(value__lt=Decimal(rounded) + Decimal("0.001"), pk=row.pk).exists()
    assert not model.objects.filter(value__gt=10**40).exists()


def test_a_json_null_is_not_an_sql_null(connection: DatabaseWrapper) -> None:
    model = model_of(models.JSONField())
    with connection.schema_editor() as editor:
        editor.create_model(model)
    sql, json = model.objects.bulk_create([model(), model(value=models.Value(None, models.JSONField()))])
    connection.flush()
    assert model.objects.get(value__isnull=True).pk == sql.pk
    assert model.objects.get(value=models.Value(None, models.JSONField())).pk == json.pk
    assert model.objects.get(pk=json.pk).value is None


# Types stored as text ------------------------------------------------------------------------------------


def test_a_uuid_is_found_in_any_notation(connection: DatabaseWrapper) -> None:
    model = model_of(models.UUIDField())
    with connection.schema_editor() as editor:
        editor.create_model(model)
    value = uuid.UUID("12345678-90ab-cdef-1234-567890abcdef")
    row = model.objects.create(value=value)
    model.objects.create(value=uuid.UUID(int=7))
    connection.flush()
    for lookup in (
        {"value": str(value).upper()},
        {"value": value.hex},
        {"value": f"{{{value}}}"},
        {"value": value.int},
        {"value__in": [str(value)]},
        {"value__iexact": str(value).upper()},
        {"value__contains": "5678-90ab"},
        {"value__icontains": "567890AB"},
        {"value__startswith": "12345678-9"},
        {"value__endswith": "abcdef"},
        {"value__gt": uuid.UUID(int=7)},
    ):
        assert model.objects.get(**lookup).pk == row.pk
    assert type(model.objects.order_by("value").last().value) is uuid.UUID


def test_an_ip_address_is_found_in_any_notation(connection: DatabaseWrapper) -> None:
    model = model_of(models.GenericIPAddressField())
    with connection.schema_editor() as editor:
        editor.create_model(model)
    for written in ("0:0:0:0:0:0:0:1", "2001:DB8::A", "::ffff:10.0.0.1", "10.0.0.1", ""):
        model.objects.create(value=written)
    connection.flush()
    assert model.objects.filter(value="::1").count() == model.objects.filter(value="0::0:1").count() == 1
    assert model.objects.get(value="2001:0db8:0::a").value == "2001:db8::a"
    assert model.objects.get(value="10.0.0.1").value == "10.0.0.1"
    assert model.objects.get(value__startswith="2001:").value == "2001:db8::a"
    assert model.objects.filter(value__isnull=True).count() == 1


@pytest.mark.parametrize(
    "field", [models.SmallIntegerField(), models.IntegerField(), models.BigIntegerField()]
)
def test_an_integer_beyond_its_column_is_refused(
    connection: DatabaseWrapper, field: models.Field[Any, Any]
) -> None:
    model = model_of(field)
    with connection.schema_editor() as editor:
        editor.create_model(model)
    for value in (2**63, -(2**63) - 1):
        with pytest.raises(DataError):
            model.objects.create(value=value)
        assert not model.objects.filter(value=value).exists()
        assert not model.objects.exclude(value__lt=2**64).exists()
