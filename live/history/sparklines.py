"""The small charts of rows: how each value has gone over its window."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from django.utils import timezone

from live.history.lookups import newest
from live.history.records import MINUTE, QUARTER_HOUR, floor, grid
from live.snapshots import key_text, row_id
from live.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from live.history.lookups import Ends, Found
    from live.rankings import Ranking

#: Points of a chart: as many as its 70 pixels can show apart.
POINTS = 24
#: How far the charts of all time reach back. Longer ones are on the page of a ranking.
LONGEST = timedelta(days=1)


@dataclass(frozen=True, eq=False)
class Sparklines:
    """The charts of one ranking's leading rows."""

    ranking: str
    #: The time of the last point, and between two.
    at: datetime
    step_seconds: int
    #: POINTS values by the id of the row, the newest last. Each is a per cent of the way from the row's
    #: smallest value to its largest, and None in a gap, or while the row wasn't among the leading ones.
    rows: dict[str, list[int | None]]

    @cached_property
    def payload(self) -> dict[str, object]:
        """What pages get, as a message over the WebSocket and in the answer to a poll."""
        return {
            "type": "sparklines",
            "ranking": self.ranking,
            "step": self.step_seconds,
            "rows": self.rows,
        }

    @cached_property
    def message(self) -> str:
        """The text of the message over the WebSocket."""
        return json.dumps(self.payload, separators=(",", ":"))


def find_sparklines(
    rankings: Iterable[Ranking], end: datetime, ends: Mapping[str, Ends]
) -> dict[str, Sparklines]:
    """Return the charts up to a minute, by Ranking.id, after one query; none where there is no history.

    Raises django.db.Error.
    """
    wanted = {
        ranking.id: _moments(ranking.window, end, ends[ranking.id].oldest)
        for ranking in rankings
        if ranking.id in ends
    }
    found = newest(
        (id_, moment, max(min(step, QUARTER_HOUR), grid(moment, end)))
        for id_, (step, moments) in wanted.items()
        for moment in moments
    )
    charts = {}
    for id_, (step, moments) in wanted.items():
        points = [found.get((id_, moment)) for moment in moments]
        rows = _rows([None] * (POINTS - len(points)) + points)
        charts[id_] = Sparklines(id_, end, int(step.total_seconds()), rows)
    return charts


def _moments(window: Window, end: datetime, oldest: datetime) -> tuple[timedelta, list[datetime]]:
    """Return the time between two points, and those of the points for which there may be records."""
    since = _since(window, end)
    minutes = math.ceil((end - max(since, oldest)) / MINUTE / (POINTS - 1))
    step = max(minutes, 1) * MINUTE
    moments = [end - step * back for back in reversed(range(POINTS))]
    if window is Window.TODAY:
        # Yesterday is no part of it, and was another sum.
        moments = [moment for moment in moments if moment >= since]
    return step, [floor(moment, grid(moment, end)) for moment in moments]


def _since(window: Window, end: datetime) -> datetime:
    if window is Window.TODAY:
        local = end.astimezone(timezone.get_default_timezone())
        return local.replace(hour=0, minute=0).astimezone(end.tzinfo)
    return end - max(window.span or LONGEST, (POINTS - 1) * MINUTE)


def _rows(points: Sequence[Found | None]) -> dict[str, list[int | None]]:
    """Return the charts of the rows that the last point has."""
    last = next((point for point in reversed(points) if point is not None), None)
    if last is None:
        return {}
    values = [
        {} if point is None else {key_text(key): value for key, value in point.values} for point in points
    ]
    return {row_id(key): _scaled([point.get(key_text(key)) for point in values]) for key, _ in last.values}


def _scaled(values: Sequence[float | None]) -> list[int | None]:
    known = [value for value in values if value is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    # Halves, since the difference of two floats may be infinite.
    width = high / 2 - low / 2
    return [
        None if value is None else round((value / 2 - low / 2) / width * 100) if width else 50
        for value in values
    ]
