"""Parameters as RisingWave reads them, for psycopg2. Import it only if psycopg2 is the driver."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import wraps
from typing import Any

from psycopg2 import DataError
from psycopg2.extensions import AsIs, cursor

from django_risingwave.drivers.literals import float_literal, interval_literal

_ADAPTED = (float, timedelta, list, tuple)
# Parameters of most queries are of these types only. Checking for them first keeps every query fast.
_PLAIN = frozenset({bool, bytes, date, datetime, Decimal, int, str, type(None)})


def adapt_value(value: Any) -> Any:
    """Return a parameter that psycopg2 writes as RisingWave reads it, also within lists and tuples."""
    if not isinstance(value, _ADAPTED):
        return value
    if isinstance(value, timedelta):
        return AsIs(interval_literal(value))
    if isinstance(value, float):
        literal = float_literal(value)
        return value if literal is None else AsIs(literal)
    # A subclass of tuple, such as a range, may have an adapter of the driver's.
    return type(value)(map(adapt_value, value)) if type(value) in (list, tuple) else value


def _adapt_all(parameters: Any) -> Any:
    if isinstance(parameters, (tuple, list)):  # tuple | list would be evaluated for each query
        if _PLAIN.issuperset(map(type, parameters)):
            return parameters
        return [adapt_value(value) if isinstance(value, _ADAPTED) else value for value in parameters]
    if isinstance(parameters, Mapping):
        return {name: adapt_value(value) for name, value in parameters.items()}
    return parameters and [*map(adapt_value, parameters)]


def _checked(fetch: Any) -> Any:
    @wraps(fetch)
    def wrapper(self: Any, *args: Any) -> Any:
        try:
            return fetch(self, *args)
        except ValueError as error:
            raise DataError(
                f"A value can't be read: {error}. Python's dates are those of the years 1 to 9999. "
                "Read the column as text: Cast(…, CharField())."
            ) from error

    return wrapper


class Cursor(cursor):
    """Adapts parameters per cursor: psycopg2's adapters are global and would affect other databases.

    Raises DataError for dates that Python doesn't have, as psycopg 3 does. RisingWave 2.8.0 and PostgreSQL
    store them; psycopg2 raises ValueError, which isn't one of Django's errors of databases.
    """

    __slots__ = ()

    fetchone = _checked(cursor.fetchone)
    fetchmany = _checked(cursor.fetchmany)
    fetchall = _checked(cursor.fetchall)
    __next__ = _checked(cursor.__next__)

    def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002 - psycopg2's signature
        super().execute(query, _adapt_all(vars))

    def executemany(self, query: Any, vars_list: Any) -> None:
        super().executemany(query, map(_adapt_all, vars_list))

    def mogrify(self, query: Any, vars: Any = None) -> bytes:  # noqa: A002 - psycopg2's signature
        return super().mogrify(query, _adapt_all(vars))
