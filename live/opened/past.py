"""The chart of a ranking's past, rendered once a minute for all viewers of one language."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from django.db import Error
from django.template.loader import render_to_string
from django.utils import translation

from live.history.reading import series
from live.history_support import is_kept
from live.keys import key_query
from live.loops import PerLoop
from live.opened.chart import LINES, Chart, Span, draw
from live.snapshots import key_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from live.rankings import Ranking
    from live.snapshots import Snapshot

#: Charts that a process remembers. With more, it forgets the oldest.
MAX_REMEMBERED = 200

#: By what they show: the minute they were drawn in, and their HTML.
_remembered: dict[tuple[Ranking, Span, str], tuple[datetime, str]] = {}
# Thousands of pages ask for the chart of a new minute at once, and one of them draws it. The others that want
# this chart wait for it, and keep its lock alive.
_drawing: PerLoop[WeakValueDictionary[tuple[Ranking, Span, str], asyncio.Lock]] = PerLoop(WeakValueDictionary)


async def chart_html(
    ranking: Ranking, snapshot: Snapshot | None, span: Span, language: str, at: datetime | None = None
) -> str:
    """Return the chart of the rows that lead now, or at a moment, or what there is in its place."""
    if at is not None:
        chart = await _draw(ranking, snapshot, span, language, at)
        return _render(ranking, span, language, chart=chart, at=at)
    # A ranking that its user has changed is another one.
    name = ranking, span, language
    minute = this_minute()
    async with _drawing().setdefault(name, asyncio.Lock()):
        drawn_at, html = _remembered.pop(name, (None, ""))
        if drawn_at != minute:
            try:
                chart = await _draw(ranking, snapshot, span, language, minute)
            except Error:
                # Also of a project that has no table for it. It may be back before the minute is over.
                return _render(ranking, span, language, is_lost=True)
            html = _render(ranking, span, language, chart=chart)
        _remembered[name] = minute, html
        if len(_remembered) > MAX_REMEMBERED:
            _remembered.pop(next(iter(_remembered)), None)
    return html


async def key_chart_html(ranking: Ranking, key: Any, value: float | None, span: Span, language: str) -> str:
    """Return the chart of one key, which has this value now, or what there is in its place."""
    with translation.override(language):
        row = key, str(ranking.name(key)), value
        try:
            chart = await draw_past(ranking, [row], span, this_minute())
        except Error:
            return _render(ranking, span, language, is_lost=True, query=key_query(key))
    return _render(ranking, span, language, chart=chart, query=key_query(key))


def this_minute() -> datetime:
    """Return the minute that the newest record may be of."""
    return datetime.now(UTC).replace(second=0, microsecond=0)


async def _draw(
    ranking: Ranking, snapshot: Snapshot | None, span: Span, language: str, minute: datetime
) -> Chart | None:
    if snapshot is None:
        return None
    with translation.override(language):
        rows = snapshot.rows(LINES)[:LINES]
        return await draw_past(ranking, [(row.key, row.name, row.value) for row in rows], span, minute)


def _render(ranking: Ranking, span: Span, language: str, **facts: Any) -> str:
    context = {"ranking": ranking, "span": span, "spans": list(Span), "is_kept": is_kept()}
    with translation.override(language):
        return render_to_string("live/chart.html", context | facts)


async def draw_past(
    ranking: Ranking, rows: Iterable[tuple[Any, str, float | None]], span: Span, until: datetime
) -> Chart | None:
    """Return the chart of some keys, given with their names and their present values, with which it ends.

    Returns None if there is no history of them. Raises django.db.Error.
    """
    texts = {key_text(key): (key, name, value) for key, name, value in rows}
    if not texts or not is_kept():
        return None
    keys = [key for key, _, _ in texts.values()]
    past = await series(ranking, keys, until - span.length, until, span.step)
    if all(value is None for values in past.values.values() for value in values):
        return None
    # This minute's record may not be written yet, and the steps of a long span are hours.
    if past.times[-1] == until:
        past.times.pop()
        for values in past.values.values():
            values.pop()
    past.times.append(until)
    for text, values in past.values.items():
        values.append(texts[text][2])
    names = {text: (key, name) for text, (key, name, _) in texts.items()}
    return draw(names, past.times, past.values, ranking.displayed, span)
