"""Where the feed reads each ranking from: its leading rows and its totals, or else the view itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from django.db import connections

from live.leading import KEYS, TOTAL, leading_model, leading_name, totals_model, totals_name
from live.snapshots import Totals

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django_risingwave.base import DatabaseWrapper
    from django_risingwave.models import MaterializedView
    from live.rankings import Ranking
    from live.snapshots import Values


class Source:
    """What one ranking is read from, in the database `alias`."""

    def __init__(
        self,
        alias: str,
        ranking: Ranking,
        rows_model: type[MaterializedView],
        totals_model: type[MaterializedView] | None = None,
    ) -> None:
        self.alias = alias
        self.ranking = ranking
        self._rows_model = rows_model
        self._totals_model = totals_model

    @property
    def relation(self) -> str:
        """The relation that the rows are read from. When it changes, read them again."""
        return self._rows_model._meta.db_table

    def rows(self) -> Values:
        """Read the ranking's pairs of (key, value), in its order. Raises django.db.Error."""
        queryset = self.ranking.queryset(self._rows_model).using(self.alias)
        return tuple((key, None if value is None else float(value)) for key, value in queryset)

    def totals(self) -> Totals | None:
        """Read the totals; None if the database doesn't keep them. Raises django.db.Error."""
        if self._totals_model is None:
            return None
        columns = (KEYS, TOTAL) if self.ranking.summed else (KEYS,)
        ((keys, *total),) = self._totals_model._default_manager.using(self.alias).values_list(*columns)
        return Totals(keys, float(total[0]) if total and total[0] is not None else None)


def find_sources(alias: str, rankings: Iterable[Ranking]) -> dict[str, Source]:
    """Return what each ranking is read from, by slug, after one query. Raises django.db.Error."""
    connection = cast("DatabaseWrapper", connections[alias])
    with connection.cursor() as cursor:
        relations = connection.introspection.get_relation_kinds(cursor)
    return {
        ranking.slug: Source(
            alias,
            ranking,
            leading_model(ranking) if leading_name(ranking.slug) in relations else ranking.model,
            totals_model(ranking) if totals_name(ranking.slug) in relations else None,
        )
        for ranking in rankings
    }
