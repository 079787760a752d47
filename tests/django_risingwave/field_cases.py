"""Values of each of Django's fields, and a model with such a field."""

from __future__ import annotations

import datetime as dt
import ipaddress
import math
import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django.contrib.postgres import fields as postgres
from django.db import models
from django.test.utils import isolate_apps
from hypothesis import strategies as st

from tests.django_risingwave.models import Base

if TYPE_CHECKING:
    from collections.abc import Callable

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
