"""What a query gives on one database, in a form that two databases can be compared by."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db import NotSupportedError
from django.db.models import Model, QuerySet

from tests.comparison.models import Shelf

if TYPE_CHECKING:
    from tests.comparison.queries import Query

#: Digits that both servers compute alike: PostgreSQL gives at least 16 digits of an average, RisingWave 28.
_DIGITS = 12
#: The kinds of comparisons; expected.toml explains them.
SAME, DIFFERS, REFUSED, FAILS = "same", "differs", "refused", "fails"
BOTH_REFUSE, ONLY_HERE = "both refuse", "only here"


@dataclass(frozen=True)
class Outcome:
    """The result of a query, or its error."""

    value: Any = None
    error: Exception | None = None

    def __str__(self) -> str:
        if self.error:
            text = str(self.error).strip() or type(self.error).__name__
            return f"{type(self.error).__name__}: {text.splitlines()[0]}"
        return str(self.value)


@dataclass(frozen=True)
class Comparison:
    """A query on both databases."""

    ours: Outcome
    theirs: Outcome

    @property
    def kind(self) -> str:
        """Return one of the words above."""
        if self.ours.error and self.theirs.error:
            return BOTH_REFUSE
        if self.ours.error:
            return REFUSED if isinstance(self.ours.error, NotSupportedError) else FAILS
        if self.theirs.error:
            return ONLY_HERE
        return SAME if self.ours.value == self.theirs.value else DIFFERS

    def __str__(self) -> str:
        return f"{self.kind}\n  here:       {self.ours}\n  PostgreSQL: {self.theirs}"


def compare(query: Query, ours: str, theirs: str) -> Comparison:
    """Run the query on both aliases."""
    return Comparison(_run(query, ours), _run(query, theirs))


def _run(query: Query, alias: str) -> Outcome:
    try:
        return Outcome(comparable(query(Shelf(alias))))
    except Exception as error:  # noqa: BLE001 - the error is the outcome
        return Outcome(error=error)


def comparable(value: Any) -> Any:
    """Return the value with its types, its numbers rounded, and the rows of an unordered query sorted."""
    if isinstance(value, QuerySet):
        rows = [comparable(row) for row in value]
        return rows if value.query.order_by else sorted(rows, key=repr)
    if isinstance(value, Model):
        return comparable({"model": value._meta.label, **value.__dict__, "_state": None})
    if isinstance(value, Decimal | float):
        return f"{type(value).__name__} {_rounded(value)}"
    if isinstance(value, dt.datetime):
        return str(value.astimezone(dt.UTC) if value.tzinfo else value)
    if isinstance(value, memoryview):
        return bytes(value)
    if isinstance(value, Mapping):
        return {name: comparable(item) for name, item in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return [comparable(item) for item in value]
    return f"{type(value).__name__} {value!r}"


def _rounded(number: Decimal | float) -> str:
    if not math.isfinite(number):
        return str(number).lower()
    if isinstance(number, Decimal):
        # RisingWave's numerics have no trailing zeros.
        number = number.normalize()
    return f"{number:.{_DIGITS}g}" if number else "0"
