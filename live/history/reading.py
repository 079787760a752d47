"""The history as viewers ask for it: one ranking over time, and the board as it was at a moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from asgiref.sync import sync_to_async
from django.db import ProgrammingError, models
from django.utils.translation import gettext_noop as _

from live.errors import ParameterError
from live.history.comparisons import find_comparisons
from live.history.lookups import ends, newest
from live.history.records import floor, grid
from live.history_support import is_kept
from live.models import Record
from live.rankings import RelationRanking
from live.snapshots import Snapshot, key_text
from live.users.database import ask, is_unmigrated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import timedelta

    from live.rankings import Ranking

Answer = TypeVar("Answer")

#: Points of a series. A screen can't show more, and each is a record of 50 rows that must be read.
MAX_POINTS = 500


class NoHistoryError(ParameterError):
    """There is no history of this moment; the message says why."""


@dataclass(frozen=True)
class Series:
    """The values of some keys over time."""

    #: The oldest first.
    times: list[datetime]
    #: A value of each time by key_text(); None in a gap, and while the key wasn't among the leading rows.
    values: dict[str, list[float | None]]


async def series(
    ranking: Ranking, keys: Iterable[Any], since: datetime, until: datetime, step: timedelta
) -> Series:
    """Return the values of keys at each step of a span of time, those of the newest record in each.

    Raises ValueError for more than MAX_POINTS steps, UsersUnavailableError.
    """
    if (until - since) / step > MAX_POINTS:
        raise ValueError(f"A series has at most {MAX_POINTS} points, not {(until - since) / step:.0f}.")
    return await _ask(lambda: _series(ranking, [key_text(key) for key in keys], since, until, step))


async def board_at(rankings: Sequence[Ranking], moment: datetime) -> dict[str, Snapshot]:
    """Return the rankings as they were at a moment, by Ranking.id; those in a gap are left out.

    Raises NoHistoryError if the moment is in the future or before the history, UsersUnavailableError.
    """
    if moment > datetime.now(UTC):
        raise NoHistoryError(_("The moment is in the future."))
    if not is_kept():
        raise NoHistoryError(_("No history is kept here."))
    try:
        return await _ask(lambda: _board_at(rankings, moment))
    except ProgrammingError as error:
        if not is_unmigrated(error, Record):
            raise
        # Its table hasn't been migrated yet.
        raise NoHistoryError(_("No history is kept here.")) from None


async def _ask(question: Callable[[], Answer]) -> Answer:
    return await ask(sync_to_async(question))


def _series(
    ranking: Ranking, keys: Sequence[str], since: datetime, until: datetime, step: timedelta
) -> Series:
    now = datetime.now(UTC)
    times = []
    time = floor(until, step)
    while time >= since:
        times.append(time)
        time -= step
    times.reverse()
    found = newest((ranking.id, time, max(step, grid(time, now))) for time in times)
    values: dict[str, list[float | None]] = {key: [] for key in keys}
    for time in times:
        record = found.get((ranking.id, time))
        known = {} if record is None else {key_text(key): value for key, value in record.values}
        for key, points in values.items():
            points.append(known.get(key))
    return Series(times, values)


def _board_at(rankings: Sequence[Ranking], moment: datetime) -> dict[str, Snapshot]:
    known_ends = ends(ranking.id for ranking in rankings)
    oldest = min((known.oldest for known in known_ends.values()), default=None)
    if oldest is None:
        raise NoHistoryError(_("There is no history yet."))
    if moment < oldest:
        raise NoHistoryError(_("The history begins at %(begin)s."), begin=f"{oldest:%Y-%m-%d %H:%M} UTC")
    now = datetime.now(UTC)
    found = newest((ranking.id, moment, grid(moment, now)) for ranking in rankings)
    at = {id_: record.at for (id_, _moment), record in found.items()}
    recorded = [(ranking, at[ranking.id]) for ranking in rankings if ranking.id in at]
    comparisons = find_comparisons(recorded, now, known_ends)
    return {
        ranking.id: Snapshot(
            ranking,
            tuple((_as_key(ranking, key), value) for key, value in record.values),
            changed_at=record.at,
            source="",
            totals=record.totals,
            comparison=comparisons.get(ranking.id),
        )
        for ranking in rankings
        if (record := found.get((ranking.id, moment))) is not None
    }


def _as_key(ranking: Ranking, key: Any) -> Any:
    """Return a key as the ranking's model has it: a record has a date as a string."""
    if isinstance(ranking, RelationRanking):
        return key
    field: Any = ranking.model._meta.get_field(ranking.key)
    while field.remote_field:
        field = field.target_field
    # Text that stands for NaN or infinity stays as it is.
    return key if isinstance(field, models.FloatField) else field.to_python(key)
