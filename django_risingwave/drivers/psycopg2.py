"""What psycopg2 needs to be told of RisingWave. Imported only where psycopg2 is the driver."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from psycopg2.extensions import AsIs, cursor

from django_risingwave.drivers.literals import float_literal, interval_literal

_ADAPTED = (float, timedelta, list, tuple)
# Most queries have no other parameters, and are then left alone: this is asked for each.
_PLAIN = frozenset({bool, bytes, date, datetime, Decimal, int, str, type(None)})


def adapt(value: Any) -> Any:
    """Return a parameter that psycopg2 writes as RisingWave reads it. Of lists and tuples, each element."""
    if not isinstance(value, _ADAPTED):
        return value
    if isinstance(value, timedelta):
        return AsIs(interval_literal(value))
    if isinstance(value, float):
        literal = float_literal(value)
        return value if literal is None else AsIs(literal)
    # A tuple's subclass may be the driver's own, such as a range.
    return type(value)(map(adapt, value)) if type(value) in (list, tuple) else value


def _adapt_all(parameters: Any) -> Any:
    if isinstance(parameters, (tuple, list)):  # tuple | list would be made anew for each query
        if _PLAIN.issuperset(map(type, parameters)):
            return parameters
        return [adapt(value) if isinstance(value, _ADAPTED) else value for value in parameters]
    if isinstance(parameters, Mapping):
        return {name: adapt(value) for name, value in parameters.items()}
    return parameters and [*map(adapt, parameters)]


class Cursor(cursor):
    """psycopg2's cursor, for its adapters are the whole process's: they would be other databases' too."""

    __slots__ = ()

    def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002 - psycopg2's signature
        super().execute(query, _adapt_all(vars))

    def executemany(self, query: Any, vars_list: Any) -> None:
        super().executemany(query, map(_adapt_all, vars_list))

    def mogrify(self, query: Any, vars: Any = None) -> bytes:  # noqa: A002 - psycopg2's signature
        return super().mogrify(query, _adapt_all(vars))
