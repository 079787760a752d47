"""Literals of floats and durations that RisingWave reads as exactly the same value.

RisingWave reads a bare number with a decimal point as a numeric of 28 digits (bind_number() in
src/frontend/src/binder/expr/value.rs at v3.0.3). So 1e300 and 5e-324 overflow, and the conversion of 16 or
more digits to a float rounds a second time (Decimal::to_f64() of rust_decimal 1.40), which changes the last
digit of 8 % of all floats. It reads fractions of a second in an interval only as HH:MM:SS.ffffff
(parse_interval() in src/common/src/types/interval.rs at v3.0.3), but psycopg2 writes "5.000000 seconds".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import timedelta

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
