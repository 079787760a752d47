"""Floats and durations in words that RisingWave reads as the same value.

A number with a point is a numeric there, of 28 digits (bind_number() in src/frontend/src/binder/expr/value.rs
at v3.0.3): 1e300 and 5e-324 "overflow", and one of 16 digits or more is rounded once more on the way to a
float (Decimal::to_f64() of rust_decimal 1.40), which changes 8 % of all floats in the last digit. And an
interval's seconds have no fraction but as HH:MM:SS.ffffff (parse_interval() in src/common/src/types/
interval.rs at v3.0.3), whereas psycopg2 writes "5.000000 seconds".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import timedelta

# A point and 15 digits: what numeric and float agree on.
_LONGEST = 16


def float_literal(value: float) -> str | None:
    """Return the literal of a float that must not be written as a bare number, or None if it may be."""
    text = repr(value)
    if len(text) <= _LONGEST and "e" not in text and text != "-0.0":
        return None
    return f"'{text}'::float8"


def interval_literal(value: timedelta) -> str:
    """Return the literal of a duration, as exact as Python's."""
    minutes, seconds = divmod(value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    # The sign, lest IntervalStyle = sql_standard take that of the days for all of it.
    time = f"+{hours:02}:{minutes:02}:{seconds:02}.{value.microseconds:06}"
    return f"'{value.days} days {time}'::interval"
