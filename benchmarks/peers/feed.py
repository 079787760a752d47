"""What the peers that push are told: a thread that waits for NOTIFY, reads what changed, and hands it on.

The same steps as the dashboard's own feed: read at once, at most four times a second, all every 5 s.
"""

from __future__ import annotations

import json
import select
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg2

from benchmarks.peers.rankings import RANKINGS, URL
from django_risingwave.standin.summaries import CHANNEL

if TYPE_CHECKING:
    from collections.abc import Callable

GATHER, CHECK = 0.25, 5.0


def start(publish: Callable[[str], None]) -> None:
    """Call `publish` with a ranking as JSON when its rows have changed, from a thread."""
    threading.Thread(target=watch, args=[publish], daemon=True).start()


def watch(publish: Callable[[str], None]) -> None:
    last: dict[str, list[dict[str, Any]]] = {}
    with closing(psycopg2.connect(URL)) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute(f"LISTEN {CHANNEL}")
        changed = {ranking.view for ranking in RANKINGS}
        while True:
            read_at = time.monotonic()
            for ranking in RANKINGS:
                if ranking.view in changed:
                    cursor.execute(ranking.sql)
                    rows = ranking.rows(cursor)
                    if last.get(ranking.view) != rows:
                        last[ranking.view] = rows
                        publish(json.dumps({"ranking": ranking.view, "title": ranking.title, "rows": rows}))
            told, _, _ = select.select([connection], [], [], CHECK)
            time.sleep(max(0.0, read_at + GATHER - time.monotonic()))
            connection.poll()
            changed = {notify.payload for notify in connection.notifies if told}
            changed = changed or {ranking.view for ranking in RANKINGS}
            connection.notifies.clear()
