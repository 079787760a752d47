"""Models of a ranking's windows: materialized views of the same SELECT that rows leave as time passes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from django_risingwave.models import MaterializedView
from live.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterable

#: All windows but Window.ALL, which is the ranking's own model.
WINDOWS = (Window.QUARTER_HOUR, Window.HOUR, Window.TODAY, Window.WEEK)

# Forms that RisingWave 2.8.0 takes. It refuses a cast, AT TIME ZONE and a zone of date_trunc() on the side of
# now(): https://docs.risingwave.com/processing/sql/temporal-filters
_SINCE = "{column} > now() - INTERVAL '{interval}'"
_TODAY = "date_trunc('day', {column}, '{zone}') + INTERVAL '1 day' > now()"
_INTERVALS = {Window.QUARTER_HOUR: "15 minutes", Window.HOUR: "1 hour", Window.WEEK: "7 days"}


def condition(window: Window, column: str) -> str:
    """Return the condition that a row must meet to count in a window, in the SQL of RisingWave.

    `column` is a `timestamptz`. The day is that of the setting TIME_ZONE. Raises KeyError for Window.ALL.
    """
    if window is Window.TODAY:
        return _TODAY.format(column=column, zone=settings.TIME_ZONE)
    return _SINCE.format(column=column, interval=_INTERVALS[window])


def windowed_models(
    model: type[MaterializedView], query: str, *, column: str, windows: Iterable[Window] = WINDOWS
) -> dict[Window, type[MaterializedView]]:
    """Declare a model for each window, with the fields of `model`, for Ranking.windows.

    `query` is the SELECT with `{window}` for the condition that a row must meet, and `column` the column that
    has the time of a row. Call it in models.py, below `model`::

        STATE_TURNOVER_WINDOWS = windowed_models(
            StateTurnover,
            "SELECT state, sum(price) AS turnover FROM orders WHERE {window} GROUP BY state",
            column="placed_at",
        )

    The models are named as `model` with the window, such as StateTurnover1h, and their views as its view,
    such as state_turnover__1h. Raises ImproperlyConfigured if the query doesn't have `{window}`.
    """
    if "{window}" not in query:
        raise ImproperlyConfigured(
            f"The query of the windows of {model.__name__} must have {{window}} where the condition belongs, "
            f"such as WHERE {{window}}, not {query!r}."
        )
    return {
        window: _model(model, window, query.replace("{window}", condition(window, column)))
        for window in windows
    }


def _model(model: type[MaterializedView], window: Window, query: str) -> type[MaterializedView]:
    name = f"{model.__name__}{window.capitalize()}"
    options = {"app_label": model._meta.app_label, "db_table": f"{model._meta.db_table}__{window}"}
    attributes: dict[str, Any] = {
        "__module__": model.__module__,
        "__qualname__": name,
        "__doc__": f"{model.__name__} in the window {window}.",
        "Meta": type("Meta", (MaterializedView.Meta,), options),
        "Stream": type("Stream", (), {"query": query}),
        **{field.name: field.clone() for field in model._meta.local_fields},
    }
    created: type[MaterializedView] = type(name, (MaterializedView,), attributes)
    return created
