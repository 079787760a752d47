"""RisingWave reads floats and durations as exactly the values that were written."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.db.backends.postgresql.psycopg_any import is_psycopg3
from hypothesis import example, given
from hypothesis import strategies as st

from django_risingwave.drivers.literals import float_literal, interval_literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from django_risingwave.base import DatabaseWrapper


def read_as_numeric(text: str) -> float:
    """Convert a number to a float as RisingWave does: Decimal::to_f64() of rust_decimal 1.40."""
    number = Decimal(text)
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    mantissa, scale = int("".join(map(str, digits))), max(-exponent, 0)
    assert mantissa < 2**96
    assert scale <= 28
    whole, fraction = divmod(mantissa, 10**scale)
    value = float(whole)
    if fraction:
        value = round((whole + fraction / float(10**scale)) * 10.0**scale) / 10.0**scale
    return -value if sign else value


@example(0.1 + 0.2)
@example(-0.0)
@example(5e-324)
@example(1.7976931348623157e308)
@example(123456789.12345678)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_keeps_its_value_as_a_literal_or_a_bare_number(value: float) -> None:
    literal = float_literal(value)
    if literal is None:
        read = read_as_numeric(repr(value))
    else:
        assert literal.startswith("'")
        assert literal.endswith("'::float8")
        read = float(literal.removeprefix("'").removesuffix("'::float8"))
    assert read == value
    assert math.copysign(1, read) == math.copysign(1, value)


@given(st.integers(-(10**15) + 1, 10**15 - 1), st.integers(1, 14))
def test_a_float_of_few_digits_is_written_as_a_bare_number(mantissa: int, scale: int) -> None:
    value = abs(mantissa) / 10**scale
    if "e" not in repr(value):
        assert float_literal(value) is None
        assert read_as_numeric(repr(value)) == value


@example(timedelta.max)
@example(timedelta.min)
@example(timedelta(days=-1, microseconds=1))
@given(st.timedeltas())
def test_a_duration_is_written_as_days_and_a_time(value: timedelta) -> None:
    # The format of RisingWave's parse_interval(): units, and a time in which only the seconds have a
    # fraction.
    match = re.fullmatch(r"'(-?\d+) days \+(\d\d):(\d\d):(\d\d\.\d{6})'::interval", interval_literal(value))
    assert match
    days, hours, minutes = (int(part) for part in match.groups()[:3])
    assert timedelta(days, 0, int(match[4].replace(".", "")), hours=hours, minutes=minutes) == value


def test_every_kind_of_parameter_uses_these_literals(standin: DatabaseWrapper) -> None:
    day = timedelta(days=-1, seconds=5)
    with standin.cursor() as cursor:
        parameters: Any = [1e300, -0.0, 1.5, day]
        cursor.execute("SELECT %s, %s, %s, %s", parameters)
        assert cursor.fetchone() == (1e300, -0.0, Decimal("1.5"), day)
        cursor.execute("SELECT %(a)s, %(b)s", {"a": [1e300, 5e-324], "b": [day]})
        assert cursor.fetchone() == ([1e300, 5e-324], [day])
        cursor.execute("CREATE TABLE numbers (number double precision, duration interval)")
        rows: Any = [(5e-324, day), (None, None)]
        cursor.executemany("INSERT INTO numbers VALUES (%s, %s)", rows)
        cursor.execute("SELECT * FROM numbers ORDER BY number")
        assert cursor.fetchall() == [(5e-324, day), (None, None)]


@pytest.mark.skipif(is_psycopg3, reason="psycopg 3 has adapters per connection")
def test_other_databases_get_the_drivers_own_literals(
    standin: DatabaseWrapper, connect: Callable[[], Any]
) -> None:
    standin.ensure_connection()
    parameters = [1e300, timedelta(seconds=5)]
    assert standin.ops.compose_sql("%s, %s", parameters) == (
        "'1e+300'::float8, '0 days +00:00:05.000000'::interval"
    )
    with connect().cursor() as cursor:
        assert cursor.mogrify("%s, %s", parameters) == b"1e+300, '0 days 5.000000 seconds'::interval"
