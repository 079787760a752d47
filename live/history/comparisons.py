"""What each ranking is compared with, so that its rows can say how many places they have moved.

It depends on the records and the minute alone, so all processes agree. All moments are absolute: a change to
or from summer time moves none of them, not even for the window of a day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from live.history.lookups import TOLERANCE, nearest
from live.history.records import floor, grid
from live.snapshots import Comparison, key_text, ranks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from live.history.lookups import Ends, Found
    from live.rankings import Ranking
    from live.windows import Window


def find_comparisons(
    rankings: Iterable[tuple[Ranking, datetime]], now: datetime, ends: Mapping[str, Ends]
) -> dict[str, Comparison]:
    """Return what each ranking is compared with in a minute, by Ranking.id, after one query.

    A ranking whose history is too young is left out. Raises django.db.Error.
    """
    moments = {
        ranking.id: moment
        for ranking, minute in rankings
        if ranking.id in ends
        and (moment := compared_moment(ranking.window, minute, now, ends[ranking.id].oldest)) is not None
    }
    found = nearest(moments.items())
    return {id_: _comparison(moment, found.get((id_, moment))) for id_, moment in moments.items()}


def compared_moment(window: Window, minute: datetime, now: datetime, oldest: datetime) -> datetime | None:
    """Return the moment that a minute is compared with, None if the oldest record is too young.

    Which records are kept of it depends on how long ago it is `now`.
    """
    moment = minute - window.compared_with
    moment = floor(moment, grid(moment, now))
    if oldest <= moment + TOLERANCE:
        return moment
    # The history is younger than that. A record that has just been written isn't known to all processes yet.
    return oldest if oldest <= minute - TOLERANCE else None


def _comparison(moment: datetime, found: Found | None) -> Comparison:
    if found is None:
        return Comparison(moment, None)
    keys = (key_text(key) for key, _ in found.values)
    return Comparison(found.at, dict(zip(keys, ranks(found.values), strict=True)))
