"""Values as people and programs read them."""

from __future__ import annotations

from datetime import UTC, datetime

#: Units of an age with their seconds, the largest first.
UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
#: Characters of a visitor's input that an error message repeats.
MAX_QUOTED = 60


def key(value: object) -> str:
    """Return a key as it is, or "(none)" for None."""
    return "(none)" if value is None else str(value)


def money(value: float) -> str:
    """Return whole dollars: $1,234,567."""
    return f"{'-' if value < 0 else ''}${abs(value):,.0f}"


def quantity(value: float) -> str:
    """Return a whole number: 12,345."""
    return f"{value:,.0f}"


def average(value: float) -> str:
    """Return a number with three decimals: 4.217."""
    return f"{value:,.3f}"


def age(moment: datetime, now: datetime | None = None) -> str:
    """Return how long ago a moment was, in the largest whole unit: "just now", "2 s ago", "3 min ago".

    state.js writes ages the same way.
    """
    passed = duration(((now or datetime.now(UTC)) - moment).total_seconds())
    return f"{passed} ago" if passed else "just now"


def duration(seconds: float) -> str:
    """Return a span of time in the largest whole unit: "2 s", "3 min"; empty below a second."""
    for unit, length in UNITS:
        if seconds >= length:
            return f"{int(seconds) // length} {unit}"
    return ""


def isoformat(moment: datetime) -> str:
    """Return a moment in UTC with milliseconds: 2026-11-23T15:04:05.678Z."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def quoted(text: str) -> str:
    """Return a visitor's input for an error message: in quotes and not too long."""
    return repr(text if len(text) <= MAX_QUOTED else text[:MAX_QUOTED] + "…")
