"""The leading rows of a ranking and its totals: their names in the database, and models to read them by.

The migration operation CreateLeadingRows creates both, so that a read costs the same for any number of keys.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, cast

from django.apps.registry import Apps
from django.db import models

from django_risingwave.models import MaterializedView
from django_risingwave.streaming.definitions import LeadingRowsDefinition

if TYPE_CHECKING:
    from collections.abc import Callable

    from live.rankings import Ranking

#: Rows that the leading rows of a ranking have by default: more than any ranking of the demo shows, so that
#: `size` can grow without a migration.
LEADING_ROWS = 50
#: The columns of the totals: the number of keys, and the sum of the measure.
KEYS, TOTAL = "keys", "total"


def leading_name(ranking_id: str) -> str:
    """Return the name of the materialized view of the leading rows of a ranking, by Ranking.id."""
    return f"{ranking_id.replace('-', '_')}_leading"


def totals_name(ranking_id: str) -> str:
    """Return the name of the materialized view of the totals of a ranking, by Ranking.id."""
    return f"{ranking_id.replace('-', '_')}_totals"


def advised_index(ranking: Ranking, quote_name: Callable[[str], str]) -> str:
    """Return the CREATE INDEX by which RisingWave reads the ranking from its view without a scan.

    RisingWave 2.8.0 uses it for the query of Ranking.queryset(), and not for one that casts a column.
    """
    meta = ranking.model._meta
    key, measure = (cast("Any", meta.get_field(name)).column for name in (ranking.key, ranking.measure))
    name, view = quote_name(f"{meta.db_table}_by_{measure}"), quote_name(meta.db_table)
    key, measure = quote_name(key), quote_name(measure)
    order = LeadingRowsDefinition.order(key, measure)
    return f"CREATE INDEX {name} ON {view} ({order}) INCLUDE ({key}, {measure})"


@cache
def leading_model(ranking: Ranking) -> type[MaterializedView]:
    """Return a model of the leading rows, with the key and the measure of the ranking's model."""
    fields = {
        name: _copy(ranking.model._meta.get_field(name), primary_key=name == ranking.key)
        for name in (ranking.key, ranking.measure)
    }
    return _model(ranking, leading_name(ranking.id), fields)


@cache
def totals_model(ranking: Ranking) -> type[MaterializedView]:
    """Return a model of the totals, which has no field TOTAL if the ranking isn't summed."""
    fields: dict[str, models.Field[Any, Any]] = {KEYS: models.BigIntegerField(primary_key=True)}
    if ranking.summed:
        # The driver's own value: RisingWave's sum() of integers is a numeric.
        fields[TOTAL] = models.DecimalField(max_digits=28, decimal_places=10, null=True)
    return _model(ranking, totals_name(ranking.id), fields)


def _copy(field: Any, *, primary_key: bool) -> models.Field[Any, Any]:
    """Return a field of the same class and column. Of a relation it is the field that it refers to."""
    column = field.column
    while field.remote_field:
        field = field.target_field
    _, _, args, kwargs = field.deconstruct()
    kwargs |= {"primary_key": primary_key, "db_column": column}
    copy: models.Field[Any, Any] = type(field)(*args, **kwargs)
    return copy


def _model(ranking: Ranking, table: str, fields: dict[str, models.Field[Any, Any]]) -> type[MaterializedView]:
    options = {
        # A registry of its own hides the model from makemigrations and from other models.
        "apps": Apps(),
        "app_label": ranking.model._meta.app_label,
        "db_table": table,
    }
    meta = type("Meta", (MaterializedView.Meta,), options)
    name = "".join(part.capitalize() for part in table.split("_"))
    model: type[MaterializedView] = type(
        name, (MaterializedView,), {"__module__": __name__, "Meta": meta, **fields}
    )
    return model
