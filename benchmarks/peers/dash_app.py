"""Dash: one dcc.Interval, one callback, and a cache for what is read.

https://dash.plotly.com/live-updates for the interval, https://dash.plotly.com/performance for Flask-Caching's
memoize, https://dash.plotly.com/deployment for gunicorn.
"""

from __future__ import annotations

from typing import Any

import psycopg2
from dash import Dash, Input, Output, dcc, html
from flask_caching import Cache

from benchmarks.peers.rankings import INTERVAL, RANKINGS, URL

app = Dash(__name__, update_title="")
server = app.server
# In memory: there is one process.
cache = Cache(server, config={"CACHE_TYPE": "SimpleCache"})
app.layout = html.Div([html.Div(id="rankings"), dcc.Interval(id="interval", interval=INTERVAL * 1000)])

connection = psycopg2.connect(URL)
connection.autocommit = True


@cache.memoize(timeout=INTERVAL)
def read() -> list[list[dict[str, Any]]]:
    """Rows of each ranking."""
    with connection.cursor() as cursor:
        tables = []
        for ranking in RANKINGS:
            cursor.execute(ranking.sql)
            tables.append(ranking.rows(cursor))
        return tables


@app.callback(Output("rankings", "children"), Input("interval", "n_intervals"))
def show(_times: int | None) -> list[html.Table]:
    return [
        html.Table(
            [
                html.Caption(ranking.title),
                *(html.Tr([html.Td(row[column]) for column in ("rank", "name", "display")]) for row in rows),
            ]
        )
        for ranking, rows in zip(RANKINGS, read(), strict=True)
    ]
