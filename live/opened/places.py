"""Where a key is in each ranking of its kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import Error, router
from django.utils.translation import gettext

from live.feeding.sources import find_sources
from live.formats import percent, quantity
from live.opened.chart import Span
from live.opened.past import draw_past, this_minute
from live.opened.sessions import ask
from live.rankings import RANKINGS
from live.snapshots import NEW, key_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from live.rankings import Ranking
    from live.snapshots import Row, Snapshot
    from live.windows import Window


@dataclass(frozen=True)
class Place:
    """Where a key is in one ranking."""

    ranking: Ranking
    #: "" if the ranking doesn't have the key.
    rank: str = ""
    #: The number of keys; "" if it isn't known.
    of: str = ""
    value: float | None = None
    movement: str = ""
    display: str = ""
    share: str = ""
    #: Its last 24 hours, as the d of a <path>.
    path: str = ""


def of_one_kind(ranking: Ranking, window: Window) -> list[Ranking]:
    """Return the rankings whose keys are those of this one: that have the same function for details.

    Each is in this window, if it has that.
    """
    if ranking.details is None:
        return [ranking.within(window)]
    return [other.within(window) for other in list(RANKINGS.values()) if other.details is ranking.details]


async def find_places(
    ranking: Ranking, rankings: Sequence[Ranking], snapshots: Mapping[str, Snapshot], key: Any
) -> list[Place]:
    """Return a key's place in each of these rankings.

    Those without the key among their leading rows are searched in the database. Raises NoDataError.
    """
    text = key_text(key)
    rows = {
        id_: row
        for id_, snapshot in snapshots.items()
        for row in snapshot.rows(len(snapshot.values))
        if key_text(row.key) == text
    }
    alias = router.db_for_read(ranking.model)
    others = [other for other in rankings if other.id not in rows]

    def search() -> dict[str, tuple[int, float | None] | None]:
        return {id_: source.place_of(key) for id_, source in find_sources(alias, others).items()}

    found = await ask(alias, search) if others else {}
    places = []
    for other in rankings:
        row, place = rows.get(other.id), found.get(other.id)
        if row is not None:
            rank, value = row.rank, row.value
        elif place is not None:
            rank, value = place
        else:
            places.append(Place(other))
            continue
        snapshot = snapshots.get(other.id)
        share = snapshot.share_of(value) if snapshot else None
        places.append(
            Place(
                other,
                rank=quantity(rank),
                of=quantity(snapshot.totals.keys) if snapshot and snapshot.totals else "",
                value=value,
                movement=_movement(row) if row else "",
                display=other.displayed(value),
                share="" if share is None else percent(share),
                path=await _path(other, key, value),
            )
        )
    return places


async def _path(ranking: Ranking, key: Any, value: float | None) -> str:
    try:
        chart = await draw_past(ranking, [(key, "", value)], Span.DAY, this_minute())
    except Error:
        return ""
    return chart.lines[0].path if chart else ""


def _movement(row: Row) -> str:
    if row.movement is None:
        return ""
    if row.movement == NEW:
        return gettext("new")
    return row.moved if row.movement else gettext("unchanged")
