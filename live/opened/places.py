"""Where a key is in each ranking of its kind, and what its app knows of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any

from django.db import Error, router
from django.utils import translation
from django.utils.translation import get_language, gettext, ngettext

from live.feeding.sources import find_sources
from live.formats import decimal
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

#: Rows of an app's table that a key's page shows.
MAX_DETAILS = 100


@dataclass(frozen=True)
class Place:
    """Where a key is in one ranking."""

    ranking: Ranking
    #: None if the ranking doesn't have the key.
    rank: int | None
    value: float | None = None
    #: The number of keys; None if it isn't known.
    of: int | None = None
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
    return [other.within(window) for other in RANKINGS.values() if other.details is ranking.details]


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
        snapshot, row, place = snapshots.get(other.id), rows.get(other.id), found.get(other.id)
        of = snapshot.totals.keys if snapshot and snapshot.totals else None
        if row is not None:
            path = await _path(other, key, row.value)
            places.append(
                Place(other, row.rank, row.value, of, _movement(row), row.display, _share(row), path)
            )
        elif place is not None:
            path = await _path(other, key, place[1])
            places.append(Place(other, *place, of, "", other.displayed(place[1]), "", path))
        else:
            places.append(Place(other, None))
    return places


@dataclass(frozen=True)
class Cell:
    """A cell of an app's table."""

    value: Any

    @property
    def is_number(self) -> bool:
        return isinstance(self.value, int | float | Decimal)

    @property
    def moment(self) -> datetime | None:
        return self.value if isinstance(self.value, datetime) else None


@dataclass(frozen=True)
class Column:
    """The heading of a column."""

    text: str
    is_number: bool


@dataclass(frozen=True)
class Details:
    """What the page shows of KeyDetails."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]


async def find_details(ranking: Ranking, key: Any) -> Details | None:
    """Return what a ranking's app knows of a key; None if it doesn't know the key. Raises NoDataError."""
    details, language = ranking.details, get_language()
    if details is None:
        return None

    def look_up() -> Details | None:
        # In a thread, where a QuerySet may be read, and which has no language yet.
        with translation.override(language):
            known = details(key)
            if known is None:
                return None
            rows = [[Cell(value) for value in row] for row in islice(known.rows, MAX_DETAILS)]
            columns = [
                Column(str(column), is_number=bool(rows) and rows[0][position].is_number)
                for position, column in enumerate(known.columns)
            ]
            return Details(str(known.title), columns, rows)

    return await ask(router.db_for_read(ranking.model), look_up)


async def _path(ranking: Ranking, key: Any, value: float | None) -> str:
    try:
        chart = await draw_past(ranking, [(key, "", value)], Span.DAY, this_minute())
    except Error:
        return ""
    return chart.lines[0].path if chart else ""


def _share(row: Row) -> str:
    return "" if row.share is None else f"{decimal(row.share, 1)} %"


def _movement(row: Row) -> str:
    if row.movement is None:
        return ""
    if row.movement == NEW:
        return gettext("new")
    places = int(row.movement)
    if places == 0:
        return gettext("unchanged")
    if places > 0:
        return ngettext("▲ %(places)d place", "▲ %(places)d places", places) % {"places": places}
    return ngettext("▼ %(places)d place", "▼ %(places)d places", -places) % {"places": -places}
