"""Values as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def key(value: object) -> str:
    """A key as it is, or a word for none."""
    return "(none)" if value is None else str(value)


def money(value: float) -> str:
    """Whole dollars: $1,234,567."""
    return f"{'-' if value < 0 else ''}${abs(value):,.0f}"


def quantity(value: float) -> str:
    """Whole pieces: 12,345."""
    return f"{value:,.0f}"


def average(value: float) -> str:
    """Pieces per order line: 4.217."""
    return f"{value:,.3f}"


def age(moment: datetime, now: datetime | None = None) -> str:
    """How long ago, in the largest whole unit: "just now", "2 s ago", "3 min ago". live.js says the same."""
    seconds = int(((now or datetime.now(UTC)) - moment).total_seconds())
    for unit, length in _UNITS:
        if seconds >= length:
            return f"{seconds // length} {unit} ago"
    return "just now"
