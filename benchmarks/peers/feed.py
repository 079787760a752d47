"""The feed of the peers that push: a thread that waits for NOTIFY, reads what changed, and publishes it.

It keeps the dashboard's pace: it reads a ranking at once, at most four times a second, and all every 5 s.
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
from django_risingwave.standin.functions import CHANNEL

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds between two reads at least, and between two reads of all rankings at most.
GATHER_SECONDS, CHECK_SECONDS = 0.25, 5.0


def start(publish: Callable[[str], None]) -> None:
    """Call `publish` with a ranking as JSON, in a thread of its own, whenever its rows have changed."""
    threading.Thread(target=watch, args=[publish], daemon=True).start()


def watch(publish: Callable[[str], None]) -> None:
    """Read and publish until the process ends."""
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
            notified, _, _ = select.select([connection], [], [], CHECK_SECONDS)
            time.sleep(max(0.0, read_at + GATHER_SECONDS - time.monotonic()))
            connection.poll()
            changed = {
                view for notify in connection.notifies if notified for view in notify.payload.splitlines()
            }
            changed = changed or {ranking.view for ranking in RANKINGS}
            connection.notifies.clear()
