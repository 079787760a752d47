"""Where a ranking comes from: its view's SQL as the server has it, and the query that reads it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import sqlparse  # Django needs it too.
from django.db import connections, router

from django_risingwave.streaming.inspecting.view_sql import view_sql
from live.feeding.sources import find_sources
from live.hub_state import NoDataError
from live.opened.sessions import ask
from live.rankings import RelationRanking

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper
    from live.rankings import Ranking

#: How long a process remembers where a ranking comes from. Migrations change it, and they are rare.
REMEMBERED_SECONDS = 60.0
#: Rankings that are remembered. With more, the oldest is forgotten.
MAX_REMEMBERED = 200
#: Characters of SQL that are broken into lines. sqlparse takes 0.1 s for as many.
MAX_FORMATTED = 5_000

_remembered: dict[Ranking, tuple[float, Origin]] = {}


@dataclass(frozen=True)
class Origin:
    """Where a ranking comes from. It has neither addresses of servers nor the SQL of sources: no secrets."""

    #: The relation of all keys, and the statement that creates it; "" if it isn't a view.
    view: str
    definition: str
    #: What the leading rows are read from, and by which query.
    relation: str
    query: str


async def find_origin(ranking: Ranking) -> Origin | None:
    """Return where a ranking comes from; None if the database can't tell now."""
    known = _remembered.get(ranking)
    if known is not None and time.monotonic() - known[0] < REMEMBERED_SECONDS:
        return known[1]
    alias = router.db_for_read(ranking.model)
    try:
        origin = await ask(alias, lambda: _read(alias, ranking))
    except NoDataError:
        return None
    _remembered.pop(ranking, None)
    _remembered[ranking] = time.monotonic(), origin
    if len(_remembered) > MAX_REMEMBERED:
        del _remembered[next(iter(_remembered))]
    return origin


def _read(alias: str, ranking: Ranking) -> Origin:
    source = find_sources(alias, [ranking])[ranking.id]
    schema = ranking.relation.schema if isinstance(ranking, RelationRanking) else None
    definition = view_sql(cast("DatabaseWrapper", connections[alias]), source.view, schema)
    return Origin(source.view, in_lines(definition or ""), source.relation, in_lines(source.sql))


def in_lines(sql: str) -> str:
    """Return SQL with a clause per line. Nothing but spaces and line breaks changes."""
    if len(sql) > MAX_FORMATTED:
        return sql
    try:
        text: str = sqlparse.format(sql, reindent=True)
    except sqlparse.exceptions.SQLParseError:  # Nested too deeply.
        return sql
    return text.strip()
