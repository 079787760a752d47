"""Changes as lines of text: JSON for programs, a table for a terminal."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.utils import timezone
from django.utils.duration import duration_iso_string

if TYPE_CHECKING:
    from django_risingwave.streaming.following.follower import RowChange

#: Characters that a column of the table has at least, so that the next rows fit too, and at most.
MIN_COLUMN_CHARACTERS = 8
MAX_COLUMN_CHARACTERS = 40


def json_line(change: RowChange) -> str:
    """Return a JSON object: op, timestamp, row and before. Numerics and times are strings, so exact."""
    timestamp = None if change.timestamp is None else datetime.fromtimestamp(change.timestamp / 1000, UTC)
    values = {
        "op": change.op,
        "timestamp": timestamp and timestamp.isoformat(timespec="milliseconds"),
        "row": _plain(change.row),
        "before": _plain(change.before),
    }
    return json.dumps(values, ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    """Return the value as JSON has it."""
    match value:
        case dict():
            return {str(name): _plain(item) for name, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case float() if not math.isfinite(value):
            return {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")
        case None | bool() | int() | float() | str():
            return value
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return duration_iso_string(value)
        case bytes() | memoryview():
            return bytes(value).hex()
        case Decimal():
            return str(value)
    return str(value)


class TextTable:
    """Formats changes as the rows of a table, whose columns become wider if they must."""

    def __init__(self) -> None:
        self._widths: dict[str, int] = {}

    def lines(self, change: RowChange) -> list[str]:
        """Return the change's line, after a heading if its columns aren't those of the last one."""
        headings = [] if list(self._widths) == list(change.row) else [self._heading(change.row)]
        cells = [_cell(change, name) for name in change.row]
        for name, cell in zip(change.row, cells, strict=True):
            self._widths[name] = max(self._widths[name], len(cell))
        when = "" if change.timestamp is None else _local(change.timestamp)
        return [*headings, self._line(when, change.op, cells)]

    def _heading(self, row: dict[str, Any]) -> str:
        self._widths = {name: max(len(name), MIN_COLUMN_CHARACTERS) for name in row}
        return self._line("time", "change", list(row))

    def _line(self, when: str, op: str, cells: list[str]) -> str:
        padded = (cell.ljust(width) for cell, width in zip(cells, self._widths.values(), strict=True))
        return "  ".join([when.ljust(12), op.ljust(6), *padded]).rstrip()


def _cell(change: RowChange, name: str) -> str:
    """Return a value; of an update that has changed it, "old → new"."""
    new = change.row[name]
    if change.before is not None and change.before.get(name, new) != new:
        return f"{_short(change.before[name])} → {_short(new)}"
    return _short(new)


def _short(value: Any) -> str:
    text = "" if value is None else str(_plain(value))
    # One line, without characters that a terminal would act on.
    text = "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )
    return text if len(text) <= MAX_COLUMN_CHARACTERS else text[: MAX_COLUMN_CHARACTERS - 1] + "…"


def _local(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone(timezone.get_current_timezone())
    return f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03}"
