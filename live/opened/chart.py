"""A chart of the leading rows' past: what its template draws, in per cent of its width and height.

The chart is an SVG from the server: it needs no library, is there without JavaScript, and is rendered once a
minute for all viewers. Its texts keep their size at any width, since only the lines are scaled.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from live.windows import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from django.utils.functional import _StrPromise

#: Lines of a chart. More couldn't be told apart.
LINES = 5
#: The size of the box that the lines are drawn in; the browser stretches it.
BOX = 1_000
#: Marks on each line, by whose shapes lines are told apart without their colours.
MARKS_PER_LINE = 6
#: Lines of the grid, at most.
MAX_GRID = 6
#: Larger values aren't drawn: the distance of two of them may be more than a float holds.
LARGEST = 1e300
#: Values are drawn as equal whose difference is a smaller part of them: floats hardly tell them apart.
LEAST_PART = 1e-9
#: The part of the width within which a label's middle would be too close to the edge, on a phone.
EDGE = 0.09


class Span(StrEnum):
    """The values of `?span=`: how far a chart reaches back."""

    QUARTER_HOUR = "15m"
    HOUR = "1h"
    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"

    @property
    def label(self) -> _StrPromise:
        """A short name for viewers."""
        return _LABELS[self]

    @property
    def length(self) -> timedelta:
        """The time from the first point to the last."""
        return _LENGTHS[self][0]

    @property
    def step(self) -> timedelta:
        """The time between two points: at most 120 points, as a screen and a table can show."""
        return _LENGTHS[self][1]

    @property
    def tick(self) -> timedelta:
        """The time between two labels of the axis."""
        return _LENGTHS[self][2]


_LABELS = {
    Span.QUARTER_HOUR: _("15 min"),
    Span.HOUR: _("1 h"),
    Span.DAY: _("24 h"),
    Span.WEEK: _("7 days"),
    Span.MONTH: _("30 days"),
}
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_LENGTHS = {
    Span.QUARTER_HOUR: (15 * _MINUTE, _MINUTE, 5 * _MINUTE),
    Span.HOUR: (_HOUR, _MINUTE, 15 * _MINUTE),
    Span.DAY: (_DAY, 15 * _MINUTE, 6 * _HOUR),
    Span.WEEK: (7 * _DAY, 2 * _HOUR, 2 * _DAY),
    Span.MONTH: (30 * _DAY, 6 * _HOUR, 10 * _DAY),
}
#: The span that a chart has where nobody asks for another.
_OF_WINDOWS = {Window.QUARTER_HOUR: Span.QUARTER_HOUR, Window.HOUR: Span.HOUR, Window.WEEK: Span.WEEK}


def default_span(window: Window) -> Span:
    """Return the span that is closest to a window: a day for today and for all time."""
    return _OF_WINDOWS.get(window, Span.DAY)


@dataclass(frozen=True)
class Mark:
    """Where a line has a mark, in per cent."""

    x: str
    y: str


@dataclass(frozen=True)
class Line:
    """One row's line."""

    number: int
    key: Any
    name: str
    #: The d of a <path> in a box of BOX × BOX. A gap begins a new part.
    path: str
    marks: Sequence[Mark]
    #: The value that it ends with.
    last: str


@dataclass(frozen=True)
class Label:
    """A line of the grid, or a moment on the axis, with its text."""

    at: str
    text: str
    moment: datetime | None = None
    #: Where the text is from there: the first and the last one must not be cut off.
    anchor: str = "middle"


@dataclass(frozen=True)
class Cell:
    """A value of a moment, and how high it is in the chart; empty for a gap."""

    text: str
    y: str


@dataclass(frozen=True)
class Moment:
    """The values of all lines at a moment."""

    at: datetime
    x: str
    cells: Sequence[Cell]


@dataclass(frozen=True)
class Chart:
    """What the template draws."""

    lines: Sequence[Line]
    grid: Sequence[Label]
    ticks: Sequence[Label]
    moments: Sequence[Moment]
    #: Where zero is, if values are on both sides of it.
    zero: str | None
    box: int = BOX

    @property
    def last(self) -> Moment:
        """The newest moment."""
        return self.moments[-1]


def draw(
    names: Mapping[str, tuple[Any, str]],
    times: Sequence[datetime],
    values: Mapping[str, Sequence[float | None]],
    display: Callable[[float | None], str],
    span: Span,
) -> Chart | None:
    """Return the chart of some rows, or None if no row has a value.

    `names` has each line's key and name by its key_text(), and `values` its values at the times, None for a
    gap. Texts are in the active language and time zone.
    """
    values = {
        text: [None if value is None or abs(value) > LARGEST else value for value in row]
        for text, row in values.items()
    }
    known = [value for text in names for value in values.get(text, ()) if value is not None]
    if not known:
        return None
    step = grid_step(min(known), max(known))
    low, high = math.floor(min(known) / step) * step, math.ceil(max(known) / step) * step
    if low == high:
        low, high = low - step, high + step
    until = times[-1]
    since = until - span.length

    def x(moment: datetime) -> float:
        return (moment - since) / span.length

    def y(value: float) -> float:
        return (high - value) / (high - low)

    lines = []
    for number, (text, (key, name)) in enumerate(names.items(), start=1):
        row = values.get(text) or [None] * len(times)
        points = [None if value is None else (x(at), y(value)) for at, value in zip(times, row, strict=True)]
        last = next((value for value in reversed(row) if value is not None), None)
        lines.append(Line(number, key, name, _path(points), _marks(points, number), display(last)))
    return Chart(
        lines=lines,
        grid=_grid(low, high, step, y, display),
        ticks=_ticks(since, until, span, x),
        moments=[
            Moment(
                at,
                _percent(x(at)),
                [
                    Cell("–", "") if value is None else Cell(display(value), _percent(y(value)))
                    for value in (values[text][position] if text in values else None for text in names)
                ],
            )
            for position, at in enumerate(times)
        ],
        zero=_percent(y(0)) if low < 0 < high else None,
    )


def grid_step(low: float, high: float) -> float:
    """Return a round distance between two lines of the grid: 1, 2, 2.5 or 5 times a power of ten."""
    size = max(abs(low), abs(high))
    span = high - low if high - low > size * LEAST_PART else size or 1.0
    power = 10.0 ** math.floor(math.log10(max(span / MAX_GRID, 1 / LARGEST)))
    # Another line above and below the values may be needed.
    return next(
        factor * power
        for factor in (1, 2, 2.5, 5, 10, 20)
        if math.ceil(high / (factor * power)) - math.floor(low / (factor * power)) < MAX_GRID
    )


def _grid(
    low: float, high: float, step: float, y: Callable[[float], float], display: Callable[[float], str]
) -> list[Label]:
    lines: dict[str, Label] = {}
    for number in range(round((high - low) / step) + 1):
        value = low + number * step
        text = display(0.0 if abs(value) < step / 2 else value)
        # A measure shown as a whole number may have the same text twice.
        lines.setdefault(text, Label(_percent(y(value)), text))
    return list(lines.values())


def _ticks(since: datetime, until: datetime, span: Span, x: Callable[[datetime], float]) -> list[Label]:
    """Return the labels of the axis at round times of the active time zone."""
    zone = timezone.get_current_timezone()
    midnight = since.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    ticks = []
    moment = midnight
    while (at := moment.replace(tzinfo=zone)) <= until:
        if at >= since:
            position = x(at)
            anchor = "start" if position < EDGE else "end" if position > 1 - EDGE else "middle"
            name = "TIME_FORMAT" if span.tick < _DAY else "MONTH_DAY_FORMAT"
            text = date_format(at.astimezone(zone), "H:i" if name == "TIME_FORMAT" else name)
            ticks.append(Label(_percent(position), text, at, anchor))
        moment += span.tick
    return ticks


def _path(points: Sequence[tuple[float, float] | None]) -> str:
    parts, is_drawing = [], False
    for position, point in enumerate(points):
        if point is None:
            is_drawing = False
            continue
        x, y = (round(part * BOX) for part in point)
        parts.append(f"{'L' if is_drawing else 'M'}{x} {y}")
        following = points[position + 1] if position + 1 < len(points) else None
        if not is_drawing and following is None:
            parts.append("h0")  # A round end of the stroke is a dot.
        is_drawing = True
    return "".join(parts)


def _marks(points: Sequence[tuple[float, float] | None], number: int) -> list[Mark]:
    """Return a line's marks, those of each line at other points, so that they don't cover each other.

    A point between two gaps has no line, and so has a mark wherever it is.
    """
    distance = max(len(points) // MARKS_PER_LINE, 1)
    first = distance * number // (LINES + 1)
    around = (None, *points, None)
    return [
        Mark(_percent(point[0]), _percent(point[1]))
        for position, point in enumerate(points)
        if point
        and (
            (position >= first and (position - first) % distance == 0)
            or (around[position] is None and around[position + 2] is None)
        )
    ]


def _percent(part: float) -> str:
    """Return a coordinate: a string, since templates localize numbers."""
    return f"{part * 100:.1f}%"
