"""Literals of floats and durations that RisingWave reads as exactly the same value.

RisingWave reads a bare number with a decimal point as a numeric of 28 digits (bind_number() in
src/frontend/src/binder/expr/value.rs at v3.0.3). So 1e300 and 5e-324 overflow, and the conversion of 16 or
more digits to a float rounds a second time (Decimal::to_f64() of rust_decimal 1.40), which changes the last
digit of 8 % of all floats. It reads fractions of a second in an interval only as HH:MM:SS.ffffff
(parse_interval() in src/common/src/types/interval.rs at v3.0.3), but psycopg2 writes "5.000000 seconds".
"""

from __future__ import annotations

import json
import math
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import NotSupportedError
from django.db.backends.postgresql.psycopg_any import Inet, Jsonb, is_psycopg3
from django.utils.functional import Promise

if is_psycopg3:
    from psycopg import Binary  # type: ignore[import-not-found]  # mypy runs with psycopg2
else:
    from psycopg2 import Binary

if TYPE_CHECKING:
    from collections.abc import Callable

# 15 digits and the decimal point: up to there numeric and float agree.
_EXACT_LENGTH = 16


def float_literal(value: float) -> str | None:
    """Return the literal of a float, or None if it can be written as a bare number."""
    text = repr(value)
    if len(text) <= _EXACT_LENGTH and "e" not in text and text != "-0.0":
        return None
    return f"'{text}'::float8"


def interval_literal(value: timedelta) -> str:
    """Return the literal of a duration, to the microsecond."""
    minutes, seconds = divmod(value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    # With IntervalStyle = sql_standard, the sign of the days would apply to a time without one.
    time = f"+{hours:02}:{minutes:02}:{seconds:02}.{value.microseconds:06}"
    return f"'{value.days} days {time}'::interval"


def literal(value: Any) -> str:
    """Return a parameter as SQL, the same text whichever driver is used.

    Raises NotSupportedError for a type without a literal.
    """
    for types, write in _WRITERS:
        if isinstance(value, types):
            return write(value)
    raise NotSupportedError(
        f"A {type(value).__name__} can't be written into SQL: {value!r}. Cast it to text, a number or a date."
    )


def _text(value: Any) -> str:
    text = str(value)
    if "\0" in text:
        raise NotSupportedError(f"A text can't contain NUL: {text!r}.")
    # Backslashes are plain characters in a literal without E.
    return "'{}'".format(text.replace("'", "''"))


def _float(value: float) -> str:
    if not math.isfinite(value):
        return f"'{value}'::float8"
    return float_literal(value) or repr(float(value))


def _decimal(value: Decimal) -> str:
    return f"{value:f}" if value.is_finite() else f"'{value}'::numeric"


def _array(value: list[Any]) -> str:
    return f"ARRAY[{', '.join(map(literal, value))}]" if value else "'{}'"


def _datetime(value: datetime) -> str:
    return f"'{value.isoformat(' ')}'::{'timestamp' if value.tzinfo is None else 'timestamptz'}"


def _bytes(value: Any) -> str:
    return f"'\\x{bytes(value).hex()}'::bytea"


def _wrapped(value: Any) -> Any:
    """Return what a driver's wrapper contains: psycopg2 calls it `adapted`, psycopg `obj`."""
    return value.adapted if hasattr(value, "adapted") else value.obj


def _json(value: Any) -> str:
    return f"{_text((value.dumps or json.dumps)(_wrapped(value)))}::jsonb"


# By type, subclasses first.
_WRITERS: tuple[tuple[Any, Callable[[Any], str]], ...] = (
    (type(None), lambda _: "NULL"),
    (bool, lambda value: str(value).lower()),
    (int, lambda value: str(int(value))),
    (float, _float),
    (Decimal, _decimal),
    ((str, UUID, Promise), _text),
    (datetime, _datetime),
    (date, lambda value: f"'{value.isoformat()}'::date"),
    (time, lambda value: f"'{value.isoformat()}'::time"),
    (timedelta, interval_literal),
    ((bytes, bytearray, memoryview), _bytes),
    (list, _array),
    (tuple, lambda value: f"({', '.join(map(literal, value))})"),
    (Jsonb, _json),
    # psycopg2's function and psycopg's class for bytes, and the reverse for addresses.
    (type(Binary(b"")), lambda value: _bytes(_wrapped(value))),
    (type(Inet("::1")), lambda value: _text(getattr(value, "addr", value))),
    ((IPv4Address, IPv6Address), _text),
)
