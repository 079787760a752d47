"""Judges a ranking's thresholds once a minute, and keeps the crossings in the database of users."""

from __future__ import annotations

import json
import logging
import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import Error
from django.db.models import Q
from django.utils import translation

from live.alerts import webhook
from live.alerts.telling import bounded
from live.leading import LEADING_ROWS
from live.logs.repeated_lines import RepeatedLines
from live.models import Crossing
from live.rankings import RelationRanking
from live.snapshots import key_text
from live.thresholds import EACH

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from live.models import Record
    from live.rankings import Ranking
    from live.thresholds import Threshold

logger = logging.getLogger(__name__)
_lines = RepeatedLines(logger, logging.ERROR)

#: How long crossings are kept that have ended.
KEEP_CROSSINGS = timedelta(days=30)
#: Characters of a row's name in a log line.
MAX_LOGGED_CHARACTERS = 200


def judge(ranking: Ranking, record: Record) -> None:
    """Compare a record with the thresholds of its ranking; keep, log and post what begins and ends.

    To be called by the process that wrote the record. Raises django.db.Error; what a project's own functions
    raise is logged.
    """
    try:
        _judge(ranking, record)
    except Error:
        raise
    except Exception as error:  # noqa: BLE001 - the other rankings must be judged all the same
        _lines.log(ranking.id, f"ranking {ranking.id}: its thresholds can't be judged", error)


def _judge(ranking: Ranking, record: Record) -> None:
    thresholds = {one.name: one for one in ranking.thresholds if one.window is ranking.window}
    if not thresholds or record.rows is None:
        return
    with bounded(), translation.override(settings.LANGUAGE_CODE):
        # What a later record has ended doesn't begin again: a process may be slow.
        known = Crossing.objects.filter(Q(ended_at=None) | Q(ended_at__gte=record.at), ranking=ranking.id)
        crossings = {(crossing.threshold, crossing.key): crossing for crossing in known.order_by("began_at")}
        for threshold in thresholds.values():
            values = dict(_values(threshold, record))
            for key, value in values.items():
                if threshold.is_beyond(value) and (threshold.name, key) not in crossings:
                    _begin(ranking, threshold, key, value, record)
        for crossing in crossings.values():
            is_open = crossing.ended_at is None and crossing.began_at <= record.at
            if is_open and (known_threshold := thresholds.get(crossing.threshold)):
                _end_if_clear(ranking, known_threshold, crossing, record)


def _values(threshold: Threshold, record: Record) -> Iterator[tuple[str, float]]:
    """Yield the values that the threshold is about, by key_text() of their keys, "" for the total."""
    if threshold.of == "total":
        rows: Sequence[tuple[str, Any]] = [("", record.total)]
    else:
        rows = [(key_text(key), value) for key, value in record.pairs]
        if threshold.key is not EACH:
            wanted = key_text(threshold.key)
            rows = [row for row in rows if row[0] == wanted]
    for key, value in rows:
        if value is not None and math.isfinite(value):
            yield key, value


def _begin(ranking: Ranking, threshold: Threshold, key: str, value: float, record: Record) -> None:
    """Keep, log and post a crossing, unless another process has already."""
    # First, since the project's functions may raise: what can't be told of isn't kept as told.
    subject, text = name_of(ranking, key), threshold.text(ranking.displayed)
    shown = ranking.displayed(value)
    crossing, is_new = Crossing.objects.get_or_create(
        ranking=ranking.id,
        threshold=threshold.name,
        key=key,
        ended_at=None,
        defaults={"value": value, "began_at": record.at},
    )
    if is_new:
        logger.warning(
            "ranking %s: %s is %s (%s)",
            ranking.id,
            (subject or "the total")[:MAX_LOGGED_CHARACTERS],
            text,
            shown,
        )
        webhook.post(webhook.body(ranking, threshold, crossing, subject))


def _end_if_clear(ranking: Ranking, threshold: Threshold, crossing: Crossing, record: Record) -> None:
    value = _value_of(crossing.key, ranking, threshold, record)
    if value is None or not threshold.is_clear(value):
        return
    ended = Crossing.objects.filter(pk=crossing.pk, ended_at=None).update(ended_at=record.at)
    if ended:
        logger.info(
            "ranking %s: %s is no longer %s, since %s",
            ranking.id,
            (name_of(ranking, crossing.key) or "the total")[:MAX_LOGGED_CHARACTERS],
            threshold.text(ranking.displayed),
            crossing.began_at.isoformat(timespec="minutes"),
        )
        Crossing.objects.filter(ranking=ranking.id, ended_at__lt=record.at - KEEP_CROSSINGS).delete()


def _value_of(key: str, ranking: Ranking, threshold: Threshold, record: Record) -> float | None:
    """Return the value of what has crossed the threshold, or one that it can't be beyond; None if unknown."""
    values = dict(_values(threshold, record))
    if key in values:
        return values[key]
    if threshold.of == "total":
        # A ranking without rows, such as that of a new day, has no sum.
        return threshold.cleared_at if record.keys == 0 else None
    rows = record.pairs
    if len(rows) < LEADING_ROWS or any(key == key_text(known) for known, _ in rows):
        # All rows are known, and the key has none; or its row has no value.
        return threshold.cleared_at
    # It isn't among the leading rows: its value is at most the last one's, or at least, if the smallest lead.
    is_ascending = isinstance(ranking, RelationRanking) and ranking.ascending
    last: float | None = rows[-1][1]
    return last if threshold.is_upper is not is_ascending else None


def name_of(ranking: Ranking, key: str) -> str:
    """Return the name of the row with this key_text(), or "" for the total."""
    if not key:
        return ""
    try:
        return str(ranking.name(json.loads(key)))
    except Exception:  # noqa: BLE001 - the function is the project's, and expects keys before they were JSON
        return str(json.loads(key))
