"""Django's database functions over columns with NULL and awkward values."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django.db import models
from django.db.models import Case, ExpressionWrapper, F, Q, Value, When
from django.db.models import functions as f

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.comparison.models import Shelf

_BERLIN, _FIXED = ZoneInfo("Europe/Berlin"), dt.timezone(dt.timedelta(hours=2))
_DECIMAL = models.DecimalField(max_digits=20, decimal_places=6)

_OF_AUTHORS: dict[str, Any] = {
    "length": f.Length("name"),
    "concat": f.Concat("name", Value("-"), "age", output_field=models.TextField()),
    "left": f.Left("name", 2),
    "right": f.Right("name", 2),
    "substr": f.Substr("name", 2, 3),
    "substr to the end": f.Substr("name", 2),
    "reverse": f.Reverse("name"),
    "repeat": f.Repeat("name", 2),
    "replace": f.Replace("name", Value("n"), Value("ñ")),
    "trim": f.Trim("name"),
    "ltrim": f.LTrim("name"),
    "rtrim": f.RTrim("name"),
    "lpad": f.LPad("name", 6, Value("xy")),
    "rpad": f.RPad("name", 6, Value("xy")),
    "position": f.StrIndex("name", Value("n")),
    "ord": f.Ord(f.NullIf("name", Value(""))),
    "chr": f.Chr(F("age") + 32),
    "md5": f.MD5("name"),
    "sha1": f.SHA1("name"),
    "sha224": f.SHA224("name"),
    "sha256": f.SHA256("name"),
    "sha384": f.SHA384("name"),
    "sha512": f.SHA512("name"),
    "coalesce": f.Coalesce("name", Value("nobody")),
    "nullif": f.NullIf("age", Value(30)),
    "greatest": f.Greatest("age", "rating", output_field=models.FloatField()),
    "least": f.Least("age", Value(40)),
    "cast to text": f.Cast("age", models.TextField()),
    "cast a float to text": f.Cast("rating", models.TextField()),
    "cast a date to text": f.Cast("born", models.TextField()),
    "cast a boolean to text": f.Cast("active", models.TextField()),
    "cast to float": f.Cast("age", models.FloatField()),
    "cast to short text": f.Cast("name", models.CharField(max_length=3)),
    "collate": f.Collate("name", "C"),
    "case": Case(When(age__gt=40, then=Value("old")), When(age=None, then=None), default=Value("young")),
    "case of text": Case(When(name__icontains="çel", then=1), default=0),
    "a constant": Value("constant"),
    "arithmetic": ExpressionWrapper(F("age") * 2 + F("rating"), models.FloatField()),
    "integer division": F("age") / 7,
    "modulo": F("age") % 7,
    "power": F("age") ** 2,
    "negative": -F("age"),
    "bits": F("age").bitand(6),
    "shift": F("age").bitleftshift(2),
    "bits by exclusive or": F("age").bitxor(5),
}
_OF_NUMBERS: dict[str, Any] = {
    "abs": f.Abs("pages"),
    "ceil": f.Ceil("price"),
    "floor": f.Floor("price"),
    "round": f.Round("price"),
    "round to a place": f.Round("price", 1),
    "sign": f.Sign("price"),
    "sqrt": f.Sqrt("pages"),
    "exp": f.Exp("price"),
    "ln": f.Ln(F("pages") + 1),
    "log": f.Log(2, F("pages") + 1, output_field=models.FloatField()),
    "power": f.Power("price", 2),
    "mod": f.Mod("pages", 7),
    "sin": f.Sin("pages"),
    "cos": f.Cos("pages"),
    "tan": f.Tan("pages"),
    "cot": f.Cot(F("pages") + 1),
    "asin": f.ASin(F("pages") / 100.0),
    "acos": f.ACos(F("pages") / 100.0),
    "atan": f.ATan("pages"),
    "atan2": f.ATan2("pages", F("price") + 1),
    "degrees": f.Degrees("pages"),
    "radians": f.Radians("pages"),
    "pi": f.Pi(),
    "decimal arithmetic": ExpressionWrapper(F("price") * F("pages") / 3, _DECIMAL),
    "decimal and a constant": ExpressionWrapper(F("price") + Decimal("0.005"), _DECIMAL),
    "cast to decimal": f.Cast("pages", _DECIMAL),
    "cast to integer": f.Cast("price", models.IntegerField()),
    "cast text to integer": f.Cast(f.Right("title", 1), models.IntegerField()),
}
_OF_TIMES: dict[str, Any] = {
    "year": f.ExtractYear("published"),
    "week": f.ExtractWeek("published"),
    "quarter": f.ExtractQuarter("published"),
    "week day": f.ExtractWeekDay("published"),
    "iso week day": f.ExtractIsoWeekDay("published"),
    "day of a zone": f.ExtractDay("sold_at", tzinfo=_BERLIN),
    "hour of a zone": f.ExtractHour("sold_at", tzinfo=_BERLIN),
    "hour of an offset": f.ExtractHour("sold_at", tzinfo=_FIXED),
    "second": f.ExtractSecond("opens"),
    "year trunc": f.TruncYear("published"),
    "quarter trunc": f.TruncQuarter("published"),
    "week trunc": f.TruncWeek("published"),
    "day trunc": f.TruncDay("sold_at"),
    "day trunc of a zone": f.TruncDay("sold_at", tzinfo=_BERLIN),
    "hour trunc of a zone": f.TruncHour("sold_at", tzinfo=_BERLIN),
    "day trunc of an offset": f.TruncDay("sold_at", tzinfo=_FIXED),
    "minute trunc": f.TruncMinute("opens"),
    "date": f.TruncDate("sold_at"),
    "date of a zone": f.TruncDate("sold_at", tzinfo=_BERLIN),
    "time": f.TruncTime("sold_at"),
    "day after": ExpressionWrapper(F("published") + dt.timedelta(days=1), models.DateTimeField()),
    "hour after": ExpressionWrapper(F("sold_at") + dt.timedelta(hours=1), models.DateTimeField()),
    "plus a duration": ExpressionWrapper(F("sold_at") + F("takes"), models.DateTimeField()),
    "minus a date": ExpressionWrapper(F("published") - Value(dt.date(2026, 1, 1)), models.DurationField()),
    "minus a moment": ExpressionWrapper(
        F("sold_at") - dt.datetime(2026, 1, 1, tzinfo=dt.UTC), models.DurationField()
    ),
    "twice a duration": ExpressionWrapper(F("takes") * 2, models.DurationField()),
    "now is later": Q(sold_at__lt=f.Now()),
    "cast to date": f.Cast("sold_at", models.DateField()),
    "cast a duration to text": f.Cast("takes", models.TextField()),
    "cast a code to text": f.Cast("code", models.TextField()),
}


def queries() -> dict[str, Callable[[Shelf], Any]]:
    """Return the queries by name."""
    return {
        f"{name} ({table})": _values(table, expression)
        for table, functions in (("authors", _OF_AUTHORS), ("books", _OF_NUMBERS | _OF_TIMES))
        for name, expression in functions.items()
    } | {
        "now is later, in a condition (books)": lambda s: s.books.filter(sold_at__lt=f.Now()).values_list(
            "pk"
        ),
        "order by a function (authors)": lambda s: s.authors.order_by(
            f.Length("name").desc(nulls_last=True), "pk"
        ).values_list("pk"),
        "filter by a function (authors)": lambda s: (
            s.authors.annotate(n=f.Length("name")).filter(n__gt=5).values_list("pk", "n")
        ),
    }


def _values(table: str, expression: Any) -> Callable[[Shelf], Any]:
    return lambda s: getattr(s, table).annotate(value=expression).order_by("pk").values_list("pk", "value")
