"""Dash: one dcc.Interval, one callback, and a cache of the rows.

The interval follows https://dash.plotly.com/live-updates, Flask-Caching's memoize
https://dash.plotly.com/performance, and gunicorn https://dash.plotly.com/deployment.
"""

from __future__ import annotations

from typing import Any

import psycopg2
from dash import Dash, Input, Output, dcc, html
from flask_caching import Cache

from benchmarks.peers.rankings import POLL_SECONDS, RANKINGS, URL

app = Dash(__name__, update_title="")
server = app.server
# In memory, since there is one process.
cache = Cache(server, config={"CACHE_TYPE": "SimpleCache"})
app.layout = html.Div([html.Div(id="rankings"), dcc.Interval(id="interval", interval=POLL_SECONDS * 1000)])

connection = psycopg2.connect(URL)
connection.autocommit = True


@cache.memoize(timeout=POLL_SECONDS)
def read() -> list[list[dict[str, Any]]]:
    """Return the rows of each ranking."""
    with connection.cursor() as cursor:
        tables = []
        for ranking in RANKINGS:
            cursor.execute(ranking.sql)
            tables.append(ranking.rows(cursor))
        return tables


@app.callback(Output("rankings", "children"), Input("interval", "n_intervals"))
def show(_intervals: int | None) -> list[html.Table]:
    """Return the four tables."""
    return [
        html.Table(
            [
                html.Caption(ranking.title),
                *(html.Tr([html.Td(row[column]) for column in ("rank", "name", "display")]) for row in rows),
            ]
        )
        for ranking, rows in zip(RANKINGS, read(), strict=True)
    ]
